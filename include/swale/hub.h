/* swale/hub.h - topics: what is published on one goes to every subscriber, on every thread.
 *
 * A hub spans loops. Each loop has a shard of it, with the subscribers that live there; a publish encodes
 * the message once and hands it to the shards that have subscribers. Joining and leaving are done on the
 * subscriber's own loop; publishing is thread-safe.
 *
 *     swale_hub_new(&hub, NULL);
 *     for (n...) swale_hub_attach(hub, swale_server_loop(server, n));      before the server starts
 *     swale_hub_join(hub, swale_text("news"), swale_conn_subscriber(conn));   in on_open, say
 *     swale_hub_publish(hub, &(struct swale_publish){ .topic = ..., .kind = SWALE_TEXT, .data = ... });
 *
 * Order: what one thread publishes on one topic reaches every subscriber in that order (what it publishes within
 * turns of an attached loop, and what outside of them, are two sequences). Who gets a message is
 * settled when it arrives at each loop: a subscriber that joins while one is under way may get it. A subscriber
 * that goes leaves all its topics by itself. A topic exists while it has subscribers (or was configured).
 *
 * A slow subscriber never delays another, and holds at most `backlog` bytes of the hub's messages:
 * what happens beyond that is the topic's policy, and is counted. (To one that keeps up, a message larger than the
 * backlog goes all the same.) Messages on their way to one loop are bounded too, by `max_inbox`.
 */
#ifndef SWALE_HUB_H
#define SWALE_HUB_H

#include <swale/base.h>
#include <swale/conn.h>
#include <swale/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swale_hub;

enum swale_slow_policy {
    SWALE_SLOW_CLOSE,       /* end the subscriber: SWALE_ERR_SLOW_READER, close code 1008 */
    SWALE_SLOW_DROP_OLDEST, /* drop its oldest unsent messages of the topic */
    SWALE_SLOW_LATEST       /* keep only the latest message of the topic while it is behind; that one is given
                             * even beyond the backlog */
};

struct swale_hub_options {
    const struct swale_allocator *allocator; /* thread-safe */
    enum swale_slow_policy policy;           /* of topics that are not configured */
    uint64_t backlog;                        /* bytes that may wait for one subscriber; 0 means 256 KiB */
    uint64_t max_inbox;                      /* bytes that may be on their way to one loop; 0 means 16 MiB */
    uint32_t max_topic_name;                 /* bytes; 0 means 255 */
    uint32_t max_topics_per_subscriber;      /* 0 means 128 */
};

/* Makes a hub that spans no loop yet. NULL options: the defaults. SWALE_ERR_INVALID for a policy that there is not,
 * -ENOMEM. */
SWALE_API int swale_hub_new(struct swale_hub **hub, const struct swale_hub_options *options);

/* When no loop that it is attached to runs any more, and before these loops are freed. Subscribers that are still
 * there have left. NULL is allowed. */
SWALE_API void swale_hub_free(struct swale_hub *hub);

/* Gives the hub a shard on this loop. Before the loop runs, or on its thread, and before anything is
 * published from another thread. SWALE_ERR_STATE when it has one there, SWALE_ERR_TOO_MANY beyond 256, -ENOMEM. */
SWALE_API int swale_hub_attach(struct swale_hub *hub, struct swale_loop *loop);

/* 0, or SWALE_ERR_TOPIC for a name that is empty, too long or not UTF-8, or that holds a control character. Any
 * thread: an upgrade hook can refuse what could not be joined. */
SWALE_API int swale_hub_check(const struct swale_hub *hub, struct swale_span topic);

/* Sets the policy of a topic, from now on, whether it exists yet or not; a backlog of 0 means the hub's. Any
 * thread. SWALE_ERR_TOPIC, SWALE_ERR_INVALID, -ENOMEM. */
SWALE_API int swale_hub_configure(struct swale_hub *hub, struct swale_span topic, enum swale_slow_policy policy,
                                  uint64_t backlog);

/* On the subscriber's loop. 0, 1 when it had joined already (leave: had not), SWALE_ERR_TOPIC (see swale_hub_check);
 * SWALE_ERR_TOO_MANY beyond max_topics_per_subscriber; SWALE_ERR_STATE when its loop is not attached or it has joined
 * topics of another hub (it may have one hub only); -ENOMEM. The name is copied. */
SWALE_API int swale_hub_join(struct swale_hub *hub, struct swale_span topic, struct swale_subscriber *subscriber);
SWALE_API int swale_hub_leave(struct swale_hub *hub, struct swale_span topic, struct swale_subscriber *subscriber);
SWALE_API void swale_hub_leave_all(struct swale_hub *hub, struct swale_subscriber *subscriber);

struct swale_publish {
    struct swale_span topic;
    enum swale_kind kind;
    struct swale_span data; /* copied */
    uint64_t except;        /* id of a subscriber that is not to get it (the sender); 0 for none */
};

/* Any thread. Returns 0 when the message is on its way (also when nobody listens); SWALE_FULL when it is, but a
 * loop lags behind (more than half of max_inbox waits for it): publish no more for some milliseconds.
 * SWALE_ERR_TOPIC, SWALE_ERR_INVALID for a kind that there is not, or -ENOMEM, and nothing was published;
 * SWALE_ERR_QUEUE_FULL or -ENOMEM when it could not be given to every loop: those that could have it get it, and the
 * others' subscribers are counted as failed. On a thread of an attached loop, that loop's subscribers have it queued
 * on return; a publish from within a delivery (a callback of a subscriber) is put off until that delivery is done. */
SWALE_API int swale_hub_publish(struct swale_hub *hub, const struct swale_publish *publish);

/* Subscribers of a topic on all loops, at some recent moment. Any thread. */
SWALE_API size_t swale_hub_subscribers(const struct swale_hub *hub, struct swale_span topic);

/* Any thread; each counter is exact. A delivery is one message for one subscriber:
 * published messages x their subscribers = delivered + dropped + closed + failed. */
struct swale_hub_stats {
    uint64_t topics, subscriptions; /* now */
    uint64_t published;
    uint64_t delivered; /* queued for the subscriber, and not taken back since */
    uint64_t dropped;   /* by DROP_OLDEST or LATEST */
    uint64_t closed;    /* not delivered because the policy ended the subscriber */
    uint64_t failed;    /* the subscriber could not take it: closing, or memory; or its loop could not be given it
                         * (in that case the excepted one counts too) */
};
SWALE_API void swale_hub_stats(const struct swale_hub *hub, struct swale_hub_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
