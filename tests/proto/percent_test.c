#include "test.h"

#include "guard.h"
#include "heads.h"

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool plus;
        const char *out; /* NULL: SWALE_ERR_HTTP_TARGET */
    } cases[] = {
        { "", false, "" },
        { "plain/path", false, "plain/path" },
        { "a%20b%2fc%2FD", false, "a b/c/D" },
        { "a+b", false, "a+b" },
        { "a+b%2B", true, "a b+" },
        { "%25%32%30", false, "%20" }, /* once, not twice */
        { "%c3%A9%ff", false, "\xc3\xa9\xff" },
        { "%0d%0a", false, "\r\n" },
        { "%", false, NULL },
        { "a%2", false, NULL },
        { "%2x", false, NULL },
        { "%x2", false, NULL },
        { "%%20", false, NULL },
        { "a%00b", false, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].in);
        char *in = guard_copy(cases[i].in, size);
        size_t wanted = cases[i].out ? strlen(cases[i].out) : size;
        for (size_t capacity = 0; capacity <= wanted; capacity++) {
            char *out = guard_copy("################", capacity);
            ptrdiff_t result = swale_percent_decode(swale_span(in, size), cases[i].plus, out, capacity);
            if (capacity == wanted)
                assert_int_equal(result, cases[i].out ? (int)wanted : SWALE_ERR_HTTP_TARGET);
            else
                assert_true(result == SWALE_ERR_TOO_SMALL || (!cases[i].out && result == SWALE_ERR_HTTP_TARGET));
            if (result >= 0)
                assert_memory_equal(out, cases[i].out, wanted);
            guard_free(out, capacity);
        }
        guard_free(in, size);
    }
}

static void test_query(void **state)
{
    (void)state;
    static const char query[] = "a=1&b=&c&=x&%63allback=cb%2e1&a=2&d=4=5&&sp+ace=%20&bad%=1&z";
    static const struct {
        const char *name;
        const char *value;
    } cases[] = {
        { "a", "1" },        { "b", "" },   { "c", "" },  { "callback", "cb%2e1" }, { "d", "4=5" },   { "z", "" },
        { "sp ace", "%20" }, { "A", NULL }, { "", NULL }, { "aa", NULL },           { "bad%", NULL }, { "x", NULL },
    };
    char *copy = guard_copy(query, sizeof query - 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_span value = swale_text("untouched");
        bool found = swale_query_find(swale_span(copy, sizeof query - 1), cases[i].name, &value);
        assert_int_equal(found, cases[i].value != NULL);
        assert_span_equal(value, cases[i].value ? cases[i].value : "untouched");
    }
    guard_free(copy, sizeof query - 1);
    struct swale_span value;
    assert_false(swale_query_find(swale_text(NULL), "a", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
