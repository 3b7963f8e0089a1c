/* signals.h - a thread that waits for signals, so that nothing runs inside a handler. SIGTERM and SIGINT stop the
 * server (the second one at once), SIGHUP reads the certificates again, SIGPIPE is ignored. */
#ifndef SWALE_APP_SIGNALS_H
#define SWALE_APP_SIGNALS_H

#include <pthread.h>

struct signals {
    void (*on_stop)(void *context);
    void (*on_reload)(void *context);
    void *context;
    pthread_t thread;
};

/* Keeps the signals from every thread that is started afterwards. First of all. */
void signals_block(void);

/* Starts the thread, which calls back on itself. 0 or -errno. */
int signals_start(struct signals *signals);

/* Ends the thread. */
void signals_end(struct signals *signals);

#endif
