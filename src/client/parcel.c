/* Messages on their way between threads. */
#include "client/parcel.h"

#include "base/memory.h"

struct swale__parcel *swale__parcel_new(const struct swale_allocator *allocator, enum swale_kind kind,
                                        const void *data, size_t size)
{
    if (size >= SIZE_MAX - sizeof(struct swale__parcel))
        return NULL;
    struct swale__parcel *parcel = swale__alloc(allocator, sizeof *parcel + size + 1);
    if (!parcel)
        return NULL;
    char *bytes = (char *)(parcel + 1);
    if (size > 0)
        memcpy(bytes, data, size);
    bytes[size] = '\0';
    *parcel = (struct swale__parcel){ .allocator = allocator, .message = { kind, size, bytes } };
    return parcel;
}

size_t swale__parcel_size(const struct swale__parcel *parcel)
{
    return sizeof *parcel + parcel->message.size + 1;
}

void swale__parcel_free(struct swale__parcel *parcel)
{
    swale__free(parcel->allocator, parcel, swale__parcel_size(parcel));
}

void swale_blocking_message_free(struct swale_blocking_message *message)
{
    if (message)
        swale__parcel_free(
            (struct swale__parcel *)(void *)((char *)message - offsetof(struct swale__parcel, message)));
}

void swale__parcels_init(struct swale__parcels *queue)
{
    *queue = (struct swale__parcels){ .end = &queue->first };
}

void swale__parcels_put(struct swale__parcels *queue, struct swale__parcel *parcel)
{
    parcel->next = NULL;
    *queue->end = parcel;
    queue->end = &parcel->next;
    queue->size += swale__parcel_size(parcel);
}

struct swale__parcel *swale__parcels_take(struct swale__parcels *queue)
{
    struct swale__parcel *parcel = queue->first;
    queue->size -= swale__parcel_size(parcel);
    queue->first = parcel->next;
    if (!queue->first)
        queue->end = &queue->first;
    return parcel;
}

void swale__parcels_move(struct swale__parcels *to, struct swale__parcels *from)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    to->size += from->size;
    swale__parcels_init(from);
}

void swale__parcels_clear(struct swale__parcels *queue)
{
    while (queue->first)
        swale__parcel_free(swale__parcels_take(queue));
}
