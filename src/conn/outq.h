/* outq.h - the out-queue of a stream: bytes waiting to leave, in order, within bounds.
 *
 * A list of segments. A segment is either a run of copied bytes, which lies in a chunk from the loop's pool, or a
 * reference to a shared message. The segments' own heads lie in the chunks too, so that a warm loop queues without
 * allocating; small writes extend the last run, so that many messages of a turn leave as few buffers.
 *
 *     chunk  [ segment | frame frame frame | segment, tag T | segment | frame ... room ]
 *                 |                             |                |
 *     queue      run ------------------> shared message ------> run ------> flush: one gather write
 *
 * A chunk goes back to the pool with the last of its segments. A unit that is too large for a few chunks gets a
 * block of its own size.
 *
 * A segment that has begun to leave is never changed or taken back. A queue of shared messages only, which many
 * others have too, is a single segment that belongs to all of them (common.h), as long as nothing else is in it. Used
 * by connections and by plain HTTP answers alike.
 */
#ifndef SWALE_CONN_OUTQ_H
#define SWALE_CONN_OUTQ_H

#include "io/stream.h"

#include <swale/conn.h>

struct swale__segment;
struct swale__chunk;
struct swale__common;
struct swale__common_message;

/* Zeroed: empty. */
struct swale__outq {
    struct swale__segment *head, *tail;
    struct swale__chunk *chunk; /* where the next segment's head goes, NULL for a new one */
    size_t size;                /* bytes waiting, those in flight included */
    size_t held;                /* bytes of memory in chunks and blocks */
    size_t in_flight;           /* bytes given to a write that has not completed */
    bool full;                  /* the stream takes no more for now */
};

/* Appends a copy of a and b (either may be empty) as one unit: whole frames, or anything where no control frame will
 * be. -ENOMEM, and then nothing was appended. */
int swale__outq_append(struct swale__outq *queue, struct swale_loop *loop, struct swale_span a, struct swale_span b);

/* The same for one frame of a client, whose payload is masked on the way (RFC 6455 section 5.3). */
int swale__outq_append_masked(struct swale__outq *queue, struct swale_loop *loop, struct swale_span header,
                              struct swale_span payload, const unsigned char mask[4]);

/* The same for a short frame that is still to be written: where its bytes go, of which there are 1 to
 * SWALE__OUTQ_ROOM_MAX. NULL when memory is out. */
enum { SWALE__OUTQ_ROOM_MAX = 256 };
char *swale__outq_room(struct swale__outq *queue, struct swale_loop *loop, size_t size);

/* Writes what waits and, behind it, the unit a and b from where it lies; only what the stream does not take of it is
 * copied. Where a write would have to wait, or might stay in flight, the unit is appended and nothing else. 0 or 1 as
 * flush; the stream's error; or SWALE_ERR_NO_MEMORY, and then nothing was written or appended. *left receives the
 * bytes that went. */
int swale__outq_write(struct swale__outq *queue, struct swale__stream *stream, struct swale_span a,
                      struct swale_span b, size_t *left);

/* Appends a reference to a whole frame, which lies in the shared message; its `tag` is for drop, 0 for never. What
 * other queues of the same `common` have too is kept there, if it can be. -ENOMEM. */
int swale__outq_append_shared(struct swale__outq *queue, struct swale_loop *loop, struct swale__common *common,
                              const struct swale__common_message *message);

/* The same, the short way, for a queue that other queues have gone before. False when none has, or this one is in any
 * other state, and then nothing was done. */
bool swale__outq_follow(struct swale__outq *queue, const struct swale__common *common, const char *frame,
                        uintptr_t tag);

/* Takes back shared segments of this tag that have not begun to leave: the oldest, or all. How many. */
size_t swale__outq_drop(struct swale__outq *queue, struct swale_loop *loop, uintptr_t tag, bool all);

/* Takes back everything behind the frame that has begun to leave, so that a close frame need not wait for it. (Short
 * frames that lie in one run with it leave, too.) */
void swale__outq_cut(struct swale__outq *queue, struct swale_loop *loop);

/* Takes back everything behind the first `size` bytes, which end with a frame and hold what is in flight. */
void swale__outq_keep(struct swale__outq *queue, struct swale_loop *loop, size_t size);

/* True when a flush may write: something waits, nothing is in flight, and the stream is not known to be full. */
bool swale__outq_ready(const struct swale__outq *queue);

/* Writes what it can, in gather writes. 0 when empty, 1 when something is left (on_written follows), or the
 * stream's error. *left receives the bytes that went. */
int swale__outq_flush(struct swale__outq *queue, struct swale__stream *stream, size_t *left);

/* on_written(size): counts off what was in flight, and knows that there is room again. */
void swale__outq_written(struct swale__outq *queue, struct swale_loop *loop, size_t size);

/* Frees everything, also what is in flight: after the stream was closed. */
void swale__outq_clear(struct swale__outq *queue, struct swale_loop *loop);

#endif
