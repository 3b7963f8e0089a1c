/* TLS over a pair in memory: every byte arrives, in order, whatever the splits, pauses and failures are. */
#include "test.h"

#include "tls_bed.h"

#include <errno.h>
#include <stdlib.h>

/* ---- Echo ------------------------------------------------------------------------------------------- */

/* Once connected. */
static void expect_exchange(struct bed *bed, size_t size, size_t piece)
{
    char *data = malloc(size);
    assert_non_null(data);
    bed_pattern(data, size, (unsigned)size);
    bed->client.piece = piece;
    bed->server.piece = piece;
    party_send(&bed->client, data, size);
    bed_run(bed);
    assert_int_equal(bed->client.error, 0);
    assert_int_equal(bed->server.error, 0);
    assert_int_equal(bed->server.got_size, size);
    assert_memory_equal(bed->server.got, data, size);
    party_send(&bed->server, data, size);
    bed_run(bed);
    assert_int_equal(bed->client.got_size, size);
    assert_memory_equal(bed->client.got, data, size);
    bed_disconnect(bed);
    free(data);
}

static void expect_echo(struct bed *bed, size_t size, size_t piece)
{
    assert_int_equal(bed_connect(bed), 0);
    expect_exchange(bed, size, piece);
}

static void test_echo(void **state)
{
    struct bed *bed = *state;
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    static const size_t sizes[] = { 1, 125, 16383, 16384, 16385, 65536, 300000, 1 << 20 };
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        bed_contexts(bed, NULL, NULL);
        bed_only_version(bed->client_tls, versions[v]);
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (int in_flight = 0; in_flight < 2; in_flight++) {
                bed->pair = (struct swale__pair_options){ .in_flight = in_flight };
                expect_echo(bed, sizes[i], 0);
            }
    }
}

/* A server that answers in the flush phase, as connections do, and whose lower stream's writes are counted. */
struct answerer {
    struct swale__stream *stream;
    struct swale__work work;
    int writes, answered_at; /* how many there were before the answer */
};

static struct answerer *answerer;
static ptrdiff_t (*write_to_pair)(struct swale__stream *stream, const struct iovec *parts, int count);

static ptrdiff_t count_write(struct swale__stream *stream, const struct iovec *parts, int count)
{
    answerer->writes++;
    return write_to_pair(stream, parts, count);
}

static void answer(struct swale__work *work)
{
    (void)work;
    char text[] = "answer";
    const struct iovec part = { text, 6 };
    answerer->answered_at = answerer->writes;
    assert_int_equal(swale__stream_write(answerer->stream, &part, 1), 6);
}

static void answer_at_flush(void *context, char *data, size_t size)
{
    (void)context, (void)data, (void)size;
    swale__loop_at_flush(answerer->stream->loop, &answerer->work);
}

/* What a client asks comes along with the end of its handshake, and is answered along with the end of ours. */
static void test_the_ticket_leaves_with_the_answer(void **state)
{
    struct bed *bed = *state;
    static const struct swale__stream_user user = { .on_data = answer_at_flush };
    bed_contexts(bed, NULL, NULL);
    assert_int_equal(bed_connect(bed), 0);
    struct swale__stream_ops counting = *bed->lower[0]->ops;
    write_to_pair = counting.write;
    counting.write = count_write;
    bed->lower[0]->ops = &counting;
    struct answerer self = { .stream = bed->server.stream, .work.run = answer };
    answerer = &self;
    swale__stream_use(bed->server.stream, &user, NULL);
    party_send(&bed->client, "question", 8);
    bed_run(bed);
    assert_memory_equal(bed->client.got, "answer", 6);
    assert_int_equal(self.answered_at, 1); /* the flight that begins with the ServerHello */
    assert_int_equal(self.writes, 2);
    bed_disconnect(bed);
}

static void test_echo_at_splits(void **state)
{
    struct bed *bed = *state;
    static const struct {
        size_t chunk, capacity, size;
    } cases[] = { { 1, 0, 300 }, { 7, 0, 20000 }, { 1, 1, 300 }, { 5, 3, 3000 }, { 1000, 100, 200000 } };
    bed_contexts(bed, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int in_flight = 0; in_flight < 2; in_flight++) {
            bed->pair = (struct swale__pair_options){ .chunk = cases[i].chunk,
                                                      .capacity = cases[i].capacity,
                                                      .in_flight = in_flight };
            expect_echo(bed, cases[i].size, 0);
        }
}

static void wrap_again(struct bed *bed, struct party *party)
{
    struct swale__stream *stream;
    bool server = party == &bed->server;
    assert_int_equal(swale__tls_wrap(&stream, party->stream, server ? bed->server_tls : bed->client_tls,
                                     server ? SWALE__ACCEPTED : SWALE__DIALLED, server ? NULL : "localhost"),
                     0);
    party_begin(party, stream);
}

/* A server behind an https proxy. The inner stream once decrypted into the buffer that held its own input. */
static void test_tls_within_tls(void **state)
{
    struct bed *bed = *state;
    static const size_t sizes[] = { 1, 16384, 65536, 300000 };
    bed_contexts(bed, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(sizes) * 4; i++) {
        bed->pair = (struct swale__pair_options){ .in_flight = i & 1, .chunk = i & 2 ? 1000 : 0 };
        assert_int_equal(bed_connect(bed), 0);
        wrap_again(bed, &bed->server);
        wrap_again(bed, &bed->client);
        expect_exchange(bed, sizes[i / 4], 0);
    }
}

static void test_but_not_within_that(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_int_equal(bed_connect(bed), 0);
    wrap_again(bed, &bed->client);
    struct swale__stream *stream = NULL;
    assert_int_equal(swale__tls_wrap(&stream, bed->client.stream, bed->client_tls, SWALE__DIALLED, "localhost"),
                     SWALE_ERR_INVALID);
    assert_null(stream);
    bed->client.closed = true; /* by the call */
    bed_disconnect(bed);
}

/* OpenSSL, which reads ahead, holds ciphertext only of the record that we know it to be in, at every split: else what
 * it holds would never be read. */
static void test_reads_end_with_records(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    for (size_t chunk = 1; chunk <= 90; chunk++) {
        bed->pair = (struct swale__pair_options){ .chunk = chunk };
        assert_true(bed_shake(bed));
        struct swale__tls_stream *tls = party_tls(&bed->server);
        for (size_t i = 0; i < 3; i++)
            party_send(&bed->client, "0123456789", i * 5);
        for (int turns = 0; bed->server.got_size < 15; turns++) {
            assert_true(turns < 200);
            bed_turns(bed, 1);
            assert_true(!SSL_has_pending(tls->ssl) || tls->header_read > 0);
        }
        assert_int_equal(tls->header_read, 0);
        bed_disconnect(bed);
    }
}

/* The plaintext buffer is full in the middle of the last record that came: its rest follows, though nothing more
 * comes; at once, or when a pause is over. */
static void test_rest_of_a_record(void **state)
{
    struct bed *bed = *state;
    static char text[15000];
    bed_contexts(bed, NULL, NULL);
    bed->pair = (struct swale__pair_options){ .capacity = 1 << 20 };
    for (int pausing = 0; pausing < 2; pausing++) {
        assert_true(bed_shake(bed));
        bed->server.pause_always = pausing;
        for (size_t i = 0; i < 5; i++)
            party_send(&bed->client, text, sizeof text);
        bed_run(bed);
        assert_int_equal(bed->server.got_size, pausing ? SWALE__PLAINTEXT_SIZE : 5 * sizeof text);
        if (pausing)
            party_resume(&bed->server);
        bed_run(bed);
        assert_int_equal(bed->server.got_size, 5 * sizeof text);
        assert_int_equal(bed->server.runs, 2);
        bed_disconnect(bed);
    }
}

/* Small parts are brought together in records, whatever their sizes. */
static void test_gather(void **state)
{
    struct bed *bed = *state;
    static const size_t pieces[] = { 1, 3, 100, 5000, 16384, 16385, 40000 };
    bed_contexts(bed, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        expect_echo(bed, pieces[i] < 10 ? 5000 : 200000, pieces[i]);
}

/* 64 parts of 100 bytes are one record on the wire, not 64. */
static void test_small_parts_share_a_record(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    struct iovec parts[SWALE__IOV_MAX];
    static char text[100];
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        parts[i] = (struct iovec){ text, sizeof text };
    assert_int_equal(swale__stream_write(bed->client.stream, parts, COUNT_OF(parts)), 6400);
    bed_run(bed);
    assert_int_equal(bed->server.got_size, 6400);
    assert_int_equal(bed->server.runs, 1);
    bed_disconnect(bed);
}

/* Both write at once, without waiting, more than fits anywhere. */
static void test_both_ways_at_once(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = 500000 };
    char *a = malloc(SIZE), *b = malloc(SIZE);
    bed_pattern(a, SIZE, 1);
    bed_pattern(b, SIZE, 2);
    bed_contexts(bed, NULL, NULL);
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        bed->pair = (struct swale__pair_options){ .capacity = 10000, .in_flight = in_flight };
        assert_int_equal(bed_connect(bed), 0);
        party_send(&bed->client, a, SIZE);
        party_send(&bed->server, b, SIZE);
        bed_run(bed);
        assert_int_equal(bed->server.got_size, SIZE);
        assert_memory_equal(bed->server.got, a, SIZE);
        assert_int_equal(bed->client.got_size, SIZE);
        assert_memory_equal(bed->client.got, b, SIZE);
        bed_disconnect(bed);
    }
    free(a);
    free(b);
}

static void test_server_echoes_by_itself(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_int_equal(bed_connect(bed), 0);
    bed->server.echo = true;
    party_send(&bed->client, "marco", 5);
    bed_run(bed);
    assert_int_equal(bed->client.got_size, 5);
    assert_memory_equal(bed->client.got, "marco", 5);
    bed_disconnect(bed);
}

/* ---- Water marks and pauses ------------------------------------------------------------------------- */

/* With a peer that does not read, a bounded amount is taken. */
static void test_backlog_is_bounded(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = 1 << 20 };
    char *data = calloc(1, SIZE);
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        bed->pair = (struct swale__pair_options){ .capacity = 1000, .in_flight = in_flight };
        bed_contexts(bed, NULL, NULL);
        assert_true(bed_shake(bed));
        bed->server.paused = true;
        swale__stream_pause(bed->server.stream);
        unsigned room_told = bed->client.room_told;
        party_send(&bed->client, data, SIZE);
        bed_run(bed);
        assert_true(bed->client.full);
        assert_int_equal(bed->client.room_told, room_told);
        assert_true(party_tls(&bed->client)->out.size < SWALE__TLS_BACKLOG_MAX + 17000);
        assert_int_equal(bed->server.got_size, 0);
        party_resume(&bed->server);
        bed_run(bed);
        assert_int_equal(bed->server.got_size, SIZE);
        assert_true(bed->client.room_told > room_told);
        bed_disconnect(bed);
    }
    free(data);
}

/* A user that pauses in each run gets everything all the same, and nothing while paused (the party checks). */
static void test_pause_in_each_run(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = 400000 };
    char *data = malloc(SIZE);
    bed_pattern(data, SIZE, 3);
    bed->pair = (struct swale__pair_options){ .capacity = 200000 };
    bed_contexts(bed, NULL, NULL);
    assert_int_equal(bed_connect(bed), 0);
    bed->server.pause_always = true;
    party_send(&bed->client, data, SIZE);
    for (int i = 0; i < 1000 && bed->server.got_size < SIZE; i++) {
        bed_run(bed);
        if (bed->server.paused)
            party_resume(&bed->server);
    }
    assert_int_equal(bed->server.got_size, SIZE);
    assert_memory_equal(bed->server.got, data, SIZE);
    assert_true(bed->server.runs >= SIZE / SWALE__PLAINTEXT_SIZE);
    swale__stream_shutdown(bed->client.stream);
    bed_run(bed);
    assert_true(bed->server.paused == !bed->server.ended);
    if (bed->server.paused)
        party_resume(&bed->server);
    bed_run(bed);
    assert_true(bed->server.ended);
    bed_disconnect(bed);
    free(data);
}

/* The end waits behind a pause, as the data before it does. */
static void test_end_waits_for_resume(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    bed->server.pause_always = true;
    party_send(&bed->client, "bye", 3);
    swale__stream_shutdown(bed->client.stream);
    bed_run(bed);
    assert_int_equal(bed->server.got_size, 3);
    assert_false(bed->server.ended);
    party_resume(&bed->server);
    assert_false(bed->server.ended);
    bed_run(bed);
    assert_true(bed->server.ended);
    bed_disconnect(bed);
}

/* The handshake goes on without the user's reading. */
static void test_handshake_while_paused(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_int_equal(bed_connect(bed), 0);
    bed->server.paused = bed->client.paused = true;
    swale__stream_pause(bed->server.stream);
    swale__stream_pause(bed->client.stream);
    party_send(&bed->client, "early", 5);
    bed_run(bed);
    assert_true(party_tls(&bed->server)->open && party_tls(&bed->client)->open);
    assert_int_equal(bed->client.room_told, 1);
    assert_int_equal(bed->server.got_size, 0);
    party_resume(&bed->server);
    bed_run(bed);
    assert_int_equal(bed->server.got_size, 5);
    bed_disconnect(bed);
}

/* ---- Ends ------------------------------------------------------------------------------------------- */

/* Each direction ends by itself; what was written before arrives before. */
static void test_half_close(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = 60000 };
    char *data = calloc(1, SIZE);
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        bed->pair = (struct swale__pair_options){ .capacity = 500 };
        bed_contexts(bed, NULL, NULL);
        bed_only_version(bed->client_tls, versions[v]);
        assert_true(bed_shake(bed));
        party_send(&bed->client, data, SIZE);
        assert_int_equal(bed->client.out_begin, SIZE); /* taken, though the lower is full */
        swale__stream_shutdown(bed->client.stream);
        bed_run(bed);
        assert_int_equal(bed->server.got_size, SIZE);
        assert_true(bed->server.ended);
        assert_int_equal(bed->server.error, 0);
        party_send(&bed->server, data, SIZE);
        bed_run(bed);
        assert_int_equal(bed->client.got_size, SIZE);
        assert_false(bed->client.ended);
        swale__stream_shutdown(bed->server.stream);
        bed_run(bed);
        assert_true(bed->client.ended);
        assert_int_equal(bed->client.error, 0);
        bed_disconnect(bed);
    }
    free(data);
}

/* An orderly close right behind a write loses nothing, though the stream is gone for its user. */
static void test_close_lingers(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = 60000 };
    char *data = calloc(1, SIZE);
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        bed->pair = (struct swale__pair_options){ .capacity = 500, .in_flight = in_flight };
        bed_contexts(bed, NULL, NULL);
        assert_true(bed_shake(bed));
        party_send(&bed->client, data, SIZE);
        assert_int_equal(bed->client.out_begin, SIZE);
        party_close(&bed->client, false);
        bed_run(bed);
        assert_int_equal(bed->server.got_size, SIZE);
        assert_true(bed->server.ended);
        bed_disconnect(bed);
    }
    free(data);
}

/* ... but not for ever. */
static void test_lingering_ends(void **state)
{
    struct bed *bed = *state;
    char data[60000] = { 0 };
    bed->pair = (struct swale__pair_options){ .capacity = 500 };
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    swale__stream_pause(bed->server.stream);
    size_t before = bed->memory.bytes;
    party_send(&bed->client, data, sizeof data);
    party_close(&bed->client, false);
    bed_run(bed);
    assert_true(bed->memory.bytes >= before);
    bed->now += SWALE__TLS_LINGER_MS + 1;
    bed_run(bed);
    party_resume(&bed->server);
    bed_run(bed);
    assert_int_equal(bed->server.error, -ECONNRESET);
    bed_disconnect(bed);
}

/* ... and not longer than the loop. */
static void test_loop_outlasts_lingering(void **state)
{
    struct bed *bed = *state;
    char data[60000] = { 0 };
    bed->pair = (struct swale__pair_options){ .capacity = 500 };
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    swale__stream_pause(bed->server.stream);
    party_send(&bed->client, data, sizeof data);
    party_close(&bed->client, false);
    bed_abandon(bed); /* so that bed_end frees the loop under a lingering stream, and counts the blocks */
}

/* A user may close its stream from within any callback. */
static void test_close_from_within(void **state)
{
    struct bed *bed = *state;
    char data[100000] = { 0 };
    bed_contexts(bed, NULL, NULL);
    for (int way = 0; way < 3; way++) {
        bed->pair = (struct swale__pair_options){ .capacity = 30000 };
        assert_int_equal(bed_connect(bed), 0);
        bed->server.close_on_data = way == 0;
        bed->server.abort_on_data = way == 1;
        bed->client.close_on_room = way == 2;
        party_send(&bed->client, data, sizeof data);
        bed_run(bed);
        assert_true(way == 2 ? bed->client.closed : bed->server.closed);
        assert_true(way == 2 ? bed->server.ended || bed->server.error : bed->client.ended || bed->client.error);
        bed_disconnect(bed);
    }
}

static void test_lower_reset(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    party_close(&bed->client, true);
    bed_run(bed);
    assert_int_equal(bed->server.error, -ECONNRESET);
    bed_disconnect(bed);
}

/* ---- A write that fails in the middle ---- */

static struct {
    const struct swale__stream_ops *ops; /* of the lower stream */
    int writes_left;
} brittle;

static ptrdiff_t write_brittle(struct swale__stream *stream, const struct iovec *parts, int count)
{
    return brittle.writes_left-- > 0 ? brittle.ops->write(stream, parts, count) : -EPIPE;
}

/* Bytes that have left are counted, also by a call in which the transport breaks behind them: who heard only of the
 * error sent messages again that had arrived. */
static void test_failing_behind_what_has_left(void **state)
{
    struct bed *bed = *state;
    static char data[200000];
    bed_contexts(bed, NULL, NULL);
    bed->pair.capacity = 1 << 20;
    assert_true(bed_shake(bed));
    struct swale__stream_ops ops = *bed->lower[1]->ops;
    brittle.ops = bed->lower[1]->ops;
    brittle.writes_left = 1;
    ops.write = write_brittle;
    bed->lower[1]->ops = &ops;
    struct iovec part = { .iov_base = data, .iov_len = sizeof data };
    ptrdiff_t written = swale__stream_write(bed->client.stream, &part, 1);
    assert_in_range(written, 1, sizeof data);
    bed_run(bed);
    assert_true(bed->server.got_size > 0 && bed->server.got_size <= (size_t)written);
    assert_int_equal(bed->client.error, -EPIPE);
    bed->lower[1]->ops = brittle.ops;
    bed_disconnect(bed);

    /* Where nothing had, the error is all there is to say. */
    assert_true(bed_shake(bed));
    brittle.writes_left = 0;
    bed->lower[1]->ops = &ops;
    assert_int_equal(swale__stream_write(bed->client.stream, &part, 1), -EPIPE);
    bed->lower[1]->ops = brittle.ops;
    bed_run(bed);
    assert_int_equal(bed->client.error, 0);
    bed_disconnect(bed);
}

/* RFC 8446 section 6.1: an end without close_notify may be an attacker's. */
static void test_truncation(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    for (int early = 0; early < 2; early++) {
        assert_int_equal(bed_connect(bed), 0);
        if (!early)
            bed_run(bed);
        swale__stream_shutdown(bed->lower[1]);
        bed_run(bed);
        assert_false(bed->server.ended);
        assert_int_equal(bed->server.error, SWALE_ERR_TLS_TRUNCATED);
        bed_disconnect(bed);
    }
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

/* All of a life, with the nth allocation failing: an error or none, and nothing leaks. */
static bool live_with_failure(struct bed *bed, uint64_t n)
{
    static char data[150000];
    bed->fail_at = n;
    bool good = bed_connect(bed) == 0;
    if (good) {
        bed->server.pause_always = true;
        party_send(&bed->client, data, sizeof data);
        for (int i = 0; i < 10; i++) {
            bed_run(bed);
            if (bed->server.paused && !bed->server.error)
                party_resume(&bed->server);
        }
        struct swale_peer peer;
        swale__stream_describe(bed->server.stream, &peer);
        good = !bed->client.error && !bed->server.error && peer.tls_fingerprint.size == 64;
        assert_true(!good || bed->server.got_size == sizeof data);
    }
    bool failed = bed->memory.allocations >= bed->memory.fail_at;
    bed_disconnect(bed);
    assert_true(good || failed);
    return failed;
}

static void test_failing_allocations(void **state)
{
    struct bed *bed = *state;
    struct swale_tls_certificate certificate = bed_certificate(bed, "client");
    bed_contexts(bed,
                 &(struct swale_tls_options){ .client_auth = SWALE_TLS_CLIENT_REQUIRED,
                                              .ca_file = test_certs_path(&bed->certs, "ca.crt") },
                 &(struct swale_tls_options){ .certificates = &certificate, .certificate_count = 1 });
    bed->pair = (struct swale__pair_options){ .capacity = 100000 };
    uint64_t n = 1;
    while (live_with_failure(bed, n))
        n++;
    assert_true(n > 10);
}

/* A warm one allocates nothing for what passes (but for OpenSSL, which takes and gives back its record buffers). */
static void test_no_allocation_when_warm(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    char data[1000] = { 0 };
    uint64_t before = 0;
    for (int i = 0; i < 200; i++) {
        if (i == 10)
            before = bed->memory.allocations;
        struct iovec part = { data, sizeof data };
        assert_int_equal(swale__stream_write(bed->client.stream, &part, 1), sizeof data);
        assert_int_equal(swale__stream_write(bed->server.stream, &part, 1), sizeof data);
        bed_run(bed);
    }
    assert_int_equal(bed->server.got_size, 200 * sizeof data);
    assert_int_equal(bed->client.got_size, 200 * sizeof data);
    assert_int_equal(bed->memory.allocations, before);
    bed_disconnect(bed);
}

/* An idle connection owns none of our buffers. */
static void test_idle_memory(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    bed->server.echo = true;
    party_send(&bed->client, "warm", 4);
    bed_run(bed);
    for (int i = 0; i < 2; i++) {
        struct swale__tls_stream *tls = party_tls(i ? &bed->client : &bed->server);
        assert_null(tls->out.head);
        assert_null(tls->kept);
        assert_null(tls->identity);
    }
    assert_true(sizeof(struct swale__tls_stream) <= 384);
    bed_disconnect(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_echo),
        BED_TEST(test_the_ticket_leaves_with_the_answer),
        BED_TEST(test_echo_at_splits),
        BED_TEST(test_tls_within_tls),
        BED_TEST(test_but_not_within_that),
        BED_TEST(test_gather),
        BED_TEST(test_reads_end_with_records),
        BED_TEST(test_rest_of_a_record),
        BED_TEST(test_small_parts_share_a_record),
        BED_TEST(test_both_ways_at_once),
        BED_TEST(test_server_echoes_by_itself),
        BED_TEST(test_backlog_is_bounded),
        BED_TEST(test_pause_in_each_run),
        BED_TEST(test_end_waits_for_resume),
        BED_TEST(test_handshake_while_paused),
        BED_TEST(test_half_close),
        BED_TEST(test_close_lingers),
        BED_TEST(test_lingering_ends),
        BED_TEST(test_loop_outlasts_lingering),
        BED_TEST(test_close_from_within),
        BED_TEST(test_lower_reset),
        BED_TEST(test_failing_behind_what_has_left),
        BED_TEST(test_truncation),
        BED_TEST(test_failing_allocations),
        BED_TEST(test_no_allocation_when_warm),
        BED_TEST(test_idle_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
