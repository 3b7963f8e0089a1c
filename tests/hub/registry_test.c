#include "test.h"

#include "fake.h"
#include "guard.h"
#include "hub/hub.h"

static const struct {
    const char *name;
    size_t size;
    bool good;
} names[] = {
    { "a", 1, true },
    { "room/1 two.three*", 17, true },
    { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, true },
    { "\xc2\xa0", 2, true },
    { "", 0, false },
    { "a\0b", 3, false },
    { "a\r\nPUBLISH x", 12, false },
    { "\x1b[2J", 4, false },
    { "a\x7f", 2, false },
    { "\xc2\x80", 2, false },
    { "a\xc2\x9f", 3, false },
    { "\xff", 1, false },
    { "\xc0\xaf", 2, false },
    { "\xed\xa0\x80", 3, false },
    { "\xf0\x9f\x98", 3, false },
    { "a\xc2", 2, false },
};

static void tells_names_from_others(void **state)
{
    (void)state;
    struct swale_hub *hub;
    assert_int_equal(swale_hub_new(&hub, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *copy = guard_copy(names[i].name, names[i].size);
        int expected = names[i].good ? 0 : SWALE_ERR_TOPIC;
        assert_int_equal(swale_hub_check(hub, swale_span(copy, names[i].size)), expected);
        guard_free(copy, names[i].size);
    }
    swale_hub_free(hub);
}

static void holds_names_to_their_limit(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'x', sizeof name);
    struct swale_hub *hub;
    assert_int_equal(swale_hub_new(&hub, NULL), 0);
    assert_int_equal(swale_hub_check(hub, swale_span(name, 255)), 0);
    assert_int_equal(swale_hub_check(hub, swale_span(name, 256)), SWALE_ERR_TOPIC);
    swale_hub_free(hub);
    assert_int_equal(swale_hub_new(&hub, &(struct swale_hub_options){ .max_topic_name = 3 }), 0);
    assert_int_equal(swale_hub_check(hub, swale_span(name, 3)), 0);
    assert_int_equal(swale_hub_check(hub, swale_span(name, 4)), SWALE_ERR_TOPIC);
    swale_hub_free(hub);
}

static void a_topic_lasts_while_it_is_used_or_configured(void **state)
{
    (void)state;
    struct swale_loop *loop;
    struct swale_hub *hub;
    static struct fake a, b;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    assert_int_equal(swale_hub_new(&hub, NULL), 0);
    assert_int_equal(swale_hub_attach(hub, loop), 0);
    fake_init(&a, loop, 1);
    fake_init(&b, loop, 2);
    join(hub, "t", &a);
    join(hub, "t", &b);
    assert_int_equal(swale__topics_count(hub), 1);
    leave(hub, "t", &a);
    assert_int_equal(swale__topics_count(hub), 1);
    leave(hub, "t", &b);
    assert_int_equal(swale__topics_count(hub), 0);
    assert_null(swale__topic_lock(hub, swale_text("t")));

    swale_hub_configure(hub, swale_text("t"), SWALE_SLOW_LATEST, 77);
    join(hub, "t", &a);
    leave(hub, "t", &a);
    struct swale__topic *topic = swale__topic_lock(hub, swale_text("t"));
    assert_non_null(topic);
    assert_int_equal(topic->policy, SWALE_SLOW_LATEST);
    assert_int_equal(topic->backlog, 77);
    swale__topic_unlock(topic);
    swale_hub_free(hub);
    swale_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_names_from_others),
        cmocka_unit_test(holds_names_to_their_limit),
        cmocka_unit_test(a_topic_lasts_while_it_is_used_or_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
