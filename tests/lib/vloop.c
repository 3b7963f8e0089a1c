#include "vloop.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "virtual loop: %s\n", what);
        abort();
    }
}

static uint64_t read_clock(void *context)
{
    return ((const struct test_loop *)context)->now_ms;
}

void test_loop_init(struct test_loop *loop)
{
    *loop = (struct test_loop){ .now_ms = 1000000 };
    loop->allocator = test_allocator(&loop->memory);
    struct swale_loop_options options = { .allocator = &loop->allocator,
                                          .receive_buffer = 32768, /* loops are made by the thousand */
                                          .clock = read_clock,
                                          .clock_context = loop };
    check(swale_loop_new(&loop->loop, &options) == 0, "cannot make a loop");
    test_loop_settle(loop); /* some backends have something to tell the kernel at first */
}

void test_loop_settle(struct test_loop *loop)
{
    int turns = 0;
    int events;
    do {
        events = swale_loop_step(loop->loop, 0);
        check(events >= 0, "a step failed");
        check(++turns < 1000000, "it never comes to rest");
    } while (events > 0 || swale_loop_wait_ms(loop->loop) == 0);
}

void test_loop_advance(struct test_loop *loop, uint64_t ms)
{
    uint64_t until = loop->now_ms + ms;
    test_loop_settle(loop);
    while (loop->now_ms < until) {
        uint64_t left = until - loop->now_ms;
        int wait = swale_loop_wait_ms(loop->loop);
        loop->now_ms += wait >= 0 && (uint64_t)wait < left ? (uint64_t)wait : left;
        test_loop_settle(loop);
    }
}

void test_loop_nap(int tries)
{
    check(tries < 10000, "waited ten seconds in vain");
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void test_loop_done(struct test_loop *loop)
{
    swale_loop_free(loop->loop);
    check(loop->memory.blocks == 0, "memory was leaked");
}
