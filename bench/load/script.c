#include "script.h"

#include "load.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <swale/proto.h>
#include <zlib.h>

/* Of compressed messages there are 64 KiB and more, twice a window: a server that keeps its window finds what JSON
 * has in common, but not the message itself. */
enum { ROUND_MIN = 64 * 1024, COMPARE_ROOM = 64 * 1024 };

struct script script;

static void *need(void *memory)
{
    if (!memory)
        refuse("out of memory");
    return memory;
}

/* ---- Payloads --------------------------------------------------------------------------------------- */

/* Marsaglia's xorshift: the same in every run. */
static uint64_t random_next(void)
{
    static uint64_t state = 0x2545f4914f6cdd1d;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill_letters(char *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (char)('a' + i % 26);
}

/* Characters of three bytes; ASCII where one more does not fit. */
static void fill_cjk(char *out, size_t size)
{
    size_t at = 0;
    for (unsigned n = 0; at + 3 <= size; at += 3, n++) {
        unsigned character = 0x4e00 + n * 7 % 20000;
        out[at] = (char)(0xe0 | character >> 12);
        out[at + 1] = (char)(0x80 | (character >> 6 & 0x3f));
        out[at + 2] = (char)(0x80 | (character & 0x3f));
    }
    fill_letters(out + at, size - at);
}

static void fill_json(char *out, size_t size)
{
    static const char *const words[] = { "amber", "basalt", "cedar", "delta", "ember", "fjord", "gravel", "harbour" };
    for (size_t at = 0; at < size;) {
        char record[160];
        uint64_t r = random_next();
        int length =
            snprintf(record, sizeof record,
                     "{\"id\":%u,\"name\":\"%s\",\"price\":%u.%02u,\"stock\":%u,\"tags\":[\"%s\",\"%s\"]},",
                     (unsigned)(r & 0xfffff), words[r >> 20 & 7], (unsigned)(r >> 23 & 0x3ff),
                     (unsigned)(r >> 33) % 100, (unsigned)(r >> 40 & 0xff), words[r >> 48 & 7], words[r >> 51 & 7]);
        size_t part = (size_t)length < size - at ? (size_t)length : size - at;
        memcpy(out + at, record, part);
        at += part;
    }
}

static void fill(char *out, size_t size)
{
    switch (plan.payload) {
    case LOAD_BINARY:
    case LOAD_ASCII:
        fill_letters(out, size);
        break;
    case LOAD_CJK:
        fill_cjk(out, size);
        break;
    case LOAD_JSON:
        fill_json(out, size);
        break;
    }
}

/* ---- Frames ----------------------------------------------------------------------------------------- */

static enum swale_kind kind(void)
{
    return plan.payload == LOAD_BINARY ? SWALE_BINARY : SWALE_TEXT;
}

/* RFC 7692, section 7.2.1: without the empty block at the end, and without a look at earlier messages, which is
 * always allowed. Returns memory of its own. */
static char *compress_payload(const char *payload, size_t *size)
{
    z_stream stream = { 0 };
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        refuse("zlib");
    size_t room = deflateBound(&stream, plan.size) + 16;
    char *out = need(malloc(room));
    stream.next_in = (Bytef *)payload;
    stream.avail_in = (uInt)plan.size;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    if (deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_in > 0)
        refuse("zlib");
    *size = stream.total_out - 4;
    deflateEnd(&stream);
    return out;
}

/* Appends the masked frame of a message. */
static void add_request(struct message *message)
{
    static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
    size_t size = plan.size;
    char *packed = plan.deflate != LOAD_PLAIN ? compress_payload(message->payload, &size) : NULL;
    char header[SWALE_HEADER_MAX];
    size_t header_size = (size_t)swale_frame_header(kind(), packed != NULL, size, header);
    header[1] |= (char)0x80;
    message->at = script.room;
    message->size = header_size + sizeof key + size;
    script.room += message->size;
    script.requests = need(realloc(script.requests, script.room));
    char *out = script.requests + message->at;
    memcpy(out, header, header_size);
    memcpy(out + header_size, key, sizeof key);
    swale_mask_copy(out + header_size + sizeof key, packed ? packed : message->payload, size, key, 0);
    free(packed);
}

static void make_answer(struct message *message)
{
    char header[SWALE_HEADER_MAX];
    size_t header_size = (size_t)swale_frame_header(kind(), false, plan.size, header);
    message->answer_size = header_size + plan.size;
    message->answer = need(malloc(message->answer_size));
    memcpy(message->answer, header, header_size);
    memcpy(message->answer + header_size, message->payload, plan.size);
}

/* The round once more, until all that one connection has in flight lies in one piece, wherever in the round it
 * begins. */
static void repeat_round(void)
{
    script.round_size = script.room;
    size_t flights = (size_t)plan.depth + 1, copies = 1 + (flights + script.count - 1) / script.count;
    script.room = script.round_size * copies;
    script.requests = need(realloc(script.requests, script.room));
    for (size_t n = 1; n < copies; n++)
        memcpy(script.requests + n * script.round_size, script.requests, script.round_size);
}

static void repeat_answer(const struct message *only)
{
    size_t copies = 1 + COMPARE_ROOM / only->answer_size;
    script.answers_room = only->answer_size * copies;
    script.answers = need(malloc(script.answers_room));
    for (size_t n = 0; n < copies; n++)
        memcpy(script.answers + n * only->answer_size, only->answer, only->answer_size);
}

void script_make(void)
{
    script.count = plan.deflate == LOAD_PLAIN ? 1 : 1 + ROUND_MIN / plan.size;
    script.messages = need(calloc(script.count, sizeof *script.messages));
    for (size_t n = 0; n < script.count; n++) {
        struct message *message = &script.messages[n];
        message->payload = need(malloc(plan.size));
        fill(message->payload, plan.size);
        add_request(message);
        if (plan.deflate == LOAD_PLAIN)
            make_answer(message);
    }
    repeat_round();
    if (plan.deflate == LOAD_PLAIN)
        repeat_answer(&script.messages[0]);
}
