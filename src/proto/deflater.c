/* deflater.c - the sending half of permessage-deflate (RFC 7692 section 7.2.1).
 *
 *     deflate ... Z_SYNC_FLUSH -> compressed bytes | 00 00 ff ff
 *                                  what is sent    | taken off
 *
 * Steps are zlib's work, with all the memory that the window asks for. Whole messages without context, of which none
 * can look back into another, have better:
 *
 *     up to 2 KiB    zlib with a window of that size, whose tables are emptied in no time: it saves 0.7 µs of a
 *                    message of 1 KiB, which is half of what the higher level costs
 *     above          libdeflate, one to three times as fast as zlib, in pieces of at most one window
 *
 * libdeflate can only end a stream with a BFINAL block; RFC 7692 section 7.2.3.4 allows that in a message, but
 * receivers in the field do not bear it: the ws module lost such messages on Node 12 and later (its issue 1669),
 * Boost.Beast and Cap'n Proto fail, and Bun's client delivered every later message as an empty one. A sync flush is
 * what all of them were tested with, and so reopen.c makes one of the final block. The rare piece that it cannot do
 * this for goes in steps. */
#include "base/memory.h"
#include "proto/codec.h"
#include "proto/reopen.h"

#include <errno.h>
#include <libdeflate.h>
#include <swale/proto.h>

/* Output goes through a small buffer, for two reasons. The last four bytes of the flush must be taken off, and
 * which bytes those are is known only when it is complete. And zlib must have more than six bytes of room
 * whenever it flushes, or it repeats the flush for ever (zlib.h, deflate). A flush that happens to fill the
 * buffer is repeated once: five bytes of nothing more. */
enum { BUFFER_SIZE = 1024 };

/* Messages are short and wanted at once. Measured on JSON. Steps, of 1 to 64 KiB: level 2 is as fast as level 1,
 * level 6 takes 1.4 to 3.5 times as long and saves 6 to 14 % of the result. Small messages, of 1 KiB: level 5
 * takes 1.25 times as long as level 2, saves 5 to 8 %, and is as small as level 6. libdeflate, of 4 to 64 KiB: level
 * 1 takes 0.3 to 0.7 of the time of zlib's level 2, and the result is 2 to 3 % smaller; level 5 takes three times as
 * long and saves 4 to 10 %. For small messages libdeflate's level 5 takes 0.9 of the time of zlib's when measured by
 * itself, and is 1 % smaller; but in a server an echo then takes 1.07 times the CPU, because 192 KiB of tables are
 * emptied for each. */
enum { STEPS_LEVEL = 2, SMALL_LEVEL = 5 };

/* Where a context is kept there is more to be found. Of JSON, prose and C of 1 KiB, level 4 takes 1.1 to 1.4 times as
 * long as level 2, and saves 5 to 10 %. */
enum { CONTEXT_LEVEL = 4 };

/* libdeflate's other levels are not used: they cut a window's worth into several blocks, which reopen.c cannot do. */
enum { LARGE_LEVEL = 1 };

/* A message that is small, and what it becomes at most. */
enum { SMALL_BITS = 11, SMALL_MAX = 1 << SMALL_BITS, SMALL_BOUND = SMALL_MAX + SMALL_MAX / 4 };

struct swale_deflater {
    z_stream stream;
    z_stream small;                      /* not begun where a context is kept, or the window is smaller */
    struct libdeflate_compressor *large; /* may be NULL */
    const struct swale_allocator *allocator;
    int window_bits;
    bool context_takeover;
    /* Of the message under way: */
    bool started; /* it has payload */
    bool flushed; /* the buffer holds its end, without the tail */
    size_t begin; /* bytes begin..end of the buffer were not given yet */
    size_t end;
    char buffer[BUFFER_SIZE];
};

/* zlib takes 2^(bits + 2) bytes for the window and 2^(memory + 9) for the rest: both shrink together, from 256 KiB at
 * 15 bits to 4 KiB at 9. */
static int begin_stream(z_stream *stream, const struct swale_allocator *allocator, int window_bits, int level)
{
    swale__stream_prepare(stream, allocator);
    int outcome = deflateInit2(stream, level, Z_DEFLATED, -window_bits, window_bits - 7, Z_DEFAULT_STRATEGY);
    return outcome == Z_OK ? 0 : -ENOMEM;
}

/* What whole messages have, as far as it is of use: see is_small and is_large. libdeflate 1.14 takes its memory from
 * malloc: see inflater.c. */
static int begin_whole(struct swale_deflater *deflater, int level)
{
    if (deflater->window_bits < SMALL_BITS)
        return 0;
    int error = begin_stream(&deflater->small, deflater->allocator, SMALL_BITS, level ? level : SMALL_LEVEL);
    if (error || level > LARGE_LEVEL || deflater->window_bits == SMALL_BITS)
        return error;
    deflater->large = libdeflate_alloc_compressor(LARGE_LEVEL);
    return deflater->large ? 0 : -ENOMEM;
}

int swale_deflater_new(struct swale_deflater **deflater, const struct swale_allocator *allocator, int window_bits,
                       bool context_takeover, int level)
{
    if (window_bits < 9 || window_bits > 15 || level < 0 || level > 9)
        return SWALE_ERR_INVALID;
    struct swale_deflater *made = swale__alloc_zeroed(allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->allocator = allocator;
    made->window_bits = window_bits;
    made->context_takeover = context_takeover;
    int usual = context_takeover ? CONTEXT_LEVEL : STEPS_LEVEL;
    int error = begin_stream(&made->stream, allocator, window_bits, level ? level : usual);
    if (!error && !context_takeover)
        error = begin_whole(made, level);
    if (error) {
        swale_deflater_free(made);
        return error;
    }
    *deflater = made;
    return 0;
}

void swale_deflater_free(struct swale_deflater *deflater)
{
    if (!deflater)
        return;
    deflateEnd(&deflater->stream); /* which tells a stream that was not begun */
    deflateEnd(&deflater->small);
    libdeflate_free_compressor(deflater->large);
    swale__free(deflater->allocator, deflater, sizeof *deflater);
}

static void forget_message(struct swale_deflater *deflater)
{
    deflater->started = false;
    deflater->flushed = false;
    deflater->begin = 0;
    deflater->end = 0;
}

void swale_deflater_reset(struct swale_deflater *deflater)
{
    deflateReset(&deflater->stream);
    forget_message(deflater);
}

/* A sync flush, or none while there is more input than zlib can count. */
static int run(struct swale_deflater *deflater, bool last, struct swale_span *in, struct swale__output *out)
{
    int flush = last && in->size <= UINT32_MAX ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    int result = swale__stream_run(&deflater->stream, deflate, flush, in, out);
    return result == Z_OK || result == Z_BUF_ERROR ? 0 : SWALE_ERR_INTERNAL;
}

/* Moves what may be given out of the buffer: all but the last four bytes, which may turn out to be the tail. */
static size_t give(struct swale_deflater *deflater, char *out, size_t capacity)
{
    size_t held = deflater->flushed ? 0 : SWALE__TAIL_SIZE;
    size_t size = deflater->end - deflater->begin;
    size = size > held ? size - held : 0;
    size = size < capacity ? size : capacity;
    if (size > 0)
        memcpy(out, deflater->buffer + deflater->begin, size);
    deflater->begin += size;
    return size;
}

static int refill(struct swale_deflater *deflater, bool last, struct swale_span *in)
{
    deflater->started = deflater->started || in->size > 0;
    /* zlib has nothing to flush when nothing came, and answers Z_BUF_ERROR. An empty message is one empty stored
     * block, which does not touch the window (RFC 7692 section 7.2.3.6). */
    if (!deflater->started) {
        deflater->buffer[0] = 0x00;
        deflater->end = 1;
        deflater->flushed = true;
        return 0;
    }
    size_t left = deflater->end - deflater->begin;
    memmove(deflater->buffer, deflater->buffer + deflater->begin, left);
    struct swale__output output = { .data = deflater->buffer, .capacity = BUFFER_SIZE, .size = left };
    int error = run(deflater, last, in, &output);
    deflater->begin = 0;
    deflater->end = output.size;
    /* Room left over means that the flush is complete. */
    deflater->flushed = last && in->size == 0 && output.size < BUFFER_SIZE;
    deflater->end -= deflater->flushed ? SWALE__TAIL_SIZE : 0;
    return error;
}

static void finish(struct swale_deflater *deflater)
{
    forget_message(deflater);
    if (!deflater->context_takeover)
        deflateReset(&deflater->stream);
}

ptrdiff_t swale_deflater_step(struct swale_deflater *deflater, struct swale_span *in, bool last, char *out,
                              size_t capacity)
{
    size_t written = give(deflater, out, capacity);
    while (written < capacity && !deflater->flushed && (last || in->size > 0)) {
        int error = refill(deflater, last, in);
        if (error)
            return error;
        written += give(deflater, out + written, capacity - written);
    }
    if (written < capacity && deflater->flushed)
        finish(deflater);
    return (ptrdiff_t)written;
}

/* ---- Whole messages --------------------------------------------------------------------------------- */

static ptrdiff_t whole_small(struct swale_deflater *deflater, struct swale_span in, char *out, size_t capacity)
{
    char made[SMALL_BOUND];
    struct swale__output output = { .data = made, .capacity = sizeof made };
    int result = swale__stream_run(&deflater->small, deflate, Z_SYNC_FLUSH, &in, &output);
    deflateReset(&deflater->small);
    if (result != Z_OK || output.size == sizeof made)
        return SWALE_ERR_INTERNAL;
    size_t size = output.size - SWALE__TAIL_SIZE;
    if (size > capacity)
        return SWALE_ERR_TOO_SMALL;
    memcpy(out, made, size);
    return (ptrdiff_t)size;
}

/* One piece into `out`. Its size, SWALE_ERR_TOO_SMALL, or 0 for a piece that cannot be reopened. libdeflate leaves
 * some bytes of the room unused. */
static ptrdiff_t pack_piece(struct swale_deflater *deflater, struct swale_span piece, bool last, char *out,
                            size_t room)
{
    size_t made = libdeflate_deflate_compress(deflater->large, piece.data, piece.size, out, room);
    if (made == 0)
        return SWALE_ERR_TOO_SMALL;
    made = swale__deflate_reopen(out, made, room);
    if (made == 0 || last)
        return (ptrdiff_t)made;
    if (room - made < SWALE__TAIL_SIZE)
        return SWALE_ERR_TOO_SMALL;
    memcpy(out + made, swale__tail, SWALE__TAIL_SIZE);
    return (ptrdiff_t)(made + SWALE__TAIL_SIZE);
}

/* As above, of all pieces. They are of one size, as a last one of some bytes would have fixed codes. */
static ptrdiff_t whole_large(struct swale_deflater *deflater, struct swale_span in, char *out, size_t capacity)
{
    size_t pieces = ((in.size - 1) >> deflater->window_bits) + 1;
    size_t most = (in.size - 1) / pieces + 1;
    size_t size = 0;
    while (in.size > 0) {
        struct swale_span piece = swale_span(in.data, in.size < most ? in.size : most);
        in = swale_span(in.data + piece.size, in.size - piece.size);
        ptrdiff_t made = pack_piece(deflater, piece, in.size == 0, out + size, capacity - size);
        if (made <= 0)
            return made;
        size += (size_t)made;
    }
    return (ptrdiff_t)size;
}

static ptrdiff_t whole_in_steps(struct swale_deflater *deflater, struct swale_span in, char *out, size_t capacity)
{
    char beyond;
    ptrdiff_t size = swale_deflater_step(deflater, &in, true, out, capacity);
    if (size < 0 || (size_t)size < capacity)
        return size;
    /* Full: it fits only if there is nothing more. */
    ptrdiff_t more = swale_deflater_step(deflater, &in, true, &beyond, 1);
    if (more <= 0)
        return more < 0 ? more : size;
    swale_deflater_reset(deflater);
    return SWALE_ERR_TOO_SMALL;
}

static bool is_small(const struct swale_deflater *deflater, size_t size)
{
    return size > 0 && size <= SMALL_MAX && deflater->window_bits >= SMALL_BITS;
}

/* A window that is smaller than the message is better used by zlib, unless it is the largest there is. */
static bool is_large(const struct swale_deflater *deflater, size_t size)
{
    bool fits = deflater->window_bits == 15 || size <= (size_t)1 << deflater->window_bits;
    return deflater->large && size > SMALL_MAX && fits;
}

ptrdiff_t swale_deflater_whole(struct swale_deflater *deflater, struct swale_span in, char *out, size_t capacity)
{
    if (deflater->context_takeover || deflater->started)
        return SWALE_ERR_STATE;
    if (is_small(deflater, in.size))
        return whole_small(deflater, in, out, capacity);
    ptrdiff_t size = is_large(deflater, in.size) ? whole_large(deflater, in, out, capacity) : 0;
    return size != 0 ? size : whole_in_steps(deflater, in, out, capacity);
}

/* At worst every byte is a literal of nine bits (fixed codes), or the stored blocks of a small memory cost their
 * headers; zlib's own deflateBound adds about the same. */
size_t swale_deflater_bound(size_t size)
{
    return size + size / 8 + size / 32 + 64;
}
