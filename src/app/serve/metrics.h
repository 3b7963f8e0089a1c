/* metrics.h - the server's figures: for Prometheus, and as JSON for the demo's pages. */
#ifndef SWALE_APP_METRICS_H
#define SWALE_APP_METRICS_H

#include "app/sink.h"
#include "app/text.h"

#include <swale/hub.h>
#include <swale/server.h>
#include <time.h>

struct metrics {
    const struct swale_server *server;
    const struct swale_hub *hub;
    const struct sink *log;  /* NULL when there is none */
    struct timespec started; /* by the wall clock */
};

/* Enough for either, with every counter at its longest. */
enum { METRICS_MAX = 65536 };

/* Prometheus text exposition, version 0.0.4. */
void metrics_prometheus(const struct metrics *metrics, struct text *out);

/* One snapshot for /live/metrics, as demo/README.md says. `lag_max_us` is the longest turn that the previous
 * snapshot of this sequence knew of, and is brought up to date. */
void metrics_snapshot(const struct metrics *metrics, uint64_t *lag_max_us, struct text *out);

#endif
