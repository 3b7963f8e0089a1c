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

/* A connection on its way to an open WebSocket, or, without a path, of bare TCP. */
struct opening {
    struct link link;
    const char *path;
    size_t got;
    bool asked;
    char answer[1024];
};

/* Connects, and sends what can be sent at once; goes on with what has come, until it is open (true); waits until it
 * is. */
void opening_begin(struct opening *opening, const char *path);
bool opening_advance(struct opening *opening);
void opening_finish(struct opening *opening);

/* Neither waits: -1 when nothing can be done now. */
ssize_t link_receive(struct link *link, char *out, size_t room);
ssize_t link_send(struct link *link, const char *data, size_t size);

/* More may have come than link_receive has returned, although the socket has nothing. */
bool link_has_more(const struct link *link);

/* Resets it: a closing handshake would leave its port in use for a minute. */
void link_reset(struct link *link);

/* The session of a connection, when one has come; plan.resume. */
extern SSL_SESSION *link_session;

#endif
