/* shared.h - what a shared message is made of: see shared.c. */
#ifndef SWALE_CONN_SHARED_H
#define SWALE_CONN_SHARED_H

#include <swale/conn.h>

#include <stdatomic.h>

/* Window sizes of permessage-deflate (RFC 7692 section 7.1.2). */
enum { SWALE__BITS_MIN = 9, SWALE__BITS_MAX = 15 };

struct swale__variant;

struct swale_shared {
    atomic_size_t refs;
    const struct swale_allocator *allocator;
    size_t size; /* of the payload */
    enum swale_kind kind;
    unsigned header_size;
    _Atomic(struct swale__variant *) variants[SWALE__BITS_MAX - SWALE__BITS_MIN + 1];
    char header[16]; /* the frame's begins at 16 - header_size */
    char payload[];
};

/* The plain frame. */
static inline struct swale_span swale__shared_frame(const struct swale_shared *shared)
{
    return swale_span(shared->payload - shared->header_size, shared->header_size + shared->size);
}

#endif
