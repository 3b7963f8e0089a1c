/* tls_write.c - the sending side: from the user's parts to records, from records to the lower stream.
 *
 * A write is encrypted and handed down within the call. What the lower does not take at once stays in the
 * queue; while that is long no more plaintext is taken, so that the water marks of the layers above
 * hold for TLS as they do for TCP.
 */
#include "io/tls.h"

#include <errno.h>
#include <openssl/err.h>

enum { RECORD_MAX = SSL3_RT_MAX_PLAIN_LENGTH };

static size_t size_of(const struct iovec *parts, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

/* ---- To the lower stream ---------------------------------------------------------------------------- */

void swale__tls_flush(struct swale__tls_stream *tls)
{
    while (tls->out.size > 0 && tls->in_flight == 0 && !tls->lower_full && !tls->lower_dead) {
        struct iovec parts[SWALE__IOV_MAX];
        int count = swale__tls_out_parts(&tls->out, parts);
        size_t size = size_of(parts, count);
        ptrdiff_t written = swale__stream_write(tls->lower, parts, count);
        if (written == SWALE__IN_FLIGHT) {
            tls->in_flight = size;
            tls->handed += size;
        } else if (written < 0) {
            tls->lower_dead = true;
            tls->error = tls->error ? tls->error : (int)written;
        } else {
            swale__tls_out_consume(&tls->out, tls->base.loop, (size_t)written);
            tls->handed += (size_t)written;
            tls->lower_full = (size_t)written < size;
        }
    }
}

/* ---- From the user ---------------------------------------------------------------------------------- */

/* A place in the user's parts. */
struct cursor {
    const struct iovec *part, *end;
    size_t offset; /* in *part */
};

static void skip_empty(struct cursor *cursor)
{
    while (cursor->part < cursor->end && cursor->offset == cursor->part->iov_len) {
        cursor->part++;
        cursor->offset = 0;
    }
}

/* The plaintext of the next record: where it stands, when it stands in one piece; else small pieces are brought
 * together, because each record costs 22 bytes and a pass through the cipher. Empty at the end. */
static struct swale_span next_record(struct cursor *cursor, char *buffer)
{
    skip_empty(cursor);
    if (cursor->part == cursor->end)
        return swale_span(NULL, 0);
    const char *data = (const char *)cursor->part->iov_base + cursor->offset;
    size_t left = cursor->part->iov_len - cursor->offset;
    if (left >= RECORD_MAX || cursor->part + 1 == cursor->end) {
        left = left < RECORD_MAX ? left : RECORD_MAX;
        cursor->offset += left;
        return swale_span(data, left);
    }
    size_t size = 0;
    for (; cursor->part < cursor->end && size < RECORD_MAX; skip_empty(cursor)) {
        left = cursor->part->iov_len - cursor->offset;
        if (left > RECORD_MAX - size)
            left = RECORD_MAX - size;
        memcpy(buffer + size, (const char *)cursor->part->iov_base + cursor->offset, left);
        cursor->offset += left;
        size += left;
    }
    return swale_span(buffer, size);
}

/* Room for another record, if need be after handing down those that wait. */
static bool has_room(struct swale__tls_stream *tls)
{
    if (tls->out.size >= SWALE__TLS_BACKLOG_MAX)
        swale__tls_flush(tls);
    return tls->out.size < SWALE__TLS_BACKLOG_MAX && !tls->error;
}

static bool encrypt(struct swale__tls_stream *tls, struct swale_span record)
{
    size_t written;
    if (SSL_write_ex(tls->ssl, record.data, record.size, &written) == 1)
        return true;
    swale__tls_failed(tls);
    return false;
}

ptrdiff_t swale__tls_write(struct swale__stream *stream, const struct iovec *parts, int count)
{
    struct swale__tls_stream *tls = (struct swale__tls_stream *)stream;
    struct cursor cursor = { parts, parts + (count < SWALE__IOV_MAX ? count : SWALE__IOV_MAX), 0 };
    char buffer[RECORD_MAX];
    size_t taken = 0;
    uint64_t before = tls->handed;
    swale__tls_clear_errors();
    while (tls->open && has_room(tls)) {
        struct swale_span record = next_record(&cursor, buffer);
        if (record.size == 0 || !encrypt(tls, record))
            break;
        taken += record.size;
    }
    swale__tls_flush(tls);
    /* When some of it may have left before the fault, that has to be said: the fault is told later. */
    if (tls->error && (taken == 0 || tls->handed == before)) {
        tls->error_told = true;
        return tls->error;
    }
    if (taken < size_of(parts, count))
        tls->wants_room = true;
    if (swale__tls_has_news(tls))
        swale__loop_at_next(tls->base.loop, &tls->later);
    return (ptrdiff_t)taken;
}
