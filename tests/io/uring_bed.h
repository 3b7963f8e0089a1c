/* uring_bed.h - a loop on io_uring, and streams on it whose other ends are descriptors. */
#ifndef SWALE_TEST_URING_BED_H
#define SWALE_TEST_URING_BED_H

#include "memory.h"

#include "io/loop.h"
#include "io/stream.h"

/* Of the test that runs. */
extern struct test_memory memory;
extern struct swale_loop *loop;

/* As cmocka has them; the second one fails when something has leaked. */
int uring_set_up(void **state);
int uring_tear_down(void **state);

/* Whether there is one here; else says so. */
bool uring_is_there(void);

/* A stream, and the descriptor at the other end of it. */
int open_one(struct swale__stream **stream);
ptrdiff_t write_to(struct swale__stream *stream, const void *data, size_t size);

/* What there is to be read from the descriptor, without waiting. */
size_t read_all(int fd, char *data, size_t size);

/* As many turns as it takes, when nothing has to be waited for. */
void settle(void);

#define RUN_UNTIL(condition)                                                                                         \
    do {                                                                                                             \
        for (int turns = 0; !(condition); turns++) {                                                                 \
            assert_true(swale_loop_step(loop, 100) >= 0);                                                            \
            assert_true(turns < 100000);                                                                             \
        }                                                                                                            \
    } while (0)

#endif
