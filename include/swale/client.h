/* swale/client.h - a connection to a server that comes back by itself.
 *
 *     struct swale_client_options options = { .url = "wss://example.com/feed", .handler = &feed };
 *     struct swale_client *client;
 *     swale_client_new(&client, loop, &options, NULL);
 *     swale_loop_run(loop);
 *
 * A client lives on one loop and is used on that loop's thread only. It tries to connect until it is open, and again
 * whenever a connection ends, for as long as the retry policy says:
 *
 *         +------------------------ retry ------------------------+
 *         v                                                       |
 *     CONNECTING --on_open--> OPEN --swale_client_close--> CLOSING |
 *         |                    |                             |    |
 *      on_fail              on_close                      on_close|
 *         +--------------------+-----------> WAITING --------|----+
 *         +--------------------+-----------------------------+---> ENDED, on_end
 *
 * One try: the name is resolved, the addresses are raced (RFC 8305), then come the proxy, TLS (verified, unless the
 * options loudly say otherwise), the opening handshake and redirects, all under one absolute deadline
 * (limits.handshake_ms).
 *
 * No callback comes from within a call of these functions, but for on_trace. All of them may be called from any
 * callback, swale_client_free included; from on_trace, which sees what is just being written, nothing can be sent,
 * closed or reconnected (SWALE_ERR_STATE), nor may anything be done to the connection itself.
 *
 * Clients do not wait for each other: any number may be connecting to one address at a time. (RFC 6455 section 4.1
 * wants one after another, as browsers do it to protect servers from the scripts of strangers. A program is not that,
 * and would have to know of every other program on the machine; what spreads its tries is their random delay.)
 */
#ifndef SWALE_CLIENT_H
#define SWALE_CLIENT_H

#include <swale/base.h>
#include <swale/conn.h>
#include <swale/loop.h>
#include <swale/proto.h>
#include <swale/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swale_client;

/* ---- What happens ----------------------------------------------------------------------------------- */

enum swale_client_state {
    SWALE_CLIENT_CONNECTING, /* a try is under way */
    SWALE_CLIENT_OPEN,       /* messages pass */
    SWALE_CLIENT_CLOSING,    /* swale_client_close was called */
    SWALE_CLIENT_WAITING,    /* for the time of the next try */
    SWALE_CLIENT_ENDED       /* it does not come back */
};

/* How far a try got. */
enum swale_client_phase {
    SWALE_PHASE_RESOLVE,   /* the name of the server, or of the proxy */
    SWALE_PHASE_CONNECT,   /* to the server, or the proxy */
    SWALE_PHASE_PROXY,     /* the proxy's own handshake */
    SWALE_PHASE_TLS,       /* with the server */
    SWALE_PHASE_HANDSHAKE, /* HTTP: the request is on its way, the answer has not come whole */
    SWALE_PHASE_OPEN       /* it was a connection */
};

/* The names of these for logs and people: "connecting", "resolve". Static storage. Any thread. */
SWALE_API const char *swale_client_state_name(enum swale_client_state state);
SWALE_API const char *swale_client_phase_name(enum swale_client_phase phase);

/* A connection is open. Valid during the call. */
struct swale_client_opening {
    bool first;      /* of this client's connections */
    uint32_t tries;  /* that it took, this one included */
    uint64_t gap_ms; /* without a connection: since the last one ended, or the client was made, or brought back from
                      * its end */
    const struct swale_response *response; /* the 101: status and fields */
};

/* A try did not become a connection. Valid during the call. */
struct swale_client_failure {
    int reason; /* a code of the table, or -errno */
    enum swale_client_phase phase;
    const char *text;                      /* for people, one line: "connect to 127.0.0.1:80: Connection refused" */
    const struct swale_response *response; /* of a server that refused, or NULL */
    struct swale_span body;                /* what it said, at most max_refusal bytes */
    bool body_cut;                         /* there was more */
    int64_t retry_ms;                      /* until the next try; SWALE_CLIENT_STOP */
};

/* A connection that was open ended. Valid during the call. */
struct swale_client_closing {
    struct swale_close close; /* as for a server's connection */
    uint64_t open_ms;         /* how long it was open */
    int64_t retry_ms;         /* until the next try; SWALE_CLIENT_STOP */
};

/* What the policy goes by. Valid during the call. */
enum { SWALE_CLIENT_STOP = -1 };
struct swale_client_retry {
    int reason;
    enum swale_client_phase phase;
    int status;        /* of an answer that refused, or 0 */
    int code;          /* of a close frame: as in struct swale_close; 0 when it was not open */
    uint32_t failures; /* in a row, this one included; from 1. A connection that lasted healthy_ms ends the row */
    bool was_open;     /* there was a connection at any time before */
    int64_t retry_after_ms; /* what the server asked for (RFC 9110 section 10.2.3), or -1 */
    int64_t delay_ms;       /* what the client would do: wait so long, or SWALE_CLIENT_STOP */
};

/* What became of a message. */
enum swale_fate {
    SWALE_FATE_QUEUED,   /* it waits in this process */
    SWALE_FATE_WRITTEN,  /* handed to the transport of a connection that is open, or that the server closed in
                          * answer to us: then it has read it */
    SWALE_FATE_UNKNOWN,  /* handed (in part, maybe) to the transport of one that then dropped, or that the server
                          * closed by itself: it may have arrived */
    SWALE_FATE_REFUSED,  /* it never left, and will not */
    SWALE_FATE_FORGOTTEN /* longer ago than the client remembers, or never sent */
};
SWALE_API const char *swale_fate_name(enum swale_fate fate);

/* A look at the wire, for tools. Valid during the call. */
enum swale_trace_kind {
    SWALE_TRACE_NOTE,     /* text: "trying 127.0.0.1:80", "TLSv1.3 with TLS_AES_256_GCM_SHA384" */
    SWALE_TRACE_REQUEST,  /* a whole request head as it was sent; credentials in it are not hidden */
    SWALE_TRACE_RESPONSE, /* a whole answer head as it came */
    SWALE_TRACE_FRAME_IN, /* the header of a frame: the fields below */
    SWALE_TRACE_FRAME_OUT
};
struct swale_trace {
    enum swale_trace_kind kind;
    struct swale_span text;
    uint64_t length; /* of the frame's payload as it is on the wire */
    uint8_t opcode;  /* RFC 6455 section 5.2 */
    uint8_t rsv;     /* the reserved bits: 4, 2, 1 */
    bool fin;
    bool masked;
};

/* Any of these may be NULL. A handler with on_part gets parts, and on_message is not used. For every on_open there is
 * one on_close. */
struct swale_client_handler {
    void (*on_open)(struct swale_client *client, const struct swale_client_opening *opening);
    void (*on_message)(struct swale_client *client, const struct swale_message *message);
    void (*on_part)(struct swale_client *client, const struct swale_part *part);
    /* After SWALE_FULL or SWALE_ERR_QUEUE_FULL, or when what waited has filled the queue of a connection: one is
     * open, nothing waits for it, and its queue is below half of high water again. */
    void (*on_drain)(struct swale_client *client);
    void (*on_ping)(struct swale_client *client, struct swale_span payload); /* the pong is sent by itself */
    void (*on_pong)(struct swale_client *client, struct swale_span payload);
    void (*on_close)(struct swale_client *client, const struct swale_client_closing *closing);
    void (*on_fail)(struct swale_client *client, const struct swale_client_failure *failure);
    /* It does not come back, for the reason of its last failure or close, and nothing more is called but by
     * swale_client_reconnect's doing. The client still has to be freed. What waited has been refused. */
    void (*on_end)(struct swale_client *client, int reason);
    void (*on_state)(struct swale_client *client, enum swale_client_state state); /* each change, before the others */
    /* A message that was numbered came to this fate: WRITTEN, and from there perhaps UNKNOWN; or REFUSED, UNKNOWN.
     * When a connection drops there is a call for each that it was ever given. */
    void (*on_fate)(struct swale_client *client, uint64_t number, enum swale_fate fate);
    /* The policy: milliseconds until the next try, or SWALE_CLIENT_STOP. NULL returns retry->delay_ms. It must not
     * free the client. */
    int64_t (*on_retry)(struct swale_client *client, const struct swale_client_retry *retry);
    void (*on_trace)(struct swale_client *client, const struct swale_trace *trace);
};

/* ---- Options ---------------------------------------------------------------------------------------- */

/* When to come back. Zeroed: the defaults. The delay before try n + 1 is random, evenly, between 0 and the smaller
 * of first_ms * 2^(n-1) and max_ms ("full jitter"); a Retry-After of the server's is waited for first, up to
 * max_retry_after_ms, and what is random behind it has at least that width, up to max_ms. The last try before
 * max_gap_ms is made when that has passed, unless the server asked for longer.
 *
 * By default a client does not come back after
 *   - swale_client_close, or a failure of the caller's own making (a URL, options)
 *   - a close frame of 1000, 1002, 1003, 1007, 1008, 1009 or 1010, whoever's; nor after a code of 3000 and more that
 *     `final_codes` names
 *   - an answer of 3xx, 4xx (except 408, 425 and 429), 501 or 505, of the server or the proxy; nor after one that is
 *     no WebSocket's (SWALE_ERR_ANSWER_...), or when the proxy wants other credentials
 *   - as many failures or as long a gap as are allowed.
 * Everything else it takes for the network's weather. */
struct swale_reconnect {
    bool off;                    /* one connection, one try */
    uint32_t first_ms;           /* 500 */
    uint32_t max_ms;             /* 30 000 */
    uint32_t healthy_ms;         /* 60 000: a connection that lasts so long makes the delays short again */
    uint32_t max_retry_after_ms; /* 600 000 */
    uint32_t max_failures;       /* in a row; off. The one that reaches it is the last */
    uint32_t max_gap_ms;         /* longest time without a connection; off */
    const uint16_t *final_codes; /* close codes, beside those above */
    size_t final_code_count;
};

/* Zeroed fields mean what their comments say. Everything is copied, except what must outlive the client by its
 * comment. */
struct swale_client_options {
    /* "ws://host/path", "wss://user:password@[2001:db8::1]:8443/?q", "ws+unix:/run/app.sock:/path"; http and https
     * count as ws and wss. Userinfo is sent as Basic credentials (RFC 7617). */
    const char *url;
    const struct swale_client_handler *handler; /* must outlive the client */
    void *user;                                 /* swale_client_user */

    /* The request. */
    const struct swale_field *fields; /* further fields. Not those that the handshake makes, except Host */
    size_t field_count;
    const char *origin;
    const char *credentials;         /* "user:password", instead of those in the URL */
    const char *const *subprotocols; /* by preference */
    size_t subprotocol_count;
    bool require_subprotocol; /* SWALE_ERR_ANSWER_SUBPROTOCOL when the server chooses none */
    struct swale_deflate_policy deflate;

    /* What is accepted. handshake_ms is the deadline of a whole try. */
    const struct swale_limits *limits; /* NULL: the defaults */
    uint32_t max_head;                 /* 16 KiB, of an answer */
    uint32_t max_fields;               /* 100 */
    uint32_t max_refusal;              /* 64 KiB: so much of the body of an answer that refuses is handed on */
    uint32_t max_redirects;            /* off: 0. Never from wss to ws, nor to a socket of the file system. Another
                                        * origin (scheme, host or port) gets no fields, cookies or credentials that
                                        * were meant for the first (but what this host has set as cookies, from any
                                        * port), and no TLS with a `tls` of the caller's, which may hold a
                                        * certificate: such a redirect is not followed */
    bool no_cookies; /* do not send back what Set-Cookie has set (kept in memory, for the host that set it only) */

    /* How to get there. */
    struct swale_tls *tls;       /* for wss; a reference is kept. NULL: the system's trust, verified */
    const char *tls_server_name; /* instead of the URL's host: for SNI and for verification */
    const char *connect_to;      /* "host:port", "[::1]:80": go there instead of to the URL's host */
    const char *local_address;   /* numeric, without a port: come from there */
    const char *dns_servers;     /* "192.0.2.1,[2001:db8::53]:5353", instead of the system's */
    /* "http://user:password@proxy:3128" (CONNECT, RFC 9110 section 9.3.6), "https://...", "socks5://..." (RFC 1928;
     * the proxy resolves the name). "": none. NULL: the environment's: wss_proxy, https_proxy or all_proxy, for ws
     * ws_proxy, http_proxy or all_proxy, in capitals too but for HTTP_PROXY, unless no_proxy names the host. */
    const char *proxy;
    struct swale_tls *proxy_tls; /* for an https proxy. NULL: the system's trust, verified */

    struct swale_reconnect reconnect;

    /* Messages sent while there is no connection wait for the next one, up to so many bytes of payload in all. 0:
     * they are refused. What a dropped connection had not begun to write waits too, also beyond this. */
    uint64_t max_pending;
    uint32_t max_pending_messages; /* 65 536: and so many messages, empty ones included */
};

/* ---- Making and ending ------------------------------------------------------------------------------ */

/* Makes a client, whose first try begins in the next turn. SWALE_ERR_URL, SWALE_ERR_PROXY_URL, SWALE_ERR_ADDRESS
 * (connect_to, local_address, dns_servers); SWALE_ERR_INVALID for a field, subprotocol or name that is not
 * well-formed, or options that do not fit together; what swale_tls_client returns when there is no system trust;
 * -ENOMEM. `message` (SWALE_CLIENT_MESSAGE_MAX bytes, may be NULL) receives one line that says what is wrong and
 * where. */
enum { SWALE_CLIENT_MESSAGE_MAX = 256 };
SWALE_API int swale_client_new(struct swale_client **client, struct swale_loop *loop,
                               const struct swale_client_options *options, char *message);

/* From the next try on it goes by these options, but for handler, user and what may be pending, which stay: a fresh
 * token, another server. Cookies stay in the jar. What is open or under way is left alone (swale_client_reconnect
 * hurries it). Also from on_retry and on_fail. Errors as swale_client_new; then nothing has changed. */
SWALE_API int swale_client_configure(struct swale_client *client, const struct swale_client_options *options,
                                     char *message);

/* Drops everything; no callback comes any more. What a connection had not sent is lost: close first where that
 * matters. Before the loop is freed. NULL is allowed. */
SWALE_API void swale_client_free(struct swale_client *client);

/* Closes for good. Open: the closing handshake, as swale_conn_close, behind what is queued and what waits (unless
 * nothing of that moves for close_wait_ms: then it is refused); otherwise the try or the wait ends at once, with
 * SWALE_ERR_LOCAL_CLOSED, and messages that wait are refused. on_end follows, with why the connection ended. Errors
 * as swale_conn_close; SWALE_ERR_CLOSED when it is closing or has ended. */
SWALE_API int swale_client_close(struct swale_client *client, int code, const char *text);

/* The same, but messages that come until the server's close frame are still delivered: as swale_conn_finish, so that
 * a server which never stops is heard for as long. */
SWALE_API int swale_client_finish(struct swale_client *client, int code, const char *text);

/* Tries at once: ends a wait; begins anew after on_end, with the counts of failures reset. Drops an open connection
 * (SWALE_ERR_ABORTED, and with a close frame of 1001) and makes another; leaves a try that is under way. The policy
 * is not asked. SWALE_ERR_CLOSED while the client is closing. */
SWALE_API int swale_client_reconnect(struct swale_client *client);

/* A hint that the network has changed (another interface, a wake-up): a wait becomes a short one, at most first_ms;
 * an open connection is tried with a ping, and counts as gone (SWALE_ERR_HEARTBEAT) when nothing comes within
 * `probe_ms`. 0 for that means 5 s. */
SWALE_API void swale_client_network_changed(struct swale_client *client, uint32_t probe_ms);

/* ---- Sending ---------------------------------------------------------------------------------------- */

/* Sends a message, or lets it wait for a connection if max_pending allows. 0 or SWALE_FULL, as swale_conn_send, or
 * its errors; SWALE_ERR_NOT_CONNECTED; SWALE_ERR_QUEUE_FULL when max_pending is reached, too. An error means that it
 * was refused. What was taken is never dropped without a word: see on_fate. `number`, when not NULL, receives a
 * number by which its fate can be asked for: they count up from 1; 0 with an error. Messages leave in the order of
 * these calls; what waits leaves behind on_open.
 *
 * With max_pending, messages that a connection had not begun to write when it dropped, or when the peer's close frame
 * came, wait for the next one. Without it they are refused. Nothing is sent twice. */
SWALE_API int swale_client_send(struct swale_client *client, enum swale_kind kind, const void *data, size_t size,
                                uint64_t *number);

/* What has become of it. The latest SWALE_FATES_MAX changes of fate are remembered, which is many more messages where
 * neighbours fared alike. */
enum { SWALE_FATES_MAX = 1024 };
SWALE_API enum swale_fate swale_client_fate(const struct swale_client *client, uint64_t number);

/* Bytes of messages that wait for a connection. */
SWALE_API size_t swale_client_pending(const struct swale_client *client);

/* ---- What is known about it ------------------------------------------------------------------------- */

SWALE_API enum swale_client_state swale_client_state(const struct swale_client *client);
SWALE_API struct swale_loop *swale_client_loop(const struct swale_client *client);
SWALE_API void *swale_client_user(const struct swale_client *client);
SWALE_API void swale_client_set_user(struct swale_client *client, void *user);

/* The connection, from on_open until on_close has returned; else NULL. For pausing, pings, parts, shared messages and
 * what was negotiated. What is sent on it directly has no number and does not wait; swale_conn_close on it does not
 * keep the client from coming back. */
SWALE_API struct swale_conn *swale_client_conn(const struct swale_client *client);

/* Milliseconds until the next try, while it waits; else -1. */
SWALE_API int64_t swale_client_retry_in(const struct swale_client *client);

#ifdef __cplusplus
}
#endif

#endif
