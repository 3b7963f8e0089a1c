/* crowd.h - a thousand clients, each of which keeps books of what it sends.
 *
 * A member says something now and then, for as long as the crowd is `talking`: message after message, each with a
 * number of its own. Whatever it has no acknowledgement of, it sends again, as another copy, when a connection opens,
 * unless that message still waits in the client or is on its way on this connection. So all of them arrive in the
 * end, and the board (service.h) shows at what price.
 */
#ifndef SWALE_CHAOS_CROWD_H
#define SWALE_CHAOS_CROWD_H

#include "dice.h"
#include "service.h"

#include <swale/client.h>

struct copy {
    uint64_t ticket; /* the client's number of it */
    uint16_t number;
    uint8_t fate;
};

struct member {
    struct crowd *crowd;
    struct swale_client *client;
    struct swale_timer timer;
    unsigned id;
    bool open, over;
    uint32_t connections, failures;
    unsigned numbers, copy_count;
    bool acknowledged[NUMBERS];
    int latest[NUMBERS]; /* copy of this message; -1: none was taken */
    struct copy copies[COPIES];
};

struct crowd {
    struct swale_loop *loop;
    struct board *board;
    struct swale_client_options options; /* url, reconnect, limits: for all of them */
    const char *other_url;               /* of every other one, if there is one */
    struct dice dice;
    bool talking;
    uint32_t every_ms;
    /* May be NULL. */
    void (*on_try)(struct crowd *crowd, struct member *member); /* a try begins */
    void (*on_retry)(struct crowd *crowd, struct member *member, const struct swale_client_retry *retry);
    unsigned open;
    uint64_t tries, opened, longest_gap_ms, acknowledgements;
    struct member *members;
};

void crowd_begin(struct crowd *crowd);

/* Every member is open and everything that was said is acknowledged. */
bool crowd_content(const struct crowd *crowd);

/* Closes every client in order; the loop has to turn until crowd_over. */
void crowd_close(struct crowd *crowd);
bool crowd_over(const struct crowd *crowd);

/* Compares the books with the board, when all is over: see there. */
void crowd_judge(const struct crowd *crowd);
void crowd_free(struct crowd *crowd);

#endif
