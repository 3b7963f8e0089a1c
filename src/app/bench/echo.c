/* echo.c - the mode in which every message comes back on the connection that sent it, in the order in which it was
 * sent: the nth message that a connection receives answers the nth that it sent. */
#include "app/bench/payload.h"
#include "app/bench/senders.h"

#include <errno.h>
#include <stdlib.h>

/* Answers that came at one time, to messages that left at one time: with many in flight, all that one read brought.
 * They are counted together. */
struct run {
    uint64_t due, now;
    uint64_t count, bytes; /* not counted yet */
};

struct echo {
    struct links links; /* first: links.c finds it here */
    struct senders senders;
    struct run run;
    char *message;
    size_t size;
    enum swale_kind kind;
    bool verify;
};

/* With --verify a message begins with whose it is and its number: the number first, so that a message too short for
 * all of it has the part that changes. */
static uint64_t stamp_of(const struct link *link, uint64_t number)
{
    return (uint64_t)link->number << 32 | (number & UINT32_MAX);
}

static int send_message(struct link *link, uint64_t due)
{
    struct echo *echo = link->worker->load;
    (void)due;
    if (echo->verify)
        payload_put(echo->message, echo->size, stamp_of(link, link->sent));
    return swale_conn_send(link->conn, echo->kind, echo->message, echo->size);
}

/* Compares the next part of the oldest answer that is to come. */
static void compare(struct echo *echo, struct link *link, const struct swale_part *part)
{
    if (part->first) {
        link->compared = 0;
        link->wrong = part->kind != echo->kind;
    }
    if (link->wrong || part->data.size > echo->size - link->compared) {
        link->wrong = true;
        return;
    }
    payload_put(echo->message, echo->size, stamp_of(link, link->finished));
    link->wrong =
        part->data.size > 0 && memcmp(part->data.data, echo->message + link->compared, part->data.size) != 0;
    link->compared += part->data.size;
}

/* Out of line, as few ask for it: the messages of the others would pay for the registers that it saves. */
__attribute__((noinline)) static void verify(struct echo *echo, struct link *link, const struct swale_part *part)
{
    compare(echo, link, part);
    if (!part->last)
        return;
    if (link->wrong || link->compared < echo->size)
        link->worker->tally->differed++;
    else
        link->worker->tally->verified++;
}

static void count_run(struct worker *worker, struct run *run)
{
    struct tally *tally = worker->tally;
    if (run->count > 0 && worker_counts(worker, run->due)) {
        tally->received += run->count;
        histogram_record_many(&tally->latency, run->now > run->due ? run->now - run->due : 0, run->count);
    }
    if (run->count > 0 && worker_counts(worker, run->now)) {
        tally->arrived += run->count;
        tally->bytes_received += run->bytes;
        worker->last = run->now;
    }
    run->count = run->bytes = 0;
}

/* Out of line, as verify is. */
__attribute__((noinline)) static void begin_run(struct worker *worker, struct run *run, uint64_t due, uint64_t now)
{
    count_run(worker, run);
    run->due = due;
    run->now = now;
}

/* With its last part, of so many bytes. */
static void take_answer(struct echo *echo, struct link *link, size_t size, uint64_t now)
{
    struct run *run = &echo->run;
    uint64_t due = senders_finish(&echo->senders, link);
    if (run->due != due || run->now != now)
        begin_run(link->worker, run, due, now);
    run->count++;
    run->bytes += size;
    senders_refill(&echo->senders, link, now);
}

/* Parts, because nothing has to be put together and copied for them. */
static void on_part(struct swale_client *client, const struct swale_part *part)
{
    struct link *link = link_of(client);
    struct worker *worker = link->worker;
    struct echo *echo = worker->load;
    if (link->finished == link->sent) {
        worker->tally->unexpected += part->last;
        return;
    }
    uint64_t now = worker_time(worker, link);
    if (echo->verify)
        verify(echo, link, part);
    if (part->last)
        take_answer(echo, link, part->data.size, now);
    else if (worker_counts(worker, now))
        worker->tally->bytes_received += part->data.size;
}

static void on_drain(struct swale_client *client)
{
    struct link *link = link_of(client);
    struct echo *echo = link->worker->load;
    senders_drained(&echo->senders, link);
}

static void on_lost(struct link *link)
{
    struct echo *echo = link->worker->load;
    senders_lost(&echo->senders, link, echo->links.open_count);
}

static int open_echo(struct worker *worker)
{
    const struct bench_options *options = worker->plan->options;
    struct echo *echo = calloc(1, sizeof *echo);
    worker->load = echo;
    if (!echo)
        return -ENOMEM;
    echo->size = options->size;
    echo->kind = options->binary ? SWALE_BINARY : SWALE_TEXT;
    echo->verify = options->verify;
    echo->message = malloc(echo->size);
    if (!echo->message)
        return -ENOMEM;
    payload_fill(echo->message, echo->size, options->binary);
    echo->links.worker = worker;
    echo->links.handler = (struct swale_client_handler){ .on_part = on_part, .on_drain = on_drain };
    echo->links.on_lost = on_lost;
    echo->links.shares[0] = worker_share(worker, options->connections);
    echo->senders.worker = worker;
    echo->senders.send = send_message;
    return links_open(&echo->links);
}

static void start_echo(struct worker *worker)
{
    struct echo *echo = worker->load;
    echo->senders.open = echo->links.open;
    echo->senders.open_count = echo->links.open_count;
    int error = senders_start(&echo->senders);
    if (error < 0)
        worker_fail(worker, error);
}

static void stop_echo(struct worker *worker)
{
    struct echo *echo = worker->load;
    links_stop(&echo->links);
    senders_stop(&echo->senders);
}

static void end_turn(struct worker *worker)
{
    struct echo *echo = worker->load;
    count_run(worker, &echo->run);
}

static bool echo_settled(struct worker *worker)
{
    struct echo *echo = worker->load;
    return echo->senders.outstanding == 0;
}

static void free_echo(struct worker *worker)
{
    struct echo *echo = worker->load;
    if (!echo)
        return;
    senders_done(&echo->senders);
    links_done(&echo->links);
    free(echo->message);
    free(echo);
}

const struct worker_mode worker_echo = {
    .open = open_echo,
    .start = start_echo,
    .stop = stop_echo,
    .turned = end_turn,
    .settled = echo_settled,
    .done = free_echo,
};
