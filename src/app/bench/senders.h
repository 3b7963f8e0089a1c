/* senders.h - who sends when: a closed loop, which sends the next message when one has finished, or an open one,
 * which sends at fixed times whatever becomes of the messages before.
 *
 * In an open loop a message that is due is assigned to one of the senders, in turns, and leaves at once if it can:
 * the queue of that one is not full, and less than `depth` of its messages are in flight. Otherwise it waits with
 * that sender, and its latency grows meanwhile.
 */
#ifndef SWALE_APP_SENDERS_H
#define SWALE_APP_SENDERS_H

#include "app/bench/links.h"

struct senders {
    struct worker *worker;
    struct link **open; /* who may send, at present */
    uint32_t open_count;
    /* Sends link->sent, which was due then. As swale_conn_send. */
    int (*send)(struct link *link, uint64_t due);
    uint32_t depth;
    bool paced;

    uint64_t outstanding; /* assigned and not finished, of those that are open */
    uint64_t to_assign;   /* closed loop: until the count is reached */
    uint64_t assigned;    /* open loop */
    uint64_t quota;       /* open loop: of assigned */
    uint32_t turn;
    struct pace pace;
    struct ticker ticker;
};

/* Begins; at worker->start, with worker, open, open_count and send set. 0 or -errno. */
int senders_start(struct senders *senders);

/* Whatever is due by now is sent if it can be at once, and nothing any more but what a count still asks for. Also
 * before senders_start. */
void senders_stop(struct senders *senders);
void senders_done(struct senders *senders);

/* The oldest message of this link that was not finished, is; it was due at the instant that is returned. The caller
 * has made sure that there is one. senders_refill afterwards sends the next. */
static inline uint64_t senders_finish(struct senders *senders, struct link *link)
{
    senders->outstanding--;
    return link->flights[link->finished++ & (link->flights_size - 1)].due;
}

/* Whether one message for the one that has finished is all that the link may send: nearly always so, in a closed
 * loop. */
static inline bool senders_steady(const struct senders *senders, const struct link *link)
{
    return link->sent == link->assigned && !link->full && !senders->paced && senders->worker->sending &&
           link->assigned - link->finished + 1 == senders->depth && link->flights_size >= senders->depth &&
           link->assigned != link->limit && senders->to_assign != 1;
}

/* What came of one that was counted as sent, if it is not 0. */
void senders_note_result(struct senders *senders, struct link *link, bool counts, int result);

/* Assigns the link one more, and sends it. */
static inline void senders_send_one(struct senders *senders, struct link *link, uint64_t now)
{
    struct tally *tally = senders->worker->tally;
    bool counts = worker_counts(senders->worker, now);
    link->flights[link->assigned++ & (link->flights_size - 1)].due = now;
    senders->outstanding++;
    senders->to_assign--;
    tally->asked += counts;
    tally->sent += counts;
    int result = senders->send(link, now);
    if (result == 0)
        link->sent++;
    else
        senders_note_result(senders, link, counts, result);
}

/* Sends what the link may send: after senders_finish, and when its queue has room again. */
void senders_refill_all(struct senders *senders, struct link *link, uint64_t now);
static inline void senders_refill(struct senders *senders, struct link *link, uint64_t now)
{
    if (senders_steady(senders, link))
        senders_send_one(senders, link, now);
    else
        senders_refill_all(senders, link, now);
}
void senders_drained(struct senders *senders, struct link *link);

/* The link is lost, and out of the open ones (whose new number this is) already. */
void senders_lost(struct senders *senders, struct link *link, uint32_t open_count);

#endif
