/* A connection as a subscriber of topics. */
#include "conn/state.h"

/* It is written behind the answers of this turn: there may be very many subscribers. */
static int deliver(struct swale_subscriber *subscriber, struct swale_shared *message, uintptr_t tag)
{
    struct swale_conn *conn = swale__conn_of_subscriber(subscriber);
    swale__conn_touch_later(conn);
    int result = swale__conn_send_shared(conn, message, tag);
    if (result < 0)
        return result;
    return result == SWALE_FULL ? SWALE_DELIVERED_LATE : SWALE_DELIVERED;
}

/* What waits for the end of this turn only is not late. */
static size_t backlog(const struct swale_subscriber *subscriber)
{
    const struct swale__outq *out = &SWALE__LIST_OWNER(subscriber, struct swale_conn, subscriber)->out;
    return out->full || out->in_flight > 0 ? out->size : 0;
}

static size_t drop(struct swale_subscriber *subscriber, uintptr_t tag, bool all)
{
    struct swale_conn *conn = swale__conn_of_subscriber(subscriber);
    size_t dropped = swale__outq_drop(&conn->out, subscriber->loop, tag, all);
    if (dropped > 0)
        swale__conn_touch(conn);
    return dropped;
}

static void fail(struct swale_subscriber *subscriber, int reason)
{
    swale_conn_fail(swale__conn_of_subscriber(subscriber), reason);
}

const struct swale_subscriber_ops swale__conn_subscriber_ops = {
    .deliver = deliver,
    .backlog = backlog,
    .drop = drop,
    .fail = fail,
};
