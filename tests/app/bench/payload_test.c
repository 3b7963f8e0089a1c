#include "test.h"

#include "app/bench/payload.h"

#include <stdlib.h>
#include <swale/proto.h>

static void stamps_read_back(void **state)
{
    (void)state;
    static const uint64_t numbers[] = { 0, 1, 63, 64, UINT32_MAX, UINT64_C(0x0123456789abcdef), UINT64_MAX };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char stamp[PAYLOAD_STAMP + 1] = { 0 };
        payload_put(stamp, PAYLOAD_STAMP, numbers[i]);
        assert_int_equal(payload_get(stamp), numbers[i]);
        for (size_t at = 0; at < PAYLOAD_STAMP; at++)
            assert_in_range(stamp[at], 0x20, 0x7e);
        assert_int_equal(stamp[PAYLOAD_STAMP], 0);
    }
}

static void a_short_stamp_still_tells_neighbours_apart(void **state)
{
    (void)state;
    char one[2] = "xx";
    char two[2] = "xx";
    payload_put(one, 1, 1000);
    payload_put(two, 1, 1001);
    assert_int_not_equal(one[0], two[0]);
    assert_int_equal(one[1], 'x');
}

static void garbage_reads_as_some_number(void **state)
{
    (void)state;
    char stamp[PAYLOAD_STAMP];
    memset(stamp, 0xff, sizeof stamp);
    payload_get(stamp);
    assert_int_equal(payload_get("00000000000"), 0);
}

static void fills_exactly_and_the_same_every_time(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300; size++)
        for (int binary = 0; binary < 2; binary++) {
            char *one = malloc(size + 1); /* where a sanitizer sees a byte too many */
            char *two = malloc(size + 1);
            one[size] = two[size] = 'x';
            payload_fill(one, size, binary);
            payload_fill(two, size, binary);
            assert_memory_equal(one, two, size + 1);
            assert_int_equal(one[size], 'x');
            if (!binary)
                for (size_t i = 0; i < size; i++)
                    assert_in_range(one[i], 0x20, 0x7e);
            free(one);
            free(two);
        }
}

static void noise_is_noise(void **state)
{
    (void)state;
    static char noise[65536];
    unsigned counts[256] = { 0 };
    payload_fill(noise, sizeof noise, true);
    for (size_t i = 0; i < sizeof noise; i++)
        counts[(unsigned char)noise[i]]++;
    for (size_t i = 0; i < 256; i++)
        assert_in_range(counts[i], 150, 370); /* 256 each, and seven times the deviation */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_read_back),
        cmocka_unit_test(a_short_stamp_still_tells_neighbours_apart),
        cmocka_unit_test(garbage_reads_as_some_number),
        cmocka_unit_test(fills_exactly_and_the_same_every_time),
        cmocka_unit_test(noise_is_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
