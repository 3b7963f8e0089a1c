/* proto.c - work without connections: masks, texts, frames, heads. */
#include "work.h"

#include <string.h>

enum { CALLS = 100, FRAMES = 32, SHORT = 20, LARGE = 16384 };

static char bytes[65536];

/* ---- Masks and texts -------------------------------------------------------------------------------- */

static void mask(size_t size)
{
    static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
    for (int i = 0; i < CALLS; i++)
        swale_mask(bytes, size, key, 0);
}

static void mask_short(void)
{
    mask(SHORT);
}

static void mask_large(void)
{
    mask(LARGE);
}

static void fill_ascii(void)
{
    guard_fill(bytes, sizeof bytes, GUARD_ASCII);
}

static void fill_cjk(void)
{
    guard_fill(bytes, sizeof bytes, GUARD_CJK);
}

/* Of three bytes to a character. */
static void check(size_t size)
{
    for (int i = 0; i < CALLS; i++)
        REQUIRE(swale_utf8_valid(bytes, size / 3 * 3));
}

static void check_short(void)
{
    check(SHORT);
}

static void check_middling(void)
{
    check(125);
}

static void check_large(void)
{
    check(LARGE);
}

/* ---- Frames ----------------------------------------------------------------------------------------- */

static char frames[FRAMES * (SHORT + SWALE_HEADER_MAX)];
static size_t frames_size;

static void make_frames(void)
{
    char payload[SHORT];
    guard_fill(payload, sizeof payload, GUARD_ASCII);
    frames_size = 0;
    for (int i = 0; i < FRAMES; i++)
        frames_size += guard_frame(frames + frames_size, 0x81, true, payload, sizeof payload);
}

static void receive_frames(void)
{
    static const struct swale_engine_config config = { .role = SWALE_SERVER,
                                                       .max_message = 1 << 20,
                                                       .max_fragments = 16 };
    struct swale_engine engine;
    struct swale_event event;
    swale_engine_init(&engine, &config, 0);
    swale_engine_open(&engine, false, 0);
    for (int i = 0; i < CALLS; i++) {
        memcpy(bytes, frames, frames_size);
        for (size_t at = 0; at < frames_size;) {
            at += swale_engine_receive(&engine, bytes + at, frames_size - at, 0, &event);
            REQUIRE(event.type == SWALE_EVENT_PART && event.last && event.payload.size == SHORT);
        }
    }
}

/* ---- The handshake ---------------------------------------------------------------------------------- */

static const char head[] = "GET /chat?room=1 HTTP/1.1\r\n"
                           "Host: server.example.com\r\n"
                           "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n"
                           "Accept: */*\r\n"
                           "Accept-Language: en-US,en;q=0.5\r\n"
                           "Accept-Encoding: gzip, deflate\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "Origin: http://server.example.com\r\n"
                           "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Connection: keep-alive, Upgrade\r\n"
                           "Pragma: no-cache\r\n"
                           "Cache-Control: no-cache\r\n"
                           "Upgrade: websocket\r\n\r\n";

static void upgrade(void)
{
    struct swale_field fields[100];
    struct swale_head_room room = { .fields = fields, .max_fields = 100, .max_size = 16384 };
    struct swale_deflate_policy policy = { .enabled = true };
    char answer[512];
    for (int i = 0; i < CALLS; i++) {
        struct swale_head_parser parser = { 0 };
        struct swale_request request;
        struct swale_upgrade agreed;
        REQUIRE(swale_request_parse(&parser, &room, head, sizeof head - 1, &request) == sizeof head - 1);
        REQUIRE(swale_upgrade_check(&request, &policy, &agreed) == 0 && agreed.deflate);
        REQUIRE(swale_upgrade_answer(&agreed, swale_span(NULL, 0), NULL, 0, answer, sizeof answer) > 0);
    }
}

const struct work proto_works[] = {
    { "mask-20", CALLS, fill_ascii, mask_short },
    { "mask-16k", CALLS, fill_ascii, mask_large },
    { "utf8-ascii-18", CALLS, fill_ascii, check_short },
    { "utf8-ascii-16k", CALLS, fill_ascii, check_large },
    { "utf8-cjk-18", CALLS, fill_cjk, check_short },
    { "utf8-cjk-123", CALLS, fill_cjk, check_middling },
    { "utf8-cjk-16k", CALLS, fill_cjk, check_large },
    { "frames-20", (size_t)CALLS *FRAMES, make_frames, receive_frames },
    { "upgrade", CALLS, NULL, upgrade },
    { NULL, 0, NULL, NULL },
};
