/* broken.h - a machine on which things fail, for a program that is started with this library in LD_PRELOAD.
 *
 *     broken_page.c     what fails, and how often: the page that the test writes
 *     broken_memory.c   the allocator
 *     broken_runtime.c  what a sanitizer does with that before the program runs
 *     broken_calls.c    system calls
 *     broken_ring.c     io_uring, as liburing gives it to the program
 *
 * How they fail is read from a page that the program shares with the test, the file that SWALE_BROKEN names
 * (broken.py has the same layout), so that the test changes it while the program runs. Without the file everything
 * works, and nothing is counted. A unit test links broken_ring.c into itself, and sets the page. */
#ifndef SWALE_TEST_BROKEN_H
#define SWALE_TEST_BROKEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Where it can break. */
enum broken_place {
    BROKEN_ALLOCATE,
    BROKEN_ACCEPT,
    BROKEN_RECEIVE,
    BROKEN_SEND,
    BROKEN_EPOLL_ADD,
    BROKEN_EPOLL_WAIT,
    BROKEN_EVENTFD,
    BROKEN_RING_SETUP,    /* without an error: a ring of the smallest size, so that answers overflow */
    BROKEN_RING_REGISTER, /* the ring of buffers; without an error: as a kernel before 6.12 */
    BROKEN_RING_ENTER,
    /* Orders. A kind of which some break has none that stand: each ends with its first answer. */
    BROKEN_RING_RECEIVE,
    BROKEN_RING_SEND, /* without an error: one byte */
    BROKEN_RING_ACCEPT,
    BROKEN_RING_POLL,
    BROKEN_PLACES
};

struct broken_page {
    /* Written by the test. */
    _Atomic uint64_t nth; /* the allocation of this number fails, counted from `allocations`' start; 0: none */
    _Atomic uint64_t permyriad[BROKEN_PLACES]; /* of 10 000 calls, by chance */
    _Atomic uint64_t error[BROKEN_PLACES];     /* errno; 0: where it applies, the call does less than it could */
    _Atomic int64_t clock_shift;               /* seconds that the wall clock is off by */
    _Atomic uint64_t
        spared; /* descriptors below this: orders to receive from them and to send to them do not break */
    /* Written here. */
    _Atomic uint64_t allocations; /* so far; the test may set it */
    _Atomic uint64_t failed[BROKEN_PLACES];
    _Atomic int64_t blocks, bytes; /* live */
};

/* NULL: nothing is broken. */
extern struct broken_page *_Atomic broken_page;

/* Whether this call breaks, and then errno says how. */
bool broken_breaks(enum broken_place place);

#endif
