#include "test.h"

#include "app/connect/json.h"
#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *pretty(const char *text)
{
    struct buffer out = { 0 };
    size_t size = strlen(text);
    char *bytes = guard_copy(text, size);
    bool good = json_pretty(swale_span(bytes, size), &out);
    guard_free(bytes, size);
    if (!good) {
        assert_int_equal(out.size, 0);
        buffer_done(&out);
        return NULL;
    }
    buffer_put(&out, swale_span("", 1));
    assert_false(out.failed);
    return out.data;
}

static void lays_out(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        { "{\"a\":1,\"b\":[1,2,{}],\"c\":{\"d\":null}}",
          "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2,\n    {}\n  ],\n  \"c\": {\n    \"d\": null\n  }\n}" },
        { " [ ] ", "[]" },
        { "[\n]", "[]" },
        { "\"a, {b} [c]: \\\" \\\\\"", "\"a, {b} [c]: \\\" \\\\\"" },
        { "true", "true" },
        { "[1.10,1E5,-0,0.1e-7,12345678901234567]", "[\n  1.10,\n  1E5,\n  -0,\n  0.1e-7,\n  12345678901234567\n]" },
        { "{\"a\":1,\"a\":2}", "{\n  \"a\": 1,\n  \"a\": 2\n}" },
        { "\"\\u0000\\u00e4\"", "\"\\u0000\\u00e4\"" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *to = pretty(cases[i].from);
        assert_string_equal(to, cases[i].to);
        free(to);
    }
}

static void leaves_alone_what_is_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",      "hello",    "{",       "{\"a\":}",
        "[1,]",  "\"open",   "nul",     "1 2",
        "[1] x", "\"\xff\"", "{'a':1}", "123456789012345678901234567890", /* more than jansson's integers hold */
        "1e999",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_null(pretty(cases[i]));
}

/* A peer cannot make a small message fill the screen. */
static void indents_within_reason(void **state)
{
    (void)state;
    enum { DEPTH = 1500 };
    static char text[2 * DEPTH + 4000];
    size_t size = 0;
    for (int i = 0; i < DEPTH; i++)
        text[size++] = '[';
    for (int i = 0; i < 2000; i++)
        size += (size_t)sprintf(text + size, i ? ",1" : "1");
    for (int i = 0; i < DEPTH; i++)
        text[size++] = ']';
    struct buffer out = { 0 };
    if (json_pretty(swale_span(text, size), &out))
        assert_true(out.size < 100 * size);
    else
        fail_msg("not laid out");
    buffer_done(&out);
}

static void bears_every_cut(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": [1, \"\\\"x\\\\\", {\"b\": [true, []]}], \"c\": -1.5e+3}";
    char cut[sizeof text];
    for (size_t size = 0; size < sizeof text - 1; size++) {
        snprintf(cut, size + 1, "%s", text);
        assert_null(pretty(cut));
    }
    free(pretty(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_out),
        cmocka_unit_test(leaves_alone_what_is_none),
        cmocka_unit_test(indents_within_reason),
        cmocka_unit_test(bears_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
