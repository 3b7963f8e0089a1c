/* attempt.h - one try to connect: from a URL to a stream on which the opening handshake has succeeded.
 *
 *     connect (io/connect.h) -> [TLS to the proxy] -> [tunnel] -> [TLS] -> request -> answer -> verified: on_open
 *        ^                                                                     |
 *        +------------------------------ redirect -----------------------------+-> refused, with its body: on_fail
 *
 * One absolute deadline for all of it. It knows nothing of connections, retries and messages.
 */
#ifndef SWALE_CLIENT_ATTEMPT_H
#define SWALE_CLIENT_ATTEMPT_H

#include "client/config.h"
#include "client/jar.h"
#include "io/connect.h"

/* What a try ends with when it succeeds. Spans are valid during the call. The stream is resumed or paused as
 * `reading` says, and wants a new user before the call returns. */
struct swale__attempt_success {
    struct swale__stream *stream;
    bool reading;
    const struct swale_response *response;
    struct swale_upgrade_result result;
    struct swale_span early; /* bytes behind the answer */
    bool ended;              /* the stream's on_end has come */
};

struct swale__attempt_options {
    struct swale_loop *loop;
    const struct swale__client_config *config; /* must outlive the attempt */
    struct swale__resolver *resolver;
    /* Never NULL where the URL, the proxy or (`tls`) a redirect that may be followed wants them. */
    struct swale_tls *tls, *proxy_tls;
    struct swale__jar *jar; /* or NULL */
    void (*random)(void *context, void *out, size_t size);
    void *random_context;
    /* Exactly one of these comes, never from within swale__attempt_new, and nothing after it; the attempt is gone
     * then. failure->retry_ms is for the callee to fill in. `retry_after_ms` is -1 unless the answer has a
     * Retry-After. */
    void (*on_open)(void *context, const struct swale__attempt_success *success);
    void (*on_fail)(void *context, struct swale_client_failure *failure, int64_t retry_after_ms);
    void (*on_trace)(void *context, const struct swale_trace *trace); /* may be NULL; must not cancel */
    void *context;
};

/* -ENOMEM. */
struct swale__attempt;
int swale__attempt_new(struct swale__attempt **attempt, const struct swale__attempt_options *options);

/* Nothing comes any more. At any moment before on_open or on_fail. */
void swale__attempt_cancel(struct swale__attempt *attempt);

#endif
