#include "client_bed.h"

#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The log ---------------------------------------------------------------------------------------- */

static void put_word(char *log, size_t size, const char *word)
{
    size_t used = strlen(log);
    if (used + strlen(word) + 2 < size)
        snprintf(log + used, size - used, "%s ", word);
}

__attribute__((format(printf, 3, 4))) static void say(struct client_bed *bed, enum client_callback callback,
                                                      const char *format, ...)
{
    char word[256];
    va_list arguments;
    assert_false(bed->inside); /* no callback from within a call */
    assert_non_null(bed->client);
    va_start(arguments, format);
    vsnprintf(word, sizeof word, format, arguments);
    va_end(arguments);
    if (word[0])
        put_word(bed->log, sizeof bed->log, word);
    bed->calls[callback]++;
    if (bed->act[callback])
        bed->act[callback](bed);
}

/* ---- The client's callbacks -------------------------------------------------------------------------- */

static struct client_bed *bed_of(struct swale_client *client)
{
    struct client_bed *bed = swale_client_user(client);
    if (bed->client)
        assert_ptr_equal(bed->client, client);
    return bed;
}

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct client_bed *bed = bed_of(client);
    assert_non_null(swale_client_conn(client));
    assert_int_equal(opening->response->status, 101);
    assert_int_equal(opening->first, bed->calls[AT_OPEN] == 0);
    bed->opening = *opening;
    say(bed, AT_OPEN, "opened:%u", (unsigned)opening->tries);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    say(bed_of(client), AT_MESSAGE, "message:%.*s", (int)message->data.size, message->data.data);
}

static void on_part(struct swale_client *client, const struct swale_part *part)
{
    say(bed_of(client), AT_PART, "part:%.*s", (int)part->data.size, part->data.data);
}

static void on_drain(struct swale_client *client)
{
    say(bed_of(client), AT_DRAIN, "drain");
}

static void on_ping(struct swale_client *client, struct swale_span payload)
{
    (void)payload;
    say(bed_of(client), AT_PING, "ping");
}

static void on_pong(struct swale_client *client, struct swale_span payload)
{
    (void)payload;
    say(bed_of(client), AT_PONG, "pong");
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct client_bed *bed = bed_of(client);
    assert_non_null(swale_client_conn(client));
    assert_int_equal(bed->calls[AT_OPEN], bed->calls[AT_CLOSE] + 1);
    bed->closing = *closing;
    bed->retry_ms = closing->retry_ms;
    say(bed, AT_CLOSE, "close:%s:%d%s", swale_error_name(closing->close.reason), closing->close.code,
        closing->close.clean ? ":clean" : "");
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct client_bed *bed = bed_of(client);
    assert_non_null(failure->text);
    bed->retry_ms = failure->retry_ms;
    say(bed, AT_FAIL, "fail:%s", swale_error_name(failure->reason));
}

static void on_end(struct swale_client *client, int reason)
{
    struct client_bed *bed = bed_of(client);
    assert_int_equal(swale_client_state(client), SWALE_CLIENT_ENDED);
    assert_null(swale_client_conn(client));
    say(bed, AT_END, "end:%s", swale_error_name(reason));
}

static void on_state(struct swale_client *client, enum swale_client_state state)
{
    assert_int_equal(state, swale_client_state(client));
    say(bed_of(client), AT_STATE, "%s", swale_client_state_name(state));
}

static void on_fate(struct swale_client *client, uint64_t number, enum swale_fate fate)
{
    assert_int_equal(swale_client_fate(client, number), fate);
    say(bed_of(client), AT_FATE, "%llu=%s", (unsigned long long)number, swale_fate_name(fate));
}

static int64_t on_retry(struct swale_client *client, const struct swale_client_retry *retry)
{
    struct client_bed *bed = bed_of(client);
    bed->retry = *retry;
    /* One time in five hundred it would not wait at all, and WAITING would be over before a test can see it. */
    bed->retry.delay_ms += retry->delay_ms == 0;
    say(bed, AT_RETRY, "%s", "");
    return bed->policy ? bed->policy(bed) : bed->retry.delay_ms;
}

static void on_trace(struct swale_client *client, const struct swale_trace *trace)
{
    struct client_bed *bed = swale_client_user(client);
    (void)trace;
    assert_non_null(bed->client);
    bed->calls[AT_TRACE]++;
    if (bed->act[AT_TRACE])
        bed->act[AT_TRACE](bed);
}

/* ---- The server's connection ------------------------------------------------------------------------- */

static void peer_message(struct swale_conn *conn, const struct swale_message *message)
{
    struct client_bed *bed = swale_conn_user(conn);
    if (bed->on_received) {
        bed->on_received(conn, message);
        return;
    }
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)message->data.size, message->data.data);
    put_word(bed->heard, sizeof bed->heard, word);
}

static void peer_close(struct swale_conn *conn, const struct swale_close *close)
{
    struct client_bed *bed = swale_conn_user(conn);
    bed->peer_reason = close->reason;
    bed->peer_code = close->code;
    if (bed->peer == conn)
        bed->peer = NULL;
}

static int open_peer(struct client_bed *bed, struct swale__stream *stream)
{
    static const struct swale_handler handler = { .on_message = peer_message, .on_close = peer_close };
    struct swale_engine engine;
    if (bed->raw_peer) {
        bed->raw = stream;
        return 0;
    }
    swale_engine_init(&engine, swale__conn_group_config(bed->group), bed->loop.now_ms);
    struct swale__conn_open open = { .stream = stream, .engine = &engine, .handler = &handler, .user = bed };
    return swale__conn_new(&bed->peer, bed->group, &open);
}

/* ---- Attempts --------------------------------------------------------------------------------------- */

static struct client_bed *the_bed; /* attempts have no other way to find it */

static void fail_with(struct client_bed *bed, struct swale_client_failure *failure, int64_t retry_after_ms)
{
    struct swale__attempt *attempt = bed->attempt;
    assert_non_null(attempt);
    bed->attempt = NULL;
    swale__loop_forget(bed->loop.loop, &attempt->work);
    struct swale__attempt_options options = attempt->options;
    swale__free(&bed->loop.allocator, attempt, sizeof *attempt);
    if (!failure->text)
        failure->text = swale_strerror(failure->reason);
    options.on_fail(options.context, failure, retry_after_ms);
}

static int make_streams(struct client_bed *bed, struct swale__stream **stream)
{
    struct swale__stream *ends[2];
    int error = swale__pair(ends, bed->loop.loop, &bed->pair);
    if (error)
        return error;
    *stream = ends[1];
    error = open_peer(bed, ends[0]);
    if (error)
        swale__stream_close(ends[1], true);
    return error;
}

static void succeed(struct client_bed *bed)
{
    static const struct swale_response response = { .status = 101 };
    struct swale__attempt_success success = { .response = &response, .early = bed->early, .ended = bed->early_end };
    int error = make_streams(bed, &success.stream);
    if (error) {
        fail_with(bed, &(struct swale_client_failure){ .reason = error, .phase = SWALE_PHASE_CONNECT }, -1);
        return;
    }
    struct swale__attempt *attempt = bed->attempt;
    bed->attempt = NULL;
    swale__loop_forget(bed->loop.loop, &attempt->work);
    struct swale__attempt_options options = attempt->options;
    swale__free(&bed->loop.allocator, attempt, sizeof *attempt);
    options.on_open(options.context, &success);
}

static void run(struct swale__work *work)
{
    (void)work;
    if (the_bed->open_all)
        succeed(the_bed);
}

int swale__attempt_new(struct swale__attempt **attempt, const struct swale__attempt_options *options)
{
    struct client_bed *bed = the_bed;
    if (bed->attempt_error)
        return bed->attempt_error;
    struct swale__attempt *made = swale__alloc_zeroed(&bed->loop.allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    assert_null(bed->attempt);
    made->options = *options;
    made->work.run = run;
    swale__loop_at_next(bed->loop.loop, &made->work);
    bed->attempts++;
    *attempt = bed->attempt = made;
    return 0;
}

void swale__attempt_cancel(struct swale__attempt *attempt)
{
    struct client_bed *bed = the_bed;
    assert_ptr_equal(attempt, bed->attempt);
    bed->attempt = NULL;
    bed->cancelled++;
    swale__loop_forget(bed->loop.loop, &attempt->work);
    swale__free(&bed->loop.allocator, attempt, sizeof *attempt);
}

/* In a turn, as an attempt's results come. */

struct result {
    struct swale__work work;
    struct client_bed *bed;
    struct swale_client_failure *failure;
    int64_t retry_after_ms;
};

static void run_result(struct swale__work *work)
{
    struct result *result = SWALE__LIST_OWNER(work, struct result, work);
    if (result->failure)
        fail_with(result->bed, result->failure, result->retry_after_ms);
    else
        succeed(result->bed);
}

static void decide(struct client_bed *bed, struct swale_client_failure *failure, int64_t retry_after_ms)
{
    struct result result = {
        .work = { .run = run_result },
        .bed = bed,
        .failure = failure,
        .retry_after_ms = retry_after_ms,
    };
    test_loop_settle(&bed->loop);
    assert_non_null(bed->attempt);
    swale__loop_at_next(bed->loop.loop, &result.work);
    test_loop_settle(&bed->loop);
}

void client_bed_open(struct client_bed *bed)
{
    decide(bed, NULL, -1);
}

void client_bed_at_once(struct client_bed *bed, bool opens)
{
    if (opens)
        succeed(bed);
    else
        fail_with(bed, &(struct swale_client_failure){ .reason = SWALE_ERR_RESOLVE }, -1);
}

void client_bed_fail(struct client_bed *bed, int reason)
{
    decide(bed, &(struct swale_client_failure){ .reason = reason, .phase = SWALE_PHASE_CONNECT }, -1);
}

void client_bed_refuse(struct client_bed *bed, int status, int64_t retry_after_ms)
{
    struct swale_response response = { .status = status };
    decide(bed,
           &(struct swale_client_failure){
               .reason = SWALE_ERR_ANSWER_STATUS, .phase = SWALE_PHASE_HANDSHAKE, .response = &response },
           retry_after_ms);
}

/* ---- Set-up ----------------------------------------------------------------------------------------- */

static void make_server(struct client_bed *bed)
{
    struct swale_limits limits = swale_limits_resolve(&(struct swale_limits){ .ping_after_ms = SWALE_OFF });
    struct swale__conn_group_options options = {
        .loop = bed->loop.loop,
        .allocator = &bed->loop.allocator,
        .limits = &limits,
        .role = SWALE_SERVER,
        .counters = &bed->counters,
    };
    assert_int_equal(swale__conn_group_new(&bed->group, &options), 0);
}

int client_bed_new(struct client_bed *bed, const struct swale_client_options *given)
{
    struct swale_client_options options = { .url = "ws://example.com/" };
    if (given)
        options = *given;
    if (!options.url)
        options.url = "ws://example.com/";
    options.handler = &bed->handler;
    options.user = bed;
    options.proxy = "";
    bed->inside = true;
    int error = swale_client_new(&bed->client, bed->loop.loop, &options, bed->message);
    bed->inside = false;
    return error;
}

void client_bed_prepare(struct client_bed *bed)
{
    static const struct swale_client_handler all = {
        .on_open = on_open,
        .on_message = on_message,
        .on_drain = on_drain,
        .on_ping = on_ping,
        .on_pong = on_pong,
        .on_close = on_close,
        .on_fail = on_fail,
        .on_end = on_end,
        .on_state = on_state,
        .on_fate = on_fate,
        .on_retry = on_retry,
    };
    the_bed = bed;
    bed->handler = all;
    if (bed->on_fate)
        bed->handler.on_fate = bed->on_fate;
    if (bed->act[AT_PART])
        bed->handler.on_part = on_part;
    if (bed->act[AT_TRACE])
        bed->handler.on_trace = on_trace;
    test_loop_init(&bed->loop);
    make_server(bed);
}

void client_bed_begin(struct client_bed *bed, const struct swale_client_options *options)
{
    client_bed_prepare(bed);
    assert_int_equal(client_bed_new(bed, options), 0);
    test_loop_settle(&bed->loop);
}

void client_bed_free(struct client_bed *bed)
{
    struct swale_client *client = bed->client;
    bed->inside = true;
    bed->client = NULL;
    swale_client_free(client);
    bed->inside = false;
}

void client_bed_end(struct client_bed *bed)
{
    client_bed_free(bed);
    if (bed->raw)
        swale__stream_close(bed->raw, true);
    swale__conn_group_free(bed->group);
    test_loop_done(&bed->loop);
    assert_null(bed->attempt);
}

/* ---- Calls ------------------------------------------------------------------------------------------ */

int client_bed_send(struct client_bed *bed, const char *text, uint64_t *number)
{
    bed->inside = true;
    int result = swale_client_send(bed->client, SWALE_TEXT, text, strlen(text), number);
    bed->inside = false;
    return result;
}

int client_bed_close(struct client_bed *bed, int code, const char *text)
{
    bed->inside = true;
    int result = swale_client_close(bed->client, code, text);
    bed->inside = false;
    return result;
}

int client_bed_reconnect(struct client_bed *bed)
{
    bed->inside = true;
    int result = swale_client_reconnect(bed->client);
    bed->inside = false;
    return result;
}
