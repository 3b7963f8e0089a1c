/* tap.c - a stream that looks at the frames which pass through it.
 *
 * In each direction a small reader: a header of up to 14 bytes is gathered byte by byte, then the payload that it
 * announces is skipped. What is written counts as passed when the lower stream has taken it.
 */
#include "client/tap.h"

#include "base/memory.h"
#include "io/turn.h"
#include "proto/frame.h"

#include <errno.h>

struct reader {
    unsigned char header[SWALE_HEADER_MAX];
    uint8_t size;  /* bytes of it so far */
    bool blind;    /* a length that cannot be: the engine ends the connection, and there is nothing to see */
    uint64_t left; /* bytes of payload to skip */
};

struct tap {
    struct swale__stream base;
    struct swale__stream *lower;
    const struct swale_allocator *allocator;
    void (*on_trace)(void *context, const struct swale_trace *trace);
    void *context;
    struct reader in, out;
    struct swale__work destroy;
};

static struct tap *as_tap(struct swale__stream *stream)
{
    return (struct tap *)stream;
}

/* ---- Looking ---------------------------------------------------------------------------------------- */

static void report(const struct tap *tap, const struct reader *reader)
{
    if (!tap->on_trace)
        return;
    unsigned char first = reader->header[0];
    struct swale_trace trace = {
        .kind = reader == &tap->in ? SWALE_TRACE_FRAME_IN : SWALE_TRACE_FRAME_OUT,
        .length = reader->left,
        .opcode = first & SWALE__OPCODE,
        .rsv = (uint8_t)((first & SWALE__RSV) >> 4),
        .fin = first & SWALE__FIN,
        .masked = reader->header[1] & SWALE__MASK,
    };
    tap->on_trace(tap->context, &trace);
}

/* One more byte of a header. */
static void take(const struct tap *tap, struct reader *reader, unsigned char byte)
{
    reader->header[reader->size++] = byte;
    if (reader->size < 2)
        return;
    uint64_t length;
    int size = swale__frame_length((const char *)reader->header, reader->size, &length);
    reader->blind = size < 0;
    int key = reader->header[1] & SWALE__MASK ? 4 : 0;
    if (size <= 0 || reader->size < size + key)
        return;
    reader->size = 0;
    reader->left = length;
    report(tap, reader);
}

static void look(const struct tap *tap, struct reader *reader, struct swale_span bytes)
{
    for (size_t i = 0; i < bytes.size && !reader->blind;) {
        if (reader->left == 0) {
            take(tap, reader, (unsigned char)bytes.data[i++]);
            continue;
        }
        size_t rest = bytes.size - i;
        size_t skipped = rest < reader->left ? rest : (size_t)reader->left;
        reader->left -= skipped;
        i += skipped;
    }
}

void swale__tap_early(struct swale__stream *tap, struct swale_span early)
{
    look(as_tap(tap), &as_tap(tap)->in, early);
}

void swale__tap_mute(struct swale__stream *tap)
{
    as_tap(tap)->on_trace = NULL;
}

/* ---- What passes upwards ---------------------------------------------------------------------------- */

static void on_data(void *context, char *data, size_t size)
{
    struct tap *tap = context;
    look(tap, &tap->in, swale_span(data, size));
    tap->base.user->on_data(tap->base.context, data, size);
}

static void on_written(void *context, size_t size)
{
    struct tap *tap = context;
    tap->base.user->on_written(tap->base.context, size);
}

static void on_end(void *context)
{
    struct tap *tap = context;
    tap->base.user->on_end(tap->base.context);
}

static void on_fail(void *context, int error)
{
    struct tap *tap = context;
    tap->base.user->on_fail(tap->base.context, error);
}

static const struct swale__stream_user lower_user = {
    .on_data = on_data,
    .on_written = on_written,
    .on_end = on_end,
    .on_fail = on_fail,
};

/* ---- What passes downwards -------------------------------------------------------------------------- */

static void resume_lower(struct swale__stream *stream)
{
    swale__stream_resume(as_tap(stream)->lower);
}

static void pause_lower(struct swale__stream *stream)
{
    swale__stream_pause(as_tap(stream)->lower);
}

static void look_at_parts(struct tap *tap, const struct iovec *parts, size_t size)
{
    for (; size > 0; parts++) {
        size_t run = parts->iov_len < size ? parts->iov_len : size;
        look(tap, &tap->out, swale_span(parts->iov_base, run));
        size -= run;
    }
}

/* What is in flight may be overwritten once it is counted off, so it is looked at now. */
static ptrdiff_t write_lower(struct swale__stream *stream, const struct iovec *parts, int count)
{
    struct tap *tap = as_tap(stream);
    ptrdiff_t written = swale__stream_write(tap->lower, parts, count);
    size_t size = written > 0 ? (size_t)written : 0;
    for (int i = 0; written == SWALE__IN_FLIGHT && i < count; i++)
        size += parts[i].iov_len;
    look_at_parts(tap, parts, size);
    return written;
}

static void shut_lower(struct swale__stream *stream)
{
    swale__stream_shutdown(as_tap(stream)->lower);
}

static void destroy(struct swale__work *work)
{
    struct tap *tap = SWALE__LIST_OWNER(work, struct tap, destroy);
    swale__free(tap->allocator, tap, sizeof *tap);
}

static void close_lower(struct swale__stream *stream, bool abort)
{
    struct tap *tap = as_tap(stream);
    swale__stream_close(tap->lower, abort);
    swale__loop_at_end(stream->loop, &tap->destroy);
}

static void describe_lower(struct swale__stream *stream, struct swale_peer *peer, char *text)
{
    struct swale__stream *lower = as_tap(stream)->lower;
    lower->ops->describe(lower, peer, text);
}

static const struct swale__stream_ops tap_ops = {
    .resume = resume_lower,
    .pause = pause_lower,
    .write = write_lower,
    .shutdown = shut_lower,
    .close = close_lower,
    .describe = describe_lower,
};

int swale__tap_new(struct swale__stream **stream, struct swale__stream *lower,
                   const struct swale_allocator *allocator,
                   void (*on_trace)(void *context, const struct swale_trace *trace), void *context)
{
    struct tap *tap = swale__alloc_zeroed(allocator, sizeof *tap);
    if (!tap) {
        swale__stream_close(lower, true);
        return -ENOMEM;
    }
    *tap = (struct tap){
        .base = { .ops = &tap_ops, .loop = lower->loop },
        .lower = lower,
        .allocator = allocator,
        .on_trace = on_trace,
        .context = context,
        .destroy = { .run = destroy },
    };
    swale__stream_use(lower, &lower_user, tap);
    *stream = &tap->base;
    return 0;
}
