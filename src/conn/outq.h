/* outq.h - the out-queue of a stream: bytes waiting to leave, in order, within bounds.
 *
 * A list of segments. A segment either holds copied bytes (in a chunk from the loop's pool) or refers to a
 * shared message. Small writes are appended to the last chunk, so that many messages of a turn leave as few
 * buffers. Used by connections and by plain HTTP answers alike.
 *
 *     [chunk: frame frame frame]-[shared message, tag T]-[chunk: frame]-> flush: one gather write
 *
 * A segment that has begun to leave is never touched again. Control frames (one pong, one close) have a place
 * of their own that no refused data can block: they leave at the next message boundary.
 */
#ifndef SWALE_CONN_OUTQ_H
#define SWALE_CONN_OUTQ_H

#include "io/stream.h"

#include <swale/conn.h>

struct swale__segment;

struct swale__outq {
    struct swale__segment *head, *tail;
    size_t size;      /* bytes waiting, those in flight included */
    size_t in_flight; /* bytes given to a write that has not completed */
    bool full;        /* the stream takes no more for now */
};

/* Appends a copy of a and b (either may be empty) as one unit. -ENOMEM, and then nothing was appended. `boundary`: a
 * message may end here, so that a control frame may follow. */
int swale__outq_append(struct swale__outq *queue, struct swale_loop *loop, struct swale_span a, struct swale_span b);

/* Appends a reference to a frame of a shared message; `tag` is for drop. */
int swale__outq_append_shared(struct swale__outq *queue, struct swale_loop *loop, struct swale_shared *shared,
                              struct swale_span frame, uintptr_t tag);

/* Puts a whole control frame before everything that has not begun to leave, at a frame boundary. */
int swale__outq_prepend_control(struct swale__outq *queue, struct swale_loop *loop, struct swale_span frame);

/* Takes back shared segments of this tag that have not begun to leave. */
size_t swale__outq_drop(struct swale__outq *queue, struct swale_loop *loop, uintptr_t tag, bool all);

/* Writes what it can, in gather writes. 0 when empty, 1 when something is left (on_written follows), or the
 * stream's error. *left receives the bytes that went. */
int swale__outq_flush(struct swale__outq *queue, struct swale__stream *stream, size_t *left);

/* on_written(size): counts off what was in flight. */
void swale__outq_written(struct swale__outq *queue, struct swale_loop *loop, size_t size);

void swale__outq_clear(struct swale__outq *queue, struct swale_loop *loop);

#endif
