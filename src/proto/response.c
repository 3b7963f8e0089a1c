/* response.c - what a scanned response head means (RFC 9112 sections 4, 6, 9). */
#include "proto/head.h"
#include "proto/token.h"

/* Answers that never have a body, whatever their fields say (RFC 9112 section 6.3, rule 1). */
static bool bodiless(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static int interpret(struct swale_response *response, bool old_version)
{
    const struct swale_field *fields = response->fields;
    uint32_t count = response->field_count;
    /* 101 is HTTP/1.1's own (RFC 9110 section 7.8). */
    if (old_version && response->status == 101)
        return SWALE_ERR_HTTP_VERSION;
    response->keep_alive = !old_version && !swale__list_has(fields, count, "connection", "close");
    int error = swale__body_framing(fields, count, &response->body);
    /* "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request
     * indicates HTTP/1.1", and then it answers in HTTP/1.1 (RFC 9112 section 6.1). */
    if (!error && old_version && response->body.chunked)
        error = SWALE_ERR_HTTP_FRAMING;
    if (bodiless(response->status))
        response->body = (struct swale_body_framing){ .has_length = true };
    return error;
}

ptrdiff_t swale_response_parse(struct swale_head_parser *parser, const struct swale_head_room *room, const char *data,
                               size_t size, struct swale_response *response)
{
    ptrdiff_t length = swale__head_scan(parser, room, SWALE__RESPONSE, data, size);
    if (length <= 0)
        return length;
    const char *status = data + parser->split - 3;
    size_t reason = parser->split < parser->line_end ? parser->split + 1 : parser->split;
    *response = (struct swale_response){
        .status = (status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0'),
        .reason = swale_span(data + reason, parser->line_end - reason),
        .fields = room->fields,
        .field_count = parser->count,
    };
    int error = interpret(response, data[strlen("HTTP/1.")] == '0');
    return error ? error : length;
}
