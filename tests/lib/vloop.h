/* vloop.h - a loop in virtual time: nothing happens but what the test makes happen, at once and always the same.
 *
 *     struct test_loop loop;
 *     test_loop_init(&loop);
 *     ... open pairs, start timers on loop.loop ...
 *     test_loop_settle(&loop);             turns until nothing is left to do at this instant
 *     test_loop_advance(&loop, 25000);     25 s pass; every timer fires at its own instant, and all settles
 *     test_loop_done(&loop);               frees the loop; fails the test when a block of memory is left
 *
 * All memory of the loop comes from `allocator`; set memory.fail_at to make an allocation fail. */
#ifndef SWALE_TEST_VLOOP_H
#define SWALE_TEST_VLOOP_H

#include "memory.h"

#include <swale/loop.h>

struct test_loop {
    struct swale_loop *loop;
    uint64_t now_ms;
    struct test_memory memory;
    struct swale_allocator allocator;
};

/* Must stay where it is until test_loop_done. Time begins at 1000000 ms. */
void test_loop_init(struct test_loop *loop);

/* Aborts when the loop is not quiet after a million turns. */
void test_loop_settle(struct test_loop *loop);
void test_loop_advance(struct test_loop *loop, uint64_t ms);

/* With real sockets on the loop: turns, at this instant, until the condition holds. Aborts when that takes more than
 * ten seconds of real time. */
#define TEST_LOOP_UNTIL(loop, condition)                                                                             \
    for (int test_loop_tries = 0; test_loop_settle(loop), !(condition); test_loop_tries++)                           \
    test_loop_nap(test_loop_tries)
void test_loop_nap(int tries);

void test_loop_done(struct test_loop *loop);

#endif
