/* request.c - what a scanned request head means: target, host, body, connection (RFC 9112 sections 3, 6, 9). */
#include "proto/authority.h"
#include "proto/head.h"
#include "proto/token.h"

/* Splits an absolute-form target, whose scheme the scanner has checked, into authority, and path with query. A
 * target without a path would have to become "/" (RFC 9112 section 3.2.1); with a query behind it that cannot
 * be a span of the request, so this form, which no client sends, is refused. */
static int split_absolute(struct swale_request *request, struct swale_span *authority)
{
    struct swale_span text = request->target;
    size_t begin = 3;
    while (text.data[begin - 3] != ':')
        begin++;
    size_t end = begin;
    while (end < text.size && text.data[end] != '/' && text.data[end] != '?')
        end++;
    *authority = swale__slice(text, begin, end);
    request->target = end < text.size ? swale__slice(text, end, text.size) : swale_text("/");
    struct swale_span rest = request->target;
    if (rest.data[0] == '?' || (rest.size > 1 && rest.data[1] == '/'))
        return SWALE_ERR_HTTP_TARGET;
    return 0;
}

static void split_query(struct swale_request *request)
{
    struct swale_span target = request->target;
    const char *mark = memchr(target.data, '?', target.size);
    size_t end = mark ? (size_t)(mark - target.data) : target.size;
    request->path = swale__slice(target, 0, end);
    request->query = mark ? swale__slice(target, end + 1, target.size) : swale_text(NULL);
}

/* "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host
 * header field and to any request message that contains more than one Host header field line or a Host header
 * field with an invalid field value." (RFC 9112 section 3.2) The authority of an absolute-form target takes its
 * place (section 3.2.2), but does not excuse it. */
static int find_host(struct swale_request *request, struct swale_span authority)
{
    struct swale__authority parts;
    size_t at;
    int found = swale__field_single(request->fields, request->field_count, "host", &request->host);
    if (found != 1 || !swale__authority_parse(request->host, &parts, &at))
        return SWALE_ERR_HTTP_HOST;
    if (!authority.data)
        return 0;
    request->host = authority;
    return swale__authority_parse(authority, &parts, &at) ? 0 : SWALE_ERR_HTTP_TARGET;
}

static int interpret(struct swale_request *request)
{
    struct swale_span authority = swale_text(NULL);
    if (request->target.data[0] != '/') {
        int error = split_absolute(request, &authority);
        if (error)
            return error;
    }
    split_query(request);
    int error = find_host(request, authority);
    if (error)
        return error;
    request->keep_alive = !swale__list_has(request->fields, request->field_count, "connection", "close");
    return swale__body_framing(request->fields, request->field_count, &request->body);
}

ptrdiff_t swale_request_parse(struct swale_head_parser *parser, const struct swale_head_room *room, const char *data,
                              size_t size, struct swale_request *request)
{
    ptrdiff_t length = swale__head_scan(parser, room, SWALE__REQUEST, data, size);
    if (length <= 0)
        return length;
    struct swale_span line = swale_span(data, parser->line_end);
    *request = (struct swale_request){
        .method = swale__slice(line, parser->first, parser->split),
        .target = swale__slice(line, parser->split + 1, line.size - strlen(" HTTP/1.1")),
        .fields = room->fields,
        .field_count = parser->count,
    };
    int error = interpret(request);
    return error ? error : length;
}
