/* What is not of the ring's own kind: a foreign loop that waits for this one, descriptors that are watched, other
 * threads that wake it. */
#include "io/uring.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

/* An eventfd that has been written to is quiet again. */
static void silence(int fd)
{
    uint64_t count;
    ssize_t ignored = read(fd, &count, sizeof count);
    (void)ignored;
}

/* ---- For a foreign loop --------------------------------------------------------------------------------- */

/* The ring itself does not poll readable for work that is put off (DEFER_TASKRUN); an eventfd that is registered with
 * it does, but not from within the wake of another one, or of an epoll. So these stand beside it. Only the ring's
 * thread may register, which is the next one to wait, if this is another. */
void swale__uring_register_bell(struct swale__uring *uring)
{
    if (uring->bell_wanted && !uring->has_bell)
        uring->has_bell = swale__uring_register(uring, IORING_REGISTER_EVENTFD, &uring->bell, 1) == 0;
}

static void show_outside(struct swale__uring *uring, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    epoll_ctl(uring->outside, EPOLL_CTL_ADD, fd, &event);
}

int swale__uring_descriptor(struct swale__backend *base)
{
    struct swale__uring *uring = swale__uring_of(base);
    if (!uring->bell_wanted) {
        uring->bell_wanted = true;
        show_outside(uring, uring->bell);
        show_outside(uring, uring->wakeup);
        if (uring->watches)
            show_outside(uring, uring->watches->ops->descriptor(uring->watches));
    }
    swale__uring_register_bell(uring);
    return uring->outside;
}

/* They have rung for what has been seen to meanwhile, too. What has come since then must not be lost with that: posts
 * are looked for before anybody sleeps, the rest here. */
void swale__uring_silence_bells(struct swale__uring *uring)
{
    if (!uring->bell_wanted)
        return;
    silence(uring->wakeup);
    silence(uring->bell);
    if (io_uring_cq_ready(&uring->ring) > 0 ||
        (IO_URING_READ_ONCE(*uring->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
        uring->hurry = true;
}

/* ---- Watched descriptors, and being woken --------------------------------------------------------------- */

static void order_poll(struct swale__uring *uring, int fd, enum swale__uring_order order, bool again)
{
    struct io_uring_sqe *sqe = swale__uring_order(uring);
    if (!sqe)
        return;
    if (again)
        io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    else
        io_uring_prep_poll_add(sqe, fd, POLLIN);
    swale__uring_mark(sqe, NULL, order);
}

void swale__uring_order_wakeups(struct swale__uring *uring)
{
    order_poll(uring, uring->wakeup, SWALE__ORDER_WAKE, true);
}

/* The order has ended by itself. It would be answered at once, for ever, by a wake that has been seen to. */
void swale__uring_order_wakeups_again(struct swale__uring *uring)
{
    silence(uring->wakeup);
    swale__uring_order_wakeups(uring);
}

static void order_watches(struct swale__uring *uring)
{
    if (uring->watching)
        return;
    order_poll(uring, uring->watches->ops->descriptor(uring->watches), SWALE__ORDER_WATCHES, false);
    uring->watching = true;
}

static int create_watches(struct swale__uring *uring)
{
    int error = swale__backend_epoll.create(&uring->watches, uring->loop);
    if (!error && uring->bell_wanted)
        show_outside(uring, uring->watches->ops->descriptor(uring->watches));
    return error;
}

int swale__uring_watch(struct swale__backend *base, struct swale__channel *channel, unsigned events)
{
    struct swale__uring *uring = swale__uring_of(base);
    int error = uring->watches ? 0 : create_watches(uring);
    if (!error)
        error = uring->watches->ops->watch(uring->watches, channel, events);
    if (!error)
        order_watches(uring);
    return error;
}

int swale__uring_dispatch_watches(struct swale__uring *uring)
{
    struct swale__backend *watches = uring->watches;
    uring->watching = false;
    int count = watches->ops->wait(watches, 0) == 0 ? watches->ops->dispatch(watches) : 0;
    order_watches(uring);
    return count;
}

void swale__uring_wake(struct swale__backend *base)
{
    int saved = errno; /* of the code that a signal handler interrupts */
    uint64_t one = 1;
    ssize_t ignored = write(swale__uring_of(base)->wakeup, &one, sizeof one);
    (void)ignored;
    errno = saved;
}
