/* The backend on epoll: readiness made to look like completion.
 *
 * Descriptors are level-triggered, and what epoll is told lags behind what is wanted. A channel that pauses, or that
 * was full and is no longer, stays armed until an event comes that nobody wants; only then does a system call
 * tell epoll. Streams that pause and resume, or fill and drain, within a turn thus cost none.
 *
 *     wants   READ, WRITE or both     from receive(on), and from a short send until there is room
 *     armed   the same bits           as epoll has them; never fewer than wanted, sometimes more
 *
 * EPOLLERR and EPOLLHUP are reported whether asked for or not, again and again while level-triggered. A channel
 * that wants nothing is therefore set to edge-triggered, where they come at most once and are ignored: what
 * has happened shows at the next receive or send.
 *
 * A ready channel gets one recv and one step of sending per turn, so that a fast one cannot starve the others. Only a
 * recv that fills the whole buffer is repeated, a few times. */
#include "io/calls.h"
#include "io/loop.h"

#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { READ = SWALE_READABLE, WRITE = SWALE_WRITABLE };

/* Events taken in one turn: enough that the system call costs little per event; the rest waits in the kernel
 * for its turn, in order. */
enum { EVENTS_MAX = 512 };

/* Connections accepted from one listener in one turn, so that a burst of them does not hold up the others. */
enum { ACCEPTS_MAX = 64 };

struct epoll_backend {
    struct swale__backend base;
    struct swale_loop *loop;
    int epoll;
    int wakeup; /* an eventfd; its events carry no channel */
    int ready;  /* events found by the wait */
    struct epoll_event events[EVENTS_MAX];
};

static struct epoll_backend *as_epoll(struct swale__backend *backend)
{
    return (struct epoll_backend *)backend;
}

/* ---- The descriptor of the loop --------------------------------------------------------------------- */

static void destroy(struct swale__backend *base)
{
    struct epoll_backend *backend = as_epoll(base);
    if (backend->wakeup >= 0)
        close(backend->wakeup);
    if (backend->epoll >= 0)
        close(backend->epoll);
    swale__free(backend->loop->allocator, backend, sizeof *backend);
}

static int create(struct swale__backend **out, struct swale_loop *loop)
{
    struct epoll_backend *backend = swale__alloc_zeroed(loop->allocator, sizeof *backend);
    if (!backend)
        return -ENOMEM;
    backend->base.ops = &swale__backend_epoll;
    backend->loop = loop;
    backend->epoll = epoll_create1(EPOLL_CLOEXEC);
    backend->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Edge-triggered: each write is reported once, and the counter never needs to be read. */
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };
    if (backend->epoll < 0 || backend->wakeup < 0 ||
        epoll_ctl(backend->epoll, EPOLL_CTL_ADD, backend->wakeup, &event) != 0) {
        int error = -errno;
        destroy(&backend->base);
        return error;
    }
    *out = &backend->base;
    return 0;
}

static void wake(struct swale__backend *base)
{
    int saved = errno; /* of the code that a signal handler interrupts */
    uint64_t one = 1;
    /* Fails only when the counter is at its end, and then the descriptor has been readable for long. */
    ssize_t ignored = write(as_epoll(base)->wakeup, &one, sizeof one);
    (void)ignored;
    errno = saved;
}

static int descriptor(struct swale__backend *base)
{
    return as_epoll(base)->epoll;
}

/* Whatever is asked for, the kernel is told at once. */
static bool pending(const struct swale__backend *base)
{
    (void)base;
    return false;
}

static void flush(struct swale__backend *base)
{
    (void)base;
}

/* ---- Channels: what epoll is told ------------------------------------------------------------------- */

static uint32_t events_for(uint8_t wants)
{
    if (wants == 0)
        return EPOLLET;
    return ((wants & READ) ? (uint32_t)EPOLLIN : 0) | ((wants & WRITE) ? (uint32_t)EPOLLOUT : 0);
}

static int add(struct epoll_backend *backend, struct swale__channel *channel, uint8_t wants, uint32_t extra)
{
    struct epoll_event event = { .events = events_for(wants) | extra, .data.ptr = channel };
    if (epoll_ctl(backend->epoll, EPOLL_CTL_ADD, channel->fd, &event) != 0)
        return -errno;
    channel->armed = wants;
    return 0;
}

/* Cannot fail: the descriptor is there, and the kernel changes its entry in place. */
static void arm(struct epoll_backend *backend, struct swale__channel *channel, uint8_t wants)
{
    struct epoll_event event = { .events = events_for(wants), .data.ptr = channel };
    epoll_ctl(backend->epoll, EPOLL_CTL_MOD, channel->fd, &event);
    channel->armed = wants;
}

static void want(struct epoll_backend *backend, struct swale__channel *channel, uint8_t bit)
{
    channel->wants |= bit;
    if (!channel->connecting && (channel->armed & bit) == 0)
        arm(backend, channel, channel->wants);
}

/* Armed for reading at once, because almost every stream is resumed before the next turn. */
static int open_channel(struct swale__backend *base, struct swale__channel *channel)
{
    return add(as_epoll(base), channel, READ, 0);
}

static int connect_channel(struct swale__backend *base, struct swale__channel *channel,
                           const struct sockaddr *address, socklen_t size)
{
    if (connect(channel->fd, address, size) != 0 && errno != EINPROGRESS)
        return -errno;
    /* Also when it is connected already (unix sockets): the answer must not come from within. */
    channel->connecting = true;
    return add(as_epoll(base), channel, WRITE, 0);
}

/* Several loops may wait on one listening socket: EPOLLEXCLUSIVE wakes one of them. It allows no
 * modification, so listeners are added and removed. */
static int accept_channel(struct swale__backend *base, struct swale__channel *channel, bool on)
{
    struct epoll_backend *backend = as_epoll(base);
    if (on == (channel->armed != 0))
        return 0;
    if (on)
        return add(backend, channel, READ, EPOLLEXCLUSIVE);
    epoll_ctl(backend->epoll, EPOLL_CTL_DEL, channel->fd, NULL);
    channel->armed = 0;
    return 0;
}

static int watch_channel(struct swale__backend *base, struct swale__channel *channel, unsigned events)
{
    if (!channel->armed) {
        int error = add(as_epoll(base), channel, (uint8_t)events, 0);
        if (error)
            return error;
    } else if (channel->armed != events) {
        arm(as_epoll(base), channel, (uint8_t)events);
    }
    channel->wants = (uint8_t)events;
    return 0;
}

static void receive(struct swale__backend *base, struct swale__channel *channel, bool on)
{
    if (on && !channel->over)
        want(as_epoll(base), channel, READ);
    else
        channel->wants &= (uint8_t)~READ;
}

/* What has happened needs no event any more; epoll hears of it when it reports again. */
static void declare_dead(struct swale__channel *channel)
{
    channel->wants = 0;
    channel->over = true;
}

static ptrdiff_t send_parts(struct swale__backend *base, struct swale__channel *channel, const struct iovec *parts,
                            int count)
{
    if (channel->connecting)
        return 0; /* full until it is connected */
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    ptrdiff_t sent = swale__call_send(channel->fd, parts, count);
    if (sent < 0)
        declare_dead(channel);
    else if ((size_t)sent < total)
        want(as_epoll(base), channel, WRITE);
    return sent;
}

static void shutdown_channel(struct swale__backend *base, struct swale__channel *channel)
{
    (void)base; /* no send is ever in flight, so the FIN is behind all of them by itself */
    shutdown(channel->fd, SHUT_WR);
}

static void release(struct swale__work *work)
{
    struct swale__channel *channel =
        (struct swale__channel *)((char *)work - offsetof(struct swale__channel, release));
    channel->user->released(channel);
}

static void close_channel(struct swale__backend *base, struct swale__channel *channel)
{
    /* Taken out by name: closing removes the entry only with the last copy of the descriptor, and a child
     * process that has been forked but not yet executed, or another listener, holds one. */
    epoll_ctl(as_epoll(base)->epoll, EPOLL_CTL_DEL, channel->fd, NULL);
    if (!channel->user->ready)
        close(channel->fd);
    channel->fd = -1;
    channel->closed = true; /* for the events of this turn that are still to come */
    channel->release = (struct swale__work){ .run = release };
    swale__loop_at_end(as_epoll(base)->loop, &channel->release);
}

/* ---- Events ----------------------------------------------------------------------------------------- */

/* True when it filled the buffer, so that there is likely to be more, which is wanted. */
static bool receive_once(struct epoll_backend *backend, struct swale__channel *channel, bool again)
{
    struct swale_loop *loop = backend->loop;
    ptrdiff_t size = swale__call_receive(channel->fd, loop->receive_buffer, loop->receive_size);
    if (size == -EAGAIN || (size == 0 && again))
        return false; /* an end is reported again, in the next turn */
    if (size < 0) {
        declare_dead(channel);
    } else if (size == 0) {
        channel->wants &= (uint8_t)~READ;
        channel->over = true;
    }
    channel->user->received(channel, loop->receive_buffer, size);
    return (size_t)size == loop->receive_size && !channel->closed && (channel->wants & READ);
}

static void receive_some(struct epoll_backend *backend, struct swale__channel *channel)
{
    for (int i = 0; i < SWALE__RECEIVES_MAX && receive_once(backend, channel, i > 0); i++)
        continue;
}

static void accept_some(struct swale__channel *channel)
{
    for (int i = 0; i < ACCEPTS_MAX && !channel->closed && channel->armed; i++) {
        int fd = accept4(channel->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0 && errno == EINTR)
            continue;
        channel->user->accepted(channel, fd < 0 ? -errno : fd);
    }
}

static void finish_connect(struct epoll_backend *backend, struct swale__channel *channel)
{
    int error = swale__call_connected(channel->fd);
    channel->connecting = false;
    if (error)
        declare_dead(channel);
    arm(backend, channel, channel->wants);
    channel->user->sent(channel, error);
}

static void handle_stream(struct epoll_backend *backend, struct swale__channel *channel, uint32_t events)
{
    bool readable = events & (EPOLLIN | EPOLLERR | EPOLLHUP);
    bool writable = events & (EPOLLOUT | EPOLLERR | EPOLLHUP);
    bool wanted = false;
    if (readable && (channel->wants & READ)) {
        wanted = true;
        receive_some(backend, channel);
    }
    if (writable && !channel->closed && (channel->wants & WRITE)) {
        wanted = true;
        channel->wants &= (uint8_t)~WRITE;
        channel->user->sent(channel, 0);
    }
    if (!wanted && !channel->closed && channel->armed != channel->wants)
        arm(backend, channel, channel->wants);
}

/* What is not wanted any more was changed by a callback of this turn. */
static void handle_watch(struct swale__channel *channel, uint32_t events)
{
    bool over = events & (EPOLLERR | EPOLLHUP);
    unsigned ready = ((events & EPOLLIN) || over ? READ : 0) | ((events & EPOLLOUT) || over ? WRITE : 0);
    ready &= channel->wants;
    if (ready)
        channel->user->ready(channel, ready);
}

static int wait_for_events(struct swale__backend *base, int timeout_ms)
{
    struct epoll_backend *backend = as_epoll(base);
    int ready = epoll_wait(backend->epoll, backend->events, EVENTS_MAX, timeout_ms);
    if (ready < 0 && errno != EINTR)
        return -errno;
    backend->ready = ready < 0 ? 0 : ready;
    return 0;
}

static int dispatch(struct swale__backend *base)
{
    struct epoll_backend *backend = as_epoll(base);
    int count = 0;
    for (int i = 0; i < backend->ready; i++) {
        struct swale__channel *channel = backend->events[i].data.ptr;
        if (!channel || channel->closed)
            continue; /* a wake; or closed by a callback of this turn, its memory kept for our sake */
        if (channel->user->accepted)
            accept_some(channel);
        else if (channel->user->ready)
            handle_watch(channel, backend->events[i].events);
        else if (channel->connecting)
            finish_connect(backend, channel);
        else
            handle_stream(backend, channel, backend->events[i].events);
        count++;
    }
    backend->ready = 0;
    return count;
}

const struct swale__backend_ops swale__backend_epoll = {
    .create = create,
    .destroy = destroy,
    .wait = wait_for_events,
    .dispatch = dispatch,
    .wake = wake,
    .descriptor = descriptor,
    .pending = pending,
    .flush = flush,
    .open = open_channel,
    .connect = connect_channel,
    .accept = accept_channel,
    .watch = watch_channel,
    .receive = receive,
    .send = send_parts,
    .shutdown = shutdown_channel,
    .close = close_channel,
};
