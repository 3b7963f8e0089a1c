/* url.c - URLs, percent-encoding and query strings.
 *
 * Input: a text. A URL that is taken must be made of its own pieces, and must give an upgrade request that our own
 * parser reads back; decoding must undo encoding. */
#include <stdio.h>
#include <stdlib.h>
#include <swale/proto.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

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
    if (!url.unix_socket)
        require_request(&url);
}

static void try_percent(struct swale_span text)
{
    char *encoded = malloc(3 * text.size + 1);
    char *decoded = malloc(text.size + 1);
    require(encoded && decoded);
    for (size_t i = 0; i < text.size; i++)
        sprintf(encoded + 3 * i, "%%%02x", (unsigned char)text.data[i]);
    ptrdiff_t size = swale_percent_decode(swale_span(encoded, 3 * text.size), false, decoded, text.size);
    if (text.size > 0 && memchr(text.data, 0, text.size))
        require(size == SWALE_ERR_HTTP_TARGET);
    else
        require(size == (ptrdiff_t)text.size && memcmp(decoded, text.data, text.size) == 0);
    /* As it is: never longer than it was. */
    size = swale_percent_decode(text, true, decoded, text.size);
    require(size == SWALE_ERR_HTTP_TARGET || (size >= 0 && size <= (ptrdiff_t)text.size));
    free(encoded);
    free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *block = malloc(size + (size == 0));
    require(block != NULL);
    if (size > 0)
        memcpy(block, data, size);
    struct swale_span text = swale_span(block, size);
    struct swale_span value;
    try_url(text);
    try_percent(text);
    if (swale_query_find(text, "a", &value))
        require_inside(text, value);
    swale_origin_same_host(text, text);
    free(block);
    return 0;
}
