/* topics.c - names of topics, and who gets what is published on them.
 *
 * Input: one byte of options, then a script of joining, leaving, publishing, and going, on names that are in the
 * script. A name is taken as a model takes it, which decodes its characters; the model of the hub is a table of names
 * and subscribers. At times an allocation fails: then nothing may have changed. */
#include "memory.h"
#include "reference.h"

#include <swale/hub.h>

#include <errno.h>

enum { SUBSCRIBERS = 5, NAMES = 48, NAME_MAX_SIZE = 32, TOPICS_MAX = 6 };

struct subscriber {
    struct swale_subscriber is;
    struct swale_loop *loop;
    struct swale_span expected; /* what is being published; for whoever is to get it */
    bool due;
};

struct world {
    struct fuzz_input input;
    struct test_memory memory;
    struct swale_allocator allocator;
    struct swale_loop *loop;
    struct swale_hub *hub;
    struct subscriber subscribers[SUBSCRIBERS];
    struct swale_span names[NAMES];
    size_t name_count;
    bool joined[NAMES][SUBSCRIBERS], configured[NAMES];
    uint64_t published, delivered, failed;
};

/* ---- Subscribers -------------------------------------------------------------------------------------------- */

static int deliver(struct swale_subscriber *is, struct swale_shared *message, uintptr_t tag)
{
    struct subscriber *subscriber = (struct subscriber *)is;
    require(subscriber->due && tag != 0);
    require(swale_span_equal(swale_shared_payload(message), subscriber->expected));
    require(swale_shared_kind(message) == SWALE_BINARY);
    subscriber->due = false;
    return SWALE_DELIVERED;
}

static size_t backlog(const struct swale_subscriber *is)
{
    (void)is;
    return 0;
}

static size_t drop(struct swale_subscriber *is, uintptr_t tag, bool all)
{
    (void)is;
    (void)tag;
    (void)all;
    return 0;
}

static void fail(struct swale_subscriber *is, int reason)
{
    (void)is;
    (void)reason;
    require(false); /* nobody is slow */
}

static struct swale_loop *loop_of(const struct swale_subscriber *is)
{
    return ((const struct subscriber *)is)->loop;
}

static const struct swale_subscriber_ops ops = { deliver, backlog, drop, fail, loop_of };

/* As a connection does that ends. */
static void go(struct world *world, unsigned who)
{
    struct swale_subscriber *is = &world->subscribers[who].is;
    if (is->membership)
        is->membership->leave(is->membership);
    for (size_t i = 0; i < world->name_count; i++)
        world->joined[i][who] = false;
}

/* ---- The model ---------------------------------------------------------------------------------------------- */

static bool good_name(struct swale_span name)
{
    const uint8_t *text = (const uint8_t *)name.data;
    for (size_t at = 0, length; at < name.size; at += length) {
        uint32_t point;
        length = reference_character(text + at, name.size - at, &point);
        if (length == 0 || point < 32 || (point >= 127 && point < 160))
            return false;
    }
    return name.size > 0 && name.size <= NAME_MAX_SIZE;
}

static bool *members_of(struct world *world, struct swale_span name, size_t *index)
{
    for (size_t i = 0; i < world->name_count; i++) {
        if (!swale_span_equal(world->names[i], name))
            continue;
        *index = i;
        return world->joined[i];
    }
    world->names[world->name_count] = name;
    *index = world->name_count++;
    return world->joined[*index];
}

static unsigned topics_of(const struct world *world, unsigned who)
{
    unsigned count = 0;
    for (size_t i = 0; i < world->name_count; i++)
        count += world->joined[i][who];
    return count;
}

static size_t count_members(const bool *members)
{
    size_t count = 0;
    for (unsigned who = 0; who < SUBSCRIBERS; who++)
        count += members[who];
    return count;
}

/* ---- The script --------------------------------------------------------------------------------------------- */

static bool out_of_memory(const struct world *world, int result)
{
    return result == -ENOMEM && world->memory.fail_at > 0 && world->memory.allocations >= world->memory.fail_at;
}

static void join(struct world *world, struct swale_span name, bool *members, unsigned who)
{
    unsigned topics = topics_of(world, who);
    int result = swale_hub_join(world->hub, name, &world->subscribers[who].is);
    if (out_of_memory(world, result))
        return;
    int expected = members[who] ? 1 : topics == TOPICS_MAX ? SWALE_ERR_TOO_MANY : 0;
    require(result == expected);
    members[who] = members[who] || result == 0;
}

/* Without memory there may be no message at all; or one that could not be handed on, so that its deliveries failed.
 */
static bool was_published(const struct world *world)
{
    struct swale_hub_stats stats;
    swale_hub_stats(world->hub, &stats);
    return stats.published > world->published;
}

static void count_published(struct world *world, size_t delivered, size_t failed)
{
    world->published++;
    world->delivered += delivered;
    world->failed += failed;
}

static void publish(struct world *world, struct swale_span name, const bool *members, unsigned except)
{
    struct swale_span payload = fuzz_span(&world->input, fuzz_byte(&world->input) % 16);
    const struct swale_publish message = {
        .topic = name,
        .kind = SWALE_BINARY,
        .data = payload,
        .except = except < SUBSCRIBERS ? world->subscribers[except].is.id : 0,
    };
    for (unsigned who = 0; who < SUBSCRIBERS; who++) {
        world->subscribers[who].expected = payload;
        world->subscribers[who].due = members[who] && who != except;
    }
    size_t all = count_members(members), count = all - (except < SUBSCRIBERS && members[except]);
    int result = swale_hub_publish(world->hub, &message);
    if (result == 0) /* outside of a turn it waits for the next */
        require(swale_loop_step(world->loop, 0) >= 0);
    else
        require(out_of_memory(world, result));
    for (unsigned who = 0; who < SUBSCRIBERS; who++)
        require(!world->subscribers[who].due || result < 0);
    if (result == 0)
        count_published(world, count, 0);
    else if (was_published(world))
        count_published(world, 0, all);
}

static void refuse(struct world *world, struct swale_span name)
{
    struct swale_subscriber *is = &world->subscribers[0].is;
    const struct swale_publish message = { .topic = name, .kind = SWALE_TEXT };
    require(swale_hub_join(world->hub, name, is) == SWALE_ERR_TOPIC);
    require(swale_hub_leave(world->hub, name, is) == SWALE_ERR_TOPIC);
    require(swale_hub_publish(world->hub, &message) == SWALE_ERR_TOPIC);
    require(swale_hub_configure(world->hub, name, SWALE_SLOW_CLOSE, 0) == SWALE_ERR_TOPIC);
}

static void act(struct world *world, struct swale_span name, unsigned what, unsigned who)
{
    size_t index;
    bool *members = members_of(world, name, &index);
    int result;
    switch (what) {
    case 0:
    case 1:
        join(world, name, members, who % SUBSCRIBERS);
        break;
    case 2:
        result = swale_hub_leave(world->hub, name, &world->subscribers[who % SUBSCRIBERS].is);
        require(result == (members[who % SUBSCRIBERS] ? 0 : 1));
        members[who % SUBSCRIBERS] = false;
        break;
    case 3:
    case 4:
        publish(world, name, members, who);
        break;
    case 5:
        go(world, who % SUBSCRIBERS);
        break;
    case 6:
        world->memory.fail_at = world->memory.allocations + 1 + who % 8;
        break;
    default:
        result = swale_hub_configure(world->hub, name, (enum swale_slow_policy)(who % 3), 0);
        require(result == 0 || out_of_memory(world, result));
        world->configured[index] |= result == 0;
        break;
    }
    require(swale_hub_subscribers(world->hub, name) == count_members(members));
}

static void check(const struct world *world)
{
    struct swale_hub_stats stats;
    uint64_t topics = 0, subscriptions = 0;
    swale_hub_stats(world->hub, &stats);
    for (size_t i = 0; i < world->name_count; i++) {
        size_t members = count_members(world->joined[i]);
        topics += members > 0 || world->configured[i];
        subscriptions += members;
    }
    require(stats.topics == topics && stats.subscriptions == subscriptions);
    require(stats.published == world->published && stats.delivered == world->delivered);
    require(stats.dropped == 0 && stats.closed == 0 && stats.failed == world->failed);
}

/* ---- One input ---------------------------------------------------------------------------------------------- */

static void begin(struct world *world)
{
    world->allocator = test_allocator(&world->memory);
    const struct swale_loop_options loop = { .allocator = &world->allocator };
    const struct swale_hub_options hub = { .allocator = &world->allocator,
                                           .max_topic_name = NAME_MAX_SIZE,
                                           .max_topics_per_subscriber = TOPICS_MAX };
    require(swale_loop_new(&world->loop, &loop) == 0 && swale_hub_new(&world->hub, &hub) == 0);
    require(swale_hub_attach(world->hub, world->loop) == 0);
    for (unsigned who = 0; who < SUBSCRIBERS; who++)
        world->subscribers[who] = (struct subscriber){ .is = { .ops = &ops, .id = who + 1 }, .loop = world->loop };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    world = (struct world){ .input = { data, data + size } };
    begin(&world);
    while (world.input.at < world.input.end && world.name_count < NAMES) {
        unsigned what = fuzz_byte(&world.input), who = fuzz_byte(&world.input);
        struct swale_span name = fuzz_span(&world.input, what / 8);
        bool good = good_name(name);
        require(swale_hub_check(world.hub, name) == (good ? 0 : SWALE_ERR_TOPIC));
        if (good)
            act(&world, name, what % 8, who);
        else
            refuse(&world, name);
        check(&world);
    }
    for (unsigned who = 0; who < SUBSCRIBERS; who++)
        go(&world, who);
    check(&world);
    swale_hub_free(world.hub);
    swale_loop_free(world.loop);
    require(world.memory.blocks == 0);
    return 0;
}
