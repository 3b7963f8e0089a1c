/* receive.c - the receive machine under arbitrary bytes.
 *
 * Input: one byte of options, one of limits, two that say how to cut, then what the peer sends. The bytes are given
 * to three engines: whole, one by one, and in pieces. All must tell the same, keep the promises of swale/proto.h, and
 * tell what reference.c tells. Each piece lies in a block of exactly its size, so that AddressSanitizer sees a byte
 * too many. */
#include "reference.h"

#include <swale/proto.h>

enum { MASK = 0x5a };

/* ---- What the engine told --------------------------------------------------------------------------- */

struct log {
    char *bytes;
    size_t size, room;
    bool inside, ended;
    uint64_t message; /* its size so far */
    /* What ended it. */
    int error;
    char reply[SWALE_CONTROL_MAX];
    size_t reply_size;
};

static void log_bytes(struct log *log, const void *bytes, size_t size)
{
    require(size <= log->room - log->size);
    if (size > 0)
        memcpy(log->bytes + log->size, bytes, size);
    log->size += size;
}

static void log_part(struct log *log, const struct swale_event *event, const struct swale_engine *engine)
{
    require(event->first == !log->inside);
    if (event->first) {
        char begin[3] = { 'm', (char)event->kind, (char)event->compressed };
        log_bytes(log, begin, sizeof begin);
        log->message = 0;
    }
    log_bytes(log, event->payload.data, event->payload.size);
    log->message += event->payload.size;
    require(log->message <= engine->config->max_message);
    require(event->frame_left <= engine->config->max_message - log->message);
    if (event->last)
        log_bytes(log, "e", 1);
    log->inside = !event->last;
}

static void log_fault(struct log *log, const struct swale_event *event)
{
    log->ended = true;
    log->error = event->error;
    require(event->payload.size == 0);
    log->reply_size = event->reply_size;
    memcpy(log->reply, event->reply, event->reply_size);
}

static void log_event(struct log *log, const struct swale_event *event, const struct swale_engine *engine)
{
    static const char opcodes[] = { [SWALE_EVENT_PING] = 9, [SWALE_EVENT_PONG] = 10, [SWALE_EVENT_CLOSE] = 8 };
    require(!log->ended && event->reply_size <= SWALE_CONTROL_MAX);
    if (event->type == SWALE_EVENT_PART) {
        log_part(log, event, engine);
        return;
    }
    if (event->type == SWALE_EVENT_FAIL) {
        log_fault(log, event);
    } else {
        char begin[] = { 'c', opcodes[event->type], (char)(event->close_code >> 8), (char)event->close_code };
        log_bytes(log, begin, sizeof begin);
        log_bytes(log, event->payload.data, event->payload.size);
        log_bytes(log, event->reply, event->reply_size);
        log->ended = event->type == SWALE_EVENT_CLOSE;
        require(event->error == (log->ended ? SWALE_ERR_PEER_CLOSED : 0));
    }
    require(log->ended == (swale_engine_phase(engine) == SWALE_CLOSED));
}

/* ---- Feeding ---------------------------------------------------------------------------------------- */

struct feed {
    struct swale_engine engine;
    struct log log;
    char left[SWALE_CONTROL_MAX + SWALE_HEADER_MAX];
    size_t left_size;
};

static void feed_bytes(struct feed *feed, const uint8_t *bytes, size_t more)
{
    size_t size = feed->left_size + more, used = 0;
    char *block = malloc(size > 0 ? size : 1);
    require(block != NULL);
    memcpy(block, feed->left, feed->left_size);
    memcpy(block + feed->left_size, bytes, more);
    struct swale_event event;
    do {
        size_t taken = swale_engine_receive(&feed->engine, block + used, size - used, 0, &event);
        require(taken <= size - used);
        used += taken;
        if (event.type != SWALE_EVENT_NONE)
            log_event(&feed->log, &event, &feed->engine);
    } while (event.type != SWALE_EVENT_NONE);
    feed->left_size = size - used;
    require(feed->left_size < sizeof feed->left);
    require(!feed->log.ended || feed->left_size == 0);
    memcpy(feed->left, block + used, feed->left_size);
    free(block);
}

/* `step` 0 gives all at once; otherwise pieces of a length between 1 and it. */
static struct log log_of(const struct swale_engine *fresh, const uint8_t *bytes, size_t size, size_t step)
{
    struct feed feed = { .engine = *fresh, .log = { .room = 64 * size + 1024 } };
    feed.log.bytes = malloc(feed.log.room);
    require(feed.log.bytes != NULL);
    uint32_t random = (uint32_t)step;
    for (size_t at = 0, piece; at < size; at += piece) {
        random = random * 1664525 + 1013904223;
        piece = step > 0 ? 1 + (random >> 8) % step : size;
        if (piece > size - at)
            piece = size - at;
        feed_bytes(&feed, bytes + at, piece);
    }
    return feed.log;
}

static void predictable(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, MASK, size);
}

static struct swale_engine engine_of(struct swale_engine_config *config, uint8_t options, uint8_t limits)
{
    *config = (struct swale_engine_config){
        .role = options & 1 ? SWALE_CLIENT : SWALE_SERVER,
        .max_message = options & 2 ? limits : UINT64_MAX,
        .max_fragments = options & 4 ? limits : UINT32_MAX,
        .random = predictable,
    };
    struct swale_engine engine;
    swale_engine_init(&engine, config, 0);
    swale_engine_open(&engine, options & 8, 0);
    char frame[SWALE_CONTROL_MAX];
    if (options & 16)
        require(swale_engine_close(&engine, 1000, swale_text("bye"), 0, frame) > 0);
    return engine;
}

/* ---- Against the reference -------------------------------------------------------------------------------- */

static void require_same(const struct log *a, const struct log *b)
{
    require(swale_span_equal(swale_span(a->bytes, a->size), swale_span(b->bytes, b->size)));
    require(a->ended == b->ended && a->error == b->error);
    require(swale_span_equal(swale_span(a->reply, a->reply_size), swale_span(b->reply, b->reply_size)));
}

/* The error must be one of the faults that the reference sees in the same byte, and is told with its code (RFC 6455
 * section 7.4.1). */
static int close_code_of(int error, unsigned faults)
{
    static const struct {
        unsigned fault;
        int error, code;
    } known[] = {
        { REFERENCE_RESERVED, SWALE_ERR_FRAME_RESERVED, 1002 },
        { REFERENCE_OPCODE, SWALE_ERR_FRAME_OPCODE, 1002 },
        { REFERENCE_CONTROL, SWALE_ERR_FRAME_CONTROL, 1002 },
        { REFERENCE_SEQUENCE, SWALE_ERR_FRAME_SEQUENCE, 1002 },
        { REFERENCE_COUNT, SWALE_ERR_FRAGMENT_COUNT, 1008 },
        { REFERENCE_MASK, SWALE_ERR_FRAME_MASK, 1002 },
        { REFERENCE_LENGTH, SWALE_ERR_FRAME_LENGTH, 1002 },
        { REFERENCE_SIZE, SWALE_ERR_MESSAGE_SIZE, 1009 },
        { REFERENCE_UTF8, SWALE_ERR_UTF8, 1007 },
        { REFERENCE_CLOSE_PAYLOAD, SWALE_ERR_CLOSE_PAYLOAD, 1002 },
        { REFERENCE_CLOSE_CODE, SWALE_ERR_CLOSE_CODE, 1002 },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].error == error)
            return known[i].fault & faults ? known[i].code : 0;
    return 0;
}

static void require_close(const struct log *log, const struct reference *reference)
{
    struct reference_frame frame;
    int code = close_code_of(log->error, reference->faults);
    require(code != 0);
    require((log->reply_size == 0) == reference->close_sent);
    if (log->reply_size == 0)
        return;
    reference_frame(&frame, (const uint8_t *)log->reply, log->reply_size);
    require(frame.opcode == 8 && frame.final && frame.reserved == 0 && frame.masked == !reference->server);
    require(frame.length >= 2 && frame.header + frame.length == log->reply_size);
    const char *payload = log->reply + frame.header;
    require((uint8_t)(payload[0] ^ frame.key[0]) * 256 + (uint8_t)(payload[1] ^ frame.key[1]) == code);
}

static void require_reference(const struct log *log, struct reference *reference, const uint8_t *bytes, size_t size)
{
    reference_read(reference, bytes, size);
    require(log->size == reference->log_size);
    require(log->size == 0 || memcmp(log->bytes, reference->log, log->size) == 0);
    require(log->ended == (reference->closed || reference->faults != 0));
    if (reference->faults)
        require_close(log, reference);
    else
        require(log->error == 0);
    free(reference->log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct swale_engine_config config;
    struct swale_engine engine = engine_of(&config, data[0], data[1]);
    size_t step = 1 + data[2] % 64 + (size_t)data[3] * 8;
    struct log whole = log_of(&engine, data + 4, size - 4, 0);
    struct log ones = log_of(&engine, data + 4, size - 4, 1);
    struct log pieces = log_of(&engine, data + 4, size - 4, step);
    require_same(&whole, &ones);
    require_same(&whole, &pieces);
    struct reference reference = {
        .server = config.role == SWALE_SERVER,
        .deflate = data[0] & 8,
        .close_sent = data[0] & 16,
        .max_message = config.max_message,
        .max_fragments = config.max_fragments,
        .mask = MASK,
    };
    require_reference(&whole, &reference, data + 4, size - 4);
    free(whole.bytes);
    free(ones.bytes);
    free(pieces.bytes);
    return 0;
}
