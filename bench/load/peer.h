/* peer.h - one connection of a load, as those see it who move its bytes: turn_epoll.c and turn_uring.c. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "answers.h"
#include "link.h"

#include <stdbool.h>
#include <stddef.h>

struct peer {
    struct link link;
    struct answers answers;
    size_t sent;    /* position in the round of requests */
    size_t to_send; /* bytes that the kernel has not taken yet */
    size_t request; /* the next message of the script to ask for */
    size_t heard;   /* messages, where they are counted: in a fan-out, in an open loop */
    bool blocked;   /* nothing can be sent just now */
    bool due;       /* it is known to have something to send */
};

/* For those who move bytes: what came; what comes next on the wire, in one piece; so much of that has gone. */
void peer_hears(struct peer *peer, const char *data, size_t size);
size_t peer_unsent(const struct peer *peer, const char **data);
void peer_sent(struct peer *peer, size_t size);

/* What they do. `push` is called when there is more to send; `turn` moves what can be moved, and waits for a while
 * when it is told to and nothing can. */
struct turns {
    void (*open)(struct peer *peers, int count);
    void (*push)(struct peer *peer);
    void (*turn)(bool wait);
};

extern const struct turns turns_epoll, turns_uring;

#endif
