/* connect.h - from a host name to a connected stream: the name is resolved, the addresses are raced (RFC 8305).
 *
 *     host --c-ares--> AAAA, A --in turns--> connect; 250 ms later the next one ... --the first--> stream
 *
 * Numeric hosts, and sockets of the file system, need no resolver.
 */
#ifndef SWALE_IO_CONNECT_H
#define SWALE_IO_CONNECT_H

#include "io/stream.h"

/* ---- Names ------------------------------------------------------------------------------------------- */

/* The resolver of a loop. `servers` as in struct swale_client_options, or NULL for the system's. Nothing is read or
 * opened before the first name. SWALE_ERR_ADDRESS for servers that are none, -ENOMEM. */
struct swale__resolver;
int swale__resolver_new(struct swale__resolver **out, struct swale_loop *loop, const char *servers);

/* No connect may be under way that uses it. */
void swale__resolver_free(struct swale__resolver *resolver);

/* ---- Connecting -------------------------------------------------------------------------------------- */

enum {
    SWALE__RACE_DELAY_MS = 250,      /* RFC 8305 section 5: before the next address is tried beside the last */
    SWALE__RESOLUTION_DELAY_MS = 50, /* section 3: how long an A answer waits for its AAAA */
    SWALE__ADDRESSES_MAX = 32        /* of one name; what a resolver says beyond it is ignored */
};

struct swale__connect_options {
    struct swale_loop *loop;
    struct swale__resolver *resolver; /* for hosts that are not numeric */
    struct swale_span host;           /* without brackets; or the path of a socket */
    uint16_t port;
    bool unix_socket;
    const struct swale__address *local; /* to come from, or NULL: addresses of the other family are left out then */
    uint32_t user_timeout_ms;           /* TCP_USER_TIMEOUT; 0 leaves the system's */
    /* Exactly one of these two comes, never from within swale__connect, and nothing after it. The stream is paused
     * and has no user: set one before returning. `text` is a line for people; valid during the call. */
    void (*on_connected)(void *context, struct swale__stream *stream);
    void (*on_failed)(void *context, int error, bool resolving, const char *text);
    /* Progress, a line each: "trying 127.0.0.1:80", and failures other than the last; may be NULL. Must not cancel.
     */
    void (*on_note)(void *context, const char *text);
    /* Names are known, trying begins. May be NULL. Must not cancel. */
    void (*on_resolved)(void *context);
    void *context;
};

/* Everything in the options is copied. -ENOMEM. Errors that are known at once (a name that is none) come as on_failed
 * all the same. */
struct swale__connecting;
int swale__connect(struct swale__connecting **out, const struct swale__connect_options *options);

/* Nothing comes any more. Not after on_connected or on_failed, when it is gone already. */
void swale__connect_cancel(struct swale__connecting *connecting);

#endif
