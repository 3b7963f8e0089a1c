/* url.c - URLs and origins.
 *
 * Input: a text. A URL that is taken must be made of its own pieces, must say the same when it is printed and read
 * again, and must give an upgrade request that our own parser reads back. With a space in it the text is an origin
 * and a Host: they name the same host when a URL with that host goes where the origin's goes. */
#include "fuzz.h"

#include <strings.h>
#include <swale/proto.h>

static void require_inside(struct swale_span text, struct swale_span span)
{
    require(span.size == 0 || (span.data >= text.data && span.data + span.size <= text.data + text.size));
}

/* Dials it, as far as that goes without a network. */
static void require_request(const struct swale_url *url)
{
    size_t room = url->host.size + url->target.size + 512;
    char *host = malloc(url->host.size + 16);
    char *head = malloc(room);
    require(host && head);
    size_t host_size = (size_t)sprintf(host, url->ipv6 ? "[%.*s]:%u" : "%.*s:%u", (int)url->host.size, url->host.data,
                                       (unsigned)url->port);
    const struct swale_upgrade_request wanted = { .host = swale_span(host, host_size), .target = url->target };
    ptrdiff_t size = swale_upgrade_write(&wanted, "dGhlIHNhbXBsZSBub25jZQ==", head, room);
    require(size > 0);

    struct swale_field fields[8];
    struct swale_head_parser parser = { 0 };
    const struct swale_head_room head_room = { fields, 8, (uint32_t)room };
    struct swale_request request;
    ptrdiff_t result = swale_request_parse(&parser, &head_room, head, (size_t)size, &request);
    /* A server takes no path that begins like a host; a client sends what it is told. */
    bool like_host = url->target.size > 1 && url->target.data[0] == '/' && url->target.data[1] == '/';
    require(result == (like_host ? SWALE_ERR_HTTP_TARGET : size));
    if (result > 0) {
        size_t added = url->target.data[0] == '?';
        require(swale_span_equal(request.host, wanted.host));
        require(request.target.size == url->target.size + added);
        require(memcmp(request.target.data + added, url->target.data, url->target.size) == 0);
    }
    free(host);
    free(head);
}

/* Printed with everything said, and read again. */
static void require_printed(const struct swale_url *url)
{
    size_t room = url->userinfo.size + url->host.size + url->target.size + 64;
    char *text = malloc(room), port[8] = "";
    struct swale_url again;
    require(text != NULL);
    if (!url->unix_socket)
        sprintf(port, ":%u", (unsigned)url->port);
    int size = snprintf(text, room, "%s%.*s%s%s%.*s%s%s%.*s",
                        url->unix_socket ? "ws+unix:"
                        : url->secure    ? "wss://"
                                         : "ws://",
                        (int)url->userinfo.size, url->userinfo.data, url->userinfo.size ? "@" : "",
                        url->ipv6 ? "[" : "", (int)url->host.size, url->host.data, url->ipv6 ? "]" : "",
                        url->unix_socket ? ":" : port, (int)url->target.size, url->target.data);
    require(swale_url_parse(swale_span(text, (size_t)size), &again, NULL) == 0);
    require(again.secure == url->secure && again.unix_socket == url->unix_socket && again.ipv6 == url->ipv6);
    require(again.port == url->port && swale_span_equal(again.host, url->host));
    require(swale_span_equal(again.userinfo, url->userinfo) && swale_span_equal(again.target, url->target));
    free(text);
}

static void try_url(struct swale_span text)
{
    struct swale_url url;
    size_t at = SIZE_MAX;
    if (swale_url_parse(text, &url, &at) != 0) {
        require(at <= text.size);
        return;
    }
    require(url.host.size > 0 && url.target.size > 0);
    require_inside(text, url.host);
    require_inside(text, url.userinfo);
    require(swale_span_equal(url.target, swale_text("/")) ||
            url.target.data + url.target.size == text.data + text.size);
    require(url.unix_socket == (url.port == 0));
    require_printed(&url);
    if (!url.unix_socket)
        require_request(&url);
}

static bool has_any(struct swale_span text, const char *any)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] && strchr(any, text.data[i]))
            return true;
    return false;
}

static bool goes_to_same(struct swale_span origin, struct swale_span host)
{
    struct swale_url a, b;
    size_t scheme = origin.size >= 5 && (origin.data[4] == 's' || origin.data[4] == 'S') ? 8 : 7;
    char *text = malloc(scheme + host.size + 1);
    require(text != NULL);
    if (origin.size < scheme || has_any(swale_span(origin.data + scheme, origin.size - scheme), "/?@") ||
        has_any(host, "/?@") || (origin.data[0] | 32) != 'h') {
        free(text);
        return false;
    }
    memcpy(text, origin.data, scheme);
    if (host.size > 0)
        memcpy(text + scheme, host.data, host.size);
    bool same = swale_url_parse(origin, &a, NULL) == 0 &&
                swale_url_parse(swale_span(text, scheme + host.size), &b, NULL) == 0 && a.port == b.port &&
                a.ipv6 == b.ipv6 && a.host.size == b.host.size &&
                strncasecmp(a.host.data, b.host.data, a.host.size) == 0;
    free(text);
    return same;
}

static void try_origin(struct swale_span text)
{
    const char *space = text.size > 0 ? memchr(text.data, ' ', text.size) : NULL;
    size_t size = space ? (size_t)(space - text.data) : text.size;
    struct swale_span origin = swale_span(text.data, size);
    struct swale_span host = swale_span(text.data + size + (space != NULL), text.size - size - (space != NULL));
    bool same = swale_origin_same_host(origin, host), expected = goes_to_same(origin, host);
    /* Port 0 is a port here, although no URL may have it. */
    require(same == expected || (same && has_any(host, "0")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *block = malloc(size + (size == 0));
    require(block != NULL);
    if (size > 0)
        memcpy(block, data, size);
    struct swale_span text = swale_span(block, size);
    try_url(text);
    try_origin(text);
    free(block);
    return 0;
}
