#include "app/connect/framing.h"

#include <string.h>

static char terminator(enum framing framing)
{
    return framing == FRAMING_NULL ? '\0' : '\n';
}

static size_t read_length(const char *data)
{
    const unsigned char *bytes = (const unsigned char *)data;
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

static size_t take_length(struct swale_span bytes, struct swale_span *message)
{
    if (bytes.size < FRAMING_LENGTH_SIZE)
        return 0;
    size_t size = read_length(bytes.data);
    if (bytes.size - FRAMING_LENGTH_SIZE < size)
        return 0;
    *message = swale_span(bytes.data + FRAMING_LENGTH_SIZE, size);
    return FRAMING_LENGTH_SIZE + size;
}

size_t framing_take(enum framing framing, struct swale_span bytes, size_t *scanned, struct swale_span *message)
{
    if (framing == FRAMING_LENGTH)
        return take_length(bytes, message);
    if (bytes.size == *scanned)
        return 0;
    const char *end = memchr(bytes.data + *scanned, terminator(framing), bytes.size - *scanned);
    *scanned = end ? 0 : bytes.size;
    if (!end)
        return 0;
    *message = swale_span(bytes.data, (size_t)(end - bytes.data));
    return message->size + 1;
}

int framing_last(enum framing framing, struct swale_span bytes, struct swale_span *message)
{
    if (bytes.size == 0)
        return 0;
    *message = bytes;
    return framing == FRAMING_LENGTH ? -1 : 1;
}

bool framing_put(enum framing framing, struct swale_span message, struct buffer *out)
{
    if (framing != FRAMING_LENGTH) {
        char end = terminator(framing);
        buffer_put(out, message);
        buffer_put(out, swale_span(&end, 1));
        return true;
    }
    if (message.size > UINT32_MAX)
        return false;
    unsigned char size[FRAMING_LENGTH_SIZE] = { (unsigned char)(message.size >> 24),
                                                (unsigned char)(message.size >> 16),
                                                (unsigned char)(message.size >> 8), (unsigned char)message.size };
    buffer_put(out, swale_span(size, sizeof size));
    buffer_put(out, message);
    return true;
}
