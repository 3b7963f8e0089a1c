/* inflate.c - the codecs of permessage-deflate.
 *
 * Input: four bytes of options, then bytes that are taken in up to three ways. As a compressed message, as they are,
 * or as a script that assembles one of blocks and streams, good and bad (the fuzzer sees nothing of zlib's inside,
 * and would be long in finding these): in steps of any size the inflater must come to the same, within the room it
 * was given, and whole it must come to what it came to in steps. As messages to be sent: deflated by any deflater, in
 * any steps, they must be inflated to what they were. */
#include "fuzz.h"

#include <swale/proto.h>
#include <zlib.h>

enum { LIMIT = 1 << 16 }; /* of what one message may inflate to, as a server has one */

struct result {
    int error;
    size_t size; /* LIMIT: there was more */
    char data[LIMIT];
};

static struct swale_span copy(const void *data, size_t size)
{
    char *block = malloc(size + (size == 0));
    require(block != NULL);
    if (size > 0)
        memcpy(block, data, size);
    return swale_span(block, size);
}

/* Inflates a message, `piece` bytes at a time, into blocks of `capacity`. */
static void inflate_steps(struct swale_inflater *inflater, struct swale_span message, size_t piece, size_t capacity,
                          struct result *result)
{
    char *out = malloc(capacity);
    require(out != NULL);
    ptrdiff_t made = 0;
    bool more = true;
    result->size = 0;
    while (more) {
        size_t size = message.size < piece ? message.size : piece;
        struct swale_span block = copy(message.data, size);
        struct swale_span in = block;
        do {
            made = swale_inflater_step(inflater, &in, size == message.size, out, capacity);
            require(made <= (ptrdiff_t)capacity && in.size <= size);
            size_t room = LIMIT - result->size;
            size_t kept = made < 0 ? 0 : (size_t)made < room ? (size_t)made : room;
            memcpy(result->data + result->size, out, kept);
            result->size += kept;
        } while (made >= 0 && result->size < LIMIT && (in.size > 0 || (size_t)made == capacity));
        free((void *)(uintptr_t)block.data);
        message = swale_span(message.data + size, message.size - size);
        more = made >= 0 && result->size < LIMIT && message.size > 0;
    }
    result->error = made < 0 ? (int)made : 0;
    if (made < 0 || result->size == LIMIT)
        swale_inflater_reset(inflater);
    free(out);
}

static void require_same(const struct result *a, const struct result *b)
{
    /* Beyond the limit there may or may not be a fault to come. */
    if (a->size < LIMIT || b->size < LIMIT)
        require(a->error == b->error);
    if (a->error == 0)
        require(a->size == b->size && memcmp(a->data, b->data, a->size) == 0);
}

/* The final block ended: another stream may follow, in the same window. */
static void next_stream(z_stream *stream)
{
    unsigned char window[32768];
    unsigned size = 0;
    require(inflateGetDictionary(stream, window, &size) == Z_OK);
    require(inflateReset(stream) == Z_OK && inflateSetDictionary(stream, window, size) == Z_OK);
}

/* What RFC 7692 section 7.2.2 says, as literally as zlib allows, with the whole message in one buffer and the tail
 * behind it; and what inflater.c says that it bears beyond that. */
static void inflate_literally(struct swale_span message, struct result *result)
{
    char *in = malloc(message.size + 4);
    z_stream stream = { 0 };
    require(in && inflateInit2(&stream, -15) == Z_OK);
    if (message.size > 0)
        memcpy(in, message.data, message.size);
    memcpy(in + message.size, "\x00\x00\xff\xff", 4);
    stream.next_in = (unsigned char *)in;
    stream.avail_in = (unsigned)message.size + 4;
    stream.next_out = (unsigned char *)result->data;
    stream.avail_out = LIMIT;
    int state = Z_OK;
    bool good = message.size == 0;
    while (!good && state == Z_OK && stream.avail_out > 0) {
        state = inflate(&stream, Z_BLOCK);
        if (state == Z_STREAM_END && stream.avail_in >= 4) {
            good = stream.avail_in == 4;
            state = Z_OK;
            next_stream(&stream);
        } else if (state == Z_OK && stream.avail_in == 0) {
            good = (stream.data_type & (128 | 64 | 63)) == 128;
        }
    }
    result->size = LIMIT - stream.avail_out;
    result->error = good || stream.avail_out == 0 ? 0 : SWALE_ERR_DEFLATE_DATA;
    inflateEnd(&stream);
    free(in);
}

static void try_inflating(const uint8_t *options, struct swale_span message)
{
    static struct result results[3], literal;
    struct swale_inflater *inflater;
    require(swale_inflater_new(&inflater, NULL, 15, false) == 0);
    inflate_steps(inflater, message, message.size + 1, LIMIT + 1, &results[0]);
    inflate_steps(inflater, message, 1, options[1] % 8 + 1u, &results[1]);
    inflate_steps(inflater, message, options[2] + 1u, options[3] * 16 + 1u, &results[2]);
    require_same(&results[0], &results[1]);
    require_same(&results[0], &results[2]);
    inflate_literally(message, &literal);
    require_same(&results[0], &literal);

    /* Whole: never less strict in what it writes, and the same wherever steps succeed. */
    char *out = malloc(LIMIT);
    require(out != NULL);
    struct swale_span block = copy(message.data, message.size);
    ptrdiff_t size = swale_inflater_whole(inflater, block, out, LIMIT);
    require(size <= LIMIT);
    if (results[0].error == 0 && results[0].size < LIMIT)
        require(size == (ptrdiff_t)results[0].size && memcmp(out, results[0].data, results[0].size) == 0);
    free((void *)(uintptr_t)block.data);
    free(out);
    swale_inflater_free(inflater);
}

/* ---- Messages made by a script ---- */

struct message {
    char data[8192];
    size_t size;
};

static void add(struct message *message, const void *data, size_t size)
{
    if (size <= sizeof message->data - message->size) {
        memcpy(message->data + message->size, data, size);
        message->size += size;
    }
}

static void add_deflated(struct message *message, struct swale_span text, int flush, int strategy)
{
    unsigned char out[1024];
    z_stream stream = { 0 };
    require(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, strategy) == Z_OK);
    stream.next_in = (unsigned char *)(uintptr_t)text.data;
    stream.avail_in = (unsigned)text.size;
    stream.next_out = out;
    stream.avail_out = sizeof out;
    deflate(&stream, flush);
    require(stream.avail_out > 0);
    add(message, out, sizeof out - stream.avail_out);
    deflateEnd(&stream);
}

/* Each step of the script is one byte, and perhaps text behind it. */
static void assemble(struct swale_span script, struct message *message)
{
    for (size_t i = 0; i < script.size; i++) {
        unsigned step = (unsigned char)script.data[i];
        size_t left = script.size - i - 1;
        struct swale_span text = swale_span(script.data + i + 1, step / 8 < left ? step / 8 : left);
        char stored[5] = { (char)(step & 64), (char)text.size, 0, (char)~text.size, (char)0xff };
        switch (step % 8) {
        case 0:
            add_deflated(message, text, Z_SYNC_FLUSH, Z_DEFAULT_STRATEGY);
            break;
        case 1:
            add_deflated(message, text, Z_FINISH, Z_FIXED);
            break;
        case 2:
            add_deflated(message, text, Z_FINISH, Z_HUFFMAN_ONLY);
            break;
        case 3: /* a stored block; its type, at times, is not that */
            add(message, stored, sizeof stored);
            add(message, text.data, text.size);
            break;
        case 4: /* a repetition of what came before, however far back */
            add(message, "\x02\x81", 1 + step / 128);
            add(message, text.data, text.size);
            break;
        case 5:
            message->size -= step / 8 < message->size ? step / 8 : message->size;
            continue;
        case 6:
            add(message, "\x03\x00", 2);
            continue;
        default:
            add(message, "\x00\x00\x00\xff\xff", step < 128 ? 5 : 1);
            continue;
        }
        i += text.size;
    }
}

/* ---- Messages made by our deflater ---- */

/* Deflates a message in steps. Returns its size. */
static size_t deflate_steps(struct swale_deflater *deflater, struct swale_span in, size_t capacity, char *out,
                            size_t room)
{
    size_t size = 0;
    ptrdiff_t made;
    do {
        require(capacity <= room - size);
        made = swale_deflater_step(deflater, &in, true, out + size, capacity);
        require(made >= 0 && made <= (ptrdiff_t)capacity);
        size += (size_t)made;
    } while (in.size > 0 || (size_t)made == capacity);
    return size;
}

/* The message again and again, each time behind another byte. */
static struct swale_span multiply(struct swale_span message, size_t size)
{
    char *block = malloc(size);
    require(block != NULL);
    for (size_t i = 0; i < size; i++) {
        size_t at = i % (message.size + 1);
        block[i] = at == 0 ? (char)(i / (message.size + 1) * 37 % 251) : (char)message.data[at - 1];
    }
    return swale_span(block, size);
}

/* Whole, and back in steps, which keep to the window. */
static void try_whole(struct swale_deflater *deflater, struct swale_inflater *inflater, struct swale_span message,
                      size_t capacity)
{
    static struct result back;
    size_t bound = swale_deflater_bound(message.size);
    char *packed = malloc(bound);
    require(packed != NULL);
    ptrdiff_t size = swale_deflater_whole(deflater, message, packed, bound);
    require(size > 0 && size <= (ptrdiff_t)bound);
    inflate_steps(inflater, swale_span(packed, (size_t)size), bound, capacity, &back);
    require(back.error == 0 && back.size == message.size && memcmp(back.data, message.data, message.size) == 0);
    free(packed);
}

static void try_round_trip(const uint8_t *options, struct swale_span message)
{
    static struct result back;
    int bits = 9 + options[0] % 7;
    bool takeover = options[0] & 8;
    size_t capacity = options[1] + 1u;
    size_t room = swale_deflater_bound(message.size) + capacity;
    char *packed = malloc(room);
    struct swale_deflater *deflater;
    struct swale_inflater *inflater;
    require(packed && swale_deflater_new(&deflater, NULL, bits, takeover, options[2] % 10) == 0);
    require(swale_inflater_new(&inflater, NULL, bits, takeover) == 0);
    for (int i = 0; i < 3; i++) {
        /* The message, its first half, the message: a context has something to look back to. */
        struct swale_span part = swale_span(message.data, i == 1 ? message.size / 2 : message.size);
        size_t size = deflate_steps(deflater, part, capacity, packed, room);
        require(size > 0 && size <= swale_deflater_bound(part.size));
        inflate_steps(inflater, swale_span(packed, size), options[3] + 1u, capacity, &back);
        require(back.error == 0 && back.size == part.size && memcmp(back.data, part.data, part.size) == 0);
    }
    if (!takeover) {
        ptrdiff_t size = swale_deflater_whole(deflater, message, packed, swale_deflater_bound(message.size));
        require(size > 0);
        require(swale_inflater_whole(inflater, swale_span(packed, (size_t)size), back.data, LIMIT) ==
                (ptrdiff_t)message.size);
        require(memcmp(back.data, message.data, message.size) == 0);
        struct swale_span large = multiply(message, 2000u + options[3] * 240u); /* up to two windows */
        try_whole(deflater, inflater, message, capacity);
        try_whole(deflater, inflater, large, capacity);
        free((void *)(uintptr_t)large.data);
    }
    free(packed);
    swale_deflater_free(deflater);
    swale_inflater_free(inflater);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size >= LIMIT)
        return 0;
    struct swale_span message = copy(data + 4, size - 4);
    static struct message assembled;
    assembled.size = 0;
    assemble(message, &assembled);
    try_inflating(data, message);
    try_inflating(data, swale_span(assembled.data, assembled.size));
    if (data[0] & 16)
        try_round_trip(data, message);
    free((void *)(uintptr_t)message.data);
    return 0;
}
