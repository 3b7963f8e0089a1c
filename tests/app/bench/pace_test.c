#include "test.h"

#include "app/bench/pace.h"

#include <stdbool.h>

enum { SECOND = 1000000000 };

static void numbers_are_spread_evenly(void **state)
{
    (void)state;
    struct pace pace = { .start = 5000, .rate = 4, .first = 0, .step = 1 };
    assert_int_equal(pace_time(&pace, 0), 5000);
    assert_int_equal(pace_time(&pace, 1), 5000 + SECOND / 4);
    assert_int_equal(pace_time(&pace, 4), 5000 + SECOND);
    assert_int_equal(pace_due(&pace, 0), 0);
    assert_int_equal(pace_due(&pace, 4999), 0);
    assert_int_equal(pace_due(&pace, 5000), 1);
    assert_int_equal(pace_due(&pace, 5000 + SECOND / 4 - 1), 1);
    assert_int_equal(pace_due(&pace, 5000 + SECOND / 4), 2);
}

/* What is due at an instant is exactly what has a time up to it. */
static void check_agreement(const struct pace *pace, uint64_t n)
{
    if (n / pace->rate > 100000000)
        return; /* three years are enough */
    uint64_t time = pace_time(pace, n);
    assert_true(pace_due(pace, time) >= n + 1);
    assert_true(time == 0 || pace_due(pace, time - 1) <= n);
    uint64_t due = pace_due(pace, time);
    assert_int_equal(pace_time(pace, due - 1), time);
    assert_true(pace_time(pace, due) > time);
}

static void times_and_numbers_agree(void **state)
{
    (void)state;
    static const uint64_t rates[] = { 1, 2, 3, 7, 999, 1000, 44100, 333333333, 999999999, PACE_RATE_MAX };
    static const uint64_t numbers[] = { 0, 1, 2, 3, 100, 65537, 999999999, UINT64_C(1000000000000) };
    for (size_t r = 0; r < COUNT_OF(rates); r++)
        for (uint64_t step = 1; step <= 5; step++)
            for (size_t n = 0; n < COUNT_OF(numbers); n++) {
                struct pace pace = { .start = 123456789, .rate = rates[r], .first = step / 2, .step = step };
                check_agreement(&pace, numbers[n]);
            }
}

/* A clock that goes on in uneven steps, and workers that look at it whenever they get to: after each look they have
 * sent what is due, together they have sent what one alone would have, and nobody was ever early. */
static void shares_keep_the_pace_together(void **state)
{
    (void)state;
    enum { WORKERS = 3, RATE = 12345 };
    struct pace alone = { .start = 77, .rate = RATE, .first = 0, .step = 1 };
    uint64_t sent[WORKERS] = { 0 };
    uint64_t now = 0;
    for (uint64_t look = 0; look < 5000; look++) {
        now += look * 7919 % 400000;
        uint64_t together = 0;
        for (uint64_t w = 0; w < WORKERS; w++) {
            struct pace pace = { .start = 77, .rate = RATE, .first = w, .step = WORKERS };
            for (; sent[w] < pace_due(&pace, now); sent[w]++)
                assert_true(pace_time(&pace, sent[w]) <= now);
            assert_true(pace_time(&pace, sent[w]) > now);
            together += sent[w];
        }
        assert_int_equal(together, pace_due(&alone, now));
    }
    assert_true(now > SECOND / 2);
}

/* A stall of a server shows in the latencies of all that should have been sent meanwhile. */
static void a_stall_is_not_omitted(void **state)
{
    (void)state;
    struct pace pace = { .start = 0, .rate = 1000, .first = 0, .step = 1 };
    uint64_t stall = 100 * UINT64_C(1000000);
    uint64_t due = pace_due(&pace, stall);
    uint64_t sum = 0;
    assert_int_equal(due, 101);
    for (uint64_t n = 0; n < due; n++)
        sum += stall - pace_time(&pace, n);
    assert_int_equal(sum / due, stall / 2);
}

static void years_do_not_overflow(void **state)
{
    (void)state;
    struct pace pace = { .start = 0, .rate = PACE_RATE_MAX, .first = 255, .step = 256 };
    uint64_t year = UINT64_C(365) * 24 * 3600 * SECOND;
    assert_int_equal(pace_due(&pace, 10 * year), 10 * year / 256);
    assert_int_equal(pace_time(&pace, 10 * year / 256), 10 * year + 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_spread_evenly),     cmocka_unit_test(times_and_numbers_agree),
        cmocka_unit_test(shares_keep_the_pace_together), cmocka_unit_test(a_stall_is_not_omitted),
        cmocka_unit_test(years_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
