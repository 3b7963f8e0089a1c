/* state.h - what a connection is made of, for the files of this layer.
 *
 *     receive.c     stream data -> engine events -> what they mean
 *     assembly.c    parts -> a whole message
 *     inflate.c     compressed parts -> parts
 *     send.c        messages -> frames -> out-queue
 *     compress.c    messages -> compressed messages
 *     shared.c      messages encoded once
 *     subscriber.c  being sent what many are
 *     outq.c        what waits to leave
 *     common.c      what many queues have in common
 *     settle.c      the turn's end: flush, on_drain, on_close
 *     end.c         what ends a connection, and how
 *     group.c       what connections of a loop share
 *     terms.c       what their opening handshakes have settled
 *     conn.c        birth, pause, what is known about it
 *
 * The stages of a connection:
 *
 *     LIVE ----both close frames passed----> FINISHING --all is written--+
 *       |                                        |                       +--> LINGERING --> GONE
 *       +---failed, aborted, transport ended-----+--> FAILED ------------+
 *                                                                 on_close
 *
 * Most connections are at rest most of the time: no message is under way in either direction, nothing is queued, no
 * ping awaits its answer. One that is at rest costs a struct swale_conn. All that only a connection at work needs
 * stands in a struct swale__busy, from a pool of the group's: whoever is about to change any of it calls
 * swale__conn_wake, which also asks for settling, and the end of settling gives it back if it is not needed any more.
 * Reading needs no wake: a connection at rest points to one for all, which is constant.
 *
 *                 wake                               +--> rest, at the end of the turn
 *     at rest ------------> busy: bytes, sends ------+
 *                                                    +--> busy still: a partial frame, a queue, a pong to come,
 *                                                         an end
 *
 * Callbacks of the application run at two places only: in the receive pump and in settling. What they call back
 * sets fields and asks for settling; nothing else happens below them, so that any function may be called from any
 * callback. */
#ifndef SWALE_CONN_STATE_H
#define SWALE_CONN_STATE_H

#include "base/counter.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/pool.h"
#include "conn/common.h"
#include "conn/conn.h"
#include "conn/outq.h"
#include "conn/shared.h"
#include "io/turn.h"

#include <errno.h>
#include <stdatomic.h>

/* ---- Bounds that are not worth an option ------------------------------------------------------------ */

enum {
    /* What an engine leaves of a data frame's header; more can only be a part of a control frame. */
    SWALE__CARRY = SWALE_HEADER_MAX,
    /* Inflation goes in runs of so many bytes. */
    SWALE__INFLATE_RUN = 65536,
    /* Of what connections need while busy, so much is kept ready. */
    SWALE__READY_COUNT = 32,
    /* Connections whose transport ends in peace behind on_close: beyond so many, the oldest is dropped. */
    SWALE__LINGER_COUNT = 1024,
    /* What one of them may still send. */
    SWALE__LINGER_BYTES = 4 << 20,
    /* And for how long, where close_wait_ms is off. */
    SWALE__LINGER_MS = 5000,
    /* So much in answer to one run of received bytes is worth a write of its own. */
    SWALE__BULK = 8192,
    /* Window bits are less. */
    SWALE__WINDOWS = 16,
    /* So many terms can be shared with connections to come. */
    SWALE__TERMS_KNOWN = 4
};

/* ---- The group -------------------------------------------------------------------------------------- */

struct swale__incoming;

struct swale__conn_group {
    struct swale_loop *loop;
    const struct swale_allocator *allocator;
    struct swale__conn_counters *counters;
    void (*on_gone)(void *context, struct swale_conn *conn, const struct swale_close *close);
    void (*on_released)(void *context, void *owner);
    void (*on_progress)(void *context, struct swale_conn *conn);
    uint64_t (*first_behind)(void *context, struct swale_conn *conn, uint64_t handed);
    void *context;
    struct swale_limits limits;
    struct swale_engine_config config;
    uint64_t next_id;
    size_t count;
    size_t lingering_count;
    struct swale__common common;  /* what the connections are sent in common */
    struct swale_conn *run_ends;  /* the connection that is handling the last of the bytes which it has received, */
    char *run_message;            /* its message, if that lies among them, */
    size_t run_room;              /* and behind how many: no less than its header, unless that is gone */
    struct swale__list lingering; /* in the order in which something last happened to them */
    /* Codecs without context, for whole messages; made when first needed. The inflater is away (NULL) while a
     * message that came in pieces has it on lease. */
    struct swale_inflater *inflater;
    struct swale_deflater *deflaters[SWALE__WINDOWS]; /* by window bits */
    char *inflated; /* SWALE__INFLATE_RUN bytes, only in use while one message is delivered */
    struct swale__terms *terms[SWALE__TERMS_KNOWN];
    unsigned terms_oldest;
    struct swale__pool conns, busy;
    struct swale__busy *ready; /* some that are as new: waking from these is cheapest */
    unsigned ready_count;
};

/* Codecs and buffers of a group; NULL when memory is out. */
struct swale_deflater *swale__group_deflater(struct swale__conn_group *group, int window_bits);
struct swale_inflater *swale__group_lease(struct swale__conn_group *group);
void swale__group_return(struct swale__conn_group *group, struct swale_inflater *inflater);
char *swale__group_inflated(struct swale__conn_group *group);

/* ---- The connection --------------------------------------------------------------------------------- */

enum swale__stage {
    SWALE__LIVE,      /* open, or the closing handshake is under way */
    SWALE__FINISHING, /* both close frames passed: what is queued leaves, then comes on_close */
    SWALE__FAILED,    /* it ended for `reason`: on_close comes at the next settling */
    SWALE__LINGERING, /* on_close has been: what is queued leaves, what still comes is thrown away */
    SWALE__GONE       /* the stream is closed; the memory goes at the end of the turn */
};

/* A block of bytes with its own length. */
struct swale__blob {
    size_t start; /* of what is not used yet */
    size_t size;  /* bytes in data */
    char data[];
};

/* What the opening handshake has settled. Connections share it, but for those with takeover. */
struct swale__terms {
    size_t holders;
    struct swale_span subprotocol; /* its text lies behind this struct */
    bool deflate;
    bool send_takeover, receive_takeover;
    uint8_t send_bits, receive_bits; /* 0: this direction is never compressed by us */
    uint8_t window_bits;             /* of the deflater: send_bits at most */
    struct swale_deflater *deflater; /* with takeover, from the first message on */
    struct swale_inflater *inflater;
};

/* What a connection needs while it is at work. */
struct swale__busy {
    struct swale__busy *next; /* ready */
    struct swale_engine engine;
    struct swale__outq out;
    struct swale__incoming *incoming; /* the message under way, where it needs memory */
    struct swale__blob *kept;         /* bytes that came and could not be used yet, if more than carry holds */
    struct swale__blob *close_text;
    uint64_t rate_used; /* messages against max_message_rate: see receive.c */
    size_t counted;     /* of out.size, in the group's `queued` */
    size_t thrown_away; /* bytes that came while nothing was wanted */
    uint64_t left;      /* bytes that have left; once some were taken back: all that will */
    uint16_t close_code;
    uint16_t place; /* in the group's pool */
    uint8_t carry_size;
    char carry[SWALE__CARRY];
};

struct swale_conn {
    struct swale_subscriber subscriber; /* first: also the place of id and loop */
    struct swale__conn_group *group;
    struct swale__stream *stream; /* NULL once closed */
    const struct swale_handler *handler;
    void *user;
    struct swale_timer timer; /* its context is the owner: the connection it finds by where it is */
    struct swale__work work;  /* settling; once GONE, freeing. While LINGERING with nothing to settle, its node is in
                               * the group's list */
    struct swale__busy *busy; /* swale__at_rest while there is no need of one */
    uint64_t heard_ms;        /* this, active_ms and engine_flags: the engine's, while at rest */
    uint64_t active_ms;
    uint64_t opened_ms;
    struct swale__terms *terms; /* NULL: no permessage-deflate, no subprotocol */
    int16_t reason;             /* 0 while there is none */
    uint16_t place;             /* in the group's pool */
    uint8_t stage;
    uint8_t engine_flags;
    bool app_paused : 1;  /* swale_conn_pause */
    bool auto_paused : 1; /* a server's out-queue is above high water */
    bool reading : 1;     /* the stream has been resumed */
    bool stalled : 1;     /* something that came could have been delivered but for a pause */
    bool full_told : 1;   /* SWALE_FULL or _ERR_QUEUE_FULL was returned: on_drain is due */
    bool peer_closed : 1; /* the peer's close frame came */
    bool close_sent : 1;  /* ours was queued */
    bool clean : 1;       /* and both passed */
    bool ended : 1;       /* the peer ended its direction */
    bool shut : 1;        /* we ended ours */
    bool dead : 1;        /* the stream failed */
    bool drop : 1;        /* do not end in peace */
    bool in_parts : 1;    /* the application is inside a message that it sends in parts */
    bool tracked : 1;     /* swale__conn_track */
    bool taken_back : 1;  /* `left` counts no more */
    bool finishing : 1;   /* swale_conn_finish: what comes before the peer's close frame is delivered */
};

_Static_assert(sizeof(struct swale_conn) <= 168, "a connection at rest is small");

/* What all connections at rest point to. Never written to. */
extern const struct swale__busy swale__at_rest;

static inline bool swale__conn_rests(const struct swale_conn *conn)
{
    return conn->busy == &swale__at_rest;
}

static inline bool swale__conn_deflates(const struct swale_conn *conn)
{
    return conn->terms && conn->terms->deflate;
}

/* No end in sight in either direction. */
static inline bool swale__conn_open_now(const struct swale_conn *conn)
{
    return conn->stage == SWALE__LIVE && swale_engine_phase(&conn->busy->engine) == SWALE_OPEN;
}

/* What comes is for the application. After swale_conn_close nothing but on_close is. */
static inline bool swale__conn_delivers(const struct swale_conn *conn)
{
    return swale__conn_open_now(conn) || (conn->finishing && conn->stage == SWALE__LIVE &&
                                          swale_engine_phase(&conn->busy->engine) == SWALE_CLOSING);
}

/* Messages are wanted whole. */
static inline bool swale__conn_assembles(const struct swale_conn *conn)
{
    return conn->handler->on_message && !conn->handler->on_part;
}

/* A pause counts only as long as there is something to deliver: while closing, bytes are read to find the peer's
 * close frame. */
static inline bool swale__conn_held(const struct swale_conn *conn)
{
    return (conn->app_paused && swale__conn_delivers(conn)) || (conn->auto_paused && swale__conn_open_now(conn));
}

/* It has sent too much since it was told, or has said itself, that the connection is over. */
static inline bool swale__conn_flooded(const struct swale_conn *conn)
{
    return conn->busy->thrown_away > SWALE__LINGER_BYTES;
}

static inline uint64_t swale__conn_now(const struct swale_conn *conn)
{
    return swale_loop_now(conn->group->loop);
}

/* Bytes have left. */
static inline void swale__conn_count_out(struct swale_conn *conn, size_t size)
{
    swale__count(&conn->group->counters->wire_out, size);
    if (!conn->taken_back)
        conn->busy->left += size;
}

/* NULL when memory is out. */
struct swale__blob *swale__blob_new(const struct swale_allocator *allocator, struct swale_span data);
void swale__blob_free(const struct swale_allocator *allocator, struct swale__blob *blob);

/* ---- terms.c ---------------------------------------------------------------------------------------- */

/* The terms of an opening, NULL for the plainest, or -ENOMEM; and giving them up, which frees them with the last. */
int swale__terms_hold(struct swale__terms **terms, struct swale__conn_group *group,
                      const struct swale__conn_open *open);
void swale__terms_release(const struct swale__conn_group *group, struct swale__terms *terms);
void swale__terms_forget(struct swale__conn_group *group); /* those known */

/* ---- settle.c --------------------------------------------------------------------------------------- */

/* Asks for settling in this turn's flush phase. */
void swale__conn_ask(struct swale_conn *conn);
static inline void swale__conn_touch(struct swale_conn *conn)
{
    if (conn->stage >= SWALE__LINGERING)
        swale__conn_ask(conn);
    else if (!swale__work_waits(&conn->work))
        swale__loop_at_flush(conn->group->loop, &conn->work);
}

/* The same behind those that are not told the same as many others, unless it has been asked for already. */
static inline void swale__conn_touch_later(struct swale_conn *conn)
{
    if (conn->stage < SWALE__LINGERING && !swale__work_waits(&conn->work))
        swale__loop_at_flush_later(conn->group->loop, &conn->work);
}

/* To be called before anything in conn->busy is changed. False when memory is out. Settling must follow, at the end
 * of which the connection may rest again. */
bool swale__conn_make_busy(struct swale_conn *conn);
static inline bool swale__conn_wake(struct swale_conn *conn)
{
    return !swale__conn_rests(conn) || swale__conn_make_busy(conn);
}

void swale__conn_settle(struct swale__work *work);
void swale__group_free_ready(struct swale__conn_group *group);

/* Resumes or pauses the stream, as the connection can use what comes or not. */
void swale__conn_set_reading(struct swale_conn *conn);

/* Makes sure that the timer fires no later than the engine is due. */
void swale__conn_arm(struct swale_conn *conn);
void swale__conn_fire(struct swale_timer *timer);

/* Writes what the stream takes. Its failure shows in `dead` and the stage. */
void swale__conn_flush(struct swale_conn *conn);

/* Frees a connection that is in no list of the loop's any more. */
void swale__conn_destroy(struct swale_conn *conn);

/* ---- end.c ------------------------------------------------------------------------------------------ */

/* The engine's FAIL: its close frame goes at the next frame boundary, what has not begun to leave is dropped. */
void swale__conn_failed(struct swale_conn *conn, const struct swale_event *event);

/* Ends it for a reason of the table, as swale_conn_fail does. */
void swale__conn_break(struct swale_conn *conn, int reason);

/* The peer's close frame. */
void swale__conn_peer_closed(struct swale_conn *conn, const struct swale_event *event);

/* The stream is dead, for this error; or, in order, at its end. */
void swale__conn_dead(struct swale_conn *conn, int error);
void swale__conn_end_of_stream(struct swale_conn *conn);

/* Begins the closing handshake for this reason. As swale_conn_close. */
int swale__conn_begin_close(struct swale_conn *conn, int code, struct swale_span text, int reason);

/* on_close, and the way into LINGERING. */
void swale__conn_report(struct swale_conn *conn);

/* ---- receive.c, assembly.c, inflate.c --------------------------------------------------------------- */

extern const struct swale__stream_user swale__conn_stream_user;

/* Keeps bytes to be delivered later, behind a stall. -ENOMEM. */
int swale__conn_keep(struct swale_conn *conn, const char *data, size_t size);

/* Delivers what was kept when nothing holds it back any more. */
void swale__conn_deliver_kept(struct swale_conn *conn);

/* Hands things to the handler. */
void swale__deliver_message(struct swale_conn *conn, enum swale_kind kind, struct swale_span data, bool compressed);
void swale__deliver_part(struct swale_conn *conn, const struct swale_part *part);

/* A message under way. */
struct swale__incoming {
    size_t capacity;
    size_t size;             /* bytes assembled */
    uint64_t wire, inflated; /* of a compressed one, so far */
    struct swale_inflater *inflater;
    struct swale__blob *pending; /* compressed bytes that wait for the end of a pause */
    enum swale_kind kind;
    bool leased;       /* the inflater is the group's */
    bool begun;        /* a part of it was delivered */
    bool pending_last; /* behind `pending` the message ends */
    char data[];
};

/* Makes conn->busy->incoming, with room for `expected` bytes, and in measure for those `announced` behind them.
 * -ENOMEM. */
int swale__incoming_begin(struct swale_conn *conn, enum swale_kind kind, size_t expected, uint64_t announced);

/* Adds to it; `announced` more are said to follow, which is believed only in measure. -ENOMEM. */
int swale__incoming_add(struct swale_conn *conn, struct swale_span data, uint64_t announced);

/* Where the next bytes of the frame under way go, of which there are `size`: right behind what is put together of its
 * message. NULL when they need no place, or memory is out; then they are added as they come. */
char *swale__incoming_place(struct swale_conn *conn, size_t size);

/* Gives its memory back. */
void swale__incoming_end(struct swale_conn *conn);

void swale__receive_plain(struct swale_conn *conn, const struct swale_event *event);
void swale__receive_compressed(struct swale_conn *conn, const struct swale_event *event);

/* Goes on with a compressed run that a pause has interrupted. */
bool swale__inflate_pending(const struct swale_conn *conn);
void swale__inflate_resume(struct swale_conn *conn);

/* ---- send.c, compress.c, shared.c ------------------------------------------------------------------- */

/* Queues a control frame of the engine's. */
void swale__conn_control(struct swale_conn *conn, struct swale_span frame);

static inline void swale__conn_count_message(struct swale_conn *conn, size_t size)
{
    swale__count(&conn->group->counters->messages_out, 1);
    swale__count(&conn->group->counters->bytes_out, size);
}

/* As swale_conn_send_shared, but for what is told; `tag` is for drop. */
int swale__conn_queue_shared(struct swale_conn *conn, struct swale_shared *shared, uintptr_t tag);

/* Bytes that are to be given back with swale__packed_free. */
struct swale__packed {
    struct swale_span data;
    char *block; /* NULL: the data lies in the loop's scratch buffer */
    size_t block_size;
};

/* Compresses a whole message for this connection. 1 when *packed is to be sent (with context takeover: must be, since
 * the window has taken it in), 0 when the plain message is to be sent. */
int swale__compress(struct swale_conn *conn, struct swale_span message, struct swale__packed *packed);

/* The same without a context, and only when it gets smaller. */
int swale__compress_alone(struct swale__conn_group *group, int window_bits, struct swale_span message,
                          struct swale__packed *packed);
void swale__packed_free(struct swale__conn_group *group, struct swale__packed *packed);

/* The peer's window is no longer what our compressor thinks. */
void swale__compress_forget(struct swale_conn *conn);

/* Should a message of this size be compressed on this connection? */
bool swale__compress_wanted(const struct swale_conn *conn, size_t size);

/* The frame of a shared message that is compressed for this window (which may turn out to be the plain one). */
struct swale_span swale__shared_compressed(struct swale_shared *shared, struct swale__conn_group *group,
                                           int window_bits);

/* ---- subscriber.c ----------------------------------------------------------------------------------- */

/* The same, the short way where that leads there. */
int swale__conn_send_shared(struct swale_conn *conn, struct swale_shared *shared, uintptr_t tag);

extern const struct swale_subscriber_ops swale__conn_subscriber_ops;

static inline struct swale_conn *swale__conn_of_subscriber(const struct swale_subscriber *subscriber)
{
    return SWALE__LIST_OWNER(subscriber, struct swale_conn, subscriber);
}

#endif
