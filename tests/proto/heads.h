/* heads.h - feeding heads to the parsers in every way, and reading what they found. */
#ifndef SWALE_TEST_HEADS_H
#define SWALE_TEST_HEADS_H

#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <swale/proto.h>

enum { HEADS_FIELDS = 128 };

/* What a parser made of a head, as text, so that two runs can be compared. */
struct heads_outcome {
    ptrdiff_t result;
    char text[8192];
};

/* Both kinds of parser behind one shape. `last` tells that the spans may be read. */
typedef ptrdiff_t heads_parse(struct swale_head_parser *parser, const struct swale_head_room *room, const char *data,
                              size_t size, struct heads_outcome *outcome);

static inline void heads_show(struct heads_outcome *outcome, const char *label, struct swale_span span)
{
    size_t used = strlen(outcome->text);
    snprintf(outcome->text + used, sizeof outcome->text - used, "%s=%.*s|", label, (int)span.size,
             span.size ? span.data : "");
}

static inline void heads_show_rest(struct heads_outcome *outcome, const struct swale_field *fields, uint32_t count,
                                   const struct swale_body_framing *body, bool keep_alive)
{
    for (uint32_t i = 0; i < count; i++) {
        heads_show(outcome, "name", fields[i].name);
        heads_show(outcome, "value", fields[i].value);
    }
    size_t used = strlen(outcome->text);
    snprintf(outcome->text + used, sizeof outcome->text - used, "%s%s%llu%s", body->chunked ? "chunked " : "",
             body->has_length ? "length " : "", (unsigned long long)body->length, keep_alive ? " keep" : " close");
}

static inline ptrdiff_t heads_request(struct swale_head_parser *parser, const struct swale_head_room *room,
                                      const char *data, size_t size, struct heads_outcome *outcome)
{
    struct swale_request request;
    ptrdiff_t result = swale_request_parse(parser, room, data, size, &request);
    if (result > 0) {
        heads_show(outcome, "method", request.method);
        heads_show(outcome, "target", request.target);
        heads_show(outcome, "path", request.path);
        heads_show(outcome, "query", request.query);
        heads_show(outcome, "host", request.host);
        heads_show_rest(outcome, request.fields, request.field_count, &request.body, request.keep_alive);
    }
    return result;
}

static inline ptrdiff_t heads_response(struct swale_head_parser *parser, const struct swale_head_room *room,
                                       const char *data, size_t size, struct heads_outcome *outcome)
{
    struct swale_response response;
    ptrdiff_t result = swale_response_parse(parser, room, data, size, &response);
    if (result > 0) {
        snprintf(outcome->text, sizeof outcome->text, "status=%d|", response.status);
        heads_show(outcome, "reason", response.reason);
        heads_show_rest(outcome, response.fields, response.field_count, &response.body, response.keep_alive);
    }
    return result;
}

/* Feeds data[0..size): first `first` bytes, then `step` more each time. The bytes lie elsewhere at each call, and
 * end at a guard page. */
static inline void heads_feed(heads_parse *parse, const char *data, size_t size, size_t first, size_t step,
                              struct heads_outcome *outcome)
{
    struct swale_field fields[HEADS_FIELDS];
    struct swale_head_room room = { fields, HEADS_FIELDS, 4096 };
    struct swale_head_parser parser = { 0 };
    *outcome = (struct heads_outcome){ 0 };
    for (size_t given = first; outcome->result == 0 && given <= size; given += step) {
        char *copy = guard_copy(data, given);
        outcome->result = parse(&parser, &room, copy, given, outcome);
        guard_free(copy, given);
        if (given < size && given + step > size)
            given = size - step;
    }
}

/* The outcome of a head, after checking that it is the same at every split and byte by byte. */
static inline struct heads_outcome heads_everyway(heads_parse *parse, const char *data, size_t size)
{
    struct heads_outcome whole;
    struct heads_outcome other;
    heads_feed(parse, data, size, size, 1, &whole);
    heads_feed(parse, data, size, 0, 1, &other);
    assert_int_equal(other.result, whole.result);
    assert_string_equal(other.text, whole.text);
    for (size_t split = 0; split < size; split++) {
        heads_feed(parse, data, size, split, size - split, &other);
        assert_int_equal(other.result, whole.result);
        assert_string_equal(other.text, whole.text);
    }
    return whole;
}

/* A request that must be good, in memory that lasts for the test: heads_done frees it. */
struct heads_held {
    struct swale_field fields[HEADS_FIELDS];
    struct swale_request request;
    struct swale_response response;
    char *copy;
    size_t size;
};

static inline struct heads_held *heads_hold(const char *text, bool is_request)
{
    struct heads_held *held = calloc(1, sizeof *held);
    struct swale_head_parser parser = { 0 };
    struct swale_head_room room = { held->fields, HEADS_FIELDS, 64 * 1024 };
    held->size = strlen(text);
    held->copy = guard_copy(text, held->size);
    ptrdiff_t result = is_request ? swale_request_parse(&parser, &room, held->copy, held->size, &held->request)
                                  : swale_response_parse(&parser, &room, held->copy, held->size, &held->response);
    assert_int_equal(result, held->size);
    return held;
}

static inline void heads_done(struct heads_held *held)
{
    guard_free(held->copy, held->size);
    free(held);
}

#define assert_span_equal(span, text) heads_assert_span((span), (text), __FILE__, __LINE__)

static inline void heads_assert_span(struct swale_span span, const char *text, const char *file, int line)
{
    _assert_int_equal(span.size, strlen(text), file, line);
    _assert_memory_equal(span.size ? span.data : "", text, span.size, file, line);
}

#endif
