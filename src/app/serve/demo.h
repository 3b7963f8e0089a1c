/* demo.h - what `swale serve --demo` adds: pages, /echo, /topic/{name}, /live/metrics, and the score ticker. */
#ifndef SWALE_APP_DEMO_H
#define SWALE_APP_DEMO_H

#include "app/serve/metrics.h"
#include "app/serve/scores.h"

#include <swale/swale.h>

struct demo {
    struct swale_hub *hub;
    const struct metrics *metrics;
    struct swale_loop *loop; /* on which the timers run */
    struct swale_timer every_second;
    uint64_t lag_max_us;
    struct scores scores;
};

/* Adds the routes and the timer. Before the server starts; `demo` must outlive it. */
int demo_add(struct demo *demo, struct swale_server *server, struct swale_hub *hub, const struct metrics *metrics);

/* The longest name of a hub's topic that is needed for names of 255 bytes in /topic/{name}. */
enum { DEMO_TOPIC_MAX = 255 + 6 };

#endif
