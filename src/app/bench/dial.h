/* dial.h - the options with which a worker's connections are made: the same for all, but for where they come from. */
#ifndef SWALE_APP_DIAL_H
#define SWALE_APP_DIAL_H

#include "app/bench/plan.h"

struct dial {
    const struct plan *plan;
    struct swale_client_options options;
    struct swale_limits limits;
    struct swale_field *fields;
    char address[PLAN_ADDRESS_MAX];
};

/* `message` (SWALE_CLIENT_MESSAGE_MAX bytes) says what is wrong with the TLS files. What the plan points to must
 * outlive it. */
int dial_init(struct dial *dial, const struct plan *plan, char *message);
void dial_done(struct dial *dial);

/* The options for this connection, counted through the whole run, until the next call. The caller sets handler and
 * user. */
struct swale_client_options *dial_options(struct dial *dial, uint64_t connection);

#endif
