/* segment.h - what an out-queue is a list of, for the two files that know its shape: outq.c and common.c. */
#ifndef SWALE_CONN_SEGMENT_H
#define SWALE_CONN_SEGMENT_H

#include "conn/outq.h"

struct swale__chunk;
struct swale__common_node;

enum {
    SWALE__STARTS_FRAME = 1, /* its first byte is the first of a frame */
    SWALE__BEGUN = 2,        /* some of it has left or is in flight */
    SWALE__COMMON = 4        /* in a common_node: many queues may have it, and none may change it */
};

struct swale__segment {
    struct swale__segment *next;
    char *data;
    size_t size;                 /* still to leave */
    struct swale_shared *shared; /* referred to; NULL for copied bytes */
    uintptr_t tag;               /* of a shared one */
    struct swale__chunk *chunk;  /* that this head lies in; NULL: in a block of its own */
    union {
        size_t block_size;                 /* of that block */
        struct swale__common_node *common; /* in a chunk: whose bytes these are; or NULL */
    };
    unsigned flags;
};

#endif
