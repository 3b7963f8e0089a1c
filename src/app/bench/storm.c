/* storm.c - the mode in which connections are opened, over and over, and dropped as soon as they are open.
 *
 * Each of the --connections is a slot. In a closed loop a slot begins the next handshake when one has ended; in an
 * open one handshakes begin at fixed times, in whichever slot is free, and one that finds none waits.
 *
 * Dropped means reset: a closing handshake would leave each port in TIME_WAIT for a minute, and ports would run out
 * after 28 000 handshakes.
 */
#include "app/bench/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct slot {
    struct worker *worker;
    struct swale_client *client;
    uint64_t due; /* when its handshake was meant to begin */
};

struct storm {
    struct slot *slots;
    uint32_t count;
    uint32_t *free; /* slots that do nothing */
    uint32_t free_count;
    bool paced;
    uint64_t begun, quota; /* handshakes */
    struct pace pace;
    struct ticker ticker;
};

static void go_on(struct storm *storm, struct worker *worker);

/* ---- One handshake ---------------------------------------------------------------------------------- */

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct slot *slot = swale_client_user(client);
    struct worker *worker = slot->worker;
    struct tally *tally = worker->tally;
    uint64_t now = ticker_now();
    (void)opening;
    tally->opened++;
    if (worker_counts(worker, slot->due)) {
        tally->received++;
        histogram_record(&tally->latency, now - slot->due);
    }
    if (worker_counts(worker, now)) {
        tally->arrived++;
        worker->last = now;
    }
    swale_conn_abort(swale_client_conn(client));
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct slot *slot = swale_client_user(client);
    struct tally *tally = slot->worker->tally;
    int status = failure->response ? failure->response->status : 0;
    tally->failed++;
    tally_error(tally, failure->phase, failure->reason, status);
    if (!tally->fault[0])
        snprintf(tally->fault, sizeof tally->fault, "%s", failure->text);
}

/* A server that can not be reached at all is not asked for ever. */
static bool is_hopeless(const struct storm *storm, const struct tally *tally)
{
    enum { TRIES = 20 };
    return tally->opened == 0 && tally->failed >= (storm->count > TRIES ? storm->count : TRIES);
}

static void on_end(struct swale_client *client, int reason)
{
    struct slot *slot = swale_client_user(client);
    struct worker *worker = slot->worker;
    struct storm *storm = worker->load;
    (void)reason;
    storm->free[storm->free_count++] = (uint32_t)(slot - storm->slots);
    if (is_hopeless(storm, worker->tally))
        worker_stop(worker);
    else
        go_on(storm, worker);
}

static const struct swale_client_handler handler = { .on_open = on_open, .on_fail = on_fail, .on_end = on_end };

static int begin_in(struct slot *slot)
{
    struct worker *worker = slot->worker;
    struct storm *storm = worker->load;
    if (slot->client)
        return swale_client_reconnect(slot->client);
    struct plan_share share = worker_share(worker, worker->plan->options->connections);
    struct swale_client_options *options = dial_options(&worker->dial, share.first + (uint64_t)(slot - storm->slots));
    options->handler = &handler;
    options->user = slot;
    return swale_client_new(&slot->client, worker->loop, options, worker->tally->fault);
}

static void begin_handshake(struct storm *storm, struct worker *worker, uint64_t due, uint64_t now)
{
    struct slot *slot = &storm->slots[storm->free[--storm->free_count]];
    struct tally *tally = worker->tally;
    slot->due = due;
    storm->begun++;
    if (worker_counts(worker, due)) {
        tally->asked++;
        tally->sent++;
        if (storm->paced)
            histogram_record(&tally->lateness, now - due);
    }
    int error = begin_in(slot);
    if (error < 0)
        worker_fail(worker, error);
}

/* ---- The storm -------------------------------------------------------------------------------------- */

static uint64_t due_until(const struct storm *storm, uint64_t until)
{
    uint64_t due = storm->paced ? pace_due(&storm->pace, until) : UINT64_MAX;
    return due < storm->quota ? due : storm->quota;
}

static void go_on(struct storm *storm, struct worker *worker)
{
    uint64_t now = ticker_now();
    uint64_t due = due_until(storm, now);
    while (worker->sending && storm->free_count > 0 && storm->begun < due)
        begin_handshake(storm, worker, storm->paced ? pace_time(&storm->pace, storm->begun) : now, now);
    if (storm->begun == storm->quota)
        worker_stop(worker);
}

static void on_ticker(struct ticker *ticker)
{
    struct worker *worker = ticker->context;
    struct storm *storm = worker->load;
    go_on(storm, worker);
    /* Those that are due and find no slot free are begun when one is: it is the next that is not due to wait for. */
    if (worker->sending)
        ticker_arm(ticker, pace_time(&storm->pace, due_until(storm, ticker_now())));
}

static int open_storm(struct worker *worker)
{
    struct storm *storm = calloc(1, sizeof *storm);
    worker->load = storm;
    if (!storm)
        return -ENOMEM;
    storm->count = (uint32_t)worker_share(worker, worker->plan->options->connections).count;
    storm->slots = calloc(storm->count, sizeof *storm->slots);
    storm->free = calloc(storm->count, sizeof *storm->free);
    if (!storm->slots || !storm->free)
        return -ENOMEM;
    for (; storm->free_count < storm->count; storm->free_count++) {
        storm->slots[storm->free_count].worker = worker;
        storm->free[storm->free_count] = storm->free_count;
    }
    worker_ready(worker);
    return 0;
}

static int start_pace(struct storm *storm, struct worker *worker)
{
    storm->pace = worker_pace(worker, worker->start);
    storm->ticker.fire = on_ticker;
    storm->ticker.context = worker;
    int error = ticker_start(&storm->ticker, worker->loop);
    if (error == 0)
        ticker_arm(&storm->ticker, pace_time(&storm->pace, 0));
    return error;
}

static void start_storm(struct worker *worker)
{
    struct storm *storm = worker->load;
    const struct bench_options *options = worker->plan->options;
    storm->paced = options->rate > 0;
    storm->quota = worker_count(worker);
    int error = storm->paced ? start_pace(storm, worker) : 0;
    if (error < 0)
        worker_fail(worker, error);
    else
        go_on(storm, worker);
}

/* What was due and found no slot was asked for all the same. */
static void stop_storm(struct worker *worker)
{
    struct storm *storm = worker->load;
    uint64_t end = worker->to - 1;
    uint64_t now = ticker_now();
    ticker_stop(&storm->ticker);
    if (!storm->paced)
        return;
    uint64_t due = due_until(storm, end < now ? end : now);
    for (uint64_t n = storm->begun; n < due; n++)
        if (worker_counts(worker, pace_time(&storm->pace, n)))
            worker->tally->asked++;
}

static bool storm_settled(struct worker *worker)
{
    struct storm *storm = worker->load;
    return storm->free_count == storm->count;
}

static void free_storm(struct worker *worker)
{
    struct storm *storm = worker->load;
    if (!storm)
        return;
    ticker_stop(&storm->ticker);
    for (uint32_t i = 0; storm->slots && i < storm->count; i++)
        swale_client_free(storm->slots[i].client);
    free(storm->slots);
    free(storm->free);
    free(storm);
}

const struct worker_mode worker_storm = {
    .open = open_storm,
    .start = start_storm,
    .stop = stop_storm,
    .settled = storm_settled,
    .done = free_storm,
};
