#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

/* Stands before each block, so that the size given back can be checked. */
union header {
    size_t size;
    max_align_t align;
};

static void check_size(const union header *header, size_t claimed)
{
    if (header->size != claimed) {
        fprintf(stderr, "allocator: a block of %zu bytes was given back as %zu\n", header->size, claimed);
        abort();
    }
}

static bool fails(struct test_memory *memory)
{
    memory->allocations++;
    bool failing = memory->fail_at > 0 && memory->allocations >= memory->fail_at &&
                   memory->allocations - memory->fail_at <= memory->fail_more;
    memory->failed += failing;
    return failing;
}

static void *resize(void *context, void *block, size_t old_size, size_t new_size)
{
    struct test_memory *memory = context;
    union header *header = block ? (union header *)block - 1 : NULL;
    if (header)
        check_size(header, old_size);
    if (new_size == 0) {
        if (header) {
            memory->blocks--;
            memory->bytes -= old_size;
            free(header);
        }
        return NULL;
    }
    if (new_size > old_size && fails(memory))
        return NULL;
    union header *moved = realloc(header, sizeof *moved + new_size);
    if (!moved)
        return NULL;
    memory->blocks += header ? 0 : 1;
    memory->bytes += new_size - old_size;
    if (memory->bytes > memory->peak)
        memory->peak = memory->bytes;
    moved->size = new_size;
    return moved + 1;
}

struct swale_allocator test_allocator(struct test_memory *memory)
{
    return (struct swale_allocator){ .resize = resize, .context = memory };
}
