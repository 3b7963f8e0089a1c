/* micro_proto.c - the cells without I/O. */
#include "micro.h"

#include <string.h>

enum { BUFFER = 1 << 20, FRAMES = 32 };

static char buffer[BUFFER];
static const size_t sizes[] = { 7, 20, 64, 125, 1024, 16384 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static void fill(char *to, size_t size, const char *pattern)
{
    size_t length = strlen(pattern), at = 0;
    for (; at + length <= size; at += length)
        memcpy(to + at, pattern, length);
    memset(to + at, 'a', size - at);
}

static void run(struct micro *cell, const char *name, void (*work)(void *context))
{
    cell->name = name;
    cell->work = work;
    micro_run(cell);
}

/* ---- Masks and UTF-8 -------------------------------------------------------------------------------- */

static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };

static void unmask(void *context)
{
    swale_mask(buffer, *(const size_t *)context, key, 0);
}

static void check_utf8(void *context)
{
    micro_require(swale_utf8_valid(buffer, *(const size_t *)context), "UTF-8");
}

static void each_size(const char *name, void (*work)(void *context), size_t character)
{
    for (size_t i = 0; i < SIZES; i++) {
        size_t size = sizes[i] / character * character;
        run(&(struct micro){ .size = size, .rate = true, .times = 1, .context = &size }, name, work);
    }
}

static void primitives(void)
{
    each_size("unmask", unmask, 1);
    fill(buffer, sizeof buffer, "plain ASCII text, ");
    each_size("utf8-ascii", check_utf8, 1);
    fill(buffer, sizeof buffer, "\xe6\xb3\xb3\xe6\xbc\xa2\xe5\xad\x97");
    each_size("utf8-cjk", check_utf8, 3);
}

/* ---- Frames ----------------------------------------------------------------------------------------- */

struct frames {
    struct swale_engine engine;
    size_t payload, size; /* of one frame; of all */
    char data[FRAMES * (16384 + 8)];
};

/* A server's buffer full of masked frames, read frame by frame. The payload is unmasked in place, so that every
 * second pass would see it masked again; the key of text is therefore 0, which nothing takes for a special case. */
static void receive(void *context)
{
    struct frames *frames = context;
    struct swale_event event;
    for (size_t at = 0; at < frames->size;) {
        at += swale_engine_receive(&frames->engine, frames->data + at, frames->size - at, 1, &event);
        micro_require(event.type == SWALE_EVENT_PART, "receiving");
    }
}

static void put_frames(struct frames *frames, enum swale_kind kind, size_t payload)
{
    frames->payload = payload;
    frames->size = 0;
    for (int i = 0; i < FRAMES; i++) {
        char *at = frames->data + frames->size;
        int header = swale_frame_header(kind, false, payload, at);
        at[1] |= (char)0x80;
        memcpy(at + header, kind == SWALE_TEXT ? (const unsigned char *)"\0\0\0" : key, 4);
        fill(at + header + 4, payload, "\xe6\xb3\xb3, in plain ASCII text ");
        frames->size += (size_t)header + 4 + payload;
    }
}

static void mask_source(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, 0x5a, size);
}

static void encode(void *context)
{
    struct frames *frames = context;
    char header[SWALE_HEADER_MAX];
    for (int i = 0; i < FRAMES; i++)
        micro_require(
            swale_engine_send(&frames->engine, SWALE_BINARY, false, true, frames->payload, 1, header, NULL) > 0,
            "encoding");
}

static void encode_masked(void *context)
{
    struct frames *frames = context;
    unsigned char mask[4];
    for (int i = 0; i < FRAMES; i++) {
        int header =
            swale_engine_send(&frames->engine, SWALE_BINARY, false, true, frames->payload, 1, frames->data, mask);
        micro_require(header > 0, "encoding");
        swale_mask_copy(frames->data + header, buffer, frames->payload, mask, 0);
    }
}

static void open_engine(struct frames *frames, enum swale_role role)
{
    static const struct swale_engine_config configs[] = {
        [SWALE_SERVER] = { .role = SWALE_SERVER, .max_message = 1 << 20, .max_fragments = 16 },
        [SWALE_CLIENT] = { .role = SWALE_CLIENT, .max_message = 1 << 20, .max_fragments = 16, .random = mask_source },
    };
    swale_engine_init(&frames->engine, &configs[role], 0);
    swale_engine_open(&frames->engine, false, 0);
}

static void frame_cells(void)
{
    static struct frames frames;
    for (size_t i = 1; i < SIZES; i++) {
        struct micro cell = { .size = sizes[i], .rate = true, .times = FRAMES, .context = &frames };
        open_engine(&frames, SWALE_SERVER);
        put_frames(&frames, SWALE_BINARY, sizes[i]);
        run(&cell, "receive-binary", receive);
        put_frames(&frames, SWALE_TEXT, sizes[i]);
        run(&cell, "receive-text", receive);
        cell.rate = false; /* of an unmasked frame only the header is made */
        run(&cell, "encode", encode);
        cell.rate = true;
        open_engine(&frames, SWALE_CLIENT);
        run(&cell, "encode-masked", encode_masked);
    }
}

/* ---- The opening handshake -------------------------------------------------------------------------- */

static const char short_head[] = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                 "Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";

/* As a browser asks. */
static const char long_head[] =
    "GET /topic/news HTTP/1.1\r\nHost: server.example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://server.example.com\r\n"
    "Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

struct head {
    const char *text;
    size_t size;
    struct swale_field fields[100];
    struct swale_request request;
};

static void parse_head(void *context)
{
    struct head *head = context;
    struct swale_head_parser parser = { 0 };
    struct swale_head_room room = { .fields = head->fields, .max_fields = 100, .max_size = 16384 };
    ptrdiff_t size = swale_request_parse(&parser, &room, head->text, head->size, &head->request);
    micro_require(size == (ptrdiff_t)head->size, "parsing a head");
}

/* From the bytes of the request to those of the answer. */
static void upgrade(void *context)
{
    struct head *head = context;
    struct swale_deflate_policy policy = { .enabled = true };
    struct swale_upgrade asked;
    char answer[1024];
    parse_head(head);
    micro_require(swale_upgrade_check(&head->request, &policy, &asked) == 0, "checking an upgrade");
    micro_require(swale_upgrade_answer(&asked, swale_text(""), NULL, 0, answer, sizeof answer) > 0, "answering");
}

static void head_cells(void)
{
    static struct head heads[] = { { .text = short_head, .size = sizeof short_head - 1 },
                                   { .text = long_head, .size = sizeof long_head - 1 } };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct micro cell = { .size = heads[i].size, .times = 1, .context = &heads[i] };
        run(&cell, "head", parse_head);
        run(&cell, "upgrade", upgrade);
    }
}

void micro_proto(void)
{
    primitives();
    frame_cells();
    head_cells();
}
