/* shard.c - one loop's part of a hub: its topics, and the inbox through which other threads reach it. */
#include "hub/hub.h"

#include "base/hash.h"
#include "base/memory.h"
#include "io/turn.h"

#include <errno.h>

/* How many deliveries one task makes before it lets the loop turn. */
static const size_t deliveries_per_turn = 16384;

/* ---- Parcels ---------------------------------------------------------------------------------------- */

/* What a parcel holds in memory. The message's bytes may be shared with other inboxes, but count in each. */
static uint64_t parcel_size(const struct swale__parcel *parcel)
{
    return sizeof *parcel + parcel->name_size + swale_shared_payload(parcel->message).size;
}

static struct swale__parcel *parcel_new(const struct swale_hub *hub, struct swale_span name,
                                        struct swale_shared *message, uint64_t except)
{
    struct swale__parcel *parcel = swale__alloc(hub->allocator, sizeof *parcel + name.size);
    if (!parcel)
        return NULL;
    parcel->next = NULL;
    parcel->message = swale_shared_ref(message);
    parcel->except = except;
    parcel->name_size = name.size;
    memcpy(parcel->name, name.data, name.size);
    return parcel;
}

static void parcel_free(const struct swale_hub *hub, struct swale__parcel *parcel)
{
    swale_shared_unref(parcel->message);
    swale__free(hub->allocator, parcel, sizeof *parcel + parcel->name_size);
}

static void append(struct swale__parcel_queue *queue, struct swale__parcel *parcel)
{
    if (queue->last)
        queue->last->next = parcel;
    else
        queue->first = parcel;
    queue->last = parcel;
}

static struct swale__parcel *take_first(struct swale__parcel_queue *queue)
{
    struct swale__parcel *parcel = queue->first;
    if (!parcel)
        return NULL;
    queue->first = parcel->next;
    if (!queue->first)
        queue->last = NULL;
    return parcel;
}

/* ---- Delivering on the shard's own thread ----------------------------------------------------------- */

static size_t deliver_parcel(struct swale__shard *shard, struct swale__parcel *parcel)
{
    struct swale__local *local = swale__local_find(shard, swale_span(parcel->name, parcel->name_size));
    size_t members = 0;
    if (local) {
        members = atomic_load_explicit(&local->count, memory_order_relaxed);
        swale__local_deliver(local, parcel->message, parcel->except);
    }
    parcel_free(shard->hub, parcel);
    return members;
}

/* While subscribers are being called, a further message must wait, or those that have not been reached yet
 * would get it before this one. */
static int put_off(struct swale__local *local, struct swale_shared *message, uint64_t except)
{
    struct swale__shard *shard = local->shard;
    struct swale__parcel *parcel = parcel_new(shard->hub, local->topic->name, message, except);
    if (!parcel) {
        swale__count(&shard->counters.failed, atomic_load_explicit(&local->count, memory_order_relaxed));
        return -ENOMEM;
    }
    append(&shard->nested, parcel);
    return 0;
}

static size_t deliver_nested(struct swale__shard *shard)
{
    size_t members = 0;
    for (struct swale__parcel *parcel; (parcel = take_first(&shard->nested)) != NULL;)
        members += deliver_parcel(shard, parcel);
    return members;
}

int swale__local_publish(struct swale__local *local, struct swale_shared *message, uint64_t except)
{
    struct swale__shard *shard = local->shard;
    if (shard->delivering)
        return put_off(local, message, except);
    shard->delivering = true;
    swale__local_deliver(local, message, except);
    deliver_nested(shard);
    shard->delivering = false;
    return 0;
}

/* ---- The inbox -------------------------------------------------------------------------------------- */

static struct swale__parcel *take_from_inbox(struct swale__shard *shard)
{
    pthread_mutex_lock(&shard->lock);
    struct swale__parcel *parcel = take_first(&shard->inbox);
    if (parcel)
        shard->inbox_size -= parcel_size(parcel);
    else
        shard->posted = false;
    pthread_mutex_unlock(&shard->lock);
    return parcel;
}

/* Posted. Stops after a while, so that much publishing elsewhere does not starve this loop's sockets and
 * timers; goes on all the same when it cannot be posted again. */
static void empty_inbox(void *argument)
{
    struct swale__shard *shard = argument;
    size_t done = 0;
    shard->delivering = true;
    for (struct swale__parcel *parcel; (parcel = take_from_inbox(shard)) != NULL;) {
        done += 1 + deliver_parcel(shard, parcel);
        done += deliver_nested(shard);
        if (done >= deliveries_per_turn && swale_loop_post(shard->loop, empty_inbox, shard) == 0)
            break;
    }
    shard->delivering = false;
}

/* With the inbox's lock held. It always takes one message, however large. */
static int put_into_inbox(struct swale__shard *shard, struct swale__parcel *parcel)
{
    uint64_t size = parcel_size(parcel);
    uint64_t limit = shard->hub->options.max_inbox;
    if (shard->inbox.first && (shard->inbox_size > limit || size > limit - shard->inbox_size))
        return SWALE_ERR_QUEUE_FULL;
    if (!shard->posted) {
        int error = swale_loop_post(shard->loop, empty_inbox, shard);
        if (error < 0)
            return error;
        shard->posted = true;
    }
    append(&shard->inbox, parcel);
    shard->inbox_size += size;
    return shard->inbox_size > limit / 2 ? SWALE_FULL : 0;
}

int swale__shard_send(struct swale__shard *shard, struct swale_span name, struct swale_shared *message,
                      uint64_t except)
{
    struct swale__parcel *parcel = parcel_new(shard->hub, name, message, except);
    if (!parcel)
        return -ENOMEM;
    pthread_mutex_lock(&shard->lock);
    int result = put_into_inbox(shard, parcel);
    pthread_mutex_unlock(&shard->lock);
    if (result < 0)
        parcel_free(shard->hub, parcel);
    return result;
}

/* ---- Topics on this shard --------------------------------------------------------------------------- */

struct swale__local *swale__local_new(struct swale__shard *shard, struct swale_span name)
{
    struct swale__local *local = swale__alloc_zeroed(shard->hub->allocator, sizeof *local);
    if (!local)
        return NULL;
    local->shard = shard;
    local->tag = (uintptr_t)swale__hash(shard->locals.seed, name) | 1;
    swale__list_init(&local->in_topic);
    if (swale__topic_enter(shard->hub, name, local) < 0)
        goto failed;
    if (swale__map_put(&shard->locals, local->topic->name, local) < 0) {
        swale__topic_leave(local);
        goto failed;
    }
    return local;
failed:
    swale__free(shard->hub->allocator, local, sizeof *local);
    return NULL;
}

void swale__local_release(struct swale__local *local)
{
    if (local->delivering || atomic_load_explicit(&local->count, memory_order_relaxed) > 0)
        return;
    struct swale__shard *shard = local->shard;
    const struct swale_allocator *allocator = shard->hub->allocator;
    swale__map_remove(&shard->locals, local->topic->name);
    swale__topic_leave(local);
    swale__free(allocator, local->places, local->capacity * sizeof *local->places);
    swale__free(allocator, local, sizeof *local);
}

/* ---- Shards ----------------------------------------------------------------------------------------- */

int swale__shard_new(struct swale__shard **made, struct swale_hub *hub, struct swale_loop *loop)
{
    struct swale__shard *shard = swale__alloc_zeroed(hub->allocator, sizeof *shard);
    if (!shard)
        return -ENOMEM;
    shard->hub = hub;
    shard->loop = loop;
    swale__map_init(&shard->locals, hub->allocator, hub->topics.seed);
    pthread_mutex_init(&shard->lock, NULL);
    *made = shard;
    return 0;
}

static struct swale__local *any_local(const struct swale__shard *shard)
{
    size_t cursor = 0;
    return swale__map_next(&shard->locals, &cursor);
}

void swale__shard_free(struct swale__shard *shard)
{
    const struct swale_allocator *allocator = shard->hub->allocator;
    for (struct swale__local *local; (local = any_local(shard)) != NULL;)
        swale__membership_end(swale__membership_of(local->places[0].subscriber));
    for (struct swale__parcel *parcel; (parcel = take_first(&shard->inbox)) != NULL;)
        parcel_free(shard->hub, parcel);
    swale__map_done(&shard->locals);
    pthread_mutex_destroy(&shard->lock);
    swale__free(allocator, shard, sizeof *shard);
}

/* Shards are as few as threads: walking them costs less than a map. */
struct swale__shard *swale__shard_of(const struct swale_hub *hub, const struct swale_loop *loop)
{
    size_t count = atomic_load_explicit(&hub->shard_count, memory_order_acquire);
    for (size_t n = 0; n < count; n++)
        if (hub->shards[n]->loop == loop)
            return hub->shards[n];
    return NULL;
}

struct swale__shard *swale__shard_here(const struct swale_hub *hub)
{
    size_t count = atomic_load_explicit(&hub->shard_count, memory_order_acquire);
    for (size_t n = 0; n < count; n++)
        if (swale__loop_here(hub->shards[n]->loop))
            return hub->shards[n];
    return NULL;
}
