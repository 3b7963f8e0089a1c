/* payload.h - what the messages of a load consist of: contents with the entropy of real ones, and stamps in them.
 *
 * A stamp is a number as eleven printable characters of six bits each, the lowest first, so that it may stand in text
 * as well as in binary messages, and so that the beginning of one still tells neighbouring numbers apart.
 */
#ifndef SWALE_APP_PAYLOAD_H
#define SWALE_APP_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <swale/base.h>

/* Fills a message: text is made of JSON records, as applications send them; binary is noise, which does not compress.
 * The same bytes every time. */
void payload_fill(char *out, size_t size, bool binary);

enum { PAYLOAD_STAMP = 11 };

/* Writes a stamp, or as much of it as there is room for. */
static inline void payload_put(char *out, size_t room, uint64_t number)
{
    size_t size = room < PAYLOAD_STAMP ? room : PAYLOAD_STAMP;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)('0' + (number >> 6 * i & 63));
}

/* Reads a whole one back. What is none gives some number. */
static inline uint64_t payload_get(const char *in)
{
    uint64_t number = 0;
    for (size_t i = 0; i < PAYLOAD_STAMP; i++)
        number |= (uint64_t)((unsigned)(in[i] - '0') & 63) << 6 * i;
    return number;
}

#endif
