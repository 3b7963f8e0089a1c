/* The table of codes, there and back. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <swale/base.h>

static void test_every_code_has_a_slot_of_its_own(void **state)
{
    (void)state;
    for (int slot = 1; slot < SWALE_ERROR_SLOTS; slot++) {
        int code = swale_error_at(slot);
        assert_true(code <= -1001);
        assert_int_equal(swale_error_slot(code), slot);
        assert_string_not_equal(swale_error_name(code), "unknown");
        assert_true(strlen(swale_strerror(code)) > 0);
        /* What ends a connection tells the peer so while it can: in a status, in a close code, or not at all. */
        int status = swale_error_http_status(code), close = swale_error_close_code(code);
        assert_true(status == 0 || (code < -2000 && status >= 400 && status <= 599));
        assert_true(close == 0 || (code < -2000 && close >= 1001 && close <= 1011));
    }
}

static void test_names_are_unique(void **state)
{
    (void)state;
    for (int a = 1; a < SWALE_ERROR_SLOTS; a++)
        for (int b = a + 1; b < SWALE_ERROR_SLOTS; b++)
            assert_string_not_equal(swale_error_name(swale_error_at(a)), swale_error_name(swale_error_at(b)));
}

static void test_a_known_one(void **state)
{
    (void)state;
    assert_string_equal(swale_error_name(SWALE_ERR_DRAINING), "draining");
    assert_string_equal(swale_strerror(SWALE_ERR_DRAINING), "the server is shutting down");
    assert_int_equal(swale_error_http_status(SWALE_ERR_DRAINING), 503);
    assert_int_equal(swale_error_close_code(SWALE_ERR_DRAINING), 1001);
}

static void test_what_is_not_in_the_table(void **state)
{
    (void)state;
    assert_string_equal(swale_strerror(0), "no error");
    assert_string_equal(swale_error_name(0), "ok");
    assert_string_equal(swale_strerror(-EADDRINUSE), "Address already in use");
    assert_string_equal(swale_error_name(-EADDRINUSE), "system");
    assert_string_equal(swale_strerror(-999), "system error");
    for (const int *code = (const int[]){ -1000, -1999, -3000, 1, INT32_MIN, INT32_MAX, 0 }; *code; code++) {
        assert_string_equal(swale_strerror(*code), "unknown error");
        assert_string_equal(swale_error_name(*code), "unknown");
        assert_int_equal(swale_error_slot(*code), 0);
        assert_int_equal(swale_error_http_status(*code), 0);
        assert_int_equal(swale_error_close_code(*code), 0);
    }
    assert_int_equal(swale_error_at(0), 0);
    assert_int_equal(swale_error_at(-1), 0);
    assert_int_equal(swale_error_at(SWALE_ERROR_SLOTS), 0);
}

static void test_the_version_is_three_numbers(void **state)
{
    (void)state;
    unsigned major, minor, patch;
    char behind;
    assert_int_equal(sscanf(swale_version(), "%u.%u.%u%c", &major, &minor, &patch, &behind), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_slot_of_its_own),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_a_known_one),
        cmocka_unit_test(test_what_is_not_in_the_table),
        cmocka_unit_test(test_the_version_is_three_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
