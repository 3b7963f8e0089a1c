#include "test.h"

#include "app/bench/plan.h"

#include <stdlib.h>
#include <string.h>

static char fault[OPTIONS_FAULT_MAX];
static const struct plan_means plenty = { .descriptors = 20000, .ports = 28232, .tcp = true };

static void shares_make_up_the_whole(void **state)
{
    (void)state;
    for (uint64_t whole = 0; whole < 50; whole++)
        for (uint32_t parts = 1; parts < 20; parts++) {
            uint64_t next = 0;
            for (uint32_t part = 0; part < parts; part++) {
                struct plan_share share = plan_share(whole, part, parts);
                assert_int_equal(share.first, next);
                assert_in_range(share.count, whole / parts, (whole + parts - 1) / parts);
                next += share.count;
            }
            assert_int_equal(next, whole);
        }
}

static void one_worker_is_enough_where_it_fits(void **state)
{
    (void)state;
    struct bench_options options = { .connections = 20000 - PLAN_DESCRIPTORS, .threads = 1 };
    struct plan plan = { 0 };
    assert_int_equal(plan_make(&plan, &options, &plenty, fault), 0);
    assert_int_equal(plan.workers, 1);
    assert_int_equal(plan.senders, 1);
    options.connections++;
    assert_int_equal(plan_make(&plan, &options, &plenty, fault), 0);
    assert_int_equal(plan.workers, 2);
}

static void threads_are_a_minimum(void **state)
{
    (void)state;
    struct bench_options options = { .connections = 100, .threads = 4 };
    struct plan plan = { 0 };
    assert_int_equal(plan_make(&plan, &options, &plenty, fault), 0);
    assert_int_equal(plan.workers, 4);
    options.connections = 3; /* and nobody is without work */
    assert_int_equal(plan_make(&plan, &options, &plenty, fault), 0);
    assert_int_equal(plan.workers, 3);
}

static void every_worker_of_fan_out_has_a_subscriber(void **state)
{
    (void)state;
    struct bench_options options = {
        .mode = BENCH_FAN_OUT, .connections = 8, .subscribers = 3, .publishers = 5, .threads = 6
    };
    struct plan plan = { 0 };
    assert_int_equal(plan_make(&plan, &options, &plenty, fault), 0);
    assert_int_equal(plan.workers, 3);
    assert_int_equal(plan.senders, 3);
    options.publishers = 2;
    assert_int_equal(plan_make(&plan, &options, &plenty, fault), 0);
    assert_int_equal(plan.senders, 2);
}

/* Whatever the numbers, no share exceeds what a process may have. */
static void no_worker_gets_too_many(void **state)
{
    (void)state;
    struct plan_means means = { .descriptors = PLAN_DESCRIPTORS + 7, .ports = 28232, .tcp = true };
    for (uint32_t subscribers = 1; subscribers < 200; subscribers++)
        for (uint32_t publishers = 1; publishers < 40; publishers += 3) {
            struct bench_options options = { .mode = BENCH_FAN_OUT,
                                             .connections = subscribers + publishers,
                                             .subscribers = subscribers,
                                             .publishers = publishers,
                                             .threads = 1 };
            struct plan plan = { 0 };
            if (plan_make(&plan, &options, &means, fault) < 0)
                continue;
            for (uint32_t i = 0; i < plan.workers; i++)
                assert_true(plan_share(subscribers, i, plan.workers).count +
                                plan_share(publishers, i, plan.workers).count <=
                            7);
        }
}

static void says_when_descriptors_do_not_suffice(void **state)
{
    (void)state;
    struct bench_options options = { .connections = 10 * PLAN_WORKERS_MAX + 1, .threads = 1 };
    struct plan_means means = { .descriptors = PLAN_DESCRIPTORS + 10, .ports = 28232, .tcp = true };
    struct plan plan = { 0 };
    assert_int_equal(plan_make(&plan, &options, &means, fault), -1);
    assert_string_equal(fault,
                        "2561 connections do not fit: a process may have 42 descriptors (ulimit -Hn), and there "
                        "are at most 256 processes");
    options.connections--;
    assert_int_equal(plan_make(&plan, &options, &means, fault), 0);
    assert_int_equal(plan.workers, PLAN_WORKERS_MAX);
    means.descriptors = 5;
    assert_int_equal(plan_make(&plan, &options, &means, fault), -1);
}

static void says_when_ports_do_not_suffice(void **state)
{
    (void)state;
    const char *addresses[] = { "192.0.2.1", "192.0.2.2" };
    struct bench_options options = { .connections = 28233, .threads = 1 };
    struct plan_means means = plenty;
    struct plan plan = { 0 };
    assert_int_equal(plan_make(&plan, &options, &means, fault), -1);
    assert_non_null(strstr(fault, "--local-address"));
    options.local_addresses = (struct option_list){ addresses, 2 };
    assert_int_equal(plan_make(&plan, &options, &means, fault), 0);
    options.local_addresses = (struct option_list){ 0 };
    means.tcp = false; /* a unix socket needs no ports */
    assert_int_equal(plan_make(&plan, &options, &means, fault), 0);
    means = (struct plan_means){ .descriptors = 20000, .ports = 28232, .tcp = true, .loopback = true };
    assert_int_equal(plan_make(&plan, &options, &means, fault), 0);
    assert_true(plan.spread);
}

static void comes_from_everywhere_on_loopback(void **state)
{
    (void)state;
    struct bench_options options = { .connections = 3000000 };
    struct plan plan = { .options = &options, .spread = true };
    char out[PLAN_ADDRESS_MAX];
    assert_string_equal(plan_local_address(&plan, 0, out), "127.0.0.1");
    assert_string_equal(plan_local_address(&plan, 999, out), "127.0.0.1");
    assert_string_equal(plan_local_address(&plan, 1000, out), "127.0.0.2");
    assert_string_equal(plan_local_address(&plan, 253999, out), "127.0.0.254");
    assert_string_equal(plan_local_address(&plan, 254000, out), "127.0.1.1");
    assert_string_equal(plan_local_address(&plan, 254000 * 256, out), "127.1.0.1");
    plan.spread = false;
    assert_null(plan_local_address(&plan, 5000, out));
}

static void takes_given_addresses_in_turns(void **state)
{
    (void)state;
    const char *addresses[] = { "192.0.2.1", "192.0.2.2" };
    struct bench_options options = { .local_addresses = { addresses, 2 } };
    struct plan plan = { .options = &options };
    char out[PLAN_ADDRESS_MAX];
    assert_string_equal(plan_local_address(&plan, 0, out), "192.0.2.1");
    assert_string_equal(plan_local_address(&plan, 1, out), "192.0.2.2");
    assert_string_equal(plan_local_address(&plan, 2, out), "192.0.2.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_make_up_the_whole),       cmocka_unit_test(one_worker_is_enough_where_it_fits),
        cmocka_unit_test(threads_are_a_minimum),          cmocka_unit_test(every_worker_of_fan_out_has_a_subscriber),
        cmocka_unit_test(no_worker_gets_too_many),        cmocka_unit_test(says_when_descriptors_do_not_suffice),
        cmocka_unit_test(says_when_ports_do_not_suffice), cmocka_unit_test(comes_from_everywhere_on_loopback),
        cmocka_unit_test(takes_given_addresses_in_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
