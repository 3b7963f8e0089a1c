/* inflater.c - the receiving half of permessage-deflate (RFC 7692 section 7.2.2).
 *
 *     payload payload payload | 00 00 ff ff
 *       what the peer sent    | the tail that it took off, put back at the end of each message
 *
 * Two engines do the work. zlib inflates in steps, of any size in and out, and keeps a window where a context is
 * kept. libdeflate, several times as fast, inflates a message that lies in one piece and fits; whatever it does
 * not like is given to zlib, which has the last word on what is valid.
 *
 * More is borne than the RFC's algorithm would bear, because peers do it: a message that ends with its last
 * BFINAL block, without the octet 00 that section 7.2.3.4 asks for, and an empty payload for an empty message.
 * Less is borne too: a message that is cut off inside a block is an error here, not a shorter message.
 *
 * One difference between the engines is known. When a message is cut off inside a stored block, libdeflate may
 * take the tail and the final block behind it for the bytes that are missing. No sender makes such a message,
 * and the outcome is bounded like any other. */
#include "base/memory.h"
#include "proto/codec.h"

#include <errno.h>
#include <libdeflate.h>
#include <swale/proto.h>

/* libdeflate wants the tail and a final block behind the payload, so the payload is copied into a scratch buffer,
 * which grows to this size and no further: larger messages go in steps. */
enum { SCRATCH_MAX = 64 * 1024, SCRATCH_MIN = 1024 };

/* The tail, then an empty final block. */
static const char ending[] = { 0x00, 0x00, (char)0xff, (char)0xff, 0x01, 0x00, 0x00, (char)0xff, (char)0xff };

struct swale_inflater {
    z_stream stream;
    const struct swale_allocator *allocator;
    struct libdeflate_decompressor *whole; /* NULL where a context is kept */
    char *scratch;
    size_t scratch_size;
    bool context_takeover;
    /* Of the message under way: */
    bool started;     /* it has payload */
    bool ended;       /* the payload so far ends with a final block */
    bool complete;    /* the tail ended at the end of a block */
    uint8_t tail_fed; /* bytes of the tail that zlib has taken */
};

int swale_inflater_new(struct swale_inflater **inflater, const struct swale_allocator *allocator, int window_bits,
                       bool context_takeover)
{
    if (window_bits < 8 || window_bits > 15)
        return SWALE_ERR_INVALID;
    struct swale_inflater *made = swale__alloc_zeroed(allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->allocator = allocator;
    made->context_takeover = context_takeover;
    swale__stream_prepare(&made->stream, allocator);
    /* Old zlibs, when told 8, compress with a window of 9 bits and say nothing. */
    if (inflateInit2(&made->stream, window_bits == 8 ? -9 : -window_bits) != Z_OK) {
        swale__free(allocator, made, sizeof *made);
        return -ENOMEM;
    }
    /* libdeflate 1.14 takes its memory from malloc: it has no allocator for one object, only one for the whole
     * process, which is not ours to set. It allocates here and never again. */
    if (!context_takeover)
        made->whole = libdeflate_alloc_decompressor();
    if (!context_takeover && !made->whole) {
        swale_inflater_free(made);
        return -ENOMEM;
    }
    *inflater = made;
    return 0;
}

void swale_inflater_free(struct swale_inflater *inflater)
{
    if (!inflater)
        return;
    inflateEnd(&inflater->stream);
    libdeflate_free_decompressor(inflater->whole);
    swale__free(inflater->allocator, inflater->scratch, inflater->scratch_size);
    swale__free(inflater->allocator, inflater, sizeof *inflater);
}

static void forget_message(struct swale_inflater *inflater)
{
    inflater->started = false;
    inflater->ended = false;
    inflater->complete = false;
    inflater->tail_fed = 0;
}

void swale_inflater_reset(struct swale_inflater *inflater)
{
    inflateReset(&inflater->stream);
    forget_message(inflater);
}

static int run(struct swale_inflater *inflater, int flush, struct swale_span *in, struct swale__output *out)
{
    return swale__stream_run(&inflater->stream, inflate, flush, in, out);
}

/* Z_BUF_ERROR says only that there was nothing to do, for want of input or of room. */
static int failure(int result)
{
    if (result == Z_OK || result == Z_BUF_ERROR)
        return 0;
    return result == Z_MEM_ERROR ? -ENOMEM : SWALE_ERR_DEFLATE_DATA;
}

/* Inflates until the payload is used up and all that it gives is written, or until there is no room left. */
static int inflate_payload(struct swale_inflater *inflater, struct swale_span *in, struct swale__output *out)
{
    do {
        size_t before = in->size;
        int result = run(inflater, Z_SYNC_FLUSH, in, out);
        if (in->size < before)
            inflater->ended = false;
        if (result == Z_STREAM_END) {
            /* Another stream may follow, and may look back into this one. inflateReset would drop the window;
             * saving and restoring it through inflateGetDictionary would let a peer have 64 KiB copied for every
             * two bytes that it sends. inflateResetKeep is in zlib.h, if not in the manual. */
            inflateResetKeep(&inflater->stream);
            inflater->ended = true;
        } else if (failure(result)) {
            return failure(result);
        }
    } while (in->size > 0 && out->size < out->capacity);
    return 0;
}

/* zlib just returned at the end of a block that is not the final one, and no bit is left over. */
static bool between_blocks(const z_stream *stream)
{
    return (stream->data_type & 128) && !(stream->data_type & 64) && !(stream->data_type & 63);
}

/* Feeds the tail, after which the message must be at the end of a block. */
static int inflate_tail(struct swale_inflater *inflater, struct swale__output *out)
{
    while (!inflater->complete && out->size < out->capacity) {
        struct swale_span tail = swale_span(swale__tail + inflater->tail_fed, SWALE__TAIL_SIZE - inflater->tail_fed);
        bool fed = tail.size == 0;
        /* Z_BLOCK makes zlib stop at the end of each block, and so lets it be seen. */
        int result = run(inflater, Z_BLOCK, &tail, out);
        inflater->tail_fed = (uint8_t)(SWALE__TAIL_SIZE - tail.size);
        if (failure(result))
            return failure(result);
        inflater->complete = tail.size == 0 && between_blocks(&inflater->stream);
        if (fed && !inflater->complete && out->size < out->capacity)
            return SWALE_ERR_DEFLATE_DATA;
    }
    return 0;
}

/* The payload is used up, and there is room: ends the message, unless its tail has more to give than fits. */
static int finish(struct swale_inflater *inflater, struct swale__output *out)
{
    if (inflater->started && !inflater->ended) {
        int error = inflate_tail(inflater, out);
        if (error || out->size == out->capacity)
            return error;
    }
    forget_message(inflater);
    if (!inflater->context_takeover)
        inflateReset(&inflater->stream);
    return 0;
}

ptrdiff_t swale_inflater_step(struct swale_inflater *inflater, struct swale_span *in, bool last, char *out,
                              size_t capacity)
{
    struct swale__output output = { .data = out, .capacity = capacity };
    int error = 0;
    if (capacity == 0)
        return 0;
    inflater->started = inflater->started || in->size > 0;
    if (inflater->tail_fed == 0)
        error = inflate_payload(inflater, in, &output);
    if (!error && last && in->size == 0 && output.size < capacity)
        error = finish(inflater, &output);
    return error ? error : (ptrdiff_t)output.size;
}

/* ---- Whole messages ---- */

static int reserve(struct swale_inflater *inflater, size_t size)
{
    size_t wanted = inflater->scratch_size ? inflater->scratch_size : SCRATCH_MIN;
    while (wanted < size)
        wanted *= 2;
    if (wanted == inflater->scratch_size)
        return 0;
    char *scratch = swale__resize(inflater->allocator, inflater->scratch, inflater->scratch_size, wanted);
    if (!scratch)
        return -ENOMEM;
    inflater->scratch = scratch;
    inflater->scratch_size = wanted;
    return 0;
}

static ptrdiff_t whole_in_steps(struct swale_inflater *inflater, struct swale_span in, char *out, size_t capacity)
{
    char beyond;
    ptrdiff_t size = swale_inflater_step(inflater, &in, true, out, capacity);
    if (size < 0 || (size_t)size < capacity)
        return size;
    /* Full: it fits only if there is nothing more. */
    ptrdiff_t more = swale_inflater_step(inflater, &in, true, &beyond, 1);
    if (more <= 0)
        return more < 0 ? more : size;
    swale_inflater_reset(inflater);
    return SWALE_ERR_TOO_SMALL;
}

ptrdiff_t swale_inflater_whole(struct swale_inflater *inflater, struct swale_span in, char *out, size_t capacity)
{
    if (inflater->context_takeover || inflater->started)
        return SWALE_ERR_STATE;
    if (in.size == 0)
        return 0;
    if (in.size > SCRATCH_MAX - sizeof ending)
        return SWALE_ERR_TOO_SMALL;
    size_t size = in.size + sizeof ending;
    if (reserve(inflater, size) != 0)
        return -ENOMEM;
    memcpy(inflater->scratch, in.data, in.size);
    memcpy(inflater->scratch + in.size, ending, sizeof ending);

    size_t used;
    size_t made;
    enum libdeflate_result result =
        libdeflate_deflate_decompress_ex(inflater->whole, inflater->scratch, size, out, capacity, &used, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        return SWALE_ERR_TOO_SMALL;
    /* It stops at the first final block: ours, or the peer's when that ends the payload. */
    if (result == LIBDEFLATE_SUCCESS && (used == size || used == in.size))
        return (ptrdiff_t)made;
    return whole_in_steps(inflater, in, out, capacity);
}
