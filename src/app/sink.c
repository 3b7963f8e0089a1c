/* sink.c - two buffers take turns: lines go into one while the thread writes the other.
 *
 * The descriptor is not made non-blocking: it may be shared with other processes (a terminal), and it would not
 * help with files. So the thread may be stuck in a write for as long as it takes; then it is cancelled in the end.
 * One that is not stuck ends by itself: to cancel, the C library loads another, for which there may be no memory, and
 * aborts. */
#include "app/sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 256 * 1024 };

struct sink {
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    size_t size; /* of what is in `filling` */
    bool writing, ending;
    _Atomic uint64_t dropped;
    char *filling, *leaving;
    char buffers[2][BUFFER_SIZE];
};

static uint64_t count_lines(const char *data, size_t size)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    return lines;
}

/* A descriptor that someone else made non-blocking is waited for. */
static ptrdiff_t write_some(int fd, const char *data, size_t size)
{
    for (;;) {
        ssize_t written = write(fd, data, size);
        if (written >= 0)
            return written;
        if (errno != EAGAIN && errno != EINTR)
            return -1;
        struct pollfd wanted = { .fd = fd, .events = POLLOUT };
        poll(&wanted, 1, -1);
    }
}

static void write_all(struct sink *sink, const char *data, size_t size)
{
    while (size > 0) {
        ptrdiff_t written = write_some(sink->fd, data, size);
        if (written <= 0) {
            atomic_fetch_add_explicit(&sink->dropped, count_lines(data, size), memory_order_relaxed);
            return;
        }
        data += written;
        size -= (size_t)written;
    }
}

/* Waits for lines and takes them all: swaps the buffers. 0 when there are none and none will come. */
static size_t take(struct sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    sink->writing = false;
    if (sink->size == 0)
        pthread_cond_signal(&sink->emptied);
    while (sink->size == 0 && !sink->ending)
        pthread_cond_wait(&sink->filled, &sink->lock);
    size_t size = sink->size;
    char *full = sink->filling;
    sink->filling = sink->leaving;
    sink->leaving = full;
    sink->size = 0;
    sink->writing = size > 0;
    pthread_mutex_unlock(&sink->lock);
    return size;
}

/* Only a write may be cancelled: elsewhere the lock may be held. */
static void *run(void *argument)
{
    struct sink *sink = argument;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    for (size_t size; (size = take(sink)) > 0;) {
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        write_all(sink, sink->leaving, size);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    }
    return NULL;
}

struct sink *sink_open(int fd)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return NULL;
    sink->fd = fd;
    sink->filling = sink->buffers[0];
    sink->leaving = sink->buffers[1];
    pthread_mutex_init(&sink->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sink->filled, NULL);
    pthread_cond_init(&sink->emptied, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&sink->thread, NULL, run, sink) == 0)
        return sink;
    free(sink);
    return NULL;
}

static struct timespec after(unsigned ms)
{
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += ms / 1000;
    when.tv_nsec += (long)(ms % 1000) * 1000000;
    if (when.tv_nsec >= 1000000000) {
        when.tv_sec++;
        when.tv_nsec -= 1000000000;
    }
    return when;
}

void sink_close(struct sink *sink, unsigned grace_ms)
{
    if (!sink)
        return;
    struct timespec deadline = after(grace_ms);
    pthread_mutex_lock(&sink->lock);
    sink->ending = true;
    pthread_cond_signal(&sink->filled);
    while (sink->size > 0 || sink->writing)
        if (pthread_cond_timedwait(&sink->emptied, &sink->lock, &deadline) != 0)
            break;
    bool stuck = sink->size > 0 || sink->writing;
    pthread_mutex_unlock(&sink->lock);
    if (stuck)
        pthread_cancel(sink->thread);
    pthread_join(sink->thread, NULL);
    pthread_cond_destroy(&sink->filled);
    pthread_cond_destroy(&sink->emptied);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

void sink_put(struct sink *sink, const char *line, size_t size)
{
    pthread_mutex_lock(&sink->lock);
    bool fits = size <= BUFFER_SIZE - sink->size;
    if (fits) {
        memcpy(sink->filling + sink->size, line, size);
        sink->size += size;
        pthread_cond_signal(&sink->filled);
    }
    pthread_mutex_unlock(&sink->lock);
    if (!fits)
        atomic_fetch_add_explicit(&sink->dropped, 1, memory_order_relaxed);
}

uint64_t sink_dropped(const struct sink *sink)
{
    return atomic_load_explicit(&sink->dropped, memory_order_relaxed);
}
