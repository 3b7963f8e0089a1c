/* ticker.h - a timer of nanoseconds on a loop, whose own are of milliseconds: a timerfd that the loop watches. */
#ifndef SWALE_APP_TICKER_H
#define SWALE_APP_TICKER_H

#include <stdint.h>
#include <swale/loop.h>

/* Nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
uint64_t ticker_now(void);

struct ticker {
    void (*fire)(struct ticker *ticker);
    void *context;
    struct swale_loop *loop;
    struct swale_watch watch;
};

/* Set fire and context first. It stays where it is until ticker_stop. 0 or -errno. */
int ticker_start(struct ticker *ticker, struct swale_loop *loop);

/* Fires once, at this instant or, when that has passed, in the next turn. Moves an instant set before. */
void ticker_arm(struct ticker *ticker, uint64_t instant);

/* Nothing happens to one that was never started, if it is zeroed. */
void ticker_stop(struct ticker *ticker);

#endif
