#include "test.h"

#include "app/connect/escape.h"
#include "guard.h"

#include <string.h>

static const char *text(struct buffer *buffer)
{
    buffer_put(buffer, swale_span("", 1));
    assert_false(buffer->failed);
    return buffer->data;
}

static const struct {
    struct swale_span from;
    const char *line, *message;
} cases[] = {
    { { "plain \xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e", 15 },
      "plain \xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e",
      "plain \xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e" },
    { { "", 0 }, "", "" },
    { { "\033[2J\033]0;x\a", 10 }, "\\x1b[2J\\x1b]0;x\\x07", "\\x1b[2J\\x1b]0;x\\x07" },
    { { "a\nb\tc\rd", 7 }, "a\\nb\\tc\\rd", "a\n| b\tc\\rd" },
    { { "\0\x7f", 2 }, "\\x00\\x7f", "\\x00\\x7f" },
    { { "\xc2\x9b"
        "31m",
        5 },
      "\\u009b31m",
      "\\u009b31m" },
    { { "\xff\xc3", 2 }, "\\xff\\xc3", "\\xff\\xc3" },
    { { "\xed\xa0\x80", 3 }, "\\xed\\xa0\\x80", "\\xed\\xa0\\x80" },
    { { "x\xe2\x80\xae"
        "y\xe2\x80\xa8\xe2\x81\xa6\xd8\x9c",
        13 },
      "x\\u202ey\\u2028\\u2066\\u061c",
      "x\\u202ey\\u2028\\u2066\\u061c" },
    { { "\\x1b \"", 6 }, "\\x1b \"", "\\x1b \"" },
};

static void escapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer line = { 0 }, message = { 0 };
        char *bytes = guard_copy(cases[i].from.data, cases[i].from.size);
        escape_line(swale_span(bytes, cases[i].from.size), &line);
        escape_message(swale_span(bytes, cases[i].from.size), "| ", &message);
        assert_string_equal(text(&line), cases[i].line);
        assert_string_equal(text(&message), cases[i].message);
        guard_free(bytes, cases[i].from.size);
        buffer_done(&line);
        buffer_done(&message);
    }
}

/* Whatever the bytes are: what comes out is UTF-8 without a control character. */
static void lets_nothing_through(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        char bytes[] = { (char)(pair >> 8), (char)pair };
        struct buffer line = { 0 };
        escape_line(swale_span(bytes, sizeof bytes), &line);
        for (size_t i = 0; i < line.size; i++)
            assert_true((unsigned char)line.data[i] >= 0x20 && line.data[i] != 0x7f);
        for (size_t i = 0; i + 1 < line.size; i++)
            assert_false((unsigned char)line.data[i] == 0xc2 && (unsigned char)line.data[i + 1] < 0xa0);
        buffer_done(&line);
    }
}

static void dumps(void **state)
{
    (void)state;
    struct buffer out = { 0 };
    escape_hexdump(swale_span("0123456789abcdef\0\033\xff", 19), "  ", &out);
    assert_string_equal(text(&out), "0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n"
                                    "  0010  00 1b ff                                          ...");
    buffer_done(&out);
    escape_hexdump(swale_span(NULL, 0), "  ", &out);
    assert_string_equal(text(&out), "");
    buffer_done(&out);
}

static void dumps_no_more_than_a_screen(void **state)
{
    (void)state;
    static const char bytes[HEXDUMP_MAX + 5];
    struct buffer out = { 0 };
    escape_hexdump(swale_span(bytes, sizeof bytes), "", &out);
    assert_non_null(strstr(text(&out), "\n03f0  "));
    assert_null(strstr(out.data, "\n0400  "));
    assert_non_null(strstr(out.data, "\n... and 5 bytes more"));
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(lets_nothing_through),
        cmocka_unit_test(dumps),
        cmocka_unit_test(dumps_no_more_than_a_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
