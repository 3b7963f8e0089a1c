/* output.c - a blocking descriptor is written to only when poll(2) says that it has room, and then only as much as it
 * takes for sure: PIPE_BUF bytes. */
#include "app/connect/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct buffer *output_buffer(struct output *output)
{
    return &output->waiting;
}

bool output_empty(const struct output *output)
{
    return output->waiting.size == 0;
}

bool output_is_much(const struct output *output)
{
    return output->waiting.size >= OUTPUT_MUCH;
}

static bool has_room(int fd)
{
    struct pollfd wanted = { .fd = fd, .events = POLLOUT };
    return poll(&wanted, 1, 0) > 0;
}

/* Bytes written, 0 when there is no room, or -errno. A socket is told not to wait, since its room may be small. */
static ptrdiff_t write_some(int fd, struct swale_span bytes)
{
    if (!has_room(fd))
        return 0;
    ssize_t written = send(fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && errno == ENOTSOCK)
        written = write(fd, bytes.data, bytes.size < PIPE_BUF ? bytes.size : PIPE_BUF);
    if (written >= 0)
        return written;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static void fail(struct output *output, int error)
{
    swale_watch_stop(output->loop, &output->watch);
    buffer_done(&output->waiting);
    output->written = 0;
    if (output->failed)
        return;
    output->failed = true;
    output->on_error(output->context, error);
}

static void ready(struct swale_watch *watch, unsigned events)
{
    (void)events;
    output_flush(watch->context);
}

static void set_blocked(struct output *output, bool blocked)
{
    if (blocked == output->blocked)
        return;
    output->blocked = blocked;
    if (blocked) {
        output->watch.ready = ready;
        output->watch.context = output;
        output->watch.fd = output->fd;
        int error = swale_watch_start(output->loop, &output->watch, SWALE_WRITABLE);
        if (error < 0) {
            fail(output, error);
            return;
        }
    } else {
        swale_watch_stop(output->loop, &output->watch);
    }
    output->on_blocked(output->context, blocked);
}

void output_flush(struct output *output)
{
    struct buffer *waiting = &output->waiting;
    if (output->failed || waiting->failed) {
        fail(output, -ENOMEM);
        return;
    }
    ptrdiff_t written = 1;
    while (written > 0 && output->written < waiting->size) {
        written =
            write_some(output->fd, swale_span(waiting->data + output->written, waiting->size - output->written));
        if (written > 0)
            output->written += (size_t)written;
    }
    if (written < 0) {
        fail(output, (int)written);
        return;
    }
    /* Taken away in halves at least, so that the moving costs no more than the writing. */
    if (output->written * 2 >= waiting->size) {
        buffer_drop(waiting, output->written);
        output->written = 0;
    }
    set_blocked(output, waiting->size > 0);
}

void output_done(struct output *output)
{
    swale_watch_stop(output->loop, &output->watch);
    buffer_done(&output->waiting);
}
