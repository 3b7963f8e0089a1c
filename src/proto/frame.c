/* frame.c - frame headers there and back, without a connection's state. */
#include "proto/frame.h"

#include <assert.h>

static void put_big_endian(char *out, uint64_t value, int size)
{
    for (int i = size - 1; i >= 0; i--, value >>= 8)
        out[i] = (char)value;
}

static uint64_t get_big_endian(const char *in, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

int swale__frame_put(char *header, int byte0, int mask, uint64_t size)
{
    assert(size <= SWALE__LENGTH_MAX);
    header[0] = (char)byte0;
    if (size < SWALE__LENGTH_16) {
        header[1] = (char)(mask | (int)size);
        return 2;
    }
    if (size <= UINT16_MAX) {
        header[1] = (char)(mask | SWALE__LENGTH_16);
        put_big_endian(header + 2, size, 2);
        return 4;
    }
    header[1] = (char)(mask | SWALE__LENGTH_64);
    put_big_endian(header + 2, size, 8);
    return 10;
}

int swale__frame_length(const char *data, size_t size, uint64_t *length)
{
    int tag = data[1] & SWALE__LENGTH;
    if (tag < SWALE__LENGTH_16) {
        *length = (uint64_t)tag;
        return 2;
    }
    int extra = tag == SWALE__LENGTH_16 ? 2 : 8;
    if (size < 2 + (size_t)extra)
        return 0;
    *length = get_big_endian(data + 2, extra);
    /* RFC 6455 section 5.2: the minimal number of bytes MUST be used, and the highest bit MUST be 0. */
    uint64_t smallest = extra == 2 ? SWALE__LENGTH_16 : (uint64_t)UINT16_MAX + 1;
    return *length < smallest || *length > SWALE__LENGTH_MAX ? SWALE_ERR_FRAME_LENGTH : 2 + extra;
}

size_t swale__frame_lead(const char *data, size_t size)
{
    if (size < 2)
        return 2;
    int tag = data[1] & SWALE__LENGTH;
    size_t header = 2 + (tag == SWALE__LENGTH_16 ? 2 : tag == SWALE__LENGTH_64 ? 8 : 0);
    if (data[1] & SWALE__MASK)
        header += 4;
    bool control = data[0] & SWALE__CONTROL;
    return control && tag <= SWALE__CONTROL_PAYLOAD ? header + (size_t)tag : header;
}

int swale__frame_control(const struct swale_engine *engine, int opcode, struct swale_span payload,
                         char frame[SWALE_CONTROL_MAX])
{
    assert(payload.size <= SWALE__CONTROL_PAYLOAD);
    const struct swale_engine_config *config = engine->config;
    bool client = config->role == SWALE_CLIENT;
    int length = swale__frame_put(frame, SWALE__FIN | opcode, client ? SWALE__MASK : 0, payload.size);
    if (client) {
        unsigned char key[4];
        config->random(config->random_context, key, sizeof key);
        memcpy(frame + length, key, sizeof key);
        length += (int)sizeof key;
        swale_mask_copy(frame + length, payload.data, payload.size, key, 0);
    } else if (payload.size > 0) {
        memcpy(frame + length, payload.data, payload.size);
    }
    return length + (int)payload.size;
}

int swale_frame_header(enum swale_kind kind, bool compressed, uint64_t size, char header[SWALE_HEADER_MAX])
{
    if ((kind != SWALE_TEXT && kind != SWALE_BINARY) || size > SWALE__LENGTH_MAX)
        return SWALE_ERR_INVALID;
    return swale__frame_put(header, SWALE__FIN | (compressed ? SWALE__RSV1 : 0) | (int)kind, 0, size);
}
