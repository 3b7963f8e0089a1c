/* buffer.c - bytes that grow, by doubling. */
#include "client/buffer.h"

#include "base/memory.h"

#include <errno.h>

int swale__buffer_reserve(struct swale__buffer *buffer, const struct swale_allocator *allocator, size_t more)
{
    if (more <= buffer->room - buffer->size)
        return 0;
    if (more > SIZE_MAX / 2 - buffer->size)
        return -ENOMEM;
    size_t needed = buffer->size + more;
    size_t room = needed > 2 * buffer->room ? needed : 2 * buffer->room;
    char *data = swale__resize(allocator, buffer->data, buffer->room, room);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->room = room;
    return 0;
}

int swale__buffer_put(struct swale__buffer *buffer, const struct swale_allocator *allocator, struct swale_span bytes)
{
    if (bytes.size == 0)
        return 0;
    int error = swale__buffer_reserve(buffer, allocator, bytes.size);
    if (error)
        return error;
    memcpy(buffer->data + buffer->size, bytes.data, bytes.size);
    buffer->size += bytes.size;
    return 0;
}

void swale__buffer_free(struct swale__buffer *buffer, const struct swale_allocator *allocator)
{
    swale__free(allocator, buffer->data, buffer->room);
    *buffer = (struct swale__buffer){ 0 };
}
