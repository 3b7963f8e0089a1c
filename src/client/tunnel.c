/* The part that both kinds of proxies have in common: bytes to and from the stream, and the end.
 *
 * Whatever ends it does so last, in `finish` or `hand_over`: those free the tunnel, and their callers return without
 * another look at it. What may have ended it says so by returning false. */
#include "client/tunnel_steps.h"

#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { FIRST_ROOM = 512 };

int swale__tunnel_fault(struct swale__tunnel *tunnel, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tunnel->text, sizeof tunnel->text, format, arguments);
    va_end(arguments);
    return error;
}

void swale__tunnel_take(struct swale__tunnel *tunnel, size_t size)
{
    tunnel->in_size -= size;
    memmove(tunnel->in, tunnel->in + size, tunnel->in_size);
}

void swale__tunnel_trace(struct swale__tunnel *tunnel, enum swale_trace_kind kind, struct swale_span text)
{
    if (tunnel->options.on_trace)
        tunnel->options.on_trace(tunnel->options.context, kind, text);
}

/* ---- The end ---------------------------------------------------------------------------------------- */

static void discard(struct swale__tunnel *tunnel)
{
    const struct swale_allocator *allocator = tunnel->options.allocator;
    swale__loop_forget(tunnel->options.stream->loop, &tunnel->begin);
    swale__free(allocator, tunnel->in, tunnel->in_room);
    swale__free(allocator, tunnel, tunnel->block_size);
}

void swale__tunnel_cancel(struct swale__tunnel *tunnel)
{
    swale__stream_close(tunnel->options.stream, false);
    discard(tunnel);
}

/* Fails, with `text` as it has been filled in. Returns false: the tunnel is gone. */
static bool finish(struct swale__tunnel *tunnel, int error)
{
    swale__stream_close(tunnel->options.stream, false);
    tunnel->options.on_failed(tunnel->options.context, error, tunnel->text,
                              tunnel->answered ? &tunnel->response : NULL);
    discard(tunnel);
    return false;
}

static bool out_of_memory(struct swale__tunnel *tunnel)
{
    return finish(tunnel, swale__tunnel_fault(tunnel, -ENOMEM, "%s", swale_strerror(-ENOMEM)));
}

/* The transport has failed. */
static bool lose(struct swale__tunnel *tunnel, int error)
{
    struct swale_peer peer;
    swale__stream_describe(tunnel->options.stream, &peer);
    struct swale_span reason = peer.tls_error.size > 0 ? peer.tls_error : swale_text(swale_strerror(error));
    return finish(tunnel, swale__tunnel_fault(tunnel, error, "the connection to the proxy: %.*s", (int)reason.size,
                                              reason.data));
}

/* Succeeds. Returns false: the tunnel is gone. */
static bool hand_over(struct swale__tunnel *tunnel)
{
    const struct swale__tunnel_options options = tunnel->options;
    swale__stream_pause(options.stream);
    discard(tunnel);
    options.on_ready(options.context, options.stream);
    return false;
}

/* ---- Bytes ------------------------------------------------------------------------------------------ */

static bool sending(const struct swale__tunnel *tunnel)
{
    return tunnel->out_sent < tunnel->out_size;
}

/* Writes what the stream takes. False when that was the end. */
static bool send(struct swale__tunnel *tunnel)
{
    if (!sending(tunnel) || tunnel->in_flight > 0 || tunnel->full)
        return true;
    struct iovec part = { .iov_base = tunnel->out + tunnel->out_sent,
                          .iov_len = tunnel->out_size - tunnel->out_sent };
    ptrdiff_t written = swale__stream_write(tunnel->options.stream, &part, 1);
    if (written == SWALE__IN_FLIGHT) {
        tunnel->in_flight = part.iov_len;
        return true;
    }
    if (written < 0)
        return lose(tunnel, (int)written);
    tunnel->full = (size_t)written < part.iov_len;
    tunnel->out_sent += (size_t)written;
    return true;
}

/* Lets the handshake take its next step, when what it had to say has left. False when that was the end. */
static bool step(struct swale__tunnel *tunnel)
{
    if (sending(tunnel) || tunnel->in_size == 0)
        return true;
    int result = tunnel->steps->advance(tunnel);
    if (result < 0)
        return finish(tunnel, result);
    return result == SWALE__TUNNEL_OPEN ? hand_over(tunnel) : send(tunnel);
}

/* Makes room for `size` bytes behind those that are there; there are never more than in_limit. */
static bool make_room(struct swale__tunnel *tunnel, size_t size)
{
    size_t needed = tunnel->in_size + size;
    size_t room = tunnel->in_room > 0 ? tunnel->in_room : FIRST_ROOM;
    while (room < needed)
        room *= 2;
    if (room == tunnel->in_room)
        return true;
    char *in = swale__resize(tunnel->options.allocator, tunnel->in, tunnel->in_room, room);
    if (!in)
        return false;
    tunnel->in = in;
    tunnel->in_room = room;
    return true;
}

static void on_data(void *context, char *data, size_t size)
{
    struct swale__tunnel *tunnel = context;
    size_t limit = tunnel->steps->in_limit(&tunnel->options);
    while (size > 0) {
        size_t run = size < limit - tunnel->in_size ? size : limit - tunnel->in_size;
        if (run == 0) {
            finish(tunnel, swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "the proxy says more than it was asked"));
            return;
        }
        if (!make_room(tunnel, run)) {
            out_of_memory(tunnel);
            return;
        }
        memcpy(tunnel->in + tunnel->in_size, data, run);
        tunnel->in_size += run;
        data += run;
        size -= run;
        if (!step(tunnel))
            return;
    }
}

static void on_written(void *context, size_t size)
{
    struct swale__tunnel *tunnel = context;
    tunnel->full = false;
    tunnel->in_flight -= size;
    tunnel->out_sent += size;
    if (send(tunnel))
        step(tunnel); /* for what came before its time */
}

static void on_end(void *context)
{
    struct swale__tunnel *tunnel = context;
    /* A refusal may have come before all had been asked. */
    int result = tunnel->in_size > 0 ? tunnel->steps->advance(tunnel) : SWALE__TUNNEL_MORE;
    if (result >= 0)
        result = swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "the proxy hung up in its handshake");
    finish(tunnel, result);
}

static void on_fail(void *context, int error)
{
    lose(context, error);
}

/* ---- The beginning ---------------------------------------------------------------------------------- */

static void begin(struct swale__work *work)
{
    struct swale__tunnel *tunnel = SWALE__LIST_OWNER(work, struct swale__tunnel, begin);
    int error = tunnel->steps->begin(tunnel);
    if (error)
        finish(tunnel, error);
    else if (send(tunnel))
        swale__stream_resume(tunnel->options.stream);
}

/* One block: the tunnel, the fields of an answer, what is sent. */
static struct swale__tunnel *make(const struct swale__tunnel_options *options)
{
    bool socks = options->proxy->kind == SWALE__PROXY_SOCKS5;
    const struct swale__tunnel_steps *steps = socks ? &swale__tunnel_socks : &swale__tunnel_connect;
    size_t fields = socks ? 0 : options->max_fields;
    size_t out_room = steps->out_room(options);
    size_t size = sizeof(struct swale__tunnel) + fields * sizeof(struct swale_field) + out_room;
    struct swale__tunnel *tunnel = swale__alloc(options->allocator, size);
    if (!tunnel)
        return NULL;
    *tunnel = (struct swale__tunnel){ .options = *options, .steps = steps, .block_size = size };
    tunnel->fields = (struct swale_field *)(void *)(tunnel + 1);
    tunnel->out = (char *)(tunnel->fields + fields);
    tunnel->out_room = out_room;
    tunnel->login = options->proxy->userinfo.size > 0;
    tunnel->begin.run = begin;
    return tunnel;
}

int swale__tunnel_new(struct swale__tunnel **out, const struct swale__tunnel_options *options)
{
    static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };
    struct swale__tunnel *tunnel = make(options);
    if (!tunnel) {
        swale__stream_close(options->stream, false);
        return -ENOMEM;
    }
    swale__stream_use(options->stream, &user, tunnel);
    swale__loop_at_next(options->stream->loop, &tunnel->begin);
    *out = tunnel;
    return 0;
}
