/* body.c - bodies out of their framing.
 *
 * Input: one byte of framing, then what follows the head. Read whole, byte by byte and in pieces it must give the
 * same payload, the same end and leave the same bytes unread; a length is kept to the byte; and what is not payload
 * is bounded. */
#include "fuzz.h"

#include "proto/body.h"

struct outcome {
    int state;
    size_t used;
    char *payload;
    size_t size;
};

static void init(struct swale__body *body, unsigned framing, size_t length)
{
    struct swale_body_framing how = { .chunked = framing == 0, .has_length = framing == 1, .length = length };
    swale__body_init(body, how, framing == 2);
}

/* Reads data[0..size) as one piece of what comes. */
static void read_piece(struct swale__body *body, const char *data, size_t size, struct outcome *outcome)
{
    size_t at = 0;
    do {
        size_t used;
        struct swale_span payload;
        outcome->state = swale__body_read(body, swale_span(data + at, size - at), &used, &payload);
        require(used <= size - at && payload.size <= used);
        require(payload.size == 0 || (payload.data >= data + at && payload.data + payload.size <= data + at + used));
        require(outcome->state != 0 || used > 0 || at == size);
        memcpy(outcome->payload + outcome->size, payload.data, payload.size);
        outcome->size += payload.size;
        at += used;
    } while (outcome->state == 0 && at < size);
    outcome->used += at;
}

static struct outcome read_in_steps(unsigned framing, size_t length, const char *data, size_t size, size_t step)
{
    struct outcome outcome = { .payload = malloc(size + 1) };
    struct swale__body body;
    require(outcome.payload != NULL);
    init(&body, framing, length);
    read_piece(&body, data, 0, &outcome);
    for (size_t at = 0; at < size && outcome.state == 0; at += step) {
        /* A block of its own, so that reading past it is seen. */
        size_t part = size - at < step ? size - at : step;
        char *piece = malloc(part);
        require(piece != NULL);
        memcpy(piece, data + at, part);
        read_piece(&body, piece, part, &outcome);
        free(piece);
    }
    require(body.extra <= SWALE__BODY_EXTRA_MAX);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned framing = data[0] % 4;
    size_t length = data[0] / 4;
    const char *text = (const char *)data + 1;
    size--;
    struct outcome whole = read_in_steps(framing, length, text, size, size + 1);
    for (size_t step = 1; step < 8; step += 3) {
        struct outcome cut = read_in_steps(framing, length, text, size, step);
        require(cut.state == whole.state && cut.used == whole.used && cut.size == whole.size);
        require(memcmp(cut.payload, whole.payload, cut.size) == 0);
        free(cut.payload);
    }
    if (framing == 1)
        require(whole.size == (size < length ? size : length) && whole.state == (size >= length));
    if (framing == 2)
        require(whole.size == size && whole.state == 0);
    if (framing == 3)
        require(whole.size == 0 && whole.state == 1);
    free(whole.payload);
    return 0;
}
