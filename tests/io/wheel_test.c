#include "test.h"

#include "io/wheel.h"

#include <stdlib.h>

/* ---- A small deterministic source of numbers --------------------------------------------------------- */

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (seed >> 20) % below;
}

/* ---- Against a naive model --------------------------------------------------------------------------- */

enum { TIMERS = 200 };

struct model {
    struct swale__wheel wheel;
    struct swale_timer timers[TIMERS];
    bool expected[TIMERS]; /* the naive model: running or not; when, is in due_ms */
    uint64_t now, last_due;
    int fired;
};

static void fire(struct swale_timer *timer)
{
    struct model *model = timer->context;
    size_t index = (size_t)(timer - model->timers);
    assert_true(model->expected[index]);
    assert_false(swale_timer_running(timer));
    assert_true(timer->due_ms <= model->now);
    assert_true(timer->due_ms >= model->last_due);
    model->last_due = timer->due_ms;
    model->expected[index] = false;
    model->fired++;
}

static uint64_t draw_delay(void)
{
    switch (draw(4)) {
    case 0:
        return draw(3);
    case 1:
        return draw(200);
    case 2:
        return draw(100000);
    default:
        return UINT64_C(1) << draw(40);
    }
}

static uint64_t earliest(const struct model *model)
{
    uint64_t first = UINT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        if (model->expected[i] && model->timers[i].due_ms < first)
            first = model->timers[i].due_ms;
    return first;
}

static void check_model(struct model *model)
{
    int due = 0;
    for (int i = 0; i < TIMERS; i++)
        due += model->expected[i] && model->timers[i].due_ms <= model->now;
    model->fired = 0;
    model->last_due = 0;
    assert_int_equal(swale__wheel_fire(&model->wheel, model->now), due);
    assert_int_equal(model->fired, due);
    uint64_t running = 0;
    for (int i = 0; i < TIMERS; i++) {
        assert_true(model->expected[i] == swale_timer_running(&model->timers[i]));
        running += model->expected[i];
    }
    assert_int_equal(model->wheel.running, running);
    uint64_t next = swale__wheel_next(&model->wheel);
    uint64_t first = earliest(model);
    assert_true(next <= first);
    assert_true((next == UINT64_MAX) == (first == UINT64_MAX));
    assert_true(next > model->now);
}

static void random_starts_and_stops_agree_with_a_naive_model(void **state)
{
    (void)state;
    static struct model model;
    for (seed = 1; seed < 20; seed++) {
        uint64_t round = seed;
        memset(&model, 0, sizeof model);
        model.now = draw(UINT64_C(1) << 40);
        swale__wheel_init(&model.wheel, model.now);
        for (int i = 0; i < TIMERS; i++)
            model.timers[i] = (struct swale_timer){ .fire = fire, .context = &model };
        for (int step = 0; step < 3000; step++) {
            size_t i = (size_t)draw(TIMERS);
            if (draw(4) == 0) {
                swale__wheel_stop(&model.wheel, &model.timers[i]);
                model.expected[i] = false;
            } else {
                swale__wheel_start(&model.wheel, &model.timers[i], model.now + draw_delay());
                model.expected[i] = true;
            }
            if (draw(3) == 0) {
                model.now += draw_delay();
                check_model(&model);
            }
        }
        seed = round;
    }
}

/* The hops that swale__wheel_next asks for end exactly at the due time, after at most one per level. */
static void next_leads_to_the_due_time(void **state)
{
    (void)state;
    static struct model model;
    for (int bits = 0; bits < 60; bits++) {
        memset(&model, 0, sizeof model);
        model.now = 123456789;
        swale__wheel_init(&model.wheel, model.now);
        model.timers[0] = (struct swale_timer){ .fire = fire, .context = &model };
        model.expected[0] = true;
        uint64_t due = model.now + (UINT64_C(1) << bits);
        swale__wheel_start(&model.wheel, &model.timers[0], due);
        int hops = 0;
        while (model.expected[0]) {
            model.now = swale__wheel_next(&model.wheel);
            assert_true(model.now <= due);
            swale__wheel_fire(&model.wheel, model.now);
            hops++;
        }
        assert_int_equal(model.now, due);
        assert_true(hops <= SWALE__WHEEL_LEVELS);
    }
}

static void a_jump_to_the_end_of_time_fires_all_in_order(void **state)
{
    (void)state;
    static struct model model;
    memset(&model, 0, sizeof model);
    swale__wheel_init(&model.wheel, 5);
    for (int i = 0; i < 60; i++) {
        model.timers[i] = (struct swale_timer){ .fire = fire, .context = &model };
        model.expected[i] = true;
        swale__wheel_start(&model.wheel, &model.timers[i], UINT64_C(7) << i);
    }
    model.now = UINT64_MAX - 1;
    assert_int_equal(swale__wheel_fire(&model.wheel, model.now), 60);
    assert_int_equal(swale__wheel_next(&model.wheel), UINT64_MAX);
}

/* ---- Starting and stopping from within ---------------------------------------------------------------- */

struct group {
    struct swale__wheel wheel;
    struct swale_timer timers[8];
    int fired[8];
    int restart; /* as many of the later timers are moved */
};

static struct group *group_of(struct swale_timer *timer, size_t *index)
{
    struct group *group = timer->context;
    *index = (size_t)(timer - group->timers);
    group->fired[*index]++;
    return group;
}

static void stop_all_others(struct swale_timer *timer)
{
    size_t index;
    struct group *group = group_of(timer, &index);
    for (size_t i = 0; i < COUNT_OF(group->timers); i++)
        swale__wheel_stop(&group->wheel, &group->timers[i]);
}

static void restart_at_once(struct swale_timer *timer)
{
    size_t index;
    struct group *group = group_of(timer, &index);
    swale__wheel_start(&group->wheel, timer, group->wheel.time);
}

static void move_last_away(struct swale_timer *timer)
{
    size_t index;
    struct group *group = group_of(timer, &index);
    size_t last = COUNT_OF(group->timers) - 1;
    if (index != last)
        swale__wheel_start(&group->wheel, &group->timers[last], group->wheel.time + 1000);
}

static void start_group(struct group *group, void (*run)(struct swale_timer *), uint64_t first_due)
{
    memset(group, 0, sizeof *group);
    swale__wheel_init(&group->wheel, 1000);
    for (size_t i = 0; i < COUNT_OF(group->timers); i++) {
        group->timers[i] = (struct swale_timer){ .fire = run, .context = group };
        swale__wheel_start(&group->wheel, &group->timers[i], first_due + i);
    }
}

static int fired_in_all(const struct group *group)
{
    int sum = 0;
    for (size_t i = 0; i < COUNT_OF(group->fired); i++)
        sum += group->fired[i];
    return sum;
}

static void a_timer_may_stop_others_that_are_due(void **state)
{
    (void)state;
    static struct group group;
    uint64_t dues[] = { 900, 1001, 1060, 5000 }; /* late, and on three levels */
    for (size_t i = 0; i < COUNT_OF(dues); i++) {
        start_group(&group, stop_all_others, dues[i]);
        assert_int_equal(swale__wheel_fire(&group.wheel, 100000), 1);
        assert_int_equal(fired_in_all(&group), 1);
        assert_int_equal(swale__wheel_next(&group.wheel), UINT64_MAX);
    }
}

static void a_timer_that_restarts_at_once_waits_for_the_next_fire(void **state)
{
    (void)state;
    static struct group group;
    start_group(&group, restart_at_once, 1001);
    for (int round = 1; round < 5; round++) {
        assert_int_equal(swale__wheel_fire(&group.wheel, 2000), 8);
        assert_int_equal(fired_in_all(&group), 8 * round);
        assert_int_equal(swale__wheel_next(&group.wheel), 0);
    }
}

static void a_timer_may_move_one_that_is_due(void **state)
{
    (void)state;
    static struct group group;
    start_group(&group, move_last_away, 1001);
    assert_int_equal(swale__wheel_fire(&group.wheel, 2000), 7);
    assert_int_equal(group.fired[7], 0);
    assert_int_equal(swale__wheel_fire(&group.wheel, 2999), 0);
    assert_int_equal(swale__wheel_fire(&group.wheel, 3000), 1);
    assert_int_equal(group.fired[7], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_starts_and_stops_agree_with_a_naive_model),
        cmocka_unit_test(next_leads_to_the_due_time),
        cmocka_unit_test(a_jump_to_the_end_of_time_fires_all_in_order),
        cmocka_unit_test(a_timer_may_stop_others_that_are_due),
        cmocka_unit_test(a_timer_that_restarts_at_once_waits_for_the_next_fire),
        cmocka_unit_test(a_timer_may_move_one_that_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
