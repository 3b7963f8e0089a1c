/* crowd.c - the whole server among many peers, good and bad, with an application that does as it likes.
 *
 * The input is a script: each step is an operation, a peer, and what they ask for. Operations connect, send (valid
 * messages, frames of any kind, raw bytes), stall, end and reset; let time pass or jump; make an allocation fail;
 * drain the server; and have the application act. On the wild routes every callback takes its own next step from the
 * script, so that anything is done from within anything.
 *
 *     script -> peers [ bystanders | crowd ] -> pairs in memory -> server -> routes -> application -> hub
 *
 * What must hold, whatever is asked for:
 *
 *     - on_close comes once for every on_open, last; user data is given back once
 *     - what the server sends is valid, as a client's engine and inflater see it
 *     - what the application sent arrives once, in order, with nothing missing; of a topic, in order
 *     - a bystander, who does nothing but send and read, gets all of its echoes and is never cut off
 *     - queues and memory stay within the limits; all of it is given back
 *     - when everyone reads and all is quiet, nothing waits: no drain is owed, nobody's reading is off
 *     - the hub's deliveries add up */
#include "crowd/crowd.h"

static uint64_t read_clock(void *context)
{
    return ((const struct world *)context)->now_ms;
}

/* ---- Time ------------------------------------------------------------------------------------------- */

static void check(struct world *world)
{
    for (int i = 0; i < APPS; i++) {
        const struct app *app = world->apps[i];
        if (!app)
            continue;
        require(swale_conn_queued(app->conn) <= MAX_QUEUE + HIGH_WATER + MAX_MESSAGE);
        require(!app->conn->busy->kept || app->conn->busy->kept->size <= RECEIVE_MAX + 4096);
    }
    require(world->memory.bytes <= ((size_t)world->connected + 2) << 20);
    if (may_fail(world) && world->memory.allocations >= world->memory.fail_at)
        world->failed = true;
}

static void step(struct world *world)
{
    require(swale_loop_step(world->loop, 0) >= 0);
    check(world);
}

static void settle(struct world *world)
{
    int turns = 0;
    do {
        step(world);
        require(++turns < 1000000);
    } while (swale_loop_wait_ms(world->loop) == 0);
}

/* Every timer at its own instant. */
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

/* ---- The script ------------------------------------------------------------------------------------- */

/* Bytes from the script itself, or more of one kind than a script could hold. */
static void say_raw(struct world *world, struct peer *peer)
{
    size_t size = crowd_take(world);
    if (size >= 250) {
        memset(crowd_payload, (int)crowd_take(world), sizeof crowd_payload);
        crowd_say(peer, crowd_payload, sizeof crowd_payload);
        return;
    }
    if (size > (size_t)(world->end - world->at))
        size = (size_t)(world->end - world->at);
    crowd_say(peer, world->at, size);
    world->at += size;
}

static void pass_time(struct world *world)
{
    static const uint16_t steps[] = { 1, 16, 900, 1000, 4999, 5000, 9999, 10000, 24999, 25000, 35000, 60000 };
    unsigned byte = crowd_take(world);
    uint64_t ms = steps[byte % (sizeof steps / sizeof *steps)];
    settle(world); /* who is to answer a ping has the turns for it */
    if (byte < 128)
        advance(world, ms);
    else
        world->now_ms += ms;
}

static void bad_peer_acts(struct world *world, struct peer *peer, unsigned what)
{
    switch (what) {
    case 0:
        crowd_connect(world, peer, crowd_take(world));
        break;
    case 1:
        crowd_ask(peer, crowd_take(world) % 2 ? "/plain?later=1" : "/plain?large=12", "");
        peer->good = false;
        break;
    case 2:
        peer->good = false;
        say_raw(world, peer);
        break;
    case 3: {
        peer->good = false;
        unsigned byte0 = crowd_take(world);
        size_t size = crowd_take_size(world);
        crowd_fill(crowd_payload, (char)crowd_take(world), 0, 0, size);
        crowd_say_frame(peer, byte0, crowd_payload, size);
        break;
    }
    case 4:
        peer->reading = !peer->reading;
        if (peer->stream && peer->reading)
            swale__stream_resume(peer->stream);
        else if (peer->stream)
            swale__stream_pause(peer->stream);
        break;
    case 5:
        if (peer->stream && !peer->shut && peer->out_size == 0)
            swale__stream_shutdown(peer->stream);
        peer->shut = true;
        break;
    case 6:
        crowd_leave(peer, crowd_take(world) % 2);
        break;
    default:
        break;
    }
}

static void do_step(struct world *world)
{
    unsigned what = crowd_take(world), who = crowd_take(world);
    struct peer *peer = &world->peers[who % PEERS];
    struct peer *bad = &world->peers[BYSTANDERS + who % (PEERS - BYSTANDERS)];
    switch (what % 16) {
    case 7:
        crowd_upgrade(bad, crowd_take(world) % ROUTES);
        break;
    case 8:
        crowd_say_message(peer, crowd_take_size(world), who >> 4);
        break;
    case 9:
        pass_time(world);
        break;
    case 10:
        if (world->apps[who % APPS] && world->apps[who % APPS]->route >= WILD)
            crowd_act(world->apps[who % APPS]);
        break;
    case 11:
        crowd_decide(world, who, crowd_take(world));
        break;
    case 12:
        swale_loop_post(world->loop, crowd_publish, world);
        break;
    case 13:
        check(world); /* has the last one failed? */
        world->memory.fail_at = world->memory.allocations + 1 + who;
        break;
    case 14:
        if (who >= 240) {
            world->stopped = true;
            swale_server_stop(world->server);
        }
        settle(world);
        break;
    case 15:
        step(world);
        break;
    default:
        bad_peer_acts(world, bad, what % 16);
        break;
    }
}

/* ---- Beginning and end ------------------------------------------------------------------------------ */

static void begin(struct world *world, struct app patterns[ROUTES])
{
    static const uint32_t receives[] = { 512, 4096, RECEIVE_MAX };
    unsigned how = crowd_take(world);
    world->now_ms = 1000;
    world->allocator = test_allocator(&world->memory);
    struct swale_loop_options loop = { .allocator = &world->allocator,
                                       .clock = read_clock,
                                       .clock_context = world,
                                       .receive_buffer = receives[how % 3] };
    struct swale_server_options server = {
        .allocator = &world->allocator, .threads = 1, .clock = read_clock, .clock_context = world, .max_head = 2048
    };
    server.limits = (struct swale_limits){
        .max_message = MAX_MESSAGE, .high_water = HIGH_WATER, .max_queue = MAX_QUEUE, .max_fragments = 16
    };
    server.limits.max_message_rate = how & 64 ? 1000 : 0;
    require(swale_loop_new(&world->loop, &loop) == 0 && swale_server_new(&world->server, &server) == 0);
    require(swale_hub_new(&world->hub, &(struct swale_hub_options){ .allocator = &world->allocator }) == 0);
    require(swale_server_attach(world->server, world->loop) == 0 && swale_hub_attach(world->hub, world->loop) == 0);
    for (unsigned i = 0; i < TOPICS; i++)
        require(swale_hub_configure(world->hub, crowd_topic(i), (enum swale_slow_policy)i, 8000) == 0);
    crowd_add_routes(world, patterns);
    require(swale_server_start(world->server) == 0);
    for (unsigned i = 0; i < BYSTANDERS; i++) {
        crowd_connect(world, &world->peers[i], (how >> i) & 7);
        crowd_upgrade(&world->peers[i], (enum route)i);
    }
    settle(world);
}

static bool lost_nobody(const struct world *world)
{
    return !world->failed && !world->stopped;
}

/* Everyone reads now. */
static void calm(struct world *world)
{
    for (int i = 0; i < PEERS; i++)
        if (world->peers[i].stream)
            swale__stream_resume(world->peers[i].stream);
    settle(world);
    for (int i = 0; i < BYSTANDERS && lost_nobody(world); i++)
        crowd_say_message(&world->peers[i], 1000, 7);
    settle(world);
    for (int i = 0; i < BYSTANDERS && lost_nobody(world); i++) {
        const struct peer *peer = &world->peers[i];
        require(peer->frames && !peer->over && peer->heard == peer->sent && peer->sent > 0);
    }
    for (int i = 0; i < APPS; i++) {
        const struct app *app = world->apps[i];
        if (!app || app->closing || !swale__conn_open_now(app->conn))
            continue;
        require(!app->full && app->conn->busy->out.size == 0 && !app->conn->auto_paused);
        require(app->paused || (app->conn->reading && !app->conn->stalled));
    }
}

static void check_hub(const struct world *world)
{
    struct swale_hub_stats stats;
    swale_hub_stats(world->hub, &stats);
    require(stats.delivered + stats.dropped + stats.closed + stats.failed == world->deliveries);
    require(stats.subscriptions == 0 && stats.topics == TOPICS);
}

static void check_server(const struct world *world)
{
    struct swale_server_stats stats;
    swale_server_stats(world->server, &stats);
    require(world->opened == world->closed && stats.connections_opened == (uint64_t)world->opened);
    require(stats.connections_open == 0 && stats.connections_handshaking == 0 && stats.queued == 0);
    require(world->server->workers[0]->live == 0 && world->server->guard.connections == 0);
}

static void end(struct world *world)
{
    calm(world);
    for (int i = 0; i < PEERS; i++)
        crowd_leave(&world->peers[i], i % 2);
    for (int i = 0; i < APPS; i++)
        if (world->apps[i])
            swale_conn_resume(world->apps[i]->conn);
    for (unsigned i = 0; i < HELD; i++)
        crowd_decide(world, i, i);
    swale_server_stop(world->server);
    advance(world, 60000);
    check_server(world);
    check_hub(world);
    require(swale_server_wait(world->server) == 0 && world->users == 0);
    swale_server_free(world->server);
    swale_hub_free(world->hub);
    swale_loop_free(world->loop);
    require(world->memory.blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct app patterns[ROUTES];
    world = (struct world){ .at = data, .end = data + size };
    begin(&world, patterns);
    while (world.at < world.end)
        do_step(&world);
    end(&world);
    return 0;
}
