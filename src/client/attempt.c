/* attempt.c - one try to connect: the way from stage to stage, its deadline, and its end.
 *
 *     connect --+--> TLS with the proxy --+--> tunnel --+--> TLS --+--> answer.c
 *               +-------------------------+-------------+----------+
 *
 * Each stage hands the stream to the next from within its last callback. A redirect begins at the left again, through
 * the same proxy: it was the caller's choice, or the environment's for the URL that the caller gave.
 */
#include "client/stages.h"

#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- The end ---------------------------------------------------------------------------------------- */

static void destroy(struct swale__attempt *attempt)
{
    const struct swale_allocator *allocator = attempt->allocator;
    swale__buffer_free(&attempt->location, allocator);
    swale__buffer_free(&attempt->tls_name, allocator);
    swale__buffer_free(&attempt->request, allocator);
    swale__buffer_free(&attempt->head, allocator);
    swale__buffer_free(&attempt->content, allocator);
    swale__free(allocator, attempt->fields, attempt->field_room * sizeof *attempt->fields);
    swale__free(allocator, attempt, sizeof *attempt);
}

static void run_destroy(struct swale__work *work)
{
    destroy(SWALE__LIST_OWNER(work, struct swale__attempt, destroy));
}

/* Nothing comes any more, from anywhere. What the attempt has in memory stays until the end of the turn. */
static void stop(struct swale__attempt *attempt)
{
    attempt->done = true;
    swale_timer_stop(attempt->options.loop, &attempt->deadline);
    if (attempt->connecting)
        swale__connect_cancel(attempt->connecting);
    if (attempt->tunnel)
        swale__tunnel_cancel(attempt->tunnel);
    if (attempt->stream)
        swale__stream_close(attempt->stream, false); /* in order: an alert still gets out */
    attempt->connecting = NULL;
    attempt->tunnel = NULL;
    attempt->stream = NULL;
    swale__loop_at_end(attempt->options.loop, &attempt->destroy);
}

void swale__attempt_cancel(struct swale__attempt *attempt)
{
    stop(attempt);
}

void swale__attempt_succeed(struct swale__attempt *attempt, const struct swale__attempt_success *success)
{
    attempt->stream = NULL;
    stop(attempt);
    attempt->options.on_open(attempt->options.context, success);
}

void swale__attempt_fail_with(struct swale__attempt *attempt, struct swale_client_failure *failure,
                              int64_t retry_after_ms)
{
    failure->phase = attempt->phase;
    stop(attempt);
    attempt->options.on_fail(attempt->options.context, failure, retry_after_ms);
}

void swale__attempt_fail(struct swale__attempt *attempt, int reason, const char *format, ...)
{
    char text[SWALE__ATTEMPT_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct swale_client_failure failure = { .reason = reason, .text = text };
    swale__attempt_fail_with(attempt, &failure, -1);
}

/* ---- Traces ----------------------------------------------------------------------------------------- */

void swale__attempt_trace(struct swale__attempt *attempt, enum swale_trace_kind kind, struct swale_span text)
{
    struct swale_trace trace = { .kind = kind, .text = text };
    if (attempt->options.on_trace)
        attempt->options.on_trace(attempt->options.context, &trace);
}

void swale__attempt_note(struct swale__attempt *attempt, const char *format, ...)
{
    char text[SWALE__ATTEMPT_TEXT_MAX];
    va_list arguments;
    if (!attempt->options.on_trace)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    swale__attempt_trace(attempt, SWALE_TRACE_NOTE, swale_text(text));
}

static int length_of(struct swale_span span)
{
    return span.size < 255 ? (int)span.size : 255;
}

static void note_tls(struct swale__attempt *attempt)
{
    struct swale_peer peer;
    if (!attempt->options.on_trace)
        return;
    swale__stream_describe(attempt->stream, &peer);
    swale__attempt_note(attempt, "%.*s with %.*s%s", length_of(peer.tls_version), peer.tls_version.data,
                        length_of(peer.tls_cipher), peer.tls_cipher.data, peer.tls_resumed ? ", resumed" : "");
    if (peer.tls_subject.size > 0)
        swale__attempt_note(attempt, "the certificate is of %.*s", length_of(peer.tls_subject),
                            peer.tls_subject.data);
}

/* ---- TLS -------------------------------------------------------------------------------------------- */

static void go_on(struct swale__attempt *attempt, bool secured);

/* OpenSSL's words for a peer that does not speak TLS at all. */
static const char *hint_of(struct swale_span reason)
{
    static const char words[] = "wrong version number";
    return swale_span_equal(reason, swale_text(words)) ? " (the server does not speak TLS on this port)" : "";
}

/* A server that wants a certificate says so only when the handshake is done for us (RFC 8446 section 4.4.2.4): that
 * is a matter of TLS, too. */
void swale__attempt_fail_tls(struct swale__attempt *attempt, int error)
{
    struct swale_peer peer = { .port = 0 };
    swale__stream_describe(attempt->stream, &peer);
    struct swale_span reason = peer.tls_error.size > 0 ? peer.tls_error : swale_text(swale_strerror(error));
    if (attempt->phase == SWALE_PHASE_HANDSHAKE)
        attempt->phase = attempt->url.secure ? SWALE_PHASE_TLS : SWALE_PHASE_PROXY;
    swale__attempt_fail(attempt, error, "TLS with %s%s: %.*s%s",
                        attempt->phase == SWALE_PHASE_PROXY ? "the proxy " : "", attempt->tls_name.data,
                        length_of(reason), reason.data, hint_of(reason));
}

/* The handshake is done: the stream has verified whom it talks to. */
static void on_secured(void *context, size_t size)
{
    struct swale__attempt *attempt = context;
    (void)size; /* nothing of ours was in flight */
    note_tls(attempt);
    go_on(attempt, true);
}

static void on_insecure(void *context, int error)
{
    swale__attempt_fail_tls(context, error);
}

/* A paused stream hands out neither data nor an end. */
static void on_no_data(void *context, char *data, size_t size)
{
    (void)context, (void)data, (void)size;
}

static void on_no_end(void *context)
{
    (void)context;
}

static const struct swale__stream_user shaking = {
    .on_data = on_no_data,
    .on_written = on_secured,
    .on_end = on_no_end,
    .on_fail = on_insecure,
};

/* Begins TLS on the stream; on_secured comes, or on_insecure. */
static void secure(struct swale__attempt *attempt, struct swale_tls *tls, struct swale_span name)
{
    struct swale__stream *lower = attempt->stream;
    attempt->tls_name.size = 0;
    attempt->stream = NULL;
    int error = swale__buffer_put(&attempt->tls_name, attempt->allocator, name);
    if (!error)
        error = swale__buffer_put(&attempt->tls_name, attempt->allocator, swale_span("", 1));
    if (error)
        swale__stream_close(lower, true);
    else
        error = swale__tls_wrap(&attempt->stream, lower, tls, SWALE__DIALLED, attempt->tls_name.data);
    if (error)
        swale__attempt_fail(attempt, error, "TLS with %.*s: %s", length_of(name), name.data, swale_strerror(error));
    else
        swale__stream_use(attempt->stream, &shaking, attempt);
}

/* ---- The tunnel ------------------------------------------------------------------------------------- */

/* Where the connection is to lead in the end, whatever lies between. */
static struct swale_url destination(const struct swale__attempt *attempt)
{
    struct swale_url url = attempt->url;
    if (attempt->config->connect_host.size == 0 || attempt->foreign)
        return url;
    url.host = attempt->config->connect_host;
    url.port = attempt->config->connect_port;
    url.ipv6 = memchr(url.host.data, ':', url.host.size) != NULL;
    url.unix_socket = false;
    return url;
}

static void on_tunnel_ready(void *context, struct swale__stream *stream)
{
    struct swale__attempt *attempt = context;
    attempt->tunnel = NULL;
    attempt->stream = stream;
    go_on(attempt, false);
}

static void on_tunnel_failed(void *context, int error, const char *text, const struct swale_response *response)
{
    struct swale__attempt *attempt = context;
    attempt->tunnel = NULL;
    struct swale_client_failure failure = { .reason = error, .text = text, .response = response };
    swale__attempt_fail_with(attempt, &failure, -1);
}

static void on_tunnel_trace(void *context, enum swale_trace_kind kind, struct swale_span text)
{
    swale__attempt_trace(context, kind, text);
}

static void dig(struct swale__attempt *attempt)
{
    struct swale_url to = destination(attempt);
    struct swale__tunnel_options options = {
        .allocator = attempt->allocator,
        .stream = attempt->stream,
        .proxy = &attempt->config->proxy,
        .host = to.host,
        .port = to.port,
        .ipv6 = to.ipv6,
        .max_head = attempt->config->options.max_head,
        .max_fields = attempt->config->options.max_fields,
        .on_ready = on_tunnel_ready,
        .on_failed = on_tunnel_failed,
        .on_trace = attempt->options.on_trace ? on_tunnel_trace : NULL,
        .context = attempt,
    };
    attempt->stream = NULL;
    int error = swale__tunnel_new(&attempt->tunnel, &options);
    if (error)
        swale__attempt_fail(attempt, error, "the proxy's handshake: %s", swale_strerror(error));
}

/* ---- From stage to stage ---------------------------------------------------------------------------- */

static struct swale_span server_name(const struct swale__attempt *attempt)
{
    const char *name = attempt->config->options.tls_server_name;
    return name && !attempt->foreign ? swale_text(name) : attempt->url.host;
}

/* The stream has come through the phase that stands in `phase`; with TLS, if `secured`. */
static void go_on(struct swale__attempt *attempt, bool secured)
{
    const struct swale__proxy *proxy = &attempt->config->proxy;
    bool connected = attempt->phase <= SWALE_PHASE_CONNECT;
    if (connected && proxy->kind != SWALE__PROXY_NONE) {
        attempt->phase = SWALE_PHASE_PROXY;
        if (proxy->kind == SWALE__PROXY_HTTPS)
            secure(attempt, attempt->options.proxy_tls, proxy->host);
        else
            dig(attempt);
    } else if (attempt->phase == SWALE_PHASE_PROXY && secured) {
        dig(attempt);
    } else if (attempt->phase != SWALE_PHASE_TLS && attempt->url.secure) {
        attempt->phase = SWALE_PHASE_TLS;
        secure(attempt, attempt->options.tls, server_name(attempt));
    } else {
        attempt->phase = SWALE_PHASE_HANDSHAKE;
        swale__answer_await(attempt);
    }
}

/* ---- Connecting ------------------------------------------------------------------------------------- */

static void on_connected(void *context, struct swale__stream *stream)
{
    struct swale__attempt *attempt = context;
    attempt->connecting = NULL;
    attempt->stream = stream;
    go_on(attempt, false);
}

static void on_connect_failed(void *context, int error, bool resolving, const char *text)
{
    struct swale__attempt *attempt = context;
    attempt->connecting = NULL;
    attempt->phase = resolving ? SWALE_PHASE_RESOLVE : SWALE_PHASE_CONNECT;
    swale__attempt_fail(attempt, error, "%s", text);
}

static void on_connect_note(void *context, const char *text)
{
    swale__attempt_note(context, "%s", text);
}

static void on_resolved(void *context)
{
    ((struct swale__attempt *)context)->phase = SWALE_PHASE_CONNECT;
}

/* Bytes that are not acknowledged for as long as silence is borne tell of a peer that is gone (RFC 5482). */
static uint32_t user_timeout(const struct swale_limits *limits)
{
    if (limits->ping_after_ms == SWALE_OFF || limits->gone_after_ms == SWALE_OFF)
        return 0;
    uint64_t sum = (uint64_t)limits->ping_after_ms + limits->gone_after_ms;
    return sum < INT_MAX ? (uint32_t)sum : INT_MAX;
}

int swale__attempt_connect(struct swale__attempt *attempt)
{
    const struct swale__client_config *config = attempt->config;
    struct swale_url to = destination(attempt);
    bool direct = config->proxy.kind == SWALE__PROXY_NONE;
    struct swale__connect_options options = {
        .loop = attempt->options.loop,
        .resolver = attempt->options.resolver,
        .host = direct ? to.host : config->proxy.host,
        .port = direct ? to.port : config->proxy.port,
        .unix_socket = direct && to.unix_socket,
        .local = config->local.size > 0 ? &config->local : NULL,
        .user_timeout_ms = user_timeout(&config->limits),
        .on_connected = on_connected,
        .on_failed = on_connect_failed,
        .on_note = attempt->options.on_trace ? on_connect_note : NULL,
        .on_resolved = on_resolved,
        .context = attempt,
    };
    attempt->phase = SWALE_PHASE_RESOLVE;
    return swale__connect(&attempt->connecting, &options);
}

/* ---- The deadline ----------------------------------------------------------------------------------- */

static void run_out(struct swale_timer *timer)
{
    static const char *const doings[] = {
        [SWALE_PHASE_RESOLVE] = "resolving",
        [SWALE_PHASE_CONNECT] = "connecting to",
        [SWALE_PHASE_PROXY] = "waiting for the proxy on the way to",
        [SWALE_PHASE_TLS] = "waiting for TLS with",
        [SWALE_PHASE_HANDSHAKE] = "waiting for the answer of",
    };
    struct swale__attempt *attempt = timer->context;
    if (attempt->refused)
        swale__answer_refused(attempt, true);
    else
        swale__attempt_fail(attempt, SWALE_ERR_HANDSHAKE_TIMEOUT, "gave up after %u ms of %s %.*s",
                            (unsigned)attempt->config->limits.handshake_ms, doings[attempt->phase],
                            SWALE__HOST(attempt->url));
}

/* ---- The beginning ---------------------------------------------------------------------------------- */

int swale__attempt_new(struct swale__attempt **attempt, const struct swale__attempt_options *options)
{
    const struct swale_allocator *allocator = swale__loop_allocator(options->loop);
    const struct swale__client_config *config = options->config;
    struct swale__attempt *made = swale__alloc_zeroed(allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->options = *options;
    made->config = config;
    made->allocator = allocator;
    made->url = config->url;
    made->destroy.run = run_destroy;
    made->deadline.fire = run_out;
    made->deadline.context = made;
    made->field_room = config->options.max_fields;
    made->fields = swale__alloc(allocator, made->field_room * sizeof *made->fields);
    int error = made->fields ? swale__attempt_connect(made) : -ENOMEM;
    if (error) {
        destroy(made);
        return error;
    }
    if (config->limits.handshake_ms != SWALE_OFF)
        swale_timer_start(options->loop, &made->deadline,
                          swale_loop_now(options->loop) + config->limits.handshake_ms);
    *attempt = made;
    return 0;
}
