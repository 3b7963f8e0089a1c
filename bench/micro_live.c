/* micro_live.c - the cells that need a loop: timers, heartbeats, echo, topics, and the server's whole handshake.
 *
 * The loop runs in virtual time. Connections have streams that swallow what is written, and data comes by a call of
 * on_data from within a turn, as from a backend. What a turn costs by itself (one look at the kernel) is spread over
 * all that happens in it. */
#include "micro.h"

#include "conn/conn.h"
#include "io/stream.h"
#include "io/turn.h"
#include "server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t clock_ms = 1000;
static struct swale_loop *loop;

static uint64_t read_clock(void *context)
{
    (void)context;
    return clock_ms;
}

/* One turn, and those that it left work for. */
static void turn(void)
{
    do
        micro_require(swale_loop_step(loop, 0) >= 0, "a turn");
    while (swale_loop_wait_ms(loop) == 0);
}

/* ---- Streams that swallow everything ---------------------------------------------------------------- */

struct sink {
    struct swale__stream stream;
    bool closed;
};

static size_t swallowed; /* by all of them */

static void ignore(struct swale__stream *stream)
{
    (void)stream;
}

static ptrdiff_t swallow(struct swale__stream *stream, const struct iovec *parts, int count)
{
    size_t size = 0;
    (void)stream;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    swallowed += size;
    return (ptrdiff_t)size;
}

static void close_sink(struct swale__stream *stream, bool abort)
{
    (void)abort;
    ((struct sink *)stream)->closed = true;
}

static void describe(struct swale__stream *stream, struct swale_peer *peer, char *text)
{
    (void)stream;
    (void)text;
    *peer = (struct swale_peer){ .address = swale_text("192.0.2.1"), .port = 50000 };
}

static void open_sink(struct sink *sink)
{
    static const struct swale__stream_ops ops = {
        .resume = ignore,
        .pause = ignore,
        .write = swallow,
        .shutdown = ignore,
        .close = close_sink,
        .describe = describe,
        .prompt = true,
    };
    *sink = (struct sink){ .stream = { .ops = &ops, .loop = loop } };
}

/* What comes in, behind the room that a stream has to leave in front of it. */
static char received[65536];

static void feed(struct sink *sink, const char *data, size_t size)
{
    memcpy(received, data, size);
    sink->stream.user->on_data(sink->stream.context, received, size);
}

/* ---- Connections ------------------------------------------------------------------------------------ */

struct crowd {
    struct swale__conn_group *group;
    struct swale__conn_counters counters;
    struct sink *sinks;
    struct swale_conn **conns;
    size_t count;
    struct swale__work arrive; /* what comes for all of them in one turn */
    const char *data;
    size_t size;
};

static void arrive(struct swale__work *work)
{
    struct crowd *crowd = (struct crowd *)((char *)work - offsetof(struct crowd, arrive));
    for (size_t i = 0; i < crowd->count; i++)
        feed(&crowd->sinks[i], crowd->data, crowd->size);
}

static void make_crowd(struct crowd *crowd, size_t count, const struct swale_handler *handler)
{
    struct swale_limits limits = swale_limits_resolve(NULL);
    struct swale__conn_group_options options = {
        .loop = loop, .limits = &limits, .role = SWALE_SERVER, .counters = &crowd->counters
    };
    *crowd = (struct crowd){ .count = count, .arrive.run = arrive };
    crowd->sinks = calloc(count, sizeof *crowd->sinks);
    crowd->conns = calloc(count, sizeof *crowd->conns);
    micro_require(crowd->sinks && crowd->conns, "allocating");
    micro_require(swale__conn_group_new(&crowd->group, &options) == 0, "a group");
    for (size_t i = 0; i < count; i++) {
        struct swale_engine engine;
        swale_engine_init(&engine, swale__conn_group_config(crowd->group), clock_ms);
        open_sink(&crowd->sinks[i]);
        struct swale__conn_open open = { .stream = &crowd->sinks[i].stream, .engine = &engine, .handler = handler };
        micro_require(swale__conn_new(&crowd->conns[i], crowd->group, &open) == 0, "a connection");
    }
    turn();
}

static void free_crowd(struct crowd *crowd)
{
    swale__conn_group_abort_all(crowd->group);
    turn();
    turn();
    swale__conn_group_free(crowd->group);
    free(crowd->sinks);
    free(crowd->conns);
}

/* ---- Timers ----------------------------------------------------------------------------------------- */

enum { TIMERS = 1000 };

static size_t fired;

static void fire(struct swale_timer *timer)
{
    (void)timer;
    fired++;
}

/* Started for an instant of its own and stopped again, among the others. */
static void start_and_stop(void *context)
{
    struct swale_timer *timers = context;
    for (uint64_t i = 0; i < TIMERS; i++)
        swale_timer_start(loop, &timers[i], clock_ms + 25000 + i);
    for (size_t i = 0; i < TIMERS; i++)
        swale_timer_stop(loop, &timers[i]);
}

/* Started 25 s ahead, as those of connections are, and fired. */
static void start_and_fire(void *context)
{
    struct swale_timer *timers = context;
    size_t before = fired;
    for (size_t i = 0; i < TIMERS; i++)
        swale_timer_start(loop, &timers[i], clock_ms + 25000);
    clock_ms += 25000;
    turn();
    micro_require(fired == before + TIMERS, "firing");
}

static void timer_cells(void)
{
    static struct swale_timer timers[TIMERS];
    for (size_t i = 0; i < TIMERS; i++)
        timers[i].fire = fire;
    micro_run(&(struct micro){ .name = "timer", .times = TIMERS, .work = start_and_stop, .context = timers });
    micro_run(&(struct micro){ .name = "timer-fire", .times = TIMERS, .work = start_and_fire, .context = timers });
}

/* ---- Heartbeat, echo -------------------------------------------------------------------------------- */

/* 25 s of silence, a ping to everyone, and everyone's answer. A hundred at a time: those of one millisecond. */
static void heartbeat(void *context)
{
    struct crowd *crowd = context;
    size_t before = swallowed;
    clock_ms += 25000;
    turn();
    micro_require(swallowed == before + 2 * crowd->count, "pinging");
    clock_ms += 100;
    swale__loop_at_next(loop, &crowd->arrive);
    turn();
}

static void echo(void *context)
{
    struct crowd *crowd = context;
    size_t before = swallowed;
    swale__loop_at_next(loop, &crowd->arrive);
    turn();
    micro_require(swallowed > before, "echoing");
}

static void send_back(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

/* `depth` binary frames to each of 100 connections. */
static void echo_cell(const char *name, size_t size, size_t depth)
{
    static const struct swale_handler handler = { .on_message = send_back };
    static char frames[65536];
    struct crowd crowd;
    if (!micro_wanted(name))
        return;
    make_crowd(&crowd, 100, &handler);
    for (size_t i = 0; i < depth; i++) {
        char *at = frames + crowd.size;
        int header = swale_frame_header(SWALE_BINARY, false, size, at);
        at[1] |= (char)0x80;
        memcpy(at + header, "\x37\xfa\x21\x3d", 4);
        crowd.size += (size_t)header + 4 + size;
    }
    crowd.data = frames;
    micro_run(
        &(struct micro){ .name = name, .size = size, .times = crowd.count * depth, .work = echo, .context = &crowd });
    free_crowd(&crowd);
}

static void conn_cells(void)
{
    static const struct swale_handler handler = { .on_open = NULL };
    struct crowd crowd;
    echo_cell("echo", 20, 1);
    echo_cell("echo-32", 20, 32);
    echo_cell("echo", 1024, 1);
    echo_cell("echo", 16384, 1);
    if (!micro_wanted("heartbeat"))
        return;
    make_crowd(&crowd, 100, &handler);
    crowd.data = "\x8a\x80\x37\xfa\x21\x3d";
    crowd.size = 6;
    micro_run(&(struct micro){ .name = "heartbeat", .times = crowd.count, .work = heartbeat, .context = &crowd });
    free_crowd(&crowd);
}

/* ---- Topics ----------------------------------------------------------------------------------------- */

struct topic {
    struct swale_hub *hub;
    struct crowd crowd;
    int depth; /* publishes in one turn */
};

static void publish(void *context)
{
    static const char text[101] = "{\"id\":4711,\"match\":\"home - away\",\"minute\":63,\"score\":[2,1],\"event\":"
                                  "\"goal\",\"by\":\"nobody\",\"at\":1}";
    struct topic *topic = context;
    struct swale_publish message = { .topic = swale_text("news"), .kind = SWALE_TEXT, .data = { text, 100 } };
    size_t before = swallowed;
    for (int i = 0; i < topic->depth; i++)
        micro_require(swale_hub_publish(topic->hub, &message) == 0, "publishing");
    turn();
    micro_require(swallowed == before + 102 * topic->crowd.count * (size_t)topic->depth, "delivering");
}

/* 100 bytes to `subscribers`, `depth` of them in a turn; the operation is one delivery. */
static void publish_cell(const char *name, size_t subscribers, int depth)
{
    static const struct swale_handler handler = { .on_open = NULL };
    struct topic topic = { .depth = depth };
    if (!micro_wanted(name))
        return;
    micro_require(swale_hub_new(&topic.hub, NULL) == 0 && swale_hub_attach(topic.hub, loop) == 0, "a hub");
    make_crowd(&topic.crowd, subscribers, &handler);
    for (size_t i = 0; i < subscribers; i++)
        micro_require(swale_hub_join(topic.hub, swale_text("news"), swale_conn_subscriber(topic.crowd.conns[i])) == 0,
                      "joining");
    micro_run(
        &(struct micro){ .name = name, .times = subscribers * (size_t)depth, .work = publish, .context = &topic });
    free_crowd(&topic.crowd);
    swale_hub_free(topic.hub);
}

static void topic_cells(void)
{
    publish_cell("publish-1", 1, 1);
    publish_cell("publish-1000", 1000, 1);
    publish_cell("publish-1000x16", 1000, 16);
    publish_cell("publish-10000", 10000, 1);
}

/* ---- The server's handshake ------------------------------------------------------------------------- */

enum { NEWCOMERS = 100 };

struct house {
    struct swale_server *server;
    struct swale__work arrive;
    struct sink sinks[NEWCOMERS];
};

static void come(struct swale__work *work)
{
    static const char head[] = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Origin: http://server.example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct house *house = (struct house *)((char *)work - offsetof(struct house, arrive));
    for (size_t i = 0; i < NEWCOMERS; i++) {
        open_sink(&house->sinks[i]);
        swale__worker_arrive(house->server->workers[0], &house->sinks[i].stream, false);
        feed(&house->sinks[i], head, sizeof head - 1);
    }
}

/* A hundred come, are let in and answered, and their transports fail. */
static void visit(void *context)
{
    struct house *house = context;
    swale__loop_at_next(loop, &house->arrive);
    turn();
    for (size_t i = 0; i < NEWCOMERS; i++)
        house->sinks[i].stream.user->on_fail(house->sinks[i].stream.context, -ECONNRESET);
    turn();
    for (size_t i = 0; i < NEWCOMERS; i++)
        micro_require(house->sinks[i].closed, "leaving");
}

static void handshake_cell(void)
{
    static const struct swale_handler handler = { .on_open = NULL };
    static struct house house = { .arrive.run = come };
    struct swale_server_options options = { .threads = 1,
                                            .clock = read_clock,
                                            .max_connections_per_address = SWALE_UNLIMITED };
    struct swale_server_stats stats;
    if (!micro_wanted("handshake"))
        return;
    micro_require(swale_server_new(&house.server, &options) == 0, "a server");
    micro_require(swale_server_attach(house.server, loop) == 0, "attaching");
    micro_require(swale_server_route(house.server, "/chat", &(struct swale_route){ .handler = &handler }) == 0,
                  "a route");
    micro_require(swale_server_start(house.server) == 0, "starting");
    micro_run(&(struct micro){ .name = "handshake", .times = NEWCOMERS, .work = visit, .context = &house });
    swale_server_stats(house.server, &stats);
    micro_require(stats.connections_opened == stats.accepted && stats.connections_open == 0, "the handshake");
    swale_server_stop(house.server);
    turn();
    turn();
    swale_server_free(house.server);
}

void micro_live(void)
{
    micro_require(swale_loop_new(&loop, &(struct swale_loop_options){ .clock = read_clock }) == 0, "a loop");
    timer_cells();
    conn_cells();
    topic_cells();
    handshake_cell();
    swale_loop_free(loop);
}
