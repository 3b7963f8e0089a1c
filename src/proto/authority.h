/* authority.h - host and port, as Host fields, URLs, origins and absolute-form targets have them. */
#ifndef SWALE_PROTO_AUTHORITY_H
#define SWALE_PROTO_AUTHORITY_H

#include <swale/base.h>

struct swale__authority {
    struct swale_span host; /* without brackets for an IPv6 literal; never empty */
    bool ipv6;
    bool has_port;
    uint16_t port;
};

/* uri-host [ ":" port ] (RFC 3986 section 3.2), the whole of `text`. Stricter than the RFC in three places, each
 * of which two parties may read differently: no empty host, no colon without a port, no IPvFuture. False when
 * it is none, with the position of the fault in *at. */
bool swale__authority_parse(struct swale_span text, struct swale__authority *authority, size_t *at);

/* Same host, without regard to case. Names are compared as they are written: a trailing dot or an escape makes
 * another name. */
bool swale__host_equal(struct swale_span a, struct swale_span b);

#endif
