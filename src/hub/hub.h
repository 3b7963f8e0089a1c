/* hub.h - how a hub is made, for the files of this layer.
 *
 *     hub --registry: name--> topic --locals--> local (one for each shard with subscribers)
 *      |                                          ^  |
 *      +--shards--> shard (one a loop) --map: name-+  +--members--> subscriber <--membership-- its member list
 *
 * Threads: a shard and its locals, members and memberships belong to the loop's thread. The registry, a
 * topic's list of locals and a shard's inbox are shared; their locks are taken in this order and never the
 * other way round: registry, topic, inbox. No lock is held while a subscriber is called.
 *
 * A publish delivers at once to the shard of its own thread, without a copy, and puts a parcel into the inbox
 * of every other shard that has subscribers. One posted task at a time empties an inbox.
 */
#ifndef SWALE_HUB_HUB_H
#define SWALE_HUB_HUB_H

#include "base/counter.h"
#include "base/list.h"
#include "base/map.h"

#include <swale/hub.h>

#include <pthread.h>
#include <stdatomic.h>

enum { SWALE__SHARDS_MAX = 256 };

/* A message on its way to one shard. Carries the topic's name and not its address: the topic may be gone
 * when it arrives. */
struct swale__parcel {
    struct swale__parcel *next;
    struct swale_shared *message;
    uint64_t except;
    size_t name_size;
    char name[];
};

struct swale__parcel_queue {
    struct swale__parcel *first, *last;
};

/* What all shards know of a topic. Exists while it has locals, or was configured. `hub`, `name` never change. */
struct swale__topic {
    struct swale_hub *hub;
    struct swale_span name; /* text */
    _Atomic int policy;
    _Atomic uint64_t backlog;
    bool configured; /* guarded by the registry's lock */
    pthread_mutex_t lock;
    struct swale__list locals; /* guarded by `lock` */
    char text[];
};

/* A place in a local's array. While a delivery walks the array, leaving only empties the place. */
struct swale__place {
    struct swale_subscriber *subscriber; /* NULL: empty */
    struct swale__member *member;
};

/* A topic on one shard. Exists while it has members, or is being delivered to. */
struct swale__local {
    struct swale__topic *topic;
    struct swale__shard *shard;
    struct swale__list in_topic;
    uintptr_t tag; /* what its messages are tagged with: made of the name, so that it outlives the topic */
    struct swale__place *places;
    size_t used, capacity;
    _Atomic size_t count; /* members; written by the shard's thread, read by any */
    bool delivering;
};

/* One subscriber in one topic. */
struct swale__member {
    struct swale__local *local;
    size_t place;
    struct swale__member *next; /* of the same subscriber */
};

/* All topics of one subscriber: what its `membership` points to. Exists while there are any. */
struct swale__membership {
    struct swale_membership base;
    struct swale__shard *shard;
    struct swale_subscriber *subscriber;
    struct swale__member *first;
    uint32_t count;
};

/* Written by the shard's thread, read by any. */
struct swale__shard_counters {
    _Atomic uint64_t subscriptions, delivered, dropped, closed, failed;
};

struct swale__shard {
    struct swale_hub *hub;
    struct swale_loop *loop;
    struct swale__map locals;
    bool delivering;
    struct swale__parcel_queue nested; /* published from within a delivery */
    struct swale__shard_counters counters;

    pthread_mutex_t lock; /* of the following */
    struct swale__parcel_queue inbox;
    uint64_t inbox_size; /* bytes */
    bool posted;         /* a task that empties the inbox is on its way or at work: so whenever it holds anything */
};

struct swale_hub {
    const struct swale_allocator *allocator;
    struct swale_hub_options options; /* resolved */
    pthread_mutex_t lock;             /* of the registry and of attaching */
    struct swale__map topics;
    struct swale__shard *shards[SWALE__SHARDS_MAX];
    _Atomic size_t shard_count;
    _Atomic uint64_t published;
    _Atomic uint64_t unreached; /* deliveries that failed because a shard could not be given a parcel */
};

/* ---- registry.c: topics by name --------------------------------------------------------------------- */

/* 0 or -ENOMEM. */
int swale__topic_configure(struct swale_hub *hub, struct swale_span name, enum swale_slow_policy policy,
                           uint64_t backlog);

/* Makes `local` one of the topic's, which is made if need be. -ENOMEM. */
int swale__topic_enter(struct swale_hub *hub, struct swale_span name, struct swale__local *local);
void swale__topic_leave(struct swale__local *local);

/* The topic with its lock held, or NULL when it does not exist. */
struct swale__topic *swale__topic_lock(const struct swale_hub *hub, struct swale_span name);
void swale__topic_unlock(struct swale__topic *topic);

size_t swale__topics_count(const struct swale_hub *hub);

/* Frees those that are left: configured ones. */
void swale__topics_free(struct swale_hub *hub);

/* ---- shard.c: one loop's part ----------------------------------------------------------------------- */

int swale__shard_new(struct swale__shard **made, struct swale_hub *hub, struct swale_loop *loop);

/* Its subscribers leave, and what is in its inbox is lost. */
void swale__shard_free(struct swale__shard *shard);

/* NULL when there is none on this loop; on this thread. */
struct swale__shard *swale__shard_of(const struct swale_hub *hub, const struct swale_loop *loop);
struct swale__shard *swale__shard_here(const struct swale_hub *hub);

static inline struct swale__local *swale__local_find(const struct swale__shard *shard, struct swale_span name)
{
    return swale__map_get(&shard->locals, name);
}

/* An empty local, which swale__local_release takes back while it is empty. NULL when memory is out. */
struct swale__local *swale__local_new(struct swale__shard *shard, struct swale_span name);

/* Frees it when it has no members and is not being delivered to. */
void swale__local_release(struct swale__local *local);

/* Gives a message to a topic's subscribers on this shard, on its thread: at once, or when the delivery that
 * this is called from is done. -ENOMEM when it should wait and cannot (counted as failed). The local may be gone
 * afterwards. */
int swale__local_publish(struct swale__local *local, struct swale_shared *message, uint64_t except);

/* Sends a parcel to a shard, from any thread. 0, SWALE_FULL, SWALE_ERR_QUEUE_FULL, -ENOMEM. */
int swale__shard_send(struct swale__shard *shard, struct swale_span name, struct swale_shared *message,
                      uint64_t except);

/* ---- member.c: joining and leaving ------------------------------------------------------------------ */

static inline struct swale__membership *swale__membership_of(const struct swale_subscriber *subscriber)
{
    return (struct swale__membership *)subscriber->membership;
}

/* Takes a subscriber out of all its topics. */
void swale__membership_end(struct swale__membership *membership);

/* ---- deliver.c: the policies ------------------------------------------------------------------------ */

/* Gives a message to every member but the excepted one. Members may come and go meanwhile; who comes does not
 * get it. The local may be gone afterwards. */
void swale__local_deliver(struct swale__local *local, struct swale_shared *message, uint64_t except);

#endif
