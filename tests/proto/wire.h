/* wire.h - readable scripts of frames, and readable logs of what an engine makes of them.
 *
 * A script is a row of items:
 *     81:'Hello'       a frame: byte 0 in hex, and its payload; masked when it goes to a server
 *     88:03e8'bye'     a payload is made of hex bytes, 'text' and #N, which is N times 'x'
 *     82>10000         only the header of a frame, with its announced length in hex (and key)
 *     =8105            bytes as they are
 *
 * A log tells a message as text<...> or binary<...>, text*<...> when compressed, with control frames where they
 * came, the engine's reply behind the arrow:
 *     text<Hel(ping a -> pong a)lo>(close 1000 bye -> close 1000)
 *     (fail frame-mask -> close 1002)
 * Bytes that are not printable, or stand for something in the log, are \xHH; runs of a character are x#300. Parts
 * of a message are not told apart: where they are cut depends on how the bytes came. */
#ifndef SWALE_TEST_WIRE_H
#define SWALE_TEST_WIRE_H

#include "test.h"

#include "guard.h"
#include "proto/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <swale/proto.h>

enum { WIRE_MAX = 70000, LOG_MAX = 300000 };

struct wire {
    char bytes[WIRE_MAX];
    size_t size;
};

struct wire_log {
    char text[LOG_MAX];
    size_t size;
    bool inside;         /* a message */
    bool ended;          /* CLOSE or FAIL was seen */
    uint64_t frame_left; /* as the last PART told */
};

/* ---- Scripts ---------------------------------------------------------------------------------------- */

static inline void wire_put(struct wire *wire, const void *bytes, size_t size)
{
    assert_true(wire->size + size <= sizeof wire->bytes);
    memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
}

static inline unsigned char wire_hex(const char *digits)
{
    char pair[3] = { digits[0], digits[1], 0 };
    char *end;
    unsigned long value = strtoul(pair, &end, 16);
    assert_ptr_equal(end, pair + 2);
    return (unsigned char)value;
}

/* Reads a payload up to a space or the end; returns where it ends. */
static inline const char *wire_payload(const char *script, struct wire *payload)
{
    payload->size = 0;
    while (*script && *script != ' ') {
        if (*script == '\'') {
            const char *end = strchr(script + 1, '\'');
            assert_non_null(end);
            wire_put(payload, script + 1, (size_t)(end - script - 1));
            script = end + 1;
        } else if (*script == '#') {
            char *end;
            for (unsigned long n = strtoul(script + 1, &end, 10); n > 0; n--)
                wire_put(payload, "x", 1);
            script = end;
        } else {
            unsigned char byte = wire_hex(script);
            wire_put(payload, &byte, 1);
            script += 2;
        }
    }
    return script;
}

/* The shortest header, with a key when it goes to a server. */
static inline void wire_header(struct wire *wire, unsigned char byte0, uint64_t length, enum swale_role to,
                               const unsigned char key[4])
{
    int tag = length < 126 ? (int)length : length < 65536 ? 126 : 127;
    int extra = tag < 126 ? 0 : tag == 126 ? 2 : 8;
    unsigned char head[10] = { byte0, (unsigned char)(tag | (to == SWALE_SERVER ? 0x80 : 0)) };
    for (int i = 0; i < extra; i++)
        head[2 + i] = (unsigned char)(length >> (8 * (extra - 1 - i)));
    wire_put(wire, head, 2 + (size_t)extra);
    if (to == SWALE_SERVER)
        wire_put(wire, key, 4);
}

static inline void wire_frame(struct wire *wire, unsigned char byte0, const char *payload, size_t size,
                              enum swale_role to)
{
    static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
    wire_header(wire, byte0, size, to, key);
    for (size_t i = 0; i < size; i++) {
        char byte = (char)(payload[i] ^ (to == SWALE_SERVER ? key[i % 4] : 0));
        wire_put(wire, &byte, 1);
    }
}

/* Adds a script's bytes, as they go to an engine of this role. */
static inline void wire_script(struct wire *wire, const char *script, enum swale_role to)
{
    static struct wire payload;
    while (*script) {
        if (*script == ' ') {
            script++;
        } else if (*script == '=') {
            script = wire_payload(script + 1, &payload);
            wire_put(wire, payload.bytes, payload.size);
        } else if (script[2] == '>') {
            char *end;
            uint64_t length = strtoull(script + 3, &end, 16);
            wire_header(wire, wire_hex(script), length, to, (const unsigned char *)"\x01\x02\x03\x04");
            script = end;
        } else {
            assert_int_equal(script[2], ':');
            unsigned char byte0 = wire_hex(script);
            script = wire_payload(script + 3, &payload);
            wire_frame(wire, byte0, payload.bytes, payload.size, to);
        }
    }
}

/* ---- Logs ------------------------------------------------------------------------------------------- */

static inline void log_text(struct wire_log *log, const char *text)
{
    size_t size = strlen(text);
    assert_true(log->size + size < sizeof log->text);
    memcpy(log->text + log->size, text, size + 1);
    log->size += size;
}

static inline void log_bytes(struct wire_log *log, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        char shown[8] = { (char)byte, 0 };
        if (byte < ' ' || byte > '~' || strchr("<>()#\\", byte))
            snprintf(shown, sizeof shown, "\\x%02x", byte);
        log_text(log, shown);
    }
}

/* Writes runs of at least eight of a character as x#N. */
static inline void log_shorten(struct wire_log *log)
{
    size_t out = 0;
    for (size_t i = 0, run; i < log->size; i += run) {
        for (run = 1; log->text[i + run] == log->text[i];)
            run++;
        if (run >= 8) {
            out += (size_t)sprintf(log->text + out, "%c#%zu", log->text[i], run);
        } else {
            memmove(log->text + out, log->text + i, run);
            out += run;
        }
    }
    log->text[out] = 0;
    log->size = out;
}

static inline void log_code(struct wire_log *log, int code)
{
    char shown[16];
    snprintf(shown, sizeof shown, " %d", code);
    log_text(log, shown);
}

/* Takes a control frame that an engine of `role` made apart: its opcode and its payload, unmasked. */
static inline int wire_read_control(const char *frame, size_t size, enum swale_role role, char payload[125],
                                    size_t *payload_size)
{
    size_t key = role == SWALE_CLIENT ? 4 : 0;
    *payload_size = (size_t)(frame[1] & 0x7f);
    assert_int_equal(frame[0] & 0xf0, 0x80);
    assert_int_equal((frame[1] & 0x80) != 0, role == SWALE_CLIENT);
    assert_int_equal(size, 2 + key + *payload_size);
    for (size_t i = 0; i < *payload_size; i++)
        payload[i] = (char)(frame[2 + key + i] ^ (key ? frame[2 + i % 4] : 0));
    return frame[0] & 0x0f;
}

/* The reply, if there is one. A close frame's reason, which is there only to tell people, is left out; it must be the
 * name of the error. */
static inline void log_reply(struct wire_log *log, const struct swale_event *event, enum swale_role role)
{
    if (event->reply_size == 0)
        return;
    char payload[125];
    size_t size;
    int opcode = wire_read_control(event->reply, event->reply_size, role, payload, &size);
    log_text(log, opcode == 8 ? " -> close" : opcode == 10 ? " -> pong" : " -> ping");
    if (opcode != 8 && size > 0) {
        log_text(log, " ");
        log_bytes(log, payload, size);
    } else if (opcode == 8 && size >= 2) {
        log_code(log, (unsigned char)payload[0] << 8 | (unsigned char)payload[1]);
        const char *name = event->type == SWALE_EVENT_FAIL ? swale_error_name(event->error) : "";
        assert_int_equal(size - 2, strlen(name));
        assert_memory_equal(payload + 2, name, size - 2);
    }
}

static inline void log_part(struct wire_log *log, const struct swale_event *event)
{
    static const char *const names[2][2] = { { "text<", "text*<" }, { "binary<", "binary*<" } };
    assert_int_equal(event->first, !log->inside);
    if (event->first)
        log_text(log, names[event->kind == SWALE_BINARY][event->compressed]);
    if (log->frame_left > 0)
        assert_int_equal(event->frame_left, log->frame_left - event->payload.size);
    log_bytes(log, event->payload.data, event->payload.size);
    if (event->last) {
        assert_int_equal(event->frame_left, 0);
        log_text(log, ">");
    }
    log->frame_left = event->frame_left;
    log->inside = !event->last;
}

static inline void log_event(struct wire_log *log, const struct swale_event *event, enum swale_role role)
{
    assert_false(log->ended);
    if (event->type == SWALE_EVENT_PART) {
        log_part(log, event);
        return;
    }
    static const char *const names[] = { "", "", "(ping", "(pong", "(close", "(fail" };
    log_text(log, names[event->type]);
    if (event->type == SWALE_EVENT_FAIL) {
        log_text(log, " ");
        log_text(log, swale_error_name(event->error));
        assert_int_equal(event->close_code, swale_error_close_code(event->error));
    } else if (event->type == SWALE_EVENT_CLOSE) {
        log_code(log, event->close_code);
        assert_int_equal(event->error, SWALE_ERR_PEER_CLOSED);
    }
    if (event->payload.size > 0)
        log_text(log, " ");
    log_bytes(log, event->payload.data, event->payload.size);
    log_reply(log, event, role);
    log_text(log, ")");
    log->ended = event->type == SWALE_EVENT_FAIL || event->type == SWALE_EVENT_CLOSE;
}

/* ---- Feeding ---------------------------------------------------------------------------------------- */

/* Masks that a client makes are predictable here. */
static inline void wire_random(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, 0x5a, size);
}

static inline struct swale_engine_config wire_config(enum swale_role role)
{
    return (struct swale_engine_config){
        .role = role, .max_message = 1 << 20, .max_fragments = 100, .random = wire_random
    };
}

/* Bytes on their way to an engine, with what it left of those before. */
struct wire_feed {
    struct swale_engine *engine;
    struct wire_log *log;
    bool apart; /* payload goes elsewhere, where that is possible */
    char left[SWALE_CONTROL_MAX + SWALE_HEADER_MAX];
    size_t left_size;
};

/* Reads an event and writes it down. A long frame's header is given alone if payload goes elsewhere: to memory that
 * is no larger than it has to be. */
static inline size_t feed_event(struct wire_feed *feed, char *bytes, size_t size, struct swale_event *event)
{
    struct swale_engine *engine = feed->engine;
    size_t header = feed->apart ? swale__engine_long_header(engine, bytes, size) : 0;
    if (feed->apart && swale__engine_has(engine, SWALE__IN_FRAME) && size > 0) {
        size_t room = size < engine->frame_left ? size : (size_t)engine->frame_left;
        char *edge = guard_copy(bytes, room);
        size_t used = swale__engine_receive_to(engine, bytes, size, 0, event, edge);
        assert_true(event->type != SWALE_EVENT_PART || event->payload.data == edge);
        if (event->type != SWALE_EVENT_NONE)
            log_event(feed->log, event, engine->config->role);
        guard_free(edge, room);
        return used;
    }
    size_t used = swale_engine_receive(engine, bytes, header > 0 ? header : size, 0, event);
    if (event->type != SWALE_EVENT_NONE)
        log_event(feed->log, event, engine->config->role);
    return used + (header > 0 && event->type == SWALE_EVENT_NONE && used == header
                       ? feed_event(feed, bytes + header, size - header, event)
                       : 0);
}

/* Gives the bytes to the engine, behind those left, in memory that ends with them. */
static inline void feed_bytes(struct wire_feed *feed, const char *bytes, size_t size)
{
    static char joined[WIRE_MAX + sizeof feed->left];
    memcpy(joined, feed->left, feed->left_size);
    memcpy(joined + feed->left_size, bytes, size);
    size += feed->left_size;
    char *edge = guard_copy(joined, size);
    struct swale_event event;
    size_t used = 0;
    do {
        size_t taken = feed_event(feed, edge + used, size - used, &event);
        assert_true(taken <= size - used);
        used += taken;
        assert_true(event.type == SWALE_EVENT_NONE || taken > 0);
    } while (event.type != SWALE_EVENT_NONE);
    assert_int_equal(swale_engine_phase(feed->engine) == SWALE_CLOSED, feed->log->ended);
    assert_true(size - used < sizeof feed->left);
    assert_true(!feed->log->ended || used == size);
    feed->left_size = size - used;
    memcpy(feed->left, edge + used, size - used);
    guard_free(edge, size);
}

/* The log of these bytes, cut at the given places, in an engine like `fresh`. */
static inline void log_of_way(const struct swale_engine *fresh, const struct wire *wire, const size_t *cuts,
                              size_t cut_count, bool apart, struct wire_log *log)
{
    struct swale_engine engine = *fresh;
    struct wire_feed feed = { .engine = &engine, .log = log, .apart = apart };
    log->size = 0;
    log->text[0] = 0;
    log->inside = log->ended = false;
    log->frame_left = 0;
    size_t at = 0;
    for (size_t i = 0; i < cut_count; at = cuts[i++])
        feed_bytes(&feed, wire->bytes + at, cuts[i] - at);
    feed_bytes(&feed, wire->bytes + at, wire->size - at);
    log_shorten(log);
}

static inline void log_of(const struct swale_engine *fresh, const struct wire *wire, const size_t *cuts,
                          size_t cut_count, struct wire_log *log)
{
    log_of_way(fresh, wire, cuts, cut_count, false, log);
}

/* With payload that stays where it is, and with payload that goes elsewhere. */
static inline void check_cuts(const struct swale_engine *fresh, const struct wire *wire, const size_t *cuts,
                              size_t cut_count, const char *expected)
{
    static struct wire_log log;
    for (int apart = 0; apart < 2; apart++) {
        log_of_way(fresh, wire, cuts, cut_count, apart, &log);
        assert_string_equal(log.text, expected);
    }
}

/* Checks that the log is the same when the bytes come one by one, and cut in two at every place (of a long wire: near
 * its ends). */
static inline void check_splits(const struct swale_engine *fresh, const struct wire *wire, const char *expected)
{
    static size_t cuts[WIRE_MAX];
    size_t near = wire->size < 1000 ? wire->size : 20;
    size_t ones = wire->size < 1000 ? wire->size : 2 * near;
    for (size_t i = 0; i < ones; i++)
        cuts[i] = i;
    check_cuts(fresh, wire, cuts, ones, expected);
    for (size_t cut = 0; cut <= wire->size; cut++) {
        if (cut > near && wire->size - cut > near)
            cut = wire->size - near;
        check_cuts(fresh, wire, &cut, 1, expected);
    }
}

#endif
