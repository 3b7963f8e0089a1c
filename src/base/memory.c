#include "base/memory.h"

#include <stdlib.h>

void *swale__resize(const struct swale_allocator *allocator, void *block, size_t old_size, size_t new_size)
{
    if (allocator)
        return allocator->resize(allocator->context, block, old_size, new_size);
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

void *swale__alloc(const struct swale_allocator *allocator, size_t size)
{
    return swale__resize(allocator, NULL, 0, size);
}

void *swale__alloc_zeroed(const struct swale_allocator *allocator, size_t size)
{
    void *block = swale__alloc(allocator, size);
    if (block)
        memset(block, 0, size);
    return block;
}

void swale__free(const struct swale_allocator *allocator, void *block, size_t size)
{
    if (block)
        swale__resize(allocator, block, size, 0);
}
