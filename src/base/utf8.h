/* utf8.h - checking UTF-8 as it arrives (RFC 3629, RFC 6455 section 8.1).
 *
 * The state between two runs of bytes is a small number: SWALE__UTF8_BOUNDARY when the text so far is whole,
 * SWALE__UTF8_INVALID when it cannot be mended any more, anything else inside a character. */
#ifndef SWALE_BASE_UTF8_H
#define SWALE_BASE_UTF8_H

#include <swale/base.h>

enum { SWALE__UTF8_BOUNDARY = 0, SWALE__UTF8_INVALID = 48 };

/* Goes on with `size` more bytes. False once the text is invalid; the state then stays so. */
bool swale__utf8_feed(uint32_t *state, const char *data, size_t size);

/* How many of the bytes can begin a valid text, from `state` on: `size`, or the position of the byte that breaks
 * it. Byte by byte: for finding the place of a fault. */
size_t swale__utf8_prefix(uint32_t state, const char *data, size_t size);

/* One kernel per instruction set, in utf8_avx2.c and utf8_neon.c. Each checks blocks of SWALE__UTF8_BLOCK bytes that
 * begin at a boundary; `size` is a multiple of that. A character that goes on behind the end is not judged. */
enum { SWALE__UTF8_BLOCK = 32 };
bool swale__utf8_blocks_avx2(const char *data, size_t size);
bool swale__utf8_blocks_neon(const char *data, size_t size);

#endif
