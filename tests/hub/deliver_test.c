#include "test.h"

#include "fake.h"

#include <errno.h>

static struct swale_loop *loop;
static struct swale_hub *hub;
static struct fake a, b;

static void make(enum swale_slow_policy policy)
{
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    struct swale_hub_options options = { .policy = policy, .backlog = 6 };
    assert_int_equal(swale_hub_new(&hub, &options), 0);
    assert_int_equal(swale_hub_attach(hub, loop), 0);
    fake_init(&a, loop, 1);
    fake_init(&b, loop, 2);
    assert_int_equal(join(hub, "t", &a), 0);
    assert_int_equal(join(hub, "t", &b), 0);
}

static int tear_down(void **state)
{
    (void)state;
    fake_done(&a);
    fake_done(&b);
    swale_hub_free(hub);
    swale_loop_free(loop);
    return 0;
}

static void say(const char *text)
{
    assert_int_equal(publish(hub, loop, "t", text, 0), 0);
}

static struct swale_hub_stats stats(void)
{
    struct swale_hub_stats now;
    swale_hub_stats(hub, &now);
    return now;
}

/* ---- Policies --------------------------------------------------------------------------------------- */

static void gives_any_size_to_one_that_keeps_up(void **state)
{
    (void)state;
    static const enum swale_slow_policy policies[] = { SWALE_SLOW_CLOSE, SWALE_SLOW_DROP_OLDEST, SWALE_SLOW_LATEST };
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        make(policies[i]);
        a.slow = true; /* but nothing waits */
        say("much more than six");
        assert_string_equal(fake_text(&a), "much more than six");
        assert_int_equal(stats().delivered, 2);
        if (i + 1 < COUNT_OF(policies))
            tear_down(state);
    }
}

static void closes_the_slow_one_only(void **state)
{
    (void)state;
    make(SWALE_SLOW_CLOSE);
    a.slow = true;
    say("123");
    say("456");
    assert_int_equal(a.failed, 0);
    say("7");
    assert_int_equal(a.failed, SWALE_ERR_SLOW_READER);
    say("8");
    assert_int_equal(a.offered, 2);
    assert_string_equal(fake_text(&b), "123 456 7 8");
    assert_int_equal(stats().delivered, 6);
    assert_int_equal(stats().closed, 1);
    assert_int_equal(stats().subscriptions, 1);
}

static void drops_the_oldest_of_the_topic(void **state)
{
    (void)state;
    make(SWALE_SLOW_DROP_OLDEST);
    join(hub, "u", &a);
    a.slow = true;
    publish(hub, loop, "u", "U", 0);
    say("1");
    say("23");
    say("45");
    assert_string_equal(fake_text(&a), "U 1 23 45");
    say("678");
    assert_string_equal(fake_text(&a), "U 45 678");
    assert_int_equal(stats().dropped, 2);
    assert_int_equal(stats().delivered, 1 + 2 + 4);
    assert_string_equal(fake_text(&b), "1 23 45 678");
}

static void spares_what_has_begun_to_leave(void **state)
{
    (void)state;
    make(SWALE_SLOW_DROP_OLDEST);
    a.slow = true;
    say("123");
    say("456");
    a.begun = 1;
    say("789");
    assert_string_equal(fake_text(&a), "123 789");
    say("more than six"); /* fits in no way: it is dropped, and so is what might have made room */
    assert_string_equal(fake_text(&a), "123");
    assert_int_equal(stats().dropped, 3);
    assert_int_equal(stats().delivered, 4 + 1);
}

static void keeps_the_latest(void **state)
{
    (void)state;
    make(SWALE_SLOW_LATEST);
    join(hub, "u", &a);
    say("1");
    say("2");
    assert_string_equal(fake_text(&a), "1 2");
    a.slow = true;
    a.begun = 1;
    say("3");
    assert_string_equal(fake_text(&a), "1 3");
    publish(hub, loop, "u", "U", 0);
    say("larger than the backlog");
    assert_string_equal(fake_text(&a), "1 U larger than the backlog");
    assert_int_equal(stats().dropped, 2);
    assert_int_equal(stats().delivered, 4 + 4 + 1 - 2);
}

/* The subscriber's own limit is lower than the backlog. */
static void takes_a_full_queue_for_slowness(void **state)
{
    (void)state;
    make(SWALE_SLOW_DROP_OLDEST);
    a.max_queue = 2;
    say("1");
    say("2");
    say("3");
    assert_string_equal(fake_text(&a), "2 3");
    say("456");
    assert_string_equal(fake_text(&a), "");
    assert_int_equal(stats().dropped, 4);
    assert_int_equal(swale_hub_configure(hub, swale_text("t"), SWALE_SLOW_CLOSE, 0), 0);
    say("456");
    assert_int_equal(a.failed, SWALE_ERR_SLOW_READER);
    assert_int_equal(stats().closed, 1);
    assert_int_equal(accounted(hub), 2 * 5);
}

static void counts_those_that_cannot_take_it(void **state)
{
    (void)state;
    make(SWALE_SLOW_CLOSE);
    a.refusal = SWALE_ERR_CLOSED;
    b.refusal = -ENOMEM;
    say("1");
    assert_int_equal(a.failed, 0);
    assert_int_equal(stats().failed, 2);
    assert_int_equal(stats().subscriptions, 2);
}

static void configures_one_topic_from_now_on(void **state)
{
    (void)state;
    make(SWALE_SLOW_CLOSE);
    a.slow = true;
    say("123456");
    assert_int_equal(swale_hub_configure(hub, swale_text("t"), SWALE_SLOW_DROP_OLDEST, 8), 0);
    say("78");
    assert_string_equal(fake_text(&a), "123456 78");
    say("9");
    assert_string_equal(fake_text(&a), "78 9");
    assert_int_equal(a.failed, 0);
}

/* ---- What subscribers do while they are called ------------------------------------------------------ */

static struct fake crowd[6];

static void make_crowd(void)
{
    make(SWALE_SLOW_CLOSE);
    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        fake_init(&crowd[i], loop, 10 + i);
        assert_int_equal(join(hub, "t", &crowd[i]), 0);
    }
}

static void end_crowd(void)
{
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        fake_done(&crowd[i]);
}

static void disperse(struct fake *fake)
{
    fake->on_deliver = NULL;
    leave(hub, "t", fake);
    leave(hub, "t", &crowd[0]); /* served already */
    leave(hub, "t", &crowd[4]); /* not yet */
    swale_hub_leave_all(hub, &crowd[5].subscriber);
}

static void may_leave_and_make_others_leave(void **state)
{
    (void)state;
    make_crowd();
    crowd[2].on_deliver = disperse;
    say("1");
    assert_int_equal(crowd[0].offered, 1);
    assert_int_equal(crowd[3].offered, 1);
    assert_int_equal(crowd[4].offered + crowd[5].offered, 0);
    assert_int_equal(swale_hub_subscribers(hub, swale_text("t")), 4);
    say("2");
    assert_string_equal(fake_text(&crowd[1]), "1 2");
    assert_string_equal(fake_text(&crowd[2]), "1");
    assert_string_equal(fake_text(&crowd[3]), "1 2");
    end_crowd();
}

static struct fake latecomers[40];

static void bring_latecomers(struct fake *fake)
{
    fake->on_deliver = NULL;
    leave(hub, "t", fake);
    assert_int_equal(join(hub, "t", fake), 0); /* behind the others: it gets no second copy */
    for (size_t i = 0; i < COUNT_OF(latecomers); i++)
        assert_int_equal(join(hub, "t", &latecomers[i]), 0);
}

static void may_join_and_bring_others(void **state)
{
    (void)state;
    make_crowd();
    for (size_t i = 0; i < COUNT_OF(latecomers); i++)
        fake_init(&latecomers[i], loop, 100 + i);
    crowd[1].on_deliver = bring_latecomers;
    say("1");
    say("2");
    assert_string_equal(fake_text(&crowd[1]), "1 2");
    assert_string_equal(fake_text(&crowd[5]), "1 2");
    for (size_t i = 0; i < COUNT_OF(latecomers); i++) {
        assert_string_equal(fake_text(&latecomers[i]), "2");
        fake_done(&latecomers[i]);
    }
    end_crowd();
}

static void everybody_goes(struct fake *fake)
{
    (void)fake;
    end_crowd();
    leave(hub, "t", &a);
    leave(hub, "t", &b);
}

/* The topic ends while it is being delivered to, through the slow policy of one. */
static void may_end_the_topic(void **state)
{
    (void)state;
    make_crowd();
    crowd[3].slow = true;
    crowd[3].on_fail = everybody_goes;
    say("123456");
    say("7");
    assert_int_equal(crowd[4].offered, 1);
    assert_int_equal(stats().topics, 0);
    assert_int_equal(stats().subscriptions, 0);
    assert_int_equal(stats().closed, 1);
    say("8");
    assert_string_equal(fake_text(&a), "123456 7");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(gives_any_size_to_one_that_keeps_up),
        TEST(closes_the_slow_one_only),
        TEST(drops_the_oldest_of_the_topic),
        TEST(spares_what_has_begun_to_leave),
        TEST(keeps_the_latest),
        TEST(takes_a_full_queue_for_slowness),
        TEST(counts_those_that_cannot_take_it),
        TEST(configures_one_topic_from_now_on),
        TEST(may_leave_and_make_others_leave),
        TEST(may_join_and_bring_others),
        TEST(may_end_the_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
