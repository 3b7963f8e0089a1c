#include "app/bench/senders.h"

#include <errno.h>
#include <stdlib.h>

/* In an open loop, a sender with so many messages unfinished gets no more of them. */
enum { FLIGHTS_FIRST = 4, FLIGHTS_MAX = 1 << 20 };

/* ---- Messages under way ----------------------------------------------------------------------------- */

/* False also where the sender has as much under way as it may have. */
static bool grow_flights(struct link *link)
{
    uint32_t old = link->flights_size;
    uint32_t size = old ? 2 * old : FLIGHTS_FIRST;
    if (size > FLIGHTS_MAX)
        return false;
    struct flight *flights = malloc(size * sizeof *flights);
    if (!flights) {
        worker_fail(link->worker, -ENOMEM);
        return false;
    }
    for (uint64_t n = link->finished; n < link->assigned; n++)
        flights[n & (size - 1)] = link->flights[n & (old - 1)];
    free(link->flights);
    link->flights = flights;
    link->flights_size = size;
    return true;
}

/* One more message is meant to leave at this instant. */
static bool assign(struct senders *senders, struct link *link, uint64_t due)
{
    if (link->assigned - link->finished == link->flights_size && !grow_flights(link))
        return false;
    link->flights[link->assigned++ & (link->flights_size - 1)] = (struct flight){ .due = due };
    senders->outstanding++;
    if (worker_counts(senders->worker, due))
        senders->worker->tally->asked++;
    return true;
}

static void count_sent(struct senders *senders, uint64_t due, uint64_t now)
{
    struct worker *worker = senders->worker;
    if (!worker_counts(worker, due))
        return;
    worker->tally->sent++;
    if (senders->paced)
        histogram_record(&worker->tally->lateness, now - due);
}

/* An error means that the connection is about to be lost, which is heard of by itself; but for want of memory the
 * message is gone and the connection is not, and nothing would ever go on. */
static void send_assigned(struct senders *senders, struct link *link, uint64_t now)
{
    while (link->sent < link->assigned && !link->full && link->sent - link->finished < senders->depth) {
        uint64_t due = link->flights[link->sent & (link->flights_size - 1)].due;
        int result = senders->send(link, due);
        if (result == -ENOMEM)
            worker_fail(senders->worker, result);
        if (result < 0)
            return;
        link->full = result == SWALE_FULL;
        link->sent++;
        count_sent(senders, due, now);
    }
}

/* ---- The closed loop -------------------------------------------------------------------------------- */

void senders_note_result(struct senders *senders, struct link *link, bool counts, int result)
{
    link->full = result == SWALE_FULL;
    link->sent += result >= 0;
    senders->worker->tally->sent -= counts && result < 0;
    if (result == -ENOMEM)
        worker_fail(senders->worker, result);
}

static void refill_closed(struct senders *senders, struct link *link, uint64_t now)
{
    while (senders->worker->sending && link->assigned < link->limit &&
           link->assigned - link->finished < senders->depth)
        if (assign(senders, link, now))
            senders->to_assign--;
        else
            break;
    send_assigned(senders, link, now);
    if (senders->to_assign == 0)
        worker_stop(senders->worker);
}

static void start_closed(struct senders *senders)
{
    struct worker *worker = senders->worker;
    uint64_t count = worker_count(worker);
    senders->to_assign = count;
    for (uint32_t i = 0; i < senders->open_count; i++)
        senders->open[i]->limit = count == UINT64_MAX ? count : plan_share(count, i, senders->open_count).count;
    if (senders->to_assign == 0)
        worker_stop(worker);
    for (uint32_t i = 0; i < senders->open_count && worker->sending && !worker->stopped; i++)
        refill_closed(senders, senders->open[i], ticker_now());
}

/* ---- The open loop ---------------------------------------------------------------------------------- */

/* Goes round until one can take it. */
static struct link *assign_to_any(struct senders *senders, uint64_t due)
{
    for (uint32_t tries = 0; tries < senders->open_count; tries++) {
        senders->turn = senders->turn + 1 < senders->open_count ? senders->turn + 1 : 0;
        if (assign(senders, senders->open[senders->turn], due))
            return senders->open[senders->turn];
    }
    return NULL;
}

/* How many are to have been assigned by then. */
static uint64_t due_until(const struct senders *senders, uint64_t until)
{
    uint64_t due = pace_due(&senders->pace, until);
    return due < senders->quota ? due : senders->quota;
}

static void assign_due(struct senders *senders, uint64_t until, uint64_t now)
{
    uint64_t due = due_until(senders, until);
    while (senders->assigned < due) {
        struct link *link = assign_to_any(senders, pace_time(&senders->pace, senders->assigned));
        if (!link)
            return;
        senders->assigned++;
        send_assigned(senders, link, now);
    }
}

static void on_ticker(struct ticker *ticker)
{
    struct senders *senders = ticker->context;
    if (!senders->worker->sending)
        return;
    uint64_t now = ticker_now();
    assign_due(senders, now, now);
    if (senders->assigned == senders->quota)
        worker_stop(senders->worker);
    else
        ticker_arm(ticker, pace_time(&senders->pace, senders->assigned));
}

static int start_paced(struct senders *senders)
{
    struct worker *worker = senders->worker;
    senders->pace = worker_pace(worker, worker->start);
    senders->quota = worker_count(worker);
    senders->ticker.fire = on_ticker;
    senders->ticker.context = senders;
    int error = ticker_start(&senders->ticker, worker->loop);
    if (error == 0)
        ticker_arm(&senders->ticker, pace_time(&senders->pace, 0));
    return error;
}

/* What was due and found nobody who could take it was asked for all the same. */
static void count_unassigned(struct senders *senders, uint64_t end)
{
    uint64_t due = due_until(senders, end);
    for (; senders->assigned < due; senders->assigned++)
        if (worker_counts(senders->worker, pace_time(&senders->pace, senders->assigned)))
            senders->worker->tally->asked++;
}

static void stop_paced(struct senders *senders)
{
    struct worker *worker = senders->worker;
    uint64_t now = ticker_now();
    uint64_t end = worker->to <= now ? worker->to - 1 : now;
    if (end < senders->pace.start)
        return;
    assign_due(senders, end, now);
    count_unassigned(senders, end);
}

/* ---- Both ------------------------------------------------------------------------------------------- */

int senders_start(struct senders *senders)
{
    const struct bench_options *options = senders->worker->plan->options;
    senders->depth = options->depth;
    senders->paced = options->rate > 0;
    if (senders->open_count == 0)
        worker_stop(senders->worker);
    else if (senders->paced)
        return start_paced(senders);
    else
        start_closed(senders);
    return 0;
}

/* What has not left does not leave any more. */
static void drop_unsent(struct senders *senders, struct link *link)
{
    senders->outstanding -= link->assigned - link->sent;
    link->assigned = link->sent;
}

void senders_stop(struct senders *senders)
{
    if (senders->ticker.loop)
        stop_paced(senders);
    ticker_stop(&senders->ticker);
    bool by_count = senders->paced && senders->assigned == senders->quota;
    for (uint32_t i = 0; i < senders->open_count && !by_count; i++)
        drop_unsent(senders, senders->open[i]);
}

void senders_done(struct senders *senders)
{
    ticker_stop(&senders->ticker);
}

void senders_refill_all(struct senders *senders, struct link *link, uint64_t now)
{
    if (senders->paced)
        send_assigned(senders, link, now);
    else if (senders->worker->sending)
        refill_closed(senders, link, now);
}

void senders_drained(struct senders *senders, struct link *link)
{
    link->full = false;
    senders_refill(senders, link, ticker_now());
}

void senders_lost(struct senders *senders, struct link *link, uint32_t open_count)
{
    senders->open_count = open_count;
    senders->outstanding -= link->assigned - link->finished;
    if (!senders->worker->sending)
        return;
    if (!senders->paced && link->limit != UINT64_MAX)
        senders->to_assign -= link->limit - link->assigned;
    if (open_count == 0 || (!senders->paced && senders->to_assign == 0))
        worker_stop(senders->worker);
}
