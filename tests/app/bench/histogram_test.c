#include "test.h"

#include "app/bench/histogram.h"

#include <stdlib.h>
#include <string.h>

static struct histogram histogram, other, whole;

static int empty(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    memset(&other, 0, sizeof other);
    memset(&whole, 0, sizeof whole);
    return 0;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 11;
}

static int by_size(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a;
    uint64_t two = *(const uint64_t *)b;
    return (one > two) - (one < two);
}

static void an_empty_one_has_nothing(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 500000), 0);
    assert_true(histogram_mean(&histogram) == 0);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.count, 0);
    assert_int_equal(histogram.min, 0);
}

static void buckets_are_in_order_and_narrow(void **state)
{
    (void)state;
    /* Around each power of two, and each edge of a bucket near it. */
    for (unsigned power = 0; power < HISTOGRAM_LARGEST_LOG2; power++) {
        uint64_t middle = UINT64_C(1) << power;
        for (int64_t step = -3; step <= 3; step++) {
            uint64_t value = middle + (uint64_t)step;
            if (step < 0 && middle <= (uint64_t)-step)
                continue;
            uint32_t bucket = histogram_bucket(value);
            assert_in_range(bucket, histogram_bucket(value - 1), histogram_bucket(value - 1) + 1);
            assert_true(bucket < HISTOGRAM_BUCKETS);
            /* A thousandth more is another bucket. */
            uint64_t more = value + value / 1000 + 1;
            if (more <= HISTOGRAM_LARGEST)
                assert_true(histogram_bucket(more) > bucket);
        }
    }
    assert_int_equal(histogram_bucket(HISTOGRAM_LARGEST), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket(0), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 2048; value++)
        histogram_record(&histogram, value);
    assert_int_equal(histogram_quantile(&histogram, 500000), 1023);
    assert_int_equal(histogram_quantile(&histogram, 1000000), 2047);
    assert_int_equal(histogram_quantile(&histogram, 0), 0);
    assert_int_equal(histogram.min, 0);
    assert_int_equal(histogram.max, 2047);
    assert_true(histogram_mean(&histogram) == 1023.5);
}

static void many_at_once_are_as_one_by_one(void **state)
{
    uint64_t seed = 3;
    (void)state;
    for (int i = 0; i < 200; i++) {
        uint64_t value = next_random(&seed) >> next_random(&seed) % 50; /* some are too long, too */
        uint64_t times = 1 + next_random(&seed) % 40;
        histogram_record_many(&histogram, value, times);
        for (uint64_t n = 0; n < times; n++)
            histogram_record(&other, value);
    }
    assert_memory_equal(&histogram, &other, sizeof histogram);
}

static void one_value_is_all_quantiles(void **state)
{
    (void)state;
    histogram_record(&histogram, 123456789);
    for (uint32_t millionths = 0; millionths <= 1000000; millionths += 250000)
        assert_int_equal(histogram_quantile(&histogram, millionths), 123456789);
    assert_int_equal(histogram.min, 123456789);
}

static void what_is_too_long_counts_as_the_longest(void **state)
{
    (void)state;
    histogram_record(&histogram, UINT64_MAX);
    histogram_record(&histogram, 1);
    assert_int_equal(histogram.max, HISTOGRAM_LARGEST);
    assert_int_equal(histogram_quantile(&histogram, 1000000), HISTOGRAM_LARGEST);
    assert_int_equal(histogram_quantile(&histogram, 500000), 1);
}

/* Never below the exact quantile, and no more than a thousandth above. */
static void check_quantiles(uint64_t *values, size_t count)
{
    static const uint32_t all[] = {
        1, 1000, 100000, 500000, 750000, 900000, 990000, 999000, 999900, 999999, 1000000
    };
    qsort(values, count, sizeof *values, by_size);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        uint64_t rank = (count * (uint64_t)all[i] + 999999) / 1000000;
        uint64_t exact = values[(rank ? rank : 1) - 1];
        uint64_t found = histogram_quantile(&histogram, all[i]);
        assert_in_range(found, exact, exact + exact / 1000);
    }
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    uint64_t random = 4711;
    /* From nanoseconds to hours: a random number of a random number of bits. */
    for (unsigned spread = 4; spread <= HISTOGRAM_LARGEST_LOG2; spread += 7) {
        empty(NULL);
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = next_random(&random) & ((UINT64_C(1) << (1 + next_random(&random) % spread)) - 1);
            histogram_record(&histogram, values[i]);
        }
        check_quantiles(values, COUNT);
        check_quantiles(values, COUNT);
    }
}

static void merged_ones_are_as_one(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (size_t i = 0; i < 5000; i++) {
        uint64_t value = 1000 + next_random(&random) % 100000000;
        histogram_record(i % 3 ? &histogram : &other, value);
        histogram_record(&whole, value);
    }
    histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &whole, sizeof whole);
    empty(NULL);
    histogram_record(&other, 5);
    histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &other, sizeof other);
}

static void ranks_do_not_overflow(void **state)
{
    (void)state;
    /* As if ten values had been recorded a million million times each. */
    for (uint64_t value = 1; value <= 10; value++) {
        histogram.buckets[value] = UINT64_C(1000000000000000);
        histogram.count += UINT64_C(1000000000000000);
    }
    histogram.max = 10;
    assert_int_equal(histogram_quantile(&histogram, 500000), 5);
    assert_int_equal(histogram_quantile(&histogram, 500001), 6);
    assert_int_equal(histogram_quantile(&histogram, 999900), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_one_has_nothing, empty),
        cmocka_unit_test_setup(buckets_are_in_order_and_narrow, empty),
        cmocka_unit_test_setup(small_values_are_exact, empty),
        cmocka_unit_test_setup(many_at_once_are_as_one_by_one, empty),
        cmocka_unit_test_setup(one_value_is_all_quantiles, empty),
        cmocka_unit_test_setup(what_is_too_long_counts_as_the_longest, empty),
        cmocka_unit_test_setup(quantiles_are_those_of_the_sorted_values, empty),
        cmocka_unit_test_setup(merged_ones_are_as_one, empty),
        cmocka_unit_test_setup(ranks_do_not_overflow, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
