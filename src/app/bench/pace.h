/* pace.h - when a message of an open loop is meant to leave. Pure arithmetic, exact for any length of run.
 *
 * The whole load is one sequence, of which number k is due k seconds divided by the rate after the start. A process
 * that shares it with others takes every `step`th from number `first` on, so that all of them together keep the pace
 * that one alone would.
 *
 * Latency counts from these instants, whenever the message was really sent. A generator that measures from the send
 * forgives a server its pauses: while the server stalls, it sends nothing, and so finds nothing slow ("coordinated
 * omission").
 */
#ifndef SWALE_APP_PACE_H
#define SWALE_APP_PACE_H

#include <stdint.h>

#define PACE_RATE_MAX UINT64_C(1000000000)

struct pace {
    uint64_t start;       /* ns */
    uint64_t rate;        /* of the whole load, a second; 1 to PACE_RATE_MAX */
    uint64_t first, step; /* which of its numbers are this share's; step is at least 1 */
};

/* The instant, in ns, of the nth of this share, from 0. */
uint64_t pace_time(const struct pace *pace, uint64_t n);

/* How many of this share are due at this instant: those whose time is not after it. */
uint64_t pace_due(const struct pace *pace, uint64_t now);

#endif
