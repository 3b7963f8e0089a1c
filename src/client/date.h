/* date.h - dates as HTTP writes them, and Retry-After. */
#ifndef SWALE_CLIENT_DATE_H
#define SWALE_CLIENT_DATE_H

#include <swale/proto.h>

/* Seconds since 1970 of a date as cookies have them (RFC 6265 section 5.1.1), which takes all three forms of RFC 9110
 * section 5.6.7 too. False for what is none. */
bool swale__date_parse(struct swale_span text, int64_t *seconds);

/* Milliseconds that the answer's Retry-After asks for (RFC 9110 section 10.2.3), -1 when there is none that can be
 * read. `now` is in seconds since 1970. */
int64_t swale__retry_after(const struct swale_field *fields, uint32_t count, int64_t now);

#endif
