#include "base/pool.h"

#include "base/memory.h"

#include <assert.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALONE 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ALONE 1
#endif
#ifndef ALONE
#define ALONE 0
#endif

/* Large enough that what is left over at the end of a block does not count, small enough that one survivor does not
 * hold much. */
enum { BLOCK_SIZE = 16384, FIRST_PLACES = ALONE ? 1 : 4, EMPTY_MAX = ALONE ? 0 : 1 };

/* Free places are linked by their numbers: each holds the next one's. */
enum { NO_PLACE = UINT16_MAX };

struct block {
    struct swale__list node; /* in one of the pool's lists */
    uint16_t places;
    uint16_t living;
    uint16_t free;  /* the first, or NO_PLACE */
    uint16_t fresh; /* this one and those behind it have never been used, nor their memory touched */
};

_Static_assert(sizeof(struct block) % 8 == 0, "objects are aligned");

void swale__pool_init(struct swale__pool *pool, const struct swale_allocator *allocator, size_t size)
{
    assert(size % 8 == 0 && size > 0 && size <= 4096);
    *pool = (struct swale__pool){ .allocator = allocator, .size = (uint32_t)size, .next = FIRST_PLACES };
    swale__list_init(&pool->open);
    swale__list_init(&pool->full);
}

static void free_block(struct swale__pool *pool, struct block *block)
{
    swale__list_remove(&block->node);
    swale__free(pool->allocator, block, sizeof *block + (size_t)block->places * pool->size);
}

void swale__pool_done(struct swale__pool *pool)
{
    assert(swale__list_empty(&pool->full));
    while (!swale__list_empty(&pool->open)) {
        struct block *block = SWALE__LIST_OWNER(pool->open.next, struct block, node);
        assert(block->living == 0);
        free_block(pool, block);
    }
    pool->empty = 0;
}

static struct block *new_block(struct swale__pool *pool)
{
    struct block *block = swale__alloc(pool->allocator, sizeof *block + (size_t)pool->next * pool->size);
    if (!block)
        return NULL;
    *block = (struct block){ .places = pool->next, .free = NO_PLACE };
    swale__list_append(&pool->open, &block->node);
    pool->empty++;
    size_t most = ALONE ? 1 : (BLOCK_SIZE - sizeof *block) / pool->size;
    pool->next = (uint16_t)(2u * pool->next < most ? 2u * pool->next : most);
    return block;
}

static char *place_at(const struct swale__pool *pool, struct block *block, size_t number)
{
    return (char *)(block + 1) + number * pool->size;
}

static void move_to(struct swale__list *list, struct block *block)
{
    swale__list_remove(&block->node);
    swale__list_append(list, &block->node);
}

void *swale__pool_take(struct swale__pool *pool, uint16_t *place)
{
    bool none = swale__list_empty(&pool->open);
    struct block *block = none ? new_block(pool) : SWALE__LIST_OWNER(pool->open.next, struct block, node);
    if (!block)
        return NULL;
    bool used = block->free != NO_PLACE;
    *place = used ? block->free : block->fresh++;
    char *object = place_at(pool, block, *place);
    if (used)
        memcpy(&block->free, object, sizeof block->free);
    else
        memset(object, 0, pool->size);
    if (block->living++ == 0)
        pool->empty--;
    if (block->living == block->places)
        move_to(&pool->full, block);
    return object;
}

void swale__pool_give(struct swale__pool *pool, void *object, uint16_t place)
{
    struct block *block = (struct block *)(void *)((char *)object - (size_t)place * pool->size) - 1;
    memcpy(object, &block->free, sizeof block->free);
    block->free = place;
    if (block->living == block->places)
        move_to(&pool->open, block);
    if (--block->living > 0)
        return;
    if (pool->empty == EMPTY_MAX)
        free_block(pool, block);
    else
        pool->empty++;
}

/* The places that are free are found by their chain, and marked, which takes a bit for each of them. */
static void visit_block(const struct swale__pool *pool, struct block *block, void (*visit)(void *, void *),
                        void *context)
{
    enum { PLACES_MAX = BLOCK_SIZE / 8, BITS = 64 };
    uint64_t freed[PLACES_MAX / BITS] = { 0 };
    for (uint16_t at = block->free; at != NO_PLACE; memcpy(&at, place_at(pool, block, at), sizeof at))
        freed[at / BITS] |= UINT64_C(1) << at % BITS;
    for (uint16_t at = 0; at < block->fresh; at++)
        if (!(freed[at / BITS] >> at % BITS & 1))
            visit(context, place_at(pool, block, at));
}

void swale__pool_each(struct swale__pool *pool, void (*visit)(void *context, void *object), void *context)
{
    struct swale__list *lists[] = { &pool->full, &pool->open };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (struct swale__list *node = lists[i]->next; node != lists[i]; node = node->next)
            visit_block(pool, SWALE__LIST_OWNER(node, struct block, node), visit, context);
}
