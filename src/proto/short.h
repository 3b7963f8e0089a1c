/* short.h - the short way: a message in one short frame, all of which is here, as most messages of most protocols
 * are.
 *
 * Such a message breaks no rule, so it needs no state of the machine in receive.c, and its reading is inlined where
 * many of them lie in one buffer. Anything else is left untouched for the machine. */
#ifndef SWALE_PROTO_SHORT_H
#define SWALE_PROTO_SHORT_H

#include "base/utf8.h"
#include "proto/engine.h"
#include "proto/frame.h"
#include "proto/mask.h"

struct swale__short {
    enum swale_kind kind;
    struct swale_span payload;
};

/* Between messages of an open connection, whose limits no short message can break. */
static inline bool swale__short_expected(const struct swale_engine *engine)
{
    return engine->phase == SWALE_OPEN && engine->opcode == 0 && swale__engine_has(engine, SWALE__SHORT);
}

/* The payload, unmasked in place. False when it is text that is not valid: then it is masked again. */
static inline bool swale__short_unmask(char *payload, size_t size, const unsigned char *key, enum swale_kind kind)
{
    uint64_t all = SWALE__NOT_ASCII; /* as far as is known */
    if (size < SWALE__MASK_LONG)
        all = swale__mask_short(payload, payload, size, swale__mask_key(key));
    else
        swale_mask(payload, size, key, 0);
    if (kind != SWALE_TEXT || (all & SWALE__NOT_ASCII) == 0 || swale_utf8_valid(payload, size))
        return true;
    swale_mask(payload, size, key, 0);
    return false;
}

static inline bool swale__short_is_valid(const char *payload, size_t size, enum swale_kind kind)
{
    return kind != SWALE_TEXT || (size < SWALE__UTF8_SHORT && swale__utf8_is_ascii(payload, size)) ||
           swale_utf8_valid(payload, size);
}

/* How long the frame is that begins at data[0], of data[0..size), if it is such a message; 0 if not. */
static inline size_t swale__short_read(struct swale_engine *engine, char *data, size_t size, uint64_t now_ms,
                                       struct swale__short *message)
{
    bool server = engine->config->role == SWALE_SERVER;
    size_t header = server ? 6 : 2;
    if (size < header || !swale__short_expected(engine))
        return 0;
    /* With FIN and no reserved bit, nothing is left but the opcode; with the right mask bit, nothing but the length.
     */
    unsigned kind = (unsigned char)data[0] ^ SWALE__FIN;
    size_t length = (unsigned char)data[1] ^ (server ? (size_t)SWALE__MASK : 0);
    if (kind - SWALE_TEXT > SWALE_BINARY - SWALE_TEXT || length > SWALE__SHORT_MAX || length > size - header)
        return 0;
    message->kind = (enum swale_kind)kind;
    message->payload = swale_span(data + header, length);
    if (server ? !swale__short_unmask(data + header, length, (const unsigned char *)data + 2, message->kind)
               : !swale__short_is_valid(data + header, length, message->kind))
        return 0;
    swale__engine_heard(engine, now_ms);
    engine->active_ms = now_ms;
    return header + length;
}

/* ---- Writing ---------------------------------------------------------------------------------------- */

/* May a message be sent now, whatever it is, as long as it is not compressed? */
static inline bool swale__short_sendable(const struct swale_engine *engine)
{
    return engine->phase == SWALE_OPEN && engine->sending == 0;
}

/* How long its frame is: `size` is at most SWALE__SHORT_MAX. */
static inline size_t swale__short_size(const struct swale_engine *engine, size_t size)
{
    return size + (engine->config->role == SWALE_CLIENT ? 6 : 2);
}

/* Writes the whole frame. */
static inline void swale__short_write(struct swale_engine *engine, enum swale_kind kind, const char *data,
                                      size_t size, uint64_t now_ms, char *out)
{
    const struct swale_engine_config *config = engine->config;
    bool masked = config->role == SWALE_CLIENT;
    engine->active_ms = now_ms;
    out[0] = (char)(SWALE__FIN | (int)kind);
    out[1] = (char)((masked ? SWALE__MASK : 0) | (int)size);
    if (masked) {
        unsigned char *key = (unsigned char *)out + 2;
        config->random(config->random_context, key, 4);
        if (size < SWALE__MASK_LONG)
            swale__mask_short(out + 6, data, size, swale__mask_key(key));
        else
            swale_mask_copy(out + 6, data, size, key, 0);
    } else if (size > 0) {
        memcpy(out + 2, data, size);
    }
}

#endif
