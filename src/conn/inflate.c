/* inflate.c - compressed messages (RFC 7692 section 7.2.2).
 *
 *     in one piece, no context       the group's inflater, at once, into the group's buffer; delivered from there
 *     anything else                  in runs of 64 KiB: an inflater of the connection's own where the peer keeps its
 *                                    context, else one on lease for as long as the message takes, so that messages of
 *                                    several connections may be under way at once
 *
 * Size and ratio are checked after every run, so what a bomb can have is one run more than allowed. Known weakness:
 * the part of a message that has arrived is held inflated; a peer that stops short of the end of a message makes a
 * connection hold up to max_message for a thousandth of it, and an inflater (some 40 KiB). It matters where many
 * peers are hostile; a lower max_message bounds it. */
#include "conn/state.h"

/* A ratio is looked at once a message is larger than this. */
enum { RATIO_FROM = 65536 };

static void fail(struct swale_conn *conn, ptrdiff_t error)
{
    swale__conn_break(conn, error == -ENOMEM ? SWALE_ERR_NO_MEMORY : (int)error);
}

/* Does the application want whole messages? One that wants none has them checked as parts, at no cost in memory. */
static bool wants_whole(const struct swale_conn *conn)
{
    return conn->handler->on_message && !conn->handler->on_part;
}

static bool valid_text(struct swale_conn *conn, enum swale_kind kind, const char *data, size_t size, bool last)
{
    if (kind != SWALE_TEXT || swale_engine_text(&conn->busy->engine, data, size, last) == 0)
        return true;
    swale__conn_break(conn, SWALE_ERR_UTF8);
    return false;
}

/* ---- At once ---------------------------------------------------------------------------------------- */

/* SWALE_ERR_TOO_SMALL when it does not fit into the buffer, or is too large. */
static ptrdiff_t inflate_whole(struct swale_conn *conn, struct swale_span data, char *buffer)
{
    uint64_t most = conn->group->limits.max_message;
    struct swale_inflater *inflater = swale__group_lease(conn->group);
    if (!inflater)
        return -ENOMEM;
    size_t capacity = most < SWALE__INFLATE_RUN ? (size_t)most : SWALE__INFLATE_RUN;
    ptrdiff_t size = swale_inflater_whole(inflater, data, buffer, capacity);
    swale__group_return(conn->group, inflater);
    return size;
}

/* False when the message must be inflated in runs. */
static bool receive_whole(struct swale_conn *conn, const struct swale_event *event)
{
    if (!event->first || !event->last || conn->terms->receive_takeover || !wants_whole(conn))
        return false;
    char *buffer = swale__group_inflated(conn->group);
    ptrdiff_t size = buffer ? inflate_whole(conn, event->payload, buffer) : -ENOMEM;
    if (size == SWALE_ERR_TOO_SMALL)
        return false;
    if (size < 0)
        fail(conn, size);
    else if (valid_text(conn, event->kind, buffer, (size_t)size, true))
        swale__deliver_message(conn, event->kind, swale_span(buffer, (size_t)size), true);
    return true;
}

/* ---- In runs ---------------------------------------------------------------------------------------- */

static struct swale_inflater *own_inflater(struct swale_conn *conn)
{
    struct swale__terms *terms = conn->terms;
    if (!terms->inflater &&
        swale_inflater_new(&terms->inflater, conn->group->allocator, terms->receive_bits, true) < 0)
        terms->inflater = NULL;
    return terms->inflater;
}

static int begin(struct swale_conn *conn, enum swale_kind kind)
{
    if (swale__incoming_begin(conn, kind, 0, 0) < 0)
        return -ENOMEM;
    struct swale__incoming *incoming = conn->busy->incoming;
    bool own = conn->terms->receive_takeover;
    incoming->inflater = own ? own_inflater(conn) : swale__group_lease(conn->group);
    incoming->leased = !own && incoming->inflater;
    return incoming->inflater ? 0 : -ENOMEM;
}

/* 0, or the limit that the message has passed. */
static int check_limits(const struct swale_conn *conn)
{
    const struct swale_limits *limits = &conn->group->limits;
    const struct swale__incoming *incoming = conn->busy->incoming;
    if (incoming->inflated > limits->max_message)
        return SWALE_ERR_MESSAGE_SIZE;
    if (incoming->inflated > RATIO_FROM && limits->max_inflate_ratio != SWALE_OFF &&
        incoming->inflated / limits->max_inflate_ratio > incoming->wire)
        return SWALE_ERR_DEFLATE_RATIO;
    return 0;
}

/* One run into the buffer. Its size, or what ends the connection. */
static ptrdiff_t inflate_run(struct swale_conn *conn, struct swale_span *in, bool last, char *buffer)
{
    struct swale__incoming *incoming = conn->busy->incoming;
    size_t before = in->size;
    ptrdiff_t size = swale_inflater_step(incoming->inflater, in, last, buffer, SWALE__INFLATE_RUN);
    if (size < 0)
        return size;
    if (size == 0 && before > 0 && in->size == before)
        return SWALE_ERR_DEFLATE_DATA; /* no progress */
    incoming->wire += before - in->size;
    incoming->inflated += (uint64_t)size;
    int error = check_limits(conn);
    return error < 0 ? error : size;
}

static void deliver_run(struct swale_conn *conn, struct swale_span run, bool last)
{
    struct swale__incoming *incoming = conn->busy->incoming;
    struct swale_part part = { .data = run, .kind = incoming->kind, .first = !incoming->begun, .last = last };
    if (run.size == 0 && !last)
        return;
    incoming->begun = true;
    swale__deliver_part(conn, &part);
}

/* A run for an application that wants whole messages. The only one is delivered where it lies. */
static void assemble_run(struct swale_conn *conn, struct swale_span run, bool last)
{
    struct swale__incoming *incoming = conn->busy->incoming;
    if (last && incoming->size == 0) {
        swale__deliver_message(conn, incoming->kind, run, true);
        return;
    }
    if (swale__incoming_add(conn, run, 0) < 0) {
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
        return;
    }
    incoming = conn->busy->incoming;
    if (last)
        swale__deliver_message(conn, incoming->kind, swale_span(incoming->data, incoming->size), true);
}

/* Sets aside what a pause keeps from being inflated. */
static void put_off(struct swale_conn *conn, struct swale_span in, bool last)
{
    struct swale__incoming *incoming = conn->busy->incoming;
    incoming->pending = swale__blob_new(conn->group->allocator, in);
    incoming->pending_last = last;
    if (!incoming->pending)
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
}

/* Inflates a run of a message's payload; `last` when the message ends with it. */
static void inflate(struct swale_conn *conn, struct swale_span in, bool last)
{
    char *buffer = swale__group_inflated(conn->group);
    if (!buffer) {
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
        return;
    }
    for (bool done = false; !done;) {
        ptrdiff_t size = inflate_run(conn, &in, last, buffer);
        if (size < 0) {
            fail(conn, size);
            return;
        }
        done = in.size == 0 && size < SWALE__INFLATE_RUN;
        struct swale_span run = swale_span(buffer, (size_t)size);
        if (!valid_text(conn, conn->busy->incoming->kind, run.data, run.size, last && done))
            return;
        if (wants_whole(conn))
            assemble_run(conn, run, last && done);
        else
            deliver_run(conn, run, last && done);
        if (!done && !swale__conn_delivers(conn))
            return;
        if (!done && swale__conn_held(conn)) {
            put_off(conn, in, last);
            return;
        }
    }
    if (last)
        swale__incoming_end(conn);
}

void swale__receive_compressed(struct swale_conn *conn, const struct swale_event *event)
{
    if (receive_whole(conn, event))
        return;
    if (event->first && begin(conn, event->kind) < 0)
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
    else
        inflate(conn, event->payload, event->last);
}

/* ---- Pauses in the middle --------------------------------------------------------------------------- */

bool swale__inflate_pending(const struct swale_conn *conn)
{
    return conn->busy->incoming && conn->busy->incoming->pending;
}

void swale__inflate_resume(struct swale_conn *conn)
{
    struct swale__blob *pending = conn->busy->incoming->pending;
    conn->busy->incoming->pending = NULL;
    if (swale__conn_delivers(conn))
        inflate(conn, swale_span(pending->data, pending->size), conn->busy->incoming->pending_last);
    swale__blob_free(conn->group->allocator, pending);
}
