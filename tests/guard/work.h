/* work.h - pieces of fixed work, whose instructions are counted.
 *
 *     guard_work            does all of them; under callgrind, guard.py reads what each has cost
 *     guard_work echo-20    only those that are named
 *
 * Nothing here depends on sockets, on the clock or on chance, so that the counts are the same in every run. A piece
 * is done once before it is counted: what is counted is warm. */
#ifndef SWALE_GUARD_WORK_H
#define SWALE_GUARD_WORK_H

#include <stddef.h>
#include <stdint.h>
#include <swale/swale.h>

struct work {
    const char *name;
    size_t units; /* messages, calls or deliveries in one run */
    void (*prepare)(void);
    void (*run)(void);
};

/* Each ends with one that has no name. */
extern const struct work proto_works[]; /* masks, texts, frames, heads */
extern const struct work conn_works[];  /* a server's and a client's connections */
extern const struct work hub_works[];   /* a topic's */

/* Aborts, naming the line, unless the condition holds: work that goes wrong is not to be counted. */
#define REQUIRE(condition) ((condition) ? (void)0 : guard_broken(__FILE__, __LINE__))
void guard_broken(const char *file, int line);

enum guard_text { GUARD_ASCII, GUARD_CJK };

/* Fills data[0..size) with whole characters; the rest of one that does not fit is ASCII. */
void guard_fill(char *data, size_t size, enum guard_text text);

/* Writes a frame, masked with the same key always or not at all. Returns its length. */
size_t guard_frame(char *out, int byte0, bool masked, const char *payload, size_t size);

#endif
