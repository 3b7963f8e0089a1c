/* Sends, gathered over a turn: short ones are copied into the outbox, and all of them are handed to the kernel with
 * the wait that ends the turn, in one system call. What a topic's subscribers are all sent lies there once.
 *
 * To the caller a copied send has left. It is tried once, while the kernel is told of it (MSG_DONTWAIT), and answered
 * only if it fails or is short of all (MSG_WAITALL makes that a failure). So once the kernel has been told, and these
 * answers have been looked for, all others have left, and the outbox is free again. What the socket had no room for
 * is parked, and until it has left the channel is full: no memory of a caller's is ever in flight, and a slow peer
 * costs at most GATHER_MAX.
 *
 * A channel has one send at a time: what came behind one that fails would be out of order. A second one in the same
 * turn makes the kernel be told of the first at once.
 *
 * What is sent on as it was received leaves from where it lies, in the same manner.
 *
 * Other long ones are sent at once: the system call is nothing beside the copying that it does, and the outbox would
 * be one copy more. */
#include "io/uring.h"

#include "base/memory.h"
#include "io/calls.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* A frame of 16 KiB, and what is wrapped around it. */
enum { GATHER_MAX = 20 * 1024 };

/* A copy of less is no matter, and leaves the kernel its buffer. */
enum { LEND_MIN = 2048 };

static size_t total_of(const struct iovec *parts, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    return total;
}

/* ---- Into the outbox -------------------------------------------------------------------------------------- */

static bool has_place(struct swale__uring *uring, size_t size)
{
    if (!uring->outbox)
        uring->outbox = swale__alloc(uring->loop->allocator, SWALE__OUTBOX_SIZE);
    return uring->outbox && size <= SWALE__OUTBOX_SIZE - uring->outbox_used;
}

/* Whether the part is what was put there last. What is for many comes from one place; but that may have been written
 * to since, so the bytes are compared, which costs little where both are in the cache. */
static bool is_there(const struct swale__uring *uring, const struct iovec *part)
{
    return uring->outbox_used > 0 && part->iov_base == uring->gathered.data &&
           part->iov_len == uring->gathered.size &&
           memcmp(part->iov_base, uring->outbox + uring->gathered_at, part->iov_len) == 0;
}

enum { SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL };

static void send_at_end(struct swale__uring *uring, struct swale__channel *channel, struct io_uring_sqe *sqe,
                        const struct iovec *what)
{
    io_uring_prep_send(sqe, channel->fd, what->iov_base, what->iov_len, SEND_FLAGS);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    swale__uring_mark(sqe, channel, SWALE__ORDER_SEND);
    channel->sending_size = (uint32_t)what->iov_len;
    channel->sending_turn = uring->turn;
    uring->sends++;
}

static bool is_in_place(const struct swale__uring *uring, const struct iovec *parts, int count)
{
    return count == 1 && parts->iov_base == uring->outbox + uring->outbox_used;
}

static void put_there(struct swale__uring *uring, const struct iovec *parts, int count)
{
    uring->gathered = swale_span(parts[0].iov_base, count == 1 ? parts[0].iov_len : 0);
    uring->gathered_at = uring->outbox_used;
    if (is_in_place(uring, parts, count)) {
        uring->outbox_used += parts->iov_len;
        return;
    }
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len == 0)
            continue; /* and may be NULL */
        memcpy(uring->outbox + uring->outbox_used, parts[i].iov_base, parts[i].iov_len);
        uring->outbox_used += parts[i].iov_len;
    }
}

static bool gather(struct swale__uring *uring, struct swale__channel *channel, const struct iovec *parts, int count,
                   size_t total)
{
    if (total == 0 || total > GATHER_MAX)
        return false;
    bool there = count == 1 && is_there(uring, parts);
    if (!there && !has_place(uring, total))
        return false;
    struct io_uring_sqe *sqe = swale__uring_order(uring);
    if (!sqe)
        return false;
    if (!there)
        put_there(uring, parts, count);
    channel->lent = false;
    channel->sending_at = (uint32_t)uring->gathered_at;
    send_at_end(uring, channel, sqe, &(struct iovec){ uring->outbox + uring->gathered_at, total });
    return true;
}

/* Where the next one is to lie; not for one that cannot be gathered just now. */
char *swale__uring_place(struct swale__backend *base, struct swale__channel *channel, size_t size)
{
    struct swale__uring *uring = swale__uring_of(base);
    if (size > GATHER_MAX || swale__uring_is_sending(uring, channel) || !has_place(uring, size))
        return NULL;
    return uring->outbox + uring->outbox_used;
}

static bool lend(struct swale__uring *uring, struct swale__channel *channel, const struct iovec *parts, int count)
{
    struct io_uring_sqe *sqe;
    if (count != 1 || parts->iov_len < LEND_MIN || !swale__uring_buffers_lend(uring, parts, &channel->sending_at) ||
        !(sqe = swale__uring_order(uring)))
        return false;
    channel->lent = true;
    send_at_end(uring, channel, sqe, parts);
    return true;
}

/* ---- When there is room again ----------------------------------------------------------------------------- */

void swale__uring_await_room(struct swale__uring *uring, struct swale__channel *channel)
{
    swale__uring_order_poll(uring, channel, POLLOUT, SWALE__ORDER_ROOM, SWALE__ROOM);
}

bool swale__uring_is_sending(const struct swale__uring *uring, const struct swale__channel *channel)
{
    return uring->sends > 0 && channel->sending_turn == uring->turn;
}

static bool has_unsent(const struct swale__channel *channel)
{
    return channel->parked && channel->parked->unsent;
}

/* Everything has left. */
static void go_on(struct swale__channel *channel)
{
    if (channel->finishing) {
        channel->finishing = false;
        shutdown(channel->fd, SHUT_WR);
    }
    if (channel->wants & SWALE__ROOM) {
        channel->wants &= (uint8_t)~SWALE__ROOM;
        channel->user->sent(channel, 0);
    }
}

static void retry(struct swale__work *work)
{
    struct swale__parked *parked = SWALE__LIST_OWNER(work, struct swale__parked, retry);
    struct swale__channel *channel = parked->channel;
    if (swale__uring_is_sending(parked->uring, channel)) { /* the kernel could not even be told of it */
        swale__loop_at_next(parked->uring->loop, &parked->retry);
        return;
    }
    parked->retry.run = NULL;
    swale__uring_unpark_if_empty(channel);
    if (!(channel->armed & SWALE__ROOM)) /* else it was short, and goes on when there is room */
        go_on(channel);
}

/* Whether the kernel could be told at once of all sends so far. */
static bool settle_now(struct swale__uring *uring)
{
    swale__uring_move_up(uring);
    io_uring_submit(&uring->ring);
    swale__uring_settle_sends(uring);
    return uring->sends == 0;
}

/* If it could not: goes on when the sends of this turn are settled. */
static bool await_settlement(struct swale__uring *uring, struct swale__channel *channel)
{
    struct swale__parked *parked = swale__uring_park(uring, channel);
    if (!parked)
        return false;
    parked->retry.run = retry;
    swale__loop_at_next(uring->loop, &parked->retry);
    return true;
}

ptrdiff_t swale__uring_send(struct swale__backend *base, struct swale__channel *channel, const struct iovec *parts,
                            int count)
{
    struct swale__uring *uring = swale__uring_of(base);
    if (channel->dead)
        return -EPIPE;
    bool unsettled = swale__uring_is_sending(uring, channel) && !settle_now(uring);
    if (unsettled && !await_settlement(uring, channel)) {
        swale__uring_declare_dead(channel);
        return -ENOMEM;
    }
    if (unsettled || channel->connecting || (channel->armed & SWALE__ROOM) || has_unsent(channel)) {
        channel->wants |= SWALE__ROOM;
        return 0;
    }
    size_t total = total_of(parts, count);
    if (lend(uring, channel, parts, count) || gather(uring, channel, parts, count, total))
        return (ptrdiff_t)total;
    ptrdiff_t sent = swale__call_send(channel->fd, parts, count);
    if (sent < 0) {
        swale__uring_declare_dead(channel);
    } else if ((size_t)sent < total) {
        channel->wants |= SWALE__ROOM;
        swale__uring_await_room(uring, channel);
    }
    return sent;
}

/* ---- What did not leave ------------------------------------------------------------------------------------- */

static bool park_unsent(struct swale__uring *uring, struct swale__channel *channel, size_t sent)
{
    struct swale__parked *parked = swale__uring_park(uring, channel);
    size_t left = channel->sending_size - sent;
    char *copy = parked ? swale__alloc(uring->loop->allocator, left) : NULL;
    if (!copy)
        return false;
    const char *place =
        channel->lent ? swale__uring_buffers_at(uring, channel->sending_at) : uring->outbox + channel->sending_at;
    memcpy(copy, place + sent, left);
    parked->unsent = copy;
    parked->unsent_at = 0;
    parked->unsent_size = left;
    return true;
}

/* 0 when it has, 1 when not all of it has, or -errno. */
static int send_parked(struct swale__uring *uring, struct swale__channel *channel)
{
    struct swale__parked *parked = channel->parked;
    struct iovec rest = { .iov_base = parked->unsent + parked->unsent_at,
                          .iov_len = parked->unsent_size - parked->unsent_at };
    ptrdiff_t sent = swale__call_send(channel->fd, &rest, 1);
    if (sent < 0)
        return (int)sent;
    parked->unsent_at += (size_t)sent;
    if (parked->unsent_at < parked->unsent_size)
        return 1;
    swale__free(uring->loop->allocator, parked->unsent, parked->unsent_size);
    parked->unsent = NULL;
    swale__uring_unpark_if_empty(channel);
    return 0;
}

static void fail(struct swale__channel *channel, int error)
{
    if (channel->dead)
        return;
    swale__uring_declare_dead(channel);
    channel->user->sent(channel, error);
}

/* Keeps what did not leave. Whether that is all that there is to say about it. */
static bool settle(struct swale__uring *uring, struct swale__channel *channel, struct io_uring_cqe *answer)
{
    if (channel->closed || channel->dead)
        return true;
    if (answer->res < 0 && answer->res != -EAGAIN && answer->res != -EINTR)
        return false;
    if (!park_unsent(uring, channel, answer->res < 0 ? 0 : (size_t)answer->res)) {
        answer->res = -ENOMEM;
        return false;
    }
    swale__uring_await_room(uring, channel);
    return true;
}

void swale__uring_sent(struct swale__uring *uring, struct swale__channel *channel, const struct io_uring_cqe *answer)
{
    struct io_uring_cqe settled = *answer;
    if (!settle(uring, channel, &settled))
        fail(channel, settled.res);
}

/* Nobody is called back from here: a new send must not be taken for one of those that are being settled. */
void swale__uring_settle_sends(struct swale__uring *uring)
{
    unsigned head;
    struct io_uring_cqe *answer;
    uring->hurry = false;
    if (uring->sends == 0)
        return;
    /* Not all may be submitted, and some answers cannot be seen until others have been read. */
    if (swale__uring_has_orders(uring) || (IO_URING_READ_ONCE(*uring->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW)) {
        uring->hurry = true;
        return;
    }
    io_uring_for_each_cqe(&uring->ring, head, answer)
    {
        if (swale__uring_kind(answer) == SWALE__ORDER_SEND && settle(uring, swale__uring_owner(answer), answer))
            answer->user_data = SWALE__ORDER_NONE;
    }
    uring->sends = 0;
    uring->outbox_used = 0;
    swale__uring_buffers_settle(uring);
    uring->turn = uring->turn == UINT32_MAX ? 1 : uring->turn + 1; /* 0: a channel that has never sent */
}

void swale__uring_has_room(struct swale__uring *uring, struct swale__channel *channel)
{
    int rest = has_unsent(channel) ? send_parked(uring, channel) : 0;
    if (rest < 0)
        fail(channel, rest);
    else if (rest > 0)
        swale__uring_await_room(uring, channel);
    else
        go_on(channel);
}

void swale__uring_shutdown(struct swale__backend *base, struct swale__channel *channel)
{
    struct swale__uring *uring = swale__uring_of(base);
    bool waits = has_unsent(channel) || (swale__uring_is_sending(uring, channel) && await_settlement(uring, channel));
    if (waits)
        channel->finishing = true;
    else
        shutdown(channel->fd, SHUT_WR);
}
