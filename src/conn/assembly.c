/* assembly.c - parts of messages to messages.
 *
 * A message that lies in one piece is delivered from where it lies. Otherwise it is put together in a block that
 * grows with what has arrived: an announced length is believed up to as much again, so that it alone costs no memory,
 * and copying stays linear. The block goes, or becomes a spare of the group, when the message has been delivered: an
 * idle connection owns none. */
#include "conn/state.h"

/* The first bytes of a message make so much room at least, if so much is announced. */
enum { FIRST_ROOM = 4096 };

static size_t block_size(size_t capacity)
{
    return sizeof(struct swale__incoming) + capacity;
}

/* ---- Blocks ----------------------------------------------------------------------------------------- */

static struct swale__incoming *take_spare(struct swale__conn_group *group)
{
    struct swale__incoming *incoming = group->spares;
    if (incoming) {
        group->spares = incoming->next;
        group->spare_count--;
    }
    return incoming;
}

int swale__incoming_begin(struct swale_conn *conn, enum swale_kind kind, size_t expected)
{
    struct swale__conn_group *group = conn->group;
    struct swale__incoming *incoming = take_spare(group);
    size_t capacity = incoming ? incoming->capacity : expected;
    if (!incoming && !(incoming = swale__alloc(group->allocator, block_size(capacity))))
        return -ENOMEM;
    *incoming = (struct swale__incoming){ .capacity = capacity, .kind = kind };
    conn->incoming = incoming;
    return 0;
}

/* Room for `size` more bytes, and in measure for those that are announced behind them. */
static int reserve(struct swale_conn *conn, size_t size, uint64_t announced)
{
    struct swale__incoming *incoming = conn->incoming;
    if (size > SIZE_MAX / 4 - incoming->size)
        return -ENOMEM;
    size_t needed = incoming->size + size;
    if (needed <= incoming->capacity)
        return 0;
    size_t credit = needed > FIRST_ROOM ? needed : FIRST_ROOM;
    size_t capacity = needed + (announced < credit ? (size_t)announced : credit);
    if (capacity < 2 * incoming->capacity)
        capacity = 2 * incoming->capacity;
    incoming = swale__resize(conn->group->allocator, incoming, block_size(incoming->capacity), block_size(capacity));
    if (!incoming)
        return -ENOMEM;
    incoming->capacity = capacity;
    conn->incoming = incoming;
    return 0;
}

int swale__incoming_add(struct swale_conn *conn, struct swale_span data, uint64_t announced)
{
    int error = reserve(conn, data.size, announced);
    if (error < 0)
        return error;
    if (data.size > 0)
        memcpy(conn->incoming->data + conn->incoming->size, data.data, data.size);
    conn->incoming->size += data.size;
    return 0;
}

void swale__incoming_end(struct swale_conn *conn)
{
    struct swale__conn_group *group = conn->group;
    struct swale__incoming *incoming = conn->incoming;
    conn->incoming = NULL;
    if (incoming->leased)
        swale__group_return(group, incoming->inflater);
    swale__blob_free(group->allocator, incoming->pending);
    if (incoming->capacity > SWALE__SPARE_SIZE || group->spare_count == SWALE__SPARE_COUNT) {
        swale__free(group->allocator, incoming, block_size(incoming->capacity));
        return;
    }
    incoming->next = group->spares;
    group->spares = incoming;
    group->spare_count++;
}

void swale__incoming_free_spares(struct swale__conn_group *group)
{
    struct swale__incoming *incoming;
    while ((incoming = take_spare(group)))
        swale__free(group->allocator, incoming, block_size(incoming->capacity));
}

/* ---- Messages that are not compressed --------------------------------------------------------------- */

static void deliver_assembled(struct swale_conn *conn)
{
    struct swale__incoming *incoming = conn->incoming;
    swale__deliver_message(conn, incoming->kind, swale_span(incoming->data, incoming->size), false);
    swale__incoming_end(conn);
}

/* Adds a part to the message under way, and makes it one if this is the first. */
static int assemble(struct swale_conn *conn, const struct swale_event *event)
{
    if (event->first) {
        int error = swale__incoming_begin(conn, event->kind, event->payload.size);
        if (error < 0)
            return error;
    }
    return swale__incoming_add(conn, event->payload, event->frame_left);
}

void swale__receive_plain(struct swale_conn *conn, const struct swale_event *event)
{
    if (conn->handler->on_part || !conn->handler->on_message) {
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
