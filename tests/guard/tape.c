#include "tape.h"

#include "work.h"

#include <string.h>

/* ---- The loop --------------------------------------------------------------------------------------- */

static uint64_t read_clock(void *context)
{
    (void)context;
    return 1000000;
}

struct swale_loop *tape_loop(void)
{
    static struct swale_loop *loop;
    struct swale_loop_options options = { .backend = SWALE_BACKEND_EPOLL, .clock = read_clock };
    if (!loop)
        REQUIRE(swale_loop_new(&loop, &options) == 0);
    return loop;
}

/* ---- The stream ------------------------------------------------------------------------------------- */

static void do_nothing(struct swale__stream *stream)
{
    (void)stream;
}

static ptrdiff_t take_all(struct swale__stream *stream, const struct iovec *parts, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    ((struct tape *)stream)->written += size;
    return (ptrdiff_t)size;
}

static void close_tape(struct swale__stream *stream, bool abort)
{
    (void)stream, (void)abort;
}

static void describe(struct swale__stream *stream, struct swale_peer *peer, char *text)
{
    (void)text;
    (void)stream;
    *peer = (struct swale_peer){ .address = swale_text("tape") };
}

static const struct swale__stream_ops ops = {
    .resume = do_nothing,
    .pause = do_nothing,
    .write = take_all,
    .shutdown = do_nothing,
    .close = close_tape,
    .describe = describe,
    .prompt = true, /* as a socket */
};

static void play(struct swale__work *work)
{
    static char room[TAPE_MAX];
    struct tape *tape = SWALE__LIST_OWNER(work, struct tape, work);
    memcpy(room, tape->data, tape->size);
    tape->stream.user->on_data(tape->stream.context, room, tape->size);
}

void tape_init(struct tape *tape)
{
    *tape = (struct tape){ .stream = { .ops = &ops, .loop = tape_loop() }, .work = { .run = play } };
}

void tape_play(struct tape *tape, const char *data, size_t size)
{
    REQUIRE(size <= TAPE_MAX);
    tape->data = data;
    tape->size = size;
    swale__loop_at_next(tape->stream.loop, &tape->work);
    REQUIRE(swale_loop_step(tape->stream.loop, 0) >= 0);
}

/* ---- Connections ------------------------------------------------------------------------------------ */

struct swale__conn_group *tape_group(void)
{
    static struct swale__conn_counters counters;
    struct swale_limits limits = swale_limits_resolve(NULL);
    struct swale__conn_group_options options = {
        .loop = tape_loop(),
        .allocator = swale__loop_allocator(tape_loop()),
        .limits = &limits,
        .role = SWALE_SERVER,
        .counters = &counters,
        .first_id = (UINT64_C(1) << 48) + 1,
    };
    struct swale__conn_group *group;
    REQUIRE(swale__conn_group_new(&group, &options) == 0);
    return group;
}

struct swale_conn *tape_connect(struct tape *tape, struct swale__conn_group *group,
                                const struct swale_handler *handler)
{
    struct swale_engine engine;
    struct swale_conn *conn;
    tape_init(tape);
    swale_engine_init(&engine, swale__conn_group_config(group), swale_loop_now(tape_loop()));
    struct swale__conn_open open = { .stream = &tape->stream, .engine = &engine, .handler = handler };
    REQUIRE(swale__conn_new(&conn, group, &open) == 0);
    return conn;
}
