/* body.c - bodies out of their framing.
 *
 * Input: one byte of framing, then what follows the head. Read whole, byte by byte and in pieces it must give the
 * same payload, the same end and leave the same bytes unread; a length is kept to the byte; what is not payload is
 * bounded; and chunks give what a model reads, with all of the text at hand. */
#include "fuzz.h"

#include <ctype.h>

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

/* ---- Chunks, as RFC 9112 section 7.1 writes them down ---------------------------------------------------- */

struct model {
    const unsigned char *text;
    size_t size, at, extra;
    char *payload;
    size_t payload_size;
};

/* 1 and past it when the text has this character next; 0 at its end, -1 when there is another. */
static int take(struct model *model, char c)
{
    if (model->at == model->size)
        return 0;
    return model->text[model->at++] == (unsigned char)c ? 1 : -1;
}

static int take_line_end(struct model *model)
{
    int cr = take(model, '\r');
    return cr == 1 ? take(model, '\n') : cr;
}

/* What nobody reads, and the end of its line. */
static int take_rest(struct model *model)
{
    for (; model->at < model->size && model->text[model->at] != '\r'; model->at++) {
        unsigned char c = model->text[model->at];
        if ((c < 0x20 && c != '\t') || c == 0x7f || ++model->extra > SWALE__BODY_EXTRA_MAX)
            return -1;
    }
    return take_line_end(model);
}

static int take_size(struct model *model, uint64_t *length)
{
    char digits[18] = "";
    size_t count = 0;
    for (; model->at < model->size && isxdigit(model->text[model->at]); model->at++) {
        if (count == 16)
            return -1;
        digits[count++] = (char)model->text[model->at];
    }
    *length = strtoull(digits, NULL, 16);
    if (model->at == model->size)
        return 0;
    unsigned char c = model->text[model->at];
    if (count == 0)
        return -1;
    if (c != ';' && c != ' ' && c != '\t')
        return take_line_end(model);
    model->at++;
    return take_rest(model);
}

static int take_trailers(struct model *model)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    while (model->at < model->size && model->text[model->at] != '\r') {
        unsigned char c = model->text[model->at];
        int line = c != 0 && c < 128 && (isalnum(c) || strchr(others, c)) ? take_rest(model) : -1;
        if (line != 1)
            return line;
    }
    return take_line_end(model);
}

static int read_chunks(struct model *model)
{
    uint64_t length;
    int result = take_size(model, &length);
    while (result == 1 && length > 0) {
        size_t left = model->size - model->at, run = length < left ? (size_t)length : left;
        memcpy(model->payload + model->payload_size, model->text + model->at, run);
        model->payload_size += run;
        model->at += run;
        result = run < length ? 0 : take_line_end(model);
        if (result == 1)
            result = take_size(model, &length);
    }
    return result == 1 ? take_trailers(model) : result;
}

static void require_model(const struct outcome *outcome, const char *text, size_t size)
{
    struct model model = { .text = (const unsigned char *)text, .size = size, .payload = malloc(size + 1) };
    require(model.payload != NULL);
    int result = read_chunks(&model);
    require(outcome->state == (result < 0 ? SWALE_ERR_ANSWER_BODY : result));
    require(outcome->size == model.payload_size && memcmp(outcome->payload, model.payload, outcome->size) == 0);
    require(result <= 0 || outcome->used == model.at);
    free(model.payload);
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
    if (framing == 0)
        require_model(&whole, text, size);
    if (framing == 1)
        require(whole.size == (size < length ? size : length) && whole.state == (size >= length));
    if (framing == 2)
        require(whole.size == size && whole.state == 0);
    if (framing == 3)
        require(whole.size == 0 && whole.state == 1);
    free(whole.payload);
    return 0;
}
