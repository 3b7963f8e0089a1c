/* The allocator below broken_memory.c: the C library's, or that of a sanitizer (SWALE_SANITIZED).
 *
 * A sanitizer begins before this library does, and begins each thread, and allocates by the C library's functions
 * when it does: broken_runtime.c keeps that apart. It can bear no failure there, and what it takes before its own
 * allocator works comes from a place of ours. */
#ifndef SWALE_TEST_BROKEN_RUNTIME_H
#define SWALE_TEST_BROKEN_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#ifdef SWALE_SANITIZED
#define BROKEN_REAL(name) __interceptor_##name
#else
#define BROKEN_REAL(name) __libc_##name
#endif

/* The names by which it leaves its functions to replacements. */
void *BROKEN_REAL(malloc)(size_t size);
void *BROKEN_REAL(calloc)(size_t count, size_t size);
void *BROKEN_REAL(realloc)(void *block, size_t size);
void *BROKEN_REAL(memalign)(size_t alignment, size_t size);
void BROKEN_REAL(free)(void *block);

#ifdef SWALE_SANITIZED

/* Whether the program itself runs here, not what its sanitizer does first. */
bool broken_runtime_done(void);

/* Before that, on the way to main. The blocks stay, and are zero. */
bool broken_is_early(void);
void *broken_early_block(size_t size);
bool broken_was_early(const void *block);
void broken_early_copy(void *to, const void *block, size_t size);

#else

static inline bool broken_runtime_done(void)
{
    return true;
}

static inline bool broken_is_early(void)
{
    return false;
}

static inline void *broken_early_block(size_t size)
{
    (void)size;
    return NULL;
}

static inline bool broken_was_early(const void *block)
{
    (void)block;
    return false;
}

static inline void broken_early_copy(void *to, const void *block, size_t size)
{
    (void)to;
    (void)block;
    (void)size;
}

#endif

#endif
