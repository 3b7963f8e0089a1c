/* codec.h - what inflater and deflater share: zlib streams whose memory comes from a Swale allocator. */
#ifndef SWALE_PROTO_CODEC_H
#define SWALE_PROTO_CODEC_H

#include <swale/base.h>

#include <zlib.h>

/* The end of a sync flush, which the sender takes off and the receiver puts back (RFC 7692 section 7.2). */
enum { SWALE__TAIL_SIZE = 4 };
extern const char swale__tail[SWALE__TAIL_SIZE];

/* A buffer that is being filled. */
struct swale__output {
    char *data;
    size_t capacity;
    size_t size; /* filled so far */
};

/* Makes *stream allocate from `allocator`, which must outlive it. zlib keeps the stream's address. */
void swale__stream_prepare(z_stream *stream, const struct swale_allocator *allocator);

/* One call of inflate or deflate: takes what it consumed off the front of *in and adds what it wrote to *out.
 * Returns zlib's answer. */
int swale__stream_run(z_stream *stream, int (*run)(z_stream *stream, int flush), int flush, struct swale_span *in,
                      struct swale__output *out);

#endif
