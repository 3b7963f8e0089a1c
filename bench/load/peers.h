/* peers.h - the connections of a load, made before it, and what is asked and heard on them. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "peer.h"

#include <stdbool.h>
#include <stddef.h>

extern struct peer *peers; /* in a fan-out the publisher is the first */
int peers_count(void);

/* Makes them, without opening any. `answered` is called when so many more answers, one at least, are there and right.
 */
void peers_make(void (*answered)(struct peer *peer, size_t done));

/* Opens the next ones from this number on, some at a time, and returns how many. */
int peers_open_some(int first);

/* Opens all, and gets ready for asking, and for taking turns: bytes are moved; and if none can be, `wait` waits. */
void peers_open(void);
void peers_ask(struct peer *peer, size_t count);
void peers_turn(bool wait);

void peers_close(void);

#endif
