/* swale/server.h - listen, route, upgrade, answer, drain.
 *
 *     struct swale_server *server;
 *     swale_server_new(&server, NULL);
 *     swale_server_route(server, "/chat/{room}", &(struct swale_route){ .handler = &chat });
 *     swale_server_listen(server, &(struct swale_listen){ .address = "127.0.0.1:8080" });
 *     swale_server_run(server);
 *
 * A server has one loop per thread, and a connection stays on the one it came to. Routes and listeners are
 * set up before the start; hooks and handlers then run on the thread of the loop that has the connection.
 * What is set per route is read by all threads and must not change while the server runs.
 *
 * Functions of the server belong to the thread that sets it up and waits for it, those of an exchange to the thread
 * of its loop, unless their comments say otherwise.
 */
#ifndef SWALE_SERVER_H
#define SWALE_SERVER_H

#include <swale/base.h>
#include <swale/conn.h>
#include <swale/loop.h>
#include <swale/proto.h>
#include <swale/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swale_server;
struct swale_exchange;

/* ---- What a server reports -------------------------------------------------------------------------- */

enum swale_record_kind {
    SWALE_RECORD_LISTEN,  /* a listener is ready; address */
    SWALE_RECORD_OPEN,    /* a WebSocket connection was opened */
    SWALE_RECORD_CLOSE,   /* it ended; reason, code, duration, text */
    SWALE_RECORD_REQUEST, /* a plain HTTP request was answered; status, duration */
    SWALE_RECORD_REFUSE,  /* a request or connection was refused; reason, status */
    SWALE_RECORD_ACCEPT,  /* accepting failed; reason is -errno */
    SWALE_RECORD_TLS,     /* not the server's: for the line of whoever calls swale_tls_reload */
    SWALE_RECORD_DRAIN,   /* shutting down began, or ended */
    SWALE_RECORD_BACKEND /* the automatic choice fell back; reason is swale_loop_backend's why_not, text the choice */
};

/* One line of a log. Spans are the peer's own bytes and may hold anything: escape them. Valid during the call.
 * REFUSE and ACCEPT, which cost a peer nothing, come at most 100 times a second from each thread; the text of the
 * next one tells how many were left out. The counters in swale_server_stats miss none. */
struct swale_record {
    enum swale_record_kind kind;
    int reason;           /* 0, a code of the table, or -errno */
    int status;           /* HTTP status, or 0 */
    int code;             /* WebSocket close code, or 0 */
    uint64_t id;          /* OPEN, CLOSE: swale_conn_id */
    uint64_t duration_ms; /* CLOSE: since it opened; REQUEST: from its head to the answer */
    uint64_t connections; /* DRAIN: still open */
    struct swale_span method, target, host, origin, user_agent;
    struct swale_span address; /* of the peer, or the listener */
    uint16_t port;
    struct swale_span
        text; /* CLOSE: the peer's reason; DRAIN: "began" or "ended"; REFUSE: details; BACKEND: "epoll" */
};

/* ---- Options ---------------------------------------------------------------------------------------- */

/* Zeroed: the defaults. Strings and arrays are copied. */
struct swale_server_options {
    const struct swale_allocator *allocator; /* thread-safe when threads > 1 */
    uint32_t threads;                        /* 0: one for each core that this process may use */
    enum swale_backend backend;
    uint32_t receive_buffer; /* of each loop: see struct swale_loop_options */
    /* Of every connection, unless its route has its own. HTTP, where no route is known yet, goes by these. */
    struct swale_limits limits;
    uint32_t max_head;                    /* 16 KiB */
    uint32_t max_fields;                  /* 100 */
    uint64_t max_connections;             /* 100 000 in all, plain HTTP included; SWALE_UNLIMITED */
    uint64_t max_connections_per_address; /* 1000; IPv6 counts by /64; unix sockets do not count */
    uint32_t drain_ms;                    /* 10 s for swale_server_stop; SWALE_OFF waits for ever */
    struct swale_deflate_policy deflate;  /* off */
    /* Origins that may connect: "https://example.com", compared whole; "null" only if it is listed; "*" for any.
     * NULL: the same host as the request's Host. A request without an Origin, which no browser makes, is always
     * allowed. */
    const char *const *origins;
    size_t origin_count;
    /* Called on the thread that the record comes from. */
    void (*log)(void *context, const struct swale_record *record);
    void *log_context;
    /* In tests: the clock of every loop. */
    uint64_t (*clock)(void *context);
    void *clock_context;
};

/* Makes a server and its loops; nothing listens or runs yet. NULL options: the defaults. SWALE_ERR_INVALID for more
 * than 4096 threads, 1 GiB of head or 2^20 fields, an origin that is NULL, or a backend that the environment names
 * wrongly; -ENOMEM, -EMFILE and the like. */
SWALE_API int swale_server_new(struct swale_server **server, const struct swale_server_options *options);

/* After the server has drained, or before it was started; one whose threads still run is stopped first, without a
 * drain. Outside a turn, and before the loop that it is attached to. Exchanges still put off go too. NULL is allowed.
 */
SWALE_API void swale_server_free(struct swale_server *server);

/* ---- Exchanges: one HTTP request and its answer ----------------------------------------------------- */

/* Of the request. These spans last as long as the exchange: in on_request and on_upgrade until it is answered or the
 * hook has returned, whichever is later; after SWALE_LATER until the decision. Empty for what is not there. */
SWALE_API struct swale_span swale_exchange_method(const struct swale_exchange *exchange);
SWALE_API struct swale_span
swale_exchange_target(const struct swale_exchange *exchange);                           /* as sent, with the query */
SWALE_API struct swale_span swale_exchange_path(const struct swale_exchange *exchange); /* decoded */

/* The value of the first field of this name (compared without case), or of the cookie (compared as it is). */
SWALE_API struct swale_span swale_exchange_header(const struct swale_exchange *exchange, const char *name);
SWALE_API struct swale_span swale_exchange_cookie(const struct swale_exchange *exchange, const char *name);

/* A parameter of the route ("{room}"), decoded; the rest behind a wildcard is "*". Empty when there is none. */
SWALE_API struct swale_span swale_exchange_param(const struct swale_exchange *exchange, const char *name);

/* A parameter of the query, decoded. Empty when there is none, when its escapes are bad, and without memory. */
SWALE_API struct swale_span swale_exchange_query(const struct swale_exchange *exchange, const char *name);

/* The request as parsed, for whatever is not covered above. */
SWALE_API const struct swale_request *swale_exchange_request(const struct swale_exchange *exchange);

/* Who asks. The spans last as long as the exchange. All is empty when the peer had gone before this was first called,
 * and without memory: an identity that is missing is the safe answer. */
SWALE_API void swale_exchange_peer(const struct swale_exchange *exchange, struct swale_peer *peer);

/* Where it lives, and `user` of its route. */
SWALE_API struct swale_loop *swale_exchange_loop(const struct swale_exchange *exchange);
SWALE_API struct swale_server *swale_exchange_server(const struct swale_exchange *exchange);
SWALE_API void *swale_exchange_route_user(const struct swale_exchange *exchange);

/* Adds a field to whichever answer follows (Set-Cookie ...). SWALE_ERR_INVALID for a name or value that
 * is not well-formed, and for the fields that are the server's own (Connection, Content-Length, Transfer-Encoding,
 * Upgrade, Sec-WebSocket-...); SWALE_ERR_STATE after the answer; -ENOMEM. */
SWALE_API int swale_exchange_add_field(struct swale_exchange *exchange, const char *name, const char *value);

/* Answers a plain request, or refuses an upgrade with a status and body of your own. `type` is the
 * Content-Type (NULL: text/plain). The body is copied. For HEAD, 204 and 304 it is left out. `status` is 200 to 599.
 * Once per exchange, which is gone afterwards, or inside a hook when that returns (SWALE_ERR_STATE until then).
 * SWALE_ERR_CLOSED when the peer has gone; -ENOMEM, and the connection is dropped; SWALE_ERR_INVALID, or
 * SWALE_ERR_TOO_SMALL for a head over 64 KiB, and nothing has happened: answer otherwise. */
SWALE_API int swale_exchange_reply(struct swale_exchange *exchange, int status, const char *type,
                                   struct swale_span body);

/* For an upgrade: the subprotocol of the answer (RFC 6455 section 4.2.2), which the peer must have offered
 * (SWALE_ERR_INVALID otherwise). The name is copied; -ENOMEM. Overrides the route's list. */
SWALE_API int swale_exchange_subprotocol(struct swale_exchange *exchange, struct swale_span name);

/* For an upgrade: what swale_conn_user will give. Once only. When no connection comes of it, because the upgrade is
 * refused or fails or the peer goes, the route's free_user gets it instead of on_close. */
SWALE_API void swale_exchange_set_user(struct swale_exchange *exchange, void *user);

/* What an upgrade hook decides. */
enum swale_verdict {
    SWALE_ACCEPT,
    SWALE_REFUSE, /* with swale_exchange_reply, or without it 403 */
    SWALE_LATER   /* the hook's owner will call swale_exchange_accept or swale_exchange_refuse */
};

/* The decision that was put off, on the loop's thread (swale_loop_post gets there from elsewhere), exactly
 * once for each SWALE_LATER: until then the exchange stays valid even if the peer goes or the handshake
 * deadline passes, in which case these return SWALE_ERR_CLOSED. The exchange is gone afterwards. What the
 * peer sent meanwhile is kept (at most one receive buffer) and delivered after on_open. They may also be called
 * inside the hook, by one that has its answer ready but returns SWALE_LATER; and swale_exchange_reply counts as a
 * refusal. A `status` of 0 is 403. swale_exchange_accept returns the reason when the upgrade is refused after all (no
 * memory, a subprotocol that is required); SWALE_ERR_STATE for an exchange that is no upgrade. */
SWALE_API int swale_exchange_accept(struct swale_exchange *exchange);
SWALE_API int swale_exchange_refuse(struct swale_exchange *exchange, int status, struct swale_span body);

/* ---- Routes ----------------------------------------------------------------------------------------- */

/* What happens at a path. Copied, with its strings and arrays, its limits and its policy. With a handler it is a
 * WebSocket endpoint; with on_request it answers plain requests; it may have both. A WebSocket endpoint without
 * on_request answers 426 to plain requests. */
struct swale_route {
    const struct swale_handler *handler;                               /* must outlive the server */
    enum swale_verdict (*on_upgrade)(struct swale_exchange *exchange); /* NULL accepts */
    void (*on_request)(struct swale_exchange *exchange); /* GET and HEAD, and those in `methods`; must reply, now or
                                                          * later; the exchange is valid until it has */
    const char *methods;             /* further ones, "POST, DELETE"; bodies are refused with 413 */
    const char *const *subprotocols; /* by preference; NULL chooses none */
    size_t subprotocol_count;
    bool require_subprotocol;                   /* refuse with 400 when none matches */
    const struct swale_limits *limits;          /* of its connections; NULL: the server's */
    const struct swale_deflate_policy *deflate; /* NULL: the server's */
    const char *const *origins;                 /* NULL: the server's */
    size_t origin_count;
    void *user;                    /* swale_exchange_route_user, and swale_conn_user unless the hook sets another */
    void (*free_user)(void *user); /* of one that the hook set and no connection got; may be NULL */
};

/* `pattern` is a path of literal segments and parameters, "/room/{id}/events", and may end in "/" followed
 * by "*", which matches any rest, the empty one included. A literal segment is preferred to a parameter, a parameter
 * to a wildcard. Paths are compared decoded, segment by segment: an encoded slash does not end a segment. A path with
 * a segment "." or ".." is refused with 400 before any route is looked for. SWALE_ERR_ROUTE when the pattern is
 * malformed or taken; SWALE_ERR_INVALID for a route that answers nothing; SWALE_ERR_STATE after the start; -ENOMEM.
 */
SWALE_API int swale_server_route(struct swale_server *server, const char *pattern, const struct swale_route *route);

/* Serves the files below `directory` at the paths below `prefix` ("/"): GET and HEAD, index.html for
 * directories, ETag and If-None-Match, content types by suffix. Never leaves the directory, not by "..", an
 * escape or a symbolic link; no dot files, no special files. Routes take precedence. The directory is opened now:
 * -errno when it cannot be. SWALE_ERR_INVALID for a prefix that does not begin with "/", SWALE_ERR_ROUTE for one that
 * is taken, SWALE_ERR_STATE after the start, -ENOMEM. */
SWALE_API int swale_server_files(struct swale_server *server, const char *prefix, const char *directory);

/* ---- Listening and running -------------------------------------------------------------------------- */

struct swale_listen {
    const char *address;   /* "HOST:PORT", "[::1]:PORT", ":PORT" (all addresses), "unix:PATH"; port 0 lets the
                            * kernel choose */
    int backlog;           /* 0: 4096, cut by the kernel's own limit */
    struct swale_tls *tls; /* NULL: none. A reference is kept */
};

/* Opens the sockets at once, so that errors are known before the start: SWALE_ERR_ADDRESS, -EADDRINUSE,
 * -EACCES ... HOST is numeric or "localhost". A socket's file is made with the mode that the umask leaves, takes the
 * place of one on which nobody listens any more, and is removed at the end. SWALE_ERR_STATE once threads run. */
SWALE_API int swale_server_listen(struct swale_server *server, const struct swale_listen *listen);

/* The address of the nth listener, with the port that the kernel chose; NULL behind the last. It lasts as long as the
 * server. */
SWALE_API const char *swale_server_address(const struct swale_server *server, size_t n);

/* Starts the threads and returns. -EAGAIN and the like when a thread cannot be started: then none runs, and all that
 * is left is to free the server. SWALE_ERR_STATE when it was started before; -ENOMEM. */
SWALE_API int swale_server_start(struct swale_server *server);

/* Replaces the server's own loops by one that the caller drives; no thread is started. Before the first listener
 * (SWALE_ERR_STATE otherwise), which then starts the server: swale_server_start need not be called, but may be. The
 * loops that swale_server_loop gave before are gone. -ENOMEM. */
SWALE_API int swale_server_attach(struct swale_server *server, struct swale_loop *loop);

/* Begins to drain: stops accepting, refuses new requests, closes every connection with 1001, and drops what
 * is left after drain_ms. Called again, it drops what is left at once; before the start, the server drains as soon as
 * it runs. Any thread, any number of times, until swale_server_free; it may be called from a signal handler. */
SWALE_API void swale_server_stop(struct swale_server *server);

/* Waits until the server has drained and its threads have ended. 0, or the -errno with which a loop failed;
 * SWALE_ERR_STATE before the start. With an attached loop: whether it has drained (0, or SWALE_ERR_STATE not yet),
 * without waiting. */
SWALE_API int swale_server_wait(struct swale_server *server);

/* Start and wait; errors as theirs. */
SWALE_API int swale_server_run(struct swale_server *server);

/* The server's loops, for posting to and for hubs: 0 to count - 1 (NULL beyond), created with the server. Any thread.
 */
SWALE_API size_t swale_server_loop_count(const struct swale_server *server);
SWALE_API struct swale_loop *swale_server_loop(const struct swale_server *server, size_t n);

/* ---- Figures ---------------------------------------------------------------------------------------- */

struct swale_server_stats {
    uint64_t connections_open;        /* WebSocket */
    uint64_t connections_handshaking; /* TCP, TLS or HTTP so far */
    uint64_t connections_opened;
    uint64_t accepted, accept_errors;
    uint64_t requests;
    uint64_t messages_in, messages_out;
    uint64_t bytes_in, bytes_out; /* payload */
    uint64_t wire_in, wire_out;   /* frames as they travel, TLS apart; out: with the answers that open connections */
    uint64_t pings_in, pongs_in;
    uint64_t queued;                     /* bytes in out-queues */
    uint64_t closed[SWALE_ERROR_SLOTS];  /* WebSocket connections by reason, at swale_error_slot */
    uint64_t refused[SWALE_ERROR_SLOTS]; /* requests and connections by reason */
    struct swale_loop_stats loops;       /* sums, and the maximum of the lags */
};

/* Any thread. Each counter is exact; together they are not one instant. */
SWALE_API void swale_server_stats(const struct swale_server *server, struct swale_server_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
