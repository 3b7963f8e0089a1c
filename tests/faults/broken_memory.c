/* The allocator. What it counts besides: live blocks and their bytes, so that a leak of one block shows, however much
 * the C library, or a sanitizer, keeps for itself. */
#include "broken.h"
#include "broken_runtime.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

static bool refuses(void)
{
    struct broken_page *now = broken_page;
    if (!now || !broken_runtime_done())
        return false;
    uint64_t number = atomic_fetch_add_explicit(&now->allocations, 1, memory_order_relaxed) + 1;
    if (number == atomic_load_explicit(&now->nth, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&now->failed[BROKEN_ALLOCATE], 1, memory_order_relaxed);
        errno = ENOMEM;
        return true;
    }
    return broken_breaks(BROKEN_ALLOCATE);
}

static void count(int blocks, int64_t bytes)
{
    struct broken_page *now = broken_page;
    if (!now)
        return;
    atomic_fetch_add_explicit(&now->blocks, blocks, memory_order_relaxed);
    atomic_fetch_add_explicit(&now->bytes, bytes, memory_order_relaxed);
}

static void *counted(void *block)
{
    if (block)
        count(1, (int64_t)malloc_usable_size(block));
    return block;
}

void *malloc(size_t size)
{
    if (broken_is_early())
        return broken_early_block(size);
    return refuses() ? NULL : counted(BROKEN_REAL(malloc)(size));
}

void *calloc(size_t number, size_t size)
{
    if (broken_is_early())
        return broken_early_block(number * size);
    return refuses() ? NULL : counted(BROKEN_REAL(calloc)(number, size));
}

static void *moved_from_early(const void *block, size_t size)
{
    void *moved = malloc(size);
    if (moved)
        broken_early_copy(moved, block, size);
    return moved;
}

void *realloc(void *block, size_t size)
{
    if (!block)
        return malloc(size);
    if (broken_was_early(block))
        return moved_from_early(block, size);
    if (size > 0 && refuses())
        return NULL;
    int64_t before = (int64_t)malloc_usable_size(block);
    void *moved = BROKEN_REAL(realloc)(block, size);
    if (moved)
        count(0, (int64_t)malloc_usable_size(moved) - before);
    else if (size == 0)
        count(-1, -before);
    return moved;
}

void *memalign(size_t alignment, size_t size)
{
    return refuses() ? NULL : counted(BROKEN_REAL(memalign)(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    int saved = errno;
    void *made = memalign(alignment, size);
    errno = saved;
    if (!made)
        return ENOMEM;
    *block = made;
    return 0;
}

void free(void *block)
{
    if (!block || broken_was_early(block))
        return;
    count(-1, -(int64_t)malloc_usable_size(block));
    BROKEN_REAL(free)(block);
}
