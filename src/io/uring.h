/* uring.h - what the io_uring backend is made of. For its own files only.
 *
 *     uring.c          the ring: its life, waiting, what the kernel has answered, descriptors opened and closed
 *     uring_accept.c   the standing order to accept, and those who wait to be admitted
 *     uring_buffers.c  the memory that the kernel receives into
 *     uring_orders.c   orders, on their way to the kernel
 *     uring_outside.c  foreign loops, watched descriptors, wakes
 *     uring_receive.c  standing orders to receive, and what comes while nobody wants it
 *     uring_send.c     sends, gathered over a turn
 *
 * An order that the kernel has carries in its user_data the channel, whose memory stays until all of its orders are
 * answered for good, and in the lowest bits which order it is. */
#ifndef SWALE_IO_URING_H
#define SWALE_IO_URING_H

#include "io/loop.h"

#include <liburing.h>

enum swale__uring_order {
    SWALE__ORDER_NONE, /* nobody waits for the answer */
    SWALE__ORDER_RECEIVE,
    SWALE__ORDER_SEND,
    SWALE__ORDER_ROOM, /* or to be connected */
    SWALE__ORDER_ACCEPT,
    SWALE__ORDER_WAKE,
    SWALE__ORDER_WATCHES,
    SWALE__ORDER_READABLE
};

/* Bits of channel->wants and channel->armed. */
enum {
    SWALE__RECEIVE = 1, /* wants: somebody does; armed: the kernel has the order */
    SWALE__ROOM = 2,   /* wants: to be told when a send may be tried again; armed: the kernel has the order to tell */
    SWALE__SEND = 4,   /* armed: closed before its send was settled */
    SWALE__ACCEPT = 8, /* both */
    SWALE__CANCEL = 16,   /* armed: the order to receive or to accept is being cancelled */
    SWALE__READABLE = 32, /* armed: the order to tell when there is something to receive */
    SWALE__IN_KERNEL = SWALE__RECEIVE | SWALE__ROOM | SWALE__SEND | SWALE__ACCEPT | SWALE__READABLE
};

/* What a channel holds on to when something comes too early, or does not leave at once. */
struct swale__parked {
    struct swale__uring *uring;
    struct swale__channel *channel;
    struct swale__work resume; /* hands out what was received */
    struct swale__work retry;  /* goes on when a send is settled */
    char *received;
    size_t received_size;
    ptrdiff_t end; /* what comes behind it: 0, or -errno, if `ended` */
    bool ended;
    char *unsent; /* unsent_size bytes, of which those from unsent_at on have not left */
    size_t unsent_at, unsent_size;
};

enum { SWALE__BUFFERS_MAX = 32 };

struct swale__uring_buffers {
    struct io_uring_buf_ring *ring;
    char *memory[SWALE__BUFFERS_MAX];
    size_t size;    /* of each */
    unsigned count; /* that there may be, */
    unsigned given; /* and that there are, which the kernel goes round through */
    uint32_t used[SWALE__BUFFERS_MAX];
    struct swale_span handed; /* what is being handed out just now, */
    unsigned handed_id;       /* and of which buffer */
    uint32_t lent;            /* a bit for each: of it something is being sent on, */
    uint32_t due;             /* and it goes back to the kernel when that is settled */
};
_Static_assert(SWALE__BUFFERS_MAX <= 32, "a bit for each");

/* Connections that the kernel has accepted, in order, and that no listener has been told of yet. */
struct swale__uring_lobby {
    struct swale__uring_guest *guests;
    size_t first, end, room; /* of guests */
    unsigned admitted;       /* in this turn */
    struct swale__work admit;
};

/* Orders that the ring has no place for while the kernel takes none. */
struct swale__uring_line {
    struct io_uring_sqe *orders;
    size_t first, end, room;
};

struct swale__uring {
    struct swale__backend base;
    struct swale_loop *loop;
    struct io_uring ring;
    bool has_ring;
    bool enabled; /* by the thread that `owner` is, the only one that may enter */
    pthread_t owner;
    int wakeup;  /* an eventfd */
    int outside; /* an epoll for a foreign loop to wait on; in it are the others */
    int bell;    /* an eventfd, which the kernel rings once it is registered */
    bool bell_wanted, has_bell;
    struct swale__backend *watches; /* an epoll of its own; NULL until there are any */
    bool watching;                  /* the kernel has the order to tell of it */
    struct swale__uring_line line;
    struct swale__uring_buffers buffers;
    struct swale__uring_lobby lobby;
    char *outbox; /* what the sends of this turn are gathered in; NULL before the first */
    size_t outbox_used;
    struct swale_span gathered; /* what was put there last, where its caller had it, */
    size_t gathered_at;         /* and where it is */
    unsigned sends;             /* in it */
    uint32_t turn;              /* the channels with sends in it bear this number */
    bool hurry;                 /* something waits for the sends to be settled */
    uint32_t dispatches;        /* the channels that have received in the present one bear its number */
    struct swale__list closing;
};

static inline struct swale__uring *swale__uring_of(struct swale__backend *base)
{
    return (struct swale__uring *)base;
}

/* Whoever is told of an error hears nothing more. */
void swale__uring_declare_dead(struct swale__channel *channel);

/* What the channel has parked, made if need be. NULL when memory is out. Freed when nothing is left in it. */
struct swale__parked *swale__uring_park(struct swale__uring *uring, struct swale__channel *channel);
void swale__uring_unpark(struct swale__channel *channel);
void swale__uring_unpark_if_empty(struct swale__channel *channel);

/* uring_accept.c */
int swale__uring_accept(struct swale__backend *base, struct swale__channel *channel, bool on);
void swale__uring_accepted(struct swale__uring *uring, struct swale__channel *channel,
                           const struct io_uring_cqe *answer);
void swale__uring_turn_away(struct swale__uring *uring, const struct swale__channel *channel); /* all of its guests */
void swale__uring_lobby_free(struct swale__uring *uring);

/* uring_buffers.c */
int swale__uring_buffers_create(struct swale__uring *uring);
void swale__uring_buffers_free(struct swale__uring *uring);
/* All that there may be for the kernel. Whether these are more than before. */
bool swale__uring_buffers_add(struct swale__uring *uring);
/* Where the answer's bytes are. Then, when they are done with: */
char *swale__uring_buffers_find(struct swale__uring *uring, const struct io_uring_cqe *answer);
void swale__uring_buffers_return(struct swale__uring *uring, const struct io_uring_cqe *answer);
/* Lends the part to a send, if it is of what is being handed out: it stays as it is until the sends are settled. And
 * which place that is. */
bool swale__uring_buffers_lend(struct swale__uring *uring, const struct iovec *part, uint32_t *place);
const char *swale__uring_buffers_at(const struct swale__uring *uring, uint32_t place);
void swale__uring_buffers_settle(struct swale__uring *uring);
enum { SWALE__BUFFER_GROUP = 0 };

/* uring_receive.c */
void swale__uring_receive(struct swale__backend *base, struct swale__channel *channel, bool on);
void swale__uring_received(struct swale__uring *uring, struct swale__channel *channel,
                           const struct io_uring_cqe *answer);

void swale__uring_readable(struct swale__uring *uring, struct swale__channel *channel);

/* uring_orders.c */
/* io_uring_register(2): 0, or -errno. (Debian 12's liburing has it for some of its uses only.) */
int swale__uring_register(struct swale__uring *uring, unsigned what, const void *argument, unsigned count);
/* From now on this thread is the ring's owner. */
int swale__uring_enable(struct swale__uring *uring);
/* A place for an order, to be filled before the next one is asked for, and marked with whom it is for. NULL only when
 * neither the kernel nor we have memory. */
struct io_uring_sqe *swale__uring_order(struct swale__uring *uring);
void swale__uring_mark(struct io_uring_sqe *sqe, void *channel, enum swale__uring_order order);
/* Whose answer this is, and to what kind of order. */
struct swale__channel *swale__uring_owner(const struct io_uring_cqe *answer);
enum swale__uring_order swale__uring_kind(const struct io_uring_cqe *answer);
/* Is there any that the kernel has not been told of? */
bool swale__uring_has_orders(const struct swale__uring *uring);
/* Before all are submitted: makes places for those in the line. Whether there are enough. */
bool swale__uring_move_up(struct swale__uring *uring);
void swale__uring_line_free(struct swale__uring *uring);
/* An order to tell once when the channel is ready. Does nothing without memory: a connection that is silent ends by
 * its deadlines. */
void swale__uring_order_poll(struct swale__uring *uring, struct swale__channel *channel, short events,
                             enum swale__uring_order order, uint8_t armed);
/* Cancels an order, whose last answer will still come. The standing one, to receive or to accept: once. */
void swale__uring_cancel(struct swale__uring *uring, struct swale__channel *channel, enum swale__uring_order order);
void swale__uring_cancel_standing(struct swale__uring *uring, struct swale__channel *channel,
                                  enum swale__uring_order order);

/* uring_outside.c */
int swale__uring_descriptor(struct swale__backend *base);
/* For whoever waits on the descriptor, if anybody does: before a wait, and when everything has been seen to. */
void swale__uring_register_bell(struct swale__uring *uring);
void swale__uring_silence_bells(struct swale__uring *uring);
int swale__uring_watch(struct swale__backend *base, struct swale__channel *channel, unsigned events);
int swale__uring_dispatch_watches(struct swale__uring *uring);
void swale__uring_order_wakeups(struct swale__uring *uring);
void swale__uring_order_wakeups_again(struct swale__uring *uring);
void swale__uring_wake(struct swale__backend *base);

/* uring_send.c */
enum { SWALE__OUTBOX_SIZE = 1024 * 1024 };
ptrdiff_t swale__uring_send(struct swale__backend *base, struct swale__channel *channel, const struct iovec *parts,
                            int count);
char *swale__uring_place(struct swale__backend *base, struct swale__channel *channel, size_t size);
bool swale__uring_is_sending(const struct swale__uring *uring, const struct swale__channel *channel);
/* After the kernel was told of all sends, before anything else is done with its answers. */
void swale__uring_settle_sends(struct swale__uring *uring);
/* The answer to one that was not settled beforehand, or that failed. */
void swale__uring_sent(struct swale__uring *uring, struct swale__channel *channel, const struct io_uring_cqe *answer);
void swale__uring_has_room(struct swale__uring *uring, struct swale__channel *channel);
void swale__uring_await_room(struct swale__uring *uring, struct swale__channel *channel);
void swale__uring_shutdown(struct swale__backend *base, struct swale__channel *channel);

#endif
