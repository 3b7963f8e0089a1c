/* swale/conn.h - one live WebSocket connection: handlers, sending, backpressure, closing.
 *
 * A connection lives on one loop and is used on that loop's thread only; to reach it from elsewhere, post a
 * task to its loop or publish to a topic. The pointer is valid from on_open until on_close has returned.
 *
 * The callbacks, in order:  on_open  (on_message | on_part | on_drain | on_ping | on_pong)*  on_close
 * on_close comes exactly once for every on_open, last. Any function here may be called from any callback,
 * swale_conn_close and swale_conn_abort included: memory goes at the end of the turn.
 *
 * All that a connection sends in one turn of the loop leaves in one gather write, at the turn's end. Only bulk leaves
 * sooner: 8 KiB and more in answer to one run of received bytes, and what exceeds the high-water mark. Where more
 * than a thousand connections have something to send, the others follow in the next turns, and what comes in between
 * is answered in between.
 */
#ifndef SWALE_CONN_H
#define SWALE_CONN_H

#include <swale/base.h>
#include <swale/loop.h>
#include <swale/proto.h>
#include <swale/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swale_conn;

/* ---- What arrives ----------------------------------------------------------------------------------- */

/* A whole message. The bytes are valid, and may not be changed, during the call. */
struct swale_message {
    struct swale_span data;
    enum swale_kind kind;
    bool compressed; /* it came compressed */
};

/* A run of a message, for handlers that stream: nothing is assembled, and the limits are those of whole messages. The
 * bytes are valid, and may not be changed, during the call. A run may be empty, and one of text may end inside a
 * character; the whole is checked all the same. */
struct swale_part {
    struct swale_span data;
    enum swale_kind kind;
    bool first;
    bool last;
};

/* Why a connection ended. */
struct swale_close {
    int reason;             /* SWALE_ERR_PEER_CLOSED, _LOCAL_CLOSED, _DRAINING, or what went wrong; never 0 */
    int code;               /* of the close frame received, 1005 when it had none, 1006 when none came */
    struct swale_span text; /* the reason in that frame, valid during the call */
    bool clean;             /* both close frames passed */
};

/* Any of these may be NULL. A handler with on_part gets parts, and on_message is not used. */
struct swale_handler {
    void (*on_open)(struct swale_conn *conn);
    void (*on_message)(struct swale_conn *conn, const struct swale_message *message);
    void (*on_drain)(struct swale_conn *conn); /* after SWALE_FULL or SWALE_ERR_QUEUE_FULL: there is room again */
    void (*on_close)(struct swale_conn *conn, const struct swale_close *close);
    void (*on_part)(struct swale_conn *conn, const struct swale_part *part);
    void (*on_ping)(struct swale_conn *conn, struct swale_span payload); /* the pong is sent by itself */
    void (*on_pong)(struct swale_conn *conn, struct swale_span payload);
};

/* ---- Limits ----------------------------------------------------------------------------------------- */

/* The value that switches a limit off. */
#define SWALE_UNLIMITED UINT64_MAX

/* Limits of one connection. 0 means the default that is given; SWALE_UNLIMITED switches off (for the 32-bit
 * fields SWALE_OFF). */
#define SWALE_OFF UINT32_MAX
struct swale_limits {
    uint64_t max_message;       /* 1 MiB: announced, received, and once more after inflation */
    uint64_t high_water;        /* 64 KiB: a send reports SWALE_FULL above it, on_drain comes below half of it */
    uint64_t max_queue;         /* 1 MiB: a send that would exceed it is refused with SWALE_ERR_QUEUE_FULL, unless the
                                 * queue is at or below high water: then a message of any size is taken */
    uint32_t max_fragments;     /* 4096 in one message */
    uint32_t max_inflate_ratio; /* 1000: inflated size against compressed, once over 64 KiB */
    uint32_t max_message_rate;  /* messages a second, averaged over a second's burst; off */
    uint32_t handshake_ms;      /* 10 s, absolute, TLS included */
    uint32_t ping_after_ms;     /* 25 s of silence */
    uint32_t gone_after_ms;     /* 10 s more */
    uint32_t idle_ms;           /* off: longest time without a message */
    uint32_t close_wait_ms;     /* 5 s */
    uint32_t compress_threshold; /* 1 KiB: shorter messages go out uncompressed; off: none is too short */
};

/* The limits with every 0 replaced by its default; of NULL, the defaults. Any thread. */
SWALE_API struct swale_limits swale_limits_resolve(const struct swale_limits *limits);

/* ---- Sending ---------------------------------------------------------------------------------------- */

/* What a send returns when it did not fail: 0, or SWALE_FULL when the message was queued but the queue is
 * above its high-water mark: stop sending until on_drain. */
enum { SWALE_FULL = 1 };

enum swale_send_flags {
    SWALE_SEND_PLAIN = 1 /* do not compress, whatever was negotiated (already compressed data, secrets beside
                          * attacker-chosen text) */
};

/* Queues a whole message. The bytes are the caller's again on return: they are copied, but for those of a large
 * message that could leave at once. Text must be UTF-8, which is the caller's promise. The limits count it as it is
 * before compression. 0 or SWALE_FULL; or an error, and then nothing of it leaves: SWALE_ERR_CLOSED;
 * SWALE_ERR_QUEUE_FULL (wait for on_drain); SWALE_ERR_STATE (inside a message sent in parts); SWALE_ERR_INVALID for a
 * kind that there is not; -ENOMEM. `flags` are of enum swale_send_flags. */
SWALE_API int swale_conn_send(struct swale_conn *conn, enum swale_kind kind, const void *data, size_t size);
SWALE_API int swale_conn_send_with(struct swale_conn *conn, enum swale_kind kind, const void *data, size_t size,
                                   unsigned flags);

/* Convenience for C strings; not NULL. */
static inline int swale_conn_send_text(struct swale_conn *conn, const char *text)
{
    return swale_conn_send(conn, SWALE_TEXT, text, strlen(text));
}

/* Sends a message in fragments: each call is one frame, `last` ends the message. It goes out uncompressed. Errors as
 * above; after SWALE_ERR_QUEUE_FULL or -ENOMEM the same part may be tried again. Meanwhile no other message can be
 * sent, a topic's neither. */
SWALE_API int swale_conn_send_part(struct swale_conn *conn, enum swale_kind kind, const void *data, size_t size,
                                   bool last);

/* A message that is encoded once and sent to many, on any thread, with no further copy (and compressed
 * at most once per window size). Immutable, and reference-counted: made with one reference, gone with the last, any
 * thread. The allocator must be thread-safe and outlive it. The payload, which was copied, lasts as long. unref takes
 * NULL too. SWALE_ERR_INVALID for a kind that there is not, -ENOMEM. */
struct swale_shared;
SWALE_API int swale_shared_new(struct swale_shared **shared, const struct swale_allocator *allocator,
                               enum swale_kind kind, const void *data, size_t size);
SWALE_API struct swale_shared *swale_shared_ref(struct swale_shared *shared);
SWALE_API void swale_shared_unref(struct swale_shared *shared);
SWALE_API struct swale_span swale_shared_payload(const struct swale_shared *shared);
SWALE_API enum swale_kind swale_shared_kind(const struct swale_shared *shared);

/* As swale_conn_send; takes a reference of its own. On a client connection, which must mask, it copies; a short
 * message may be copied too. */
SWALE_API int swale_conn_send_shared(struct swale_conn *conn, struct swale_shared *shared);

/* Sends a ping behind what is queued (RFC 6455 section 5.5.2); the answer comes as on_pong. The payload, of at most
 * 125 bytes (SWALE_ERR_INVALID), is copied. Otherwise as swale_conn_send. */
SWALE_API int swale_conn_ping(struct swale_conn *conn, struct swale_span payload);

/* Bytes queued and not yet handed to the kernel, frame headers included. */
SWALE_API size_t swale_conn_queued(const struct swale_conn *conn);

/* ---- Reading on and off ----------------------------------------------------------------------------- */

/* A server's connection stops reading by itself while its out-queue is above high water, so that a peer that does
 * not read its answers is not served more of them; it goes on below half of it. (A client's does not: if both ends
 * did, each could wait for the other to read.) pause and resume add the application's own reasons (they do not nest).
 * While paused, no message is delivered, not even one that has arrived already, and the peer's silence does not count
 * against it. */
SWALE_API void swale_conn_pause(struct swale_conn *conn);
SWALE_API void swale_conn_resume(struct swale_conn *conn);

/* ---- Closing ---------------------------------------------------------------------------------------- */

/* Begins the closing handshake behind what is queued; on_close follows when the peer has answered or
 * close_wait_ms has passed. `code` 1000 is normal, 0 sends none; `text` is UTF-8 of at most SWALE_REASON_MAX
 * bytes or NULL, and is copied. SWALE_ERR_CLOSED when it is ending already; SWALE_ERR_INVALID for a code that may not
 * be sent (RFC 6455 section 7.4), or such a text. Messages that come meanwhile are not delivered. */
SWALE_API int swale_conn_close(struct swale_conn *conn, int code, const char *text);

/* As swale_conn_close, but the messages that come until the peer's close frame are still delivered: the last answers
 * of a peer to whom all has been said. What on_ping and on_pong tell, too, and pauses hold them back. close_wait_ms
 * then counts from the last message, and not while the application pauses: nothing else ends a peer that goes on and
 * on but swale_conn_abort, from a timer of one's own. */
SWALE_API int swale_conn_finish(struct swale_conn *conn, int code, const char *text);

/* Ends the connection for one of the reasons in the table: a close frame with that reason's code, and the
 * transport's end. on_close follows in this turn or the next. What is not in the table counts as SWALE_ERR_INTERNAL;
 * a connection that has ended stays as it is. */
SWALE_API void swale_conn_fail(struct swale_conn *conn, int reason);

/* Drops the transport (RST) and what is queued. on_close follows in this turn or the next. */
SWALE_API void swale_conn_abort(struct swale_conn *conn);

/* ---- What is known about it ------------------------------------------------------------------------- */

/* A number that no other connection of this process has or will have. */
SWALE_API uint64_t swale_conn_id(const struct swale_conn *conn);

/* The application's own pointer: what swale_exchange_set_user or the route's `user` gave, until it is set anew. */
SWALE_API void *swale_conn_user(const struct swale_conn *conn);
SWALE_API void swale_conn_set_user(struct swale_conn *conn, void *user);

/* The loop on which it lives; what was negotiated (RFC 6455 section 1.9, RFC 7692); and who is at the other end. The
 * spans last as long as the connection; the peer is empty once the transport is closed. */
SWALE_API struct swale_loop *swale_conn_loop(const struct swale_conn *conn);
SWALE_API struct swale_span swale_conn_subprotocol(const struct swale_conn *conn); /* empty for none */
SWALE_API bool swale_conn_deflate(const struct swale_conn *conn);                  /* permessage-deflate is in use */
SWALE_API void swale_conn_peer(const struct swale_conn *conn, struct swale_peer *peer);

/* ---- Subscribers ------------------------------------------------------------------------------------ */

/* Whatever can be given shared messages: a connection today, sessions of other protocols later. This is
 * all that a hub knows of it. Lives on one loop. */
enum swale_delivery {
    SWALE_DELIVERED,     /* queued */
    SWALE_DELIVERED_LATE /* queued, and no more should be until there is room: it is slow */
};
struct swale_subscriber;
struct swale_subscriber_ops {
    /* Queues the message. `tag` (not 0) names its source, for drop. Returns SWALE_DELIVERED, _LATE, or a negative
     * error when nothing was queued. */
    int (*deliver)(struct swale_subscriber *subscriber, struct swale_shared *message, uintptr_t tag);
    /* Bytes that wait and could not be handed on yet; 0 when it keeps up. */
    size_t (*backlog)(const struct swale_subscriber *subscriber);
    /* Takes back messages of this tag that have not begun to leave: the oldest one, or all. How many. */
    size_t (*drop)(struct swale_subscriber *subscriber, uintptr_t tag, bool all);
    /* Ends it for a reason in the table. */
    void (*fail)(struct swale_subscriber *subscriber, int reason);
    /* The loop that it lives on. */
    struct swale_loop *(*loop)(const struct swale_subscriber *subscriber);
};

/* What a subscriber has joined: a hub's own, which begins with the way out of everything. `leave` sets the
 * subscriber's membership to NULL; whoever is about to go calls it. */
struct swale_membership {
    void (*leave)(struct swale_membership *membership);
};
struct swale_subscriber {
    const struct swale_subscriber_ops *ops;
    uint64_t id;                         /* unique in the process */
    struct swale_membership *membership; /* the hub's; NULL while it has joined nothing */
};

/* The connection as a subscriber; lasts as long as the connection. */
SWALE_API struct swale_subscriber *swale_conn_subscriber(struct swale_conn *conn);

#ifdef __cplusplus
}
#endif

#endif
