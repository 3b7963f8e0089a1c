#include "harness.h"

#include "io/turn.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Bytes ------------------------------------------------------------------------------------------ */

uint64_t counter(_Atomic uint64_t *value)
{
    return *value;
}

uint32_t checksum(const void *data, size_t size)
{
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const unsigned char *)data)[i]) * 16777619u;
    return sum;
}

char *noise(size_t size)
{
    char *data = malloc(size + 1);
    uint32_t state = 12345;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = (char)(state >> 24);
    }
    return data;
}

size_t put_frame(char *out, int byte0, const void *payload, size_t size, const unsigned char *mask)
{
    size_t at = 0;
    unsigned char masked = mask ? 0x80 : 0;
    out[at++] = (char)byte0;
    if (size < 126) {
        out[at++] = (char)(masked | size);
    } else if (size < 65536) {
        out[at++] = (char)(masked | 126);
        out[at++] = (char)(size >> 8);
        out[at++] = (char)size;
    } else {
        out[at++] = (char)(masked | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            out[at++] = (char)((uint64_t)size >> shift);
    }
    if (mask) {
        memcpy(out + at, mask, 4);
        at += 4;
    }
    for (size_t i = 0; i < size; i++)
        out[at + i] = (char)(((const char *)payload)[i] ^ (mask ? mask[i & 3] : 0));
    return at + size;
}

/* ---- Logs ------------------------------------------------------------------------------------------- */

enum { LOG_SIZE = 1 << 20 };

static void add(char *log, size_t *size, const char *word, struct swale_span payload)
{
    if (payload.size <= 40) {
        *size += (size_t)snprintf(log + *size, LOG_SIZE - *size, "%s%.*s ", word, (int)payload.size,
                                  payload.size ? payload.data : "");
    } else {
        *size += (size_t)snprintf(log + *size, LOG_SIZE - *size, "%s[%zu]%08x ", word, payload.size,
                                  (unsigned)checksum(payload.data, payload.size));
    }
    if (*size > LOG_SIZE - 4096) /* only the beginning is of interest */
        *size = LOG_SIZE - 4096;
}

static struct observer *observe(struct swale_conn *conn, enum callback callback, const char *word,
                                struct swale_span payload)
{
    struct observer *observer = swale_conn_user(conn);
    assert_int_equal(observer->calls[ON_CLOSE], 0);
    assert_true(callback == ON_OPEN || observer->calls[ON_OPEN] == 1);
    observer->conn = conn;
    observer->calls[callback]++;
    if (observer->log_size < LOG_SIZE - 8192)
        add(observer->log, &observer->log_size, word, payload);
    return observer;
}

static void act(struct observer *observer, enum callback callback)
{
    if (observer->act[callback])
        observer->act[callback](observer);
}

static void on_open(struct swale_conn *conn)
{
    act(observe(conn, ON_OPEN, "open", swale_span(NULL, 0)), ON_OPEN);
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    const char *word = message->kind == SWALE_TEXT ? message->compressed ? "ztext:" : "text:"
                       : message->compressed       ? "zbin:"
                                                   : "bin:";
    struct observer *observer = observe(conn, ON_MESSAGE, word, message->data);
    observer->received += message->data.size;
    observer->message = message->data;
    if (observer->echo)
        observer->sent = swale_conn_send(conn, message->kind, message->data.data, message->data.size);
    act(observer, ON_MESSAGE);
}

static void on_part(struct swale_conn *conn, const struct swale_part *part)
{
    char word[32];
    snprintf(word, sizeof word, "%s%s%s", part->first ? "<" : "", part->kind == SWALE_TEXT ? "text" : "bin",
             part->last ? ">:" : ":");
    struct observer *observer = observe(conn, ON_PART, word, part->data);
    observer->received += part->data.size;
    act(observer, ON_PART);
}

static void on_drain(struct swale_conn *conn)
{
    act(observe(conn, ON_DRAIN, "drain", swale_span(NULL, 0)), ON_DRAIN);
}

static void on_ping(struct swale_conn *conn, struct swale_span payload)
{
    act(observe(conn, ON_PING, "ping:", payload), ON_PING);
}

static void on_pong(struct swale_conn *conn, struct swale_span payload)
{
    act(observe(conn, ON_PONG, "pong:", payload), ON_PONG);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    char word[64];
    snprintf(word, sizeof word, "close:%s:%d%s:", swale_error_name(close->reason), close->code,
             close->clean ? ":clean" : "");
    struct observer *observer = observe(conn, ON_CLOSE, word, close->text);
    observer->close = *close;
    act(observer, ON_CLOSE);
    observer->conn = NULL;
}

static const struct swale_handler whole = {
    .on_open = on_open,
    .on_message = on_message,
    .on_drain = on_drain,
    .on_close = on_close,
    .on_ping = on_ping,
    .on_pong = on_pong,
};

static const struct swale_handler streaming = {
    .on_open = on_open,
    .on_part = on_part,
    .on_drain = on_drain,
    .on_close = on_close,
    .on_ping = on_ping,
    .on_pong = on_pong,
};

static void on_gone(void *context, struct swale_conn *conn, const struct swale_close *close)
{
    struct harness *harness = context;
    assert_non_null(swale_conn_user(conn));
    assert_int_not_equal(close->reason, 0);
    harness->gone++;
}

static void on_released(void *context, void *owner)
{
    struct harness *harness = context;
    assert_ptr_equal(owner, harness);
    harness->released++;
}

/* ---- Opening ---------------------------------------------------------------------------------------- */

static void fill_random(void *context, void *out, size_t size)
{
    struct harness *harness = context;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = harness->random += 41;
}

static void new_group(struct harness *harness, enum swale_role role)
{
    struct swale__conn_group_options options = {
        .loop = harness->loop.loop,
        .allocator = &harness->loop.allocator,
        .limits = &harness->limits,
        .role = role,
        .counters = &harness->counters[role],
        .random = fill_random,
        .random_context = harness,
        .first_id = role == SWALE_CLIENT ? 1000 : 0,
        .on_gone = on_gone,
        .on_released = on_released,
        .context = harness,
    };
    assert_int_equal(swale__conn_group_new(&harness->groups[role], &options), 0);
}

static void new_observer(struct observer *observer)
{
    observer->log = calloc(1, LOG_SIZE);
}

void observer_done(struct observer *observer)
{
    assert_int_equal(observer->calls[ON_OPEN], observer->calls[ON_CLOSE]);
    free(observer->log);
    observer->log = NULL;
}

struct role_open {
    enum swale_role role;
    struct swale__stream *stream;
    struct observer *observer;
    bool parts;
    const struct swale_deflate_params *deflate;
    struct swale_span early, answer, subprotocol;
    bool ended;
};

static int open_conn(struct harness *harness, const struct role_open *how)
{
    struct swale_engine engine;
    struct swale_conn *conn = NULL;
    swale_engine_init(&engine, swale__conn_group_config(harness->groups[how->role]), harness->loop.now_ms);
    struct swale__conn_open open = {
        .stream = how->stream,
        .engine = &engine,
        .handler = how->parts ? &streaming : &whole,
        .user = how->observer,
        .owner = harness,
        .subprotocol = how->subprotocol,
        .deflate = how->deflate != NULL,
        .early = how->early,
        .answer = how->answer,
        .ended = how->ended,
    };
    if (how->deflate)
        open.deflate_params = *how->deflate;
    int error = swale__conn_new(&conn, harness->groups[how->role], &open);
    assert_true(error == 0 || how->observer->calls[ON_OPEN] == 0);
    return error;
}

static void open_ends(struct harness *harness, const struct harness_options *options)
{
    struct role_open server = { .role = SWALE_SERVER,
                                .stream = harness->ends[0],
                                .observer = &harness->server,
                                .parts = options->parts,
                                .deflate = options->deflate,
                                .early = options->early,
                                .answer = options->answer,
                                .subprotocol = options->subprotocol,
                                .ended = options->ended };
    struct role_open client = { .role = SWALE_CLIENT,
                                .stream = harness->ends[1],
                                .observer = &harness->client,
                                .parts = options->parts,
                                .deflate = options->deflate };
    if (options->raw_server)
        recorder_begin(&harness->raw, harness->ends[0]);
    else
        harness->error = open_conn(harness, &server);
    if (options->raw_client)
        recorder_begin(&harness->raw, harness->ends[1]);
    else
        harness->error = open_conn(harness, &client) < 0 ? -1 : harness->error;
}

void harness_init(struct harness *harness, const struct harness_options *options)
{
    *harness = (struct harness){ .random = 7 };
    test_loop_init(&harness->loop);
    harness->limits = swale_limits_resolve(&options->limits);
    harness->pair = options->pair;
    new_group(harness, SWALE_SERVER);
    new_group(harness, SWALE_CLIENT);
    new_observer(&harness->server);
    new_observer(&harness->client);
    harness->server.echo = options->echo;
    memcpy(harness->server.act, options->act, sizeof options->act);
    assert_int_equal(swale__pair(harness->ends, harness->loop.loop, &options->pair), 0);
    if (options->fail_at > 0)
        harness->loop.memory.fail_at = harness->loop.memory.allocations + options->fail_at;
    open_ends(harness, options);
    test_loop_settle(&harness->loop);
}

struct swale__stream *harness_another(struct harness *harness, struct observer *observer, bool parts,
                                      const struct swale_deflate_params *deflate)
{
    struct swale__stream *ends[2];
    *observer = (struct observer){ .received = 0 };
    new_observer(observer);
    assert_int_equal(swale__pair(ends, harness->loop.loop, &harness->pair), 0);
    struct role_open how = {
        .role = SWALE_SERVER, .stream = ends[0], .observer = observer, .parts = parts, .deflate = deflate
    };
    assert_int_equal(open_conn(harness, &how), 0);
    return ends[1];
}

void harness_done(struct harness *harness)
{
    harness->loop.memory.fail_at = 0;
    if (harness->raw.stream || harness->raw.heard)
        recorder_end(&harness->raw);
    test_loop_settle(&harness->loop);
    for (int role = 0; role < 2; role++) {
        swale__conn_group_free(harness->groups[role]);
        assert_int_equal(counter(&harness->counters[role].open), 0);
        assert_int_equal(counter(&harness->counters[role].queued), 0);
    }
    swale_loop_step(harness->loop.loop, 0);
    observer_done(&harness->server);
    observer_done(&harness->client);
    assert_int_equal(harness->gone, harness->released);
    free(harness->described);
    for (unsigned i = 0; i < harness->block_count; i++)
        free(harness->blocks[i]);
    test_loop_done(&harness->loop);
}

/* ---- The raw end ------------------------------------------------------------------------------------ */

/* The copies stay until the end: a write may be in flight for long. */
void harness_send(struct harness *harness, const void *data, size_t size)
{
    char *copy = malloc(size + 1);
    assert_true(harness->block_count < COUNT_OF(harness->blocks));
    harness->blocks[harness->block_count++] = copy;
    memcpy(copy, data, size);
    recorder_send(&harness->raw, copy, size);
    test_loop_settle(&harness->loop);
}

void harness_frame(struct harness *harness, int byte0, const void *payload, size_t size)
{
    static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    char *frame = malloc(size + 14);
    bool client = harness->raw.stream == harness->ends[1];
    size_t length = put_frame(frame, byte0, payload, size, client ? mask : NULL);
    harness_send(harness, frame, length);
    free(frame);
}

static const char *opcode_word(int byte0, char *word)
{
    static const char *const names[16] = { "more", "text", "bin", "", "", "", "", "", "close", "ping", "pong" };
    sprintf(word, "%s%s%s:", (byte0 & 0x40) ? "z" : "", names[byte0 & 15], (byte0 & 0x80) ? "" : "-");
    return word;
}

/* A frame at `data`, if it is whole: its length, and the span of its payload. */
static size_t read_frame(char *data, size_t size, struct swale_span *payload)
{
    if (size < 2)
        return 0;
    size_t header = 2;
    uint64_t length = data[1] & 0x7f;
    size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    bool masked = (data[1] & 0x80) != 0;
    if (size < header + extra + (masked ? 4u : 0u))
        return 0;
    for (size_t i = 0; i < extra; i++)
        length = (i ? length << 8 : 0) | (unsigned char)data[header + i];
    header += extra + (masked ? 4u : 0u);
    if (size - header < length)
        return 0;
    for (size_t i = 0; masked && i < length; i++)
        data[header + i] = (char)(data[header + i] ^ data[header - 4 + (i & 3)]);
    *payload = swale_span(data + header, (size_t)length);
    return header + (size_t)length;
}

const char *harness_heard(struct harness *harness)
{
    struct recorder *raw = &harness->raw;
    size_t described = 0;
    char *bytes = malloc(raw->size + 1);
    if (raw->size > 0)
        memcpy(bytes, raw->heard, raw->size);
    if (!harness->described)
        harness->described = malloc(LOG_SIZE);
    harness->described[0] = 0;
    for (size_t at = 0; at < raw->size;) {
        struct swale_span payload;
        char word[32], code[48];
        size_t length = read_frame(bytes + at, raw->size - at, &payload);
        if (length == 0) {
            add(harness->described, &described, "...", swale_span(NULL, 0));
            break;
        }
        opcode_word(bytes[at], word);
        if ((bytes[at] & 15) == 8 && payload.size >= 2) {
            snprintf(code, sizeof code, "%s%d:", word,
                     (unsigned char)payload.data[0] << 8 | (unsigned char)payload.data[1]);
            payload = swale_span(payload.data + 2, payload.size - 2);
            add(harness->described, &described, code, payload);
        } else {
            add(harness->described, &described, word, payload);
        }
        at += length;
    }
    free(bytes);
    return harness->described;
}
