/* engine.c - the life of an engine, and what it sends.
 *
 *     HANDSHAKING --open--> OPEN --close--> CLOSING --peer's close--> CLOSED
 *                            |                 |                        ^
 *                            +-- peer's close, a fault, a deadline -----+
 *
 * A close frame is sent at most once: when OPEN is left. */
#include "proto/engine.h"

#include "proto/close.h"
#include "proto/frame.h"

#include <assert.h>

void swale_engine_init(struct swale_engine *engine, const struct swale_engine_config *config, uint64_t now_ms)
{
    *engine = (struct swale_engine){
        .config = config,
        .phase = SWALE_HANDSHAKING,
        .heard_ms = now_ms,
        .active_ms = now_ms,
        .deadline_ms = swale__after(now_ms, config->handshake_ms),
    };
}

void swale_engine_open(struct swale_engine *engine, bool deflate, uint64_t now_ms)
{
    assert(engine->phase == SWALE_HANDSHAKING);
    const struct swale_engine_config *config = engine->config;
    engine->phase = SWALE_OPEN;
    engine->flags = 0;
    swale__engine_set(engine, SWALE__DEFLATE, deflate);
    swale__engine_set(engine, SWALE__SHORT, config->max_message >= SWALE__SHORT_MAX && config->max_fragments > 0);
    engine->heard_ms = now_ms;
    engine->active_ms = now_ms;
    engine->deadline_ms = UINT64_MAX;
}

/* ---- Closing ---------------------------------------------------------------------------------------- */

/* Leaves OPEN: the closing must be over within close_wait_ms. */
static void begin_close_wait(struct swale_engine *engine, enum swale_phase phase, uint64_t now_ms)
{
    engine->phase = (uint8_t)phase;
    engine->deadline_ms = swale__after(now_ms, engine->config->close_wait_ms);
}

int swale_engine_close(struct swale_engine *engine, int code, struct swale_span reason, uint64_t now_ms,
                       char frame[SWALE_CONTROL_MAX])
{
    char payload[2 + SWALE_REASON_MAX];
    if (engine->phase == SWALE_HANDSHAKING)
        return SWALE_ERR_STATE;
    if (engine->phase != SWALE_OPEN)
        return SWALE_ERR_CLOSED;
    int size = swale__close_write(code, reason, payload);
    if (size < 0)
        return size;
    begin_close_wait(engine, SWALE_CLOSING, now_ms);
    return swale__frame_control(engine, SWALE__CLOSE, swale_span(payload, (size_t)size), frame);
}

/* RFC 6455 section 7.1.7: a close frame if none was sent yet, then nothing more is read. Its reason is the short
 * name of the error, for whoever looks at it at the other end. */
void swale_engine_fail(struct swale_engine *engine, int error, uint64_t now_ms, struct swale_event *event)
{
    swale__event_begin(event, SWALE_EVENT_FAIL);
    event->error = error;
    event->close_code = (uint16_t)swale_error_close_code(error);
    if (engine->phase == SWALE_OPEN && event->close_code != 0) {
        char payload[2 + SWALE_REASON_MAX];
        int size = swale__close_write(event->close_code, swale_text(swale_error_name(error)), payload);
        struct swale_span span = swale_span(payload, (size_t)size);
        event->reply_size = (uint8_t)swale__frame_control(engine, SWALE__CLOSE, span, event->reply);
    }
    if (engine->phase == SWALE_CLOSING || engine->phase == SWALE_CLOSED)
        engine->phase = SWALE_CLOSED; /* the close wait goes on as it began */
    else
        begin_close_wait(engine, SWALE_CLOSED, now_ms);
}

void swale__engine_peer_closed(struct swale_engine *engine, struct swale_span payload, uint64_t now_ms,
                               struct swale_event *event)
{
    int code;
    struct swale_span reason;
    int error = swale__close_read(payload, &code, &reason);
    if (error < 0) {
        swale_engine_fail(engine, error, now_ms, event);
        return;
    }
    swale__event_begin(event, SWALE_EVENT_CLOSE);
    event->error = SWALE_ERR_PEER_CLOSED;
    event->close_code = (uint16_t)code;
    event->payload = reason;
    swale__engine_set(engine, SWALE__PEER_CLOSED, true);
    if (engine->phase == SWALE_OPEN) { /* RFC 6455 section 5.5.1: the answer echoes the code */
        struct swale_span echo = swale_span(payload.data, payload.size < 2 ? 0 : 2);
        event->reply_size = (uint8_t)swale__frame_control(engine, SWALE__CLOSE, echo, event->reply);
        begin_close_wait(engine, SWALE_CLOSED, now_ms);
    }
    engine->phase = SWALE_CLOSED;
}

int swale_engine_end(struct swale_engine *engine)
{
    engine->phase = SWALE_CLOSED;
    engine->deadline_ms = UINT64_MAX;
    return swale__engine_has(engine, SWALE__PEER_CLOSED) ? SWALE_ERR_PEER_CLOSED : SWALE_ERR_PEER_GONE;
}

/* ---- Sending ---------------------------------------------------------------------------------------- */

/* 0 when frames may be sent. */
static int check_open(const struct swale_engine *engine)
{
    if (engine->phase == SWALE_OPEN)
        return 0;
    return engine->phase == SWALE_HANDSHAKING ? SWALE_ERR_STATE : SWALE_ERR_CLOSED;
}

static int check_send(const struct swale_engine *engine, enum swale_kind kind, bool compressed, uint64_t size)
{
    if ((kind != SWALE_TEXT && kind != SWALE_BINARY) || size > SWALE__LENGTH_MAX)
        return SWALE_ERR_INVALID;
    if (engine->sending != 0 && engine->sending != kind)
        return SWALE_ERR_STATE;
    if (compressed && !swale__engine_has(engine, SWALE__DEFLATE))
        return SWALE_ERR_STATE;
    return check_open(engine);
}

int swale_engine_send(struct swale_engine *engine, enum swale_kind kind, bool compressed, bool last, uint64_t size,
                      uint64_t now_ms, char header[SWALE_HEADER_MAX], unsigned char mask[4])
{
    int error = check_send(engine, kind, compressed, size);
    if (error < 0)
        return error;
    int byte0 = last ? SWALE__FIN : 0;
    if (engine->sending == 0) /* RFC 7692 section 6: RSV1 stands on the first frame only */
        byte0 |= (int)kind | (compressed ? SWALE__RSV1 : 0);
    engine->sending = last ? 0 : (uint8_t)kind;
    engine->active_ms = now_ms;
    const struct swale_engine_config *config = engine->config;
    if (config->role == SWALE_SERVER)
        return swale__frame_put(header, byte0, 0, size);
    int length = swale__frame_put(header, byte0, SWALE__MASK, size);
    config->random(config->random_context, mask, 4);
    memcpy(header + length, mask, 4);
    return length + 4;
}

int swale_engine_sent_whole(struct swale_engine *engine, uint64_t now_ms)
{
    int error = check_open(engine);
    if (error < 0)
        return error;
    if (engine->sending != 0 || engine->config->role == SWALE_CLIENT)
        return SWALE_ERR_STATE;
    engine->active_ms = now_ms;
    return 0;
}

int swale_engine_ping(struct swale_engine *engine, struct swale_span payload, char frame[SWALE_CONTROL_MAX])
{
    int error = check_open(engine);
    if (error < 0)
        return error;
    if (payload.size > SWALE__CONTROL_PAYLOAD)
        return SWALE_ERR_INVALID;
    return swale__frame_control(engine, SWALE__PING, payload, frame);
}
