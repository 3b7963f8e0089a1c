/* cookie.h - what one Set-Cookie field says, for the host that sent it. */
#ifndef SWALE_CLIENT_COOKIE_H
#define SWALE_CLIENT_COOKIE_H

#include <swale/proto.h>

/* Spans point into the field, or the URL (a path by default). */
struct swale__cookie {
    struct swale_span name, value, path;
    bool secure;
    int64_t expires; /* seconds since 1970; INT64_MAX: with the jar */
};

/* Takes a Set-Cookie value apart (RFC 6265 section 5.2) and judges it by the URL that it came from. False for one
 * that is not to be kept: malformed, too large, of another domain, Secure without TLS, or against its name's prefix.
 */
bool swale__cookie_parse(struct swale__cookie *cookie, struct swale_span text, const struct swale_url *url,
                         int64_t now);

/* The path of a URL without its query; never empty. */
struct swale_span swale__cookie_request_path(const struct swale_url *url);

/* Does this path lie at or below the cookie's (RFC 6265 section 5.1.4)? */
bool swale__cookie_path_matches(struct swale_span path, struct swale_span cookie_path);

#endif
