/* conn.c - work of connections: a server that echoes, a client that sends and is answered. */
#include "tape.h"
#include "work.h"

#include "client/attempt.h"
#include "conn/conn.h"

#include <stdlib.h>
#include <string.h>

enum { TURNS = 100, PIPELINED = 32, SHORT = 20, LARGE = 16384 };

/* What comes in one turn. */
static char script[TAPE_MAX];
static size_t script_size;

static void make_script(bool masked, int byte0, size_t size, enum guard_text text, int frames)
{
    static char payload[LARGE];
    guard_fill(payload, size, text);
    script_size = 0;
    for (int i = 0; i < frames; i++)
        script_size += guard_frame(script + script_size, byte0, masked, payload, size);
}

/* ---- A server's connection -------------------------------------------------------------------------- */

static struct tape server_tape;
static struct swale_conn *server_conn;

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    REQUIRE(swale_conn_send(conn, message->kind, message->data.data, message->data.size) >= 0);
}

static const struct swale_handler echo = { .on_message = on_message };

static void prepare_server(int byte0, size_t size, enum guard_text text, int frames)
{
    if (!server_conn)
        server_conn = tape_connect(&server_tape, tape_group(), &echo);
    make_script(true, byte0, size, text, frames);
}

static void run_server(void)
{
    for (int i = 0; i < TURNS; i++) {
        size_t before = server_tape.written;
        tape_play(&server_tape, script, script_size);
        REQUIRE(server_tape.written > before);
    }
}

static void echo_short(void)
{
    prepare_server(0x81, SHORT, GUARD_ASCII, 1);
}

static void echo_pipelined(void)
{
    prepare_server(0x81, SHORT, GUARD_ASCII, PIPELINED);
}

static void echo_binary(void)
{
    prepare_server(0x82, LARGE, GUARD_ASCII, 1);
}

static void echo_ascii(void)
{
    prepare_server(0x81, LARGE, GUARD_ASCII, 1);
}

static void echo_cjk(void)
{
    prepare_server(0x81, LARGE, GUARD_CJK, 1);
}

/* ---- A client, which answers each message with its next ---------------------------------------------- */

/* The attempt succeeds at once: in place of the library's own. */
struct swale__attempt {
    struct swale__attempt_options options;
    struct swale__work work;
};

static struct tape client_tape;
static struct swale_client *client;

static void succeed(struct swale__work *work)
{
    struct swale__attempt *attempt = SWALE__LIST_OWNER(work, struct swale__attempt, work);
    struct swale_response response = { .status = 101 };
    struct swale__attempt_success success = { .stream = &client_tape.stream, .response = &response };
    attempt->options.on_open(attempt->options.context, &success);
    free(attempt);
}

int swale__attempt_new(struct swale__attempt **attempt, const struct swale__attempt_options *options)
{
    *attempt = calloc(1, sizeof **attempt);
    REQUIRE(*attempt);
    (*attempt)->options = *options;
    (*attempt)->work.run = succeed;
    swale__loop_at_next(options->loop, &(*attempt)->work);
    return 0;
}

void swale__attempt_cancel(struct swale__attempt *attempt)
{
    swale__loop_forget(attempt->options.loop, &attempt->work);
    free(attempt);
}

static void on_part(struct swale_client *from, const struct swale_part *part)
{
    static const char message[SHORT] = "0123456789abcdefghi";
    REQUIRE(part->last);
    REQUIRE(swale_client_send(from, SWALE_TEXT, message, sizeof message, NULL) >= 0);
}

static void prepare_client(void)
{
    static const struct swale_client_handler handler = { .on_part = on_part };
    struct swale_client_options options = {
        .url = "ws://tape/", .handler = &handler, .max_redirects = 0, .no_cookies = true
    };
    tape_init(&client_tape);
    REQUIRE(swale_client_new(&client, tape_loop(), &options, NULL) == 0);
    while (swale_client_state(client) != SWALE_CLIENT_OPEN)
        REQUIRE(swale_loop_step(tape_loop(), 0) >= 0);
    make_script(false, 0x81, SHORT, GUARD_ASCII, PIPELINED);
}

static void run_client(void)
{
    for (int i = 0; i < TURNS; i++) {
        size_t before = client_tape.written;
        tape_play(&client_tape, script, script_size);
        REQUIRE(client_tape.written == before + (size_t)PIPELINED * (SHORT + 6));
    }
}

const struct work conn_works[] = {
    { "echo-20", TURNS, echo_short, run_server },
    { "echo-20x32", (size_t)TURNS *PIPELINED, echo_pipelined, run_server },
    { "echo-16k", TURNS, echo_binary, run_server },
    { "echo-16k-ascii", TURNS, echo_ascii, run_server },
    { "echo-16k-cjk", TURNS, echo_cjk, run_server },
    { "client-20x32", (size_t)TURNS *PIPELINED, prepare_client, run_client },
    { NULL, 0, NULL, NULL },
};
