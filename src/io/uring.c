/* The backend on io_uring: the kernel has standing orders to accept and to receive, and one system call in a turn
 * both hands over what was asked for meanwhile and waits for answers.
 *
 * The ring is the affair of one thread (SINGLE_ISSUER), on which the kernel does the work of answering when that
 * thread waits (DEFER_TASKRUN), and at no other time. It is enabled by the first wait, which makes that thread its
 * owner.
 *
 * A channel that is closed has its orders cancelled; its descriptor is closed and it is released when the last of
 * them is answered. */
#include "io/uring.h"

#include "base/memory.h"
#include "io/calls.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Orders of one turn (more are handed over in between), and answers, one for each connection that something came
 * from. What does not fit waits in the kernel, at a higher price. */
enum { ORDERS = 1024, ANSWERS = 16 * 1024 };

/* ---- Channels ----------------------------------------------------------------------------------------- */

struct swale__parked *swale__uring_park(struct swale__uring *uring, struct swale__channel *channel)
{
    if (!channel->parked) {
        channel->parked = swale__alloc_zeroed(uring->loop->allocator, sizeof *channel->parked);
        if (!channel->parked)
            return NULL;
        channel->parked->uring = uring;
        channel->parked->channel = channel;
    }
    return channel->parked;
}

void swale__uring_unpark(struct swale__channel *channel)
{
    struct swale__parked *parked = channel->parked;
    if (!parked)
        return;
    channel->parked = NULL;
    struct swale_loop *loop = parked->uring->loop;
    swale__loop_forget(loop, &parked->resume);
    swale__loop_forget(loop, &parked->retry);
    if (parked->received)
        swale__free(loop->allocator, parked->received, parked->received_size);
    if (parked->unsent)
        swale__free(loop->allocator, parked->unsent, parked->unsent_size);
    swale__free(loop->allocator, parked, sizeof *parked);
}

void swale__uring_unpark_if_empty(struct swale__channel *channel)
{
    const struct swale__parked *parked = channel->parked;
    if (parked && !parked->received && !parked->ended && !parked->unsent && !parked->retry.run)
        swale__uring_unpark(channel);
}

void swale__uring_declare_dead(struct swale__channel *channel)
{
    channel->wants = 0;
    channel->over = true;
    channel->dead = true;
    swale__uring_unpark(channel);
}

static int open_channel(struct swale__backend *base, struct swale__channel *channel)
{
    (void)base;
    (void)channel;
    return 0; /* the kernel hears of it when something is asked for */
}

static int connect_channel(struct swale__backend *base, struct swale__channel *channel,
                           const struct sockaddr *address, socklen_t size)
{
    if (connect(channel->fd, address, size) != 0 && errno != EINPROGRESS)
        return -errno;
    channel->connecting = true;
    swale__uring_await_room(swale__uring_of(base), channel);
    return channel->armed ? 0 : -ENOMEM;
}

static void finish_connect(struct swale__channel *channel)
{
    int error = swale__call_connected(channel->fd);
    channel->connecting = false;
    channel->wants &= (uint8_t)~SWALE__ROOM; /* this answers it */
    if (error)
        swale__uring_declare_dead(channel);
    channel->user->sent(channel, error);
}

/* ---- Closing ------------------------------------------------------------------------------------------ */

static void release(struct swale__work *work)
{
    struct swale__channel *channel = SWALE__LIST_OWNER(work, struct swale__channel, release);
    channel->user->released(channel);
}

static void finish_close(struct swale__uring *uring, struct swale__channel *channel)
{
    swale__list_remove(&channel->release.node);
    if (channel->finishing)
        shutdown(channel->fd, SHUT_WR); /* so that a reset, if that is what closing means here, is behind an end */
    close(channel->fd);
    channel->fd = -1;
    swale__loop_at_end(uring->loop, &channel->release);
}

static void close_channel(struct swale__backend *base, struct swale__channel *channel)
{
    struct swale__uring *uring = swale__uring_of(base);
    if (channel->user->ready) {
        uring->watches->ops->close(uring->watches, channel);
        return;
    }
    if (swale__uring_is_sending(uring, channel)) {
        channel->armed |= SWALE__SEND;
        uring->hurry = true;
    }
    swale__uring_unpark(channel);
    channel->closed = true;
    channel->release = (struct swale__work){ .run = release };
    swale__list_append(&uring->closing, &channel->release.node);
    if (channel->armed & SWALE__RECEIVE)
        swale__uring_cancel_standing(uring, channel, SWALE__ORDER_RECEIVE);
    if (channel->armed & SWALE__ACCEPT)
        swale__uring_cancel_standing(uring, channel, SWALE__ORDER_ACCEPT);
    if (channel->user->accepted)
        swale__uring_turn_away(uring, channel);
    if (channel->armed & SWALE__ROOM)
        swale__uring_cancel(uring, channel, SWALE__ORDER_ROOM);
    if (channel->armed & SWALE__READABLE)
        swale__uring_cancel(uring, channel, SWALE__ORDER_READABLE);
    if (!(channel->armed & SWALE__IN_KERNEL))
        finish_close(uring, channel);
    else if (uring->enabled && !swale__loop_here(uring->loop))
        base->ops->flush(base); /* there may never be another turn */
}

/* ---- Answers ------------------------------------------------------------------------------------------ */

/* Or the order has failed, which is no harm to who finds no room then and asks again. */
static void has_room(struct swale__uring *uring, struct swale__channel *channel, int result)
{
    channel->armed &= (uint8_t)~SWALE__ROOM;
    if (channel->closed)
        return;
    if (channel->connecting && result < 0)
        swale__uring_await_room(uring, channel);
    else if (channel->connecting)
        finish_connect(channel);
    else
        swale__uring_has_room(uring, channel);
}

static void handle_channel(struct swale__uring *uring, struct swale__channel *channel,
                           const struct io_uring_cqe *answer)
{
    enum swale__uring_order order = swale__uring_kind(answer);
    if (order == SWALE__ORDER_RECEIVE)
        swale__uring_received(uring, channel, answer);
    else if (order == SWALE__ORDER_SEND)
        swale__uring_sent(uring, channel, answer);
    else if (order == SWALE__ORDER_READABLE)
        swale__uring_readable(uring, channel);
    else if (order == SWALE__ORDER_ROOM)
        has_room(uring, channel, answer->res);
    else
        swale__uring_accepted(uring, channel, answer);
    if (channel->closed && channel->fd >= 0 && !(channel->armed & SWALE__IN_KERNEL))
        finish_close(uring, channel);
}

static int handle(struct swale__uring *uring, const struct io_uring_cqe *answer)
{
    switch (answer->user_data) {
    case SWALE__ORDER_NONE:
        return 0;
    case SWALE__ORDER_WAKE:
        if (!(answer->flags & IORING_CQE_F_MORE))
            swale__uring_order_wakeups_again(uring);
        return 0;
    case SWALE__ORDER_WATCHES:
        return swale__uring_dispatch_watches(uring);
    default:
        handle_channel(uring, swale__uring_owner(answer), answer);
        return 1;
    }
}

/* Those whose last send has just been settled. */
static void finish_closes(struct swale__uring *uring)
{
    struct swale__list *next;
    for (struct swale__list *node = uring->closing.next; node != &uring->closing; node = next) {
        struct swale__channel *channel = SWALE__LIST_OWNER(node, struct swale__channel, release.node);
        next = node->next;
        channel->armed &= (uint8_t)~SWALE__SEND;
        if (!(channel->armed & SWALE__IN_KERNEL))
            finish_close(uring, channel);
    }
}

static int dispatch(struct swale__backend *base)
{
    struct swale__uring *uring = swale__uring_of(base);
    int count = 0;
    uring->dispatches++;
    uring->lobby.admitted = 0;
    swale__uring_settle_sends(uring);
    if (!uring->hurry)
        finish_closes(uring);
    /* What is answered from now on waits for its turn. */
    for (unsigned left = io_uring_cq_ready(&uring->ring); left > 0; left--) {
        struct io_uring_cqe *place;
        if (io_uring_peek_cqe(&uring->ring, &place) != 0)
            break;
        struct io_uring_cqe answer = *place;
        io_uring_cqe_seen(&uring->ring, place);
        count += handle(uring, &answer);
    }
    return count;
}

static int enter(struct swale__uring *uring, int timeout_ms)
{
    bool all_told = swale__uring_move_up(uring);
    if (timeout_ms == 0 || uring->hurry || !all_told)
        return io_uring_submit_and_get_events(&uring->ring);
    if (timeout_ms < 0)
        return io_uring_submit_and_wait(&uring->ring, 1);
    struct __kernel_timespec timeout = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000LL };
    struct io_uring_cqe *first;
    return io_uring_submit_and_wait_timeout(&uring->ring, &first, 1, &timeout, NULL);
}

static int wait_for_answers(struct swale__backend *base, int timeout_ms)
{
    struct swale__uring *uring = swale__uring_of(base);
    int error = swale__uring_enable(uring);
    if (error)
        return error;
    if (!pthread_equal(uring->owner, pthread_self()))
        return SWALE_ERR_STATE;
    swale__uring_register_bell(uring);
    int result = enter(uring, timeout_ms);
    /* Time is over, a signal came, or the kernel is short of memory for the moment and has told us what it could. */
    bool harmless = result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY;
    return harmless ? 0 : result;
}

static bool pending(const struct swale__backend *base)
{
    const struct swale__uring *uring = (const struct swale__uring *)base;
    return uring->hurry || swale__uring_has_orders(uring);
}

/* Before their turn comes: nobody is called back for a closed channel. (But not if there are bytes: what the buffers
 * have been filled with is looked at in the order of the answers.) */
static void read_answers_to_closed(struct swale__uring *uring)
{
    unsigned head;
    struct io_uring_cqe *place;
    io_uring_for_each_cqe(&uring->ring, head, place)
    {
        struct io_uring_cqe answer = *place;
        struct swale__channel *channel = swale__uring_owner(&answer);
        if (!channel || !channel->closed || (answer.flags & IORING_CQE_F_BUFFER))
            continue;
        place->user_data = SWALE__ORDER_NONE;
        handle_channel(uring, channel, &answer);
    }
}

/* With what comes of it: who has closed something and waits elsewhere now is not to keep it open. */
static void flush(struct swale__backend *base)
{
    enum { TRIES = 100 }; /* the kernel cancels at once, but not all of many */
    struct swale__uring *uring = swale__uring_of(base);
    if (swale__uring_enable(uring) != 0 || !pthread_equal(uring->owner, pthread_self()))
        return;
    for (int i = 0; i < TRIES && (pending(base) || !swale__list_empty(&uring->closing)); i++) {
        swale__uring_move_up(uring);
        io_uring_submit_and_get_events(&uring->ring);
        swale__uring_settle_sends(uring);
        read_answers_to_closed(uring);
        if (!uring->hurry)
            finish_closes(uring);
    }
    swale__uring_silence_bells(uring);
}

/* ---- Life --------------------------------------------------------------------------------------------- */

/* liburing maps and unmaps its memory by system calls of its own, which ThreadSanitizer does not see: two threads'
 * rings that had the same address, one after the other, look like one that they share. */
#if defined __SANITIZE_THREAD__
#define BETWEEN_RINGS(call) __tsan_##call((void *)&swale__backend_uring)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#else
#define BETWEEN_RINGS(call) (void)0
#endif

/* All channels are closed by now; their last words leave, and descriptors are free again when this returns (another
 * listener may be waiting for the port). */
static void finish_closing(struct swale__uring *uring)
{
    enum { TRIES = 100 };   /* the kernel cancels at once */
    dispatch(&uring->base); /* what the thread that owned it has left unread */
    for (int i = 0; i < TRIES && (pending(&uring->base) || !swale__list_empty(&uring->closing)); i++) {
        if (wait_for_answers(&uring->base, 0) != 0)
            break;
        dispatch(&uring->base);
    }
}

static void destroy(struct swale__backend *base)
{
    struct swale__uring *uring = swale__uring_of(base);
    struct swale_loop *loop = uring->loop;
    if (uring->has_ring) {
        finish_closing(uring);
        BETWEEN_RINGS(release);
        io_uring_queue_exit(&uring->ring);
    }
    while (!swale__list_empty(&uring->closing))
        finish_close(uring, SWALE__LIST_OWNER(uring->closing.next, struct swale__channel, release.node));
    if (uring->watches)
        uring->watches->ops->destroy(uring->watches);
    if (uring->wakeup >= 0)
        close(uring->wakeup);
    if (uring->bell >= 0)
        close(uring->bell);
    if (uring->outside >= 0)
        close(uring->outside);
    swale__uring_buffers_free(uring);
    swale__uring_lobby_free(uring);
    swale__uring_line_free(uring);
    if (uring->outbox)
        swale__free(loop->allocator, uring->outbox, SWALE__OUTBOX_SIZE);
    swale__free(loop->allocator, uring, sizeof *uring);
}

static int create_ring(struct swale__uring *uring)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_TASKRUN_FLAG,
        .cq_entries = ANSWERS,
    };
    int error = io_uring_queue_init_params(ORDERS, &uring->ring, &params);
    uring->has_ring = error == 0;
    BETWEEN_RINGS(acquire);
    return error;
}

static int create_parts(struct swale__uring *uring)
{
    uring->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uring->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uring->outside = epoll_create1(EPOLL_CLOEXEC);
    if (uring->wakeup < 0 || uring->bell < 0 || uring->outside < 0)
        return -errno;
    int error = create_ring(uring);
    if (!error)
        error = swale__uring_buffers_create(uring);
    if (error)
        return error;
    swale__uring_order_wakeups(uring);
    return 0;
}

static int create(struct swale__backend **out, struct swale_loop *loop)
{
    struct swale__uring *uring = swale__alloc_zeroed(loop->allocator, sizeof *uring);
    if (!uring)
        return -ENOMEM;
    uring->base.ops = &swale__backend_uring;
    uring->loop = loop;
    uring->turn = 1;
    swale__list_init(&uring->closing);
    int error = create_parts(uring);
    if (error) {
        destroy(&uring->base);
        return error;
    }
    *out = &uring->base;
    return 0;
}

const struct swale__backend_ops swale__backend_uring = {
    .create = create,
    .destroy = destroy,
    .wait = wait_for_answers,
    .dispatch = dispatch,
    .wake = swale__uring_wake,
    .descriptor = swale__uring_descriptor,
    .pending = pending,
    .flush = flush,
    .open = open_channel,
    .connect = connect_channel,
    .accept = swale__uring_accept,
    .watch = swale__uring_watch,
    .receive = swale__uring_receive,
    .send = swale__uring_send,
    .place = swale__uring_place,
    .shutdown = swale__uring_shutdown,
    .close = close_channel,
};
