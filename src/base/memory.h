/* memory.h - the three uses of an allocator, with NULL standing for the C library's. */
#ifndef SWALE_BASE_MEMORY_H
#define SWALE_BASE_MEMORY_H

#include <swale/base.h>

/* NULL when memory is out. Sizes are never 0. */
void *swale__alloc(const struct swale_allocator *allocator, size_t size);
void *swale__alloc_zeroed(const struct swale_allocator *allocator, size_t size);

/* On failure NULL, and the block stays as it was. */
void *swale__resize(const struct swale_allocator *allocator, void *block, size_t old_size, size_t new_size);

/* `size` is what was asked for. A NULL block is allowed. */
void swale__free(const struct swale_allocator *allocator, void *block, size_t size);

#endif
