/* utf8.h - one character of UTF-8 at a time, for what is shown to people. */
#ifndef SWALE_APP_UTF8_H
#define SWALE_APP_UTF8_H

#include <stdint.h>
#include <swale/base.h>

/* Decodes the character at the beginning of the bytes, of which there is one at least (RFC 3629), and returns its
 * length, or 0 when there is none. */
size_t utf8_decode(struct swale_span bytes, uint32_t *character);

#endif
