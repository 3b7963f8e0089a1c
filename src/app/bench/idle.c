/* idle.c - the mode in which connections are opened, at the rate that is asked for, and do nothing. */
#include "app/bench/links.h"

#include <errno.h>
#include <stdlib.h>

static int open_idle(struct worker *worker)
{
    const struct bench_options *options = worker->plan->options;
    struct links *links = calloc(1, sizeof *links);
    worker->load = links;
    if (!links)
        return -ENOMEM;
    links->worker = worker;
    links->shares[0] = worker_share(worker, options->connections);
    links->paced = options->rate > 0;
    return links_open(links);
}

static void start_idle(struct worker *worker)
{
    struct links *links = worker->load;
    if (links->open_count == 0)
        worker_stop(worker);
}

static void stop_idle(struct worker *worker)
{
    links_stop(worker->load);
}

static bool idle_settled(struct worker *worker)
{
    (void)worker;
    return true;
}

static void free_idle(struct worker *worker)
{
    if (!worker->load)
        return;
    links_done(worker->load);
    free(worker->load);
}

const struct worker_mode worker_idle = {
    .open = open_idle,
    .start = start_idle,
    .stop = stop_idle,
    .settled = idle_settled,
    .done = free_idle,
};
