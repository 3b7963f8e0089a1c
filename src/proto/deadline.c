/* deadline.c - what happens when nothing happens.
 *
 *     HANDSHAKING       until the handshake's deadline
 *     OPEN              silence -> ping -> more silence -> gone; and, apart from that, no message -> idle
 *     CLOSING, CLOSED   until the close wait's deadline
 *
 * The peer is called gone only when a ping was sent and gone_after_ms have passed since: a process that slept, or a
 * clock that jumped, costs a ping and not the connections.
 *
 * RFC 6455 section 5.4 lets control frames stand between the fragments of a message, but some peers fail on it. So a
 * ping waits for the end of a message that is being sent in fragments; not for ever, since a peer that is gone would
 * then never be noticed: after ping_after_ms more it is sent all the same. */
#include "proto/engine.h"
#include "proto/frame.h"

void swale_engine_alive(struct swale_engine *engine, uint64_t now_ms)
{
    swale__engine_heard(engine, now_ms);
}

void swale_engine_wait_on(struct swale_engine *engine, uint64_t now_ms)
{
    if (engine->phase == SWALE_CLOSING)
        engine->deadline_ms = swale__after(now_ms, engine->config->close_wait_ms);
}

/* When the next ping, or the answer to the last one, is due. */
static uint64_t heartbeat_due(const struct swale_engine *engine)
{
    if (swale__engine_has(engine, SWALE__PINGED))
        return engine->deadline_ms;
    uint64_t silence = engine->config->ping_after_ms;
    return swale__after(engine->heard_ms, engine->sending != 0 ? 2 * silence : silence);
}

static uint64_t idle_due(const struct swale_engine *engine)
{
    return swale__after(engine->active_ms, engine->config->idle_ms);
}

uint64_t swale_engine_due(const struct swale_engine *engine)
{
    if (engine->phase != SWALE_OPEN)
        return engine->deadline_ms;
    uint64_t heartbeat = heartbeat_due(engine), idle = idle_due(engine);
    return heartbeat < idle ? heartbeat : idle;
}

/* Nothing asks for an answer when gone_after_ms is 0: then the pings only keep the path open. */
static void send_ping(struct swale_engine *engine, uint64_t now_ms, struct swale_event *event)
{
    const struct swale_engine_config *config = engine->config;
    int size = swale__frame_control(engine, SWALE__PING, swale_span(NULL, 0), event->reply);
    event->reply_size = (uint8_t)size;
    uint32_t wait = config->gone_after_ms > 0 ? config->gone_after_ms : config->ping_after_ms;
    engine->deadline_ms = swale__after(now_ms, wait);
    swale__engine_set(engine, SWALE__PINGED, true);
}

static void tick_open(struct swale_engine *engine, uint64_t now_ms, struct swale_event *event)
{
    bool asked = swale__engine_has(engine, SWALE__PINGED) && engine->config->gone_after_ms > 0;
    bool heartbeat = now_ms >= heartbeat_due(engine);
    if (heartbeat && asked)
        swale_engine_fail(engine, SWALE_ERR_HEARTBEAT, now_ms, event);
    else if (now_ms >= idle_due(engine))
        swale_engine_fail(engine, SWALE_ERR_IDLE, now_ms, event);
    else /* one of the two is due, or tick would not be here */
        send_ping(engine, now_ms, event);
}

void swale_engine_tick(struct swale_engine *engine, uint64_t now_ms, struct swale_event *event)
{
    swale__event_begin(event, SWALE_EVENT_NONE);
    uint64_t due = swale_engine_due(engine);
    if (now_ms < due || due == UINT64_MAX)
        return;
    if (engine->phase == SWALE_OPEN) {
        tick_open(engine, now_ms, event);
    } else if (engine->phase == SWALE_HANDSHAKING) {
        swale_engine_fail(engine, SWALE_ERR_HANDSHAKE_TIMEOUT, now_ms, event);
    } else {
        swale_engine_fail(engine, SWALE_ERR_CLOSE_TIMEOUT, now_ms, event);
        engine->deadline_ms = UINT64_MAX; /* it is said once */
    }
}
