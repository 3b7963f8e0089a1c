#include "answers.h"

#include "load.h"
#include "script.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char differs[] = "an answer differs from its request";

/* ---- As it was sent: the same frame over and over ---------------------------------------------------- */

static size_t take_plain(struct answers *answers, const char *data, size_t size)
{
    size_t frame = script.messages[0].answer_size, done = (answers->at + size) / frame;
    while (size > 0) {
        size_t run = script.answers_room - answers->at;
        if (run > size)
            run = size;
        if (plan.path && memcmp(data, script.answers + answers->at, run) != 0)
            refuse(differs);
        data += run;
        size -= run;
        answers->at = (answers->at + run) % frame;
    }
    return done;
}

/* ---- Compressed --------------------------------------------------------------------------------------- */

static z_stream *new_inflater(void)
{
    z_stream *stream = calloc(1, sizeof *stream);
    if (!stream || inflateInit2(stream, -15) != Z_OK)
        refuse("zlib");
    return stream;
}

static void inflate_piece(z_stream *stream, const char *data, size_t size)
{
    stream->next_in = (Bytef *)data;
    stream->avail_in = (uInt)size;
    int result = inflate(stream, Z_SYNC_FLUSH);
    if ((result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) || stream->avail_in > 0)
        refuse("an answer cannot be inflated");
}

/* RFC 7692, section 7.2.2. */
static void check_inflated(struct answers *answers, const char *data, size_t size, const struct message *message)
{
    static char out[1 << 20];
    if (plan.size >= sizeof out)
        refuse("compressed messages must be smaller");
    if (!answers->inflater)
        answers->inflater = new_inflater();
    else if (plan.deflate == LOAD_SHARED)
        inflateReset(answers->inflater);
    answers->inflater->next_out = (Bytef *)out;
    answers->inflater->avail_out = sizeof out;
    inflate_piece(answers->inflater, data, size);
    inflate_piece(answers->inflater, "\0\0\xff\xff", 4);
    if (sizeof out - answers->inflater->avail_out != plan.size || memcmp(out, message->payload, plan.size) != 0)
        refuse(differs);
}

/* A frame that was right once is right again, unless what it means depends on earlier ones. */
static void remember(struct message *message, const char *frame, size_t size)
{
    if (plan.deflate == LOAD_DEDICATED)
        return;
    free(message->answer);
    message->answer = malloc(size);
    if (!message->answer)
        refuse("out of memory");
    memcpy(message->answer, frame, size);
    message->answer_size = size;
}

static void check_frame(struct answers *answers, const char *frame, size_t header, size_t size)
{
    struct message *message = &script.messages[answers->next];
    answers->next = (answers->next + 1) % script.count;
    if (message->answer_size == size && memcmp(message->answer, frame, size) == 0)
        return;
    unsigned char first = (unsigned char)frame[0];
    if ((first & 0xbf) != 0x81) /* whole, and text; RSV1 says whether it is compressed */
        refuse(differs);
    if (first & 0x40)
        check_inflated(answers, frame + header, size - header, message);
    else if (size - header != plan.size || memcmp(frame + header, message->payload, plan.size) != 0)
        refuse(differs);
    remember(message, frame, size);
}

/* RFC 6455, section 5.2. The size of the frame's header, or 0: more is needed. */
static size_t read_header(const unsigned char *data, size_t size, uint64_t *payload)
{
    if (size < 2)
        return 0;
    size_t header = data[1] < 126 ? 2 : data[1] == 126 ? 4 : 10;
    if (size < header)
        return 0;
    *payload = data[1] < 126 ? data[1] : 0;
    for (size_t n = 2; n < header; n++)
        *payload = *payload << 8 | data[n];
    return header;
}

/* Checks the whole frames there are, and returns what is left of the bytes. */
static size_t take_frames(struct answers *answers, const char *data, size_t size, size_t *done)
{
    for (;;) {
        uint64_t payload;
        size_t header = read_header((const unsigned char *)data, size, &payload);
        if (header == 0 || payload > size - header)
            return size;
        check_frame(answers, data, header, header + (size_t)payload);
        data += header + payload;
        size -= header + (size_t)payload;
        (*done)++;
    }
}

static void keep(struct answers *answers, const char *data, size_t size)
{
    if (answers->part_size + size > answers->part_room) {
        answers->part_room = 2 * (answers->part_size + size);
        answers->part = realloc(answers->part, answers->part_room);
        if (!answers->part)
            refuse("out of memory");
    }
    memcpy(answers->part + answers->part_size, data, size);
    answers->part_size += size;
}

static size_t take_compressed(struct answers *answers, const char *data, size_t size)
{
    size_t done = 0;
    if (answers->part_size == 0) {
        size_t left = take_frames(answers, data, size, &done);
        if (left > 0)
            keep(answers, data + size - left, left);
        return done;
    }
    keep(answers, data, size);
    size_t left = take_frames(answers, answers->part, answers->part_size, &done);
    memmove(answers->part, answers->part + answers->part_size - left, left);
    answers->part_size = left;
    return done;
}

size_t answers_take(struct answers *answers, const char *data, size_t size)
{
    bytes_received += size;
    return plan.deflate == LOAD_PLAIN ? take_plain(answers, data, size) : take_compressed(answers, data, size);
}
