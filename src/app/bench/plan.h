/* plan.h - how a load is divided among processes and source addresses. Pure: it asks the system nothing.
 *
 * Every worker is a process of one thread, because descriptors are limited by process, and because nothing is shared
 * then that could slow them down.
 */
#ifndef SWALE_APP_PLAN_H
#define SWALE_APP_PLAN_H

#include "app/bench/bench_options.h"

enum {
    PLAN_WORKERS_MAX = 256,
    PLAN_DESCRIPTORS = 32,    /* that a worker needs beside its connections */
    PLAN_PER_LOOPBACK = 1000, /* connections from one of loopback's addresses: what `swale serve` allows by default */
    PLAN_ADDRESS_MAX = 64
};

/* What the system allows. */
struct plan_means {
    uint64_t descriptors; /* of one process */
    uint64_t ports;       /* of one source address, to one destination */
    bool tcp;             /* the server has a port, and so must we */
    bool loopback;        /* it is reached at 127.0.0.0/8, all of which is ours to come from */
};

struct plan {
    const struct bench_options *options;
    uint32_t workers;
    uint32_t senders;                  /* so many of the workers, the first ones, have something that sends */
    bool spread;                       /* over the addresses of loopback */
    char connect_to[PLAN_ADDRESS_MAX]; /* "address:port", or "" */
    uint64_t run;                      /* a number that tells this run's messages from those of others */
};

/* Decides on workers and addresses. 0, or -1 with one line about what does not fit in `fault` (OPTIONS_FAULT_MAX). */
int plan_make(struct plan *plan, const struct bench_options *options, const struct plan_means *means, char *fault);

/* A part of a whole that is dealt out evenly. */
struct plan_share {
    uint64_t first, count;
};
struct plan_share plan_share(uint64_t whole, uint32_t part, uint32_t parts);

/* Where this connection (counted through the whole run) comes from: in `out` (PLAN_ADDRESS_MAX bytes), or from the
 * command line; NULL: the kernel may choose. */
const char *plan_local_address(const struct plan *plan, uint64_t connection, char *out);

#endif
