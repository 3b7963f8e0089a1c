#include "proto/authority.h"

#include "proto/token.h"

/* Length of the registered name or IPv4 address at the front: unreserved, sub-delims and escapes. */
static size_t name_length(struct swale_span text)
{
    size_t i = 0;
    for (;;) {
        i += swale__run(text.data + i, text.size - i, SWALE__REGNAME);
        bool escape = text.size - i >= 3 && text.data[i] == '%' && swale__hex(text.data[i + 1]) >= 0 &&
                      swale__hex(text.data[i + 2]) >= 0;
        if (!escape)
            return i;
        i += 3;
    }
}

/* Length of a bracketed IPv6 literal at the front, 0 when it is none. Only its alphabet is checked here: whether
 * it is an address is for whoever connects to it. */
static size_t literal_length(struct swale_span text)
{
    size_t i = 1;
    size_t colons = 0;
    while (i < text.size && (swale__hex(text.data[i]) >= 0 || text.data[i] == ':' || text.data[i] == '.'))
        colons += text.data[i++] == ':';
    return i < text.size && text.data[i] == ']' && colons >= 2 ? i + 1 : 0;
}

static bool parse_port(struct swale_span text, uint16_t *port)
{
    uint32_t value = 0;
    if (!swale__all(text, SWALE__DIGIT))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        value = value * 10 + (uint32_t)(text.data[i] - '0');
        if (value > UINT16_MAX)
            return false;
    }
    *port = (uint16_t)value;
    return true;
}

bool swale__authority_parse(struct swale_span text, struct swale__authority *authority, size_t *at)
{
    *authority = (struct swale__authority){ .ipv6 = text.size > 0 && text.data[0] == '[' };
    *at = 0;
    if (text.size == 0)
        return false;
    bool ipv6 = authority->ipv6;
    size_t length = ipv6 ? literal_length(text) : name_length(text);
    *at = length;
    if (length == 0)
        return false;
    authority->host = ipv6 ? swale__slice(text, 1, length - 1) : swale__slice(text, 0, length);
    if (length == text.size)
        return true;
    if (text.data[length] != ':')
        return false;
    *at = length + 1;
    authority->has_port = true;
    return parse_port(swale__slice(text, length + 1, text.size), &authority->port);
}

bool swale__host_equal(struct swale_span a, struct swale_span b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (swale__lower(a.data[i]) != swale__lower(b.data[i]))
            return false;
    return true;
}
