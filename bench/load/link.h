/* link.h - one connection of the load: TCP, perhaps TLS, and the opening handshake. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct link {
    int fd;
    SSL *tls; /* NULL: none */
};

void link_setup(void); /* once, before the others */

/* Opens a connection and waits until it is open. */
struct link link_open(const char *path);

/* The pieces of that, for those who don't wait: connected; the request; what came of an answer is a whole one, and
 * right. */
int link_dial(void);
SSL *link_tls(int fd);
size_t link_request(char *out, size_t room, const char *path);
bool link_opened(const char *answer, size_t size);

/* Neither waits: -1 when nothing can be done now. */
ssize_t link_receive(struct link *link, char *out, size_t room);
ssize_t link_send(struct link *link, const char *data, size_t size);

/* More may have come than link_receive has returned, although the socket has nothing. */
bool link_has_more(const struct link *link);

/* Resets it: a closing handshake would leave its port in use for a minute. */
void link_reset(struct link *link);

/* The session of an earlier connection, when one has come; plan.resume. */
extern SSL_SESSION *link_session;

#endif
