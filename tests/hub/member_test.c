#include "test.h"

#include "fake.h"
#include "memory.h"

#include <errno.h>
#include <stdio.h>

static struct swale_loop *loop;
static struct swale_hub *hub;

static int set_up(void **state)
{
    (void)state;
    struct swale_hub_options options = { .max_topics_per_subscriber = 3 };
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    assert_int_equal(swale_hub_new(&hub, &options), 0);
    assert_int_equal(swale_hub_attach(hub, loop), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    swale_hub_free(hub);
    swale_loop_free(loop);
    return 0;
}

static void says_who_had_joined(void **state)
{
    (void)state;
    static struct fake a;
    fake_init(&a, loop, 1);
    assert_int_equal(leave(hub, "t", &a), 1);
    assert_int_equal(join(hub, "t", &a), 0);
    assert_int_equal(join(hub, "t", &a), 1);
    assert_int_equal(leave(hub, "u", &a), 1);
    assert_int_equal(leave(hub, "t", &a), 0);
    assert_int_equal(leave(hub, "t", &a), 1);
    assert_null(a.subscriber.membership);
    assert_int_equal(swale_hub_subscribers(hub, swale_text("t")), 0);
}

static void holds_to_the_limit_of_topics(void **state)
{
    (void)state;
    static struct fake a;
    fake_init(&a, loop, 1);
    assert_int_equal(join(hub, "1", &a), 0);
    assert_int_equal(join(hub, "2", &a), 0);
    assert_int_equal(join(hub, "3", &a), 0);
    assert_int_equal(join(hub, "4", &a), SWALE_ERR_TOO_MANY);
    assert_int_equal(join(hub, "3", &a), 1);
    assert_int_equal(leave(hub, "2", &a), 0);
    assert_int_equal(join(hub, "4", &a), 0);
    fake_done(&a);
}

static void refuses_strangers(void **state)
{
    (void)state;
    static struct fake a, b;
    struct swale_loop *elsewhere;
    struct swale_hub *other;
    assert_int_equal(swale_loop_new(&elsewhere, NULL), 0);
    assert_int_equal(swale_hub_new(&other, NULL), 0);
    assert_int_equal(swale_hub_attach(other, loop), 0);
    fake_init(&a, elsewhere, 1);
    assert_int_equal(join(hub, "t", &a), SWALE_ERR_STATE);
    assert_int_equal(leave(hub, "t", &a), SWALE_ERR_STATE);
    fake_init(&b, loop, 2);
    assert_int_equal(join(hub, "t", &b), 0);
    assert_int_equal(join(other, "t", &b), SWALE_ERR_STATE);
    assert_int_equal(leave(other, "t", &b), SWALE_ERR_STATE);
    swale_hub_leave_all(other, &b.subscriber);
    assert_int_equal(swale_hub_subscribers(hub, swale_text("t")), 1);
    swale_hub_leave_all(hub, &b.subscriber);
    assert_int_equal(join(other, "t", &b), 0);
    fake_done(&b);
    swale_hub_free(other);
    swale_loop_free(elsewhere);
}

static void leaves_everything_when_it_goes(void **state)
{
    (void)state;
    static struct fake a, b;
    fake_init(&a, loop, 1);
    fake_init(&b, loop, 2);
    for (const char *name = "123"; *name; name++) {
        char topic[] = { *name, 0 };
        join(hub, topic, &a);
        join(hub, topic, &b);
    }
    assert_non_null(a.subscriber.membership);
    a.subscriber.membership->leave(a.subscriber.membership);
    assert_null(a.subscriber.membership);
    publish(hub, loop, "2", "x", 0);
    assert_int_equal(a.offered, 0);
    assert_int_equal(b.offered, 1);
    swale_hub_leave_all(hub, &b.subscriber);
    swale_hub_leave_all(hub, &b.subscriber);
    struct swale_hub_stats stats;
    swale_hub_stats(hub, &stats);
    assert_int_equal(stats.subscriptions, 0);
    assert_int_equal(stats.topics, 0);
    fake_done(&b);
}

/* Whoever leaves, in whatever order, the others go on getting what they should. */
static void keeps_the_others_whoever_leaves(void **state)
{
    (void)state;
    static struct fake fakes[9];
    static const size_t order[] = { 4, 0, 8, 7, 1, 5, 2, 6 };
    for (size_t i = 0; i < COUNT_OF(fakes); i++) {
        fake_init(&fakes[i], loop, i + 1);
        assert_int_equal(join(hub, "t", &fakes[i]), 0);
    }
    for (size_t gone = 0; gone < COUNT_OF(order); gone++) {
        leave(hub, "t", &fakes[order[gone]]);
        publish(hub, loop, "t", "x", 0);
        for (size_t i = 0; i <= gone; i++)
            assert_int_equal(fakes[order[i]].offered, i);
        assert_int_equal(fakes[3].offered, gone + 1);
        assert_int_equal(swale_hub_subscribers(hub, swale_text("t")), COUNT_OF(fakes) - gone - 1);
    }
    for (size_t i = 0; i < COUNT_OF(fakes); i++)
        fake_done(&fakes[i]);
}

/* A join that fails leaves no trace. */
static void undoes_a_join_that_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct test_memory memory = { 0 };
        struct swale_allocator allocator = test_allocator(&memory);
        struct swale_hub *failing;
        static struct fake a;
        assert_int_equal(swale_hub_new(&failing, &(struct swale_hub_options){ .allocator = &allocator }), 0);
        assert_int_equal(swale_hub_attach(failing, loop), 0);
        fake_init(&a, loop, 1);
        memory.fail_at = memory.allocations + n;
        int result = join(failing, "t", &a);
        if (result < 0) {
            assert_int_equal(result, -ENOMEM);
            assert_null(a.subscriber.membership);
            struct swale_hub_stats stats;
            swale_hub_stats(failing, &stats);
            assert_int_equal(stats.topics + stats.subscriptions, 0);
            assert_int_equal(join(failing, "t", &a), 0);
        }
        fake_done(&a);
        swale_hub_free(failing);
        assert_int_equal(memory.blocks, 0);
        if (result == 0) {
            assert_true(n > 5);
            return;
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(says_who_had_joined),
        TEST(holds_to_the_limit_of_topics),
        TEST(refuses_strangers),
        TEST(leaves_everything_when_it_goes),
        TEST(keeps_the_others_whoever_leaves),
        TEST(undoes_a_join_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
