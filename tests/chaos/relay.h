/* relay.h - a proxy that spoils what passes through it.
 *
 *     client ==listener== [ link: down <-> up ] ==reach==> server
 *
 * Each link carries the bytes of one connection both ways. Left alone it adds nothing and takes nothing. Faults are
 * put upon links that exist, or on the whole: see below. It knows nothing of WebSocket.
 */
#ifndef SWALE_CHAOS_RELAY_H
#define SWALE_CHAOS_RELAY_H

#include "dice.h"

#include "io/stream.h"

enum fault {
    FAULT_RESET,     /* RST, both ways */
    FAULT_END,       /* FIN, both ways, whatever was on its way */
    FAULT_TEAR,      /* only a part of the next run of bytes passes, and then as RESET */
    FAULT_HALF_OPEN, /* the server sees a RST; the client sees nothing any more, not even that */
    FAULT_SLOW,      /* a delay of up to a second */
    FAULT_BYTES,     /* one byte at a time */
    FAULT_HEAL,      /* an end to the last two */
    FAULTS
};

struct link;
struct relay {
    struct swale_loop *loop;
    struct swale__listener *listener; /* NULL: connections are refused by the system */
    struct dice dice;
    bool refusing; /* accept, and reset at once */
    bool frozen;
    uint64_t accepted, reset;
    struct link *links;
    int (*reach)(void *context, struct swale__stream **up); /* a new connection to the server; may be on its way */
    bool reach_later;                                       /* it is: on_written tells when it is there */
    void *context;
};

/* All fields that are not private have been set. */
void relay_listen(struct relay *relay, const char *address);
void relay_unlisten(struct relay *relay);

/* Each link suffers it with a chance of so many in a thousand. */
void relay_harm(struct relay *relay, enum fault fault, uint32_t permille);

/* Nothing passes, in either direction, until it thaws; new connections are taken and left waiting. What a stopped
 * process looks like from outside. */
void relay_freeze(struct relay *relay, bool frozen);

/* Drops everything. */
void relay_done(struct relay *relay);

#endif
