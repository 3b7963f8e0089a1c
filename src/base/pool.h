/* pool.h - objects of one size without an allocator's header for each: many connections, little memory.
 *
 *     pool --> block [ head | object | object | free | object | free | never used ... ]
 *
 * An object keeps the number of its place, two bytes that most structs have to spare, and gives it back with itself:
 * from both follows where its block begins, so that blocks need no alignment, which a swale_allocator does not give.
 * The first block of a pool is small; each further one is twice as large, up to 16 KiB.
 *
 * A block is freed with the last of its objects, but for one, so that a single object that comes and goes costs no
 * allocation. Taking and giving back cost the same however many objects there are. For one thread.
 *
 * With AddressSanitizer every object has a block of its own, freed at once: what is used after its end is then seen.
 */
#ifndef SWALE_BASE_POOL_H
#define SWALE_BASE_POOL_H

#include "base/list.h"

/* Fields are private. Must stay where it is. */
struct swale__pool {
    const struct swale_allocator *allocator;
    struct swale__list open; /* blocks with a place for one more */
    struct swale__list full;
    uint32_t size;  /* of an object */
    uint16_t next;  /* places in the next block */
    uint16_t empty; /* blocks in which nothing lives */
};

/* `size` is a multiple of 8, which is what objects are aligned to, and at most 4096. `allocator` must outlive the
 * pool; NULL is the C library's. */
void swale__pool_init(struct swale__pool *pool, const struct swale_allocator *allocator, size_t size);

/* All objects have been given back. */
void swale__pool_done(struct swale__pool *pool);

/* An object, and the number of its place. NULL when memory is out. What is in it: zeros if it is new; else what was
 * in it when it was given back, but for the first two bytes. */
void *swale__pool_take(struct swale__pool *pool, uint16_t *place);
void swale__pool_give(struct swale__pool *pool, void *object, uint16_t place);

/* Visits every object once, in no particular order. It must not take or give back any. Costs no memory in between,
 * and somewhat more time than a list would. */
void swale__pool_each(struct swale__pool *pool, void (*visit)(void *context, void *object), void *context);

#endif
