#include "test.h"

#include "app/units.h"

struct example {
    const char *text;
    bool good;
    uint64_t value;
};

static void check(bool (*read)(const char *text, uint64_t *out), const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 4711;
        if (read(examples[i].text, &value) != examples[i].good)
            fail_msg("\"%s\"", examples[i].text);
        assert_int_equal(value, examples[i].good ? examples[i].value : 4711);
    }
}

static void reads_counts(void **state)
{
    (void)state;
    static const struct example examples[] = {
        { "0", true, 0 },    { "7", true, 7 },    { "007", true, 7 }, { "18446744073709551615", true, UINT64_MAX },
        { "", false, 0 },    { "-1", false, 0 },  { "+1", false, 0 }, { "18446744073709551616", false, 0 },
        { "1k", false, 0 },  { " 1", false, 0 },  { "1 ", false, 0 }, { "0x10", false, 0 },
        { "1.5", false, 0 }, { "1e3", false, 0 }, { "x", false, 0 },  { "99999999999999999999", false, 0 },
    };
    check(units_count, examples, COUNT_OF(examples));
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct example examples[] = {
        { "1500", true, 1500 },
        { "64k", true, 65536 },
        { "64K", true, 65536 },
        { "1m", true, 1048576 },
        { "3M", true, 3145728 },
        { "2g", true, 2147483648 },
        { "17179869183g", true, 18446744072635809792u },
        { "17179869184g", false, 0 },
        { "k", false, 0 },
        { "64kb", false, 0 },
        { "64 k", false, 0 },
        { "10s", false, 0 },
    };
    check(units_size, examples, COUNT_OF(examples));
}

static void reads_durations(void **state)
{
    (void)state;
    static const struct example examples[] = {
        { "500ms", true, 500 }, { "10s", true, 10000 },
        { "2m", true, 120000 }, { "1h", true, 3600000 },
        { "0s", true, 0 },      { "10", false, 0 },
        { "1d", false, 0 },     { "1.5s", false, 0 },
        { "s", false, 0 },      { "10 s", false, 0 },
        { "10S", false, 0 },    { "18446744073709551s", true, 18446744073709551000u },
        { "1m30s", false, 0 },  { "18446744073709552s", false, 0 },
    };
    check(units_duration, examples, COUNT_OF(examples));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_counts),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(reads_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
