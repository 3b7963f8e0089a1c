#include "app/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256 };

char *buffer_room(struct buffer *buffer, size_t size)
{
    if (buffer->failed || size > SIZE_MAX / 2 - buffer->size) {
        buffer->failed = true;
        return NULL;
    }
    size_t needed = buffer->size + size;
    if (needed <= buffer->capacity && buffer->data)
        return buffer->data + buffer->size;
    size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->size;
}

void buffer_put(struct buffer *buffer, struct swale_span bytes)
{
    char *room = buffer_room(buffer, bytes.size);
    if (!room || bytes.size == 0)
        return;
    memcpy(room, bytes.data, bytes.size);
    buffer->size += bytes.size;
}

void buffer_puts(struct buffer *buffer, const char *text)
{
    buffer_put(buffer, swale_text(text));
}

void buffer_putf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *room = size < 0 ? NULL : buffer_room(buffer, (size_t)size + 1);
    if (!room)
        return;
    va_start(arguments, format);
    vsnprintf(room, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

void buffer_drop(struct buffer *buffer, size_t size)
{
    if (size == 0)
        return;
    buffer->size -= size;
    memmove(buffer->data, buffer->data + size, buffer->size);
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ 0 };
}
