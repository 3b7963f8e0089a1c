/* tunnel.h - a proxy's own handshake on a stream that has reached it: CONNECT (RFC 9110 section 9.3.6) or SOCKS5
 * (RFC 1928, RFC 1929). What comes out is the same stream, with the server at its other end.
 */
#ifndef SWALE_CLIENT_TUNNEL_H
#define SWALE_CLIENT_TUNNEL_H

#include "client/proxy.h"
#include "io/stream.h"

#include <swale/client.h>

struct swale__tunnel_options {
    const struct swale_allocator *allocator;
    struct swale__stream *stream;     /* connected (TLS to the proxy included), paused; the tunnel's from then on */
    const struct swale__proxy *proxy; /* this and the text of `host` must outlive the tunnel */
    struct swale_span host;           /* of the server, without brackets; a proxy resolves it */
    uint16_t port;
    bool ipv6; /* the host is an IPv6 literal */
    uint32_t max_head, max_fields;
    /* Exactly one of these comes, never from within swale__tunnel_new, and nothing after it. The stream is paused
     * and wants a new user. A failure has closed it: SWALE_ERR_PROXY, _PROXY_REFUSED, _PROXY_LOGIN, -errno,
     * SWALE_ERR_TLS...; with the proxy's answer, if it was HTTP. */
    void (*on_ready)(void *context, struct swale__stream *stream);
    void (*on_failed)(void *context, int error, const char *text, const struct swale_response *response);
    /* What a proxy is told and says. May be NULL. Must not cancel. */
    void (*on_trace)(void *context, enum swale_trace_kind kind, struct swale_span text);
    void *context;
};

/* -ENOMEM (the stream is closed then). The caller has the deadline. */
struct swale__tunnel;
int swale__tunnel_new(struct swale__tunnel **out, const struct swale__tunnel_options *options);

/* Closes the stream. Not after either of the two callbacks. */
void swale__tunnel_cancel(struct swale__tunnel *tunnel);

#endif
