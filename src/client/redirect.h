/* redirect.h - references to URLs, resolved (RFC 3986 section 5). */
#ifndef SWALE_CLIENT_REDIRECT_H
#define SWALE_CLIENT_REDIRECT_H

#include "client/buffer.h"

#include <swale/proto.h>

/* Resolves a reference against the URL that it was found at, into `out` (which must be empty) as a ws or wss URL:
 * without userinfo, which nobody sends on a server's say, and without a fragment. Whether that is a well-formed URL
 * is for swale_url_parse to say. SWALE_ERR_URL for another scheme than ws, wss, http and https; -ENOMEM. */
int swale__reference_resolve(struct swale__buffer *out, const struct swale_allocator *allocator,
                             const struct swale_url *base, struct swale_span reference);

/* The same scheme (as to TLS), host and port (RFC 6454 section 5). */
bool swale__origin_same(const struct swale_url *a, const struct swale_url *b);

#endif
