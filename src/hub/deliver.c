/* deliver.c - giving one message to the members of one topic, and what happens to those that are slow.
 *
 * A subscriber may do anything while it is called: leave, make others leave or join, publish. So the walk
 * goes by index, leaving only empties a place, and nothing of a member is touched behind a call.
 *
 * The figures: each call of `give` adds exactly one to delivered, dropped, closed or failed, and each message
 * taken back moves one from delivered to dropped. */
#include "hub/hub.h"

struct delivery {
    struct swale__shard *shard;
    struct swale_shared *message;
    uintptr_t tag;
    size_t size;
    uint64_t backlog;
    enum swale_slow_policy policy;
};

/* Queues the message when it is within the backlog. One that keeps up takes any message. */
static int offer(const struct delivery *delivery, struct swale_subscriber *subscriber)
{
    size_t waiting = subscriber->ops->backlog(subscriber);
    if (waiting > 0 && (waiting > delivery->backlog || delivery->size > delivery->backlog - waiting))
        return SWALE_ERR_QUEUE_FULL;
    return subscriber->ops->deliver(subscriber, delivery->message, delivery->tag);
}

static size_t take_back(const struct delivery *delivery, struct swale_subscriber *subscriber, bool all)
{
    size_t taken = subscriber->ops->drop(subscriber, delivery->tag, all);
    swale__count(&delivery->shard->counters.delivered, (uint64_t)0 - taken);
    swale__count(&delivery->shard->counters.dropped, taken);
    return taken;
}

/* Makes room at the expense of the topic's own older messages. Those of other topics stay: when they alone
 * fill the backlog, this message is the one that is dropped. */
static int offer_dropping_oldest(const struct delivery *delivery, struct swale_subscriber *subscriber)
{
    int result = offer(delivery, subscriber);
    while (result == SWALE_ERR_QUEUE_FULL && take_back(delivery, subscriber, false) > 0)
        result = offer(delivery, subscriber);
    return result;
}

static int offer_as_latest(const struct delivery *delivery, struct swale_subscriber *subscriber)
{
    if (subscriber->ops->backlog(subscriber) > 0)
        take_back(delivery, subscriber, true);
    return subscriber->ops->deliver(subscriber, delivery->message, delivery->tag);
}

/* It leaves before it is told, since it may be gone afterwards. */
static void end(const struct delivery *delivery, struct swale_subscriber *subscriber)
{
    swale_hub_leave_all(delivery->shard->hub, subscriber);
    subscriber->ops->fail(subscriber, SWALE_ERR_SLOW_READER);
}

static int offer_by_policy(const struct delivery *delivery, struct swale_subscriber *subscriber)
{
    switch (delivery->policy) {
    case SWALE_SLOW_DROP_OLDEST:
        return offer_dropping_oldest(delivery, subscriber);
    case SWALE_SLOW_LATEST:
        return offer_as_latest(delivery, subscriber);
    case SWALE_SLOW_CLOSE:
        break;
    }
    return offer(delivery, subscriber);
}

static void give(const struct delivery *delivery, struct swale_subscriber *subscriber)
{
    struct swale__shard_counters *counters = &delivery->shard->counters;
    int result = offer_by_policy(delivery, subscriber);
    if (result >= 0) {
        swale__count(&counters->delivered, 1);
    } else if (result != SWALE_ERR_QUEUE_FULL) {
        swale__count(&counters->failed, 1);
    } else if (delivery->policy == SWALE_SLOW_CLOSE) {
        swale__count(&counters->closed, 1);
        end(delivery, subscriber);
    } else {
        swale__count(&counters->dropped, 1);
    }
}

/* Closes the gaps that were left during the walk. */
static void close_gaps(struct swale__local *local)
{
    size_t kept = 0;
    for (size_t i = 0; i < local->used; i++) {
        if (!local->places[i].subscriber)
            continue;
        local->places[kept] = local->places[i];
        local->places[kept].member->place = kept;
        kept++;
    }
    local->used = kept;
}

void swale__local_deliver(struct swale__local *local, struct swale_shared *message, uint64_t except)
{
    struct delivery delivery = {
        .shard = local->shard,
        .message = message,
        .tag = local->tag,
        .size = swale_shared_payload(message).size,
        .backlog = atomic_load_explicit(&local->topic->backlog, memory_order_relaxed),
        .policy = (enum swale_slow_policy)atomic_load_explicit(&local->topic->policy, memory_order_relaxed),
    };
    size_t behind = local->used; /* who joins meanwhile stands behind this */
    local->delivering = true;
    for (size_t i = 0; i < behind; i++) {
        struct swale_subscriber *subscriber = local->places[i].subscriber;
        if (subscriber && (except == 0 || subscriber->id != except))
            give(&delivery, subscriber);
    }
    local->delivering = false;
    if (local->used != atomic_load_explicit(&local->count, memory_order_relaxed))
        close_gaps(local);
    swale__local_release(local);
}
