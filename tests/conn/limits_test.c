#include "test.h"

#include <swale/conn.h>

static void test_defaults(void **state)
{
    (void)state;
    struct swale_limits none = { .max_message = 0 };
    const struct swale_limits *given[] = { NULL, &none };
    for (size_t i = 0; i < COUNT_OF(given); i++) {
        struct swale_limits limits = swale_limits_resolve(given[i]);
        assert_int_equal(limits.max_message, 1 << 20);
        assert_int_equal(limits.high_water, 64 << 10);
        assert_int_equal(limits.max_queue, 1 << 20);
        assert_int_equal(limits.max_fragments, 4096);
        assert_int_equal(limits.max_inflate_ratio, 1000);
        assert_int_equal(limits.max_message_rate, SWALE_OFF);
        assert_int_equal(limits.handshake_ms, 10000);
        assert_int_equal(limits.ping_after_ms, 25000);
        assert_int_equal(limits.gone_after_ms, 10000);
        assert_int_equal(limits.idle_ms, SWALE_OFF);
        assert_int_equal(limits.close_wait_ms, 5000);
        assert_int_equal(limits.compress_threshold, 1024);
    }
}

static void test_what_is_given_stays(void **state)
{
    (void)state;
    struct swale_limits given = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    struct swale_limits limits = swale_limits_resolve(&given);
    size_t size = offsetof(struct swale_limits, compress_threshold) + sizeof given.compress_threshold;
    assert_memory_equal(&limits, &given, size);
    memset(&given, 0xff, sizeof given); /* all of them SWALE_UNLIMITED or SWALE_OFF */
    limits = swale_limits_resolve(&given);
    assert_memory_equal(&limits, &given, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_what_is_given_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
