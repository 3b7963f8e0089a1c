#include "test.h"

#include "guard.h"
#include "heads.h"
#include "proto/writer.h"

static ptrdiff_t write_some(char *out, size_t capacity)
{
    struct swale__writer writer = { .out = out, .capacity = capacity };
    swale__put_text(&writer, "Head ");
    swale__put_number(&writer, 0);
    swale__put(&writer, swale_text(NULL));
    swale__put_text(&writer, " ");
    swale__put_number(&writer, UINT64_MAX);
    swale__put_field(&writer, "Name", swale_text("value"));
    return swale__writer_end(&writer);
}

static void test_at_every_capacity(void **state)
{
    (void)state;
    static const char expected[] = "Head 0 18446744073709551615Name: value\r\n";
    for (size_t capacity = 0; capacity <= sizeof expected; capacity++) {
        char *out = guard_copy("0123456789012345678901234567890123456789012345678901234567890", capacity);
        bool fits = capacity >= sizeof expected - 1;
        assert_int_equal(write_some(out, capacity), fits ? (int)sizeof expected - 1 : SWALE_ERR_TOO_SMALL);
        if (fits)
            assert_memory_equal(out, expected, sizeof expected - 1);
        guard_free(out, capacity);
    }
}

static void test_what_may_be_written(void **state)
{
    (void)state;
    static const char *const reserved[] = { "host", NULL };
    static const struct {
        struct swale_field field;
        bool writable;
    } cases[] = {
        { { { "X-Good", 6 }, { "a \t\xc3\xa9", 5 } }, true },
        { { { "X-Empty", 7 }, { NULL, 0 } }, true },
        { { { "", 0 }, { "a", 1 } }, false },
        { { { NULL, 0 }, { "a", 1 } }, false },
        { { { "X Y", 3 }, { "a", 1 } }, false },
        { { { "X:", 2 }, { "a", 1 } }, false },
        { { { "X", 1 }, { "a\r\nY: b", 7 } }, false },
        { { { "X", 1 }, { "a\nb", 3 } }, false },
        { { { "X", 1 }, { "a\0b", 3 } }, false },
        { { { "X", 1 }, { "\x7f", 1 } }, false },
        { { { "X\r\nY", 4 }, { "a", 1 } }, false },
        { { { "HOST", 4 }, { "a", 1 } }, false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(swale__fields_writable(&cases[i].field, 1, reserved), cases[i].writable);
    assert_true(swale__fields_writable(NULL, 0, reserved));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_every_capacity),
        cmocka_unit_test(test_what_may_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
