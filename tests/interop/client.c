/* client.c - a client that takes steps against a server that we did not write (see peers.py for what it can be
 * asked).
 *
 *     interop_client [--deflate] [--context] [--subprotocol NAME]... [--proxy URL] [--ca FILE] [--environment]
 *                    [--once] URL STEP...
 *
 *     open               a connection opens
 *     subprotocol:NAME   it has this subprotocol      deflate:yes, deflate:no    it is compressed, or is not
 *     text:SIZE, binary:SIZE, say:TEXT   are echoed
 *     send:TEXT          is sent                      hear:TEXT   a text comes that begins so
 *     squeezed:SIZE      the echo of a text comes compressed
 *     burst:COUNT        messages of all sizes, sent at once, are echoed in order
 *     parts:SIZE         a binary message, sent in fragments, is echoed
 *     fragments          a message comes in fragments
 *     ping, pinged       we ping and are answered; the server pings and is
 *     close:CODE:TEXT    we close                     closed:CODE:TEXT   the server closes
 *     lost:NAME          the connection ends, for the reason of that name
 *     killed             says "kill" to whoever reads the output, who then kills the server; the connection drops
 *     fail:NAME          a try fails, for the reason of that name
 *     end                the client does not come back
 *
 * Each has its time; what comes without being awaited is a failure, too. Exits with 0 when all steps were taken. */
#include <swale/swale.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPEN = 1, MESSAGE = 2, PING = 4, PONG = 8, CLOSE = 16, END = 32, FAIL = 64 };
enum { STEP_MS = 20000, SUBPROTOCOLS_MAX = 4, BURST_MAX = 2000 };

struct test {
    struct swale_loop *loop;
    struct swale_client *client;
    struct swale_timer timer;
    const char *const *steps;
    int left, slack;
    unsigned awaited;
    bool recovering; /* tries may fail until the next connection opens */
    bool failed;
    unsigned opens;
    /* The message that is awaited, and how many more after it. */
    enum swale_kind kind;
    char *payload;
    size_t size;
    unsigned more, burst;
    bool squeezed, beginning;
    /* The close frame that is awaited. */
    int code, reason;
    bool lost; /* but only the reason's name counts, which is the text */
    const char *text;
};

__attribute__((format(printf, 2, 3))) static void fail(struct test *test, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("failed at %s: ", test->left > 0 ? test->steps[0] : "the end");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    test->failed = true;
    swale_loop_stop(test->loop);
}

/* ---- Messages --------------------------------------------------------------------------------------- */

/* Characters of one to four bytes, or bytes of all values. */
static void make_payload(struct test *test, enum swale_kind kind, size_t size)
{
    static const char characters[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    const size_t unit = sizeof characters - 1;
    free(test->payload);
    test->payload = malloc(size + 1);
    if (!test->payload)
        abort();
    test->kind = kind;
    test->size = size;
    for (size_t i = 0; i < size; i++) {
        char text = i < size / unit * unit ? characters[i % unit] : '.';
        test->payload[i] = kind == SWALE_TEXT ? text : (char)(i * 7 + i / 251);
    }
}

static void make_text(struct test *test, const char *text)
{
    size_t size = strlen(text);
    make_payload(test, SWALE_TEXT, size);
    memcpy(test->payload, text, size);
}

static void send_now(struct test *test, enum swale_kind kind, const char *data, size_t size)
{
    int error = swale_client_send(test->client, kind, data, size, NULL);
    if (error < 0)
        fail(test, "cannot send: %s", swale_strerror(error));
}

static void send_and_await(struct test *test)
{
    test->awaited = MESSAGE;
    send_now(test, test->kind, test->payload, test->size);
}

static void make_of_burst(struct test *test, unsigned index)
{
    make_payload(test, index % 2 ? SWALE_TEXT : SWALE_BINARY, index * 37 % 2000);
}

/* ---- Steps ------------------------------------------------------------------------------------------ */

static void step_open(struct test *test, const char *argument)
{
    (void)argument;
    test->awaited = OPEN;
}

static void step_subprotocol(struct test *test, const char *argument)
{
    struct swale_span chosen = swale_conn_subprotocol(swale_client_conn(test->client));
    if (!swale_span_equal(chosen, swale_text(argument)))
        fail(test, "it is \"%.*s\"", (int)chosen.size, chosen.data);
}

static void step_deflate(struct test *test, const char *argument)
{
    if (swale_conn_deflate(swale_client_conn(test->client)) != (strcmp(argument, "yes") == 0))
        fail(test, "it is not so");
}

static void step_text(struct test *test, const char *argument)
{
    make_payload(test, SWALE_TEXT, strtoul(argument, NULL, 10));
    send_and_await(test);
}

static void step_squeezed(struct test *test, const char *argument)
{
    test->squeezed = true;
    step_text(test, argument);
}

static void step_binary(struct test *test, const char *argument)
{
    make_payload(test, SWALE_BINARY, strtoul(argument, NULL, 10));
    send_and_await(test);
}

static void step_say(struct test *test, const char *argument)
{
    make_text(test, argument);
    send_and_await(test);
}

static void step_send(struct test *test, const char *argument)
{
    send_now(test, SWALE_TEXT, argument, strlen(argument));
}

static void step_hear(struct test *test, const char *argument)
{
    make_text(test, argument);
    test->beginning = true;
    test->awaited = MESSAGE;
}

static void step_burst(struct test *test, const char *argument)
{
    unsigned count = (unsigned)strtoul(argument, NULL, 10);
    for (unsigned i = 0; i < count && !test->failed; i++) {
        make_of_burst(test, i);
        send_now(test, test->kind, test->payload, test->size);
    }
    make_of_burst(test, 0);
    test->awaited = MESSAGE;
    test->burst = 0;
    test->more = count - 1;
}

static void step_parts(struct test *test, const char *argument)
{
    make_payload(test, SWALE_BINARY, strtoul(argument, NULL, 10));
    test->awaited = MESSAGE;
    size_t run = test->size / 7 + 1;
    for (size_t at = 0; at < test->size; at += run) {
        bool last = test->size - at <= run;
        int error = swale_conn_send_part(swale_client_conn(test->client), SWALE_BINARY, test->payload + at,
                                         last ? test->size - at : run, last);
        if (error < 0)
            fail(test, "cannot send: %s", swale_strerror(error));
    }
}

static void step_fragments(struct test *test, const char *argument)
{
    (void)argument;
    send_now(test, SWALE_TEXT, "swale:fragments", 15);
    make_text(test, "one two \xe2\x82\xac three");
    test->awaited = MESSAGE;
}

static void step_ping(struct test *test, const char *argument)
{
    (void)argument;
    make_text(test, "are you there?");
    test->awaited = PONG;
    int error = swale_conn_ping(swale_client_conn(test->client), swale_span(test->payload, test->size));
    if (error < 0)
        fail(test, "cannot ping: %s", swale_strerror(error));
}

static void step_pinged(struct test *test, const char *argument)
{
    (void)argument;
    send_now(test, SWALE_TEXT, "swale:ping hello", 16);
    make_text(test, "pong hello");
    test->awaited = PING | MESSAGE;
}

static void await_close(struct test *test, const char *argument, int reason)
{
    char *text;
    test->code = (int)strtol(argument, &text, 10);
    test->text = text + (*text == ':');
    test->reason = reason;
    test->awaited = CLOSE;
}

static void step_close(struct test *test, const char *argument)
{
    await_close(test, argument, SWALE_ERR_LOCAL_CLOSED);
    int error = swale_client_close(test->client, test->code, test->text);
    if (error)
        fail(test, "cannot close: %s", swale_strerror(error));
}

static void step_closed(struct test *test, const char *argument)
{
    char command[256];
    await_close(test, argument, SWALE_ERR_PEER_CLOSED);
    int size = snprintf(command, sizeof command, "swale:close %d %s", test->code, test->text);
    send_now(test, SWALE_TEXT, command, (size_t)size);
}

static void step_lost(struct test *test, const char *argument)
{
    test->text = argument;
    test->lost = true;
    test->awaited = CLOSE;
}

static void step_killed(struct test *test, const char *argument)
{
    (void)argument;
    await_close(test, "1006", 0);
    test->recovering = true;
    printf("kill\n");
}

static void step_fail(struct test *test, const char *argument)
{
    test->text = argument;
    test->awaited = FAIL;
}

static void step_end(struct test *test, const char *argument)
{
    (void)argument;
    test->awaited = END;
}

static const struct {
    const char *name;
    void (*begin)(struct test *test, const char *argument);
} verbs[] = {
    { "open", step_open },         { "subprotocol", step_subprotocol },
    { "deflate", step_deflate },   { "text", step_text },
    { "squeezed", step_squeezed }, { "binary", step_binary },
    { "send", step_send },         { "hear", step_hear },
    { "say", step_say },           { "burst", step_burst },
    { "parts", step_parts },       { "fragments", step_fragments },
    { "ping", step_ping },         { "pinged", step_pinged },
    { "close", step_close },       { "closed", step_closed },
    { "killed", step_killed },     { "fail", step_fail },
    { "end", step_end },           { "lost", step_lost },
};

static void begin_step(struct test *test, const char *step)
{
    size_t size = strcspn(step, ":");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strlen(verbs[i].name) == size && memcmp(verbs[i].name, step, size) == 0) {
            verbs[i].begin(test, step + size + (step[size] == ':'));
            return;
        }
    }
    fail(test, "there is no such step");
}

/* Begins steps until one has to wait. */
static void go_on(struct test *test)
{
    while (!test->failed && test->awaited == 0) {
        test->steps++;
        if (--test->left == 0) {
            swale_loop_stop(test->loop);
            return;
        }
        swale_timer_start(test->loop, &test->timer, swale_loop_now(test->loop) + (uint64_t)(STEP_MS * test->slack));
        begin_step(test, test->steps[0]);
    }
}

/* Something came. False when it was not awaited. */
static bool came(struct test *test, unsigned what, const char *name)
{
    if (!(test->awaited & what))
        fail(test, "%s, which was not awaited", name);
    test->awaited &= ~what;
    return !test->failed;
}

static void out_of_time(struct swale_timer *timer)
{
    struct test *test = timer->context;
    fail(test, "nothing came (awaited: %u)", test->awaited);
}

/* ---- What happens ----------------------------------------------------------------------------------- */

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct test *test = swale_client_user(client);
    if (!came(test, OPEN, "a connection"))
        return;
    test->recovering = false;
    if (opening->first != (test->opens++ == 0))
        fail(test, "it is %sthe first", opening->first ? "" : "not ");
    go_on(test);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct test *test = swale_client_user(client);
    if (!came(test, MESSAGE, "a message"))
        return;
    size_t size = test->beginning && message->data.size > test->size ? test->size : message->data.size;
    test->beginning = false;
    if (message->kind != test->kind ||
        !swale_span_equal(swale_span(message->data.data, size), swale_span(test->payload, test->size)))
        fail(test, "%zu other bytes, of kind %d", message->data.size, (int)message->kind);
    if (test->squeezed && !message->compressed)
        fail(test, "it is not compressed");
    test->squeezed = false;
    if (test->more > 0) {
        test->more--;
        make_of_burst(test, ++test->burst);
        test->awaited |= MESSAGE;
    }
    go_on(test);
}

static void on_ping(struct swale_client *client, struct swale_span payload)
{
    struct test *test = swale_client_user(client);
    if (came(test, PING, "a ping") && !swale_span_equal(payload, swale_text("hello")))
        fail(test, "pinged with \"%.*s\"", (int)payload.size, payload.data);
    go_on(test);
}

static void on_pong(struct swale_client *client, struct swale_span payload)
{
    struct test *test = swale_client_user(client);
    if (came(test, PONG, "a pong") && !swale_span_equal(payload, swale_span(test->payload, test->size)))
        fail(test, "answered with \"%.*s\"", (int)payload.size, payload.data);
    go_on(test);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct test *test = swale_client_user(client);
    const struct swale_close *close = &closing->close;
    if (!came(test, CLOSE, swale_strerror(close->reason)))
        return;
    bool right = close->code == test->code && close->clean == (test->reason != 0) &&
                 (test->reason == 0 || close->reason == test->reason);
    /* A peer need not repeat our text (RFC 6455 section 5.5.1). */
    if (test->reason == SWALE_ERR_PEER_CLOSED)
        right = right && swale_span_equal(close->text, swale_text(test->text));
    if (test->lost)
        right = strcmp(swale_error_name(close->reason), test->text) == 0;
    test->lost = false;
    if (!right)
        fail(test, "closed with %d \"%.*s\", %s, %s", close->code, (int)close->text.size, close->text.data,
             close->clean ? "clean" : "not clean", swale_error_name(close->reason));
    go_on(test);
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct test *test = swale_client_user(client);
    if (test->recovering)
        return;
    if (came(test, FAIL, failure->text) && strcmp(swale_error_name(failure->reason), test->text) != 0)
        fail(test, "%s: %s", swale_error_name(failure->reason), failure->text);
    go_on(test);
}

static void on_end(struct swale_client *client, int reason)
{
    struct test *test = swale_client_user(client);
    if (came(test, END, swale_strerror(reason)))
        go_on(test);
}

/* ---- The command line ------------------------------------------------------------------------------- */

static void give_up(const char *what, const char *why)
{
    printf("%s: %s\n", what, why);
    exit(2);
}

/* The options of a client; what is left of the arguments. */
static char **read_options(char **arguments, struct swale_client_options *options, const char **subprotocols)
{
    static char why[SWALE_TLS_MESSAGE_MAX];
    for (; *arguments && strncmp(*arguments, "--", 2) == 0; arguments++) {
        if (strcmp(*arguments, "--deflate") == 0) {
            options->deflate.enabled = true;
        } else if (strcmp(*arguments, "--context") == 0) {
            options->deflate.server_context_takeover = options->deflate.client_context_takeover = true;
        } else if (strcmp(*arguments, "--environment") == 0) {
            options->proxy = NULL;
        } else if (strcmp(*arguments, "--once") == 0) {
            options->reconnect.off = true;
        } else if (!arguments[1]) {
            give_up(*arguments, "an argument is missing");
        } else if (strcmp(*arguments, "--proxy") == 0) {
            options->proxy = *++arguments;
        } else if (strcmp(*arguments, "--subprotocol") == 0 && options->subprotocol_count < SUBPROTOCOLS_MAX) {
            subprotocols[options->subprotocol_count++] = *++arguments;
        } else if (strcmp(*arguments, "--ca") == 0) {
            const struct swale_tls_options trust = { .ca_file = *++arguments };
            swale_tls_unref(options->tls); /* the last one counts */
            if (swale_tls_client(&options->tls, &trust, why) != 0)
                give_up("--ca", why);
            options->proxy_tls = options->tls;
        } else {
            give_up(*arguments, "no such option");
        }
    }
    return arguments;
}

int main(int count, char **arguments)
{
    static const struct swale_client_handler handler = { .on_open = on_open,
                                                         .on_message = on_message,
                                                         .on_ping = on_ping,
                                                         .on_pong = on_pong,
                                                         .on_close = on_close,
                                                         .on_fail = on_fail,
                                                         .on_end = on_end };
    const struct swale_limits limits = { .max_message = 4 << 20,
                                         .max_queue = 16 << 20,
                                         .max_inflate_ratio = SWALE_OFF };
    const char *subprotocols[SUBPROTOCOLS_MAX];
    const char *sanitized = getenv("SWALE_SANITIZED");
    struct test test = { .slack = sanitized && strcmp(sanitized, "1") == 0 ? 4 : 1 };
    struct swale_client_options options = { .handler = &handler,
                                            .user = &test,
                                            .limits = &limits,
                                            .subprotocols = subprotocols,
                                            .proxy = "",
                                            .reconnect = { .first_ms = 50, .max_ms = 500 } };
    char **rest = read_options(arguments + 1, &options, subprotocols);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!*rest)
        give_up(arguments[0], "no URL");
    options.url = *rest;
    test.steps = (const char *const *)rest; /* the first is the URL */
    test.left = count - (int)(rest - arguments);
    test.timer = (struct swale_timer){ .fire = out_of_time, .context = &test };
    char why[SWALE_CLIENT_MESSAGE_MAX];
    if (swale_loop_new(&test.loop, NULL) != 0)
        give_up("the loop", "cannot be made");
    if (swale_client_new(&test.client, test.loop, &options, why) != 0)
        give_up(options.url, why);
    go_on(&test);
    swale_loop_run(test.loop);
    swale_timer_stop(test.loop, &test.timer);
    swale_client_free(test.client);
    swale_loop_free(test.loop);
    swale_tls_unref(options.tls);
    free(test.payload);
    return test.failed;
}
