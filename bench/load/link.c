#include "link.h"

#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

SSL_SESSION *link_session;
static SSL_CTX *context;

/* The first serves all, as a copy: OpenSSL lets no session be used twice. */
static int keep_session(SSL *tls, SSL_SESSION *session)
{
    (void)tls;
    if (!link_session)
        link_session = SSL_SESSION_dup(session);
    return 0;
}

static void resume_session(SSL *tls)
{
    SSL_SESSION *copy = SSL_SESSION_dup(link_session);
    if (!copy || SSL_set_session(tls, copy) != 1)
        refuse("OpenSSL");
    SSL_SESSION_free(copy);
}

/* One cipher for all servers: browsers' first choice. The certificate was made for the benchmark, and is not looked
 * at. */
void link_setup(void)
{
    if (!plan.tls)
        return;
    context = SSL_CTX_new(TLS_client_method());
    if (!context || SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1)
        refuse("OpenSSL");
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  (plan.mode == LOAD_IDLE ? SSL_MODE_RELEASE_BUFFERS : 0));
    SSL_CTX_set_read_ahead(context, plan.mode != LOAD_IDLE);
    if (plan.resume) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
}

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)plan.port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect");
    if (plan.mode != LOAD_STORM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static SSL *begin_tls(int fd)
{
    SSL *tls = SSL_new(context);
    if (!tls || SSL_set_fd(tls, fd) != 1)
        refuse("OpenSSL");
    if (link_session)
        resume_session(tls);
    SSL_set_connect_state(tls);
    return tls;
}

static size_t put_request(char *out, size_t room, const char *path)
{
    static const char *const offers[] = {
        [LOAD_PLAIN] = "",
        [LOAD_SHARED] = ("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                         "client_no_context_takeover\r\n"),
        [LOAD_DEDICATED] = "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    };
    int size = snprintf(out, room,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                        path, plan.port, offers[plan.deflate]);
    if (size < 0 || (size_t)size >= room)
        refuse("the path is too long");
    return (size_t)size;
}

static void check_deflate(const char *head)
{
    bool agreed = strstr(head, "permessage-deflate") != NULL;
    bool forgets = strstr(head, "server_no_context_takeover") != NULL;
    if (agreed != (plan.deflate != LOAD_PLAIN) || (agreed && forgets != (plan.deflate == LOAD_SHARED)))
        refuse("the server answers another permessage-deflate than was offered");
}

/* RFC 6455, section 4.1; and that nothing follows: nobody has asked for it. */
static bool is_whole(const char *answer, size_t size)
{
    static const char status[] = "HTTP/1.1 101 ";
    if (strncmp(answer, status, size < sizeof status - 1 ? size : sizeof status - 1) != 0)
        refuse("the server refused the handshake");
    if (size < 4 || memcmp(answer + size - 4, "\r\n\r\n", 4) != 0)
        return false;
    check_deflate(answer);
    return true;
}

static void ask(struct opening *opening)
{
    char text[1024];
    size_t size = put_request(text, sizeof text, opening->path);
    if (link_send(&opening->link, text, size) != (ssize_t)size)
        refuse("the handshake cannot be sent");
    opening->asked = true;
    bytes_sent += size;
}

void opening_begin(struct opening *opening, const char *path)
{
    *opening = (struct opening){ .link.fd = dial(), .path = path };
    if (plan.tls) {
        if (fcntl(opening->link.fd, F_SETFL, O_NONBLOCK) != 0) /* OpenSSL knows no MSG_DONTWAIT */
            fail("fcntl");
        opening->link.tls = begin_tls(opening->link.fd);
        SSL_do_handshake(opening->link.tls); /* the first flight */
    } else if (path) {
        ask(opening);
    }
}

/* True once TLS is ready. */
static bool secure(SSL *tls)
{
    int result = SSL_do_handshake(tls);
    if (result != 1 && SSL_get_error(tls, result) != SSL_ERROR_WANT_READ)
        refuse("no TLS");
    return result == 1;
}

bool opening_advance(struct opening *opening)
{
    if (!opening->path)
        return true;
    if (!opening->asked && !secure(opening->link.tls))
        return false;
    if (!opening->asked)
        ask(opening);
    do {
        size_t room = sizeof opening->answer - 1 - opening->got;
        ssize_t size = room > 0 ? link_receive(&opening->link, opening->answer + opening->got, room) : 0;
        if (size == 0)
            refuse("too long an answer to the handshake");
        if (size < 0)
            return false;
        opening->got += (size_t)size;
        bytes_received += (size_t)size;
        if (is_whole(opening->answer, opening->got))
            return true;
    } while (link_has_more(&opening->link));
    return false;
}

void opening_finish(struct opening *opening)
{
    enum { PATIENCE_MS = 10000 };
    struct pollfd wait = { .fd = opening->link.fd, .events = POLLIN };
    while (!opening_advance(opening))
        if (poll(&wait, 1, PATIENCE_MS) == 0)
            refuse("no answer to the handshake");
}

static ssize_t tls_result(struct link *link, int result)
{
    if (result > 0)
        return result;
    int error = SSL_get_error(link->tls, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        refuse("the server closed a connection, or broke its TLS");
    return -1;
}

ssize_t link_receive(struct link *link, char *out, size_t room)
{
    if (link->tls)
        return tls_result(link, SSL_read(link->tls, out, (int)room));
    ssize_t size = recv(link->fd, out, room, MSG_DONTWAIT);
    if (size == 0)
        refuse("the server closed a connection");
    if (size < 0 && errno != EAGAIN)
        fail("recv");
    return size;
}

ssize_t link_send(struct link *link, const char *data, size_t size)
{
    if (link->tls)
        return tls_result(link, SSL_write(link->tls, data, (int)size));
    ssize_t sent = send(link->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        fail("send");
    return sent;
}

bool link_has_more(const struct link *link)
{
    return link->tls && SSL_has_pending(link->tls);
}

void link_reset(struct link *link)
{
    struct linger reset = { .l_onoff = 1 };
    setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (link->tls) {
        SSL_set_shutdown(link->tls, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its session is forgotten */
        SSL_free(link->tls);
        link->tls = NULL;
    }
    close(link->fd);
}
