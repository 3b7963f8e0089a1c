/* buffer.h - bytes that grow. When memory is out, what is put is left out and `failed` says so, from then on; so that
 * many puts need one check. */
#ifndef SWALE_APP_BUFFER_H
#define SWALE_APP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <swale/base.h>

/* Zeroed: empty. */
struct buffer {
    char *data;
    size_t size, capacity;
    bool failed;
};

void buffer_put(struct buffer *buffer, struct swale_span bytes);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for `size` bytes behind the content, to be filled and counted by the caller. NULL when memory is out. */
char *buffer_room(struct buffer *buffer, size_t size);

/* Takes away the first bytes. */
void buffer_drop(struct buffer *buffer, size_t size);

static inline struct swale_span buffer_span(const struct buffer *buffer)
{
    return swale_span(buffer->data, buffer->size);
}

/* Frees the memory; the buffer is then empty. */
void buffer_done(struct buffer *buffer);

#endif
