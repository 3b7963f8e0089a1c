/* stats.c - the figures of all workers, added up. */
#include "server/server.h"

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_worker(struct swale_server_stats *stats, const struct swale__worker *worker)
{
    const struct swale__conn_counters *counters = &worker->counters;
    const struct swale__tally *tally = &worker->tally;
    stats->connections_open += load(&counters->open);
    stats->connections_opened += load(&counters->opened);
    stats->messages_in += load(&counters->messages_in);
    stats->messages_out += load(&counters->messages_out);
    stats->bytes_in += load(&counters->bytes_in);
    stats->bytes_out += load(&counters->bytes_out);
    stats->wire_in += load(&counters->wire_in);
    stats->wire_out += load(&counters->wire_out);
    stats->pings_in += load(&counters->pings_in);
    stats->pongs_in += load(&counters->pongs_in);
    stats->queued += load(&counters->queued);
    stats->connections_handshaking += load(&tally->handshaking);
    stats->accepted += load(&tally->accepted);
    stats->accept_errors += load(&tally->accept_errors);
    stats->requests += load(&tally->requests);
    for (size_t i = 0; i < SWALE_ERROR_SLOTS; i++) {
        stats->closed[i] += load(&counters->closed[i]);
        stats->refused[i] += load(&tally->refused[i]);
    }
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_loop(struct swale_loop_stats *sum, const struct swale_loop *loop)
{
    struct swale_loop_stats stats;
    swale_loop_stats(loop, &stats);
    sum->turns += stats.turns;
    sum->events += stats.events;
    sum->busy_us += stats.busy_us;
    sum->timers += stats.timers;
    sum->lag_max_us = larger(sum->lag_max_us, stats.lag_max_us);
    sum->lag_last_us = larger(sum->lag_last_us, stats.lag_last_us);
}

void swale_server_stats(const struct swale_server *server, struct swale_server_stats *stats)
{
    *stats = (struct swale_server_stats){ 0 };
    for (size_t i = 0; i < server->worker_count; i++) {
        add_worker(stats, server->workers[i]);
        add_loop(&stats->loops, server->workers[i]->loop);
    }
}
