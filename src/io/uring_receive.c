/* Receiving, in two ways.
 *
 * Most connections bring little at a time. They have a standing order, which stays in force until the peer ends,
 * buffers run out, or it is cancelled; each answer has its bytes with it, and no system call is made for them.
 *
 * A connection that brings much at a time is read as epoll reads, when the kernel says that there is something, into
 * one buffer that stays in the cache: what the system call costs is nothing beside the copying, whereas buffers that
 * are filled one after the other, before the first is looked at, are cold.
 *
 * Switching off costs nothing at first: most who pause resume before anything comes. Only when something does, a
 * standing order is cancelled. What has come by then is kept, and handed out, in order, after the next resume; it is
 * at most what the buffers hold. */
#include "io/uring.h"

#include "base/memory.h"
#include "io/calls.h"

#include <errno.h>
#include <poll.h>

/* Most of what a buffer takes. Below that a standing order is as good, or better. */
enum { MUCH = 48 * 1024 };

/* In a row, of reads of less, before it is taken for one of those again. */
enum { MEAGRE_MAX = 7 };

static void order(struct swale__uring *uring, struct swale__channel *channel)
{
    struct io_uring_sqe *sqe = swale__uring_order(uring);
    if (!sqe)
        return; /* a connection that is silent ends by its deadlines */
    io_uring_prep_recv(sqe, channel->fd, NULL, 0, 0);
    sqe->ioprio |= IORING_RECV_MULTISHOT;
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = SWALE__BUFFER_GROUP;
    swale__uring_mark(sqe, channel, SWALE__ORDER_RECEIVE);
    channel->armed |= SWALE__RECEIVE;
}

static bool holds_back(const struct swale__channel *channel)
{
    return channel->parked && (channel->parked->received || channel->parked->ended);
}

static void order_if_wanted(struct swale__uring *uring, struct swale__channel *channel)
{
    if (!(channel->wants & SWALE__RECEIVE) || (channel->armed & (SWALE__RECEIVE | SWALE__READABLE)) ||
        channel->over || holds_back(channel))
        return;
    if (channel->bulk)
        swale__uring_order_poll(uring, channel, POLLIN, SWALE__ORDER_READABLE, SWALE__READABLE);
    else
        order(uring, channel);
}

static bool has_just_received(const struct swale__uring *uring, const struct swale__channel *channel)
{
    return channel->received_turn == uring->dispatches;
}

static void tell_data(const struct swale__uring *uring, struct swale__channel *channel, char *data, ptrdiff_t size)
{
    channel->received_turn = uring->dispatches;
    channel->user->received(channel, data, size);
}

static void tell_end(struct swale__channel *channel, ptrdiff_t end)
{
    channel->wants &= (uint8_t)~SWALE__RECEIVE;
    if (end < 0)
        swale__uring_declare_dead(channel);
    channel->user->received(channel, NULL, end);
}

/* ---- What comes while nobody wants it ------------------------------------------------------------------ */

static void hand_out_data(struct swale__parked *parked)
{
    struct swale__channel *channel = parked->channel;
    const struct swale_allocator *allocator = parked->uring->loop->allocator;
    char *data = parked->received;
    size_t size = parked->received_size;
    parked->received = NULL; /* the user may close the channel, and with it goes what it has parked */
    tell_data(parked->uring, channel, data, (ptrdiff_t)size);
    swale__free(allocator, data, size);
}

static void hand_out_end(struct swale__parked *parked)
{
    struct swale__channel *channel = parked->channel;
    ptrdiff_t end = parked->end;
    parked->ended = false;
    swale__uring_unpark_if_empty(channel);
    tell_end(channel, end);
}

static void hand_out(struct swale__work *work)
{
    struct swale__parked *parked = SWALE__LIST_OWNER(work, struct swale__parked, resume);
    struct swale__uring *uring = parked->uring;
    struct swale__channel *channel = parked->channel;
    if ((channel->wants & SWALE__RECEIVE) && parked->received)
        hand_out_data(parked);
    if (channel->closed || !(channel->wants & SWALE__RECEIVE))
        return; /* paused (again), and then the rest waits for the next resume */
    if (parked->ended && has_just_received(uring, channel)) {
        swale__loop_at_next(uring->loop, &parked->resume);
        return;
    }
    if (parked->ended) {
        hand_out_end(parked);
        return;
    }
    swale__uring_unpark_if_empty(channel);
    order_if_wanted(uring, channel);
}

static bool keep(struct swale__uring *uring, struct swale__parked *parked, const char *data, size_t size)
{
    const struct swale_allocator *allocator = uring->loop->allocator;
    size_t before = parked->received ? parked->received_size : 0;
    char *grown = parked->received ? swale__resize(allocator, parked->received, before, before + size)
                                   : swale__alloc(allocator, size);
    if (!grown)
        return false;
    memcpy(grown + before, data, size);
    parked->received = grown;
    parked->received_size = before + size;
    return true;
}

static struct swale__parked *park(struct swale__uring *uring, struct swale__channel *channel)
{
    struct swale__parked *parked = swale__uring_park(uring, channel);
    if (parked)
        parked->resume.run = hand_out;
    return parked;
}

static bool park_data(struct swale__uring *uring, struct swale__channel *channel, const char *data, size_t size)
{
    struct swale__parked *parked = park(uring, channel);
    return parked && keep(uring, parked, data, size);
}

static bool park_end(struct swale__uring *uring, struct swale__channel *channel, ptrdiff_t end)
{
    struct swale__parked *parked = park(uring, channel);
    if (!parked)
        return false;
    parked->ended = true;
    parked->end = end;
    return true;
}

/* ---- On, off, and what the kernel answers --------------------------------------------------------------- */

void swale__uring_receive(struct swale__backend *base, struct swale__channel *channel, bool on)
{
    struct swale__uring *uring = swale__uring_of(base);
    if (!on) {
        channel->wants &= (uint8_t)~SWALE__RECEIVE;
    } else if (holds_back(channel)) {
        channel->wants |= SWALE__RECEIVE;
        swale__loop_at_next(uring->loop, &channel->parked->resume);
    } else if (!channel->over) {
        channel->wants |= SWALE__RECEIVE;
        order_if_wanted(uring, channel);
    }
}

static void switch_to_bulk(struct swale__uring *uring, struct swale__channel *channel)
{
    channel->bulk = true;
    channel->meagre = 0;
    if (channel->armed & SWALE__RECEIVE)
        swale__uring_cancel_standing(uring, channel, SWALE__ORDER_RECEIVE);
}

/* Wanted as it is, but not in the same turn. */
static bool put_off_end(struct swale__uring *uring, struct swale__channel *channel, ptrdiff_t end)
{
    if (!has_just_received(uring, channel) || !park_end(uring, channel, end))
        return false;
    swale__loop_at_next(uring->loop, &channel->parked->resume);
    return true;
}

static void deliver(struct swale__uring *uring, struct swale__channel *channel, char *data, ptrdiff_t size)
{
    if (channel->dead)
        return;
    channel->over = size <= 0;
    if ((channel->wants & SWALE__RECEIVE) && !holds_back(channel)) {
        if (size > 0)
            tell_data(uring, channel, data, size);
        else if (!put_off_end(uring, channel, size))
            tell_end(channel, size);
    } else if (size > 0 ? !park_data(uring, channel, data, (size_t)size) : !park_end(uring, channel, size)) {
        tell_end(channel, -ENOMEM); /* also while it is off: these are no bytes, and some have been lost */
    } else {
        switch_to_bulk(uring, channel);
    }
}

/* Is it an answer that says nothing about the connection, but that the order is at its end? */
static bool is_about_the_order(int result)
{
    return result == -ENOBUFS || result == -ECANCELED || result == -EINTR || result == -EAGAIN;
}

/* Of the buffers that have run out: that one brings much is no reason for more of them. */
static bool has_had_its_share(const struct swale__uring *uring, const struct swale__channel *channel)
{
    return channel->closed || channel->bulk || holds_back(channel) || has_just_received(uring, channel);
}

void swale__uring_received(struct swale__uring *uring, struct swale__channel *channel,
                           const struct io_uring_cqe *answer)
{
    if (!(answer->flags & IORING_CQE_F_MORE))
        channel->armed &= (uint8_t) ~(SWALE__RECEIVE | SWALE__CANCEL);
    if (answer->res == -ENOBUFS && !has_had_its_share(uring, channel))
        swale__uring_buffers_add(uring);
    if (!channel->closed && !is_about_the_order(answer->res))
        deliver(uring, channel, answer->res > 0 ? swale__uring_buffers_find(uring, answer) : NULL, answer->res);
    swale__uring_buffers_return(uring, answer);
    if (channel->closed)
        return;
    if (answer->res >= MUCH && !channel->bulk)
        switch_to_bulk(uring, channel);
    order_if_wanted(uring, channel);
}

static void note_size(struct swale__channel *channel, ptrdiff_t size)
{
    if (size >= MUCH)
        channel->meagre = 0;
    else if (channel->meagre < MEAGRE_MAX)
        channel->meagre++;
    else
        channel->bulk = false;
}

/* Whether there may be more at once. */
static bool read_directly(struct swale__uring *uring, struct swale__channel *channel)
{
    struct swale_loop *loop = uring->loop;
    ptrdiff_t size = swale__call_receive(channel->fd, loop->receive_buffer, loop->receive_size);
    if (size == -EAGAIN)
        return false;
    note_size(channel, size);
    deliver(uring, channel, loop->receive_buffer, size);
    return (size_t)size == loop->receive_size && !channel->closed && (channel->wants & SWALE__RECEIVE);
}

void swale__uring_readable(struct swale__uring *uring, struct swale__channel *channel)
{
    channel->armed &= (uint8_t)~SWALE__READABLE;
    if (channel->closed || !(channel->wants & SWALE__RECEIVE))
        return; /* it is asked for again when it is wanted again */
    for (int i = 0; i < SWALE__RECEIVES_MAX && read_directly(uring, channel); i++)
        ;
    if (!channel->closed)
        order_if_wanted(uring, channel);
}
