/* swale/loop.h - an event loop: one thread, its timers, and a way in from other threads.
 *
 * A loop and everything that lives on it (timers, connections, exchanges) belong to one thread at a time, and from
 * the first turn on to the one that drove it, if the kernel knows it by that (io_uring): another one's turns fail
 * with SWALE_ERR_STATE then. What any thread may call is swale_loop_post; swale_loop_stop is a post by another name.
 *
 * One turn of the loop: wait for the kernel, handle what it reports, fire due timers, run posted tasks, send
 * what connections have queued (one gather write each), free what was closed. Memory is therefore never
 * freed inside a callback that might still use it.
 *
 * Two ways to drive it:
 *     swale_loop_run(loop);                              the loop owns its thread
 *     poll on swale_loop_fd() for at most swale_loop_wait_ms(), then swale_loop_step(loop, 0);
 *                                                        a loop of your own owns it (examples/poll.c)
 */
#ifndef SWALE_LOOP_H
#define SWALE_LOOP_H

#include <swale/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swale_loop;

enum swale_backend {
    SWALE_BACKEND_AUTO, /* the environment variable SWALE_BACKEND (epoll or io_uring), else the faster that there is
                         */
    SWALE_BACKEND_EPOLL,
    SWALE_BACKEND_IO_URING /* Linux 6.1, where it is not forbidden */
};

/* Zeroed: the defaults. */
struct swale_loop_options {
    const struct swale_allocator *allocator; /* for everything on this loop; must outlive it */
    enum swale_backend backend;
    uint32_t receive_buffer; /* bytes of the one buffer that all reads go through; 0 means 256 KiB */
    /* A clock of the caller's, in milliseconds, that never goes back; NULL is CLOCK_MONOTONIC. With it the
     * loop runs in virtual time: it never sleeps in the kernel. */
    uint64_t (*clock)(void *context);
    void *clock_context;
};

/* -ENOMEM, -EMFILE and the like; SWALE_ERR_INVALID for a backend that there is not, in the options or in the
 * environment; for io_uring by name, what swale_loop_backend says in `why_not`. NULL options: the defaults. */
SWALE_API int swale_loop_new(struct swale_loop **loop, const struct swale_loop_options *options);

/* Which backend it has. `why_not`, unless NULL: why an automatic choice has fallen back to epoll, else 0. -ENOSYS:
 * the kernel has no io_uring; -EPERM: it is forbidden here (sysctl kernel.io_uring_disabled, or a sandbox); -EINVAL:
 * the kernel is older than 6.1; -EOPNOTSUPP: than 6.12, where epoll is the faster of the two; -ENOMEM, -EMFILE and
 * the like: it had enough for epoll only. Any thread. */
SWALE_API enum swale_backend swale_loop_backend(const struct swale_loop *loop, int *why_not);

/* Only outside a turn, and after everything that lives on it has been closed (no further step is needed for what
 * was). Timers that still run and tasks still posted are dropped. NULL is allowed. */
SWALE_API void swale_loop_free(struct swale_loop *loop);

/* Turns until swale_loop_stop. 0, or the -errno of a failing wait; SWALE_ERR_STATE from within a turn, or on another
 * thread than the first. */
SWALE_API int swale_loop_run(struct swale_loop *loop);

/* One turn, which waits at most `timeout_ms` (-1: as long as it takes). Returns the number of events that
 * were handled (0 after a signal, too), or -errno. SWALE_ERR_STATE from within a turn, or on another thread. */
SWALE_API int swale_loop_step(struct swale_loop *loop, int timeout_ms);

/* Makes swale_loop_run return after the turn under way. Any thread; also from a signal handler, and before run
 * has begun, which then returns at once. */
SWALE_API void swale_loop_stop(struct swale_loop *loop);

/* A descriptor that polls readable when a step has work to do. It belongs to the loop. */
SWALE_API int swale_loop_fd(const struct swale_loop *loop);

/* Milliseconds until a step is due, which is no later than the next timer; 0 when there is work at once, -1 when
 * nothing but an event on the descriptor can bring any. */
SWALE_API int swale_loop_wait_ms(const struct swale_loop *loop);

/* The clock as read at the beginning of the turn; between turns, the clock itself. */
SWALE_API uint64_t swale_loop_now(const struct swale_loop *loop);

/* Runs task(argument) on the loop's thread, in a turn to come. Any thread. Tasks of one thread run in the
 * order of their posts. -ENOMEM, and then nothing will run. The loop's allocator must be thread-safe if
 * other threads post. */
SWALE_API int swale_loop_post(struct swale_loop *loop, void (*task)(void *argument), void *argument);

/* What a loop has been doing, since it began. Any thread. */
struct swale_loop_stats {
    uint64_t turns;
    uint64_t events;
    uint64_t busy_us;     /* time outside the kernel's wait */
    uint64_t lag_max_us;  /* longest turn: how late a timer may have been */
    uint64_t lag_last_us; /* the latest turn */
    uint64_t timers;      /* that run, as of the latest turn */
};
SWALE_API void swale_loop_stats(const struct swale_loop *loop, struct swale_loop_stats *stats);

/* A timer, which the caller places (in a struct of its own, usually) and which must stay where it is while
 * it runs. Zero it, set `fire` and `context`. Its other fields are private. */
struct swale_timer {
    void (*fire)(struct swale_timer *timer);
    void *context;
    uint64_t due_ms;
    struct swale_timer *next;
    struct swale_timer **link; /* what points to this timer; NULL while it does not run */
};

/* Starts, or moves, a timer: it fires once, at the first turn at or after `due_ms` (an instant of
 * swale_loop_now's clock), with millisecond precision. Costs the same for any number of timers. */
SWALE_API void swale_timer_start(struct swale_loop *loop, struct swale_timer *timer, uint64_t due_ms);

/* It does not fire any more. Nothing happens to one that does not run. */
SWALE_API void swale_timer_stop(struct swale_loop *loop, struct swale_timer *timer);

static inline bool swale_timer_running(const struct swale_timer *timer)
{
    return timer->link != NULL;
}

/* ---- Descriptors of the caller's ---------------------------------------------------------------------- */

/* What a watch asks for and reports. An error or hang-up is reported as whichever was asked for: the call that is
 * made then finds it. */
enum swale_watch_events { SWALE_READABLE = 1, SWALE_WRITABLE = 2 };

/* A descriptor of the caller's (a pipe, a terminal, another library's socket) on the loop. The caller places it; it
 * must stay where it is while it runs. Zero it, set `fd`, `ready` and `context`. Level-triggered: `ready` comes in
 * every turn that finds the descriptor ready. A regular file counts as always ready, as it does for poll(2). */
struct swale_watch {
    void (*ready)(struct swale_watch *watch, unsigned events);
    void *context;
    int fd;      /* not closed by the loop; stop the watch before closing it */
    void *entry; /* private; NULL while it does not run */
};

/* Starts a watch for `events` (one or both), or changes what one that runs asks for. -EBADF and the like;
 * SWALE_ERR_INVALID for no or other events; -EEXIST for a descriptor that another watch of this loop has; -ENOMEM. */
SWALE_API int swale_watch_start(struct swale_loop *loop, struct swale_watch *watch, unsigned events);

/* No call comes any more. Nothing happens to one that does not run. */
SWALE_API void swale_watch_stop(struct swale_loop *loop, struct swale_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
