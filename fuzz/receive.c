/* receive.c - the receive machine under arbitrary bytes.
 *
 * Input: one byte of options, one of limits, two that say how to cut, then what the peer sends. The bytes are given
 * to three engines: whole, one by one, and in pieces. All must tell the same, and keep the promises of swale/proto.h.
 * Each piece lies in a block of exactly its size, so that AddressSanitizer sees a byte too many. */
#include <stdlib.h>
#include <swale/proto.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* ---- What the engine told --------------------------------------------------------------------------- */

struct log {
    char *bytes;
    size_t size, room;
    bool inside, ended;
    uint64_t message; /* its size so far */
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

static void log_event(struct log *log, const struct swale_event *event, const struct swale_engine *engine)
{
    require(!log->ended);
    if (event->type == SWALE_EVENT_PART) {
        log_part(log, event, engine);
        return;
    }
    char begin[2] = { 'c', (char)event->type };
    log_bytes(log, begin, sizeof begin);
    log_bytes(log, &event->error, sizeof event->error);
    log_bytes(log, &event->close_code, sizeof event->close_code);
    log_bytes(log, event->payload.data, event->payload.size);
    require(event->reply_size <= SWALE_CONTROL_MAX);
    log_bytes(log, event->reply, event->reply_size);
    log->ended = event->type == SWALE_EVENT_FAIL || event->type == SWALE_EVENT_CLOSE;
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
    memset(out, 0x5a, size);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
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
    require(swale_span_equal(swale_span(whole.bytes, whole.size), swale_span(ones.bytes, ones.size)));
    require(swale_span_equal(swale_span(whole.bytes, whole.size), swale_span(pieces.bytes, pieces.size)));
    free(whole.bytes);
    free(ones.bytes);
    free(pieces.bytes);
    return 0;
}
