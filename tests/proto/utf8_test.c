/* The checker itself is tested in base; here is its public face. */
#include "test.h"

#include <swale/proto.h>

static void whole_texts(void **state)
{
    (void)state;
    assert_true(swale_utf8_valid("", 0));
    assert_true(swale_utf8_valid(NULL, 0));
    assert_true(swale_utf8_valid("\xce\xba", 2));
    assert_false(swale_utf8_valid("\xce", 1));
    assert_false(swale_utf8_valid("a\xff", 2));
}

static void text_in_runs(void **state)
{
    (void)state;
    struct swale_utf8 utf8 = { 0 };
    assert_true(swale_utf8_complete(&utf8));
    assert_true(swale_utf8_feed(&utf8, "a\xf0\x9f", 3));
    assert_false(swale_utf8_complete(&utf8));
    assert_true(swale_utf8_feed(&utf8, "\x98\x80", 2));
    assert_true(swale_utf8_complete(&utf8));
}

static void stays_invalid(void **state)
{
    (void)state;
    struct swale_utf8 utf8 = { 0 };
    assert_false(swale_utf8_feed(&utf8, "\xed\xa0", 2));
    assert_false(swale_utf8_feed(&utf8, "a", 1));
    assert_false(swale_utf8_feed(&utf8, "", 0));
    assert_false(swale_utf8_complete(&utf8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_texts),
        cmocka_unit_test(text_in_runs),
        cmocka_unit_test(stays_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
