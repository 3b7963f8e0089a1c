/* Orders for the kernel, which are handed over together: by the wait that ends a turn, or before, when the ring has
 * no place for one more.
 *
 * A kernel that is out of memory for the moment does not take them. Those that there is no place for then stand in a
 * line, and follow when it does: an order that was lost would be a connection that stays silent, a listener that
 * accepts nobody, or wakes that nobody hears. */
#include "io/uring.h"

#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ORDER_BITS = 7 }; /* of user_data: a channel is aligned to more than that */

int swale__uring_register(struct swale__uring *uring, unsigned what, const void *argument, unsigned count)
{
    return syscall(__NR_io_uring_register, uring->ring.ring_fd, what, argument, count) < 0 ? -errno : 0;
}

int swale__uring_enable(struct swale__uring *uring)
{
    if (uring->enabled)
        return 0;
    int error = swale__uring_register(uring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (error)
        return error;
    uring->enabled = true;
    uring->owner = pthread_self();
    io_uring_register_ring_fd(&uring->ring); /* saves the kernel a look-up in each wait; goes without, too */
    return 0;
}

/* ---- The line ------------------------------------------------------------------------------------------- */

static bool line_is_empty(const struct swale__uring *uring)
{
    return uring->line.end == 0;
}

static void let_in(struct swale__uring *uring)
{
    struct swale__uring_line *line = &uring->line;
    struct io_uring_sqe *sqe;
    while (line->first < line->end && (sqe = io_uring_get_sqe(&uring->ring)))
        *sqe = line->orders[line->first++];
    if (line->first == line->end)
        line->first = line->end = 0;
}

static struct io_uring_sqe *stand_in_line(struct swale__uring *uring)
{
    struct swale__uring_line *line = &uring->line;
    if (line->end == line->room) {
        size_t room = line->room ? 2 * line->room : 64;
        struct io_uring_sqe *grown =
            swale__resize(uring->loop->allocator, line->orders, line->room * sizeof *grown, room * sizeof *grown);
        if (!grown)
            return NULL;
        line->orders = grown;
        line->room = room;
    }
    return &line->orders[line->end++];
}

void swale__uring_line_free(struct swale__uring *uring)
{
    if (uring->line.orders)
        swale__free(uring->loop->allocator, uring->line.orders, uring->line.room * sizeof *uring->line.orders);
}

/* ---- Handing over --------------------------------------------------------------------------------------- */

bool swale__uring_move_up(struct swale__uring *uring)
{
    let_in(uring);
    while (!line_is_empty(uring) && io_uring_submit(&uring->ring) > 0)
        let_in(uring);
    return line_is_empty(uring);
}

bool swale__uring_has_orders(const struct swale__uring *uring)
{
    return io_uring_sq_ready(&uring->ring) > 0 || !line_is_empty(uring);
}

struct io_uring_sqe *swale__uring_order(struct swale__uring *uring)
{
    struct io_uring_sqe *sqe = line_is_empty(uring) ? io_uring_get_sqe(&uring->ring) : NULL;
    if (!sqe && swale__uring_enable(uring) == 0) {
        io_uring_submit(&uring->ring);
        sqe = swale__uring_move_up(uring) ? io_uring_get_sqe(&uring->ring) : NULL;
    }
    return sqe ? sqe : stand_in_line(uring);
}

/* ---- Whose they are ------------------------------------------------------------------------------------- */

void swale__uring_mark(struct io_uring_sqe *sqe, void *channel, enum swale__uring_order order)
{
    sqe->user_data = (uint64_t)(uintptr_t)channel | order;
}

struct swale__channel *swale__uring_owner(const struct io_uring_cqe *answer)
{
    /* The kernel has only a number to give back. NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return (void *)(uintptr_t)(answer->user_data & ~(uint64_t)ORDER_BITS);
}

enum swale__uring_order swale__uring_kind(const struct io_uring_cqe *answer)
{
    return answer->user_data & ORDER_BITS;
}

/* ---- Those of more than one file ------------------------------------------------------------------------ */

void swale__uring_order_poll(struct swale__uring *uring, struct swale__channel *channel, short events,
                             enum swale__uring_order order, uint8_t armed)
{
    struct io_uring_sqe *sqe = swale__uring_order(uring);
    if (!sqe)
        return;
    io_uring_prep_poll_add(sqe, channel->fd, (unsigned)events);
    swale__uring_mark(sqe, channel, order);
    channel->armed |= armed;
}

void swale__uring_cancel(struct swale__uring *uring, struct swale__channel *channel, enum swale__uring_order order)
{
    struct io_uring_sqe *sqe = swale__uring_order(uring);
    if (!sqe) {
        shutdown(channel->fd, SHUT_RDWR); /* ends every order, too */
        return;
    }
    io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)channel | order, 0);
    swale__uring_mark(sqe, NULL, SWALE__ORDER_NONE);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void swale__uring_cancel_standing(struct swale__uring *uring, struct swale__channel *channel,
                                  enum swale__uring_order order)
{
    if (channel->armed & SWALE__CANCEL)
        return;
    swale__uring_cancel(uring, channel, order);
    channel->armed |= SWALE__CANCEL;
}
