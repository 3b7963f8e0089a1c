/* micro.c - the primitives, one at a time: unmasking, UTF-8, heads, frames.
 *
 * Prints the best of several runs, which is the figure that disturbances can only make worse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <swale/proto.h>

enum { RUNS = 7 };
static const double run_seconds = 0.05;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds for one call of work(argument, size), at best. */
static double best(void (*work)(void *, size_t), void *argument, size_t size)
{
    double least = 1e9;
    for (int run = 0; run < RUNS; run++) {
        unsigned long calls = 0;
        double start = now(), took;
        do {
            for (int i = 0; i < 64; i++)
                work(argument, size);
            calls += 64;
            took = now() - start;
        } while (took < run_seconds);
        if (took / (double)calls < least)
            least = took / (double)calls;
    }
    return least;
}

static void report(const char *what, size_t size, double seconds)
{
    printf("%-22s %7zu B %10.1f ns %8.1f GB/s\n", what, size, seconds * 1e9, (double)size / seconds / 1e9);
    fflush(stdout);
}

static void unmask(void *data, size_t size)
{
    static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
    swale_mask(data, size, key, 0);
}

static void check_utf8(void *data, size_t size)
{
    if (!swale_utf8_valid(data, size))
        abort();
}

static void parse_head(void *data, size_t size)
{
    struct swale_head_parser parser = { 0 };
    struct swale_field fields[100];
    struct swale_head_room room = { .fields = fields, .max_fields = 100, .max_size = 16384 };
    struct swale_request request;
    if (swale_request_parse(&parser, &room, data, size, &request) != (ptrdiff_t)size)
        abort();
}

/* A buffer full of small masked frames, read frame by frame. The payload is unmasked in place, so that every
 * second pass sees it masked again; binary, so that it does not matter. */
static void receive_frames(void *data, size_t size)
{
    static const struct swale_engine_config config = { .role = SWALE_SERVER,
                                                       .max_message = 1 << 20,
                                                       .max_fragments = 16 };
    struct swale_engine engine;
    struct swale_event event;
    swale_engine_init(&engine, &config, 0);
    swale_engine_open(&engine, false, 0);
    for (size_t at = 0; at < size;) {
        at += swale_engine_receive(&engine, (char *)data + at, size - at, 0, &event);
        if (event.type != SWALE_EVENT_PART)
            abort();
    }
}

static void fill(char *to, size_t size, const char *pattern)
{
    size_t length = strlen(pattern), at = 0;
    for (; at + length <= size; at += length)
        memcpy(to + at, pattern, length);
    memset(to + at, 'a', size - at);
}

static void frames_cell(char *buffer, size_t payload, size_t count)
{
    size_t frame = 6 + payload;
    for (size_t i = 0; i < count; i++) {
        char *at = buffer + i * frame;
        memcpy(at, "\x82\x80\x37\xfa\x21\x3d", 6);
        at[1] = (char)(0x80 | payload);
    }
    double seconds = best(receive_frames, buffer, frame * count) / (double)count;
    report("receive a frame", payload, seconds);
}

int main(void)
{
    static char buffer[1 << 20];
    static const size_t sizes[] = { 20, 64, 1024, 16384 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        report("unmask", sizes[i], best(unmask, buffer, sizes[i]));
    fill(buffer, sizeof buffer, "plain ASCII text, ");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        report("UTF-8, ASCII", sizes[i], best(check_utf8, buffer, sizes[i]));
    fill(buffer, sizeof buffer, "\xe6\xb3\xb3\xe6\xbc\xa2\xe5\xad\x97");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t whole = sizes[i] / 3 * 3; /* three bytes to a character */
        report("UTF-8, CJK", whole, best(check_utf8, buffer, whole));
    }
    frames_cell(buffer, 20, 32);
    frames_cell(buffer, 125, 32);
    static const char head[] = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";
    memcpy(buffer, head, sizeof head - 1);
    report("parse a request head", sizeof head - 1, best(parse_head, buffer, sizeof head - 1));
    return 0;
}
