/* jar.h - the cookies of one client, kept across its connections (RFC 6265, as far as one host needs it).
 *
 * Every cookie is host-only: it goes back to the host that set it and to no other, whatever its Domain says, because
 * telling a shared suffix from a domain takes a list that ages. Path, Secure, Max-Age and Expires are heeded. Bounded
 * in number and size: the one that was set longest ago makes room.
 */
#ifndef SWALE_CLIENT_JAR_H
#define SWALE_CLIENT_JAR_H

#include <swale/proto.h>

enum { SWALE__JAR_COOKIES_MAX = 64, SWALE__JAR_COOKIE_SIZE_MAX = 4096 };

struct swale__jar;
int swale__jar_new(struct swale__jar **jar, const struct swale_allocator *allocator); /* -ENOMEM */
void swale__jar_free(struct swale__jar *jar);

/* Takes the Set-Cookie fields of an answer. `now` is in seconds since 1970. What is malformed or too large, or finds
 * no memory, is left out. */
void swale__jar_take(struct swale__jar *jar, const struct swale_url *url, const struct swale_field *fields,
                     uint32_t count, int64_t now);

/* No less than swale__jar_write will need, for any URL. */
size_t swale__jar_bound(const struct swale__jar *jar);

/* Writes the value of the Cookie field for this URL (RFC 6265 section 5.4). Its length, 0 for none, or
 * SWALE_ERR_TOO_SMALL. */
ptrdiff_t swale__jar_write(struct swale__jar *jar, const struct swale_url *url, int64_t now, char *out,
                           size_t capacity);

#endif
