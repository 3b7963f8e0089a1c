/* conn.h - what the server and the client need of a connection beyond the public header.
 *
 * conn is the only place where the protocol engine and I/O meet:
 *
 *     stream --data--> receive pump --event--> assembly / inflate --> handler
 *     handler --send--> encode --> out-queue --flush, once a turn--> stream
 */
#ifndef SWALE_CONN_CONN_H
#define SWALE_CONN_CONN_H

#include "io/stream.h"

#include <swale/conn.h>

/* Counters of a loop's connections, written by their thread only, read by any (relaxed atomics). */
struct swale__conn_counters {
    _Atomic uint64_t messages_in, messages_out;
    _Atomic uint64_t bytes_in, bytes_out; /* payload, after inflation and before compression */
    _Atomic uint64_t wire_in, wire_out;   /* on the stream */
    _Atomic uint64_t pings_in, pongs_in;
    _Atomic uint64_t queued; /* bytes in out-queues now */
    _Atomic uint64_t open;   /* connections now */
    _Atomic uint64_t opened; /* ever */
    _Atomic uint64_t closed[SWALE_ERROR_SLOTS];
};

/* What connections on one loop share: rules, shared codecs, scratch buffers, counters. One per loop and
 * configuration; outlives its connections. */
struct swale__conn_group;
struct swale__conn_group_options {
    struct swale_loop *loop;
    const struct swale_allocator *allocator;
    const struct swale_limits *limits; /* resolved */
    enum swale_role role;
    struct swale__conn_counters *counters;
    void (*random)(void *context, void *out, size_t size); /* client role */
    void *random_context;
    /* Ids of the group's connections count up from here (0: from 1). They are to be unique in the process:
     * give each group a range of its own, (number of the group << 48) + 1. */
    uint64_t first_id;
    /* Told of each end, behind on_close: for logs and lists. The connection is still readable. */
    void (*on_gone)(void *context, struct swale_conn *conn, const struct swale_close *close);
    /* Told when its transport has ended too, which may be later: it no longer counts against any limit. */
    void (*on_released)(void *context, void *owner);
    /* Told of a connection that is tracked whenever it settles, until its on_close: more may have been handed over.
     * It may do what any callback may. */
    void (*on_progress)(void *context, struct swale_conn *conn);
    /* Where, of a connection that is tracked, the first message begins that has not begun to leave: at `handed` or
     * behind it; UINT64_MAX when there is none. */
    uint64_t (*first_behind)(void *context, struct swale_conn *conn, uint64_t handed);
    void *context;
};
int swale__conn_group_new(struct swale__conn_group **group, const struct swale__conn_group_options *options);

/* Outside a turn, and before the loop is freed. Connections that are left are dropped, with SWALE_ERR_ABORTED for
 * those that have not had their on_close. */
void swale__conn_group_free(struct swale__conn_group *group);
const struct swale_engine_config *swale__conn_group_config(const struct swale__conn_group *group);

/* Begins the closing handshake on every connection of the group, with the close code of this reason (1001 for
 * SWALE_ERR_DRAINING), which on_close then gives. */
void swale__conn_group_close_all(struct swale__conn_group *group, int reason);

/* Drops every connection of the group at once; each gets its on_close in this turn or the next. */
void swale__conn_group_abort_all(struct swale__conn_group *group);

/* How many there are. One that has had its on_close counts until its transport has ended too, which takes
 * close_wait_ms at most. */
size_t swale__conn_group_count(const struct swale__conn_group *group);

/* Makes a connection of a stream whose handshake is done, and calls on_open. `engine` is moved in (it may still
 * be in SWALE_HANDSHAKING; it is opened here). `early` are bytes that came behind the handshake: they are copied,
 * and delivered in this turn's flush phase, never inside this call (which may stand in another connection's
 * callback). `answer` are bytes to be sent first (the 101); copied. On failure the stream is closed and no callback
 * comes. */
struct swale__conn_open {
    struct swale__stream *stream;
    const struct swale_engine *engine;
    const struct swale_handler *handler;
    void *user;
    void *owner;                   /* the opener's own, for its on_gone */
    struct swale_span subprotocol; /* copied */
    bool deflate;
    struct swale_deflate_params deflate_params;
    struct swale_span early;
    struct swale_span answer;
    bool reading; /* the stream has been resumed already */
    bool ended;   /* its on_end has come already */
};
int swale__conn_new(struct swale_conn **conn, struct swale__conn_group *group, const struct swale__conn_open *open);

/* What swale__conn_open gave as owner. */
void *swale__conn_owner(const struct swale_conn *conn);

/* Drops it, unless its on_close has begun, and tells nobody any more. */
void swale__conn_discard(struct swale_conn *conn);

/* When it was opened. */
uint64_t swale__conn_opened_ms(const struct swale_conn *conn);

/* As swale_conn_peer, but for a moment: the address lasts no longer than `text`. */
void swale__conn_glance(const struct swale_conn *conn, struct swale_peer *peer, char text[SWALE__PEER_TEXT]);

/* When a byte last came; now, for one that is paused, whose silence says nothing. */
uint64_t swale__conn_heard_ms(const struct swale_conn *conn);

/* ---- What becomes of messages ------------------------------------------------------------------------ */

/* For whoever has to know how far each message got. From now on on_progress is called, and what lies at first_behind
 * when the connection fails, or when the peer closes or ends it first, is taken back, with all that is behind it. */
void swale__conn_track(struct swale_conn *conn);

/* Positions in all that a connection has been given to send, frames whole with their headers: where the next message
 * begins; and how far it has been handed to the transport. In on_close the latter is final: what begins there or
 * behind it has not left and will not. */
uint64_t swale__conn_position(const struct swale_conn *conn);
uint64_t swale__conn_handed(const struct swale_conn *conn);

#endif
