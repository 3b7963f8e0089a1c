/* A connection as a subscriber of topics: being sent what many are. */
#include "conn/state.h"

#include "proto/short.h"

/* The short way: what another connection has been sent already, behind what both have. False when there is any
 * question, and then nothing was done. */
static inline bool follow(struct swale_conn *conn, struct swale_shared *shared, uintptr_t tag)
{
    struct swale__conn_group *group = conn->group;
    bool first = conn->busy->out.size == 0;
    if (conn->stage != SWALE__LIVE || swale__conn_deflates(conn) || !swale__short_sendable(&conn->busy->engine) ||
        conn->busy->out.size + shared->size + SWALE_HEADER_MAX > group->limits.high_water ||
        !swale__conn_wake(conn) ||
        !swale__outq_follow(&conn->busy->out, &group->common, swale__shared_frame(shared).data, tag))
        return false;
    if (first) { /* else it was, when the first went there */
        conn->busy->engine.active_ms = swale__conn_now(conn);
        swale__conn_touch_later(conn);
    }
    return true;
}

/* It is written behind the answers of this turn: there may be very many subscribers. */
int swale__conn_send_shared(struct swale_conn *conn, struct swale_shared *shared, uintptr_t tag)
{
    if (follow(conn, shared, tag)) {
        swale__conn_count_message(conn, shared->size);
        return 0;
    }
    swale__conn_touch_later(conn);
    return swale__conn_queue_shared(conn, shared, tag);
}

_Static_assert((int)SWALE_DELIVERED == 0 && (int)SWALE_DELIVERED_LATE == (int)SWALE_FULL, "a send's results serve");

static int deliver(struct swale_subscriber *subscriber, struct swale_shared *message, uintptr_t tag)
{
    return swale__conn_send_shared(swale__conn_of_subscriber(subscriber), message, tag);
}

/* What waits for the end of this turn only is not late. */
static size_t backlog(const struct swale_subscriber *subscriber)
{
    const struct swale__outq *out = &SWALE__LIST_OWNER(subscriber, struct swale_conn, subscriber)->busy->out;
    return out->full || out->in_flight > 0 ? out->size : 0;
}

static size_t drop(struct swale_subscriber *subscriber, uintptr_t tag, bool all)
{
    struct swale_conn *conn = swale__conn_of_subscriber(subscriber);
    size_t dropped = swale__outq_drop(&conn->busy->out, conn->group->loop, tag, all);
    if (dropped > 0)
        swale__conn_touch(conn);
    return dropped;
}

static void fail(struct swale_subscriber *subscriber, int reason)
{
    swale_conn_fail(swale__conn_of_subscriber(subscriber), reason);
}

static struct swale_loop *loop_of(const struct swale_subscriber *subscriber)
{
    return SWALE__LIST_OWNER(subscriber, struct swale_conn, subscriber)->group->loop;
}

const struct swale_subscriber_ops swale__conn_subscriber_ops = {
    .deliver = deliver,
    .backlog = backlog,
    .drop = drop,
    .fail = fail,
    .loop = loop_of,
};
