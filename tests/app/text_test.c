#include "test.h"

#include "app/text.h"
#include "guard.h"

#include <stdlib.h>
#include <string.h>

struct example {
    const char *bytes;
    size_t size;
    const char *quoted, *json;
};

#define BYTES(literal) literal, sizeof literal - 1

static const struct example examples[] = {
    { BYTES(""), "\"\"", "\"\"" },
    { BYTES("/echo"), "\"/echo\"", "\"/echo\"" },
    { BYTES("a\"b\\c"), "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"" },
    { BYTES("a\r\n[fake line]\t"), "\"a\\r\\n[fake line]\\t\"", "\"a\\r\\n[fake line]\\t\"" },
    { BYTES("\x1b[31m\0\x7f"), "\"\\x1b[31m\\x00\\x7f\"", "\"\\u001b[31m\\u0000\\u007f\"" },
    { BYTES("\xc3\xa4\xe2\x82\xac"), "\"\\xc3\\xa4\\xe2\\x82\\xac\"", "\"\\u00e4\\u20ac\"" },
    { BYTES("\xf0\x9f\x98\x80"), "\"\\xf0\\x9f\\x98\\x80\"", "\"\\ud83d\\ude00\"" },
    { BYTES("\xff"), "\"\\xff\"", "\"\\ufffd\"" },
    { BYTES("\xc0\xaf"), "\"\\xc0\\xaf\"", "\"\\ufffd\\ufffd\"" },                 /* too long */
    { BYTES("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\"\\ufffd\\ufffd\\ufffd\"" }, /* a surrogate */
    { BYTES("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
    { BYTES("\xe2\x82"), "\"\\xe2\\x82\"", "\"\\ufffd\\ufffd\"" }, /* ends inside */
    { BYTES("\xe2\x82!"), "\"\\xe2\\x82!\"", "\"\\ufffd\\ufffd!\"" },
};

static void escapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        char buffer[256];
        struct text text;
        char *copy = guard_copy(examples[i].bytes, examples[i].size);
        text_init(&text, buffer, sizeof buffer);
        text_put_quoted(&text, swale_span(copy, examples[i].size));
        assert_string_equal(text.data, examples[i].quoted);
        text_init(&text, buffer, sizeof buffer);
        text_put_json(&text, swale_span(copy, examples[i].size));
        assert_string_equal(text.data, examples[i].json);
        assert_false(text.full);
        guard_free(copy, examples[i].size);
    }
}

static void cuts_long_fields(void **state)
{
    (void)state;
    char bytes[TEXT_FIELD_MAX + 1], buffer[4096];
    struct text text;
    memset(bytes, 'x', sizeof bytes);
    text_init(&text, buffer, sizeof buffer);
    text_put_quoted(&text, swale_span(bytes, TEXT_FIELD_MAX));
    assert_int_equal(text.size, TEXT_FIELD_MAX + 2);
    text_init(&text, buffer, sizeof buffer);
    text_put_quoted(&text, swale_span(bytes, TEXT_FIELD_MAX + 1));
    assert_int_equal(text.size, TEXT_FIELD_MAX + 2 + 3);
    assert_string_equal(text.data + TEXT_FIELD_MAX, "x\"...");
    text_init(&text, buffer, sizeof buffer);
    text_put_json(&text, swale_span(bytes, TEXT_FIELD_MAX + 1));
    assert_string_equal(text.data + TEXT_FIELD_MAX, "x...\"");
}

/* Every size of buffer: nothing is written behind it, it stays terminated, and `full` tells. */
static void stays_within_its_buffer(void **state)
{
    (void)state;
    static const char whole[] = "ab12\"c\\n\"";
    for (size_t capacity = 1; capacity <= sizeof whole; capacity++) {
        char *buffer = guard_copy(whole, capacity);
        struct text text;
        text_init(&text, buffer, capacity);
        text_put(&text, "ab");
        text_putf(&text, "%d", 12);
        text_put_quoted(&text, swale_text("c\n"));
        assert_int_equal(text.full, capacity < sizeof whole);
        assert_true(text.size < capacity);
        assert_int_equal(strlen(text.data), text.size);
        if (capacity == sizeof whole)
            assert_string_equal(text.data, whole);
        guard_free(buffer, capacity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(cuts_long_fields),
        cmocka_unit_test(stays_within_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
