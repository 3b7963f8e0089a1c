#include "bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bed_in_flight;

static uint64_t read_clock(void *context)
{
    return ((const struct test_loop *)context)->now_ms;
}

static void on_record(void *context, const struct swale_record *record)
{
    struct bed *bed = context;
    struct bed_record *kept = &bed->records[bed->record_count++ % BED_RECORDS];
    *kept = (struct bed_record){ record->kind, record->reason, record->status, record->code, "" };
    snprintf(kept->text, sizeof kept->text, "%.*s", (int)record->text.size,
             record->text.data ? record->text.data : "");
}

void bed_init(struct bed *bed, const struct swale_server_options *options)
{
    struct swale_server_options used = { 0 };
    *bed = (struct bed){ 0 };
    test_loop_init(&bed->loop);
    if (options)
        used = *options;
    used.allocator = &bed->loop.allocator;
    used.threads = 1;
    used.receive_buffer = 4096; /* of the loop that attaching replaces: beds are made by the thousand */
    used.clock = read_clock;
    used.clock_context = &bed->loop;
    used.log = on_record;
    used.log_context = bed;
    assert_int_equal(swale_server_new(&bed->server, &used), 0);
}

void bed_start(struct bed *bed)
{
    assert_int_equal(swale_server_attach(bed->server, bed->loop.loop), 0);
    assert_int_equal(swale_server_start(bed->server), 0);
}

void bed_done(struct bed *bed)
{
    while (bed->peers) {
        struct peer *peer = bed->peers;
        bed->peers = peer->next;
        peer_close(peer, false);
        free(peer->data);
        free(peer->writing);
        free(peer);
    }
    test_loop_settle(&bed->loop);
    swale_server_free(bed->server);
    test_loop_settle(&bed->loop);
    test_loop_done(&bed->loop);
}

uint64_t bed_refused(struct bed *bed, int reason)
{
    struct swale_server_stats stats;
    swale_server_stats(bed->server, &stats);
    return stats.refused[swale_error_slot(reason)];
}

uint64_t bed_closed(struct bed *bed, int reason)
{
    struct swale_server_stats stats;
    swale_server_stats(bed->server, &stats);
    return stats.closed[swale_error_slot(reason)];
}

const struct bed_record *bed_last(const struct bed *bed, enum swale_record_kind kind)
{
    size_t oldest = bed->record_count > BED_RECORDS ? bed->record_count - BED_RECORDS : 0;
    for (size_t i = bed->record_count; i > oldest; i--)
        if (bed->records[(i - 1) % BED_RECORDS].kind == kind)
            return &bed->records[(i - 1) % BED_RECORDS];
    return NULL;
}

/* ---- Peers ------------------------------------------------------------------------------------------ */

static void on_data(void *context, char *data, size_t size)
{
    struct peer *peer = context;
    if (peer->size + size >= peer->room) {
        peer->room = 2 * (peer->size + size + 1);
        peer->data = realloc(peer->data, peer->room);
        assert_non_null(peer->data);
    }
    memcpy(peer->data + peer->size, data, size);
    peer->size += size;
    peer->data[peer->size] = '\0';
}

static void on_written(void *context, size_t size)
{
    struct peer *peer = context;
    peer->in_flight -= size;
    if (peer->in_flight)
        return;
    free(peer->writing);
    peer->writing = NULL;
}

static void on_end(void *context)
{
    ((struct peer *)context)->ended = true;
}

static void on_fail(void *context, int error)
{
    ((struct peer *)context)->failed = error;
}

struct peer *bed_connect_quietly(struct bed *bed)
{
    static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };
    struct swale__pair_options options = { .capacity = bed->capacity,
                                           .chunk = bed->chunk,
                                           .in_flight = bed_in_flight };
    struct swale__stream *ends[2];
    if (swale__pair(ends, bed->loop.loop, &options) != 0)
        return NULL;
    struct peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->bed = bed;
    peer->stream = ends[0];
    peer->next = bed->peers;
    bed->peers = peer;
    swale__stream_use(ends[0], &user, peer);
    swale__stream_resume(ends[0]);
    swale__worker_arrive(bed->server->workers[0], ends[1], false);
    return peer;
}

struct peer *bed_connect(struct bed *bed)
{
    struct peer *peer = bed_connect_quietly(bed);
    assert_non_null(peer);
    test_loop_settle(&bed->loop);
    return peer;
}

/* How many bytes went, or will. */
static size_t write_some(struct peer *peer, const char *data, size_t size)
{
    char *copy = malloc(size);
    struct iovec part = { .iov_base = copy, .iov_len = size };
    assert_non_null(copy);
    memcpy(copy, data, size);
    ptrdiff_t written = swale__stream_write(peer->stream, &part, 1);
    if (written == SWALE__IN_FLIGHT) {
        peer->writing = copy;
        peer->in_flight = size;
        return size;
    }
    free(copy);
    if (written < 0)
        peer->failed = (int)written;
    return written < 0 ? 0 : (size_t)written;
}

void peer_send(struct peer *peer, const void *data, size_t size)
{
    size_t sent = 0;
    size_t before = 1;
    while (sent < size && !peer->failed && before > 0) {
        if (peer->in_flight || sent > 0)
            test_loop_settle(&peer->bed->loop);
        before = peer->in_flight ? 0 : write_some(peer, (const char *)data + sent, size - sent);
        sent += before;
    }
}

void peer_say(struct peer *peer, const char *text)
{
    peer_send(peer, text, strlen(text));
    test_loop_settle(&peer->bed->loop);
}

void peer_pause(struct peer *peer)
{
    swale__stream_pause(peer->stream);
}

void peer_resume(struct peer *peer)
{
    swale__stream_resume(peer->stream);
    test_loop_settle(&peer->bed->loop);
}

void peer_shutdown(struct peer *peer)
{
    swale__stream_shutdown(peer->stream);
    test_loop_settle(&peer->bed->loop);
}

void peer_close(struct peer *peer, bool abort)
{
    if (peer->closed)
        return;
    peer->closed = true;
    swale__stream_close(peer->stream, abort);
    test_loop_settle(&peer->bed->loop);
}

bool peer_heard(const struct peer *peer, const char *start)
{
    return peer->size >= strlen(start) && memcmp(peer->data, start, strlen(start)) == 0;
}

bool peer_has(const struct peer *peer, const char *text)
{
    return peer->size && memmem(peer->data, peer->size, text, strlen(text)) != NULL;
}

size_t peer_count(const struct peer *peer, const char *text)
{
    size_t count = 0;
    const char *at = peer->data;
    while (at && (at = memmem(at, (size_t)(peer->data + peer->size - at), text, strlen(text)))) {
        at += strlen(text);
        count++;
    }
    return count;
}

void peer_forget(struct peer *peer)
{
    peer->size = 0;
}

bool peer_over(const struct peer *peer)
{
    return peer->ended || peer->failed;
}

/* ---- Requests --------------------------------------------------------------------------------------- */

const char *request(const char *method, const char *path, const char *fields)
{
    static char text[65536];
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: example.com\r\n%s\r\n", method, path, fields);
    return text;
}

const char *upgrade_request(const char *path, const char *fields)
{
    static char text[65536];
    snprintf(text, sizeof text,
             "GET %s HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
             path, fields);
    return text;
}

size_t frame(char *out, unsigned first_byte, const void *payload, size_t size)
{
    assert_true(size < 126);
    out[0] = (char)first_byte;
    out[1] = (char)(0x80 | size);
    memset(out + 2, 0, 4);
    memcpy(out + 6, payload, size);
    return 6 + size;
}
