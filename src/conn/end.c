/* end.c - what ends a connection, and with which reason.
 *
 *     peer's close frame       answer it behind what is queued                      PEER_CLOSED
 *     swale_conn_close         close frame behind what is queued, await the peer's  LOCAL_CLOSED
 *     fault, deadline, fail    close frame behind a short queue, instead of a long  the fault
 *     end of the stream        what is queued still goes                            PEER_GONE
 *     stream failed, abort     nothing goes any more                                RESET ..., ABORTED
 *
 * The first reason stays, but for a fault of the peer's while it should have been closing. */
#include "conn/state.h"

static void fail_now(struct swale_conn *conn, int reason)
{
    conn->reason = (int16_t)reason;
    conn->stage = SWALE__FAILED;
    swale__conn_touch(conn);
}

static uint32_t close_wait(const struct swale_conn *conn)
{
    uint32_t ms = conn->group->config.close_wait_ms;
    return ms != 0 ? ms : SWALE__LINGER_MS;
}

/* Puts a close frame behind what is queued. Without the memory for it the connection ends without. */
static void queue_close(struct swale_conn *conn, const char *frame, size_t size)
{
    int error = swale__outq_append(&conn->busy->out, conn->group->loop, swale_span(frame, size), swale_span(NULL, 0));
    conn->close_sent = error == 0;
}

/* What has not begun to leave stays here, where somebody keeps count of it. */
static void take_back(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    if (!conn->tracked || conn->taken_back || swale__conn_rests(conn))
        return;
    uint64_t from = group->first_behind(group->context, conn, swale__conn_handed(conn));
    if (from != UINT64_MAX)
        swale__outq_keep(&conn->busy->out, group->loop, (size_t)(from - conn->busy->left));
    conn->busy->left += conn->busy->out.size;
    conn->taken_back = true;
}

/* ---- Faults ----------------------------------------------------------------------------------------- */

/* RFC 6455 section 7.1.7. What was answered before the fault still goes, as it would have if the fault had come in a
 * segment of its own; but the close frame does not wait behind a queue that has grown long. */
void swale__conn_failed(struct swale_conn *conn, const struct swale_event *event)
{
    if (!conn->drop)
        take_back(conn);
    if (event->reply_size > 0 && !conn->drop) {
        if (conn->busy->out.size >= conn->group->limits.high_water)
            swale__outq_cut(&conn->busy->out, conn->group->loop);
        queue_close(conn, event->reply, event->reply_size);
    }
    fail_now(conn, event->error);
}

void swale__conn_break(struct swale_conn *conn, int reason)
{
    struct swale_event event;
    if (!swale__conn_wake(conn)) {
        fail_now(conn, reason);
        return;
    }
    swale_engine_fail(&conn->busy->engine, reason, swale__conn_now(conn), &event);
    swale__conn_failed(conn, &event);
}

void swale_conn_fail(struct swale_conn *conn, int reason)
{
    if (swale_error_slot(reason) == 0)
        reason = SWALE_ERR_INTERNAL;
    if (conn->stage == SWALE__LIVE)
        swale__conn_break(conn, reason);
    else if (conn->stage == SWALE__FINISHING) /* both close frames have passed: there is nothing to say */
        fail_now(conn, conn->reason);
}

void swale_conn_abort(struct swale_conn *conn)
{
    conn->drop = true;
    if (conn->stage == SWALE__LIVE || conn->stage == SWALE__FINISHING)
        fail_now(conn, SWALE_ERR_ABORTED);
    else
        swale__conn_touch(conn);
}

void swale__conn_discard(struct swale_conn *conn)
{
    static const struct swale_handler deaf;
    conn->handler = &deaf;
    conn->timer.context = NULL;
    conn->tracked = false;
    if (conn->stage < SWALE__LINGERING)
        swale_conn_abort(conn);
}

/* ---- The closing handshake (RFC 6455 section 7.1) --------------------------------------------------- */

void swale__conn_peer_closed(struct swale_conn *conn, const struct swale_event *event)
{
    conn->peer_closed = true;
    conn->busy->close_code = event->close_code;
    if (event->payload.size > 0) /* without memory the reason is lost, the code is not */
        conn->busy->close_text = swale__blob_new(conn->group->allocator, event->payload);
    if (event->reply_size > 0) {
        take_back(conn); /* RFC 6455 section 5.5.1: as soon as the message under way has been sent */
        queue_close(conn, event->reply, event->reply_size);
    }
    if (conn->reason == 0)
        conn->reason = SWALE_ERR_PEER_CLOSED;
    conn->stage = SWALE__FINISHING;
    swale_timer_start(conn->group->loop, &conn->timer, swale__conn_now(conn) + close_wait(conn));
    swale__conn_touch(conn);
}

int swale__conn_begin_close(struct swale_conn *conn, int code, struct swale_span text, int reason)
{
    char frame[SWALE_CONTROL_MAX];
    if (conn->stage != SWALE__LIVE)
        return SWALE_ERR_CLOSED;
    if (!swale__conn_wake(conn)) {
        fail_now(conn, reason);
        return 0;
    }
    int size = swale_engine_close(&conn->busy->engine, code, text, swale__conn_now(conn), frame);
    if (size < 0)
        return size;
    queue_close(conn, frame, (size_t)size);
    conn->reason = (int16_t)reason;
    if (!conn->close_sent)
        conn->stage = SWALE__FAILED;
    swale__conn_arm(conn);
    swale__conn_touch(conn);
    return 0;
}

int swale_conn_close(struct swale_conn *conn, int code, const char *text)
{
    return swale__conn_begin_close(conn, code, swale_text(text), SWALE_ERR_LOCAL_CLOSED);
}

int swale_conn_finish(struct swale_conn *conn, int code, const char *text)
{
    int error = swale_conn_close(conn, code, text);
    conn->finishing = conn->finishing || error == 0;
    return error;
}

/* ---- The transport ---------------------------------------------------------------------------------- */

static int reason_of(int error)
{
    return swale__is_tls_failure(error) || error == SWALE_ERR_TLS_TRUNCATED ? error : SWALE_ERR_RESET;
}

void swale__conn_dead(struct swale_conn *conn, int error)
{
    conn->dead = true;
    if (conn->stage == SWALE__LIVE || conn->stage == SWALE__FINISHING)
        fail_now(conn, conn->reason != 0 ? conn->reason : reason_of(error));
    else
        swale__conn_touch(conn);
}

void swale__conn_end_of_stream(struct swale_conn *conn)
{
    struct swale_engine engine = conn->busy->engine; /* nothing is asked of it any more */
    int reason = swale_engine_end(&engine);
    take_back(conn);
    fail_now(conn, conn->reason != 0 ? conn->reason : reason);
}

/* ---- on_close --------------------------------------------------------------------------------------- */

static void leave_hub(struct swale_conn *conn)
{
    if (conn->subscriber.membership)
        conn->subscriber.membership->leave(conn->subscriber.membership);
}

static void begin_lingering(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    conn->stage = SWALE__LINGERING;
    group->lingering_count++;
    swale_timer_start(group->loop, &conn->timer, swale__conn_now(conn) + close_wait(conn));
}

void swale__conn_report(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    const struct swale__blob *text = conn->busy->close_text;
    struct swale_close close = {
        .reason = conn->reason,
        .code = conn->busy->close_code,
        .text = text ? swale_span(text->data, text->size) : swale_span(NULL, 0),
        .clean = conn->clean,
    };
    begin_lingering(conn);
    leave_hub(conn);
    swale__count(&group->counters->open, UINT64_MAX); /* one less */
    swale__count(&group->counters->closed[swale_error_slot(close.reason)], 1);
    if (conn->handler->on_close)
        conn->handler->on_close(conn, &close);
    leave_hub(conn); /* of what it has joined just now */
    if (group->on_gone)
        group->on_gone(group->context, conn, &close);
}
