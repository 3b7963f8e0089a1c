/* tls_bio.c - between OpenSSL and the lower stream: ciphertext in from a span, ciphertext out to a queue.
 *
 * Reading copies straight from the buffer that the lower stream lent us. OpenSSL reads ahead, and is given no more
 * than the rest of one record: it takes header and body in one go, and yet never holds a record that we do not know
 * of. Writing never blocks: the queue takes all that OpenSSL makes, and is kept short by those who make OpenSSL
 * write.
 */
#include "io/tls.h"

#include <openssl/bio.h>

struct swale__tls_chunk {
    struct swale__tls_chunk *next;
    uint32_t begin, end; /* of data[] */
    char data[];
};
enum { CHUNK_ROOM = SWALE__CHUNK_SIZE - sizeof(struct swale__tls_chunk) };

/* ---- The queue -------------------------------------------------------------------------------------- */

/* The last chunk, with room for at least one byte. NULL when memory is out. */
static struct swale__tls_chunk *roomy_tail(struct swale__tls_out *out, struct swale_loop *loop)
{
    if (out->tail && out->tail->end < CHUNK_ROOM)
        return out->tail;
    struct swale__tls_chunk *chunk = swale__loop_chunk(loop);
    if (!chunk)
        return NULL;
    *chunk = (struct swale__tls_chunk){ .next = NULL };
    if (out->tail)
        out->tail->next = chunk;
    else
        out->head = chunk;
    out->tail = chunk;
    return chunk;
}

static bool append(struct swale__tls_out *out, struct swale_loop *loop, const char *data, size_t size)
{
    while (size > 0) {
        struct swale__tls_chunk *chunk = roomy_tail(out, loop);
        if (!chunk)
            return false;
        size_t room = CHUNK_ROOM - chunk->end;
        size_t part = size < room ? size : room;
        memcpy(chunk->data + chunk->end, data, part);
        chunk->end += (uint32_t)part;
        out->size += part;
        data += part;
        size -= part;
    }
    return true;
}

int swale__tls_out_parts(const struct swale__tls_out *out, struct iovec *parts)
{
    int count = 0;
    for (struct swale__tls_chunk *chunk = out->head; chunk && count < SWALE__IOV_MAX; chunk = chunk->next)
        parts[count++] = (struct iovec){ chunk->data + chunk->begin, chunk->end - chunk->begin };
    return count;
}

void swale__tls_out_consume(struct swale__tls_out *out, struct swale_loop *loop, size_t size)
{
    out->size -= size;
    for (struct swale__tls_chunk *chunk = out->head; chunk; chunk = out->head) {
        size_t part = chunk->end - chunk->begin;
        if (part > size) {
            chunk->begin += (uint32_t)size;
            return;
        }
        size -= part;
        out->head = chunk->next;
        if (!out->head)
            out->tail = NULL;
        swale__loop_chunk_free(loop, chunk);
    }
}

/* ---- The BIO ---------------------------------------------------------------------------------------- */

/* How many of the next `size` bytes belong to the record under way, which they then are counted to. */
static size_t within_record(struct swale__tls_stream *tls, size_t size)
{
    size_t taken = 0;
    for (; taken < size && tls->header_read < SSL3_RT_HEADER_LENGTH; tls->header_read++, taken++) {
        if (tls->header_read >= 3) /* RFC 8446 section 5.1: type, version in two bytes, length in two */
            tls->record_left = (uint16_t)(tls->record_left << 8 | (unsigned char)tls->in.data[taken]);
    }
    if (tls->header_read < SSL3_RT_HEADER_LENGTH)
        return taken;
    size_t body = size - taken < tls->record_left ? size - taken : tls->record_left;
    tls->record_left = (uint16_t)(tls->record_left - body);
    if (tls->record_left == 0)
        tls->header_read = 0;
    return taken + body;
}

static int read_bio(BIO *bio, char *data, int size)
{
    struct swale__tls_stream *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->in.size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t most = (size_t)size < tls->in.size ? (size_t)size : tls->in.size;
    size_t taken = within_record(tls, most);
    memcpy(data, tls->in.data, taken);
    tls->in = swale_span(tls->in.data + taken, tls->in.size - taken);
    return (int)taken;
}

static int write_bio(BIO *bio, const char *data, int size)
{
    struct swale__tls_stream *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (append(&tls->out, tls->base.loop, data, (size_t)size))
        return size;
    tls->out.failed = true; /* no retry: a record in two would be no record */
    return -1;
}

static long control_bio(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *swale__tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "swale stream");
    if (!method)
        return NULL;
    BIO_meth_set_read(method, read_bio);
    BIO_meth_set_write(method, write_bio);
    BIO_meth_set_ctrl(method, control_bio);
    return method;
}
