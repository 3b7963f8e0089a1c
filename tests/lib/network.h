/* network.h - a network in virtual time: clients dial into it, servers listen on it, and much goes wrong on it.
 *
 *     struct network network = { .ether = loop, .dice = { seed } };
 *     network_begin(&network);
 *     ... swale_server_listen "server:80", swale_client_new "ws://server:80/" ...
 *     network_harm(&network, FAULT_RESET, 100);
 *     network_end(&network);
 *
 * In a program that uses this, swale__connect and swale__listen are the network's: names are taken as they are. What
 * two streams say to each other travels, in order, with a delay:
 *
 *     client --write--> [ sent, on its way | arrived, unread ] --on_data--> server       and the same the other way
 *                       <------------- capacity ------------->
 *
 * The ends of a link may live on different loops. `ether` is the loop whose clock is the network's time, and on which
 * its timers run; it may be one of these or another. The streams behave as those over sockets do, and watch that
 * their users keep to the contract (io/stream.h): each breach is told. */
#ifndef SWALE_TEST_NETWORK_H
#define SWALE_TEST_NETWORK_H

#include "dice.h"

#include "base/list.h"
#include "io/stream.h"

/* How one end of a link works, and how long it takes to get there. */
struct network_shape {
    uint32_t delay_ms, jitter_ms;       /* on the way to this end, at least; more at most */
    struct swale__pair_options options; /* capacity: of what is on its way to this end */
};

enum network_side { NETWORK_CLIENT, NETWORK_SERVER };

/* What can happen to a link. */
enum fault {
    FAULT_RESET,     /* both ends are told; of what was on its way some is lost */
    FAULT_END,       /* both directions end, in order; of what was on its way some is lost */
    FAULT_HALF_OPEN, /* one end sees a reset; the other sees nothing any more, not even that */
    FAULT_SILENCE,   /* nothing arrives any more, at either end */
    FAULT_SLOW,      /* a delay of up to a second */
    FAULT_BYTES,     /* few bytes are handed out at a time */
    FAULT_STALL,     /* nothing arrives in one of the directions, or in both, for now */
    FAULT_HEAL,      /* an end to the last three */
    FAULTS
};

/* What a network must never do. Tests that prove their tests' eyes turn one on. */
enum network_trick {
    TRICK_NONE,
    TRICK_DOUBLE, /* of what a client writes something comes twice, */
    TRICK_SWAP,   /* behind what was written after it, */
    TRICK_LOSE,   /* not at all, */
    TRICK_FLIP,   /* or changed, */
    TRICK_BREAK,  /* so that it is not even a message; */
    TRICK_TAMPER, /* or, what came by TLS, changed */
    TRICK_FORGET  /* a writer is not told that there is room again */
};

struct network_link;
struct network_door;

struct network {
    struct swale_loop *ether;
    struct dice dice;
    void (*shape)(void *context, struct network_shape shapes[2]); /* of a new link, by side; may be NULL */
    void (*breach)(void *context, const char *text);              /* NULL aborts */
    void *context;
    enum network_trick trick;

    /* To be set at any time. */
    bool refusing; /* connections are taken, and reset at once */
    bool mute;     /* connections are taken, and what their clients say then does not arrive */
    bool silent;   /* dials are not answered, until it is over */
    bool shut;     /* nobody listens */

    uint64_t accepted; /* links, so far */

    /* Private. */
    bool frozen;
    struct network_door *doors;
    struct swale__list dials;
    struct network_link **links; /* those that are up, in no order */
    size_t link_count, link_room;
    uint32_t numbers;
};

/* What the network is told above, and no more, has been set. One at a time. */
void network_begin(struct network *network);

/* Everything that used it is gone. */
void network_end(struct network *network);

/* Each link suffers it with a chance of so many in a thousand. */
void network_harm(struct network *network, enum fault fault, uint32_t permille);

/* Nothing arrives anywhere until it thaws. */
void network_freeze(struct network *network, bool frozen);

/* A host dies, with all that lives on this loop: its doors are shut, nothing gets out or in any more, and its peers
 * are told, as a kernel does when a process was killed, or not, as when there is no kernel any more. What is left of
 * it may then be taken down. */
void network_kill(struct network *network, const struct swale_loop *loop, bool told);

/* A link as its ends know it: the port of swale_peer, on both sides, is its number. NULL when it is not up any more.
 */
const struct network_link *network_find(const struct network *network, uint16_t port);

/* Of one end: what has been going on there, in its own loop's time; 0: never. */
struct network_view {
    const struct swale_loop *loop;
    bool met;          /* its user has it */
    bool closed;       /* and has closed it */
    bool pressed;      /* since something was heard last, there was not always room to write */
    size_t unread;     /* bytes that have arrived */
    uint64_t met_ms;   /* accepted, or connected */
    uint64_t heard_ms; /* bytes were handed out */
    uint64_t wrote_ms; /* bytes were taken */
};
struct network_view network_look(const struct network_link *link, enum network_side side);

/* All links, by n from 0; NULL behind the last. */
const struct network_link *network_nth(const struct network *network, size_t n);
uint16_t network_port(const struct network_link *link);

#endif
