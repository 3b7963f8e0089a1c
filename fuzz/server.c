/* server.c - the whole server, over a pair in memory and in virtual time.
 *
 * Input: one byte of options, one that says how to cut, then what the peer sends. Whatever that is, the server comes
 * to rest after every piece; when the peer has gone and the deadlines have passed nothing of it is left; and another
 * peer is served. The sanitizers see the rest. */
#include "fuzz.h"

#include "io/stream.h"
#include "server/server.h"

enum { IN_FLIGHT = 1, TINY = 2, LATER = 4, NEVER = 8, DEFLATE = 16, ABORT = 32, STOP = 64 };

struct world {
    uint64_t now_ms;
    struct swale_loop *loop;
    struct swale_server *server;
    struct swale_exchange *held;
    unsigned options;
    int opened, closed;
};

struct peer {
    struct swale__stream *stream;
    size_t heard;
    size_t in_flight;
    bool over;
};

static uint64_t read_clock(void *context)
{
    return ((const struct world *)context)->now_ms;
}

/* ---- The application -------------------------------------------------------------------------------- */

static struct world *world_of(const struct swale_exchange *exchange)
{
    return swale_exchange_route_user(exchange);
}

static enum swale_verdict on_upgrade(struct swale_exchange *exchange)
{
    struct world *world = world_of(exchange);
    swale_exchange_query(exchange, "q");
    swale_exchange_cookie(exchange, "c");
    if (!(world->options & LATER) || world->held)
        return SWALE_ACCEPT;
    world->held = exchange;
    return SWALE_LATER;
}

static void on_request(struct swale_exchange *exchange)
{
    struct world *world = world_of(exchange);
    if ((world->options & LATER) && !world->held)
        world->held = exchange;
    else
        require(swale_exchange_reply(exchange, 200, NULL, swale_exchange_param(exchange, "*")) == 0);
}

static void on_open(struct swale_conn *conn)
{
    ((struct world *)swale_conn_user(conn))->opened++;
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    require(close->reason != 0);
    ((struct world *)swale_conn_user(conn))->closed++;
}

/* ---- Time ------------------------------------------------------------------------------------------- */

static void settle(struct world *world)
{
    int turns = 0;
    do
        require(swale_loop_step(world->loop, 0) >= 0 && ++turns < 100000);
    while (swale_loop_wait_ms(world->loop) == 0);
}

static void advance(struct world *world, uint64_t ms)
{
    for (uint64_t until = world->now_ms + ms; world->now_ms < until;) {
        int wait = swale_loop_wait_ms(world->loop);
        uint64_t left = until - world->now_ms;
        world->now_ms += wait > 0 && (uint64_t)wait < left ? (uint64_t)wait : left;
        settle(world);
    }
}

/* Answers what was put off, and what is put off then. */
static void decide(struct world *world)
{
    while (world->held && !(world->options & NEVER)) {
        struct swale_exchange *held = world->held;
        world->held = NULL;
        if (swale_exchange_accept(held) == SWALE_ERR_STATE)
            swale_exchange_reply(held, 200, NULL, swale_text("late"));
        settle(world);
    }
}

/* ---- The peer --------------------------------------------------------------------------------------- */

static void on_data(void *context, char *data, size_t size)
{
    (void)data;
    ((struct peer *)context)->heard += size;
}

static void on_written(void *context, size_t size)
{
    ((struct peer *)context)->in_flight -= size;
}

static void on_end(void *context)
{
    ((struct peer *)context)->over = true;
}

static void on_fail(void *context, int error)
{
    (void)error;
    ((struct peer *)context)->over = true;
}

static void dial(struct world *world, struct peer *peer)
{
    static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };
    struct swale__pair_options options = { .in_flight = world->options & IN_FLIGHT,
                                           .capacity = world->options & TINY ? 100 : 0 };
    struct swale__stream *ends[2];
    *peer = (struct peer){ 0 };
    require(swale__pair(ends, world->loop, &options) == 0);
    peer->stream = ends[0];
    swale__stream_use(ends[0], &user, peer);
    swale__stream_resume(ends[0]);
    swale__worker_arrive(world->server->workers[0], ends[1], false);
    settle(world);
}

static void say(struct world *world, struct peer *peer, const char *data, size_t size)
{
    while (size > 0 && peer->in_flight == 0 && !peer->over) {
        struct iovec part = { .iov_base = (char *)(uintptr_t)data, .iov_len = size };
        ptrdiff_t written = swale__stream_write(peer->stream, &part, 1);
        if (written == SWALE__IN_FLIGHT)
            peer->in_flight = size;
        size_t sent = written > 0 ? (size_t)written : peer->in_flight;
        data += sent;
        size -= sent;
        settle(world);
        if (sent == 0)
            return;
    }
}

/* ---- One input -------------------------------------------------------------------------------------- */

static void begin(struct world *world)
{
    struct swale_deflate_policy deflate = { .enabled = world->options & DEFLATE, .client_context_takeover = true };
    struct swale_loop_options loop = { .clock = read_clock, .clock_context = world, .receive_buffer = 8192 };
    struct swale_server_options server = {
        .threads = 1, .clock = read_clock, .clock_context = world, .max_head = 2048, .deflate = deflate
    };
    static const struct swale_handler echo = { .on_open = on_open, .on_message = on_message, .on_close = on_close };
    static const char *const protocols[] = { "a", "b" };
    struct swale_route socket = {
        .handler = &echo, .on_upgrade = on_upgrade, .user = world, .subprotocols = protocols, .subprotocol_count = 2
    };
    struct swale_route plain = { .on_request = on_request, .user = world, .methods = "POST" };
    require(swale_loop_new(&world->loop, &loop) == 0);
    require(swale_server_new(&world->server, &server) == 0);
    require(swale_server_attach(world->server, world->loop) == 0);
    require(swale_server_route(world->server, "/ws/{id}", &socket) == 0);
    require(swale_server_route(world->server, "/*", &plain) == 0);
    require(swale_server_start(world->server) == 0);
}

static void check_another(struct world *world)
{
    static const char ask[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct peer peer;
    world->options &= ~(unsigned)(LATER | IN_FLIGHT);
    dial(world, &peer);
    say(world, &peer, ask, sizeof ask - 1);
    require(peer.heard > 0 && peer.over);
    swale__stream_close(peer.stream, false);
    settle(world);
}

static void end(struct world *world, struct peer *peer)
{
    swale__stream_close(peer->stream, world->options & ABORT);
    settle(world);
    decide(world);
    advance(world, 60000);
    require(world->opened == world->closed);
    require(world->held || world->server->workers[0]->live == 0); /* the application's own time has no end */
    if (!(world->options & STOP))
        check_another(world);
    swale_server_stop(world->server);
    settle(world);
    require(world->held || swale_server_wait(world->server) == 0);
    swale_server_free(world->server);
    swale_loop_free(world->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct world world = { .now_ms = 1000, .options = data[0] };
    struct peer peer;
    size_t piece = data[1] ? data[1] : size;
    begin(&world);
    dial(&world, &peer);
    for (size_t at = 2; at < size; at += piece) {
        size_t run = size - at < piece ? size - at : piece;
        say(&world, &peer, (const char *)data + at, run);
        if (at > size / 2)
            decide(&world);
        if ((world.options & STOP) && at > size / 2)
            swale_server_stop(world.server);
        settle(&world);
    }
    decide(&world);
    end(&world, &peer);
    return 0;
}
