/* percent.c - percent-encoding and query strings (RFC 3986 section 2.1). */
#include "proto/token.h"

#include <swale/proto.h>

/* The character at text[*i], decoded; moves *i past it. -1 on a bad escape or an encoded NUL, which would end a
 * C string early. */
static int decode_one(struct swale_span text, bool plus, size_t *i)
{
    char c = text.data[(*i)++];
    if (plus && c == '+')
        return ' ';
    if (c != '%')
        return (unsigned char)c;
    if (text.size - *i < 2)
        return -1;
    int high = swale__hex(text.data[*i]);
    int low = swale__hex(text.data[*i + 1]);
    *i += 2;
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

ptrdiff_t swale_percent_decode(struct swale_span in, bool plus, char *out, size_t capacity)
{
    size_t length = 0;
    for (size_t i = 0; i < in.size;) {
        int c = decode_one(in, plus, &i);
        if (c < 0)
            return SWALE_ERR_HTTP_TARGET;
        if (length == capacity)
            return SWALE_ERR_TOO_SMALL;
        out[length++] = (char)c;
    }
    return (ptrdiff_t)length;
}

/* Names may be encoded too: "%63allback" is "callback". */
static bool name_is(struct swale_span encoded, const char *name)
{
    for (size_t i = 0; i < encoded.size; name++) {
        int c = decode_one(encoded, true, &i);
        if (c < 0 || !*name || (char)c != *name)
            return false;
    }
    return !*name;
}

/* Index of the first `c` in text from `from` on, or `otherwise`. */
static size_t find(struct swale_span text, size_t from, char c, size_t otherwise)
{
    for (size_t i = from; i < otherwise; i++)
        if (text.data[i] == c)
            return i;
    return otherwise;
}

bool swale_query_find(struct swale_span query, const char *name, struct swale_span *value)
{
    for (size_t begin = 0; begin < query.size;) {
        size_t end = find(query, begin, '&', query.size);
        size_t equals = find(query, begin, '=', end);
        if (equals > begin && name_is(swale__slice(query, begin, equals), name)) {
            *value = swale__slice(query, equals < end ? equals + 1 : end, end);
            return true;
        }
        begin = end + 1;
    }
    return false;
}
