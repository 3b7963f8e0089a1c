/* settle.c - what a connection does at the end of a turn in which something happened to it, and the timer.
 *
 *     deliver what a pause has kept -> write -> on_drain -> ... -> on_close -> end of the transport -> memory
 *
 * Everything that ends a connection only sets its stage and asks for settling; here it is carried out, with no
 * callback of the application below. */
#include "conn/state.h"

/* The gauge of all queues follows this one's size. */
static void account(struct swale_conn *conn)
{
    if (conn->counted == conn->out.size)
        return;
    swale__count(&conn->group->counters->queued, (uint64_t)conn->out.size - conn->counted);
    conn->counted = conn->out.size;
}

/* ---- Writing ---------------------------------------------------------------------------------------- */

void swale__conn_flush(struct swale_conn *conn)
{
    size_t left;
    if (conn->dead || !swale__outq_ready(&conn->out))
        return;
    int result = swale__outq_flush(&conn->out, conn->stream, &left);
    swale__conn_count_out(conn, left);
    if (result < 0)
        swale__conn_dead(conn, result);
}

/* Ends the pauses that the queue has caused. True when there is more to deliver or to write at once. */
static bool drained(struct swale_conn *conn)
{
    if (conn->out.size > conn->group->limits.high_water / 2 || !swale__conn_open_now(conn))
        return false;
    if (conn->auto_paused) { /* the silence of a peer that was not read does not count either */
        conn->auto_paused = false;
        swale_engine_alive(&conn->engine, swale__conn_now(conn));
    }
    if (conn->full_told) {
        conn->full_told = false;
        if (conn->handler->on_drain)
            conn->handler->on_drain(conn);
    }
    return swale__outq_ready(&conn->out) || (conn->stalled && !swale__conn_held(conn));
}

/* Delivering makes answers, writing makes room for more of them. It comes to an end: what was kept is finite, and
 * on_drain comes once for each time that the stream would take no more. */
static void exchange(struct swale_conn *conn)
{
    do {
        swale__conn_deliver_kept(conn);
        if (conn->ended && conn->stage == SWALE__LIVE && !conn->stalled)
            swale__conn_end_of_stream(conn);
        swale__conn_flush(conn);
    } while (drained(conn));
}

void swale__conn_set_reading(struct swale_conn *conn)
{
    bool wanted =
        !conn->ended && !conn->dead && !conn->stalled && !swale__conn_held(conn) && !swale__conn_flooded(conn);
    if (wanted == conn->reading)
        return;
    conn->reading = wanted;
    if (wanted)
        swale__stream_resume(conn->stream);
    else
        swale__stream_pause(conn->stream);
}

/* ---- Ending ----------------------------------------------------------------------------------------- */

static void release(struct swale__work *work)
{
    swale__conn_destroy(SWALE__LIST_OWNER(work, struct swale_conn, work));
}

static void leave_group(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    if (swale__list_empty(&conn->node)) /* it was never opened */
        return;
    swale__list_remove(&conn->node);
    group->count--;
    group->lingering_count--;
    if (group->on_released)
        group->on_released(group->context, conn->owner);
}

static void close_stream(struct swale_conn *conn, bool abort)
{
    struct swale_loop *loop = conn->subscriber.loop;
    swale__stream_close(conn->stream, abort);
    conn->stream = NULL;
    swale__outq_clear(&conn->out, loop);
    account(conn);
    swale_timer_stop(loop, &conn->timer);
    leave_group(conn);
    conn->stage = SWALE__GONE;
    conn->work.run = release;
    swale__loop_forget(loop, &conn->work);
    swale__loop_at_end(loop, &conn->work);
}

/* RFC 6455 section 7.1.1: the server ends TCP first, so that the client is not left in TIME_WAIT; a client waits for
 * that, unless it is failing the connection. Neither closes at once: bytes that lie unread would turn the close into
 * a reset, which can destroy the close frame that is under way. */
static void linger(struct swale_conn *conn)
{
    bool empty = conn->out.size == 0;
    bool in_peace = !conn->dead && !conn->drop && !swale__conn_flooded(conn);
    if (!in_peace || (conn->ended && empty)) {
        close_stream(conn, !in_peace);
        return;
    }
    bool server = conn->group->config.role == SWALE_SERVER;
    if (empty && !conn->shut && (server || !conn->clean)) {
        conn->shut = true;
        swale__stream_shutdown(conn->stream);
    }
}

/* Bounds how many descriptors may wait for their peers in peace. At once, because very many may end in one turn. */
static void drop_oldest(struct swale__conn_group *group)
{
    if (group->lingering_count > SWALE__LINGER_COUNT)
        close_stream(SWALE__LIST_OWNER(group->lingering.next, struct swale_conn, node), true);
}

static void report(struct swale_conn *conn)
{
    swale__conn_report(conn);
    drop_oldest(conn->group);
}

void swale__conn_settle(struct swale__work *work)
{
    struct swale_conn *conn = SWALE__LIST_OWNER(work, struct swale_conn, work);
    exchange(conn);
    if (conn->tracked && conn->stage < SWALE__LINGERING)
        conn->group->on_progress(conn->group->context, conn);
    if (conn->stage == SWALE__FINISHING && conn->out.size == 0)
        conn->clean = conn->close_sent;
    if (conn->stage == SWALE__FAILED || (conn->stage == SWALE__FINISHING && conn->out.size == 0))
        report(conn);
    if (conn->stage == SWALE__LINGERING)
        linger(conn);
    if (conn->stage == SWALE__GONE)
        return;
    swale__conn_set_reading(conn);
    account(conn);
}

/* A connection that is still in a list of the loop's, or has its stream, is taken out: at the end of a group. One
 * that was ending in peace, does: a reset might destroy its last words. */
void swale__conn_destroy(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    if (conn->stream)
        close_stream(conn, conn->stage != SWALE__LINGERING);
    swale__loop_forget(group->loop, &conn->work);
    if (conn->incoming)
        swale__incoming_end(conn);
    if (conn->codec) {
        if (conn->codec->deflater)
            swale_deflater_free(conn->codec->deflater);
        if (conn->codec->inflater)
            swale_inflater_free(conn->codec->inflater);
        swale__free(group->allocator, conn->codec, sizeof *conn->codec);
    }
    swale__blob_free(group->allocator, conn->kept);
    swale__blob_free(group->allocator, conn->subprotocol);
    swale__blob_free(group->allocator, conn->close_text);
    swale__free(group->allocator, conn, sizeof *conn);
}

/* ---- The timer -------------------------------------------------------------------------------------- */

/* It is not moved for each byte that arrives, but fires at what was true when it was set, and asks again. A pong that
 * comes well before its deadline brings the next ping forward, so it never sleeps longer than the silence before one.
 */
void swale__conn_arm(struct swale_conn *conn)
{
    uint64_t due = swale_engine_due(&conn->engine);
    uint64_t silence = conn->engine.config->ping_after_ms;
    if (conn->stage != SWALE__LIVE || due == UINT64_MAX)
        return;
    if (silence > 0 && due > swale__conn_now(conn) + silence)
        due = swale__conn_now(conn) + silence;
    if (!swale_timer_running(&conn->timer) || due < conn->timer.due_ms)
        swale_timer_start(conn->subscriber.loop, &conn->timer, due);
}

static void tick(struct swale_conn *conn)
{
    uint64_t now = swale__conn_now(conn);
    struct swale_event event;
    /* The silence of a peer that the application does not listen to says nothing. */
    if (conn->app_paused && !conn->auto_paused && swale__conn_open_now(conn))
        swale_engine_alive(&conn->engine, now);
    else if (conn->app_paused && conn->finishing)
        swale_engine_wait_on(&conn->engine, now);
    swale_engine_tick(&conn->engine, now, &event);
    if (event.type == SWALE_EVENT_FAIL) {
        if (event.error == SWALE_ERR_HEARTBEAT && conn->auto_paused)
            event.error = SWALE_ERR_SLOW_READER;
        conn->drop = event.error == SWALE_ERR_SLOW_READER || event.error == SWALE_ERR_CLOSE_TIMEOUT;
        swale__conn_failed(conn, &event);
    } else if (event.reply_size > 0 && !conn->auto_paused) {
        /* With the queue above high water a ping would not get through, nor its pong be read. */
        swale__conn_control(conn, swale_span(event.reply, event.reply_size));
    }
    swale__conn_arm(conn);
}

void swale__conn_fire(struct swale_timer *timer)
{
    struct swale_conn *conn = timer->context;
    if (conn->stage == SWALE__LIVE) {
        tick(conn);
        return;
    }
    if (conn->stage == SWALE__FINISHING) {
        conn->reason = SWALE_ERR_CLOSE_TIMEOUT;
        conn->stage = SWALE__FAILED;
    }
    conn->drop = true;
    swale__conn_touch(conn);
}
