/* engine.h - what the engine's sources share.
 *
 *     engine.c      life: open, closing, failing; what is sent
 *     receive.c     the receive machine
 *     deadline.c    when is it due, and tick
 *     frame.c, close.c, mask.c    the formats */
#ifndef SWALE_PROTO_ENGINE_H
#define SWALE_PROTO_ENGINE_H

#include <swale/proto.h>

/* engine->flags */
enum {
    SWALE__DEFLATE = 0x01,     /* permessage-deflate was negotiated */
    SWALE__IN_FRAME = 0x02,    /* a data frame's header is behind us, its payload is not */
    SWALE__FINAL = 0x04,       /* that frame is the last of its message */
    SWALE__PART_GIVEN = 0x08,  /* a PART of the message was given already */
    SWALE__COMPRESSED = 0x10,  /* the message being received is compressed */
    SWALE__PINGED = 0x20,      /* a ping was sent, nothing came since; deadline_ms is that of the answer */
    SWALE__PEER_CLOSED = 0x40, /* the peer's close frame came */
    SWALE__SHORT = 0x80,       /* the limits allow any message in one short frame: see short.h */
};

/* The longest payload whose length stands in the second byte of the header. */
enum { SWALE__SHORT_MAX = 125 };

static inline bool swale__engine_has(const struct swale_engine *engine, int flag)
{
    return (engine->flags & flag) != 0;
}

static inline void swale__engine_set(struct swale_engine *engine, int flag, bool on)
{
    engine->flags = (uint8_t)(on ? engine->flags | flag : engine->flags & ~flag);
}

/* A sign of life. */
static inline void swale__engine_heard(struct swale_engine *engine, uint64_t now_ms)
{
    engine->heard_ms = now_ms;
    swale__engine_set(engine, SWALE__PINGED, false);
}

/* At rest an open engine has nothing under way: no message in either direction, no ping without its answer. All that
 * counts of such an engine are its rules, its flags, heard_ms and active_ms. */
static inline bool swale__engine_rests(const struct swale_engine *engine)
{
    return engine->phase == SWALE_OPEN && engine->opcode == 0 && engine->sending == 0 &&
           !swale__engine_has(engine, SWALE__PINGED);
}

/* An event of the given type with nothing else in it. The reply's bytes are left as they are: they are many, and
 * reply_size tells that there are none. */
static inline void swale__event_begin(struct swale_event *event, enum swale_event_type type)
{
    event->type = type;
    event->kind = SWALE_BINARY;
    event->first = event->last = event->compressed = false;
    event->payload = swale_span(NULL, 0);
    event->frame_left = 0;
    event->error = 0;
    event->close_code = 0;
    event->reply_size = 0;
}

/* The instant `ms` after `start`; UINT64_MAX, never, when ms is 0, which switches a deadline off. */
static inline uint64_t swale__after(uint64_t start, uint64_t ms)
{
    return ms == 0 || ms > UINT64_MAX - start ? UINT64_MAX : start + ms;
}

/* The peer's close frame with this payload came: fills *event as CLOSE, or as FAIL when its payload is bad. */
void swale__engine_peer_closed(struct swale_engine *engine, struct swale_span payload, uint64_t now_ms,
                               struct swale_event *event);

/* As swale_engine_receive, inside the payload of a data frame: what there is of it goes to `out`, which has room for
 * it, on the way of being unmasked. */
size_t swale__engine_receive_to(struct swale_engine *engine, char *data, size_t size, uint64_t now_ms,
                                struct swale_event *event, char *out);

/* How long a header is that begins here, if it is a long data frame's whose payload is not all here; else 0. It may
 * break any rule, for all that is known. */
size_t swale__engine_long_header(const struct swale_engine *engine, const char *data, size_t size);

#endif
