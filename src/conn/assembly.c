/* assembly.c - parts of messages to messages.
 *
 * A message that lies in one piece is delivered from where it lies. Otherwise it is put together in a block that
 * grows with what has arrived: an announced length is believed up to three times of that, so that it alone costs no
 * memory, and copying stays linear. One of the largest size that arrives at full speed, in full receive buffers, is
 * believed from its first run on, and is never moved. The block goes back to the loop when the message has been
 * delivered: an idle connection owns none. */
#include "conn/state.h"

#include "proto/engine.h"

enum {
    BELIEF = 3,
    /* The first bytes of a message make so much room at least, if so much is announced. */
    FIRST_ROOM = 4096
};

static size_t block_size(size_t capacity)
{
    return sizeof(struct swale__incoming) + capacity;
}

/* Room for `needed` bytes, and in measure for those that are announced behind them. */
static size_t room_for(size_t needed, uint64_t announced)
{
    size_t belief = needed < FIRST_ROOM / BELIEF ? FIRST_ROOM : BELIEF * needed;
    return needed + (announced < belief ? (size_t)announced : belief);
}

/* ---- Blocks ----------------------------------------------------------------------------------------- */

int swale__incoming_begin(struct swale_conn *conn, enum swale_kind kind, size_t expected, uint64_t announced)
{
    if (expected > SIZE_MAX / (2 * BELIEF + 2))
        return -ENOMEM;
    size_t block;
    struct swale__incoming *incoming =
        swale__loop_block(conn->group->loop, block_size(room_for(expected, announced)), &block);
    if (!incoming)
        return -ENOMEM;
    *incoming = (struct swale__incoming){ .capacity = block - sizeof *incoming, .kind = kind };
    conn->busy->incoming = incoming;
    return 0;
}

/* Makes room for `size` more bytes. */
static int reserve(struct swale_conn *conn, size_t size, uint64_t announced)
{
    struct swale__incoming *incoming = conn->busy->incoming;
    if (size > SIZE_MAX / (2 * BELIEF + 2) - incoming->size)
        return -ENOMEM;
    size_t needed = incoming->size + size;
    if (needed <= incoming->capacity)
        return 0;
    size_t capacity = room_for(needed, announced);
    if (capacity < 2 * incoming->capacity) /* fragments announce little, and are many */
        capacity = 2 * incoming->capacity;
    size_t block = block_size(incoming->capacity);
    incoming =
        swale__loop_block_grow(conn->group->loop, incoming, block_size(incoming->size), block_size(capacity), &block);
    if (!incoming)
        return -ENOMEM;
    incoming->capacity = block - sizeof *incoming;
    conn->busy->incoming = incoming;
    return 0;
}

int swale__incoming_add(struct swale_conn *conn, struct swale_span data, uint64_t announced)
{
    int error = reserve(conn, data.size, announced);
    if (error < 0)
        return error;
    if (data.size > 0)
        memcpy(conn->busy->incoming->data + conn->busy->incoming->size, data.data, data.size);
    conn->busy->incoming->size += data.size;
    return 0;
}

void swale__incoming_end(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    struct swale__incoming *incoming = conn->busy->incoming;
    conn->busy->incoming = NULL;
    if (incoming->leased)
        swale__group_return(group, incoming->inflater);
    swale__blob_free(group->allocator, incoming->pending);
    swale__loop_block_free(group->loop, incoming, block_size(incoming->capacity));
}

/* ---- Messages that are not compressed --------------------------------------------------------------- */

static void deliver_assembled(struct swale_conn *conn)
{
    struct swale__incoming *incoming = conn->busy->incoming;
    swale__deliver_message(conn, incoming->kind, swale_span(incoming->data, incoming->size), false);
    swale__incoming_end(conn);
}

char *swale__incoming_place(struct swale_conn *conn, size_t size)
{
    const struct swale_engine *engine = &conn->busy->engine;
    bool inside = swale__engine_has(engine, SWALE__IN_FRAME) && !swale__engine_has(engine, SWALE__COMPRESSED);
    if (!inside || size == 0 || !swale__conn_assembles(conn) || !swale__conn_delivers(conn))
        return NULL;
    if (size > engine->frame_left)
        size = (size_t)engine->frame_left;
    uint64_t behind = engine->frame_left - size;
    if (!conn->busy->incoming) {
        bool whole = behind == 0 && swale__engine_has(engine, SWALE__FINAL);
        if (whole || swale__incoming_begin(conn, (enum swale_kind)engine->opcode, size, behind) < 0)
            return NULL;
    }
    return reserve(conn, size, behind) < 0 ? NULL : conn->busy->incoming->data + conn->busy->incoming->size;
}

/* Adds a part to the message under way, and makes it one if this is the first. It may be in its place already. */
static int assemble(struct swale_conn *conn, const struct swale_event *event)
{
    struct swale__incoming *incoming = conn->busy->incoming;
    if (incoming && event->payload.data == incoming->data + incoming->size) {
        incoming->size += event->payload.size;
        return 0;
    }
    if (!incoming) {
        int error = swale__incoming_begin(conn, event->kind, event->payload.size, event->frame_left);
        if (error < 0)
            return error;
    }
    return swale__incoming_add(conn, event->payload, event->frame_left);
}

void swale__receive_plain(struct swale_conn *conn, const struct swale_event *event)
{
    if (!swale__conn_assembles(conn)) {
        struct swale_part part = {
            .data = event->payload, .kind = event->kind, .first = event->first, .last = event->last
        };
        swale__deliver_part(conn, &part);
    } else if (event->first && event->last) {
        swale__deliver_message(conn, event->kind, event->payload, false);
    } else if (assemble(conn, event) < 0) {
        swale__conn_break(conn, SWALE_ERR_NO_MEMORY);
    } else if (event->last) {
        deliver_assembled(conn);
    }
}
