/* The phases' lists of work, and the memory that a loop lends out.
 *
 * A list is popped one item at a time, with the item marked as not queued before it runs; so an item may queue
 * itself or others, free itself, or take others out, and the loops below see it. */
#include "io/loop.h"

#include "base/memory.h"

#include <limits.h>

/* How many items one flush phase runs. Each is a system call or two, so a message to a hundred thousand would
 * otherwise keep everybody else waiting for a second. What is for many comes behind the answers of its turn, which
 * are so many at most that the others get on too. */
enum { FLUSHES_MAX = 1024, PROMPT_MAX = 768 };

/* Chunks kept for reuse: 4 MiB, one for each answer of a turn. Fresh ones would be cleared and taken back by the
 * kernel in every turn. What was not wanted for so long goes. */
enum { FREE_CHUNKS_MAX = FLUSHES_MAX, CHUNKS_AGE_MS = 1000 };

void swale__turn_init(struct swale_loop *loop)
{
    swale__list_init(&loop->next);
    swale__list_init(&loop->running);
    swale__list_init(&loop->flush);
    swale__list_init(&loop->flush_later);
    swale__list_init(&loop->end);
    swale__list_init(&loop->leftovers);
    swale__list_init(&loop->blocks);
    swale__list_init(&loop->files);
}

static void push(struct swale__list *works, struct swale__work *work)
{
    if (!swale__work_waits(work))
        swale__list_append(works, &work->node);
}

/* Runs up to `most` items; how many. */
static int run_some(struct swale__list *works, int most)
{
    int count = 0;
    for (struct swale__list *node; count < most && (node = swale__list_pop(works)); count++) {
        struct swale__work *work = SWALE__LIST_OWNER(node, struct swale__work, node);
        work->run(work);
    }
    return count;
}

static int run_all(struct swale__list *works)
{
    return run_some(works, INT_MAX);
}

void swale__loop_at_next(struct swale_loop *loop, struct swale__work *work)
{
    push(&loop->next, work);
}

void swale__loop_at_flush(struct swale_loop *loop, struct swale__work *work)
{
    push(&loop->flush, work);
}

void swale__loop_at_flush_later(struct swale_loop *loop, struct swale__work *work)
{
    push(&loop->flush_later, work);
}

void swale__loop_at_end(struct swale_loop *loop, struct swale__work *work)
{
    push(&loop->end, work);
}

void swale__loop_forget(struct swale_loop *loop, struct swale__work *work)
{
    (void)loop; /* its neighbours know */
    if (swale__work_waits(work))
        swale__list_remove(&work->node);
}

bool swale__turn_pending(const struct swale_loop *loop)
{
    return !swale__list_empty(&loop->next) || !swale__list_empty(&loop->flush) ||
           !swale__list_empty(&loop->flush_later) || !swale__list_empty(&loop->end);
}

int swale__turn_events(struct swale_loop *loop)
{
    /* Set apart, so that what is put off from within waits for its own turn. */
    swale__list_move(&loop->running, &loop->next);
    return run_all(&loop->running);
}

/* Comes to an end also when items ask for further ones. */
static void flush(struct swale_loop *loop)
{
    int done = run_some(&loop->flush, PROMPT_MAX);
    done += run_some(&loop->flush_later, FLUSHES_MAX - done);
    run_some(&loop->flush, FLUSHES_MAX - done);
}

static bool flushed(const struct swale_loop *loop)
{
    return swale__list_empty(&loop->flush) && swale__list_empty(&loop->flush_later);
}

static void free_chunks(struct swale_loop *loop, unsigned count)
{
    for (; count > 0; count--)
        swale__free(loop->allocator, swale__loop_chunk(loop), SWALE__CHUNK_SIZE);
}

/* Frees those that nobody has taken since the last time. */
static void trim_chunks(struct swale_loop *loop)
{
    free_chunks(loop, loop->free_chunk_least);
    loop->free_chunk_least = loop->free_chunk_count;
    loop->chunks_trimmed_ms = loop->now_ms;
}

void swale__turn_finish(struct swale_loop *loop)
{
    do
        flush(loop);
    while (!flushed(loop) && atomic_load_explicit(&loop->stopping, memory_order_relaxed));
    run_all(&loop->end);
    swale__blocks_trim(loop);
    if (loop->now_ms - loop->chunks_trimmed_ms >= CHUNKS_AGE_MS)
        trim_chunks(loop);
}

static void drop_oldest(struct swale_loop *loop)
{
    struct swale__leftover *oldest = SWALE__LIST_OWNER(loop->leftovers.next, struct swale__leftover, node);
    swale__loop_take_back(loop, oldest);
    oldest->drop(oldest);
}

void swale__loop_leave(struct swale_loop *loop, struct swale__leftover *leftover)
{
    swale__list_append(&loop->leftovers, &leftover->node);
    if (++loop->leftover_count > SWALE__LEFTOVERS_MAX)
        drop_oldest(loop);
}

void swale__loop_take_back(struct swale_loop *loop, struct swale__leftover *leftover)
{
    if (swale__list_empty(&leftover->node))
        return;
    swale__list_remove(&leftover->node);
    loop->leftover_count--;
}

void *swale__loop_chunk(struct swale_loop *loop)
{
    void *chunk = loop->free_chunks;
    if (!chunk)
        return swale__alloc(loop->allocator, SWALE__CHUNK_SIZE);
    memcpy(&loop->free_chunks, chunk, sizeof loop->free_chunks);
    loop->free_chunk_count--;
    if (loop->free_chunk_least > loop->free_chunk_count)
        loop->free_chunk_least = loop->free_chunk_count;
    return chunk;
}

void swale__loop_chunk_free(struct swale_loop *loop, void *chunk)
{
    if (loop->free_chunk_count == FREE_CHUNKS_MAX) {
        swale__free(loop->allocator, chunk, SWALE__CHUNK_SIZE);
        return;
    }
    memcpy(chunk, &loop->free_chunks, sizeof loop->free_chunks);
    loop->free_chunks = chunk;
    loop->free_chunk_count++;
}

char *swale__loop_scratch(struct swale_loop *loop)
{
    return loop->scratch;
}

char *swale__loop_plaintext(struct swale_loop *loop, unsigned level)
{
    if (!loop->plaintext[level])
        loop->plaintext[level] = swale__alloc(loop->allocator, SWALE__PLAINTEXT_SIZE);
    return loop->plaintext[level];
}

void swale__turn_drop(struct swale_loop *loop)
{
    while (loop->leftover_count > 0)
        drop_oldest(loop);
}

void swale__turn_free(struct swale_loop *loop)
{
    run_all(&loop->end);
    swale__blocks_drop(loop);
    free_chunks(loop, loop->free_chunk_count);
    for (int level = 0; level < SWALE__TLS_LEVELS; level++)
        if (loop->plaintext[level])
            swale__free(loop->allocator, loop->plaintext[level], SWALE__PLAINTEXT_SIZE);
}
