/* head.c - the head parsers under arbitrary bytes.
 *
 * Input: one byte that chooses the parser, one that says how to cut, then the bytes. They are parsed whole, one by
 * one and in pieces, each time in another block of exactly their size: all must come to the same. A head that is
 * accepted must keep what the parser promises, and must be accepted again, with the same meaning, when written out
 * anew. */
#include "fuzz.h"

#include <stdio.h>
#include <swale/proto.h>

enum { FIELDS = 20, HEAD = 2048 };

/* One parse, of either kind. `block` holds the bytes that the spans point into. */
struct parse {
    bool is_request;
    struct swale_head_parser parser;
    struct swale_field fields[FIELDS];
    struct swale_request request;
    struct swale_response response;
    char *block;
    ptrdiff_t result;
};

static void parse_more(struct parse *parse, const char *data, size_t size)
{
    const struct swale_head_room room = { parse->fields, FIELDS, HEAD };
    free(parse->block);
    parse->block = malloc(size + (size == 0));
    require(parse->block != NULL);
    if (size > 0)
        memcpy(parse->block, data, size);
    parse->result = parse->is_request
                        ? swale_request_parse(&parse->parser, &room, parse->block, size, &parse->request)
                        : swale_response_parse(&parse->parser, &room, parse->block, size, &parse->response);
    require(parse->result <= (ptrdiff_t)size);
}

static void parse_in_steps(struct parse *parse, const char *data, size_t size, size_t step)
{
    for (size_t given = step; parse->result == 0 && given < size; given += step)
        parse_more(parse, data, given);
    if (parse->result == 0)
        parse_more(parse, data, size);
}

static const struct swale_field *fields_of(const struct parse *parse, uint32_t *count)
{
    *count = parse->is_request ? parse->request.field_count : parse->response.field_count;
    return parse->is_request ? parse->request.fields : parse->response.fields;
}

static void require_same(const struct parse *a, const struct parse *b)
{
    require(a->result == b->result);
    if (a->result <= 0)
        return;
    uint32_t count, count_b;
    const struct swale_field *x = fields_of(a, &count), *y = fields_of(b, &count_b);
    require(count == count_b);
    for (uint32_t i = 0; i < count; i++)
        require(swale_span_equal(x[i].name, y[i].name) && swale_span_equal(x[i].value, y[i].value));
    if (a->is_request) {
        const struct swale_request *p = &a->request, *q = &b->request;
        require(swale_span_equal(p->method, q->method) && swale_span_equal(p->target, q->target));
        require(swale_span_equal(p->path, q->path) && swale_span_equal(p->query, q->query));
        require(swale_span_equal(p->host, q->host) && p->keep_alive == q->keep_alive);
        require(memcmp(&p->body, &q->body, sizeof p->body) == 0);
    } else {
        require(a->response.status == b->response.status && a->response.keep_alive == b->response.keep_alive);
        require(swale_span_equal(a->response.reason, b->response.reason));
    }
}

/* ---- What an accepted head promises ---- */

static void require_inside(const struct parse *parse, struct swale_span span)
{
    require(span.size == 0 || (span.data >= parse->block && span.data + span.size <= parse->block + parse->result));
}

static bool has_control(struct swale_span span)
{
    for (size_t i = 0; i < span.size; i++)
        if (((unsigned char)span.data[i] < 0x20 && span.data[i] != '\t') || span.data[i] == 0x7f)
            return true;
    return false;
}

static void require_promises(const struct parse *parse)
{
    uint32_t count;
    const struct swale_field *fields = fields_of(parse, &count);
    require(parse->result <= HEAD && count <= FIELDS);
    for (uint32_t i = 0; i < count; i++) {
        require_inside(parse, fields[i].name);
        require_inside(parse, fields[i].value);
        require(fields[i].name.size > 0 && !has_control(fields[i].name) && !has_control(fields[i].value));
        require(!memchr(fields[i].name.data, ' ', fields[i].name.size));
        require(!memchr(fields[i].name.data, ':', fields[i].name.size));
    }
    if (!parse->is_request) {
        require(parse->response.status >= 100 && parse->response.status <= 999);
        require(!has_control(parse->response.reason));
        return;
    }
    const struct swale_request *request = &parse->request;
    require(request->target.data[0] == '/' && !has_control(request->target) && request->host.size > 0);
    require(request->method.size > 0 && !has_control(request->method) &&
            !memchr(request->method.data, ' ', request->method.size));
    require(request->target.size == 1 || request->target.data[1] != '/'); /* others would read it as a host */
    require(request->path.size + request->query.size <= request->target.size);
    require(!(request->body.chunked && request->body.has_length));
}

/* ---- Written out anew ---- */

static void append(char *text, size_t *size, struct swale_span span)
{
    if (span.size > 0)
        memcpy(text + *size, span.data, span.size);
    *size += span.size;
}

static void require_stable(const struct parse *parse)
{
    char text[3 * HEAD];
    size_t size = 0;
    uint32_t count;
    const struct swale_field *fields = fields_of(parse, &count);
    if (parse->is_request) {
        append(text, &size, parse->request.method);
        append(text, &size, swale_text(" "));
        append(text, &size, parse->request.target);
        append(text, &size, swale_text(" HTTP/1.1"));
    } else {
        bool old = memcmp(parse->block, "HTTP/1.0", 8) == 0;
        size = (size_t)snprintf(text, sizeof text, "HTTP/1.%d %d ", old ? 0 : 1, parse->response.status);
        append(text, &size, parse->response.reason);
    }
    for (uint32_t i = 0; i < count; i++) {
        append(text, &size, swale_text("\r\n"));
        append(text, &size, fields[i].name);
        append(text, &size, swale_text(":"));
        append(text, &size, fields[i].value);
    }
    append(text, &size, swale_text("\r\n\r\n"));
    struct parse again = { .is_request = parse->is_request };
    parse_more(&again, text, size);
    bool grown = size > HEAD; /* "HTTP/1.1 200" gains a space */
    require(again.result == (ptrdiff_t)size || grown);
    if (!grown) {
        /* An absolute-form target has given its host to the request, and is gone. */
        if (parse->is_request)
            again.request.host = parse->request.host;
        again.result = parse->result;
        require_same(parse, &again);
    }
    free(again.block);
}

/* A request that may be upgraded gets an answer that our own client can read. */
static void require_answer(const struct swale_request *request)
{
    const struct swale_deflate_policy policy = { .enabled = true };
    struct swale_upgrade upgrade;
    if (swale_upgrade_check(request, &policy, &upgrade) != 0)
        return;
    char out[1024];
    struct parse answer = { 0 };
    ptrdiff_t size = swale_upgrade_answer(&upgrade, swale_text("chat"), NULL, 0, out, sizeof out);
    require(size > 0);
    parse_more(&answer, out, (size_t)size);
    require(answer.result == size && answer.response.status == 101);
    free(answer.block);
    struct swale_span value;
    swale_cookie_find(request, "a", &value);
    swale_origin_same_host(upgrade.origin, request->host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *bytes = (const char *)data + 2;
    size_t steps[] = { size, 1, (size_t)data[1] + 2 };
    struct parse parses[3] = { 0 };
    for (size_t i = 0; i < 3; i++) {
        parses[i].is_request = data[0] % 2 == 0;
        parse_in_steps(&parses[i], bytes, size - 2, steps[i]);
        require_same(&parses[0], &parses[i]);
    }
    if (parses[0].result > 0) {
        require_promises(&parses[2]);
        require_stable(&parses[0]);
        if (parses[0].is_request)
            require_answer(&parses[0].request);
    }
    for (size_t i = 0; i < 3; i++)
        free(parses[i].block);
    return 0;
}
