/* settle.c - what a connection does at the end of a turn in which something happened to it, and the timer.
 *
 *     deliver what a pause has kept -> write -> on_drain -> ... -> on_close -> end of the transport -> memory
 *
 * Everything that ends a connection only sets its stage and asks for settling; here it is carried out, with no
 * callback of the application below. */
#include "conn/state.h"

#include "proto/engine.h"

/* When a timer finds no memory. */
enum { RETRY_MS = 1000 };

const struct swale__busy swale__at_rest = {
    .engine = { .phase = SWALE_OPEN },
    .close_code = 1006, /* RFC 6455 section 7.1.5: until a close frame says otherwise */
};

/* ---- Work and rest ---------------------------------------------------------------------------------- */

/* It is at its end already. */
void swale__conn_ask(struct swale_conn *conn)
{
    if (conn->stage == SWALE__GONE)
        return;
    swale__list_remove(&conn->work.node); /* from the line of those that linger */
    swale__loop_at_flush(conn->group->loop, &conn->work);
}

/* One that has been busy before is as new but for these. */
static struct swale__busy *new_busy(struct swale__conn_group *group)
{
    uint16_t place;
    struct swale__busy *busy = swale__pool_take(&group->busy, &place);
    if (!busy)
        return NULL;
    busy->engine.config = &group->config;
    busy->engine.phase = SWALE_OPEN;
    busy->close_code = swale__at_rest.close_code;
    busy->place = place;
    return busy;
}

bool swale__conn_make_busy(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    struct swale__busy *busy = group->ready;
    if (busy) {
        group->ready = busy->next;
        group->ready_count--;
    } else if (!(busy = new_busy(group))) {
        return false;
    }
    busy->engine.heard_ms = conn->heard_ms;
    busy->engine.active_ms = conn->active_ms;
    busy->engine.flags = conn->engine_flags;
    conn->busy = busy;
    return true;
}

/* A queue that is empty holds no memory. The bucket of the rate must be empty, too. */
static bool may_rest(const struct swale_conn *conn)
{
    const struct swale__busy *busy = conn->busy;
    if (conn->stage != SWALE__LIVE || busy->out.head || busy->out.full || !swale__engine_rests(&busy->engine) ||
        busy->incoming || busy->kept || busy->carry_size > 0)
        return false;
    return !conn->tracked && !conn->auto_paused && !conn->stalled &&
           (busy->rate_used == 0 || busy->rate_used <= swale__conn_now(conn) * conn->group->limits.max_message_rate);
}

/* What it leaves behind serves the next one as if it were new: what is not 0 does not count between messages. */
static void rest(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    struct swale__busy *busy = conn->busy;
    if (swale__conn_rests(conn) || !may_rest(conn))
        return;
    conn->heard_ms = busy->engine.heard_ms;
    conn->active_ms = busy->engine.active_ms;
    conn->engine_flags = busy->engine.flags;
    conn->busy = (struct swale__busy *)&swale__at_rest;
    busy->left = busy->rate_used = 0;
    if (group->ready_count == SWALE__READY_COUNT) {
        swale__pool_give(&group->busy, busy, busy->place);
        return;
    }
    busy->next = group->ready;
    group->ready = busy;
    group->ready_count++;
}

void swale__group_free_ready(struct swale__conn_group *group)
{
    for (struct swale__busy *busy; (busy = group->ready); group->ready_count--) {
        group->ready = busy->next;
        swale__pool_give(&group->busy, busy, busy->place);
    }
}

/* The gauge of all queues follows this one's size. */
static void account(struct swale_conn *conn)
{
    if (conn->busy->counted == conn->busy->out.size)
        return;
    swale__count(&conn->group->counters->queued, (uint64_t)conn->busy->out.size - conn->busy->counted);
    conn->busy->counted = conn->busy->out.size;
}

/* ---- Writing ---------------------------------------------------------------------------------------- */

void swale__conn_flush(struct swale_conn *conn)
{
    size_t left;
    if (conn->dead || !swale__outq_ready(&conn->busy->out))
        return;
    int result = swale__outq_flush(&conn->busy->out, conn->stream, &left);
    swale__conn_count_out(conn, left);
    if (result < 0)
        swale__conn_dead(conn, result);
}

/* Ends the pauses that the queue has caused. True when there is more to deliver or to write at once. */
static bool drained(struct swale_conn *conn)
{
    if (conn->busy->out.size > conn->group->limits.high_water / 2 || !swale__conn_open_now(conn))
        return false;
    if (conn->auto_paused) { /* the silence of a peer that was not read does not count either */
        conn->auto_paused = false;
        swale_engine_alive(&conn->busy->engine, swale__conn_now(conn));
    }
    if (conn->full_told) {
        conn->full_told = false;
        if (conn->handler->on_drain)
            conn->handler->on_drain(conn);
    }
    return swale__outq_ready(&conn->busy->out) || (conn->stalled && !swale__conn_held(conn));
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

static void leave_group(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    if (conn->stage < SWALE__LINGERING) /* it was never opened */
        return;
    group->count--;
    group->lingering_count--;
    if (group->on_released)
        group->on_released(group->context, swale__conn_owner(conn));
}

static void release(struct swale__work *work)
{
    swale__conn_destroy(SWALE__LIST_OWNER(work, struct swale_conn, work));
}

static void close_stream(struct swale_conn *conn, bool abort)
{
    struct swale_loop *loop = conn->group->loop;
    swale__stream_close(conn->stream, abort);
    conn->stream = NULL;
    if (!swale__conn_rests(conn)) {
        swale__outq_clear(&conn->busy->out, loop);
        account(conn);
    }
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
    bool empty = conn->busy->out.size == 0;
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
static void wait_in_line(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    if (swale__list_empty(&conn->work.node)) /* or it is to be settled again */
        swale__list_append(&group->lingering, &conn->work.node);
    if (group->lingering_count > SWALE__LINGER_COUNT && !swale__list_empty(&group->lingering))
        close_stream(SWALE__LIST_OWNER(group->lingering.next, struct swale_conn, work.node), true);
}

void swale__conn_settle(struct swale__work *work)
{
    struct swale_conn *conn = SWALE__LIST_OWNER(work, struct swale_conn, work);
    exchange(conn);
    if (conn->tracked && conn->stage < SWALE__LINGERING)
        conn->group->on_progress(conn->group->context, conn);
    if (conn->stage == SWALE__FINISHING && conn->busy->out.size == 0)
        conn->clean = conn->close_sent;
    if (conn->stage == SWALE__FAILED || (conn->stage == SWALE__FINISHING && conn->busy->out.size == 0))
        swale__conn_report(conn);
    if (conn->stage == SWALE__LINGERING)
        linger(conn);
    if (conn->stage == SWALE__GONE)
        return;
    swale__conn_set_reading(conn);
    account(conn);
    if (conn->stage == SWALE__LINGERING)
        wait_in_line(conn);
    else
        rest(conn);
}

/* One that still has its stream is taken out: at the end of a group. If it was ending in peace, it does: a reset
 * might destroy its last words. */
void swale__conn_destroy(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    if (conn->stream)
        close_stream(conn, conn->stage != SWALE__LINGERING);
    swale__loop_forget(group->loop, &conn->work);
    if (conn->busy->incoming)
        swale__incoming_end(conn);
    swale__terms_release(group, conn->terms);
    swale__blob_free(group->allocator, conn->busy->kept);
    swale__blob_free(group->allocator, conn->busy->close_text);
    if (!swale__conn_rests(conn)) {
        uint16_t place = conn->busy->place;
        *conn->busy = (struct swale__busy){ .next = NULL };
        swale__pool_give(&group->busy, conn->busy, place);
    }
    swale__pool_give(&group->conns, conn, conn->place);
}

/* ---- The timer -------------------------------------------------------------------------------------- */

/* It is not moved for each byte that arrives, but fires at what was true when it was set, and asks again. A pong that
 * comes well before its deadline brings the next ping forward, so it never sleeps longer than the silence before one.
 */
void swale__conn_arm(struct swale_conn *conn)
{
    uint64_t due = swale_engine_due(&conn->busy->engine);
    uint64_t silence = conn->busy->engine.config->ping_after_ms;
    if (conn->stage != SWALE__LIVE || due == UINT64_MAX)
        return;
    if (silence > 0 && due > swale__conn_now(conn) + silence)
        due = swale__conn_now(conn) + silence;
    if (!swale_timer_running(&conn->timer) || due < conn->timer.due_ms)
        swale_timer_start(conn->group->loop, &conn->timer, due);
}

/* Without the memory to be busy it tries again a little later. */
static void tick(struct swale_conn *conn)
{
    uint64_t now = swale__conn_now(conn);
    struct swale_event event;
    if (!swale__conn_wake(conn)) {
        swale_timer_start(conn->group->loop, &conn->timer, now + RETRY_MS);
        return;
    }
    swale__conn_touch(conn);
    /* The silence of a peer that the application does not listen to says nothing. */
    if (conn->app_paused && !conn->auto_paused && swale__conn_open_now(conn))
        swale_engine_alive(&conn->busy->engine, now);
    else if (conn->app_paused && conn->finishing)
        swale_engine_wait_on(&conn->busy->engine, now);
    swale_engine_tick(&conn->busy->engine, now, &event);
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
    struct swale_conn *conn = SWALE__LIST_OWNER(timer, struct swale_conn, timer);
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
