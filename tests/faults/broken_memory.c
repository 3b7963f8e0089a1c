/* The allocator. What it counts besides: live blocks and their bytes, so that a leak of one block shows, however much
 * the C library keeps for itself. */
#include "broken.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

/* The C library's own, under the names by which it leaves them to its replacements. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static bool refuses(void)
{
    struct broken_page *now = broken_page;
    if (!now)
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
    return refuses() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return refuses() ? NULL : counted(__libc_calloc(number, size));
}

void *realloc(void *block, size_t size)
{
    if (!block)
        return malloc(size);
    if (size > 0 && refuses())
        return NULL;
    int64_t before = (int64_t)malloc_usable_size(block);
    void *moved = __libc_realloc(block, size);
    if (moved)
        count(0, (int64_t)malloc_usable_size(moved) - before);
    else if (size == 0)
        count(-1, -before);
    return moved;
}

void *memalign(size_t alignment, size_t size)
{
    return refuses() ? NULL : counted(__libc_memalign(alignment, size));
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
    if (!block)
        return;
    count(-1, -(int64_t)malloc_usable_size(block));
    __libc_free(block);
}
