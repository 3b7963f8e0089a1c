/* hub.c - work of a topic: one message for many connections of one loop. */
#include "tape.h"
#include "work.h"

#include "conn/conn.h"

enum { SUBSCRIBERS = 1000, PIPELINED = 16, SIZE = 100 };

static struct tape tapes[SUBSCRIBERS];
static struct swale_hub *hub;
static char message[SIZE];

static void on_message(struct swale_conn *conn, const struct swale_message *received)
{
    (void)conn, (void)received;
}

static void open_subscriber(struct swale__conn_group *group, struct tape *tape)
{
    static const struct swale_handler handler = { .on_message = on_message };
    struct swale_conn *conn = tape_connect(tape, group, &handler);
    REQUIRE(swale_hub_join(hub, swale_text("news"), swale_conn_subscriber(conn)) == 0);
}

static void prepare(void)
{
    if (hub)
        return;
    guard_fill(message, sizeof message, GUARD_ASCII);
    REQUIRE(swale_hub_new(&hub, NULL) == 0);
    REQUIRE(swale_hub_attach(hub, tape_loop()) == 0);
    struct swale__conn_group *group = tape_group();
    for (int i = 0; i < SUBSCRIBERS; i++)
        open_subscriber(group, &tapes[i]);
    REQUIRE(swale_loop_step(tape_loop(), 0) >= 0);
}

/* As a connection's on_message would. */
static void publish(struct swale__work *work)
{
    struct swale_publish what = { .topic = swale_text("news"), .kind = SWALE_TEXT };
    (void)work;
    what.data = swale_span(message, sizeof message);
    REQUIRE(swale_hub_publish(hub, &what) == 0);
}

static void run(int count)
{
    struct swale__work works[PIPELINED];
    size_t before = tapes[0].written;
    for (int i = 0; i < count; i++) {
        works[i] = (struct swale__work){ .run = publish };
        swale__loop_at_next(tape_loop(), &works[i]);
    }
    REQUIRE(swale_loop_step(tape_loop(), 0) >= 0);
    REQUIRE(tapes[0].written == before + (size_t)count * (SIZE + 2));
    REQUIRE(tapes[SUBSCRIBERS - 1].written == tapes[0].written);
}

static void run_one(void)
{
    run(1);
}

static void run_many(void)
{
    run(PIPELINED);
}

const struct work hub_works[] = {
    { "publish-1000", SUBSCRIBERS, prepare, run_one },
    { "publish-1000x16", (size_t)SUBSCRIBERS *PIPELINED, prepare, run_many },
    { NULL, 0, NULL, NULL },
};
