#include "test.h"

#include "tls_bed.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Parties ---------------------------------------------------------------------------------------- */

struct swale__tls_stream *party_tls(struct party *party)
{
    return (struct swale__tls_stream *)party->stream;
}

static void add(char **bytes, size_t *size, size_t *room, const void *data, size_t more)
{
    if (*size + more > *room) {
        *room = 2 * (*size + more);
        *bytes = realloc(*bytes, *room);
        assert_non_null(*bytes);
    }
    if (more > 0)
        memcpy(*bytes + *size, data, more);
    *size += more;
}

/* Cuts what is to be sent into parts of `piece` bytes. */
static int cut(const struct party *party, struct iovec *parts, int room)
{
    int count = 0;
    size_t begin = party->out_begin;
    while (begin < party->out_size && count < room) {
        size_t size = party->out_size - begin;
        if (party->piece > 0 && size > party->piece)
            size = party->piece;
        parts[count++] = (struct iovec){ party->out + begin, size };
        begin += size;
    }
    return count;
}

static void pump(struct party *party)
{
    while (party->out_begin < party->out_size && !party->full && !party->in_flight && !party->closed &&
           !party->error) {
        struct iovec parts[100];
        int count = cut(party, parts, 100);
        size_t size = 0;
        for (int i = 0; i < count; i++)
            size += parts[i].iov_len;
        ptrdiff_t written = swale__stream_write(party->stream, parts, count);
        if (written == SWALE__IN_FLIGHT) {
            party->in_flight = size;
        } else if (written < 0) {
            party->error = (int)written;
        } else {
            party->out_begin += (size_t)written;
            party->full = (size_t)written < size;
        }
    }
}

void party_send(struct party *party, const void *data, size_t size)
{
    assert_int_equal(party->in_flight, 0); /* else `out` must not move */
    add(&party->out, &party->out_size, &party->out_room, data, size);
    pump(party);
}

void party_resume(struct party *party)
{
    size_t runs = party->runs;
    party->paused = false;
    swale__stream_resume(party->stream);
    assert_int_equal(party->runs, runs); /* never from within */
}

void party_close(struct party *party, bool abort)
{
    if (party->closed)
        return;
    party->closed = true;
    swale__stream_close(party->stream, abort);
}

static void on_data(void *context, char *data, size_t size)
{
    struct party *party = context;
    assert_false(party->closed || party->paused || party->ended || party->error);
    assert_true(size > 0);
    party->runs++;
    size_t before = party->out_size;
    add(&party->got, &party->got_size, &party->got_room, data, size);
    memset(data, 0xee, size); /* all of it is ours to overwrite */
    if (party->pause_always) {
        party->paused = true;
        swale__stream_pause(party->stream);
    }
    if (party->echo && party->in_flight == 0)
        party_send(party, party->got + before, party->got_size - before);
    if (party->close_on_data || party->abort_on_data)
        party_close(party, party->abort_on_data);
}

static void on_written(void *context, size_t size)
{
    struct party *party = context;
    assert_false(party->closed || party->error);
    if (size > 0) {
        assert_true(size <= party->in_flight);
        party->in_flight -= size;
        party->out_begin += size;
    } else {
        party->room_told++;
        party->full = false;
    }
    if (party->close_on_room)
        party_close(party, false);
    else
        pump(party);
}

static void on_end(void *context)
{
    struct party *party = context;
    assert_false(party->closed || party->paused || party->ended || party->error);
    party->ended = true;
}

static void on_fail(void *context, int error)
{
    struct party *party = context;
    assert_false(party->closed);
    assert_int_equal(party->error, 0); /* once, and not behind a write that has said so */
    assert_true(error < 0);
    party->error = error;
}

static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };

void party_begin(struct party *party, struct swale__stream *stream)
{
    party->stream = stream;
    swale__stream_use(stream, &user, party);
    swale__stream_resume(stream);
}

static void party_end(struct party *party)
{
    if (party->stream)
        party_close(party, true);
    free(party->got);
    free(party->out);
    memset(party, 0, sizeof *party);
}

/* ---- The bed ---------------------------------------------------------------------------------------- */

static uint64_t read_clock(void *context)
{
    return ((struct bed *)context)->now;
}

void bed_begin(struct bed *bed)
{
    memset(bed, 0, sizeof *bed);
    bed->now = 1000;
    bed->allocator = test_allocator(&bed->memory);
    bed->server_name = "localhost";
    struct swale_loop_options options = { .allocator = &bed->allocator, .clock = read_clock, .clock_context = bed };
    assert_int_equal(swale_loop_new(&bed->loop, &options), 0);
    test_certs_begin(&bed->certs);
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "server",
                                                      .names = "DNS:localhost,IP:127.0.0.1,IP:::1",
                                                      .common_name = "the server" });
    test_certs_make(
        &bed->certs,
        &(struct test_cert){ .name = "client", .common_name = "alice", .organization = "Example", .client = true });
}

void bed_end(struct bed *bed)
{
    swale_tls_unref(bed->server_tls);
    swale_tls_unref(bed->client_tls);
    swale_loop_free(bed->loop);
    assert_int_equal(bed->memory.blocks, 0);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for others to trip over */
    test_certs_end(&bed->certs);
}

struct swale_tls_certificate bed_certificate(struct bed *bed, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.crt", name);
    const char *certificate = test_certs_path(&bed->certs, file);
    snprintf(file, sizeof file, "%s.key", name);
    return (struct swale_tls_certificate){ certificate, test_certs_path(&bed->certs, file) };
}

static void expect_good(int error, const char *message)
{
    if (error)
        fail_msg("%s", message);
}

void bed_server_only(struct bed *bed, const struct swale_tls_options *server)
{
    struct swale_tls_options options = server ? *server : (struct swale_tls_options){ 0 };
    struct swale_tls_certificate certificate = bed_certificate(bed, "server");
    if (!options.certificates) {
        options.certificates = &certificate;
        options.certificate_count = 1;
    }
    char message[SWALE_TLS_MESSAGE_MAX];
    swale_tls_unref(bed->server_tls);
    expect_good(swale_tls_server(&bed->server_tls, &options, message), message);
}

void bed_contexts(struct bed *bed, const struct swale_tls_options *server, const struct swale_tls_options *client)
{
    bed_server_only(bed, server);
    struct swale_tls_options options = client ? *client : (struct swale_tls_options){ 0 };
    if (!options.ca_file && !options.ca_directory)
        options.ca_file = test_certs_path(&bed->certs, "ca.crt");
    char message[SWALE_TLS_MESSAGE_MAX];
    swale_tls_unref(bed->client_tls);
    expect_good(swale_tls_client(&bed->client_tls, &options, message), message);
}

void bed_only_version(struct swale_tls *tls, int version)
{
    for (size_t i = 0; i < tls->generation->count; i++) {
        assert_int_equal(SSL_CTX_set_min_proto_version(tls->generation->contexts[i], version), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(tls->generation->contexts[i], version), 1);
    }
}

int bed_connect_raw(struct bed *bed)
{
    bed->memory.fail_at = bed->fail_at ? bed->memory.allocations + bed->fail_at : 0;
    int error = swale__pair(bed->lower, bed->loop, &bed->pair);
    if (error)
        return error;
    party_begin(&bed->client, bed->lower[1]);
    struct swale__stream *stream;
    error = swale__tls_wrap(&stream, bed->lower[0], bed->server_tls, SWALE__ACCEPTED, NULL);
    if (!error)
        party_begin(&bed->server, stream);
    return error;
}

int bed_connect(struct bed *bed)
{
    int error = bed_connect_raw(bed);
    if (!bed->client.stream)
        return error;
    struct swale__stream *stream;
    int client_error = swale__tls_wrap(&stream, bed->lower[1], bed->client_tls, SWALE__DIALLED, bed->server_name);
    bed->client.stream = NULL; /* the bare stream has been taken over */
    if (client_error)
        return client_error;
    party_begin(&bed->client, stream);
    bed->client.full = true; /* until it is connected */
    return error;
}

void bed_turns(struct bed *bed, int count)
{
    while (count-- > 0)
        assert_true(swale_loop_step(bed->loop, 0) >= 0);
}

void bed_run(struct bed *bed)
{
    int turns = 0;
    do {
        bed_turns(bed, 1);
        assert_true(++turns < 2000000);
    } while (swale_loop_wait_ms(bed->loop) == 0);
}

void bed_abandon(struct bed *bed)
{
    bed->memory.fail_at = 0;
    party_end(&bed->server);
    party_end(&bed->client);
}

void bed_disconnect(struct bed *bed)
{
    bed_abandon(bed);
    bed_run(bed);
    bed_turns(bed, 1);
    assert_int_equal(ERR_peek_error(), 0);
}

bool bed_shake(struct bed *bed)
{
    assert_int_equal(bed_connect(bed), 0);
    bed_run(bed);
    return !bed->client.error && !bed->server.error && party_tls(&bed->client)->open && party_tls(&bed->server)->open;
}

void bed_pattern(char *out, size_t size, unsigned seed)
{
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        out[i] = (char)(state >> 24);
    }
}

struct swale_peer party_peer(struct party *party)
{
    struct swale_peer peer;
    swale__stream_describe(party->stream, &peer);
    return peer;
}

void bed_assert_span(struct swale_span span, const char *text)
{
    if (!swale_span_equal(span, swale_text(text)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)span.size, span.data ? span.data : "", text);
}

int bed_set_up(void **state)
{
    static struct bed bed;
    bed_begin(&bed);
    *state = &bed;
    return 0;
}

int bed_tear_down(void **state)
{
    bed_end(*state);
    return 0;
}
