/* client.c - the whole client, again and again against a server that does as it likes, with an application that does
 * too.
 *
 * The input is a script: each step is an operation and what it asks for. Operations of the server accept, say raw
 * bytes, frames and closes, end, reset and stall; the network refuses, or lets wait; time passes; allocations fail;
 * and the application sends, closes, reconnects, hints and frees, from outside and (on wild runs) from within every
 * callback.
 *
 * What must hold, whatever is asked for:
 *
 *     - no callback comes from within a call; on_close once for every on_open; on_end once; nothing after free
 *     - what the client says is a request, and then frames that are masked and whole, none behind its close
 *     - no message arrives twice; one that was refused never; all that count as written before the close frame
 *     - a fate goes one way only, and what has ended leaves none open
 *     - all memory is given back */
#include "fuzz.h"

#include "io/connect.h"
#include "io/turn.h"
#include "memory.h"

#include <swale/client.h>

#include <errno.h>
#include <stdio.h>

enum { WILD = 1, IN_FLIGHT = 2, TINY = 4, PENDING = 8, PARTS = 16, TRACE = 32, DEFLATE = 64, SHORT = 128 };
enum { TICKETS = 512, CONNECTIONS = 256, PAYLOAD_MAX = 70000, OUT_MAX = 1 << 18 };
enum network { REACHES, REFUSES, HANGS, NETWORKS };

struct ticket {
    uint64_t number;
    unsigned connection; /* on which it was written */
    uint8_t fate, seen;
};

struct world {
    uint64_t now_ms;
    struct test_memory memory;
    struct swale_allocator allocator;
    struct swale_loop *loop;
    const uint8_t *at, *end;
    unsigned options;

    /* The application. */
    struct swale_client *client; /* NULL: freed */
    struct swale_client_handler handler;
    bool calling, open, ended;
    enum swale_client_state state;
    struct ticket tickets[TICKETS];
    unsigned ticket_count;
    unsigned nested;

    /* The network. */
    struct swale__connecting *connecting;
    enum network network;

    /* The server, at the other end of the latest connection. */
    struct swale__stream *server;
    unsigned connections;
    bool upgraded, opaque; /* it was told that it may compress */
    bool heard_close[CONNECTIONS];
    char *in;
    size_t in_size, in_room;
    char *out;
    size_t out_size, in_flight;
    bool full, stalled, over;
};

static struct world *the_world; /* for swale__connect, which is ours */

static unsigned take(struct world *world)
{
    return world->at < world->end ? *world->at++ : 0;
}

static uint64_t read_clock(void *context)
{
    return ((const struct world *)context)->now_ms;
}

static void settle(struct world *world)
{
    int turns = 0;
    do
        require(swale_loop_step(world->loop, 0) >= 0 && ++turns < 1000000);
    while (swale_loop_wait_ms(world->loop) == 0);
}

static void advance(struct world *world, uint64_t ms)
{
    uint64_t until = world->now_ms + ms;
    settle(world);
    while (world->now_ms < until) {
        int wait = swale_loop_wait_ms(world->loop);
        uint64_t left = until - world->now_ms;
        world->now_ms += wait > 0 && (uint64_t)wait < left ? (uint64_t)wait : left;
        settle(world);
    }
}

/* ---- The application acts ---------------------------------------------------------------------------- */

static char payload[PAYLOAD_MAX];

static size_t take_size(struct world *world)
{
    static const uint32_t sizes[] = { 4, 5, 125, 126, 1000, 4096, 20000, 65535, 65536, PAYLOAD_MAX };
    unsigned byte = take(world);
    return byte < sizeof sizes / sizeof *sizes ? sizes[byte] : 4 + byte;
}

static void send_one(struct world *world)
{
    size_t size = take_size(world);
    bool numbered = world->ticket_count < TICKETS && size % 3;
    struct ticket *ticket = &world->tickets[world->ticket_count];
    memset(payload, 'x', size);
    snprintf(payload, 5, "%04u", numbered ? world->ticket_count : 9999);
    payload[4] = 'x';
    if (numbered)
        *ticket = (struct ticket){ .fate = SWALE_FATE_QUEUED };
    world->calling = true;
    int result = swale_client_send(world->client, SWALE_TEXT, payload, size, numbered ? &ticket->number : NULL);
    world->calling = false;
    require(result == 0 || result == SWALE_FULL || result == -ENOMEM || result == SWALE_ERR_NOT_CONNECTED ||
            result == SWALE_ERR_QUEUE_FULL || result == SWALE_ERR_CLOSED || result == SWALE_ERR_STATE);
    require(result != SWALE_ERR_NOT_CONNECTED || world->state != SWALE_CLIENT_OPEN || !world->open);
    world->ticket_count += numbered && result >= 0;
    require(!numbered || (result >= 0) == (ticket->number != 0));
}

static void end_of_client(struct world *world)
{
    world->calling = true;
    swale_client_free(world->client);
    world->calling = false;
    world->client = NULL;
}

static void act_on_connection(struct world *world, unsigned what)
{
    struct swale_conn *conn = swale_client_conn(world->client);
    require(!world->open || conn);
    if (!conn)
        return;
    if (what % 5 == 0)
        swale_conn_pause(conn);
    else if (what % 5 == 1)
        swale_conn_resume(conn);
    else if (what % 5 == 2)
        swale_conn_ping(conn, swale_text("ping"));
    else if (what % 5 == 3)
        swale_conn_close(conn, 1000 + (int)(what % 16), "closed");
    else
        swale_conn_abort(conn);
}

static struct swale_client_options options_of(struct world *world, unsigned options)
{
    static const struct swale_limits limits = { .max_message = 10000, .high_water = 20000, .max_queue = 50000 };
    return (struct swale_client_options){
        .url = options & PARTS ? "ws://server.example/" : "http://user:password@[::1]:81/other?",
        .handler = &world->handler,
        .user = world,
        .proxy = "",
        .limits = options & PARTS ? &limits : NULL,
        .deflate = { .enabled = options & DEFLATE },
        .reconnect = { .max_failures = options & SHORT ? 2 : 0 },
        .max_pending = options & PENDING ? 30000 : 0,
    };
}

static void configure(struct world *world)
{
    struct swale_client_options options = options_of(world, take(world));
    if (options.max_pending)
        options.url = "no URL";
    world->calling = true;
    int result = swale_client_configure(world->client, &options, NULL);
    world->calling = false;
    require(options.max_pending ? result < 0 : result == 0 || result == -ENOMEM);
}

static void act(struct world *world)
{
    unsigned what = take(world);
    if (!world->client)
        return;
    switch (what % 16) {
    case 9:
        configure(world);
        break;
    case 10:
        world->calling = true;
        swale_client_close(world->client, what & 16 ? 1000 : 0, what & 16 ? "bye" : NULL);
        world->calling = false;
        break;
    case 11:
        world->calling = true;
        swale_client_finish(world->client, 1001, NULL);
        world->calling = false;
        break;
    case 12:
        world->calling = true;
        if (swale_client_reconnect(world->client) == 0)
            world->ended = false;
        world->calling = false;
        break;
    case 13:
        world->calling = true;
        swale_client_network_changed(world->client, what);
        world->calling = false;
        break;
    case 14:
        if (what >= 128)
            end_of_client(world);
        break;
    case 15:
        world->calling = true;
        act_on_connection(world, take(world));
        world->calling = false;
        break;
    default:
        send_one(world);
        break;
    }
}

/* ---- What it is told --------------------------------------------------------------------------------- */

static struct world *told(struct swale_client *client)
{
    struct world *world = swale_client_user(client);
    require(!world->calling && world->client == client);
    return world;
}

static void react(struct world *world)
{
    if ((world->options & WILD) && world->at < world->end)
        act(world);
}

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct world *world = told(client);
    require(!world->open && world->state == SWALE_CLIENT_OPEN && opening->tries > 0);
    require(opening->response->status == 101);
    world->open = true;
    react(world);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct world *world = told(client);
    require(world->open);
    require(message->kind != SWALE_TEXT || swale_utf8_valid(message->data.data, message->data.size));
    react(world);
}

static void on_part(struct swale_client *client, const struct swale_part *part)
{
    (void)part;
    require(told(client)->open);
    react(told(client));
}

static void on_drain(struct swale_client *client)
{
    struct world *world = told(client);
    require(world->open);
    react(world);
}

static void on_control(struct swale_client *client, struct swale_span bytes)
{
    struct world *world = told(client);
    require(world->open && bytes.size <= 125);
    react(world);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct world *world = told(client);
    require(world->open && closing->close.reason < 0);
    require((closing->retry_ms >= 0) == (world->state == SWALE_CLIENT_WAITING) ||
            world->state == SWALE_CLIENT_CLOSING || world->state == SWALE_CLIENT_CONNECTING);
    world->open = false;
    react(world);
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct world *world = told(client);
    require(!world->open && failure->reason < 0 && failure->text[0]);
    for (const char *c = failure->text; *c; c++)
        require(*c >= 0x20 && *c < 0x7f);
    react(world);
}

static void on_end(struct swale_client *client, int reason)
{
    struct world *world = told(client);
    require(!world->open && !world->ended && reason < 0 && world->state == SWALE_CLIENT_ENDED);
    world->ended = true;
    react(world);
}

static void on_state(struct swale_client *client, enum swale_client_state state)
{
    struct world *world = told(client);
    require(state != world->state && state == swale_client_state(client));
    world->state = state;
    react(world);
}

static void on_fate(struct swale_client *client, uint64_t number, enum swale_fate fate)
{
    struct world *world = told(client);
    unsigned i = 0;
    while (i < world->ticket_count && world->tickets[i].number != number)
        i++;
    require(i < world->ticket_count);
    struct ticket *ticket = &world->tickets[i];
    require(ticket->fate == SWALE_FATE_QUEUED || (ticket->fate == SWALE_FATE_WRITTEN && fate == SWALE_FATE_UNKNOWN));
    require(fate == SWALE_FATE_WRITTEN || fate == SWALE_FATE_REFUSED || fate == SWALE_FATE_UNKNOWN);
    ticket->fate = (uint8_t)fate;
    ticket->connection = world->connections;
    react(world);
}

static int64_t on_retry(struct swale_client *client, const struct swale_client_retry *retry)
{
    struct world *world = swale_client_user(client);
    require(world->client == client && retry->delay_ms >= SWALE_CLIENT_STOP && retry->failures > 0);
    return world->at < world->end && take(world) % 4 == 0 ? 1 + (int64_t)take(world) : retry->delay_ms;
}

static void on_trace(struct swale_client *client, const struct swale_trace *trace)
{
    struct world *world = swale_client_user(client);
    require(world->client == client);
    require(trace->kind >= SWALE_TRACE_FRAME_IN || trace->text.size > 0);
}

/* ---- The server listens ------------------------------------------------------------------------------- */

static void flush(struct world *world)
{
    while (world->server && world->out_size > 0 && !world->in_flight && !world->full && !world->over) {
        struct iovec part = { world->out, world->out_size };
        ptrdiff_t written = swale__stream_write(world->server, &part, 1);
        if (written == SWALE__IN_FLIGHT) {
            world->in_flight = world->out_size;
            return;
        }
        world->over = written < 0;
        if (written < 0)
            return;
        world->full = (size_t)written < world->out_size;
        world->out_size -= (size_t)written;
        memmove(world->out, world->out + written, world->out_size);
    }
}

/* What is in flight must lie still. */
static void say(struct world *world, const void *data, size_t size)
{
    if (!world->server || world->over || world->in_flight || world->out_size + size > OUT_MAX)
        return;
    memcpy(world->out + world->out_size, data, size);
    world->out_size += size;
    flush(world);
}

static void note_message(struct world *world, const unsigned char *data, size_t size)
{
    unsigned index;
    char digits[5] = "";
    require(size >= 4);
    memcpy(digits, data, 4);
    require(sscanf(digits, "%u", &index) == 1 && (index < world->ticket_count + 1 || index == 9999));
    if (index != 9999)
        require(++world->tickets[index].seen == 1);
}

/* Takes one frame; how many bytes, 0 when it is not whole. */
static size_t take_frame(struct world *world, unsigned char *bytes, size_t size)
{
    if (size < 6)
        return 0;
    size_t length = bytes[1] & 0x7f, head = 2;
    unsigned opcode = bytes[0] & 15;
    require((bytes[1] & 0x80) && !world->heard_close[world->connections % CONNECTIONS]);
    require((bytes[0] & 0x80) && (bytes[0] & 0x30) == 0);
    require((bytes[0] & 0x40) == 0 || (world->opaque && opcode <= 2));
    require(opcode == 1 || (opcode >= 8 && opcode <= 10 && length < 126));
    if (length == 126) {
        head = 4;
        length = (size_t)bytes[2] << 8 | bytes[3];
    } else if (length == 127) {
        require(size < 10 || (bytes[2] | bytes[3] | bytes[4] | bytes[5]) == 0);
        head = 10;
        length = (size_t)bytes[6] << 24 | (size_t)bytes[7] << 16 | (size_t)bytes[8] << 8 | bytes[9];
    }
    if (size < head + 4 || size < head + 4 + length)
        return 0;
    for (size_t i = 0; i < length; i++)
        bytes[head + 4 + i] ^= bytes[head + i % 4];
    if (opcode == 1 && !(bytes[0] & 0x40))
        note_message(world, bytes + head + 4, length);
    world->heard_close[world->connections % CONNECTIONS] = opcode == 8;
    return head + 4 + length;
}

static void understand(struct world *world)
{
    size_t used = 0, size = 1;
    while (world->upgraded && size > 0) {
        size = take_frame(world, (unsigned char *)world->in + used, world->in_size - used);
        used += size;
    }
    world->in_size -= used;
    memmove(world->in, world->in + used, world->in_size);
}

static void hear(void *context, char *data, size_t size)
{
    struct world *world = context;
    if (world->in_size + size > world->in_room) {
        world->in_room = 2 * (world->in_size + size);
        world->in = realloc(world->in, world->in_room);
        require(world->in != NULL);
    }
    memcpy(world->in + world->in_size, data, size);
    world->in_size += size;
    understand(world);
}

static void written(void *context, size_t size)
{
    struct world *world = context;
    world->full = false;
    if (size > 0) {
        require(size <= world->in_flight);
        world->in_flight -= size;
        if (world->in_flight == 0)
            world->out_size = 0;
    }
    flush(world);
}

static void over(void *context)
{
    (void)context;
}

static void failed(void *context, int error)
{
    struct world *world = context;
    require(error < 0);
    world->over = true;
}

static const struct swale__stream_user server_user = { hear, written, over, failed };

static void hang_up(struct world *world, bool abort)
{
    if (world->server)
        swale__stream_close(world->server, abort);
    world->server = NULL;
}

/* ---- The network -------------------------------------------------------------------------------------- */

struct swale__connecting {
    struct world *world;
    struct swale__connect_options options;
    struct swale__work work;
};

static void serve(struct world *world, struct swale__stream *stream)
{
    hang_up(world, true);
    world->server = stream;
    world->connections++;
    world->upgraded = world->opaque = false;
    world->heard_close[world->connections % CONNECTIONS] = false;
    world->in_size = world->out_size = world->in_flight = 0;
    world->full = world->stalled = world->over = false;
    swale__stream_use(stream, &server_user, world);
    swale__stream_resume(stream);
}

static void connect_now(struct swale__work *work)
{
    struct swale__connecting *connecting = SWALE__LIST_OWNER(work, struct swale__connecting, work);
    struct swale__connect_options options = connecting->options;
    struct world *world = connecting->world;
    struct swale__pair_options pair = { .in_flight = world->options & IN_FLIGHT,
                                        .capacity = world->options & TINY ? 100 : 0 };
    struct swale__stream *ends[2];
    if (world->network == HANGS)
        return;
    world->connecting = NULL;
    free(connecting);
    if (options.on_resolved)
        options.on_resolved(options.context);
    if (world->network == REFUSES || swale__pair(ends, world->loop, &pair) != 0) {
        options.on_failed(options.context, -ECONNREFUSED, false, "connect to nobody: Connection refused");
        return;
    }
    serve(world, ends[1]);
    options.on_connected(options.context, ends[0]);
}

int swale__connect(struct swale__connecting **out, const struct swale__connect_options *options)
{
    struct swale__connecting *connecting = calloc(1, sizeof *connecting);
    require(connecting && !the_world->connecting);
    connecting->world = the_world;
    connecting->options = *options;
    connecting->work.run = connect_now;
    swale__loop_at_next(options->loop, &connecting->work);
    the_world->connecting = connecting;
    *out = connecting;
    return 0;
}

void swale__connect_cancel(struct swale__connecting *connecting)
{
    swale__loop_forget(connecting->options.loop, &connecting->work);
    connecting->world->connecting = NULL;
    free(connecting);
}

/* ---- The server speaks --------------------------------------------------------------------------------- */

static void accept_upgrade(struct world *world, bool deflate)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    char answer[300], accept[SWALE_ACCEPT_SIZE + 1] = "";
    const char *key = world->in_size ? memmem(world->in, world->in_size, name, sizeof name - 1) : NULL;
    const char *end = world->in_size ? memmem(world->in, world->in_size, "\r\n\r\n", 4) : NULL;
    if (!key || !end || world->upgraded)
        return;
    swale_upgrade_accept(key + sizeof name - 1, accept);
    int size = snprintf(
        answer, sizeof answer,
        "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n", accept,
        deflate ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n" : "");
    world->upgraded = true;
    world->opaque = deflate;
    size_t used = (size_t)(end + 4 - world->in);
    world->in_size -= used;
    memmove(world->in, end + 4, world->in_size);
    say(world, answer, (size_t)size);
}

static void say_frame(struct world *world, unsigned first, const void *data, size_t size)
{
    char head[4] = { (char)first, (char)(size < 126 ? size : 126), (char)(size >> 8), (char)size };
    say(world, head, size < 126 ? 2 : 4);
    say(world, data, size);
}

static void say_raw(struct world *world)
{
    size_t size = take(world);
    if (size > (size_t)(world->end - world->at))
        size = (size_t)(world->end - world->at);
    say(world, world->at, size);
    world->at += size;
}

static void say_close(struct world *world)
{
    static const uint16_t codes[] = { 1000, 1001, 1005, 1011, 1012, 1013, 1002, 4000 };
    unsigned code = codes[take(world) % 8];
    char bytes[2] = { (char)(code >> 8), (char)code };
    say_frame(world, 0x88, bytes, code == 1005 ? 0 : 2);
}

static void refuse(struct world *world)
{
    char answer[120];
    static const uint16_t statuses[] = { 503, 401, 429, 500, 302, 404 };
    int size = snprintf(answer, sizeof answer, "HTTP/1.1 %u No\r\nRetry-After: %u\r\nContent-Length: 2\r\n\r\nno",
                        statuses[take(world) % 6], take(world));
    say(world, answer, (size_t)size);
}

static void stall(struct world *world)
{
    if (!world->server)
        return;
    world->stalled = !world->stalled;
    if (world->stalled)
        swale__stream_pause(world->server);
    else
        swale__stream_resume(world->server);
}

static void say_message(struct world *world)
{
    static const char text[] = "a message of the server's";
    size_t size = take(world);
    say_frame(world, 0x81, size < 200 ? text : payload, size < 200 ? size % sizeof text : 0);
}

static void pass_time(struct world *world)
{
    static const uint16_t steps[] = { 1, 100, 500, 1000, 5000, 10000, 25000, 30000, 35000, 60000 };
    advance(world, steps[take(world) % 10]);
}

static void do_step(struct world *world)
{
    unsigned what = take(world);
    switch (what % 20) {
    case 0:
    case 1:
        settle(world);
        accept_upgrade(world, (what & 64) && (world->options & DEFLATE));
        break;
    case 2:
        say_raw(world);
        break;
    case 3: {
        unsigned first = take(world), length = take(world); /* before what is left is counted */
        say_frame(world, first, world->at, length % (unsigned)(world->end - world->at + 1));
        break;
    }
    case 4:
        say_message(world);
        break;
    case 5:
        say_close(world);
        break;
    case 6:
        refuse(world);
        break;
    case 7:
        if (world->server && world->out_size == 0 && !world->over)
            swale__stream_shutdown(world->server);
        world->over = true;
        break;
    case 8:
        hang_up(world, what & 128);
        break;
    case 9:
        stall(world);
        break;
    case 10:
        world->network = (enum network)(take(world) % NETWORKS);
        break;
    case 11:
        world->memory.fail_at = world->memory.allocations + 1 + take(world);
        break;
    case 12:
    case 13:
        pass_time(world);
        break;
    case 14:
        settle(world);
        break;
    case 15:
        require(swale_loop_step(world->loop, 0) >= 0);
        break;
    default:
        act(world);
        break;
    }
}

/* ---- One input ----------------------------------------------------------------------------------------- */

static bool begin(struct world *world)
{
    unsigned options = world->options = take(world);
    world->now_ms = 1000;
    world->state = SWALE_CLIENT_ENDED; /* so that the first is a change */
    world->allocator = test_allocator(&world->memory);
    struct swale_loop_options loop = {
        .allocator = &world->allocator, .clock = read_clock, .clock_context = world, .receive_buffer = 4096
    };
    world->handler = (struct swale_client_handler){
        .on_open = on_open,
        .on_message = on_message,
        .on_part = options & PARTS ? on_part : NULL,
        .on_drain = on_drain,
        .on_ping = on_control,
        .on_pong = on_control,
        .on_close = on_close,
        .on_fail = on_fail,
        .on_end = on_end,
        .on_state = on_state,
        .on_fate = on_fate,
        .on_retry = options & WILD ? on_retry : NULL,
        .on_trace = options & TRACE ? on_trace : NULL,
    };
    struct swale_client_options client = options_of(world, options);
    world->out = malloc(OUT_MAX);
    require(world->out && swale_loop_new(&world->loop, &loop) == 0);
    world->memory.fail_at = options & SHORT ? world->memory.allocations + 1 + take(world) % 64 : 0;
    return swale_client_new(&world->client, world->loop, &client, NULL) == 0;
}

static void judge(const struct world *world, bool freed_early)
{
    for (unsigned i = 0; i < world->ticket_count; i++) {
        const struct ticket *ticket = &world->tickets[i];
        require(ticket->fate != SWALE_FATE_REFUSED || ticket->seen == 0);
        require(ticket->fate != SWALE_FATE_QUEUED || freed_early || !world->ended);
        if (ticket->fate == SWALE_FATE_WRITTEN && world->connections < CONNECTIONS &&
            world->heard_close[ticket->connection] && !(world->options & DEFLATE))
            require(ticket->seen == 1);
    }
}

static void end(struct world *world)
{
    bool freed_early = !world->client;
    world->memory.fail_at = 0;
    world->at = world->end;
    if (world->stalled)
        stall(world);
    advance(world, 40000); /* heartbeats, deadlines */
    require(freed_early || world->open == (world->state == SWALE_CLIENT_OPEN) ||
            world->state == SWALE_CLIENT_CLOSING);
    if (world->client) {
        swale_client_close(world->client, 1000, NULL);
        if (swale_client_conn(world->client))
            swale_conn_resume(swale_client_conn(world->client));
        advance(world, 40000);
        require(world->ended && !world->open && swale_client_state(world->client) == SWALE_CLIENT_ENDED);
    }
    judge(world, freed_early);
    if (world->client)
        end_of_client(world);
    hang_up(world, true);
    advance(world, 40000);
    require(!world->connecting);
    swale_loop_free(world->loop);
    free(world->in);
    free(world->out);
    require(world->memory.blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    world = (struct world){ .at = data, .end = data + size };
    the_world = &world;
    if (begin(&world))
        while (world.at < world.end)
            do_step(&world);
    else
        world.client = NULL;
    end(&world);
    return 0;
}
