/* loop.h - what a loop is made of. For the files of this layer only. */
#ifndef SWALE_IO_LOOP_H
#define SWALE_IO_LOOP_H

#include "base/pool.h"
#include "io/backend.h"
#include "io/stream.h"
#include "io/turn.h"
#include "io/wheel.h"

#include <pthread.h>
#include <stdatomic.h>

/* A posted task. */
struct swale__task {
    struct swale__task *next;
    void (*run)(void *argument);
    void *argument;
};

struct swale_loop {
    const struct swale_allocator *allocator;
    struct swale__backend *backend;
    int why_not;                      /* io_uring, if that was the first choice */
    uint64_t (*clock)(void *context); /* NULL: CLOCK_MONOTONIC */
    void *clock_context;
    uint64_t now_us; /* the latest reading, which never goes back */
    uint64_t now_ms; /* at the beginning of the turn */

    _Atomic(pthread_t) thread;           /* that drives a turn just now, or 0 */
    _Atomic(struct swale__task *) tasks; /* newest first */
    struct swale__bell *bells;
    struct swale__bell *next_bell; /* while they are gone through: so that one may remove any */
    atomic_bool rung;              /* one of them, or more */
    atomic_bool stopping;

    struct swale__list next, running, flush, end; /* of work */
    struct swale__list flush_later;               /* behind `flush` */
    struct swale__list leftovers;                 /* in the order of their ends */
    size_t leftover_count;
    struct swale__wheel wheel;
    struct swale__list files; /* watches of what is always ready */

    struct swale__pool sockets[2]; /* socket.h */
    void *slot;                    /* of a layer above */
    void *free_chunks;             /* each begins with a pointer to the next */
    unsigned free_chunk_count;
    unsigned free_chunk_least; /* since chunks_trimmed_ms */
    uint64_t chunks_trimmed_ms;
    struct swale__list blocks; /* free ones, the latest first */
    unsigned block_count;
    size_t block_bytes;
    char *receive_buffer; /* receive_size bytes */
    size_t receive_size;
    char *scratch;
    char *plaintext[SWALE__TLS_LEVELS]; /* NULL until asked for */

    struct {
        _Atomic uint64_t turns, events, busy_us, lag_max_us, lag_last_us, timers;
    } stats; /* written by the loop's thread, read by any */
};

/* turn.c */
void swale__turn_init(struct swale_loop *loop);
bool swale__turn_pending(const struct swale_loop *loop); /* is there work for a phase of the next turn? */
int swale__turn_events(struct swale_loop *loop);         /* what was put off to this turn; how many */
void swale__turn_finish(struct swale_loop *loop);        /* the flush and the end phase */
void swale__turn_drop(struct swale_loop *loop);          /* what lives on behind its user's close */
void swale__turn_free(struct swale_loop *loop);          /* frees what was closed, when the backend is gone */

/* blocks.c */
void swale__blocks_trim(struct swale_loop *loop); /* frees what was not wanted for long */
void swale__blocks_drop(struct swale_loop *loop); /* frees all that is kept */

/* post.c */
bool swale__posts_pending(const struct swale_loop *loop);
int swale__posts_run(struct swale_loop *loop); /* tasks and bells; how many */
void swale__posts_drop(struct swale_loop *loop);

#endif
