/* worker.h - one process of a load: a loop, and one of the modes on it, led through its stages by the parent.
 *
 *     OPENING --worker_ready--> READY --the parent's start--> RUNNING --worker_stop--> SENT --settled--> DONE
 *                                                  |  warm-up  |  measured  |  what is still to come  |
 *                                                start        from          to
 *
 * Instants are nanoseconds of ticker_now. What counts is what was meant to leave from `from` on, and before `to`.
 */
#ifndef SWALE_APP_WORKER_H
#define SWALE_APP_WORKER_H

#include "app/bench/board.h"
#include "app/bench/dial.h"
#include "app/bench/pace.h"
#include "app/bench/ticker.h"

struct worker;

/* What the modes differ in. `load` is the mode's own. */
struct worker_mode {
    int (*open)(struct worker *worker);     /* begins to connect, and calls worker_ready when it has; or an error */
    void (*start)(struct worker *worker);   /* the load begins */
    void (*stop)(struct worker *worker);    /* sends no more */
    void (*turned)(struct worker *worker);  /* behind each turn of the loop; NULL: there is nothing to do */
    bool (*settled)(struct worker *worker); /* nothing is to come any more. After stop, each turn */
    void (*done)(struct worker *worker);    /* frees all; also after an open that failed */
};
extern const struct worker_mode worker_echo, worker_fan_out, worker_storm, worker_idle;

/* What the parent says, a byte each, through a pipe: the time of the start is on the board; stop at once. The pipe's
 * end means that the parent is gone. */
enum worker_order { WORKER_START = 1, WORKER_STOP = 2 };

struct worker {
    const struct plan *plan;
    uint32_t index; /* of plan->workers */
    struct board *board;
    struct board_seat *seat;
    struct tally *tally; /* the seat's */
    const struct worker_mode *mode;
    void *load;

    struct swale_loop *loop;
    struct dial dial;
    struct swale_watch commands;
    struct swale_timer start_timer, from_timer, to_timer, tick;
    uint64_t start, from, to; /* 0, and twice UINT64_MAX, while they are not known: then nothing counts */
    uint64_t last;            /* when the last thing that counts came */
    uint64_t deadline;        /* for what is still to come, once stopped */
    bool sending, stopped, finished;
    int error;
    uint64_t heap; /* in use before connecting */
    uint64_t cpu_from[2];
    int news; /* to tell the parent that there are some */

    /* The clock, as worker_time has read it. */
    uint64_t turn, time_turn, time;
    const void *time_of;
};

/* The life of a worker's process, from the fork to its exit status. */
int worker_run(const struct plan *plan, struct board *board, uint32_t index, int commands, int news);

/* For the modes: the connections are open, or have failed; and the load is at its end. Both from any callback. */
void worker_ready(struct worker *worker);
void worker_stop(struct worker *worker);

/* Reads the board, for a mode that hears of the start from messages of another process before the order has come. */
void worker_learn_start(struct worker *worker);

/* It cannot go on: its process ends without results. */
void worker_fail(struct worker *worker, int error);

/* Until when to wait for what is still to come, if waiting begins now. */
uint64_t worker_deadline(const struct worker *worker);

/* The share that this worker has of a number of connections; and of those messages or handshakes that --count asks
 * for, UINT64_MAX when it does not. */
struct plan_share worker_share(const struct worker *worker, uint64_t whole);
uint64_t worker_count(const struct worker *worker);

/* The pace of this worker's share of the rate, from `start` on. worker_count is right for it, too: the shares differ
 * by one at most, and the first workers have the larger ones. */
struct pace worker_pace(const struct worker *worker, uint64_t start);

/* Is it within the time that is measured? */
static inline bool worker_counts(const struct worker *worker, uint64_t instant)
{
    return instant - worker->from < worker->to - worker->from;
}

/* The time for something that `whose` connection has received. A connection's messages of one turn came with one
 * read, at one time: the clock is read once for them, which costs as much as handling a message does. */
static inline uint64_t worker_time(struct worker *worker, const void *whose)
{
    if (worker->time_turn != worker->turn || worker->time_of != whose) {
        worker->time_turn = worker->turn;
        worker->time_of = whose;
        worker->time = ticker_now();
    }
    return worker->time;
}

#endif
