#include "test.h"

#include "proto/token.h"

/* Each class against its grammar, written out. */
static void test_classes(void **state)
{
    (void)state;
    static const char alnum[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int c = 0; c < 256; c++) {
        bool letter = c != 0 && c < 128 && strchr(alnum, c);
        bool visible = c > 0x20 && c < 0x7f;
        bool tchar = letter || (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
        bool unreserved = letter || (c != 0 && strchr("-._~", c));
        bool sub_delims = c != 0 && strchr("!$&'()*+,;=", c);
        assert_int_equal(swale__is((char)c, SWALE__TOKEN), tchar);
        assert_int_equal(swale__is((char)c, SWALE__VALUE), visible || c == ' ' || c == '\t' || c >= 128);
        assert_int_equal(swale__is((char)c, SWALE__TARGET), visible && c != '#');
        assert_int_equal(swale__is((char)c, SWALE__REGNAME), unreserved || sub_delims);
        assert_int_equal(swale__is((char)c, SWALE__DIGIT), c >= '0' && c <= '9');
        assert_int_equal(swale__is((char)c, SWALE__HEX), c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL);
    }
}

static void test_hex(void **state)
{
    (void)state;
    static const char lower[] = "0123456789abcdef";
    static const char upper[] = "0123456789ABCDEF";
    for (int i = 0; i < 16; i++) {
        assert_int_equal(swale__hex(lower[i]), i);
        assert_int_equal(swale__hex(upper[i]), i);
    }
    static const char others[] = "/:@G`g";
    for (size_t i = 0; i < sizeof others; i++)
        assert_int_equal(swale__hex(others[i]), -1);
}

static void test_runs(void **state)
{
    (void)state;
    assert_int_equal(swale__run("abc def", 7, SWALE__TOKEN), 3);
    assert_int_equal(swale__run("abc", 2, SWALE__TOKEN), 2);
    assert_int_equal(swale__run(NULL, 0, SWALE__TOKEN), 0);
    assert_true(swale__all(swale_text("abc"), SWALE__TOKEN));
    assert_false(swale__all(swale_text("a c"), SWALE__TOKEN));
    assert_false(swale__all(swale_text(""), SWALE__TOKEN));
    assert_false(swale__all(swale_text(NULL), SWALE__TOKEN));
}

static void test_trim(void **state)
{
    (void)state;
    static const char *const texts[] = { "a b", " a b", "a b\t", " \t a b \t " };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_true(swale_span_equal(swale__trim(swale_text(texts[i])), swale_text("a b")));
    assert_int_equal(swale__trim(swale_text(" \t ")).size, 0);
    assert_int_equal(swale__trim(swale_text(NULL)).size, 0);
}

/* Of values 16 bytes are looked at together. */
static void value_runs_end_at_any_place(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 50; size++)
        for (size_t at = 0; at < size; at++)
            for (int byte = 0; byte < 256; byte++) {
                char text[50];
                memset(text, 'v', sizeof text);
                text[at] = (char)byte;
                size_t expected = swale__is((char)byte, SWALE__VALUE) ? size : at;
                assert_int_equal(swale__run(text, size, SWALE__VALUE), expected);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(value_runs_end_at_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
