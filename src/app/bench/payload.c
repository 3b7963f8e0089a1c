#include "app/bench/payload.h"

#include <stdio.h>

/* Marsaglia's xorshift: noise that is the same in every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill_binary(char *out, size_t size)
{
    uint64_t state = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(next_random(&state) >> 32);
}

static size_t put_record(char *out, size_t room, uint64_t *state)
{
    static const char *const words[] = { "amber", "basalt", "cedar", "delta", "ember", "fjord", "gravel", "harbour" };
    uint64_t random = next_random(state);
    char record[128];
    int length =
        snprintf(record, sizeof record, "{\"id\":%u,\"name\":\"%s\",\"value\":%u.%02u,\"tags\":[\"%s\",\"%s\"]},",
                 (unsigned)(random & 0xfffff), words[random >> 20 & 7], (unsigned)(random >> 23 & 0x3ff),
                 (unsigned)(random >> 33 & 0x3f), words[random >> 39 & 7], words[random >> 42 & 7]);
    size_t size = (size_t)length < room ? (size_t)length : room;
    memcpy(out, record, size);
    return size;
}

void payload_fill(char *out, size_t size, bool binary)
{
    uint64_t state = 0x2545f4914f6cdd1d;
    if (binary)
        fill_binary(out, size);
    else
        for (size_t at = 0; at < size;)
            at += put_record(out + at, size - at, &state);
}
