/* fan_out.c - the mode in which every message of a publisher goes to all subscribers, which may be in other
 * processes.
 *
 * A message carries three stamps: when it was meant to leave, whose it is and its number, and which run it is of. The
 * clock is the same in all processes of a machine.
 *
 * In a closed loop a message has finished when it has reached the subscribers of its publisher's own process: what
 * the others have received cannot be known without asking them, which would take longer than what is measured.
 * Messages of one publisher come in the order in which they were sent, so the first of them to be sent is the first
 * to finish.
 */
#include "app/bench/payload.h"
#include "app/bench/senders.h"

#include <errno.h>
#include <stdlib.h>

enum { AT_TIME = 0, AT_NUMBER = PAYLOAD_STAMP, AT_RUN = 2 * PAYLOAD_STAMP, STAMPED = 3 * PAYLOAD_STAMP };
_Static_assert((int)STAMPED == (int)BENCH_FAN_OUT_SIZE_MIN, "what the options allow is what is needed");

struct fan_out {
    struct links links; /* first: links.c finds it here. The subscribers come first, then the publishers */
    struct senders senders;
    struct link **publishers;                   /* those that are open */
    uint32_t subscriber_count, publisher_count; /* that are open */
    uint64_t received;                          /* by the subscribers that are open, in the whole run */
    char *message;
    size_t size;
    enum swale_kind kind;
    bool verify;
    bool started; /* the numbers of those that are open are known, and kept up to date */
};

/* What the stamps of a message say. */
struct stamps {
    uint64_t due;
    uint32_t publisher; /* of the whole run */
    uint32_t number;    /* of its messages; 32 bits of it */
};

static bool is_subscriber(const struct fan_out *fan, const struct link *link)
{
    return link->number < fan->links.shares[0].count;
}

/* ---- Publishing ------------------------------------------------------------------------------------- */

static uint32_t publisher_number(const struct fan_out *fan, const struct link *link)
{
    const struct plan_share *shares = fan->links.shares;
    return (uint32_t)(shares[1].first - link->worker->plan->options->subscribers + link->number - shares[0].count);
}

static int send_message(struct link *link, uint64_t due)
{
    struct fan_out *fan = link->worker->load;
    uint64_t number = (uint64_t)publisher_number(fan, link) << 32 | (link->sent & UINT32_MAX);
    payload_put(fan->message + AT_TIME, PAYLOAD_STAMP, due);
    payload_put(fan->message + AT_NUMBER, PAYLOAD_STAMP, number);
    link->flights[link->sent & (link->flights_size - 1)].left = fan->subscriber_count;
    return swale_conn_send(link->conn, fan->kind, fan->message, fan->size);
}

/* The link of a publisher, if it is one of this process and open. */
static struct link *find_publisher(struct fan_out *fan, uint32_t publisher)
{
    const struct plan_share *shares = fan->links.shares;
    uint32_t first = (uint32_t)(shares[1].first - fan->links.worker->plan->options->subscribers);
    if (publisher < first || publisher - first >= shares[1].count)
        return NULL;
    struct link *link = &fan->links.all[shares[0].count + (publisher - first)];
    return link->conn ? link : NULL;
}

/* A subscriber has the messages from `from` up to `to`, or will never get them. */
static void mark_reached(struct fan_out *fan, struct link *publisher, uint32_t from, uint32_t to, uint64_t now)
{
    for (uint32_t number = from; number != to; number++)
        publisher->flights[number & (publisher->flights_size - 1)].left--;
    while (publisher->finished < publisher->sent &&
           publisher->flights[publisher->finished & (publisher->flights_size - 1)].left == 0)
        senders_finish(&fan->senders, publisher);
    senders_refill(&fan->senders, publisher, now);
}

/* ---- Receiving -------------------------------------------------------------------------------------- */

static bool read_stamps(const struct fan_out *fan, const struct swale_message *message, struct stamps *stamps)
{
    const char *data = message->data.data;
    if (message->data.size < STAMPED || memcmp(data + AT_RUN, fan->message + AT_RUN, PAYLOAD_STAMP) != 0)
        return false;
    uint64_t number = payload_get(data + AT_NUMBER);
    stamps->due = payload_get(data + AT_TIME);
    stamps->publisher = (uint32_t)(number >> 32);
    stamps->number = (uint32_t)number;
    return stamps->publisher < fan->links.worker->plan->options->publishers;
}

static bool is_whole(const struct fan_out *fan, const struct swale_message *message)
{
    return message->data.size == fan->size && message->kind == fan->kind &&
           memcmp(message->data.data + STAMPED, fan->message + STAMPED, fan->size - STAMPED) == 0;
}

static void verify(const struct fan_out *fan, struct tally *tally, const struct swale_message *message, bool in_order)
{
    if (in_order && is_whole(fan, message))
        tally->verified++;
    else
        tally->differed++;
}

static void count_delivery(struct worker *worker, const struct swale_message *message, uint64_t due, uint64_t now)
{
    struct tally *tally = worker->tally;
    if (worker_counts(worker, due)) {
        tally->received++;
        histogram_record(&tally->latency, now > due ? now - due : 0);
    }
    if (worker_counts(worker, now)) {
        tally->arrived++;
        tally->bytes_received += message->data.size;
        worker->last = now;
    }
}

/* Only the numbers ahead of the next one are new: at most half of all 32-bit numbers. */
static bool is_new(uint32_t number, uint32_t next)
{
    return number - next < UINT32_C(1) << 31;
}

/* Publishers of other processes may begin before this one has heard of it. */
static bool prepare(struct link *link)
{
    struct worker *worker = link->worker;
    if (worker->start == 0)
        worker_learn_start(worker);
    if (!link->next)
        link->next = calloc(worker->plan->options->publishers, sizeof *link->next);
    if (!link->next)
        worker_fail(worker, -ENOMEM); /* what is not counted would be waited for, for ever */
    return link->next != NULL;
}

static void take_delivery(struct fan_out *fan, struct link *link, const struct swale_message *message)
{
    struct worker *worker = link->worker;
    uint64_t now = worker_time(worker, link);
    struct stamps stamps;
    if (!prepare(link) || !read_stamps(fan, message, &stamps) ||
        !is_new(stamps.number, link->next[stamps.publisher])) {
        worker->tally->unexpected++;
        return;
    }
    uint32_t expected = link->next[stamps.publisher];
    link->next[stamps.publisher] = stamps.number + 1;
    link->received++;
    fan->received++;
    count_delivery(worker, message, stamps.due, now);
    if (fan->verify)
        verify(fan, worker->tally, message, stamps.number == expected);
    struct link *publisher = find_publisher(fan, stamps.publisher);
    if (publisher && is_new((uint32_t)publisher->sent, stamps.number + 1))
        mark_reached(fan, publisher, expected, stamps.number + 1, now);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct link *link = link_of(client);
    struct fan_out *fan = link->worker->load;
    if (is_subscriber(fan, link))
        take_delivery(fan, link, message); /* else what other publishers say, which is not this one's business */
}

static void on_drain(struct swale_client *client)
{
    struct link *link = link_of(client);
    struct fan_out *fan = link->worker->load;
    senders_drained(&fan->senders, link);
}

/* ---- Losing ----------------------------------------------------------------------------------------- */

static void forget_publisher(struct fan_out *fan, struct link *link)
{
    uint32_t at = 0;
    while (at < fan->publisher_count && fan->publishers[at] != link)
        at++;
    if (at == fan->publisher_count)
        return; /* it was lost before the start */
    fan->publishers[at] = fan->publishers[--fan->publisher_count];
    senders_lost(&fan->senders, link, fan->publisher_count);
}

/* Nobody is to wait for it any more. */
static void forget_subscriber(struct fan_out *fan, struct link *link)
{
    uint64_t now = ticker_now();
    fan->received -= link->received;
    if (!fan->started)
        return;
    fan->subscriber_count--;
    if (fan->subscriber_count == 0)
        worker_stop(link->worker);
    for (uint32_t i = fan->publisher_count; i-- > 0;) {
        struct link *publisher = fan->publishers[i];
        uint32_t next = link->next ? link->next[publisher_number(fan, publisher)] : 0;
        mark_reached(fan, publisher, next, (uint32_t)publisher->sent, now);
    }
}

static void on_lost(struct link *link)
{
    struct fan_out *fan = link->worker->load;
    if (is_subscriber(fan, link))
        forget_subscriber(fan, link);
    else
        forget_publisher(fan, link);
}

/* ---- The whole -------------------------------------------------------------------------------------- */

static int open_fan_out(struct worker *worker)
{
    const struct bench_options *options = worker->plan->options;
    struct fan_out *fan = calloc(1, sizeof *fan);
    worker->load = fan;
    if (!fan)
        return -ENOMEM;
    fan->size = options->size;
    fan->kind = options->binary ? SWALE_BINARY : SWALE_TEXT;
    fan->verify = options->verify;
    fan->links.worker = worker;
    fan->links.handler = (struct swale_client_handler){ .on_message = on_message, .on_drain = on_drain };
    fan->links.on_lost = on_lost;
    fan->links.shares[0] = worker_share(worker, options->subscribers);
    fan->links.shares[1] = worker_share(worker, options->publishers);
    fan->links.shares[1].first += options->subscribers;
    fan->senders.worker = worker;
    fan->senders.send = send_message;
    fan->message = malloc(fan->size);
    fan->publishers = calloc(options->publishers, sizeof(struct link *));
    if (!fan->message || !fan->publishers)
        return -ENOMEM;
    payload_fill(fan->message, fan->size, options->binary);
    payload_put(fan->message + AT_RUN, PAYLOAD_STAMP, worker->plan->run);
    return links_open(&fan->links);
}

static void enlist_all(struct fan_out *fan)
{
    for (uint32_t i = 0; i < fan->links.open_count; i++)
        if (is_subscriber(fan, fan->links.open[i]))
            fan->subscriber_count++;
        else
            fan->publishers[fan->publisher_count++] = fan->links.open[i];
    fan->started = true;
}

/* A process that has no publisher has nothing to end its run by, if it ends by count: it waits for the others, see
 * fan_out_settled. */
static int start_publishing(struct worker *worker)
{
    struct fan_out *fan = worker->load;
    if (fan->publisher_count == 0 || fan->subscriber_count == 0) {
        if (worker->plan->options->count || fan->subscriber_count == 0)
            worker_stop(worker);
        return 0;
    }
    fan->senders.open = fan->publishers;
    fan->senders.open_count = fan->publisher_count;
    return senders_start(&fan->senders);
}

static void start_fan_out(struct worker *worker)
{
    struct fan_out *fan = worker->load;
    enlist_all(fan);
    worker->tally->subscribers = fan->subscriber_count;
    int error = start_publishing(worker);
    if (error < 0)
        worker_fail(worker, error);
}

/* What this process has sent, or is still going to send. */
static uint64_t sent_by(const struct worker *worker)
{
    struct fan_out *fan = worker->load;
    uint64_t sent = 0;
    for (uint64_t i = 0; i < fan->links.shares[1].count; i++)
        sent += fan->links.all[fan->links.shares[0].count + i].assigned;
    return sent;
}

static void stop_fan_out(struct worker *worker)
{
    struct fan_out *fan = worker->load;
    links_stop(&fan->links);
    senders_stop(&fan->senders);
    atomic_store(&worker->seat->sent, sent_by(worker));
}

/* Everything that any process has sent is here. While one still sends, there is no deadline. */
static bool fan_out_settled(struct worker *worker)
{
    struct fan_out *fan = worker->load;
    uint64_t sent = 0;
    for (uint32_t i = 0; i < worker->board->workers; i++) {
        struct board_seat *seat = &worker->board->seats[i];
        if (atomic_load(&seat->stage) < BOARD_SENT) {
            worker->deadline = worker_deadline(worker);
            return false;
        }
        sent += atomic_load(&seat->sent);
    }
    return fan->received >= sent * fan->subscriber_count;
}

static void free_fan_out(struct worker *worker)
{
    struct fan_out *fan = worker->load;
    if (!fan)
        return;
    senders_done(&fan->senders);
    links_done(&fan->links);
    free(fan->publishers);
    free(fan->message);
    free(fan);
}

const struct worker_mode worker_fan_out = {
    .open = open_fan_out,
    .start = start_fan_out,
    .stop = stop_fan_out,
    .settled = fan_out_settled,
    .done = free_fan_out,
};
