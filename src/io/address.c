#include "io/address.h"

#include <arpa/inet.h>
#include <stdio.h>

static int parse_path(struct swale__address *address, const char *path)
{
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address->path.sun_path)
        return SWALE_ERR_ADDRESS;
    address->path.sun_family = AF_UNIX;
    memcpy(address->path.sun_path, path, size + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return 0;
}

/* One to five digits, at most 65535. */
static bool parse_port(const char *text, uint16_t *port)
{
    unsigned value = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 5; digits++)
        value = value * 10 + (unsigned)(text[digits] - '0');
    *port = (uint16_t)value;
    return digits > 0 && text[digits] == '\0' && value <= UINT16_MAX;
}

static void set_v6(struct swale__address *address, uint16_t port)
{
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(port);
    address->size = sizeof address->v6;
}

static void set_v4(struct swale__address *address, uint16_t port)
{
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(port);
    address->size = sizeof address->v4;
}

/* "[::1]" or "127.0.0.1" or "localhost" or nothing, in `host`. */
static int parse_host(struct swale__address *address, char *host, size_t size, uint16_t port)
{
    if (size == 0) {
        set_v6(address, port);
        address->everywhere = true;
        return 0;
    }
    if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        set_v6(address, port);
        return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1 ? 0 : SWALE_ERR_ADDRESS;
    }
    set_v4(address, port);
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    return inet_pton(AF_INET, numeric, &address->v4.sin_addr) == 1 ? 0 : SWALE_ERR_ADDRESS;
}

int swale__address_parse(struct swale__address *address, const char *text, bool listening)
{
    memset(address, 0, sizeof *address);
    if (!text)
        return SWALE_ERR_ADDRESS;
    if (strncmp(text, "unix:", 5) == 0)
        return parse_path(address, text + 5);
    const char *colon = strrchr(text, ':');
    uint16_t port;
    char host[INET6_ADDRSTRLEN + 2]; /* with brackets */
    if (!colon || !parse_port(colon + 1, &port) || (size_t)(colon - text) >= sizeof host)
        return SWALE_ERR_ADDRESS;
    size_t size = (size_t)(colon - text);
    memcpy(host, text, size);
    host[size] = '\0';
    if (!listening && (port == 0 || size == 0))
        return SWALE_ERR_ADDRESS;
    return parse_host(address, host, size, port);
}

static char *put_byte(char *at, unsigned byte)
{
    if (byte >= 100)
        *at++ = (char)('0' + byte / 100);
    if (byte >= 10)
        *at++ = (char)('0' + byte / 10 % 10);
    *at++ = (char)('0' + byte % 10);
    return at;
}

/* Each connection's address is put into words for the log, and inet_ntop would do it by sprintf. */
static void format_v4(const unsigned char bytes[4], char *text)
{
    for (int i = 0; i < 4; i++) {
        text = put_byte(text, bytes[i]);
        *text++ = i < 3 ? '.' : '\0';
    }
}

void swale__address_format_ip(const struct in6_addr *ip, char text[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(ip))
        format_v4(&ip->s6_addr[12], text);
    else
        inet_ntop(AF_INET6, ip, text, INET6_ADDRSTRLEN);
}

static struct in6_addr mapped(const struct in_addr *v4)
{
    struct in6_addr ip = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
    memcpy(&ip.s6_addr[12], v4, 4);
    return ip;
}

bool swale__address_parse_ip(struct swale_span text, struct in6_addr *ip)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (text.size == 0 || text.size >= sizeof copy || memchr(text.data, '\0', text.size))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET6, copy, ip) == 1)
        return true;
    if (inet_pton(AF_INET, copy, &v4) != 1)
        return false;
    *ip = mapped(&v4);
    return true;
}

bool swale__address_ip(const struct swale__address *address, struct in6_addr *ip, uint16_t *port)
{
    switch (address->any.sa_family) {
    case AF_INET:
        *ip = mapped(&address->v4.sin_addr);
        *port = ntohs(address->v4.sin_port);
        return true;
    case AF_INET6:
        *ip = address->v6.sin6_addr;
        *port = ntohs(address->v6.sin6_port);
        return true;
    default:
        return false;
    }
}

void swale__address_format(const struct swale__address *address, char text[SWALE__ADDRESS_TEXT_MAX])
{
    struct in6_addr ip;
    uint16_t port;
    if (!swale__address_ip(address, &ip, &port)) {
        snprintf(text, SWALE__ADDRESS_TEXT_MAX, "unix:%s", address->path.sun_path);
        return;
    }
    char host[INET6_ADDRSTRLEN];
    swale__address_format_ip(&ip, host);
    bool bare = IN6_IS_ADDR_V4MAPPED(&ip);
    snprintf(text, SWALE__ADDRESS_TEXT_MAX, bare ? "%s:%u" : "[%s]:%u", host, (unsigned)port);
}
