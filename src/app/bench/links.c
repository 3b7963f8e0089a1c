#include "app/bench/links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct links *links_of(struct link *link)
{
    return link->worker->load; /* every mode's load begins with its links */
}

static void open_more(struct links *links);

/* ---- One link --------------------------------------------------------------------------------------- */

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct link *link = link_of(client);
    struct links *links = links_of(link);
    struct tally *tally = link->worker->tally;
    (void)opening;
    link->conn = swale_client_conn(client);
    link->place = links->open_count;
    links->open[links->open_count++] = link;
    tally->opened++;
    tally->open++;
    histogram_record(&tally->opening, ticker_now() - link->began);
    links->opening--;
    open_more(links);
}

static void count_failure(struct worker *worker, enum swale_client_phase phase, int reason, int code,
                          const char *text)
{
    struct tally *tally = worker->tally;
    tally_error(tally, phase, reason, code);
    if (!tally->fault[0])
        snprintf(tally->fault, sizeof tally->fault, "%s", text);
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct link *link = link_of(client);
    struct links *links = links_of(link);
    int status = failure->response ? failure->response->status : 0;
    link->worker->tally->failed++;
    count_failure(link->worker, failure->phase, failure->reason, status, failure->text);
    links->opening--;
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct link *link = link_of(client);
    struct links *links = links_of(link);
    const struct swale_close *close = &closing->close;
    links->open[link->place] = links->open[--links->open_count];
    links->open[link->place]->place = link->place;
    link->conn = NULL;
    if (links->closing)
        return;
    link->worker->tally->lost++;
    link->worker->tally->open--;
    /* 1005 and 1006 say that no code came. */
    count_failure(link->worker, SWALE_PHASE_OPEN, close->reason,
                  close->code == 1005 || close->code == 1006 ? 0 : close->code, swale_strerror(close->reason));
    if (links->on_lost)
        links->on_lost(link);
}

static void on_end(struct swale_client *client, int reason)
{
    struct link *link = link_of(client);
    (void)reason;
    link->client = NULL;
    swale_client_free(client);
    open_more(links_of(link));
}

static int open_link(struct links *links, struct link *link, uint64_t connection)
{
    struct swale_client_options *options = dial_options(&links->worker->dial, connection);
    char message[SWALE_CLIENT_MESSAGE_MAX];
    options->handler = &links->handler;
    options->user = link;
    link->worker = links->worker;
    link->began = ticker_now();
    int error = swale_client_new(&link->client, links->worker->loop, options, message);
    if (error < 0) {
        links->worker->tally->failed++;
        count_failure(links->worker, SWALE_PHASE_RESOLVE, error, 0, message);
    }
    return error;
}

/* ---- All of them ------------------------------------------------------------------------------------ */

static uint64_t connection_of(const struct links *links, uint32_t number)
{
    const struct plan_share *shares = links->shares;
    return number < shares[0].count ? shares[0].first + number : shares[1].first + number - shares[0].count;
}

/* How many may have been begun by now. */
static uint64_t allowed(struct links *links)
{
    if (!links->paced)
        return links->count;
    uint64_t due = pace_due(&links->pace, ticker_now());
    if (due < links->count)
        ticker_arm(&links->ticker, pace_time(&links->pace, due));
    return due;
}

static void settle(struct links *links)
{
    bool all = links->next == links->count && links->opening == 0;
    if (!all || links->settled || links->stopped)
        return;
    links->settled = true;
    worker_ready(links->worker);
}

static void open_more(struct links *links)
{
    uint64_t most = links->next < links->count && !links->stopped ? allowed(links) : links->next;
    while (links->next < links->count && links->next < most &&
           links->opening < links->worker->plan->options->opening) {
        struct link *link = &links->all[links->next];
        link->number = links->next++;
        if (open_link(links, link, connection_of(links, link->number)) == 0)
            links->opening++;
    }
    settle(links);
}

static void on_ticker(struct ticker *ticker)
{
    open_more(ticker->context);
}

int links_open(struct links *links)
{
    struct worker *worker = links->worker;
    links->handler.on_open = on_open;
    links->handler.on_close = on_close;
    links->handler.on_fail = on_fail;
    links->handler.on_end = on_end;
    links->count = (uint32_t)(links->shares[0].count + links->shares[1].count);
    links->all = calloc(links->count, sizeof *links->all);
    links->open = calloc(links->count, sizeof(struct link *));
    if (!links->all || !links->open)
        return -ENOMEM;
    if (links->paced) {
        links->ticker.fire = on_ticker;
        links->ticker.context = links;
        links->pace = worker_pace(worker, ticker_now());
        int error = ticker_start(&links->ticker, worker->loop);
        if (error < 0)
            return error;
    }
    open_more(links);
    return 0;
}

void links_stop(struct links *links)
{
    links->stopped = true;
}

static void drop_unopened(struct links *links)
{
    for (uint32_t i = 0; links->all && i < links->next; i++) {
        struct link *link = &links->all[i];
        if (link->conn)
            continue;
        swale_client_free(link->client);
        link->client = NULL;
    }
}

static void close_all(struct links *links)
{
    enum { PATIENCE_MS = 1000 };
    struct swale_loop *loop = links->worker->loop;
    uint64_t deadline = swale_loop_now(loop) + PATIENCE_MS;
    links->closing = true;
    drop_unopened(links);
    for (uint32_t i = 0; i < links->open_count; i++)
        swale_client_close(links->open[i]->client, 1000, NULL);
    while (links->open_count > 0 && swale_loop_now(loop) < deadline)
        if (swale_loop_step(loop, PATIENCE_MS) < 0)
            return;
}

void links_done(struct links *links)
{
    links_stop(links);
    ticker_stop(&links->ticker);
    close_all(links);
    for (uint32_t i = 0; links->all && i < links->count; i++) {
        swale_client_free(links->all[i].client);
        free(links->all[i].flights);
        free(links->all[i].next);
    }
    free(links->all);
    free(links->open);
}
