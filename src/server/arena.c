#include "server/arena.h"

#include "base/memory.h"

#include <stdalign.h>

enum { ARENA_BLOCK = 512 };

struct swale__arena_block {
    struct swale__arena_block *next;
    size_t size; /* of the whole block */
    size_t used; /* this head included */
};

static size_t aligned(size_t size)
{
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static struct swale__arena_block *add_block(struct swale__arena *arena, size_t need)
{
    size_t head = aligned(sizeof(struct swale__arena_block));
    size_t size = head + need > ARENA_BLOCK ? head + need : ARENA_BLOCK;
    struct swale__arena_block *block = swale__alloc(arena->allocator, size);
    if (!block)
        return NULL;
    *block = (struct swale__arena_block){ .next = arena->blocks, .size = size, .used = head };
    arena->blocks = block;
    return block;
}

void *swale__arena_alloc(struct swale__arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = aligned(size ? size : 1);
    struct swale__arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size)
        block = add_block(arena, size);
    if (!block)
        return NULL;
    void *memory = (char *)block + block->used;
    block->used += size;
    return memory;
}

char *swale__arena_copy(struct swale__arena *arena, struct swale_span span)
{
    char *copy = swale__arena_alloc(arena, span.size + 1);
    if (!copy)
        return NULL;
    if (span.size)
        memcpy(copy, span.data, span.size);
    copy[span.size] = '\0';
    return copy;
}

const char *const *swale__arena_strings(struct swale__arena *arena, const char *const *strings, size_t count)
{
    if (count > SIZE_MAX / 2 / sizeof(char *))
        return NULL;
    const char **copies = swale__arena_alloc(arena, count * sizeof *copies);
    for (size_t i = 0; copies && i < count; i++) {
        copies[i] = swale__arena_copy(arena, swale_text(strings[i]));
        if (!copies[i])
            return NULL;
    }
    return copies;
}

void swale__arena_done(struct swale__arena *arena)
{
    while (arena->blocks) {
        struct swale__arena_block *block = arena->blocks;
        arena->blocks = block->next;
        swale__free(arena->allocator, block, block->size);
    }
}
