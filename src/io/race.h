/* race.h - connecting to whichever of several addresses answers first (RFC 8305 sections 4 and 5).
 *
 *     addresses, in any number of steps --> untried --one every 250 ms, or as soon as one fails--> connecting
 *                                                                                          first --> on_won
 *
 * The families alternate, IPv6 first; within a family the order is that of the adding. What is added while the race
 * is on takes its place among the untried.
 */
#ifndef SWALE_IO_RACE_H
#define SWALE_IO_RACE_H

#include "io/connect.h"
#include "io/socket.h"

struct swale__race;

/* One address, and the attempt to reach it. */
struct swale__racer {
    struct swale__race *race;
    struct swale__stream *stream; /* while it is under way */
    struct swale__address address;
    bool tried;
};

/* Embedded by its user, who zeroes it, sets what stands above the line, and keeps it in place until it is over or
 * stopped. All callbacks may come from within the calls below, except swale__race_add and _stop. */
struct swale__race {
    struct swale_loop *loop;
    struct swale__socket_options socket;
    /* It is over with one of these two. The stream is paused; it wants a new user. */
    void (*on_won)(struct swale__race *race, struct swale__stream *stream);
    void (*on_lost)(struct swale__race *race, int error, const char *text);
    void (*on_note)(struct swale__race *race, const char *text);
    /* ---- */
    struct swale_timer next; /* while it runs, the latest attempt has the field to itself */
    struct swale__racer racers[SWALE__ADDRESSES_MAX];
    unsigned count, under_way;
    const struct swale__racer *last; /* that failed */
    int last_error;
    int family;    /* of the latest attempt */
    bool complete; /* no more addresses will come */
};

/* One more; what is beyond SWALE__ADDRESSES_MAX, or half of that of one family, is ignored, and so is an address of
 * another family than socket.local. */
void swale__race_add(struct swale__race *race, const struct swale__address *address);

/* Begins, or goes on with what has been added. With `complete` it is lost when nothing is left to try; by then there
 * must have been an address. */
void swale__race_run(struct swale__race *race, bool complete);

/* Closes what is under way. Any time, also when it is over or has not begun. */
void swale__race_stop(struct swale__race *race);

#endif
