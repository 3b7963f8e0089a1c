/* links.h - the connections of a worker that stay: opened a few at a time, held, and given up when they are lost.
 */
#ifndef SWALE_APP_LINKS_H
#define SWALE_APP_LINKS_H

#include "app/bench/worker.h"

/* A message under way. */
struct flight {
    uint64_t due;  /* when it was meant to leave */
    uint32_t left; /* fan-out: subscribers of this process that it has not reached yet */
};

/* What every message needs comes first, in one cache line. */
struct link {
    struct worker *worker;
    struct swale_conn *conn; /* while it is open */

    /* As a sender (senders.h). Messages are numbered from 0; finished <= sent <= assigned. */
    uint64_t assigned, sent, finished;
    uint64_t limit;         /* of assigned */
    struct flight *flights; /* those from `finished` on, each at its number modulo the size */
    uint32_t flights_size;  /* a power of two, or 0 */
    bool full;              /* its queue is: wait for on_drain */

    /* Of the answer under way, for echo.c to verify. */
    bool wrong;
    uint64_t compared;

    struct swale_client *client;
    uint64_t began;  /* to be opened, ns */
    uint32_t number; /* among the worker's */
    uint32_t place;  /* among the open ones */

    /* As a subscriber (fan_out.c). */
    uint64_t received;
    uint32_t *next; /* of each publisher, the number that comes next */
};

struct links {
    struct worker *worker;
    struct swale_client_handler handler; /* on_message and on_drain are the mode's; the user is the link */
    /* One that was open is not any more; it still has its numbers, and is no longer among the open ones. */
    void (*on_lost)(struct link *link);
    struct plan_share shares[2]; /* which of the run's connections these are */
    struct link *all;
    struct link **open; /* in no order */
    uint32_t count, open_count;

    uint32_t next, opening; /* the next one to open, and how many are at it */
    bool stopped, settled;
    bool closing; /* what ends now is not lost */
    bool paced;   /* opened at the plan's rate */
    struct pace pace;
    struct ticker ticker;
};

/* Begins to open them all: set worker, handler, on_lost, shares and paced. worker_ready is called once each is open
 * or has failed. 0 or -errno. */
int links_open(struct links *links);

/* No more are opened. */
void links_stop(struct links *links);

/* Closes those that are open, as a client should, and drops what does not answer soon. Outside the loop's turns. */
void links_done(struct links *links);

/* The link of a client, in a callback. */
static inline struct link *link_of(struct swale_client *client)
{
    return swale_client_user(client);
}

#endif
