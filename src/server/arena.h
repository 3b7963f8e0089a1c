/* arena.h - memory that goes all at once: what one exchange decodes, what a server copies of its options. */
#ifndef SWALE_SERVER_ARENA_H
#define SWALE_SERVER_ARENA_H

#include <swale/base.h>

struct swale__arena_block;

/* Zero it and set `allocator`. */
struct swale__arena {
    const struct swale_allocator *allocator;
    struct swale__arena_block *blocks; /* the newest first */
};

/* Aligned for any type; NULL when memory is out. */
void *swale__arena_alloc(struct swale__arena *arena, size_t size);

/* Copies, with a terminator behind. A null span gives an empty string. */
char *swale__arena_copy(struct swale__arena *arena, struct swale_span span);

/* Copies an array of C strings. An empty one gives a pointer that is not NULL. */
const char *const *swale__arena_strings(struct swale__arena *arena, const char *const *strings, size_t count);

void swale__arena_done(struct swale__arena *arena);

#endif
