/* turn.h - what the loop offers to the layers above it within the library: the phases of a turn, and memory.
 *
 *     wait | kernel's events | work put off to this turn | timers | posted tasks | flush phase | end phase
 *
 * Work for the flush phase is what sends (one gather write per connection and turn); work for the end phase
 * frees. Both lists are run until they are empty: a flush may ask for another flush of a different item. But a flush
 * phase comes to an end after a thousand items; the rest follows in the next turns, which then do not sleep, or at
 * once when the loop is being stopped. Work for the next turn is what must not happen within the present call, or not
 * all within one turn.
 */
#ifndef SWALE_IO_TURN_H
#define SWALE_IO_TURN_H

#include "base/list.h"

#include <swale/loop.h>

/* Intrusive; zero it before its first use. It is in one list at most: queueing one that is queued already does
 * nothing. It may be freed, or queued again, from within its run. */
struct swale__work {
    void (*run)(struct swale__work *work);
    struct swale__list node;
};

/* Is it in a list? It is a ring of its own whenever it is in none, once it has been in one. */
static inline bool swale__work_waits(const struct swale__work *work)
{
    return work->node.next && !swale__list_empty(&work->node);
}

/* In the next turn, which then does not sleep. */
void swale__loop_at_next(struct swale_loop *loop, struct swale__work *work);
void swale__loop_at_flush(struct swale_loop *loop, struct swale__work *work);

/* The same for what is sent to many at once: behind all that is asked for one at a time, in this turn and those that
 * follow, so that an answer need not wait until a message has gone to everyone. */
void swale__loop_at_flush_later(struct swale_loop *loop, struct swale__work *work);
void swale__loop_at_end(struct swale_loop *loop, struct swale__work *work);

/* Takes it out of whichever list it is in, at the same cost however long that is. */
void swale__loop_forget(struct swale_loop *loop, struct swale__work *work);

/* A bell that a signal handler may ring: `run` is called in a turn to come, with the posted tasks, once for any
 * number of rings before it. Intrusive; zero it and set `run`. Adding and removing are for the loop's thread, or
 * for whoever has the loop to themselves; a bell must be removed before it goes. */
struct swale__bell {
    void (*run)(struct swale__bell *bell);
    struct swale__bell *next;
    _Atomic bool rung;
};
void swale__loop_add_bell(struct swale_loop *loop, struct swale__bell *bell);
void swale__loop_remove_bell(struct swale_loop *loop, struct swale__bell *bell);

/* Any thread, and signal handlers: it neither locks nor allocates. */
void swale__loop_ring(struct swale_loop *loop, struct swale__bell *bell);

/* True on the thread that is driving this loop just now. Any thread. */
bool swale__loop_here(const struct swale_loop *loop);

const struct swale_allocator *swale__loop_allocator(const struct swale_loop *loop);

/* What a layer above keeps once for each loop; NULL at first. It is that layer's to free before the loop is. */
void **swale__loop_slot(struct swale_loop *loop);

/* What lives on behind its user's close (a TLS stream that still has something to send), until it is done or the loop
 * is freed, which drops it. Nobody counts these any more, so there are at most SWALE__LEFTOVERS_MAX: the oldest is
 * dropped for one more. Intrusive; init its node. */
enum { SWALE__LEFTOVERS_MAX = 1024 };
struct swale__leftover {
    struct swale__list node;
    void (*drop)(struct swale__leftover *leftover); /* it has been taken back already */
};
void swale__loop_leave(struct swale_loop *loop, struct swale__leftover *leftover);

/* Does nothing for one that has not been left. */
void swale__loop_take_back(struct swale_loop *loop, struct swale__leftover *leftover);

/* Chunks for out-queues: SWALE__CHUNK_SIZE bytes from a pool that keeps a bounded number of free ones.
 * NULL when memory is out. */
enum { SWALE__CHUNK_SIZE = 4096 };
void *swale__loop_chunk(struct swale_loop *loop);
void swale__loop_chunk_free(struct swale_loop *loop, void *chunk);

/* Blocks for large messages: `size` bytes or more, *capacity receives how many. They are kept for reuse, within
 * bounds and as long as they are in use now and then, because a fresh one costs page faults; so one that comes back
 * is not to be taken for memory that nobody pays for. NULL when memory is out. */
void *swale__loop_block(struct swale_loop *loop, size_t size, size_t *capacity);
void swale__loop_block_free(struct swale_loop *loop, void *memory, size_t capacity);

/* Makes one larger, and keeps its first `used` bytes. NULL when memory is out, and then it stays as it is. */
void *swale__loop_block_grow(struct swale_loop *loop, void *block, size_t used, size_t size, size_t *capacity);

/* A buffer that is anyone's until they return to the loop: for inflating, encoding, reading files. */
enum { SWALE__SCRATCH_SIZE = 65536 };
char *swale__loop_scratch(struct swale_loop *loop);

/* Where a TLS stream decrypts to before its on_data: SWALE__PLAINTEXT_SIZE bytes. One serves all streams of the loop,
 * because no on_data is ever called from within another; but that of TLS within TLS (a server behind an https proxy)
 * is, and so each level has its own. Made at its first use; NULL when memory is out. */
enum { SWALE__PLAINTEXT_SIZE = 65536, SWALE__TLS_LEVELS = 2 };
char *swale__loop_plaintext(struct swale_loop *loop, unsigned level);

#endif
