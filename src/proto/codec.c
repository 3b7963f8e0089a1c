#include "proto/codec.h"

#include "base/memory.h"

#include <limits.h>

const char swale__tail[SWALE__TAIL_SIZE] = { 0x00, 0x00, (char)0xff, (char)0xff };

/* zlib frees without telling the size, and a Swale allocator wants to know it: it stands in front. */
union block {
    size_t size;
    max_align_t align;
};

static void *allocate(void *opaque, unsigned count, unsigned each)
{
    if (each != 0 && count > (SIZE_MAX - sizeof(union block)) / each)
        return Z_NULL;
    size_t size = sizeof(union block) + (size_t)count * each;
    union block *block = swale__alloc(opaque, size);
    if (!block)
        return Z_NULL;
    block->size = size;
    return block + 1;
}

static void release(void *opaque, void *memory)
{
    union block *block = (union block *)memory - 1;
    swale__free(opaque, block, block->size);
}

void swale__stream_prepare(z_stream *stream, const struct swale_allocator *allocator)
{
    stream->zalloc = allocate;
    stream->zfree = release;
    stream->opaque = (void *)allocator; /* const again where it is used */
}

/* zlib counts in `unsigned`; what is more than that is for the next call. */
static unsigned countable(size_t size)
{
    return size < UINT_MAX ? (unsigned)size : UINT_MAX;
}

int swale__stream_run(z_stream *stream, int (*run)(z_stream *stream, int flush), int flush, struct swale_span *in,
                      struct swale__output *out)
{
    unsigned input = countable(in->size);
    unsigned room = countable(out->capacity - out->size);
    stream->next_in = (unsigned char *)in->data; /* only read, in spite of its type */
    stream->avail_in = input;
    stream->next_out = (unsigned char *)out->data + out->size;
    stream->avail_out = room;
    int result = run(stream, flush);
    unsigned used = input - stream->avail_in;
    if (used > 0)
        *in = swale_span(in->data + used, in->size - used);
    out->size += room - stream->avail_out;
    return result;
}
