/* send.c - messages to frames to the out-queue, and the limits of the queue.
 *
 * While the queue is at or below high water a message of any size is taken, so that whatever may be received can be
 * echoed; above it, only what stays within max_queue. The memory that the queue itself holds is bounded too, since
 * short shared messages cost more than their bytes. */
#include "conn/state.h"

#include "base/apart.h"
#include "proto/short.h"

/* ---- Admission -------------------------------------------------------------------------------------- */

/* On the wire, but for a client's mask. */
static size_t frame_size(size_t payload)
{
    size_t header = payload < 126 ? 2 : payload < 65536 ? 4 : 10;
    return payload > SIZE_MAX - header ? SIZE_MAX : payload + header;
}

static bool fits(const struct swale_conn *conn, size_t size)
{
    const struct swale_limits *limits = &conn->group->limits;
    const struct swale__outq *out = &conn->busy->out;
    size_t frame = frame_size(size);
    if (out->size == 0)
        return true;
    if (out->held / 2 > limits->max_queue)
        return false;
    return out->size <= limits->high_water || (frame <= limits->max_queue && out->size <= limits->max_queue - frame);
}

/* May a frame with `size` bytes of payload be queued? A queue that is in the way is written first, if it can be. */
static int admit(struct swale_conn *conn, size_t size)
{
    if (swale__conn_open_now(conn) && !fits(conn, size))
        swale__conn_flush(conn);
    if (!swale__conn_open_now(conn))
        return SWALE_ERR_CLOSED;
    if (!swale__conn_wake(conn))
        return -ENOMEM;
    return fits(conn, size) ? 0 : SWALE_ERR_QUEUE_FULL;
}

/* Something was queued. 0 or SWALE_FULL. When the stream turns out to be dead that is no error of this call: some of
 * what was queued may have left before, and who is told that it was refused might send it again. on_close follows. */
static int queued(struct swale_conn *conn)
{
    swale__conn_touch(conn);
    if (conn->busy->out.size <= conn->group->limits.high_water)
        return 0;
    swale__conn_flush(conn);
    if (conn->stage != SWALE__LIVE || conn->busy->out.size <= conn->group->limits.high_water)
        return 0;
    /* Not a client: two ends that both stop reading would wait for each other. */
    conn->auto_paused = conn->group->config.role == SWALE_SERVER;
    return SWALE_FULL;
}

/* What the application is told, on_drain will take back. A refusal may be the first that it hears of a long queue,
 * which pongs may have filled. */
static int tell(struct swale_conn *conn, int result)
{
    if (result == SWALE_FULL || result == SWALE_ERR_QUEUE_FULL)
        conn->full_told = true;
    return result;
}

static bool is_kind(enum swale_kind kind)
{
    return kind == SWALE_TEXT || kind == SWALE_BINARY;
}

/* ---- Messages --------------------------------------------------------------------------------------- */

struct frame {
    enum swale_kind kind;
    bool compressed;
    bool last;
    struct swale_span payload;
};

/* A frame that would be written before the turn ends, whatever follows it, need not be queued for that: one that
 * brings the queue above high water, and bulk in answer to the message that a run of received bytes ends with. */
static bool leaves_at_once(const struct swale_conn *conn, size_t payload)
{
    size_t size = conn->busy->out.size + payload;
    return size > conn->group->limits.high_water || (conn->group->run_ends == conn && size >= SWALE__BULK);
}

/* Puts the header in front of a message that is sent back as it came, over the header that it came with: a client's
 * is longer than a server's. Once, for then it may be under way. */
static bool head_in_place(struct swale__conn_group *group, struct swale_span header, struct swale_span payload)
{
    if (!group->run_message || payload.data != group->run_message || header.size > group->run_room)
        return false;
    memcpy(group->run_message - header.size, header.data, header.size);
    group->run_message = NULL;
    return true;
}

/* It leaves from where it lies. When the stream turns out to be dead that is no error of this call: see queued. */
static int write_frame(struct swale_conn *conn, struct swale_span header, struct swale_span payload)
{
    size_t left;
    if (conn->group->run_ends == conn && head_in_place(conn->group, header, payload)) {
        header = swale_span(payload.data - header.size, header.size + payload.size);
        payload = swale_span(NULL, 0);
    }
    int result = swale__outq_write(&conn->busy->out, conn->stream, header, payload, &left);
    swale__conn_count_out(conn, left);
    if (result == SWALE_ERR_NO_MEMORY)
        return -ENOMEM;
    if (result < 0)
        swale__conn_dead(conn, result);
    return 0;
}

/* A client's is masked aside for that. (What was compressed may lie there already, and what becomes of a message that
 * is tracked is told by the queue.) */
static bool goes_aside(const struct swale_conn *conn, const struct frame *frame)
{
    return leaves_at_once(conn, frame->payload.size) &&
           frame->payload.size <= SWALE__SCRATCH_SIZE - SWALE_HEADER_MAX && !frame->compressed && !conn->tracked;
}

static int write_masked(struct swale_conn *conn, struct swale_span header, struct swale_span payload,
                        const unsigned char mask[4])
{
    size_t size = header.size + payload.size;
    char *aside = conn->busy->out.size == 0 ? swale__stream_place(conn->stream, size) : NULL;
    if (!aside)
        aside = swale__loop_scratch(conn->group->loop);
    memcpy(aside, header.data, header.size);
    swale_mask_copy(aside + header.size, payload.data, payload.size, mask, 0);
    return write_frame(conn, swale_span(aside, size), swale_span(NULL, 0));
}

static int queue_frame(struct swale_conn *conn, const struct frame *frame)
{
    char header[SWALE_HEADER_MAX];
    unsigned char mask[4];
    struct swale_loop *loop = conn->group->loop;
    int size = swale_engine_send(&conn->busy->engine, frame->kind, frame->compressed, frame->last,
                                 frame->payload.size, swale__conn_now(conn), header, mask);
    if (size < 0)
        return size;
    struct swale_span head = swale_span(header, (size_t)size);
    bool client = conn->group->config.role == SWALE_CLIENT;
    if (client && goes_aside(conn, frame))
        return write_masked(conn, head, frame->payload, mask);
    if (client)
        return swale__outq_append_masked(&conn->busy->out, loop, head, frame->payload, mask);
    if (leaves_at_once(conn, frame->payload.size))
        return write_frame(conn, head, frame->payload);
    return swale__outq_append(&conn->busy->out, loop, head, frame->payload);
}

/* With context takeover a message that was compressed and then not queued has spoilt the window. */
static int queue_compressed(struct swale_conn *conn, struct frame *frame)
{
    struct swale__packed packed;
    if (swale__compress(conn, frame->payload, &packed) == 0)
        return queue_frame(conn, frame);
    frame->compressed = true;
    frame->payload = packed.data;
    int error = queue_frame(conn, frame);
    if (error < 0)
        swale__compress_forget(conn);
    swale__packed_free(conn->group, &packed);
    return error;
}

/* Any message, by all the questions. */
SWALE__APART static int send_whole(struct swale_conn *conn, enum swale_kind kind, const void *data, size_t size,
                                   unsigned flags)
{
    struct frame frame = { .kind = kind, .last = true, .payload = swale_span(data, size) };
    if (!is_kind(kind) || (!data && size > 0) || (flags & ~(unsigned)SWALE_SEND_PLAIN))
        return SWALE_ERR_INVALID;
    int error = tell(conn, admit(conn, size));
    if (error < 0)
        return error;
    if (conn->in_parts)
        return SWALE_ERR_STATE;
    if (!(flags & SWALE_SEND_PLAIN) && swale__compress_wanted(conn, size))
        error = queue_compressed(conn, &frame);
    else
        error = queue_frame(conn, &frame);
    if (error < 0)
        return error;
    swale__conn_count_message(conn, size);
    return tell(conn, queued(conn));
}

/* The short way: a short message that is within all limits. False when there is any question, and then nothing was
 * done. */
static inline bool send_short(struct swale_conn *conn, enum swale_kind kind, const char *data, size_t size)
{
    const struct swale_limits *limits = &conn->group->limits;
    if (size > SWALE__SHORT_MAX || !data || !is_kind(kind) || conn->stage != SWALE__LIVE ||
        swale__conn_deflates(conn) || !swale__short_sendable(&conn->busy->engine) || !swale__conn_wake(conn))
        return false;
    struct swale_engine *engine = &conn->busy->engine;
    struct swale__outq *out = &conn->busy->out;
    size_t frame = swale__short_size(engine, size);
    if (out->held / 2 > limits->max_queue || out->size + frame > limits->high_water)
        return false;
    char *room = swale__outq_room(out, conn->group->loop, frame);
    if (!room)
        return false;
    swale__short_write(engine, kind, data, size, swale__conn_now(conn), room);
    swale__conn_count_message(conn, size);
    swale__conn_touch(conn);
    return true;
}

int swale_conn_send_with(struct swale_conn *conn, enum swale_kind kind, const void *data, size_t size, unsigned flags)
{
    bool known = (flags & ~(unsigned)SWALE_SEND_PLAIN) == 0;
    return known && send_short(conn, kind, data, size) ? 0 : send_whole(conn, kind, data, size, flags);
}

int swale_conn_send(struct swale_conn *conn, enum swale_kind kind, const void *data, size_t size)
{
    return send_short(conn, kind, data, size) ? 0 : send_whole(conn, kind, data, size, 0);
}

/* The engine is put back when memory runs out, so that the same part may be tried again. */
int swale_conn_send_part(struct swale_conn *conn, enum swale_kind kind, const void *data, size_t size, bool last)
{
    struct frame frame = { .kind = kind, .last = last, .payload = swale_span(data, size) };
    if (!is_kind(kind) || (!data && size > 0))
        return SWALE_ERR_INVALID;
    int error = tell(conn, admit(conn, size));
    if (error < 0)
        return error;
    struct swale_engine before = conn->busy->engine;
    error = queue_frame(conn, &frame);
    if (error < 0) {
        conn->busy->engine = before;
        return error;
    }
    conn->in_parts = !last;
    swale__count(&conn->group->counters->bytes_out, size);
    if (last)
        swale__count(&conn->group->counters->messages_out, 1);
    swale__conn_arm(conn);
    return tell(conn, queued(conn));
}

/* ---- Shared messages -------------------------------------------------------------------------------- */

/* A compressed frame stands for itself, without context. The peer's window takes it in, ours does not know it. */
static int queue_shared(struct swale_conn *conn, struct swale_shared *shared, uintptr_t tag)
{
    struct swale__conn_group *group = conn->group;
    size_t size = swale_shared_payload(shared).size;
    struct swale_span plain = swale__shared_frame(shared);
    struct swale__common_message message = { .shared = shared, .frame = plain, .tag = tag };
    if (swale__compress_wanted(conn, size))
        message.frame = swale__shared_compressed(shared, group, conn->terms->send_bits);
    int error = swale_engine_sent_whole(&conn->busy->engine, swale__conn_now(conn));
    if (error < 0)
        return error;
    error = swale__outq_append_shared(&conn->busy->out, conn->group->loop, &group->common, &message);
    if (error == 0 && message.frame.data != plain.data)
        swale__compress_forget(conn);
    return error;
}

int swale__conn_queue_shared(struct swale_conn *conn, struct swale_shared *shared, uintptr_t tag)
{
    struct swale_span payload = swale_shared_payload(shared);
    if (conn->group->config.role == SWALE_CLIENT)
        return swale_conn_send(conn, swale_shared_kind(shared), payload.data, payload.size);
    int error = admit(conn, payload.size);
    if (error < 0)
        return error;
    if (conn->in_parts)
        return SWALE_ERR_STATE;
    error = queue_shared(conn, shared, tag);
    if (error < 0)
        return error;
    swale__conn_count_message(conn, payload.size);
    return queued(conn);
}

int swale_conn_send_shared(struct swale_conn *conn, struct swale_shared *shared)
{
    return tell(conn, swale__conn_send_shared(conn, shared, 0));
}

/* ---- Control frames --------------------------------------------------------------------------------- */

/* In order behind what is queued. The pongs of a peer that does not read them stay within bounds: a server reads no
 * more pings above high water, and a client leaves out what would exceed max_queue, as anyone does for whom memory is
 * out (RFC 6455 section 5.5.3 asks for the latest only). */
void swale__conn_control(struct swale_conn *conn, struct swale_span frame)
{
    if (conn->busy->out.size > conn->group->limits.max_queue && conn->busy->out.size > conn->group->limits.high_water)
        return;
    swale__outq_append(&conn->busy->out, conn->group->loop, frame, swale_span(NULL, 0));
    queued(conn);
}

int swale_conn_ping(struct swale_conn *conn, struct swale_span payload)
{
    char frame[SWALE_CONTROL_MAX];
    int error = admit(conn, payload.size);
    if (error < 0)
        return error;
    int size = swale_engine_ping(&conn->busy->engine, payload, frame);
    if (size < 0)
        return size;
    struct swale_span span = swale_span(frame, (size_t)size);
    error = swale__outq_append(&conn->busy->out, conn->group->loop, span, swale_span(NULL, 0));
    return error < 0 ? error : tell(conn, queued(conn));
}
