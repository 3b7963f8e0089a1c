#include "test.h"

#include "relay.h"

#include <stdlib.h>
#include <string.h>

enum { DOWN, UP };
enum { HELD_MAX = 65536 };

struct end {
    struct link *link;
    struct swale__stream *stream; /* NULL: closed */
    char *held;                   /* to be written to it: `size` bytes from `at` on */
    size_t at, size, room;
    bool full;   /* a write was short */
    bool ended;  /* it will say nothing more */
    bool shut;   /* nor shall we */
    bool paused; /* until the other end has taken what is held */
};

struct link {
    struct relay *relay;
    struct link *next;
    struct end ends[2];
    struct swale_timer timer;
    uint32_t delay_ms;
    size_t piece; /* the most that passes at once; 0: all */
    bool tear;
    bool dead;
};

static struct end *other(struct end *end)
{
    return &end->link->ends[end == &end->link->ends[DOWN] ? UP : DOWN];
}

static void close_end(struct end *end, bool abort)
{
    if (end->stream)
        swale__stream_close(end->stream, abort);
    end->stream = NULL;
    end->at = end->size = 0;
}

/* The memory goes with the next sweep. */
static void kill_link(struct link *link, bool abort)
{
    if (link->dead)
        return;
    link->dead = true;
    link->relay->reset += abort;
    swale_timer_stop(link->relay->loop, &link->timer);
    close_end(&link->ends[DOWN], abort);
    close_end(&link->ends[UP], abort);
}

static void sweep(struct relay *relay)
{
    for (struct link **at = &relay->links; *at;) {
        struct link *link = *at;
        if (!link->dead) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        free(link->ends[DOWN].held);
        free(link->ends[UP].held);
        free(link);
    }
}

/* ---- Passing on -------------------------------------------------------------------------------------- */

static void arm(struct link *link)
{
    if (!swale_timer_running(&link->timer))
        swale_timer_start(link->relay->loop, &link->timer,
                          swale_loop_now(link->relay->loop) + (link->delay_ms ? link->delay_ms : 1));
}

/* Whether there is room to go on. */
static bool write_some(struct end *end, size_t size)
{
    struct iovec part = { .iov_base = end->held + end->at, .iov_len = size };
    ptrdiff_t written = swale__stream_write(end->stream, &part, 1);
    assert_true(written != SWALE__IN_FLIGHT);
    if (written < 0) {
        kill_link(end->link, true);
        return false;
    }
    end->size -= (size_t)written;
    end->at = end->size > 0 ? end->at + (size_t)written : 0;
    end->full = (size_t)written < size;
    return !end->full;
}

static void finish(struct end *end)
{
    struct end *source = other(end);
    if (source->paused && !end->link->relay->frozen && source->stream) {
        source->paused = false;
        swale__stream_resume(source->stream);
    }
    if (!source->ended || end->shut)
        return;
    end->shut = true;
    swale__stream_shutdown(end->stream);
    if (source->shut)
        kill_link(end->link, false);
}

static void flush(struct end *end)
{
    struct link *link = end->link;
    if (link->relay->frozen || !end->stream || end->full)
        return;
    while (end->size > 0) {
        size_t size = link->piece && link->piece < end->size ? link->piece : end->size;
        if (!write_some(end, size))
            return;
        if (link->piece && end->size > 0) {
            arm(link);
            return;
        }
    }
    finish(end);
}

static void hold(struct end *end, const char *data, size_t size)
{
    if (end->at + end->size + size > end->room) {
        end->room = 2 * (end->at + end->size + size);
        end->held = realloc(end->held, end->room);
        assert_non_null(end->held);
    }
    memcpy(end->held + end->at + end->size, data, size);
    end->size += size;
}

static void pass(struct end *to)
{
    if (to->link->delay_ms || to->link->piece)
        arm(to->link);
    else
        flush(to);
}

static void on_timer(struct swale_timer *timer)
{
    struct link *link = timer->context;
    flush(&link->ends[DOWN]);
    flush(&link->ends[UP]);
}

/* ---- What the streams say ---------------------------------------------------------------------------- */

static void on_data(void *context, char *data, size_t size)
{
    struct end *end = context;
    struct end *to = other(end);
    struct link *link = end->link;
    if (!to->stream)
        return; /* half open: into the void */
    hold(to, data, link->tear ? dice_roll(&link->relay->dice, (uint32_t)size + 1) : size);
    if (to->size > HELD_MAX && !end->paused) {
        end->paused = true;
        swale__stream_pause(end->stream);
    }
    if (link->tear) {
        link->delay_ms = 0;
        link->piece = 0;
        flush(to);
        kill_link(link, true);
        return;
    }
    pass(to);
}

static void on_written(void *context, size_t size)
{
    struct end *end = context;
    (void)size;
    end->full = false;
    if (end->size > 0 || other(end)->ended)
        pass(end);
}

static void on_end(void *context)
{
    struct end *end = context;
    end->ended = true;
    if (other(end)->stream)
        pass(other(end));
    else
        kill_link(end->link, false);
}

static void on_fail(void *context, int error)
{
    struct end *end = context;
    (void)error;
    kill_link(end->link, true);
}

static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };

/* ---- Links come ---------------------------------------------------------------------------------------- */

static void join(struct link *link, struct swale__stream *down, struct swale__stream *up)
{
    struct swale__stream *streams[] = { down, up };
    for (int i = 0; i < 2; i++) {
        link->ends[i] = (struct end){ .link = link, .stream = streams[i] };
        swale__stream_use(streams[i], &user, &link->ends[i]);
        if (!link->relay->frozen)
            swale__stream_resume(streams[i]);
    }
    link->ends[UP].full = link->relay->reach_later;
    link->timer = (struct swale_timer){ .fire = on_timer, .context = link };
}

static void on_stream(void *context, struct swale__stream *down)
{
    struct relay *relay = context;
    struct swale__stream *up;
    relay->accepted++;
    sweep(relay);
    swale__stream_use(down, &user, NULL);
    if (relay->refusing || relay->reach(relay->context, &up) != 0) {
        swale__stream_close(down, true);
        return;
    }
    struct link *link = calloc(1, sizeof *link);
    assert_non_null(link);
    link->relay = relay;
    link->next = relay->links;
    relay->links = link;
    join(link, down, up);
}

static void on_error(void *context, int error)
{
    (void)context;
    fail_msg("accepting failed: %s", swale_strerror(error));
}

void relay_listen(struct relay *relay, const char *address)
{
    struct swale__listener_options options = {
        .address = address, .on_stream = on_stream, .on_error = on_error, .context = relay
    };
    assert_null(relay->listener);
    assert_int_equal(swale__listen(&relay->listener, relay->loop, &options), 0);
}

void relay_unlisten(struct relay *relay)
{
    if (relay->listener)
        swale__listener_close(relay->listener);
    relay->listener = NULL;
}

void relay_done(struct relay *relay)
{
    relay_unlisten(relay);
    for (struct link *link = relay->links; link; link = link->next)
        kill_link(link, true);
    sweep(relay);
}

/* ---- Faults -------------------------------------------------------------------------------------------- */

static void harm(struct link *link, enum fault fault)
{
    struct dice *dice = &link->relay->dice;
    switch (fault) {
    case FAULT_RESET:
    case FAULT_END:
        kill_link(link, fault == FAULT_RESET);
        break;
    case FAULT_TEAR:
        link->tear = true;
        break;
    case FAULT_HALF_OPEN:
        close_end(&link->ends[UP], true);
        break;
    case FAULT_SLOW:
        link->delay_ms = 1 + dice_roll(dice, 1000);
        break;
    case FAULT_BYTES:
        link->piece = 1;
        break;
    default:
        link->delay_ms = 0;
        link->piece = 0;
        break;
    }
}

void relay_harm(struct relay *relay, enum fault fault, uint32_t permille)
{
    sweep(relay);
    for (struct link *link = relay->links; link; link = link->next)
        if (!link->dead && dice_roll(&relay->dice, 1000) < permille)
            harm(link, fault);
}

void relay_freeze(struct relay *relay, bool frozen)
{
    relay->frozen = frozen;
    sweep(relay);
    for (struct link *link = relay->links; link; link = link->next)
        for (int i = 0; i < 2 && !link->dead; i++) {
            struct end *end = &link->ends[i];
            if (end->stream && frozen)
                swale__stream_pause(end->stream);
            else if (end->stream && !end->paused)
                swale__stream_resume(end->stream);
            if (!frozen)
                flush(end);
        }
}
