/* Bodies out of their framing: whole, at every split, at the edge of a page. */
#include "test.h"

#include "guard.h"
#include "proto/body.h"

#include <stdio.h>
#include <stdlib.h>

/* Reads on: the payload goes behind what is in `out`; what stays unread is counted. Returns the last state. */
static int feed(struct swale__body *body, const char *data, size_t size, char *out, size_t *unread)
{
    int state;
    do {
        size_t used;
        struct swale_span payload;
        char *guarded = guard_copy(data, size);
        state = swale__body_read(body, swale_span(guarded, size), &used, &payload);
        assert_true(used <= size);
        assert_true(payload.data >= guarded && payload.data + payload.size <= guarded + used);
        assert_true(state != 0 || used > 0 || size == 0);
        strncat(out, payload.data, payload.size);
        guard_free(guarded, size);
        data += used;
        size -= used;
    } while (state == 0 && size > 0);
    *unread = size;
    return state;
}

enum { CHUNKED, LENGTH_5, LENGTH_0, UNTIL_END, NO_BODY };

static void init(struct swale__body *body, int kind)
{
    struct swale_body_framing framing = {
        .chunked = kind == CHUNKED,
        .has_length = kind == LENGTH_5 || kind == LENGTH_0,
        .length = kind == LENGTH_5 ? 5 : 0,
    };
    swale__body_init(body, framing, kind == UNTIL_END);
}

static const struct row {
    int kind;
    const char *text;
    int state;
    const char *payload;
    size_t unread; /* of the whole, when it is complete */
} rows[] = {
    { LENGTH_5, "hello", 1, "hello", 0 },
    { LENGTH_5, "hello, world", 1, "hello", 7 },
    { LENGTH_5, "hell", 0, "hell", 0 },
    { LENGTH_0, "", 1, "", 0 },
    { LENGTH_0, "more", 1, "", 4 },
    { NO_BODY, "more", 1, "", 4 },
    { UNTIL_END, "whatever comes", 0, "whatever comes", 0 },
    { CHUNKED, "5\r\nhello\r\n0\r\n\r\n", 1, "hello", 0 },
    { CHUNKED, "0\r\n\r\nHTTP/1.1", 1, "", 8 },
    { CHUNKED, "000000000000000a\r\n0123456789\r\n0000\r\n\r\n", 1, "0123456789", 0 },
    { CHUNKED, "A\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n", 1, "0123456789!", 0 },
    { CHUNKED, "1;a=b\r\nx\r\n2 ; c=\"d\"\r\nyz\r\n0;e\r\n\r\n", 1, "xyz", 0 },
    { CHUNKED, "1\t;a\r\nx\r\n0\t\r\n\r\n", 1, "x", 0 },
    { CHUNKED, "0\r\nA: b\r\nC:\r\n\r\n", 1, "", 0 },
    { CHUNKED, "2\r\n\r\n\r\n0\r\n\r\n", 1, "\r\n", 0 },
    { CHUNKED, "5\r\nhell", 0, "hell", 0 },
    { CHUNKED, "7fffffffffffffff\r\nx", 0, "x", 0 },
    { CHUNKED, "ffffffffffffffff\r\nx", 0, "x", 0 },
    /* What breaks the rules */
    { CHUNKED, "\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, " 5\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, ";x\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "0x5\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "-5\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "+5\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "g\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "00000000000000005\r\nhello", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "10000000000000000\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "5\nhello\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "5\r\r", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "5;a\nhello", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "5;\x01\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "5\r\nhello0\r\n\r\n", SWALE_ERR_ANSWER_BODY, "hello", 0 },
    { CHUNKED, "5\r\nhello\n", SWALE_ERR_ANSWER_BODY, "hello", 0 },
    { CHUNKED, "5\r\nhello\r0", SWALE_ERR_ANSWER_BODY, "hello", 0 },
    { CHUNKED, "0\r\n\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "0\r\n\r\r", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "0\r\n folded\r\n\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "0\r\nA: \x02\r\n\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
    { CHUNKED, "0\r\nA: b\n\r\n", SWALE_ERR_ANSWER_BODY, "", 0 },
};

static void bodies_are_read_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t size = strlen(rows[i].text);
        for (size_t cut = 0; cut <= size; cut++) {
            struct swale__body body;
            char payload[64] = "";
            size_t unread;
            init(&body, rows[i].kind);
            int result = feed(&body, rows[i].text, cut, payload, &unread);
            if (result == 0)
                result = feed(&body, rows[i].text + cut, size - cut, payload, &unread);
            else
                unread += size - cut;
            assert_int_equal(result, rows[i].state);
            assert_string_equal(payload, rows[i].payload);
            if (result == 1)
                assert_int_equal(unread, rows[i].unread);
        }
    }
}

static void bodies_are_read_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct swale__body body;
        char payload[64] = "";
        size_t unread;
        init(&body, rows[i].kind);
        int result = feed(&body, "", 0, payload, &unread);
        for (const char *at = rows[i].text; *at && result == 0; at++)
            result = feed(&body, at, 1, payload, &unread);
        assert_int_equal(result, rows[i].state);
        assert_string_equal(payload, rows[i].payload);
    }
}

/* Extensions and trailers come to an end, also when each is short. */
static void what_is_ignored_is_bounded(void **state)
{
    static const struct {
        const char *begin, *step;
        size_t counted; /* bytes of each step that count */
    } floods[] = {
        { "1;", "x", 1 },
        { "", "1;xyz\r\na\r\n", 3 },
        { "0\r\nA: ", "b", 1 },
        { "0\r\n", "A: b\r\n", 4 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(floods); i++) {
        struct swale__body body;
        size_t used;
        size_t steps = 0;
        struct swale_span payload;
        init(&body, CHUNKED);
        assert_int_equal(swale__body_read(&body, swale_text(floods[i].begin), &used, &payload), 0);
        int result = 0;
        for (; result == 0; steps++) {
            struct swale_span rest = swale_text(floods[i].step);
            do {
                result = swale__body_read(&body, rest, &used, &payload);
                rest = swale_span(rest.data + used, rest.size - used);
            } while (result == 0 && rest.size > 0);
        }
        assert_int_equal(result, SWALE_ERR_ANSWER_BODY);
        assert_true(steps >= SWALE__BODY_EXTRA_MAX / floods[i].counted - 2);
        assert_true(steps <= SWALE__BODY_EXTRA_MAX / floods[i].counted + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_read_at_every_split),
        cmocka_unit_test(bodies_are_read_byte_by_byte),
        cmocka_unit_test(what_is_ignored_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
