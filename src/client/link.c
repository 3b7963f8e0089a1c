/* link.c - a client's connection, from the attempt that made it to its on_close.
 *
 * The connection's owner is the client, until the client is freed: then nobody hears of it any more. */
#include "client/state.h"
#include "client/tap.h"

static struct swale_client *client_of(struct swale_conn *conn)
{
    return swale__conn_owner(conn);
}

/* ---- What it brings --------------------------------------------------------------------------------- */

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    struct swale_client *client = client_of(conn);
    client->heard = true;
    if (client->handler->on_message)
        client->handler->on_message(client, message);
}

static void on_part(struct swale_conn *conn, const struct swale_part *part)
{
    struct swale_client *client = client_of(conn);
    client->heard = true;
    client->handler->on_part(client, part);
}

static void on_ping(struct swale_conn *conn, struct swale_span payload)
{
    struct swale_client *client = client_of(conn);
    client->heard = true;
    if (client->handler->on_ping)
        client->handler->on_ping(client, payload);
}

static void on_pong(struct swale_conn *conn, struct swale_span payload)
{
    struct swale_client *client = client_of(conn);
    client->heard = true;
    if (client->handler->on_pong)
        client->handler->on_pong(client, payload);
}

/* The application may have filled the queue through the connection itself. */
static void on_drain(struct swale_conn *conn)
{
    struct swale_client *client = client_of(conn);
    client->want_drain = true;
    swale__client_drain(client);
}

void swale__client_progress(void *commons, struct swale_conn *conn)
{
    struct swale_client *client = client_of(conn);
    (void)commons;
    swale__client_note_handed(client);
    if (!client->freed)
        swale__client_feed(client);
    if (!client->freed)
        swale__client_drain(client);
}

uint64_t swale__client_first_behind(void *commons, struct swale_conn *conn, uint64_t handed)
{
    (void)commons;
    return swale__outbox_first_behind(&client_of(conn)->box, handed);
}

/* ---- Its end ---------------------------------------------------------------------------------------- */

/* A tap has no client any more to tell of what it sees. */
static void mute(struct swale_client *client)
{
    if (client->tap)
        swale__tap_mute(client->tap);
    client->tap = NULL;
}

/* One that lasted long enough has made good what failed before it; one that was given up by request is no failure. */
static void count_failure(struct swale_client *client, uint64_t open_ms)
{
    if (client->hurry || open_ms >= client->plan.config->options.reconnect.healthy_ms)
        client->failures = 0;
    if (!client->hurry)
        client->failures += client->failures < UINT32_MAX;
}

/* A peer that has answered our close frame has read all that came before it. One that closed by itself, or whose
 * close frame has crossed ours, may have stopped reading sooner (RFC 6455 section 1.4). An answer repeats our code.
 */
static bool heard_all(const struct swale_client *client, const struct swale_close *close)
{
    int answer = client->close_code != 0 ? client->close_code : 1005;
    return close->clean && close->reason == SWALE_ERR_LOCAL_CLOSED && close->code == answer;
}

/* Everything is as it will be before anything is told. */
static void closed(struct swale_client *client, const struct swale_close *close)
{
    uint64_t now = swale__client_now(client);
    struct swale_client_closing closing = { .close = *close, .open_ms = now - client->opened_ms };
    struct swale_client_retry retry = {
        .reason = close->reason,
        .phase = SWALE_PHASE_OPEN,
        .code = close->code,
        .retry_after_ms = -1,
    };
    struct swale__news news[2];
    count_failure(client, closing.open_ms);
    client->gap_ms = now;
    swale__client_settle(client, heard_all(client, close), news);
    closing.retry_ms = swale__client_decide(client, &retry);
    if (client->freed)
        return;
    swale__client_move_on(client, closing.retry_ms);
    swale__client_announce(client);
    if (!client->freed && client->handler->on_close)
        client->handler->on_close(client, &closing);
    client->conn = NULL;
    swale_timer_stop(client->loop, &client->probe); /* which a callback may have started just now */
    swale__client_tell(client, &news[0]);
    swale__client_tell(client, &news[1]);
    swale__client_end(client, close->reason);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    struct swale_client *client = client_of(conn);
    mute(client);
    swale__client_announce(client);
    if (!client->freed)
        closed(client, close);
}

void swale__client_unlink(struct swale_client *client)
{
    mute(client);
    swale_timer_stop(client->loop, &client->probe);
    if (client->conn)
        swale__conn_discard(client->conn);
    client->conn = NULL;
}

void swale__client_watch_close(struct swale_client *client)
{
    uint32_t wait_ms = client->plan.config->limits.close_wait_ms;
    client->close_position = swale__conn_handed(client->conn);
    if (wait_ms != SWALE_OFF)
        swale_timer_start(client->loop, &client->probe, swale__client_now(client) + wait_ms);
}

/* What still waits when the close goes ahead of it is refused at the end. */
static void look_at_close(struct swale_client *client)
{
    if (swale__conn_handed(client->conn) != client->close_position) {
        swale__client_watch_close(client);
        return;
    }
    client->close_waits = false;
    swale__client_close_conn(client, client->close_code, client->close_text);
}

void swale__client_probe_fired(struct swale_timer *timer)
{
    struct swale_client *client = timer->context;
    if (client->state == SWALE_CLIENT_CLOSING) {
        if (client->close_waits)
            look_at_close(client);
        return;
    }
    if (!client->heard && swale__conn_heard_ms(client->conn) <= client->probed_ms)
        swale_conn_fail(client->conn, SWALE_ERR_HEARTBEAT);
}

/* ---- Its beginning ---------------------------------------------------------------------------------- */

static const struct swale_handler whole = {
    .on_message = on_message,
    .on_drain = on_drain,
    .on_ping = on_ping,
    .on_pong = on_pong,
    .on_close = on_close,
};

static const struct swale_handler in_parts = {
    .on_part = on_part,
    .on_drain = on_drain,
    .on_ping = on_ping,
    .on_pong = on_pong,
    .on_close = on_close,
};

/* The stream is taken over, also on failure. */
static int put_tap(struct swale_client *client, const struct swale__attempt_success *success,
                   struct swale__stream **stream)
{
    *stream = success->stream;
    if (!client->handler->on_trace)
        return 0;
    int error = swale__tap_new(stream, success->stream, client->allocator, swale__client_trace, client);
    if (error)
        return error;
    client->tap = *stream;
    swale__tap_early(*stream, success->early);
    return 0;
}

static int make_conn(struct swale_client *client, const struct swale__attempt_success *success)
{
    struct swale_engine engine;
    struct swale__conn_open open = {
        .engine = &engine,
        .handler = client->handler->on_part ? &in_parts : &whole,
        .user = client->user,
        .owner = client,
        .subprotocol = success->result.subprotocol,
        .deflate = success->result.deflate,
        .deflate_params = success->result.deflate_params,
        .early = success->early,
        .reading = success->reading,
        .ended = success->ended,
    };
    swale_engine_init(&engine, swale__conn_group_config(client->plan.group), swale__client_now(client));
    int error = put_tap(client, success, &open.stream);
    if (!error)
        error = swale__conn_new(&client->conn, client->plan.group, &open);
    if (error)
        client->tap = NULL;
    return error;
}

static void tell_open(struct swale_client *client, const struct swale_response *response)
{
    struct swale_client_opening opening = {
        .first = !client->was_open,
        .tries = client->tries,
        .gap_ms = client->opened_ms - client->gap_ms,
        .response = response,
    };
    client->was_open = true;
    client->tries = 0;
    swale__client_announce(client);
    if (!client->freed && client->handler->on_open)
        client->handler->on_open(client, &opening);
}

void swale__client_opened(void *context, const struct swale__attempt_success *success)
{
    struct swale_client *client = context;
    client->attempt = NULL;
    if (client->freed || client->state != SWALE_CLIENT_CONNECTING) { /* it was given up */
        swale__stream_close(success->stream, true);
        return;
    }
    int error = make_conn(client, success);
    if (client->freed) { /* from on_trace, by what came with the answer */
        swale__client_unlink(client);
        return;
    }
    if (error) {
        struct swale_client_failure failure = {
            .reason = error,
            .phase = SWALE_PHASE_HANDSHAKE,
            .text = swale_strerror(error),
        };
        swale__client_failed(client, &failure, -1);
        return;
    }
    client->state = SWALE_CLIENT_OPEN;
    client->opened_ms = swale__client_now(client);
    if (client->plan.config->options.max_pending > 0)
        swale__conn_track(client->conn);
    tell_open(client, success->response);
    if (!client->freed)
        swale__client_feed(client);
    if (!client->freed)
        swale__client_drain(client);
}
