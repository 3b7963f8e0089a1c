/* bed.h - a crowd and a whole server on one loop in virtual time, on a network (tests/lib/network.h) that is what the
 * test makes of it. */
#ifndef SWALE_CHAOS_BED_H
#define SWALE_CHAOS_BED_H

#include "crowd.h"
#include "network.h"
#include "vloop.h"

struct bed {
    struct test_loop loop;
    struct swale_server *server;
    struct network network;
    struct crowd crowd;
    struct board board;
};

/* The crowd's options, and what else is to be said of it, are set before. */
void bed_begin(struct bed *bed, uint64_t seed);

/* Lets time pass until the condition holds, at most so many milliseconds. Whether it does. */
bool bed_until(struct bed *bed, bool (*condition)(const struct crowd *crowd), uint64_t ms);
bool bed_all_open(const struct crowd *crowd);

/* Closes every client in order. After it the books are complete. */
void bed_close(struct bed *bed);
void bed_free(struct bed *bed);

#endif
