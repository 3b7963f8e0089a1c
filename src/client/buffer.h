/* buffer.h - bytes that grow. Zero it; it may be moved. */
#ifndef SWALE_CLIENT_BUFFER_H
#define SWALE_CLIENT_BUFFER_H

#include <swale/base.h>

struct swale__buffer {
    char *data; /* NULL when there was never anything in it */
    size_t size;
    size_t room;
};

/* Makes room for `more` bytes behind those that are there. -ENOMEM, and nothing has changed. */
int swale__buffer_reserve(struct swale__buffer *buffer, const struct swale_allocator *allocator, size_t more);

/* Puts bytes, which do not lie in the buffer, behind those that are there. -ENOMEM, and nothing has changed. */
int swale__buffer_put(struct swale__buffer *buffer, const struct swale_allocator *allocator, struct swale_span bytes);

/* Gives the memory back; the buffer is empty then. */
void swale__buffer_free(struct swale__buffer *buffer, const struct swale_allocator *allocator);

static inline struct swale_span swale__buffer_span(const struct swale__buffer *buffer)
{
    return swale_span(buffer->data, buffer->size);
}

#endif
