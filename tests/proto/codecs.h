/* codecs.h - running the codecs over whole messages, in pieces of any size. */
#ifndef SWALE_TEST_CODECS_H
#define SWALE_TEST_CODECS_H

#include "guard.h"

#include <stdlib.h>
#include <swale/proto.h>

/* A growing result. Free `data`. */
struct codecs_bytes {
    char *data;
    size_t size;
};

typedef ptrdiff_t codecs_step(void *codec, struct swale_span *in, bool last, char *out, size_t capacity);

static inline ptrdiff_t codecs_inflate_step(void *codec, struct swale_span *in, bool last, char *out, size_t capacity)
{
    return swale_inflater_step(codec, in, last, out, capacity);
}

static inline ptrdiff_t codecs_deflate_step(void *codec, struct swale_span *in, bool last, char *out, size_t capacity)
{
    return swale_deflater_step(codec, in, last, out, capacity);
}

/* One message through a codec: `piece` bytes of input at a time, into buffers of `capacity` bytes that end at a
 * guard page. 0 or the codec's error. */
static inline int codecs_run(codecs_step *step, void *codec, struct swale_span message, size_t piece, size_t capacity,
                             struct codecs_bytes *result)
{
    char *zeros = calloc(1, capacity);
    char *out = guard_copy(zeros, capacity);
    free(zeros);
    *result = (struct codecs_bytes){ malloc(1), 0 };
    ptrdiff_t made = 0;
    size_t room = 1;
    do {
        size_t size = message.size < piece ? message.size : piece;
        struct swale_span in = swale_span(message.data, size);
        bool last = size == message.size;
        do {
            made = step(codec, &in, last, out, capacity);
            if (made > 0) {
                if (result->size + (size_t)made > room) {
                    room = 2 * (result->size + (size_t)made);
                    result->data = realloc(result->data, room);
                }
                memcpy(result->data + result->size, out, (size_t)made);
                result->size += (size_t)made;
            }
        } while (made >= 0 && (in.size > 0 || (size_t)made == capacity));
        message = swale_span(message.data + size, message.size - size);
    } while (made >= 0 && message.size > 0);
    guard_free(out, capacity);
    return made < 0 ? (int)made : 0;
}

/* Deterministic noise. */
static inline uint32_t codecs_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

enum codecs_texture { CODECS_ZEROS, CODECS_TEXT, CODECS_NOISE };

static inline char *codecs_make(enum codecs_texture texture, size_t size, uint32_t seed)
{
    static const char words[] =
        "{\"user\":\"alice\",\"text\":\"hello there\",\"time\":1234567890,\"room\":\"lobby\"}";
    char *data = calloc(1, size + 1);
    uint32_t state = seed + 1;
    for (size_t i = 0; i < size && texture != CODECS_ZEROS; i++) {
        uint32_t noise = codecs_random(&state);
        data[i] = texture == CODECS_NOISE || noise % 16 == 0 ? (char)noise : words[i % (sizeof words - 1)];
    }
    return data;
}

#endif
