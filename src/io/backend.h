/* backend.h - the contract between sockets and the kernel interface that moves their bytes.
 *
 * It is completion-shaped: what is asked for here happens in the kernel's time and is answered through the
 * callbacks of a channel, from swale__backend_ops.dispatch only, never from within the call that asked. epoll
 * (epoll.c) does the work itself when a descriptor is ready. A completion interface gives the kernel standing
 * orders (accept and receive that stay in force, with buffers provided beforehand), lets sends be in flight,
 * and on close must cancel and wait before the memory may go. Nothing above can tell the difference.
 *
 *     listener, socket, dial --- open accept connect receive send shutdown close ---> backend ---> kernel
 *                            <-- accepted received sent released -------------------- backend
 *
 * A backend serves one loop, on that loop's thread; only `wake` is for everyone. The first wait decides which thread
 * that is, for a completion interface may know its user by it.
 */
#ifndef SWALE_IO_BACKEND_H
#define SWALE_IO_BACKEND_H

#include "io/turn.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct swale__backend;
struct swale__channel;

struct swale__channel_user {
    /* size > 0: bytes, to be changed at will during the call, but for what of them is sent. 0: the peer has ended its
     * direction; comes once, and not in the turn of the last bytes, so that what these were answered with has been
     * sent by then. Negative: -errno; nothing comes any more. */
    void (*received)(struct swale__channel *channel, char *data, ptrdiff_t size);
    /* size > 0: so much of the send in flight has left (it may be counted off in several steps). 0: connected,
     * or there is room again after a short send. Negative: -errno; nothing comes any more. */
    void (*sent)(struct swale__channel *channel, ptrdiff_t size);
    /* A descriptor (close-on-exec), whose new owner is the callee; or -errno. */
    void (*accepted)(struct swale__channel *channel, int fd);
    /* A watched descriptor is ready for some of what was asked for (enum swale_watch_events); an error or hang-up is
     * ready for all of it. */
    void (*ready)(struct swale__channel *channel, unsigned events);
    /* The kernel is done with a closed channel: its memory may go. Comes in the end phase of a turn. */
    void (*released)(struct swale__channel *channel);
};

/* One descriptor. Embedded by its user, who zeroes it and sets `user` and `fd`. The rest is the backend's. */
struct swale__channel {
    const struct swale__channel_user *user;
    union {
        struct {                          /* io_uring's, until it is closed */
            struct swale__parked *parked; /* what waits to be handed out, or to be sent; NULL almost always */
            uint32_t received_turn, sending_turn, sending_at, sending_size;
        };
        struct swale__work release; /* from then on */
    };
    int fd;
    uint8_t wants; /* what is asked for and not yet answered */
    uint8_t armed; /* what the kernel has been told of it */
    bool connecting : 1;
    bool finishing : 1;       /* a FIN is to follow what is being sent */
    bool lent : 1;            /* what is being sent lies in a receive buffer */
    bool bulk : 1;            /* it has been receiving much at a time */
    unsigned char meagre : 3; /* and then so many times in a row little */
    bool over : 1; /* the peer has ended its direction, or the channel is dead: nothing to receive any more */
    bool dead : 1; /* and its user knows */
    bool closed : 1;
};

struct swale__backend_ops {
    /* -errno. `loop` has its allocator and its receive buffer by then. */
    int (*create)(struct swale__backend **backend, struct swale_loop *loop);
    void (*destroy)(struct swale__backend *backend);

    /* Waits for the kernel, for at most timeout_ms (-1: for ever). 0, or -errno. A signal ends the wait. */
    int (*wait)(struct swale__backend *backend, int timeout_ms);
    /* Calls back for all that the wait has found, and returns how much that was. */
    int (*dispatch)(struct swale__backend *backend);
    /* Ends a wait, the present or the next one. Any thread, also from a signal handler. */
    void (*wake)(struct swale__backend *backend);
    /* Polls readable when dispatch would have something to do, but for what is pending. */
    int (*descriptor)(struct swale__backend *backend);
    /* Has something been asked for that the kernel is told of only by the next wait, or by a flush? */
    bool (*pending)(const struct swale__backend *backend);
    void (*flush)(struct swale__backend *backend);

    /* A channel is begun by one of these four. -errno; then it was not begun and its fd is the caller's. */
    int (*open)(struct swale__backend *backend, struct swale__channel *channel); /* a connected socket */
    int (*connect)(struct swale__backend *backend, struct swale__channel *channel, const struct sockaddr *address,
                   socklen_t size);
    int (*accept)(struct swale__backend *backend, struct swale__channel *channel,
                  bool on); /* on and off, repeatedly */
    /* Any descriptor, not ours to read or to close: `ready` comes in each turn that finds it so. Again, to change
     * what is asked for (enum swale_watch_events, never none). -EEXIST for a descriptor that there is a channel for
     * already, -EPERM for one that cannot be waited for (a regular file). */
    int (*watch)(struct swale__backend *backend, struct swale__channel *channel, unsigned events);

    /* Receiving on and off. No bytes are handed out while it is off; none are lost. Off at first. */
    void (*receive)(struct swale__backend *backend, struct swale__channel *channel, bool on);
    /* As swale__stream_write. */
    ptrdiff_t (*send)(struct swale__backend *backend, struct swale__channel *channel, const struct iovec *parts,
                      int count);
    /* As swale__stream_place; NULL: it has none. */
    char *(*place)(struct swale__backend *backend, struct swale__channel *channel, size_t size);
    /* FIN behind what was sent. */
    void (*shutdown)(struct swale__backend *backend, struct swale__channel *channel);
    /* Closes the descriptor, but for a watched one. Of the callbacks only `released` comes. The memory of a send in
     * flight is the caller's again on return: a kernel that still reads it must have been stopped, or have read a
     * copy. */
    void (*close)(struct swale__backend *backend, struct swale__channel *channel);
};

/* What every backend begins with. */
struct swale__backend {
    const struct swale__backend_ops *ops;
    bool second_best; /* epoll is faster here */
};

extern const struct swale__backend_ops swale__backend_epoll;
extern const struct swale__backend_ops swale__backend_uring;

#endif
