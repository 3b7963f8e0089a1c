#include "app/bench/ticker.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000 };

uint64_t ticker_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void on_ready(struct swale_watch *watch, unsigned events)
{
    struct ticker *ticker = watch->context;
    uint64_t times;
    (void)events;
    if (read(watch->fd, &times, sizeof times) == (ssize_t)sizeof times)
        ticker->fire(ticker);
}

int ticker_start(struct ticker *ticker, struct swale_loop *loop)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    ticker->loop = loop;
    ticker->watch = (struct swale_watch){ .ready = on_ready, .context = ticker, .fd = fd };
    int error = swale_watch_start(loop, &ticker->watch, SWALE_READABLE);
    if (error < 0) {
        close(fd);
        ticker->loop = NULL;
    }
    return error;
}

void ticker_arm(struct ticker *ticker, uint64_t instant)
{
    /* Zero would switch it off. */
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(instant / SECOND),
                                             .tv_nsec = (long)(instant % SECOND) + (instant == 0) } };
    timerfd_settime(ticker->watch.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void ticker_stop(struct ticker *ticker)
{
    if (!ticker->loop)
        return;
    swale_watch_stop(ticker->loop, &ticker->watch);
    close(ticker->watch.fd);
    ticker->loop = NULL;
}
