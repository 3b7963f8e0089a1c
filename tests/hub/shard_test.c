#include "test.h"

#include "fake.h"
#include "hub/hub.h"

#include <stdio.h>
#include <stdlib.h>

static struct swale_loop *loop;
static struct swale_hub *hub;

static void make(const struct swale_hub_options *options)
{
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    assert_int_equal(swale_hub_new(&hub, options), 0);
    assert_int_equal(swale_hub_attach(hub, loop), 0);
}

static int tear_down(void **state)
{
    (void)state;
    swale_hub_free(hub);
    swale_loop_free(loop);
    return 0;
}

/* ---- Publishing from within a delivery -------------------------------------------------------------- */

static void answer_once(struct fake *fake)
{
    fake->on_deliver = NULL;
    struct swale_publish publish = { .topic = swale_text("t"), .kind = SWALE_TEXT, .data = swale_text("answer") };
    assert_int_equal(swale_hub_publish(hub, &publish), 0);
    publish.topic = swale_text("nobody");
    assert_int_equal(swale_hub_publish(hub, &publish), 0);
}

/* The answer is published before the last subscribers have got the question. */
static void puts_off_what_a_delivery_publishes(void **state)
{
    (void)state;
    static struct fake fakes[3];
    make(NULL);
    for (size_t i = 0; i < COUNT_OF(fakes); i++) {
        fake_init(&fakes[i], loop, i + 1);
        join(hub, "t", &fakes[i]);
    }
    fakes[0].on_deliver = answer_once;
    publish(hub, loop, "t", "question", 0);
    for (size_t i = 0; i < COUNT_OF(fakes); i++)
        assert_string_equal(fake_text(&fakes[i]), "question answer");
    fakes[1].on_deliver = answer_once;
    publish(hub, NULL, "t", "again", 0);
    while (swale_loop_step(loop, 0) > 0)
        ;
    for (size_t i = 0; i < COUNT_OF(fakes); i++) {
        assert_string_equal(fake_text(&fakes[i]), "question answer again answer");
        fake_done(&fakes[i]);
    }
}

/* ---- The inbox -------------------------------------------------------------------------------------- */

static void bounds_the_inbox(void **state)
{
    (void)state;
    static struct fake a, b;
    struct swale_hub_options options = { .max_inbox = 4096 };
    make(&options);
    fake_init(&a, loop, 1);
    fake_init(&b, loop, 2);
    join(hub, "t", &a);
    join(hub, "t", &b);
    char text[1001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(publish(hub, NULL, "t", text, 0), 0);
    assert_int_equal(publish(hub, NULL, "t", text, 0), SWALE_FULL);
    assert_int_equal(publish(hub, NULL, "t", text, 0), SWALE_FULL);
    assert_int_equal(publish(hub, NULL, "t", text, 0), SWALE_ERR_QUEUE_FULL);
    struct swale_hub_stats stats;
    swale_hub_stats(hub, &stats);
    assert_int_equal(stats.published, 4);
    assert_int_equal(stats.failed, 2);
    while (swale_loop_step(loop, 0) > 0)
        ;
    assert_int_equal(a.count, 3);
    assert_int_equal(b.count, 3);
    assert_int_equal(accounted(hub), 4 * 2);
    assert_int_equal(publish(hub, NULL, "t", text, 0), 0);
    fake_done(&a);
    fake_done(&b);
}

static void takes_one_message_however_large(void **state)
{
    (void)state;
    static struct fake a;
    struct swale_hub_options options = { .max_inbox = 100 };
    make(&options);
    fake_init(&a, loop, 1);
    join(hub, "t", &a);
    char text[1001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(publish(hub, NULL, "t", text, 0), SWALE_FULL);
    assert_int_equal(publish(hub, NULL, "t", "y", 0), SWALE_ERR_QUEUE_FULL);
    while (swale_loop_step(loop, 0) > 0)
        ;
    assert_int_equal(a.count, 1);
    fake_done(&a);
}

static void note(void *argument)
{
    *(bool *)argument = true;
}

/* Other tasks of the loop run while there is still much in the inbox. */
static void lets_the_loop_turn_meanwhile(void **state)
{
    (void)state;
    enum { MESSAGES = 40000 };
    static struct fake a;
    make(NULL);
    fake_init(&a, loop, 1);
    a.refusal = SWALE_ERR_CLOSED;
    join(hub, "t", &a);
    for (int i = 0; i < MESSAGES; i++)
        assert_true(publish(hub, NULL, "t", "x", 0) >= 0);
    bool noted = false;
    assert_int_equal(swale_loop_post(loop, note, &noted), 0);
    while (!noted)
        assert_true(swale_loop_step(loop, 0) >= 0);
    assert_in_range(a.offered, 1, MESSAGES - 1);
    while (swale_loop_step(loop, 0) > 0)
        ;
    assert_int_equal(a.offered, MESSAGES);
    fake_done(&a);
}

/* The topic is gone, or another of its name is there, when a message arrives. */
static void survives_a_topic_that_goes_meanwhile(void **state)
{
    (void)state;
    static struct fake a, b;
    make(NULL);
    fake_init(&a, loop, 1);
    fake_init(&b, loop, 2);
    join(hub, "t", &a);
    publish(hub, NULL, "t", "1", 0);
    leave(hub, "t", &a);
    while (swale_loop_step(loop, 0) > 0)
        ;
    join(hub, "t", &a);
    publish(hub, NULL, "t", "2", 0);
    leave(hub, "t", &a);
    join(hub, "t", &b);
    while (swale_loop_step(loop, 0) > 0)
        ;
    assert_string_equal(fake_text(&a), "");
    assert_string_equal(fake_text(&b), "2");
    fake_done(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(puts_off_what_a_delivery_publishes),   TEST(bounds_the_inbox),
        TEST(takes_one_message_however_large),      TEST(lets_the_loop_turn_meanwhile),
        TEST(survives_a_topic_that_goes_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
