/* A connection's birth, its pauses, and what is known about it. */
#include "conn/state.h"

/* ---- Blobs ------------------------------------------------------------------------------------------ */

struct swale__blob *swale__blob_new(const struct swale_allocator *allocator, struct swale_span data)
{
    struct swale__blob *blob = swale__alloc(allocator, sizeof *blob + data.size);
    if (!blob)
        return NULL;
    blob->start = 0;
    blob->size = data.size;
    if (data.data)
        memcpy(blob->data, data.data, data.size);
    return blob;
}

void swale__blob_free(const struct swale_allocator *allocator, struct swale__blob *blob)
{
    if (blob)
        swale__free(allocator, blob, sizeof *blob + blob->size);
}

/* ---- Making one ------------------------------------------------------------------------------------- */

/* What of an opening needs memory. */
static int take_in(struct swale_conn *conn, const struct swale__conn_open *open)
{
    struct swale__conn_group *group = conn->group;
    if (!swale__conn_make_busy(conn))
        return -ENOMEM;
    conn->busy->engine = *open->engine;
    if (swale__terms_hold(&conn->terms, group, open) < 0)
        return -ENOMEM;
    if (open->early.size > 0) {
        conn->stalled = true;
        if (swale__conn_keep(conn, open->early.data, open->early.size) < 0)
            return -ENOMEM;
    }
    return swale__outq_append(&conn->busy->out, group->loop, open->answer, swale_span(NULL, 0));
}

static void set_fields(struct swale_conn *conn, struct swale__conn_group *group, const struct swale__conn_open *open)
{
    conn->subscriber.ops = &swale__conn_subscriber_ops;
    conn->group = group;
    conn->stream = open->stream;
    conn->handler = open->handler;
    conn->user = open->user;
    conn->timer.fire = swale__conn_fire;
    conn->timer.context = open->owner;
    conn->opened_ms = swale__conn_now(conn);
    conn->work.run = swale__conn_settle;
    swale__list_init(&conn->work.node);
    conn->busy = (struct swale__busy *)&swale__at_rest;
    conn->reading = open->reading;
    conn->ended = open->ended;
}

static void enter_group(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    conn->subscriber.id = group->next_id++;
    group->count++;
    swale__count(&group->counters->open, 1);
    swale__count(&group->counters->opened, 1);
}

int swale__conn_new(struct swale_conn **conn, struct swale__conn_group *group, const struct swale__conn_open *open)
{
    uint16_t place;
    struct swale_conn *made = swale__pool_take(&group->conns, &place);
    if (!made) {
        swale__stream_close(open->stream, true);
        return -ENOMEM;
    }
    *made = (struct swale_conn){ .place = place };
    set_fields(made, group, open);
    int error = take_in(made, open);
    if (error < 0) {
        swale__conn_destroy(made);
        return error;
    }
    enter_group(made);
    swale__count(&group->counters->wire_in, open->early.size);
    swale__stream_use(made->stream, &swale__conn_stream_user, made);
    if (swale_engine_phase(&made->busy->engine) == SWALE_HANDSHAKING)
        swale_engine_open(&made->busy->engine, open->deflate, swale__conn_now(made));
    if (made->stalled) /* at once: the stream may have more at hand than the early bytes */
        swale__conn_set_reading(made);
    swale__conn_arm(made);
    swale__conn_touch(made);
    *conn = made;
    if (made->handler->on_open)
        made->handler->on_open(made);
    return 0;
}

/* ---- Pausing ---------------------------------------------------------------------------------------- */

void swale_conn_pause(struct swale_conn *conn)
{
    conn->app_paused = true;
    swale__conn_touch(conn);
}

/* What has arrived is delivered when the connection settles, not from in here. */
void swale_conn_resume(struct swale_conn *conn)
{
    conn->app_paused = false;
    swale__conn_touch(conn);
}

/* ---- How far messages got ---------------------------------------------------------------------------- */

void swale__conn_track(struct swale_conn *conn)
{
    conn->tracked = true;
    swale__conn_touch(conn);
}

uint64_t swale__conn_position(const struct swale_conn *conn)
{
    return conn->busy->left + conn->busy->out.size;
}

uint64_t swale__conn_handed(const struct swale_conn *conn)
{
    return conn->taken_back ? conn->busy->left : conn->busy->left + conn->busy->out.in_flight;
}

/* ---- What is known ---------------------------------------------------------------------------------- */

uint64_t swale_conn_id(const struct swale_conn *conn)
{
    return conn->subscriber.id;
}

void *swale_conn_user(const struct swale_conn *conn)
{
    return conn->user;
}

void swale_conn_set_user(struct swale_conn *conn, void *user)
{
    conn->user = user;
}

void *swale__conn_owner(const struct swale_conn *conn)
{
    return conn->timer.context;
}

uint64_t swale__conn_heard_ms(const struct swale_conn *conn)
{
    if (conn->app_paused)
        return swale__conn_now(conn);
    return swale__conn_rests(conn) ? conn->heard_ms : conn->busy->engine.heard_ms;
}

struct swale_loop *swale_conn_loop(const struct swale_conn *conn)
{
    return conn->group->loop;
}

struct swale_span swale_conn_subprotocol(const struct swale_conn *conn)
{
    return conn->terms ? conn->terms->subprotocol : swale_span(NULL, 0);
}

bool swale_conn_deflate(const struct swale_conn *conn)
{
    return swale__conn_deflates(conn);
}

void swale_conn_peer(const struct swale_conn *conn, struct swale_peer *peer)
{
    if (conn->stream)
        swale__stream_describe(conn->stream, peer);
    else
        *peer = (struct swale_peer){ .port = 0 };
}

void swale__conn_glance(const struct swale_conn *conn, struct swale_peer *peer, char text[SWALE__PEER_TEXT])
{
    if (conn->stream)
        swale__stream_glance(conn->stream, peer, text);
    else
        *peer = (struct swale_peer){ .port = 0 };
}

uint64_t swale__conn_opened_ms(const struct swale_conn *conn)
{
    return conn->opened_ms;
}

size_t swale_conn_queued(const struct swale_conn *conn)
{
    return conn->busy->out.size;
}

struct swale_subscriber *swale_conn_subscriber(struct swale_conn *conn)
{
    return &conn->subscriber;
}
