/* receive.c - the receive machine: bytes in, at most one event out.
 *
 * There are two states, between frames and inside the payload of a data frame, with a function each:
 *
 *     read_frame ---header of a data frame---> read_payload
 *      |  ^  |                                   |     |
 *      |  |  +-- a whole control frame: event    |     +-- what there is of the payload: PART
 *      |  +------------- end of frame -----------+
 *      +-- anything against the rules: FAIL
 *
 * A header, and a control frame as a whole, is taken in one piece: while it is incomplete nothing of it is
 * consumed, and what there is of it is judged anew with each call. The rules are checked in the order of the bytes
 * that they are about, so that the first fault is the same however the bytes are cut, and is told as soon as the byte
 * that makes it is there. */
#include "proto/engine.h"

#include "base/apart.h"
#include "base/utf8.h"
#include "proto/frame.h"
#include "proto/short.h"

#include <assert.h>

/* What one call works with. */
struct call {
    struct swale_engine *engine;
    uint64_t now_ms;
    struct swale_event *event;
    char *out; /* where payload goes; NULL: it stays where it is */
};

/* Returns `size`, as consumed: what follows is ignored by swale_engine_receive. */
static size_t fail(const struct call *call, int error, size_t size)
{
    swale_engine_fail(call->engine, error, call->now_ms, call->event);
    return size;
}

/* ---- The rules about bytes 0 and 1 (RFC 6455 sections 5.1, 5.2, 5.4, 5.5) ------------------------------ */

/* RFC 6455 section 5.2; RFC 7692 section 6: RSV1 stands on the first frame of a message, when negotiated. */
static bool reserved_allowed(const struct swale_engine *engine, int byte0)
{
    int opcode = byte0 & SWALE__OPCODE;
    return (byte0 & SWALE__RSV) == SWALE__RSV1 && swale__engine_has(engine, SWALE__DEFLATE) &&
           (opcode == SWALE_TEXT || opcode == SWALE_BINARY);
}

static int check_byte0(const struct swale_engine *engine, int byte0)
{
    int opcode = byte0 & SWALE__OPCODE;
    if ((byte0 & SWALE__RSV) && !reserved_allowed(engine, byte0))
        return SWALE_ERR_FRAME_RESERVED;
    if (opcode & SWALE__CONTROL) {
        if (opcode > SWALE__PONG)
            return SWALE_ERR_FRAME_OPCODE;
        return byte0 & SWALE__FIN ? 0 : SWALE_ERR_FRAME_CONTROL;
    }
    if (opcode > SWALE_BINARY)
        return SWALE_ERR_FRAME_OPCODE;
    bool inside = engine->opcode != 0;
    if (inside != (opcode == SWALE__CONTINUATION))
        return SWALE_ERR_FRAME_SEQUENCE;
    return engine->fragments < engine->config->max_fragments ? 0 : SWALE_ERR_FRAGMENT_COUNT;
}

static int check_byte1(const struct swale_engine *engine, int byte0, int byte1)
{
    bool masked = (byte1 & SWALE__MASK) != 0;
    if (masked != (engine->config->role == SWALE_SERVER))
        return SWALE_ERR_FRAME_MASK;
    bool too_long = (byte1 & SWALE__LENGTH) > SWALE__CONTROL_PAYLOAD;
    return too_long && (byte0 & SWALE__CONTROL) ? SWALE_ERR_FRAME_CONTROL : 0;
}

/* ---- Messages --------------------------------------------------------------------------------------- */

/* Text that can be checked as it comes; compressed text is checked by swale_engine_text. */
static bool is_plain_text(const struct swale_engine *engine)
{
    return engine->opcode == SWALE_TEXT && !swale__engine_has(engine, SWALE__COMPRESSED);
}

static void end_message(struct swale_engine *engine, uint64_t now_ms)
{
    engine->opcode = 0;
    engine->fragments = 0;
    engine->message_size = 0;
    engine->active_ms = now_ms;
}

/* Hands out the next `size` bytes of the frame, which may be none. */
static void give_part(const struct call *call, const char *data, size_t size)
{
    struct swale_engine *engine = call->engine;
    struct swale_event *event = call->event;
    engine->frame_left -= size;
    engine->mask_offset = (engine->mask_offset + (uint32_t)size) & 3;
    event->type = SWALE_EVENT_PART;
    event->kind = (enum swale_kind)engine->opcode;
    event->first = !swale__engine_has(engine, SWALE__PART_GIVEN);
    event->compressed = swale__engine_has(engine, SWALE__COMPRESSED);
    event->payload = swale_span(data, size);
    event->frame_left = engine->frame_left;
    swale__engine_set(engine, SWALE__PART_GIVEN, true);
    if (engine->frame_left > 0)
        return;
    swale__engine_set(engine, SWALE__IN_FRAME, false);
    event->last = swale__engine_has(engine, SWALE__FINAL);
    if (event->last)
        end_message(engine, call->now_ms);
}

/* ---- Inside a data frame ------------------------------------------------------------------------------ */

/* Payload: `size` bytes of it, where they came and where they go. Either may be the other. */
struct run {
    const char *from;
    char *to;
    size_t size;
};

static void unmask(const struct swale_engine *engine, const struct run *run, size_t offset, size_t size)
{
    if (engine->config->role == SWALE_SERVER)
        swale_mask_copy(run->to + offset, run->from + offset, size, engine->mask, engine->mask_offset + offset);
    else if (run->to != run->from)
        memcpy(run->to + offset, run->from + offset, size);
}

/* The text breaks within these `size` bytes, behind `whole` others of the run; `before` is the checker's state in
 * front of them. What stands before the breaking byte is given out, as it would have been had the bytes come one by
 * one. The rest of them is masked again, where they came, and left for the next call, which fails on it. */
static size_t stop_before_fault(const struct call *call, uint32_t before, const struct run *run, size_t whole,
                                size_t size)
{
    struct swale_engine *engine = call->engine;
    size_t good = whole + swale__utf8_prefix(before, run->to + whole, size);
    if (good == whole + size) /* no byte is wrong: the message ends inside a character, with its last byte */
        good--;
    if (good == 0)
        return fail(call, SWALE_ERR_UTF8, size);
    if (engine->config->role == SWALE_SERVER && run->to == run->from)
        swale_mask(run->to + good, whole + size - good, engine->mask, engine->mask_offset + good);
    engine->utf8.state = SWALE__UTF8_INVALID;
    give_part(call, run->to, good);
    return good;
}

/* Unmasked and checked in steps, so that the checker finds the bytes in the first cache. */
static size_t read_text(const struct call *call, const struct run *run)
{
    enum { STEP = 8192 };
    struct swale_engine *engine = call->engine;
    bool ends = swale__engine_has(engine, SWALE__FINAL) && run->size == engine->frame_left;
    for (size_t at = 0; at < run->size;) {
        size_t step = run->size - at < STEP ? run->size - at : STEP;
        uint32_t before = engine->utf8.state;
        unmask(engine, run, at, step);
        bool valid = swale__utf8_feed(&engine->utf8.state, run->to + at, step);
        if (!valid || (ends && at + step == run->size && engine->utf8.state != SWALE__UTF8_BOUNDARY))
            return stop_before_fault(call, before, run, at, step);
        at += step;
    }
    give_part(call, run->to, run->size);
    return run->size;
}

static size_t read_payload(const struct call *call, char *data, size_t size)
{
    struct swale_engine *engine = call->engine;
    if (size == 0)
        return 0;
    if (size > engine->frame_left)
        size = (size_t)engine->frame_left;
    struct run run = { .from = data, .to = call->out ? call->out : data, .size = size };
    if (is_plain_text(engine))
        return read_text(call, &run);
    unmask(engine, &run, 0, size);
    give_part(call, run.to, size);
    return size;
}

/* ---- Between frames --------------------------------------------------------------------------------- */

/* `header` counts the key. The payload is unmasked and consumed together with it. */
static size_t read_control(const struct call *call, char *data, size_t size, size_t header, size_t length)
{
    struct swale_engine *engine = call->engine;
    struct swale_event *event = call->event;
    if (size < header + length)
        return 0;
    char *payload = data + header;
    if (engine->config->role == SWALE_SERVER)
        swale_mask(payload, length, (const unsigned char *)payload - 4, 0);
    struct swale_span span = swale_span(payload, length);
    int opcode = data[0] & SWALE__OPCODE;
    if (opcode == SWALE__CLOSE) {
        swale__engine_peer_closed(engine, span, call->now_ms, event);
    } else {
        event->type = opcode == SWALE__PING ? SWALE_EVENT_PING : SWALE_EVENT_PONG;
        event->payload = span;
        /* RFC 6455 section 5.5.2: a pong, unless a close frame went out before it. */
        if (opcode == SWALE__PING && engine->phase == SWALE_OPEN)
            event->reply_size = (uint8_t)swale__frame_control(engine, SWALE__PONG, span, event->reply);
    }
    return header + length;
}

static void begin_message(struct swale_engine *engine, int byte0, uint64_t now_ms)
{
    engine->opcode = (uint8_t)(byte0 & SWALE__OPCODE);
    engine->utf8.state = SWALE__UTF8_BOUNDARY;
    engine->active_ms = now_ms;
    swale__engine_set(engine, SWALE__PART_GIVEN, false);
    swale__engine_set(engine, SWALE__COMPRESSED, (byte0 & SWALE__RSV1) != 0);
}

/* A frame without payload: it ends a message, or is nothing but counted. */
static void read_empty_frame(const struct call *call)
{
    struct swale_engine *engine = call->engine;
    if (!swale__engine_has(engine, SWALE__FINAL))
        swale__engine_set(engine, SWALE__IN_FRAME, false);
    else if (is_plain_text(engine) && engine->utf8.state != SWALE__UTF8_BOUNDARY)
        fail(call, SWALE_ERR_UTF8, 0);
    else
        give_part(call, NULL, 0);
}

/* The header of a data frame is complete: notes what it says. `key` is NULL in a client. */
static void begin_frame(const struct call *call, int byte0, uint64_t length, const char *key)
{
    struct swale_engine *engine = call->engine;
    if ((byte0 & SWALE__OPCODE) != SWALE__CONTINUATION)
        begin_message(engine, byte0, call->now_ms);
    engine->fragments++;
    engine->message_size += length;
    engine->frame_left = length;
    engine->mask_offset = 0;
    if (key)
        memcpy(engine->mask, key, sizeof engine->mask);
    swale__engine_set(engine, SWALE__FINAL, (byte0 & SWALE__FIN) != 0);
    swale__engine_set(engine, SWALE__IN_FRAME, true);
    if (length == 0)
        read_empty_frame(call);
}

static size_t read_frame(const struct call *call, char *data, size_t size)
{
    struct swale_engine *engine = call->engine;
    if (size == 0)
        return 0;
    int byte0 = (unsigned char)data[0];
    int error = check_byte0(engine, byte0);
    if (error == 0 && size >= 2)
        error = check_byte1(engine, byte0, data[1]);
    if (error < 0)
        return fail(call, error, size);
    if (size < 2)
        return 0;
    uint64_t length;
    int told = swale__frame_length(data, size, &length);
    if (told <= 0)
        return told < 0 ? fail(call, told, size) : 0;
    size_t header = (size_t)told + (engine->config->role == SWALE_SERVER ? 4 : 0);
    if (byte0 & SWALE__CONTROL)
        return read_control(call, data, size, header, (size_t)length);
    /* RFC 6455 section 10.4: from the announcement, before a byte of it is taken. */
    if (length > engine->config->max_message - engine->message_size)
        return fail(call, SWALE_ERR_MESSAGE_SIZE, size);
    if (size < header)
        return 0;
    begin_frame(call, byte0, length, engine->config->role == SWALE_SERVER ? data + told : NULL);
    return header;
}

/* ---- The machine ------------------------------------------------------------------------------------ */

SWALE__APART static size_t run_machine(const struct call *call, char *data, size_t size)
{
    size_t used = 0, step;
    swale__event_begin(call->event, SWALE_EVENT_NONE);
    if (size == 0 || call->engine->phase == SWALE_CLOSED)
        return size; /* RFC 6455 section 5.5.1: nothing behind a close frame counts */
    swale_engine_alive(call->engine, call->now_ms);
    do {
        bool inside = swale__engine_has(call->engine, SWALE__IN_FRAME);
        step = inside ? read_payload(call, data + used, size - used) : read_frame(call, data + used, size - used);
        used += step;
    } while (step > 0 && call->event->type == SWALE_EVENT_NONE);
    return used;
}

size_t swale_engine_receive(struct swale_engine *engine, char *data, size_t size, uint64_t now_ms,
                            struct swale_event *event)
{
    struct swale__short message;
    assert(engine->phase != SWALE_HANDSHAKING);
    size_t used = swale__short_read(engine, data, size, now_ms, &message);
    if (used == 0)
        return run_machine(&(struct call){ engine, now_ms, event, NULL }, data, size);
    swale__event_begin(event, SWALE_EVENT_PART);
    event->kind = message.kind;
    event->payload = message.payload;
    event->first = event->last = true;
    return used;
}

size_t swale__engine_receive_to(struct swale_engine *engine, char *data, size_t size, uint64_t now_ms,
                                struct swale_event *event, char *out)
{
    assert(swale__engine_has(engine, SWALE__IN_FRAME));
    return run_machine(&(struct call){ engine, now_ms, event, out }, data, size);
}

size_t swale__engine_long_header(const struct swale_engine *engine, const char *data, size_t size)
{
    uint64_t length;
    if (swale__engine_has(engine, SWALE__IN_FRAME) || size < SWALE_HEADER_MAX || (data[0] & SWALE__CONTROL))
        return 0;
    int told = swale__frame_length(data, size, &length);
    size_t header = (size_t)told + (engine->config->role == SWALE_SERVER ? 4 : 0);
    return told > 2 && length > size - header ? header : 0;
}

int swale_engine_text(struct swale_engine *engine, const char *data, size_t size, bool last)
{
    bool valid = swale__utf8_feed(&engine->utf8.state, data, size);
    return valid && (!last || engine->utf8.state == SWALE__UTF8_BOUNDARY) ? 0 : SWALE_ERR_UTF8;
}
