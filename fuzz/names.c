/* names.c - where to go, as people write it: addresses, servers of names, proxies, and what goes without one.
 *
 * Input: one byte of options, then the text, which is read as one of them. An address that is taken must say the same
 * when it is printed and read again; the others must be what a model makes of them, with the C library's reader of
 * addresses and a comparison bit by bit. */
#include "client/proxy.h"
#include "fuzz.h"
#include "io/address.h"
#include "io/connect.h"
#include "io/resolve.h"

#include <arpa/inet.h>
#include <strings.h>

enum { TEXT = 512 };

/* ---- Addresses ---------------------------------------------------------------------------------------------- */

static bool same_address(const struct swale__address *a, const struct swale__address *b)
{
    struct in6_addr x, y;
    uint16_t p, q;
    if (!swale__address_ip(a, &x, &p))
        return a->size == b->size && strcmp(a->path.sun_path, b->path.sun_path) == 0;
    return swale__address_ip(b, &y, &q) && p == q && memcmp(&x, &y, sizeof x) == 0;
}

static void try_address(const char *text, bool listening)
{
    struct swale__address address, again;
    char printed[SWALE__ADDRESS_TEXT_MAX];
    if (swale__address_parse(&address, text, listening) != 0) {
        require(strncmp(text, "unix:", 5) != 0 || !text[5] || strlen(text + 5) >= sizeof again.path.sun_path);
        return;
    }
    swale__address_format(&address, printed);
    require(swale__address_parse(&again, printed, true) == 0 && same_address(&address, &again));
}

static void try_ip(const char *text)
{
    struct in6_addr ip, again, expected = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
    char printed[INET6_ADDRSTRLEN], copy[TEXT + 1];
    bool good = swale__address_parse_ip(swale_span(text, strlen(text)), &ip);
    strcpy(copy, text);
    require(good ==
            (inet_pton(AF_INET, copy, expected.s6_addr + 12) == 1 || inet_pton(AF_INET6, copy, &expected) == 1));
    if (!good)
        return;
    require(memcmp(&ip, &expected, sizeof ip) == 0);
    swale__address_format_ip(&ip, printed);
    require(swale__address_parse_ip(swale_text(printed), &again) && memcmp(&ip, &again, sizeof ip) == 0);
}

/* ---- Servers of names --------------------------------------------------------------------------------------- */

/* 1 to 65535, in at most five digits. */
static bool model_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && !text[digits] && atoi(text) > 0 && atoi(text) <= 65535;
}

static bool model_server(char *text)
{
    unsigned char address[16];
    char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
    if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1)
        return true;
    bool has_port = colon && colon > (bracket ? bracket : text);
    if (has_port && !model_port(colon + 1))
        return false;
    if (has_port)
        *colon = '\0';
    if (text[0] != '[')
        return has_port && inet_pton(AF_INET, text, address) == 1;
    size_t size = strlen(text);
    if (text[size - 1] != ']')
        return false;
    text[size - 1] = '\0';
    return inet_pton(AF_INET6, text + 1, address) == 1;
}

static void try_servers(const char *text)
{
    struct swale_loop *loop;
    struct swale__resolver *resolver = NULL;
    char copy[TEXT + 1], *rest = copy;
    bool good = true;
    strcpy(copy, text);
    while (rest)
        good = model_server(strsep(&rest, ",")) && good;
    require(swale_loop_new(&loop, NULL) == 0);
    require(swale__resolver_new(&resolver, loop, text) == (good ? 0 : SWALE_ERR_ADDRESS));
    swale__resolver_free(resolver);
    swale_loop_free(loop);
}

/* ---- Proxies -------------------------------------------------------------------------------------------------- */

static void try_proxy(const char *text)
{
    struct swale__proxy proxy, again;
    char printed[TEXT + 64], decoded[SWALE__PROXY_USERINFO_MAX];
    struct swale_span user, password;
    static const char *const schemes[] = {
        [SWALE__PROXY_HTTP] = "http", [SWALE__PROXY_HTTPS] = "https", [SWALE__PROXY_SOCKS5] = "socks5h"
    };
    if (swale__proxy_parse(&proxy, swale_span(text, strlen(text))) != 0 || !*text)
        return;
    require(proxy.kind != SWALE__PROXY_NONE && proxy.host.size > 0 && proxy.port > 0);
    bool v6 = memchr(proxy.host.data, ':', proxy.host.size);
    int size = snprintf(printed, sizeof printed, "%s://%.*s%s%s%.*s%s:%u/", schemes[proxy.kind],
                        (int)proxy.userinfo.size, proxy.userinfo.data, proxy.userinfo.size ? "@" : "", v6 ? "[" : "",
                        (int)proxy.host.size, proxy.host.data, v6 ? "]" : "", (unsigned)proxy.port);
    require(swale__proxy_parse(&again, swale_span(printed, (size_t)size)) == 0);
    require(again.kind == proxy.kind && again.port == proxy.port && swale_span_equal(again.host, proxy.host));
    require(swale_span_equal(again.userinfo, proxy.userinfo));
    require(swale__proxy_login(&proxy, decoded, &user, &password) == (proxy.userinfo.size > 0));
}

/* ---- What goes without one ------------------------------------------------------------------------------------ */

struct target {
    const char *host;
    unsigned port;
};

static bool bit(const unsigned char *bytes, unsigned n)
{
    return bytes[n / 8] & (128 >> n % 8);
}

/* As 16 bytes; an IPv4 address is mapped into IPv6. */
static bool read_ip(const char *text, unsigned char bytes[16])
{
    static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };
    memcpy(bytes, prefix, sizeof prefix);
    return inet_pton(AF_INET, text, bytes + 12) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* One address, or so many of its first bits. Of IPv6 there is none in a block of IPv4, nor the other way round. */
static bool model_block(const char *block, long bits, const char *host)
{
    unsigned char a[16], b[16], v4[16];
    if (!read_ip(block, a) || !read_ip(host, b) || !read_ip("0.0.0.0", v4))
        return false;
    if ((memcmp(a, v4, 12) == 0) != (memcmp(b, v4, 12) == 0))
        return false;
    long most = strchr(block, ':') ? 128 : 32;
    if (bits > most)
        return false;
    for (long n = 0; n < (bits < 0 ? 128 : bits + 128 - most); n++)
        if (bit(a, (unsigned)n) != bit(b, (unsigned)n))
            return false;
    return true;
}

static bool is_ip(const char *text)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool model_name(char *name, const char *host)
{
    name += strncmp(name, "*.", 2) == 0;
    name += *name == '.';
    size_t size = strlen(name);
    if (size > 0 && name[size - 1] == '.')
        name[--size] = '\0';
    if (size == 0 || size > strlen(host) || is_ip(host))
        return false;
    const char *end = host + strlen(host) - size;
    return strcasecmp(end, name) == 0 && (end == host || end[-1] == '.');
}

/* Splits "[address]:80", "[address]/8", "name:80", "1.2.3.0/24" and "2001::". */
static bool model_element(char *text, const struct target *target)
{
    char *end = text + strlen(text);
    bool bracketed = text[0] == '[';
    if (strcmp(text, "*") == 0)
        return true;
    if (bracketed) {
        end = strchr(text, ']');
        if (!end)
            return false;
        text++;
        *end++ = '\0';
    } else if (strchr(text, '/')) {
        end = strchr(text, '/');
    } else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
        end = strchr(text, ':');
    }
    char separator = *end;
    long number = -1;
    if (separator) {
        if ((separator != ':' && separator != '/') || strlen(end + 1) > 5 || !end[1] ||
            strspn(end + 1, "0123456789") != strlen(end + 1))
            return false;
        number = atol(end + 1);
        *end = '\0';
    }
    if (separator == ':' && number != (long)target->port)
        return false;
    if (is_ip(text))
        return model_block(text, separator == '/' ? number : -1, target->host);
    return separator != '/' && model_name(text, target->host);
}

static void try_exceptions(const char *text)
{
    static const struct target targets[] = { { "www.example.com", 443 },
                                             { "192.0.2.77", 80 },
                                             { "2001:db8::1", 80 },
                                             { "example.com", 80 },
                                             { "com", 8080 } };
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        char copy[TEXT + 1], *rest = copy, *element;
        bool expected = false;
        strcpy(copy, text);
        while ((element = strsep(&rest, ", \t\r\n")) != NULL)
            expected = (*element && model_element(element, &targets[i])) || expected;
        require(swale__proxy_bypassed(text, swale_text(targets[i].host), (uint16_t)targets[i].port) == expected);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > TEXT)
        return 0;
    char *text = fuzz_string(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        try_address(text, data[0] & 4);
        try_ip(text);
        break;
    case 1:
        try_servers(text);
        break;
    case 2:
        try_proxy(text);
        break;
    default:
        try_exceptions(text);
    }
    free(text);
    return 0;
}
