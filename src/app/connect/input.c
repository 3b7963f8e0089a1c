#include "app/connect/input.h"

#include <errno.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

static void end(struct input *input, int error)
{
    input_stop(input);
    input->ended = true;
    input->on_end(input->context, error);
}

static struct swale_span rest(const struct input *input)
{
    return swale_span(input->buffer.data + input->taken, input->buffer.size - input->taken);
}

static void hand_on(struct input *input, struct swale_span message)
{
    if (!input->on_message(input->context, message, ++input->count))
        input_stop(input);
}

/* Hands on what is there as whole messages. */
static void hand_on_all(struct input *input)
{
    struct swale_span message;
    size_t size;
    while (input->started && input->buffer.size > input->taken &&
           (size = framing_take(input->framing, rest(input), &input->scanned, &message)) > 0) {
        input->taken += size;
        hand_on(input, message);
    }
    if (input->started && input->buffer.size - input->taken > INPUT_MESSAGE_MAX)
        end(input, INPUT_TOO_LONG);
}

/* The last message first, and the end when it was taken and nobody stopped meanwhile. */
static void reach_end(struct input *input)
{
    struct swale_span message;
    int last = framing_last(input->framing, rest(input), &message);
    input->taken = input->buffer.size;
    if (last > 0)
        input->on_message(input->context, message, ++input->count);
    if (input->started)
        end(input, last < 0 ? INPUT_TRUNCATED : 0);
}

static void read_more(struct input *input)
{
    buffer_drop(&input->buffer, input->taken);
    input->taken = 0;
    char *room = buffer_room(&input->buffer, CHUNK);
    if (!room) {
        end(input, -ENOMEM);
        return;
    }
    ssize_t size = read(input->fd, room, CHUNK);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size < 0) {
        end(input, -errno);
        return;
    }
    input->buffer.size += (size_t)size;
    if (size > 0)
        hand_on_all(input);
    else
        reach_end(input);
}

static void ready(struct swale_watch *watch, unsigned events)
{
    (void)events;
    read_more(watch->context);
}

void input_start(struct input *input)
{
    if (input->ended || input->started)
        return;
    input->started = true;
    hand_on_all(input);
    if (!input->started)
        return;
    input->watch.ready = ready;
    input->watch.context = input;
    input->watch.fd = input->fd;
    int error = swale_watch_start(input->loop, &input->watch, SWALE_READABLE);
    if (error < 0)
        end(input, error);
}

void input_stop(struct input *input)
{
    input->started = false;
    swale_watch_stop(input->loop, &input->watch);
}

void input_done(struct input *input)
{
    input_stop(input);
    buffer_done(&input->buffer);
}
