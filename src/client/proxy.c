#include "client/proxy.h"

#include "io/address.h"
#include "proto/authority.h"
#include "proto/token.h"

#include <stdlib.h>

/* ---- The URL ---------------------------------------------------------------------------------------- */

struct scheme {
    const char *name;
    enum swale__proxy_kind kind;
    uint16_t port;
};

/* curl's two names for SOCKS 5 differ in who resolves the server's name. Here it is always the proxy: asking a
 * resolver of one's own would tell it where one is going. */
static const struct scheme schemes[] = {
    { "http", SWALE__PROXY_HTTP, 80 },
    { "https", SWALE__PROXY_HTTPS, 443 },
    { "socks5", SWALE__PROXY_SOCKS5, 1080 },
    { "socks5h", SWALE__PROXY_SOCKS5, 1080 },
};

/* Finds the scheme and moves *text behind it. NULL for one that is none of ours. */
static const struct scheme *take_scheme(struct swale_span *text)
{
    const char *separator = memmem(text->data, text->size, "://", 3);
    if (!separator)
        return &schemes[0];
    struct swale_span name = swale_span(text->data, (size_t)(separator - text->data));
    *text = swale__slice(*text, name.size + 3, text->size);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (swale_name_equal(name, schemes[i].name))
            return &schemes[i];
    return NULL;
}

/* unreserved, sub-delims, ':' and escapes (RFC 3986 section 3.2.1); decoding judges the escapes. */
static bool userinfo_valid(struct swale_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!swale__is(text.data[i], SWALE__REGNAME) && text.data[i] != ':' && text.data[i] != '%')
            return false;
    return true;
}

/* Moves *text behind the userinfo, if there is any. */
static bool take_userinfo(struct swale__proxy *proxy, struct swale_span *text)
{
    const char *sign = memchr(text->data, '@', text->size);
    if (!sign)
        return true;
    size_t size = (size_t)(sign - text->data);
    proxy->userinfo = swale__slice(*text, 0, size);
    *text = swale__slice(*text, size + 1, text->size);
    char decoded[SWALE__PROXY_USERINFO_MAX];
    struct swale_span user, password;
    return size == 0 || (userinfo_valid(proxy->userinfo) && swale__proxy_login(proxy, decoded, &user, &password));
}

int swale__proxy_parse(struct swale__proxy *proxy, struct swale_span text)
{
    *proxy = (struct swale__proxy){ .kind = SWALE__PROXY_NONE };
    if (text.size == 0)
        return 0;
    const struct scheme *scheme = take_scheme(&text);
    if (!scheme || text.size == 0)
        return SWALE_ERR_PROXY_URL;
    if (text.data[text.size - 1] == '/')
        text.size--;
    struct swale__proxy found = { .kind = scheme->kind };
    struct swale__authority authority;
    size_t at;
    if (!take_userinfo(&found, &text) || !swale__authority_parse(text, &authority, &at))
        return SWALE_ERR_PROXY_URL;
    struct in6_addr ip;
    if ((authority.has_port && authority.port == 0) ||
        (authority.ipv6 && !swale__address_parse_ip(authority.host, &ip)))
        return SWALE_ERR_PROXY_URL;
    found.host = authority.host;
    found.port = authority.has_port ? authority.port : scheme->port;
    *proxy = found;
    return 0;
}

/* ---- The login -------------------------------------------------------------------------------------- */

static bool has_control(struct swale_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    return false;
}

static bool fits_socks(struct swale_span text)
{
    return text.size >= 1 && text.size <= 255;
}

/* Decodes to the end of what has been decoded so far. */
static bool decode(struct swale_span text, char *out, size_t used, struct swale_span *decoded)
{
    ptrdiff_t size = swale_percent_decode(text, false, out + used, SWALE__PROXY_USERINFO_MAX - used);
    if (size < 0)
        return false;
    *decoded = swale_span(out + used, (size_t)size);
    return true;
}

bool swale__proxy_login(const struct swale__proxy *proxy, char out[SWALE__PROXY_USERINFO_MAX],
                        struct swale_span *user, struct swale_span *password)
{
    struct swale_span text = proxy->userinfo;
    if (text.size == 0)
        return false;
    const char *colon = memchr(text.data, ':', text.size);
    size_t end = colon ? (size_t)(colon - text.data) : text.size;
    size_t begin = colon ? end + 1 : end;
    if (!decode(swale__slice(text, 0, end), out, 0, user) ||
        !decode(swale__slice(text, begin, text.size), out, user->size, password))
        return false;
    if (proxy->kind == SWALE__PROXY_SOCKS5)
        return fits_socks(*user) && fits_socks(*password);
    return !has_control(*user) && !has_control(*password) &&
           (user->size == 0 || !memchr(user->data, ':', user->size));
}

/* ---- The environment -------------------------------------------------------------------------------- */

/* The first of these variables (ends with NULL) that is set and not empty, else "". */
static const char *first_set(const char *const *names)
{
    for (; *names; names++) {
        const char *value = secure_getenv(*names);
        if (value && *value)
            return value;
    }
    return "";
}

const char *swale__proxy_environment(const struct swale_url *url)
{
    static const char *const secure[] = { "wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY",
                                          "all_proxy", "ALL_PROXY", NULL };
    /* Not HTTP_PROXY: in a CGI program that is the Proxy field of a request, and anyone's to set ("httpoxy",
     * CVE-2016-5385). */
    static const char *const plain[] = { "ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", NULL };
    static const char *const exceptions[] = { "no_proxy", "NO_PROXY", NULL };
    if (url->unix_socket)
        return "";
    const char *proxy = first_set(url->secure ? secure : plain);
    return swale__proxy_bypassed(first_set(exceptions), url->host, url->port) ? "" : proxy;
}

/* ---- Exceptions ------------------------------------------------------------------------------------- */

/* Where a connection is to go: a name, without its final dot, or an address. */
struct target {
    struct swale_span name;
    uint16_t port;
    bool numeric;
    struct in6_addr ip; /* IPv4 mapped */
};

/* "host", "host:port", "address/bits", with brackets or without around an IPv6 address. */
struct element {
    struct swale_span host;
    bool has_port, has_bits;
    unsigned number; /* the port, or the bits */
};

static struct swale_span without_final_dot(struct swale_span name)
{
    return name.size > 0 && name.data[name.size - 1] == '.' ? swale__slice(name, 0, name.size - 1) : name;
}

static size_t count_of(struct swale_span text, char c)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == c;
    return count;
}

/* Where the host of an element ends: behind the bracket, at the slash, or at its one colon (an IPv6 address without
 * brackets has more). */
static size_t host_end(struct swale_span text)
{
    if (text.data[0] == '[') {
        const char *bracket = memchr(text.data, ']', text.size);
        return bracket ? (size_t)(bracket - text.data) + 1 : text.size;
    }
    const char *end = memchr(text.data, '/', text.size);
    if (!end && count_of(text, ':') == 1)
        end = memchr(text.data, ':', text.size);
    return end ? (size_t)(end - text.data) : text.size;
}

static bool parse_number(struct swale_span text, unsigned *number)
{
    *number = 0;
    for (size_t i = 0; i < text.size && i < 5; i++)
        *number = *number * 10 + (unsigned)(text.data[i] - '0');
    return text.size <= 5 && swale__all(text, SWALE__DIGIT);
}

static bool take_apart(struct swale_span text, struct element *element)
{
    size_t end = host_end(text);
    *element = (struct element){ .host = swale__slice(text, 0, end) };
    if (text.data[0] == '[') {
        if (text.data[end - 1] != ']')
            return false;
        element->host = swale__slice(text, 1, end - 1);
    }
    if (end == text.size)
        return true;
    element->has_port = text.data[end] == ':';
    element->has_bits = text.data[end] == '/';
    return (element->has_port || element->has_bits) &&
           parse_number(swale__slice(text, end + 1, text.size), &element->number);
}

/* Are the first `bits` of the two addresses the same? */
static bool same_block(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
    unsigned whole = bits / 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return bits % 8 == 0 || (a->s6_addr[whole] ^ b->s6_addr[whole]) >> (8 - bits % 8) == 0;
}

/* Who writes "::/0" means IPv6, although IPv4 lies in it when it is mapped. */
static bool matches_ip(const struct element *element, const struct in6_addr *block, const struct target *target)
{
    if (!target->numeric || !IN6_IS_ADDR_V4MAPPED(block) != !IN6_IS_ADDR_V4MAPPED(&target->ip))
        return false;
    unsigned offset = memchr(element->host.data, ':', element->host.size) ? 0 : 96; /* IPv4 is mapped */
    unsigned bits = element->has_bits ? element->number + offset : 128;
    return bits <= 128 && same_block(block, &target->ip, bits);
}

/* The name itself, or one below it. */
static bool matches_name(struct swale_span wanted, const struct target *target)
{
    if (wanted.size >= 2 && wanted.data[0] == '*' && wanted.data[1] == '.')
        wanted = swale__slice(wanted, 1, wanted.size);
    if (wanted.size > 0 && wanted.data[0] == '.')
        wanted = swale__slice(wanted, 1, wanted.size);
    wanted = without_final_dot(wanted);
    if (target->numeric || wanted.size == 0 || wanted.size > target->name.size)
        return false;
    size_t above = target->name.size - wanted.size;
    return (above == 0 || target->name.data[above - 1] == '.') &&
           swale__host_equal(swale__slice(target->name, above, target->name.size), wanted);
}

static bool matches(struct swale_span text, const struct target *target)
{
    if (swale_span_equal(text, swale_text("*")))
        return true;
    struct element element;
    struct in6_addr block;
    if (!take_apart(text, &element) || (element.has_port && element.number != target->port))
        return false;
    if (swale__address_parse_ip(element.host, &block))
        return matches_ip(&element, &block, target);
    return !element.has_bits && matches_name(element.host, target);
}

bool swale__proxy_bypassed(const char *list, struct swale_span host, uint16_t port)
{
    static const char separators[] = ", \t\r\n";
    struct target target = { .name = without_final_dot(host), .port = port };
    target.numeric = swale__address_parse_ip(host, &target.ip);
    for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
        size_t size = strcspn(list, separators);
        if (matches(swale_span(list, size), &target))
            return true;
        list += size;
    }
    return false;
}
