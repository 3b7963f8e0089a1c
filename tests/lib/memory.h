/* memory.h - an allocator that counts, and fails when told to.
 *
 *     struct test_memory memory = { .fail_at = n };           the nth allocation fails (from 1; 0: none)
 *     struct swale_allocator allocator = test_allocator(&memory);
 *     ...
 *     assert_int_equal(memory.blocks, 0);                     nothing leaked
 *
 * Growing counts as an allocation. Sizes given back are checked against those asked for: a wrong one aborts. */
#ifndef SWALE_TEST_MEMORY_H
#define SWALE_TEST_MEMORY_H

#include <swale/base.h>

struct test_memory {
    uint64_t fail_at;
    uint64_t fail_more;   /* and so many behind it */
    uint64_t failed;      /* so many have */
    uint64_t allocations; /* asked for so far, the failing one included */
    size_t blocks;        /* alive */
    size_t bytes;         /* alive */
    size_t peak;
};

/* `memory` must outlive the allocator. Not thread-safe. */
struct swale_allocator test_allocator(struct test_memory *memory);

#endif
