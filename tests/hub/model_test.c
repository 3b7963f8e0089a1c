/* model_test.c - random scenarios, the same done to a hub and to a model of it that is too simple to be wrong:
 * what each subscriber has queued, and every counter, must be equal at every step. */
#include "test.h"

#include "fake.h"

#include <stdio.h>

enum { LOOPS = 2, SUBSCRIBERS = 6, TOPICS = 3, BACKLOG = 12, STEPS = 3000, SEEDS = 20 };

static const enum swale_slow_policy policies[TOPICS] = { SWALE_SLOW_CLOSE, SWALE_SLOW_DROP_OLDEST,
                                                         SWALE_SLOW_LATEST };
static const char *const topic_names[TOPICS] = { "close", "oldest", "latest" };

struct item {
    int topic;
    char text[16];
};

struct model_subscriber {
    bool joined[TOPICS];
    struct item queue[FAKE_QUEUE_MAX];
    size_t count, begun;
    bool slow, closed;
};

static struct model_subscriber models[SUBSCRIBERS];
static struct fake fakes[SUBSCRIBERS];
static struct swale_hub_stats expected;
static struct swale_loop *loops[LOOPS];
static struct swale_hub *hub;

static uint64_t random_state;

static unsigned choose(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

/* ---- The model -------------------------------------------------------------------------------------- */

static size_t model_backlog(const struct model_subscriber *model)
{
    size_t bytes = 0;
    for (size_t i = 0; model->slow && i < model->count; i++)
        bytes += strlen(model->queue[i].text);
    return bytes;
}

static bool model_drop_oldest(struct model_subscriber *model, int topic)
{
    for (size_t i = model->begun; i < model->count; i++) {
        if (model->queue[i].topic != topic)
            continue;
        memmove(&model->queue[i], &model->queue[i + 1], (model->count - i - 1) * sizeof model->queue[0]);
        model->count--;
        expected.delivered--;
        expected.dropped++;
        return true;
    }
    return false;
}

static bool model_fits(const struct model_subscriber *model, const char *text)
{
    size_t waiting = model_backlog(model);
    return waiting == 0 || waiting + strlen(text) <= BACKLOG;
}

static void model_give(struct model_subscriber *model, int topic, const char *text)
{
    if (policies[topic] == SWALE_SLOW_CLOSE && !model_fits(model, text)) {
        model->closed = true;
        memset(model->joined, 0, sizeof model->joined);
        expected.closed++;
        return;
    }
    if (policies[topic] == SWALE_SLOW_DROP_OLDEST) {
        while (!model_fits(model, text)) {
            if (!model_drop_oldest(model, topic)) {
                expected.dropped++;
                return;
            }
        }
    }
    if (policies[topic] == SWALE_SLOW_LATEST && model_backlog(model) > 0) {
        while (model_drop_oldest(model, topic))
            ;
    }
    struct item *item = &model->queue[model->count++];
    item->topic = topic;
    snprintf(item->text, sizeof item->text, "%s", text);
    expected.delivered++;
}

/* ---- Steps, done to both ---------------------------------------------------------------------------- */

static void step_publish(void)
{
    static unsigned number;
    char text[16];
    int topic = (int)choose(TOPICS);
    snprintf(text, sizeof text, "%0*u", (int)(1 + choose(BACKLOG + 3)), ++number % 10);
    unsigned except = choose(2) ? choose(SUBSCRIBERS) + 1 : 0;
    struct swale_loop *from = choose(3) ? loops[choose(LOOPS)] : NULL;
    assert_true(publish(hub, from, topic_names[topic], text, except) >= 0);
    for (int n = 0; n < LOOPS; n++)
        while (swale_loop_step(loops[n], 0) > 0)
            ;
    expected.published++;
    for (unsigned i = 0; i < SUBSCRIBERS; i++)
        if (models[i].joined[topic] && i + 1 != except)
            model_give(&models[i], topic, text);
}

static void step_join(unsigned i)
{
    int topic = (int)choose(TOPICS);
    if (models[i].closed)
        return;
    assert_int_equal(join(hub, topic_names[topic], &fakes[i]), models[i].joined[topic] ? 1 : 0);
    models[i].joined[topic] = true;
}

static void step_leave(unsigned i)
{
    int topic = (int)choose(TOPICS);
    assert_int_equal(leave(hub, topic_names[topic], &fakes[i]), models[i].joined[topic] ? 0 : 1);
    models[i].joined[topic] = false;
}

static void step_read(unsigned i)
{
    struct model_subscriber *model = &models[i];
    size_t n = choose(4);
    if (n > model->count)
        n = model->count;
    fake_read(&fakes[i], n);
    memmove(model->queue, model->queue + n, (model->count - n) * sizeof model->queue[0]);
    model->count -= n;
    model->begun = fakes[i].begun = model->count && choose(2) ? 1 : 0;
}

/* Goes for good, and another takes its place. */
static void step_replace(unsigned i)
{
    fake_done(&fakes[i]);
    fake_init(&fakes[i], loops[i % LOOPS], i + 1);
    models[i] = (struct model_subscriber){ 0 };
    models[i].slow = fakes[i].slow = choose(2);
}

static void step(void)
{
    unsigned i = choose(SUBSCRIBERS);
    switch (choose(12)) {
    case 0:
        step_replace(i);
        break;
    case 1:
    case 2:
        step_join(i);
        break;
    case 3:
        step_leave(i);
        break;
    case 4:
    case 5:
        step_read(i);
        break;
    default:
        step_publish();
    }
}

static void compare_queue(unsigned i)
{
    assert_int_equal(fakes[i].count, models[i].count);
    assert_int_equal(fakes[i].failed != 0, models[i].closed);
    for (size_t k = 0; k < fakes[i].count; k++) {
        struct swale_span payload = swale_shared_payload(fakes[i].queue[k].message);
        assert_true(swale_span_equal(payload, swale_text(models[i].queue[k].text)));
    }
}

static void compare(void)
{
    uint64_t subscriptions = 0, topics = 0;
    for (unsigned i = 0; i < SUBSCRIBERS; i++)
        compare_queue(i);
    for (int topic = 0; topic < TOPICS; topic++) {
        size_t members = 0;
        for (unsigned i = 0; i < SUBSCRIBERS; i++)
            members += models[i].joined[topic];
        assert_int_equal(swale_hub_subscribers(hub, swale_text(topic_names[topic])), members);
        subscriptions += members;
        topics += members > 0 || policies[topic] != SWALE_SLOW_CLOSE;
    }
    struct swale_hub_stats stats;
    swale_hub_stats(hub, &stats);
    assert_int_equal(stats.topics, topics);
    assert_int_equal(stats.subscriptions, subscriptions);
    assert_int_equal(stats.published, expected.published);
    assert_int_equal(stats.delivered, expected.delivered);
    assert_int_equal(stats.dropped, expected.dropped);
    assert_int_equal(stats.closed, expected.closed);
    assert_int_equal(stats.failed, 0);
}

static void run_scenario(uint64_t seed)
{
    random_state = seed;
    expected = (struct swale_hub_stats){ 0 };
    assert_int_equal(swale_hub_new(&hub, &(struct swale_hub_options){ .backlog = BACKLOG }), 0);
    for (int n = 0; n < LOOPS; n++)
        assert_int_equal(swale_hub_attach(hub, loops[n]), 0);
    for (int topic = 0; topic < TOPICS; topic++)
        if (policies[topic] != SWALE_SLOW_CLOSE)
            assert_int_equal(swale_hub_configure(hub, swale_text(topic_names[topic]), policies[topic], 0), 0);
    for (unsigned i = 0; i < SUBSCRIBERS; i++)
        step_replace(i);
    for (int i = 0; i < STEPS; i++) {
        step();
        compare();
    }
    assert_true(expected.closed > 0 && expected.dropped > 0);
    for (unsigned i = 0; i < SUBSCRIBERS; i++)
        fake_done(&fakes[i]);
    swale_hub_free(hub);
}

static void does_as_the_model(void **state)
{
    (void)state;
    for (int n = 0; n < LOOPS; n++)
        assert_int_equal(swale_loop_new(&loops[n], NULL), 0);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_scenario(seed);
    for (int n = 0; n < LOOPS; n++)
        swale_loop_free(loops[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(does_as_the_model) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
