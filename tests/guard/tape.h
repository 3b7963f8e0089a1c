/* tape.h - a stream that plays back what it was given, and takes whatever is written to it.
 *
 * It costs next to nothing itself: what is counted is its user's. */
#ifndef SWALE_GUARD_TAPE_H
#define SWALE_GUARD_TAPE_H

#include "conn/conn.h"
#include "io/stream.h"
#include "io/turn.h"

struct tape {
    struct swale__stream stream; /* first */
    struct swale__work work;
    const char *data;
    size_t size;
    size_t written; /* bytes, in all */
};

/* One loop, in a time that stands still. */
struct swale_loop *tape_loop(void);

void tape_init(struct tape *tape);

/* A server's connections on tapes: a group for them, and one of it. */
struct swale__conn_group *tape_group(void);
struct swale_conn *tape_connect(struct tape *tape, struct swale__conn_group *group,
                                const struct swale_handler *handler);

/* Hands data[0..size), at most TAPE_MAX bytes, to the stream's user in a turn of the loop, and ends the turn. */
enum { TAPE_MAX = 65536 };
void tape_play(struct tape *tape, const char *data, size_t size);

#endif
