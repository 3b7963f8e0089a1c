#include "test.h"

#include "fake.h"
#include "memory.h"

#include <errno.h>

struct scene {
    struct swale_loop *loops[2];
    struct swale_hub *hub;
    struct fake a, b; /* on the first loop and on the second */
};

static int set_up(void **state)
{
    static struct scene scene;
    for (int n = 0; n < 2; n++)
        assert_int_equal(swale_loop_new(&scene.loops[n], NULL), 0);
    assert_int_equal(swale_hub_new(&scene.hub, NULL), 0);
    for (int n = 0; n < 2; n++)
        assert_int_equal(swale_hub_attach(scene.hub, scene.loops[n]), 0);
    fake_init(&scene.a, scene.loops[0], 1);
    fake_init(&scene.b, scene.loops[1], 2);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    fake_done(&scene->a);
    fake_done(&scene->b);
    swale_hub_free(scene->hub);
    for (int n = 0; n < 2; n++)
        swale_loop_free(scene->loops[n]);
    return 0;
}

static void settle(struct scene *scene)
{
    for (int n = 0; n < 2; n++)
        while (swale_loop_step(scene->loops[n], 0) > 0)
            ;
}

static void refuses_a_policy_that_there_is_not(void **state)
{
    struct scene *scene = *state;
    struct swale_hub *hub;
    struct swale_hub_options options = { .policy = (enum swale_slow_policy)9 };
    assert_int_equal(swale_hub_new(&hub, &options), SWALE_ERR_INVALID);
    assert_int_equal(swale_hub_configure(scene->hub, swale_text("t"), (enum swale_slow_policy)9, 0),
                     SWALE_ERR_INVALID);
    struct swale_hub_stats stats;
    swale_hub_stats(scene->hub, &stats);
    assert_int_equal(stats.topics, 0);
}

static void attaches_each_loop_once_and_no_more_than_it_can(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(swale_hub_attach(scene->hub, scene->loops[1]), SWALE_ERR_STATE);
    static char places[256]; /* attaching does not look into a loop */
    struct swale_hub *hub;
    assert_int_equal(swale_hub_new(&hub, NULL), 0);
    for (size_t n = 0; n < COUNT_OF(places); n++)
        assert_int_equal(swale_hub_attach(hub, (struct swale_loop *)(void *)&places[n]), 0);
    assert_int_equal(swale_hub_attach(hub, scene->loops[0]), SWALE_ERR_TOO_MANY);
    swale_hub_free(hub);
}

static void delivers_at_once_on_the_own_loop_and_later_on_others(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(join(scene->hub, "t", &scene->a), 0);
    assert_int_equal(join(scene->hub, "t", &scene->b), 0);
    assert_int_equal(swale_hub_subscribers(scene->hub, swale_text("t")), 2);
    assert_int_equal(publish(scene->hub, scene->loops[0], "t", "x", 0), 0);
    assert_string_equal(fake_text(&scene->a), "x");
    assert_string_equal(fake_text(&scene->b), "");
    settle(scene);
    assert_string_equal(fake_text(&scene->a), "x");
    assert_string_equal(fake_text(&scene->b), "x");
}

static void delivers_from_a_foreign_thread(void **state)
{
    struct scene *scene = *state;
    join(scene->hub, "t", &scene->a);
    join(scene->hub, "t", &scene->b);
    assert_int_equal(publish(scene->hub, NULL, "t", "x", 0), 0);
    assert_int_equal(scene->a.count + scene->b.count, 0);
    settle(scene);
    assert_string_equal(fake_text(&scene->a), "x");
    assert_string_equal(fake_text(&scene->b), "x");
}

/* Encoded once: both loops hold the very same message. */
static void shares_one_message(void **state)
{
    struct scene *scene = *state;
    join(scene->hub, "t", &scene->a);
    join(scene->hub, "t", &scene->b);
    publish(scene->hub, scene->loops[0], "t", "x", 0);
    settle(scene);
    assert_ptr_equal(scene->a.queue[0].message, scene->b.queue[0].message);
    assert_int_equal(swale_shared_kind(scene->a.queue[0].message), SWALE_TEXT);
}

static void leaves_out_the_excepted(void **state)
{
    struct scene *scene = *state;
    join(scene->hub, "t", &scene->a);
    join(scene->hub, "t", &scene->b);
    publish(scene->hub, scene->loops[0], "t", "1", scene->a.subscriber.id);
    publish(scene->hub, scene->loops[0], "t", "2", scene->b.subscriber.id);
    publish(scene->hub, NULL, "t", "3", scene->b.subscriber.id);
    settle(scene);
    assert_string_equal(fake_text(&scene->a), "2 3");
    assert_string_equal(fake_text(&scene->b), "1");
}

static void keeps_topics_apart(void **state)
{
    struct scene *scene = *state;
    join(scene->hub, "t", &scene->a);
    join(scene->hub, "u", &scene->b);
    publish(scene->hub, NULL, "t", "1", 0);
    publish(scene->hub, NULL, "u", "2", 0);
    publish(scene->hub, NULL, "v", "3", 0);
    settle(scene);
    assert_string_equal(fake_text(&scene->a), "1");
    assert_string_equal(fake_text(&scene->b), "2");
}

static void keeps_the_order_of_a_publisher(void **state)
{
    struct scene *scene = *state;
    join(scene->hub, "t", &scene->a);
    join(scene->hub, "t", &scene->b);
    for (char text[] = "0"; text[0] <= '9'; text[0]++)
        publish(scene->hub, scene->loops[1], "t", text, 0);
    settle(scene);
    assert_string_equal(fake_text(&scene->a), "0 1 2 3 4 5 6 7 8 9");
    assert_string_equal(fake_text(&scene->b), "0 1 2 3 4 5 6 7 8 9");
}

static void refuses_bad_names_and_changes_nothing(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(publish(scene->hub, NULL, "", "x", 0), SWALE_ERR_TOPIC);
    assert_int_equal(publish(scene->hub, NULL, "a\nb", "x", 0), SWALE_ERR_TOPIC);
    assert_int_equal(swale_hub_configure(scene->hub, swale_text("\xff"), SWALE_SLOW_LATEST, 0), SWALE_ERR_TOPIC);
    struct swale_hub_stats stats;
    swale_hub_stats(scene->hub, &stats);
    assert_int_equal(stats.published, 0);
    assert_int_equal(stats.topics, 0);
}

static void counts(void **state)
{
    struct scene *scene = *state;
    join(scene->hub, "t", &scene->a);
    join(scene->hub, "t", &scene->b);
    join(scene->hub, "u", &scene->b);
    swale_hub_configure(scene->hub, swale_text("v"), SWALE_SLOW_LATEST, 10);
    publish(scene->hub, NULL, "t", "1", 0);
    publish(scene->hub, scene->loops[0], "t", "2", 0);
    publish(scene->hub, NULL, "nobody", "3", 0);
    settle(scene);
    scene->b.refusal = -ENOMEM;
    publish(scene->hub, scene->loops[1], "u", "4", 0);
    struct swale_hub_stats stats;
    swale_hub_stats(scene->hub, &stats);
    assert_int_equal(stats.topics, 3);
    assert_int_equal(stats.subscriptions, 3);
    assert_int_equal(stats.published, 4);
    assert_int_equal(stats.delivered, 4);
    assert_int_equal(stats.failed, 1);
    fake_done(&scene->a);
    fake_done(&scene->b);
    swale_hub_stats(scene->hub, &stats);
    assert_int_equal(stats.topics, 1);
    assert_int_equal(stats.subscriptions, 0);
    assert_int_equal(swale_hub_subscribers(scene->hub, swale_text("t")), 0);
}

/* Freed with members, and with messages on their way. The loops are not stepped any more. */
static void frees_what_is_left(void **state)
{
    struct scene *scene = *state;
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_hub *hub;
    assert_int_equal(swale_hub_new(&hub, &(struct swale_hub_options){ .allocator = &allocator }), 0);
    assert_int_equal(swale_hub_attach(hub, scene->loops[0]), 0);
    assert_int_equal(join(hub, "t", &scene->a), 0);
    assert_int_equal(join(hub, "u", &scene->a), 0);
    assert_int_equal(swale_hub_configure(hub, swale_text("v"), SWALE_SLOW_LATEST, 0), 0);
    assert_int_equal(publish(hub, NULL, "t", "x", 0), 0);
    assert_int_equal(publish(hub, NULL, "t", "y", 0), 0);
    swale_hub_free(hub);
    assert_int_equal(memory.blocks, 0);
    assert_null(scene->a.subscriber.membership);
}

/* One attempt with the nth allocation failing: whatever fails says so, and what was said to work works. */
static uint64_t attempt(struct scene *scene, uint64_t n)
{
    struct test_memory memory = { .fail_at = n };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_hub *hub;
    if (swale_hub_new(&hub, &(struct swale_hub_options){ .allocator = &allocator }) < 0)
        return memory.allocations;
    struct fake fakes[2];
    size_t joined = 0;
    for (int i = 0; i < 2; i++) {
        int error = swale_hub_attach(hub, scene->loops[i]);
        assert_true(error == 0 || error == -ENOMEM);
        fake_init(&fakes[i], scene->loops[i], (uint64_t)i + 1);
        int result = join(hub, "t", &fakes[i]);
        assert_true(result == 0 || result == -ENOMEM || (error < 0 && result == SWALE_ERR_STATE));
        joined += result == 0;
    }
    assert_int_equal(swale_hub_subscribers(hub, swale_text("t")), joined);
    int result = publish(hub, scene->loops[0], "t", "x", 0);
    assert_true(result == 0 || result == -ENOMEM);
    settle(scene);
    struct swale_hub_stats stats;
    swale_hub_stats(hub, &stats);
    assert_int_equal(accounted(hub), stats.published * joined);
    if (result == 0)
        assert_int_equal(fakes[0].count + fakes[1].count, joined);
    for (int i = 0; i < 2; i++)
        fake_done(&fakes[i]);
    swale_hub_free(hub);
    assert_int_equal(memory.blocks, 0);
    return memory.allocations;
}

static void survives_failing_allocations(void **state)
{
    uint64_t n = 1;
    while (attempt(*state, n) >= n)
        n++;
    assert_true(n > 8);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(refuses_a_policy_that_there_is_not),
        TEST(attaches_each_loop_once_and_no_more_than_it_can),
        TEST(delivers_at_once_on_the_own_loop_and_later_on_others),
        TEST(delivers_from_a_foreign_thread),
        TEST(shares_one_message),
        TEST(leaves_out_the_excepted),
        TEST(keeps_topics_apart),
        TEST(keeps_the_order_of_a_publisher),
        TEST(refuses_bad_names_and_changes_nothing),
        TEST(counts),
        TEST(frees_what_is_left),
        TEST(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
