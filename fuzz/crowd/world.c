/* world.c - the script, and the bytes of messages. */
#include "crowd.h"

#include <stdio.h>

char crowd_payload[MAX_MESSAGE + 1];

void *crowd_copy(const void *data, size_t size)
{
    void *copy = malloc(size ? size : 1);
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void crowd_append(char **buffer, size_t *size, const void *data, size_t more)
{
    char *grown = realloc(*buffer, *size + more + 1);
    require(grown != NULL);
    if (more > 0)
        memcpy(grown + *size, data, more);
    *buffer = grown;
    *size += more;
}

unsigned crowd_take(struct world *world)
{
    return world->at < world->end ? *world->at++ : 0;
}

size_t crowd_take_size(struct world *world)
{
    static const uint16_t sizes[] = { 5, 6, 20, 125, 126, 127, 511, 512, 1100, 4095, 4096, 9000, 20000, 40000 };
    unsigned byte = crowd_take(world);
    return byte < sizeof sizes / sizeof *sizes ? sizes[byte] : 5 + (size_t)byte * byte / 2;
}

static void mark(char out[MARK], char source, uint32_t sequence)
{
    out[0] = source;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (char)(64 | (sequence >> (6 * i) & 63));
}

/* The bytes behind the mark, filled in from the back, so that the first one tells whether that was done. */
static const char *body(uint32_t sequence)
{
    static char bytes[MAX_MESSAGE + 64];
    for (unsigned i = 0; bytes[0] == 0 && i < sizeof bytes; i++)
        bytes[sizeof bytes - 1 - i] = (char)(64 | (i & 63));
    return bytes + (sequence & 63);
}

void crowd_fill(char *out, char source, uint32_t sequence, size_t from, size_t size)
{
    char whole[MARK];
    mark(whole, source, sequence);
    for (; from < MARK && size > 0; from++, size--)
        *out++ = whole[from];
    if (size > 0)
        memcpy(out, body(sequence) + from, size);
}

bool crowd_matches(const char *data, size_t size, char source, uint32_t sequence)
{
    char whole[MARK];
    mark(whole, source, sequence);
    return size >= MARK && memcmp(data, whole, MARK) == 0 &&
           memcmp(data + MARK, body(sequence) + MARK, size - MARK) == 0;
}

uint32_t crowd_sequence(const char *data)
{
    uint32_t sequence = 0;
    for (unsigned i = 0; i < 4; i++)
        sequence |= (uint32_t)(data[1 + i] & 63) << (6 * i);
    return sequence;
}
