/* hub.c - a hub as its user sees it: making one, configuring, publishing, figures. */
#include "hub/hub.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/random.h>

static const uint64_t default_backlog = 256 * 1024;
static const uint64_t default_max_inbox = 16 * 1024 * 1024;
static const uint32_t default_max_topic_name = 255;
static const uint32_t default_max_topics = 128;

static bool policy_known(enum swale_slow_policy policy)
{
    return policy == SWALE_SLOW_CLOSE || policy == SWALE_SLOW_DROP_OLDEST || policy == SWALE_SLOW_LATEST;
}

static struct swale_hub_options resolve(const struct swale_hub_options *given)
{
    struct swale_hub_options options = given ? *given : (struct swale_hub_options){ 0 };
    if (options.backlog == 0)
        options.backlog = default_backlog;
    if (options.max_inbox == 0)
        options.max_inbox = default_max_inbox;
    if (options.max_topic_name == 0)
        options.max_topic_name = default_max_topic_name;
    if (options.max_topics_per_subscriber == 0)
        options.max_topics_per_subscriber = default_max_topics;
    return options;
}

int swale_hub_new(struct swale_hub **made, const struct swale_hub_options *given)
{
    struct swale_hub_options options = resolve(given);
    if (!policy_known(options.policy))
        return SWALE_ERR_INVALID;
    unsigned char seed[16];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return errno ? -errno : -EIO;
    struct swale_hub *hub = swale__alloc_zeroed(options.allocator, sizeof *hub);
    if (!hub)
        return -ENOMEM;
    hub->options = options;
    hub->allocator = options.allocator;
    swale__map_init(&hub->topics, hub->allocator, seed);
    pthread_mutex_init(&hub->lock, NULL);
    *made = hub;
    return 0;
}

static size_t shard_count(const struct swale_hub *hub)
{
    return atomic_load_explicit(&hub->shard_count, memory_order_acquire);
}

void swale_hub_free(struct swale_hub *hub)
{
    if (!hub)
        return;
    for (size_t n = 0; n < shard_count(hub); n++)
        swale__shard_free(hub->shards[n]);
    swale__topics_free(hub);
    pthread_mutex_destroy(&hub->lock);
    swale__free(hub->allocator, hub, sizeof *hub);
}

static int attach(struct swale_hub *hub, struct swale_loop *loop)
{
    size_t count = shard_count(hub);
    if (swale__shard_of(hub, loop))
        return SWALE_ERR_STATE;
    if (count == SWALE__SHARDS_MAX)
        return SWALE_ERR_TOO_MANY;
    int error = swale__shard_new(&hub->shards[count], hub, loop);
    if (error == 0)
        atomic_store_explicit(&hub->shard_count, count + 1, memory_order_release);
    return error;
}

int swale_hub_attach(struct swale_hub *hub, struct swale_loop *loop)
{
    pthread_mutex_lock(&hub->lock);
    int error = attach(hub, loop);
    pthread_mutex_unlock(&hub->lock);
    return error;
}

int swale_hub_configure(struct swale_hub *hub, struct swale_span topic, enum swale_slow_policy policy,
                        uint64_t backlog)
{
    int error = swale_hub_check(hub, topic);
    if (error < 0)
        return error;
    if (!policy_known(policy))
        return SWALE_ERR_INVALID;
    return swale__topic_configure(hub, topic, policy, backlog ? backlog : hub->options.backlog);
}

/* The graver of two results of a send: an error outdoes SWALE_FULL, which outdoes 0. */
static int graver(int a, int b)
{
    if (a < 0)
        return a;
    return b < 0 || b > a ? b : a;
}

/* Sends a parcel to every shard of the topic but `own`. */
static int send_to_others(struct swale__topic *topic, const struct swale__shard *own, struct swale_shared *message,
                          uint64_t except)
{
    int result = 0;
    for (struct swale__list *node = topic->locals.next; node != &topic->locals; node = node->next) {
        struct swale__local *local = SWALE__LIST_OWNER(node, struct swale__local, in_topic);
        if (local->shard == own)
            continue;
        int sent = swale__shard_send(local->shard, topic->name, message, except);
        if (sent < 0)
            atomic_fetch_add_explicit(&topic->hub->unreached,
                                      atomic_load_explicit(&local->count, memory_order_relaxed),
                                      memory_order_relaxed);
        result = graver(result, sent);
    }
    return result;
}

/* As swale__topic_lock; a topic that this thread has subscribers of is found without the registry's lock. */
static struct swale__topic *lock_topic(struct swale_hub *hub, struct swale__local *local, struct swale_span name)
{
    if (!local)
        return swale__topic_lock(hub, name);
    pthread_mutex_lock(&local->topic->lock);
    return local->topic;
}

/* The others first, so that their loops are at work while this one is. */
static int spread(struct swale_hub *hub, const struct swale_publish *publish, struct swale_shared *message)
{
    struct swale__shard *own = swale__shard_here(hub);
    struct swale__local *local = own ? swale__local_find(own, publish->topic) : NULL;
    int result = 0;
    struct swale__topic *topic = lock_topic(hub, local, publish->topic);
    if (topic) {
        result = send_to_others(topic, own, message, publish->except);
        swale__topic_unlock(topic);
    }
    if (local)
        result = graver(result, swale__local_publish(local, message, publish->except));
    return result;
}

int swale_hub_publish(struct swale_hub *hub, const struct swale_publish *publish)
{
    int error = swale_hub_check(hub, publish->topic);
    if (error < 0)
        return error;
    struct swale_shared *message;
    error = swale_shared_new(&message, hub->allocator, publish->kind, publish->data.data, publish->data.size);
    if (error < 0)
        return error;
    atomic_fetch_add_explicit(&hub->published, 1, memory_order_relaxed);
    int result = spread(hub, publish, message);
    swale_shared_unref(message);
    return result;
}

size_t swale_hub_subscribers(const struct swale_hub *hub, struct swale_span name)
{
    struct swale__topic *topic = swale__topic_lock(hub, name);
    if (!topic)
        return 0;
    size_t count = 0;
    for (struct swale__list *node = topic->locals.next; node != &topic->locals; node = node->next) {
        struct swale__local *local = SWALE__LIST_OWNER(node, struct swale__local, in_topic);
        count += atomic_load_explicit(&local->count, memory_order_relaxed);
    }
    swale__topic_unlock(topic);
    return count;
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void swale_hub_stats(const struct swale_hub *hub, struct swale_hub_stats *stats)
{
    *stats = (struct swale_hub_stats){
        .topics = swale__topics_count(hub),
        .published = read_counter(&hub->published),
        .failed = read_counter(&hub->unreached),
    };
    for (size_t n = 0; n < shard_count(hub); n++) {
        const struct swale__shard_counters *counters = &hub->shards[n]->counters;
        stats->subscriptions += read_counter(&counters->subscriptions);
        stats->delivered += read_counter(&counters->delivered);
        stats->dropped += read_counter(&counters->dropped);
        stats->closed += read_counter(&counters->closed);
        stats->failed += read_counter(&counters->failed);
    }
}
