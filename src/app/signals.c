#include "app/signals.h"

#include <signal.h>
#include <stddef.h>

/* What ends the thread. Blocked like the others, so that one sent by a stranger is only taken for the end when it
 * was queued by signals_end. */
#define END_SIGNAL SIGUSR1

static sigset_t awaited(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, END_SIGNAL);
    return set;
}

void signals_block(void)
{
    sigset_t set = awaited();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log that has reached its limit of size: the write fails, and that is enough */
}

static int next_signal(const struct signals *signals)
{
    sigset_t set = awaited();
    siginfo_t info;
    int number = sigwaitinfo(&set, &info);
    if (number == END_SIGNAL && (info.si_code != SI_QUEUE || info.si_value.sival_ptr != (const void *)signals))
        return 0;
    return number;
}

static void *run(void *argument)
{
    struct signals *signals = argument;
    for (;;) {
        switch (next_signal(signals)) {
        case END_SIGNAL:
            return NULL;
        case SIGHUP:
            signals->on_reload(signals->context);
            break;
        case SIGTERM:
        case SIGINT:
            signals->on_stop(signals->context);
            break;
        default:
            break; /* interrupted, or a stranger's */
        }
    }
}

int signals_start(struct signals *signals)
{
    return -pthread_create(&signals->thread, NULL, run, signals);
}

void signals_end(struct signals *signals)
{
    pthread_sigqueue(signals->thread, END_SIGNAL, (union sigval){ .sival_ptr = signals });
    pthread_join(signals->thread, NULL);
}
