/* receive.c - the pump: what the stream brings -> events of the engine -> what they mean.
 *
 * Bytes are used in the loop's buffer. What is left of them is one of two things:
 *
 *     carry     the beginning of a header or of a control frame: completed, in a place of its own, from the next
 * bytes stalled   whole frames that a pause holds back, at most one receive buffer: the stream stays paused until
 * they have been delivered, from the settling of a later moment
 *
 * Either lies in conn->busy->carry if it is as short as that, else in conn->busy->kept. */
#include "conn/state.h"

#include "proto/engine.h"
#include "proto/frame.h"
#include "proto/short.h"

#include <assert.h>

/* ---- Events ----------------------------------------------------------------------------------------- */

void swale__deliver_message(struct swale_conn *conn, enum swale_kind kind, struct swale_span data, bool compressed)
{
    struct swale__conn_counters *counters = conn->group->counters;
    struct swale_message message = { .data = data, .kind = kind, .compressed = compressed };
    swale__count(&counters->messages_in, 1);
    swale__count(&counters->bytes_in, data.size);
    conn->handler->on_message(conn, &message);
}

void swale__deliver_part(struct swale_conn *conn, const struct swale_part *part)
{
    struct swale__conn_counters *counters = conn->group->counters;
    if (part->last)
        swale__count(&counters->messages_in, 1);
    swale__count(&counters->bytes_in, part->data.size);
    if (conn->handler->on_part)
        conn->handler->on_part(conn, part);
}

/* A bucket that holds one second's messages: each adds 1000 units to the level, each millisecond takes `rate` off.
 * rate_used is the instant, in units, at which it will be empty. */
static bool too_fast(struct swale_conn *conn)
{
    uint64_t rate = conn->group->limits.max_message_rate;
    if (rate == SWALE_OFF)
        return false;
    uint64_t now = swale__conn_now(conn) * rate;
    uint64_t empty_at = conn->busy->rate_used > now ? conn->busy->rate_used : now;
    if (empty_at - now > (rate - 1) * 1000)
        return true;
    conn->busy->rate_used = empty_at + 1000;
    return false;
}

/* After swale_conn_close messages are thrown away. */
static void part(struct swale_conn *conn, const struct swale_event *event)
{
    if (!swale__conn_delivers(conn))
        return;
    if (conn->finishing)
        swale_engine_wait_on(&conn->busy->engine, swale__conn_now(conn));
    if (event->first && too_fast(conn))
        swale__conn_break(conn, SWALE_ERR_MESSAGE_RATE);
    else if (event->compressed)
        swale__receive_compressed(conn, event);
    else
        swale__receive_plain(conn, event);
}

/* A message that came the short way: it is not compressed, and the connection is open. */
static void deliver_short(struct swale_conn *conn, const struct swale__short *message)
{
    if (too_fast(conn)) {
        swale__conn_break(conn, SWALE_ERR_MESSAGE_RATE);
    } else if (conn->handler->on_message && !conn->handler->on_part) {
        swale__deliver_message(conn, message->kind, message->payload, false);
    } else {
        struct swale_part part = { .data = message->payload, .kind = message->kind, .first = true, .last = true };
        swale__deliver_part(conn, &part);
    }
}

static void ping(struct swale_conn *conn, const struct swale_event *event)
{
    swale__count(&conn->group->counters->pings_in, 1);
    if (event->reply_size > 0)
        swale__conn_control(conn, swale_span(event->reply, event->reply_size));
    if (conn->handler->on_ping && swale__conn_delivers(conn))
        conn->handler->on_ping(conn, event->payload);
}

static void pong(struct swale_conn *conn, const struct swale_event *event)
{
    swale__count(&conn->group->counters->pongs_in, 1);
    if (conn->handler->on_pong && swale__conn_delivers(conn))
        conn->handler->on_pong(conn, event->payload);
}

static void handle(struct swale_conn *conn, const struct swale_event *event)
{
    switch (event->type) {
    case SWALE_EVENT_PART:
        part(conn, event);
        break;
    case SWALE_EVENT_PING:
        ping(conn, event);
        break;
    case SWALE_EVENT_PONG:
        pong(conn, event);
        break;
    case SWALE_EVENT_CLOSE:
        swale__conn_peer_closed(conn, event);
        break;
    case SWALE_EVENT_FAIL:
        swale__conn_failed(conn, event);
        break;
    case SWALE_EVENT_NONE:
        break;
    }
}

/* Reads one event. What belongs to a message that is put together is unmasked right into its place there. */
static size_t read_event(struct swale_conn *conn, char *data, size_t size, uint64_t now, struct swale_event *event)
{
    struct swale_engine *engine = &conn->busy->engine;
    size_t header = swale__conn_assembles(conn) ? swale__engine_long_header(engine, data, size) : 0;
    if (header > 0) {
        size_t used = swale_engine_receive(engine, data, header, now, event);
        if (event->type != SWALE_EVENT_NONE || used < header)
            return used;
    }
    char *place = swale__incoming_place(conn, size - header);
    if (!place)
        return header + swale_engine_receive(engine, data + header, size - header, now, event);
    return header + swale__engine_receive_to(engine, data + header, size - header, now, event, place);
}

/* Whoever handles the last bytes of a run may answer at once, and may overwrite the frame's own header if it lies in
 * the run. */
static void note_end(struct swale_conn *conn, char *data, size_t size, struct swale_span payload)
{
    struct swale__conn_group *group = conn->group;
    size_t at = (uintptr_t)payload.data - (uintptr_t)data;
    group->run_ends = conn;
    group->run_message = at < size ? data + at : NULL;
    group->run_room = at;
}

/* Uses as much as it can; returns how much that is, and leaves in `stalled` whether a pause is why it is not more. */
static size_t pump(struct swale_conn *conn, char *data, size_t size)
{
    struct swale__conn_group *group = conn->group;
    uint64_t now = swale__conn_now(conn);
    size_t used = 0;
    conn->stalled = false;
    while (used < size && conn->stage == SWALE__LIVE && !swale__conn_held(conn)) {
        struct swale__short message;
        struct swale_event event;
        size_t step = swale__short_read(&conn->busy->engine, data + used, size - used, now, &message);
        used += step;
        if (step > 0) {
            deliver_short(conn, &message);
            continue;
        }
        used += read_event(conn, data + used, size - used, now, &event);
        if (event.type == SWALE_EVENT_NONE)
            return used;
        group->run_ends = NULL;
        if (used == size)
            note_end(conn, data, size, event.payload);
        handle(conn, &event);
    }
    group->run_ends = NULL;
    conn->stalled = conn->stage == SWALE__LIVE && (used < size || swale__inflate_pending(conn));
    return used;
}

/* ---- What could not be used yet --------------------------------------------------------------------- */

static size_t kept_size(const struct swale_conn *conn)
{
    return conn->busy->carry_size + (conn->busy->kept ? conn->busy->kept->size - conn->busy->kept->start : 0);
}

static void forget_kept(struct swale_conn *conn)
{
    swale__blob_free(conn->group->allocator, conn->busy->kept);
    conn->busy->kept = NULL;
    conn->busy->carry_size = 0;
}

/* Moves what is kept, of which there is some, to `out`. */
static void take_kept(struct swale_conn *conn, char *out)
{
    if (conn->busy->kept)
        memcpy(out, conn->busy->kept->data + conn->busy->kept->start, kept_size(conn));
    else
        memcpy(out, conn->busy->carry, conn->busy->carry_size);
    forget_kept(conn);
}

int swale__conn_keep(struct swale_conn *conn, const char *data, size_t size)
{
    if (size <= sizeof conn->busy->carry) {
        memcpy(conn->busy->carry, data, size);
        conn->busy->carry_size = (uint8_t)size;
        return 0;
    }
    conn->busy->kept = swale__blob_new(conn->group->allocator, swale_span(data, size));
    return conn->busy->kept ? 0 : -ENOMEM;
}

static void keep_rest(struct swale_conn *conn, const char *data, size_t size)
{
    if (size > 0 && conn->stage == SWALE__LIVE && swale__conn_keep(conn, data, size) < 0)
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
}

/* Delivers from a block that was kept, which shrinks from the front; the block is not used up when the application
 * pauses again. */
static void deliver_blob(struct swale_conn *conn)
{
    struct swale__blob *blob = conn->busy->kept;
    blob->start += pump(conn, blob->data + blob->start, blob->size - blob->start);
    if (conn->stalled && blob->start < blob->size)
        return;
    conn->busy->kept = NULL;
    keep_rest(conn, blob->data + blob->start, blob->size - blob->start);
    swale__blob_free(conn->group->allocator, blob);
}

static void deliver_carry(struct swale_conn *conn)
{
    char data[sizeof conn->busy->carry];
    size_t size = conn->busy->carry_size;
    take_kept(conn, data);
    size_t used = pump(conn, data, size);
    keep_rest(conn, data + used, size - used);
}

void swale__conn_deliver_kept(struct swale_conn *conn)
{
    if (!conn->stalled || swale__conn_held(conn))
        return;
    conn->stalled = false;
    if (swale__inflate_pending(conn)) {
        swale__inflate_resume(conn);
        conn->stalled = conn->stage == SWALE__LIVE && (kept_size(conn) > 0 || swale__inflate_pending(conn));
        if (swale__inflate_pending(conn))
            return;
    }
    if (conn->stage != SWALE__LIVE)
        forget_kept(conn);
    else if (conn->busy->kept)
        deliver_blob(conn);
    else if (conn->busy->carry_size > 0)
        deliver_carry(conn);
}

/* ---- The stream's callbacks ------------------------------------------------------------------------- */

/* What comes once nothing is wanted any more is read all the same (see linger), within bounds. */
static void throw_away(struct swale_conn *conn, size_t size)
{
    if (!swale__conn_wake(conn)) {
        swale_conn_abort(conn);
        return;
    }
    conn->busy->thrown_away += size;
    if (swale__conn_flooded(conn))
        swale__conn_touch(conn);
}

/* More came although the stream was asked to pause: it is put behind what is kept already. */
static void keep_more(struct swale_conn *conn, const char *data, size_t size)
{
    size_t before = kept_size(conn);
    struct swale__blob *blob = swale__alloc(conn->group->allocator, sizeof *blob + before + size);
    if (!blob) {
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
        return;
    }
    blob->start = 0;
    blob->size = before + size;
    take_kept(conn, blob->data);
    memcpy(blob->data + before, data, size);
    conn->busy->kept = blob;
}

/* Adds what a carry lacks, and uses it; returns how much of the data that took. */
static size_t complete_carry(struct swale_conn *conn, const char *data, size_t size)
{
    char unit[SWALE_HEADER_MAX + SWALE_CONTROL_MAX];
    size_t have = kept_size(conn), taken = 0, lead;
    assert(have <= sizeof unit);
    take_kept(conn, unit);
    while ((lead = swale__frame_lead(unit, have)) > have && taken < size) {
        size_t more = lead - have < size - taken ? lead - have : size - taken;
        memcpy(unit + have, data + taken, more);
        have += more;
        taken += more;
    }
    size_t used = pump(conn, unit, have);
    keep_rest(conn, unit + used, have - used);
    return taken;
}

static void receive(struct swale_conn *conn, char *data, size_t size)
{
    if (!conn->stalled && kept_size(conn) > 0) {
        size_t taken = complete_carry(conn, data, size);
        data += taken;
        size -= taken;
    }
    if (conn->stalled) {
        keep_more(conn, data, size);
        return;
    }
    size_t used = pump(conn, data, size);
    keep_rest(conn, data + used, size - used);
}

static void on_data(void *context, char *data, size_t size)
{
    struct swale_conn *conn = context;
    swale__count(&conn->group->counters->wire_in, size);
    if (conn->stage != SWALE__LIVE) {
        throw_away(conn, size);
        return;
    }
    swale__conn_touch(conn);
    if (!swale__conn_wake(conn)) {
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
        return;
    }
    receive(conn, data, size);
    /* Much to answer is written while it is still in the cache; little waits for what else this turn brings. */
    if (conn->busy->out.size >= SWALE__BULK)
        swale__conn_flush(conn);
    if (conn->stalled || (conn->stage == SWALE__LIVE && swale__conn_held(conn))) {
        swale__conn_set_reading(conn); /* at once: the stream may have more at hand */
        swale__conn_touch(conn);
    }
}

static void on_written(void *context, size_t size)
{
    struct swale_conn *conn = context;
    if (swale__conn_rests(conn)) /* what was in the way is gone already */
        return;
    swale__conn_count_out(conn, size);
    /* While we do not read, that the peer does is its sign of life. */
    if (conn->auto_paused && swale__conn_open_now(conn))
        swale_engine_alive(&conn->busy->engine, swale__conn_now(conn));
    swale__outq_written(&conn->busy->out, conn->group->loop, size);
    swale__conn_touch(conn);
}

static void on_end(void *context)
{
    struct swale_conn *conn = context;
    conn->ended = true;
    swale__conn_touch(conn);
}

static void on_fail(void *context, int error)
{
    swale__conn_dead(context, error);
}

const struct swale__stream_user swale__conn_stream_user = {
    .on_data = on_data,
    .on_written = on_written,
    .on_end = on_end,
    .on_fail = on_fail,
};
