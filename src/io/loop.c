/* The loop: its clock, its turns, and how it is driven. turn.c has the phases' lists, post.c the posts, wheel.c the
 * timers, epoll.c and uring.c the kernel. */
#include "io/loop.h"

#include "base/memory.h"
#include "io/socket.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

enum { DEFAULT_RECEIVE_BUFFER = 256 * 1024 };

/* ---- The clock -------------------------------------------------------------------------------------- */

static uint64_t read_clock(const struct swale_loop *loop)
{
    uint64_t now;
    if (loop->clock) {
        now = loop->clock(loop->clock_context) * 1000;
    } else {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time); /* cannot fail with this clock */
        now = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
    }
    return now > loop->now_us ? now : loop->now_us;
}

uint64_t swale_loop_now(const struct swale_loop *loop)
{
    return swale__loop_here(loop) ? loop->now_ms : read_clock(loop) / 1000;
}

/* ---- Making and freeing ----------------------------------------------------------------------------- */

/* What the program asks for goes before what the environment does. */
static int wanted_backend(enum swale_backend *wanted)
{
    static const char *const names[] = { [SWALE_BACKEND_EPOLL] = "epoll", [SWALE_BACKEND_IO_URING] = "io_uring" };
    if (*wanted > SWALE_BACKEND_IO_URING)
        return SWALE_ERR_INVALID;
    const char *name = *wanted == SWALE_BACKEND_AUTO ? getenv("SWALE_BACKEND") : NULL;
    if (!name || !*name)
        return 0;
    for (enum swale_backend named = SWALE_BACKEND_EPOLL; named <= SWALE_BACKEND_IO_URING; named++) {
        if (strcmp(name, names[named]) == 0) {
            *wanted = named;
            return 0;
        }
    }
    return SWALE_ERR_INVALID;
}

/* The faster one, if it can be had. Whatever it lacks, epoll needs less of it. */
static int create_some_backend(struct swale_loop *loop)
{
    loop->why_not = swale__backend_uring.create(&loop->backend, loop);
    if (!loop->why_not && loop->backend->second_best) {
        loop->backend->ops->destroy(loop->backend);
        loop->backend = NULL;
        loop->why_not = -EOPNOTSUPP;
    }
    return loop->why_not ? swale__backend_epoll.create(&loop->backend, loop) : 0;
}

static int create_backend(struct swale_loop *loop, enum swale_backend wanted)
{
    int error = wanted_backend(&wanted);
    if (error)
        return error;
    switch (wanted) {
    case SWALE_BACKEND_EPOLL:
        return swale__backend_epoll.create(&loop->backend, loop);
    case SWALE_BACKEND_IO_URING:
        return swale__backend_uring.create(&loop->backend, loop);
    default:
        return create_some_backend(loop);
    }
}

static int create_parts(struct swale_loop *loop, enum swale_backend wanted)
{
    loop->scratch = swale__alloc(loop->allocator, SWALE__SCRATCH_SIZE);
    loop->receive_buffer = swale__alloc(loop->allocator, loop->receive_size);
    if (!loop->scratch || !loop->receive_buffer)
        return -ENOMEM;
    return create_backend(loop, wanted);
}

static void free_parts(struct swale_loop *loop)
{
    swale__pool_done(&loop->sockets[0]);
    swale__pool_done(&loop->sockets[1]);
    if (loop->receive_buffer)
        swale__free(loop->allocator, loop->receive_buffer, loop->receive_size);
    swale__free(loop->allocator, loop->scratch, SWALE__SCRATCH_SIZE);
    swale__free(loop->allocator, loop, sizeof *loop);
}

int swale_loop_new(struct swale_loop **out, const struct swale_loop_options *options)
{
    static const struct swale_loop_options defaults;
    if (!options)
        options = &defaults;
    struct swale_loop *loop = swale__alloc_zeroed(options->allocator, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->allocator = options->allocator;
    loop->clock = options->clock;
    loop->clock_context = options->clock_context;
    loop->receive_size = options->receive_buffer ? options->receive_buffer : DEFAULT_RECEIVE_BUFFER;
    loop->now_us = read_clock(loop);
    loop->now_ms = loop->now_us / 1000;
    swale__wheel_init(&loop->wheel, loop->now_ms);
    swale__turn_init(loop);
    swale__socket_pools_init(loop->sockets, loop->allocator);
    int error = create_parts(loop, options->backend);
    if (error) {
        free_parts(loop); /* there is no backend then */
        return error;
    }
    *out = loop;
    return 0;
}

void swale_loop_free(struct swale_loop *loop)
{
    if (!loop)
        return;
    swale__turn_drop(loop);
    swale__posts_drop(loop);
    loop->backend->ops->destroy(loop->backend);
    swale__turn_free(loop);
    free_parts(loop);
}

enum swale_backend swale_loop_backend(const struct swale_loop *loop, int *why_not)
{
    if (why_not)
        *why_not = loop->why_not;
    return loop->backend->ops == &swale__backend_uring ? SWALE_BACKEND_IO_URING : SWALE_BACKEND_EPOLL;
}

const struct swale_allocator *swale__loop_allocator(const struct swale_loop *loop)
{
    return loop->allocator;
}

void **swale__loop_slot(struct swale_loop *loop)
{
    return &loop->slot;
}

/* ---- Turns ------------------------------------------------------------------------------------------ */

bool swale__loop_here(const struct swale_loop *loop)
{
    /* Relaxed: only this thread itself ever stores its own identity. */
    return pthread_equal(atomic_load_explicit(&loop->thread, memory_order_relaxed), pthread_self());
}

static int wait_at(const struct swale_loop *loop, uint64_t now_ms)
{
    if (swale__turn_pending(loop) || swale__posts_pending(loop))
        return 0;
    uint64_t next = swale__wheel_next(&loop->wheel);
    if (next == UINT64_MAX)
        return -1;
    if (next <= now_ms)
        return 0;
    return next - now_ms < INT_MAX ? (int)(next - now_ms) : INT_MAX;
}

int swale_loop_wait_ms(const struct swale_loop *loop)
{
    return loop->backend->ops->pending(loop->backend) ? 0 : wait_at(loop, read_clock(loop) / 1000);
}

static int kernel_timeout(const struct swale_loop *loop, int timeout_ms)
{
    if (timeout_ms == 0 || loop->clock)
        return 0; /* virtual time does not pass while one sleeps */
    int wait_ms = wait_at(loop, loop->now_us / 1000);
    if (wait_ms < 0 || (timeout_ms > 0 && timeout_ms < wait_ms))
        return timeout_ms;
    return wait_ms;
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void store(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static void count_turn(struct swale_loop *loop, uint64_t began_us, int events)
{
    uint64_t lag_us = loop->now_us - began_us;
    store(&loop->stats.turns, load(&loop->stats.turns) + 1);
    store(&loop->stats.events, load(&loop->stats.events) + (uint64_t)events);
    store(&loop->stats.busy_us, load(&loop->stats.busy_us) + lag_us);
    store(&loop->stats.lag_last_us, lag_us);
    store(&loop->stats.timers, loop->wheel.running);
    if (lag_us > load(&loop->stats.lag_max_us))
        store(&loop->stats.lag_max_us, lag_us);
}

/* loop->now_us is fresh: it decides how long to wait. */
static int turn(struct swale_loop *loop, int timeout_ms)
{
    int error = loop->backend->ops->wait(loop->backend, kernel_timeout(loop, timeout_ms));
    if (error)
        return error;
    uint64_t began_us = loop->now_us = read_clock(loop);
    loop->now_ms = began_us / 1000;
    atomic_store_explicit(&loop->thread, pthread_self(), memory_order_relaxed);

    int events = loop->backend->ops->dispatch(loop->backend);
    events += swale__turn_events(loop);
    events += swale__wheel_fire(&loop->wheel, loop->now_ms);
    events += swale__posts_run(loop);
    swale__turn_finish(loop);

    atomic_store_explicit(&loop->thread, 0, memory_order_relaxed);
    loop->now_us = read_clock(loop);
    count_turn(loop, began_us, events);
    return events;
}

int swale_loop_step(struct swale_loop *loop, int timeout_ms)
{
    if (swale__loop_here(loop))
        return SWALE_ERR_STATE;
    if (timeout_ms != 0)
        loop->now_us = read_clock(loop); /* the caller may have been away for long */
    int events = turn(loop, timeout_ms);
    /* Whoever does not wait here waits elsewhere, and the kernel shall not wait for that. */
    if (timeout_ms == 0)
        loop->backend->ops->flush(loop->backend);
    return events;
}

int swale_loop_run(struct swale_loop *loop)
{
    if (swale__loop_here(loop))
        return SWALE_ERR_STATE;
    loop->now_us = read_clock(loop);
    while (!atomic_exchange(&loop->stopping, false)) {
        int events = turn(loop, -1);
        if (events < 0)
            return events;
    }
    loop->backend->ops->flush(loop->backend); /* what was closed is to be closed when this returns */
    return 0;
}

void swale_loop_stop(struct swale_loop *loop)
{
    /* Nothing but an atomic and a write to a descriptor, so that a signal handler may call it. */
    atomic_store(&loop->stopping, true);
    loop->backend->ops->wake(loop->backend);
}

int swale_loop_fd(const struct swale_loop *loop)
{
    return loop->backend->ops->descriptor(loop->backend);
}

void swale_loop_stats(const struct swale_loop *loop, struct swale_loop_stats *stats)
{
    *stats = (struct swale_loop_stats){
        .turns = load(&loop->stats.turns),
        .events = load(&loop->stats.events),
        .busy_us = load(&loop->stats.busy_us),
        .lag_max_us = load(&loop->stats.lag_max_us),
        .lag_last_us = load(&loop->stats.lag_last_us),
        .timers = load(&loop->stats.timers),
    };
}

/* ---- Timers ----------------------------------------------------------------------------------------- */

void swale_timer_start(struct swale_loop *loop, struct swale_timer *timer, uint64_t due_ms)
{
    swale__wheel_start(&loop->wheel, timer, due_ms);
}

void swale_timer_stop(struct swale_loop *loop, struct swale_timer *timer)
{
    swale__wheel_stop(&loop->wheel, timer);
}
