/* utf8.c - the public face of the UTF-8 checker, which lives in base. */
#include "base/utf8.h"

#include <swale/proto.h>

bool swale_utf8_feed(struct swale_utf8 *utf8, const char *data, size_t size)
{
    return swale__utf8_feed(&utf8->state, data, size);
}

bool swale_utf8_complete(const struct swale_utf8 *utf8)
{
    return utf8->state == SWALE__UTF8_BOUNDARY;
}

bool swale_utf8_valid(const char *data, size_t size)
{
    uint32_t state = SWALE__UTF8_BOUNDARY;
    return swale__utf8_feed(&state, data, size) && state == SWALE__UTF8_BOUNDARY;
}
