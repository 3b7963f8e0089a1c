/* Large blocks that a loop lends out, for messages that are put together and answers that wait.
 *
 * A fresh block costs a page fault for every 4 KiB, which is more than it costs to fill it; so those that come back
 * are kept, the latest first, because that one is still in the cache:
 *
 *     latest [ node, capacity, freed_ms | ... ] <-> [ ... ] <-> [ ... ] oldest
 *
 * What is kept is bounded, in bytes and in number, and goes back to the allocator when it has not been wanted for
 * AGE_MS. That is looked at in turns of the loop: one in which nothing happens at all keeps its last blocks. */
#include "io/loop.h"

#include "base/memory.h"

/* The address sanitizer is told that what is kept is nobody's. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)   ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

enum {
    KEPT_BYTES = 8 << 20, /* eight messages of the default limit */
    KEPT_COUNT = 32,      /* so that looking through them stays cheap */
    AGE_MS = 1000,
    /* From here on sizes are made a multiple of a page: blocks of like size can stand in for each other. */
    ROUNDED = 16384,
    PAGE = 4096
};

struct free_block {
    struct swale__list node;
    size_t capacity;
    uint64_t freed_ms;
};

static struct free_block *of_node(struct swale__list *node)
{
    return SWALE__LIST_OWNER(node, struct free_block, node);
}

static size_t rounded(size_t size)
{
    if (size < sizeof(struct free_block))
        return sizeof(struct free_block);
    return size < ROUNDED || size > SIZE_MAX - PAGE ? size : (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static void take_out(struct swale_loop *loop, struct free_block *block)
{
    swale__list_remove(&block->node);
    loop->block_count--;
    loop->block_bytes -= block->capacity;
    ASAN_UNPOISON_MEMORY_REGION(block, block->capacity);
}

/* The latest that fits: large enough, and not so much larger that another would miss it. */
static struct free_block *find(struct swale_loop *loop, size_t size)
{
    struct swale__list *blocks = &loop->blocks;
    for (struct swale__list *node = blocks->next; node != blocks; node = node->next) {
        struct free_block *block = of_node(node);
        if (block->capacity >= size && block->capacity / 2 <= size)
            return block;
    }
    return NULL;
}

void *swale__loop_block(struct swale_loop *loop, size_t size, size_t *capacity)
{
    struct free_block *block = find(loop, size);
    if (block) {
        take_out(loop, block);
        *capacity = block->capacity;
        return block;
    }
    *capacity = rounded(size);
    return swale__alloc(loop->allocator, *capacity);
}

void *swale__loop_block_grow(struct swale_loop *loop, void *block, size_t used, size_t size, size_t *capacity)
{
    struct free_block *larger = find(loop, size);
    if (!larger) { /* the allocator may know how to do without copying */
        void *grown = swale__resize(loop->allocator, block, *capacity, rounded(size));
        *capacity = grown ? rounded(size) : *capacity;
        return grown;
    }
    take_out(loop, larger);
    size_t larger_capacity = larger->capacity;
    memcpy(larger, block, used);
    swale__loop_block_free(loop, block, *capacity);
    *capacity = larger_capacity;
    return larger;
}

static void free_oldest(struct swale_loop *loop)
{
    struct free_block *oldest = of_node(loop->blocks.prev);
    take_out(loop, oldest);
    swale__free(loop->allocator, oldest, oldest->capacity);
}

void swale__loop_block_free(struct swale_loop *loop, void *memory, size_t capacity)
{
    struct free_block *block = memory;
    if (capacity > KEPT_BYTES) {
        swale__free(loop->allocator, memory, capacity);
        return;
    }
    block->capacity = capacity;
    block->freed_ms = loop->now_ms;
    swale__list_init(&block->node);
    swale__list_prepend(&loop->blocks, &block->node);
    ASAN_POISON_MEMORY_REGION(block + 1, capacity - sizeof *block);
    loop->block_count++;
    loop->block_bytes += capacity;
    while (loop->block_count > KEPT_COUNT || loop->block_bytes > KEPT_BYTES)
        free_oldest(loop);
}

void swale__blocks_trim(struct swale_loop *loop)
{
    while (loop->block_count > 0 && loop->now_ms - of_node(loop->blocks.prev)->freed_ms > AGE_MS)
        free_oldest(loop);
}

void swale__blocks_drop(struct swale_loop *loop)
{
    while (loop->block_count > 0)
        free_oldest(loop);
}
