/* target.h - what is found out about the server before the load begins: that the options make sense to the client,
 * and where a name leads.
 *
 * A name is looked up and connected to once, so that thousands of connections need not do so each; an address is
 * taken as it is, and nothing is sent.
 */
#ifndef SWALE_APP_TARGET_H
#define SWALE_APP_TARGET_H

#include "app/bench/plan.h"

struct target {
    bool tcp, loopback;
    char connect_to[PLAN_ADDRESS_MAX]; /* for a name: "address:port"; "" otherwise */
};

/* STATUS_OK; or STATUS_USAGE or STATUS_FAILED with one line in `message` (SWALE_CLIENT_MESSAGE_MAX bytes). */
int target_find(struct target *target, const struct bench_options *options, char *message);

#endif
