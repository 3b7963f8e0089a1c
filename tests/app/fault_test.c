#include "test.h"

#include "app/fault.h"

#include <errno.h>
#include <swale/base.h>

/* In the middle of a line: the system's words begin small there, but not its names. */
static void the_systems_words_go_on_with_a_line(void **state)
{
    (void)state;
    assert_string_equal(fault_text(-ENOENT), "no such file or directory");
    assert_string_equal(fault_text(-EDOTDOT), "RFS specific error");
    assert_string_equal(fault_text(-ELIBSCN), ".lib section in a.out corrupted");
}

static void the_librarys_own_are_as_they_are(void **state)
{
    (void)state;
    assert_string_equal(fault_text(SWALE_ERR_TLS_CA), swale_strerror(SWALE_ERR_TLS_CA));
    assert_string_equal(fault_text(0), swale_strerror(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_systems_words_go_on_with_a_line),
        cmocka_unit_test(the_librarys_own_are_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
