/* url.c - URLs as a client dials them (RFC 6455 section 3, RFC 3986).
 *
 *     wss :// user:password @ example.com : 8443 /path?query
 *     ws+unix : /run/app.sock : /path?query
 *
 * A URL comes from a program or a person, not from a peer; it is checked all the same, because its parts go
 * into a request head, and because two readings of one URL are how requests reach the wrong host. */
#include "proto/authority.h"
#include "proto/token.h"

#include <swale/proto.h>

struct scheme {
    const char *prefix;
    bool secure;
    bool unix_socket;
    uint16_t port;
};

static const struct scheme schemes[] = {
    { "ws://", false, false, 80 },    { "wss://", true, false, 443 }, { "http://", false, false, 80 },
    { "https://", true, false, 443 }, { "ws+unix:", false, true, 0 },
};

static const struct scheme *find_scheme(struct swale_span text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t size = strlen(schemes[i].prefix);
        if (text.size >= size && swale_name_equal(swale__slice(text, 0, size), schemes[i].prefix))
            return &schemes[i];
    }
    return NULL;
}

static int fault(size_t position, size_t *at)
{
    if (at)
        *at = position;
    return SWALE_ERR_URL;
}

/* Where text[from..) ends or has one of the two characters. */
static size_t find_either(struct swale_span text, size_t from, char a, char b)
{
    while (from < text.size && text.data[from] != a && text.data[from] != b)
        from++;
    return from;
}

/* userinfo: unreserved, sub-delims, ':' and escapes (RFC 3986 section 3.2.1); here every '%' passes. */
static bool userinfo_valid(struct swale_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!swale__is(text.data[i], SWALE__REGNAME) && text.data[i] != ':' && text.data[i] != '%')
            return false;
    return true;
}

static int parse_authority(struct swale_span text, size_t begin, size_t end, struct swale_url *url, size_t *at)
{
    struct swale_span authority = swale__slice(text, begin, end);
    size_t sign = find_either(authority, 0, '@', '@');
    if (sign < authority.size) {
        url->userinfo = swale__slice(authority, 0, sign);
        if (!userinfo_valid(url->userinfo))
            return fault(begin, at);
        begin += sign + 1;
    }
    struct swale__authority parts;
    size_t wrong;
    if (!swale__authority_parse(swale__slice(text, begin, end), &parts, &wrong))
        return fault(begin + wrong, at);
    /* Port 0 cannot be connected to. */
    if (parts.has_port && parts.port == 0)
        return fault(begin + wrong, at);
    url->host = parts.host;
    url->ipv6 = parts.ipv6;
    url->port = parts.has_port ? parts.port : url->port;
    return 0;
}

int swale_url_parse(struct swale_span text, struct swale_url *url, size_t *at)
{
    const struct scheme *scheme = find_scheme(text);
    if (!scheme)
        return fault(0, at);
    /* No space, no control byte, no fragment (RFC 6455 section 3), and nothing beyond ASCII, which has to be
     * encoded before it can be sent. */
    size_t clean = swale__run(text.data, text.size, SWALE__TARGET);
    if (clean < text.size)
        return fault(clean, at);
    size_t begin = strlen(scheme->prefix);
    size_t end = scheme->unix_socket ? find_either(text, begin, ':', ':') : find_either(text, begin, '/', '?');
    *url = (struct swale_url){
        .secure = scheme->secure,
        .unix_socket = scheme->unix_socket,
        .port = scheme->port,
        .target = swale_text("/"),
    };
    if (!scheme->unix_socket) {
        int error = parse_authority(text, begin, end, url, at);
        if (error)
            return error;
    } else {
        url->host = swale__slice(text, begin, end);
        if (begin == end)
            return fault(begin, at);
        end += end < text.size;
    }
    if (end == text.size)
        return 0;
    url->target = swale__slice(text, end, text.size);
    return text.data[end] == '/' || text.data[end] == '?' ? 0 : fault(end, at);
}
