/* bed.h - a crowd, a relay and a whole server on one loop in virtual time.
 *
 *     crowd --socket of the file system--> relay --pair in memory--> server
 *
 * The kernel's part takes no time of the virtual clock, or so little that it counts as the network's: what comes late
 * comes with the next instant. */
#ifndef SWALE_CHAOS_BED_H
#define SWALE_CHAOS_BED_H

#include "crowd.h"
#include "relay.h"
#include "vloop.h"

struct bed {
    struct test_loop loop;
    struct swale_server *server;
    struct relay relay;
    struct crowd crowd;
    struct board board;
    char directory[256], address[300], url[320];
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
