#include "harness.h"

#include "io/turn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int send_bytes(struct harness *h, size_t size)
{
    char *data = noise(size);
    int result = swale_conn_send(h->server.conn, SWALE_BINARY, data, size);
    free(data);
    return result;
}

static void test_frames(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    assert_int_equal(swale_conn_send_text(h.server.conn, "Hello"), 0);
    assert_int_equal(swale_conn_send(h.server.conn, SWALE_BINARY, NULL, 0), 0);
    assert_int_equal(send_bytes(&h, 125), 0);
    assert_int_equal(send_bytes(&h, 126), 0);
    assert_int_equal(send_bytes(&h, 65535), 0); /* above high water, but it can leave at once */
    assert_int_equal(send_bytes(&h, 65536), SWALE_FULL);
    test_loop_settle(&h.loop);
    const char *heard = harness_heard(&h);
    static const size_t sizes[] = { 125, 126, 65535, 65536 };
    assert_memory_equal(heard, "text:Hello bin: bin:[125]", 25);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char word[40], *data = noise(sizes[i]);
        snprintf(word, sizeof word, " bin:[%zu]%08x ", sizes[i], (unsigned)checksum(data, sizes[i]));
        assert_non_null(strstr(heard, word));
        free(data);
    }
    assert_memory_equal(h.raw.heard, "\x81\x05Hello\x82\x00\x82\x7d", 11);
    assert_int_equal(counter(&h.counters[SWALE_SERVER].messages_out), 6);
    assert_int_equal(counter(&h.counters[SWALE_SERVER].bytes_out), 5 + 125 + 126 + 65535 + 65536);
    assert_int_equal(counter(&h.counters[SWALE_SERVER].wire_out), h.raw.size);
    harness_done(&h);
}

static void test_client_masks(void **state)
{
    (void)state;
    struct harness h;
    char *data = noise(200000);
    harness_init(&h, &(struct harness_options){ .raw_server = true });
    for (int i = 0; i < 2; i++)
        assert_int_equal(swale_conn_send_text(h.client.conn, "Hello"), 0);
    assert_true(swale_conn_send(h.client.conn, SWALE_BINARY, data, 200000) >= 0);
    assert_int_equal(swale_conn_ping(h.client.conn, swale_text("p")), SWALE_FULL);
    test_loop_settle(&h.loop);
    assert_int_equal((unsigned char)h.raw.heard[1], 0x85);
    assert_memory_not_equal(h.raw.heard + 2, h.raw.heard + 13, 4); /* a new mask for each frame */
    char expected[100];
    snprintf(expected, sizeof expected, "text:Hello text:Hello bin:[200000]%08x ping:p ",
             (unsigned)checksum(data, 200000));
    assert_string_equal(harness_heard(&h), expected);
    free(data);
    harness_done(&h);
}

/* All that is sent in a turn leaves in one write. */
static void test_one_write_a_turn(void **state)
{
    (void)state;
    struct harness h;
    struct swale_shared *shared;
    char *data = noise(1000);
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_BINARY, data, 1000), 0);
    harness_init(&h, &(struct harness_options){ .raw_client = true, .pair = { .in_flight = true } });
    for (int i = 0; i < 15; i++) { /* no more than one run of the reader takes */
        swale_conn_send_text(h.server.conn, "small");
        swale_conn_send(h.server.conn, SWALE_BINARY, data, 1000);
        swale_conn_send_shared(h.server.conn, shared);
    }
    assert_int_equal(h.raw.runs, 0);
    test_loop_settle(&h.loop);
    assert_int_equal(h.raw.runs, 1);
    assert_int_equal(h.raw.size, 15 * (7 + 2 * 1004));
    swale_shared_unref(shared);
    free(data);
    harness_done(&h);
}

static void test_refuses_bad_calls(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    struct swale_conn *conn = h.server.conn;
    assert_int_equal(swale_conn_send(conn, (enum swale_kind)0, "x", 1), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_send(conn, (enum swale_kind)8, "x", 1), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_send(conn, SWALE_TEXT, NULL, 1), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_send_with(conn, SWALE_TEXT, "x", 1, 2), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_send_part(conn, (enum swale_kind)3, "x", 1, true), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_send_part(conn, SWALE_TEXT, NULL, 1, true), SWALE_ERR_INVALID);
    char long_payload[126] = { 0 };
    assert_int_equal(swale_conn_ping(conn, swale_span(long_payload, 126)), SWALE_ERR_INVALID);
    test_loop_settle(&h.loop);
    assert_int_equal(h.raw.size, 0);
    assert_int_equal(swale_conn_ping(conn, swale_span(long_payload, 125)), 0);
    test_loop_settle(&h.loop);
    assert_int_equal(h.raw.size, 127);
    harness_done(&h);
}

/* ---- Parts ------------------------------------------------------------------------------------------ */

static void test_parts(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    struct swale_conn *conn = h.server.conn;
    struct swale_shared *shared;
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, "s", 1), 0);
    assert_int_equal(swale_conn_send_part(conn, SWALE_TEXT, "one", 3, false), 0);
    assert_int_equal(swale_conn_send_text(conn, "no"), SWALE_ERR_STATE);
    assert_int_equal(swale_conn_send_shared(conn, shared), SWALE_ERR_STATE);
    assert_int_equal(swale_conn_send_part(conn, SWALE_BINARY, "no", 2, false), SWALE_ERR_STATE);
    assert_int_equal(swale_conn_ping(conn, swale_text("p")), 0);
    assert_int_equal(swale_conn_send_part(conn, SWALE_TEXT, NULL, 0, false), 0);
    assert_int_equal(swale_conn_send_part(conn, SWALE_TEXT, "two", 3, true), 0);
    assert_int_equal(swale_conn_send_part(conn, SWALE_BINARY, "whole", 5, true), 0);
    assert_int_equal(swale_conn_send_text(conn, "yes"), 0);
    test_loop_settle(&h.loop);
    assert_string_equal(harness_heard(&h), "text-:one ping:p more-: more:two bin:whole text:yes ");
    assert_int_equal(counter(&h.counters[SWALE_SERVER].messages_out), 3);
    swale_shared_unref(shared);
    harness_done(&h);
}

/* A part that was refused, for room or for memory, may be tried again. */
static void test_parts_again(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                .limits = { .high_water = 1000, .max_queue = 5000 },
                                                .pair = { .capacity = 100 } });
    swale__stream_pause(h.raw.stream);
    struct swale_conn *conn = h.server.conn;
    char data[4000] = { 0 };
    assert_int_equal(swale_conn_send_part(conn, SWALE_BINARY, data, 4000, false), SWALE_FULL);
    assert_int_equal(swale_conn_send_part(conn, SWALE_BINARY, data, 4000, true), SWALE_ERR_QUEUE_FULL);
    assert_int_equal(swale_conn_send_part(conn, SWALE_BINARY, data, 4000, true), SWALE_ERR_QUEUE_FULL);
    swale__stream_resume(h.raw.stream);
    test_loop_settle(&h.loop);
    h.loop.memory.fail_at = h.loop.memory.allocations + 1;
    char *large = calloc(1, 30000);
    assert_int_equal(swale_conn_send_part(conn, SWALE_BINARY, large, 30000, true), -ENOMEM);
    assert_int_equal(swale_conn_send_part(conn, SWALE_BINARY, large, 30000, true), SWALE_FULL);
    test_loop_settle(&h.loop);
    assert_non_null(strstr(harness_heard(&h), "bin-:[4000]"));
    assert_non_null(strstr(harness_heard(&h), " more:[30000]"));
    assert_int_equal(h.raw.size, 4004 + 30004);
    free(large);
    harness_done(&h);
}

/* ---- Water marks ------------------------------------------------------------------------------------ */

/* Nobody reads: FULL above high water, refused above the maximum; drain once below half of high water. */
static void test_water_marks(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .limits = { .high_water = 10000, .max_queue = 30000 },
                                                    .pair = { .capacity = 1000, .in_flight = in_flight } });
        swale__stream_pause(h.raw.stream);
        size_t sent = 0;
        for (;;) {
            int result = send_bytes(&h, 996);
            if (result == SWALE_ERR_QUEUE_FULL)
                break;
            sent += 1000;
            test_loop_settle(&h.loop);
            assert_int_equal(result, swale_conn_queued(h.server.conn) > 10000 ? SWALE_FULL : 0);
            assert_true(swale_conn_queued(h.server.conn) <= 30000);
            assert_int_equal(counter(&h.counters[SWALE_SERVER].queued), swale_conn_queued(h.server.conn));
        }
        assert_int_equal(swale_conn_queued(h.server.conn), 30000);
        assert_int_equal(send_bytes(&h, 1), SWALE_ERR_QUEUE_FULL);
        assert_int_equal(swale_conn_ping(h.server.conn, swale_span(NULL, 0)), SWALE_ERR_QUEUE_FULL);
        assert_int_equal(h.server.calls[ON_DRAIN], 0);
        /* Each turn takes 1000 off. */
        swale__stream_resume(h.raw.stream);
        size_t least = SIZE_MAX;
        while (h.server.calls[ON_DRAIN] == 0) {
            least = swale_conn_queued(h.server.conn);
            assert_true(least > 4000);
            swale_loop_step(h.loop.loop, 0);
        }
        assert_true(least <= 7000);
        test_loop_settle(&h.loop);
        assert_int_equal(h.server.calls[ON_DRAIN], 1);
        assert_int_equal(h.raw.size, sent);
        harness_done(&h);
    }
}

/* A message of any size is taken while the queue is at or below high water. */
static void test_large_messages_are_taken(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                .limits = { .high_water = 10000, .max_queue = 30000 },
                                                .pair = { .capacity = 100 } });
    swale__stream_pause(h.raw.stream);
    assert_int_equal(send_bytes(&h, 9000), 0);
    assert_int_equal(send_bytes(&h, 1000000), SWALE_FULL);
    assert_int_equal(send_bytes(&h, 1), SWALE_ERR_QUEUE_FULL);
    swale__stream_resume(h.raw.stream);
    test_loop_settle(&h.loop);
    assert_int_equal(h.raw.size, 9004 + 1000010);
    harness_done(&h);
}

/* Short shared messages cost memory beyond their bytes: that is bounded too. */
static void test_memory_of_short_messages_is_bounded(void **state)
{
    (void)state;
    struct harness h;
    struct swale_shared *shared;
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, "x", 1), 0);
    harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                .limits = { .high_water = 100000, .max_queue = 200000 },
                                                .pair = { .capacity = 100 } });
    struct swale_subscriber *subscriber = swale_conn_subscriber(h.server.conn);
    assert_int_equal(subscriber->ops->deliver(subscriber, shared, 1), SWALE_DELIVERED);
    test_loop_settle(&h.loop);
    swale__stream_pause(h.raw.stream);
    size_t before = h.loop.memory.bytes, n = 1; /* what all queues have in common is there already */
    while (subscriber->ops->deliver(subscriber, shared, 1) >= 0 && n < 1000000)
        n++;
    assert_in_range(n, 1000, 100000);
    assert_true(h.loop.memory.bytes - before < 500000);
    swale__stream_resume(h.raw.stream);
    test_loop_settle(&h.loop);
    assert_int_equal(h.raw.size, 3 * n);
    swale_shared_unref(shared);
    harness_done(&h);
}

/* A turn in which much is sent to a peer that takes it is not told to wait. */
static void test_no_false_alarm(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .pair = { .capacity = 10 << 20 } });
    for (int i = 0; i < 100; i++)
        assert_int_equal(send_bytes(&h, 50000), 0);
    test_loop_settle(&h.loop);
    assert_int_equal(h.raw.size, 100 * 50004);
    assert_int_equal(h.server.calls[ON_DRAIN], 0);
    harness_done(&h);
}

/* ---- Reading stops while answers wait ---------------------------------------------------------------- */

/* A peer that sends and does not read is not served more than high water, and gets all in the end. */
static void test_echo_to_a_peer_that_does_not_read(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        size_t messages = 2000, size = 0;
        unsigned char mask[4] = { 5, 6, 7, 8 };
        char *script = malloc(messages * 1100), *data = noise(1000);
        for (size_t i = 0; i < messages; i++)
            size += put_frame(script + size, 0x82, data, 1000, mask);
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .echo = true,
                                                    .pair = { .capacity = 100000, .in_flight = in_flight } });
        swale__stream_pause(h.raw.stream);
        harness_send(&h, script, size);
        assert_true(h.raw.out_size > size / 2); /* it is not read either */
        assert_true(h.server.calls[ON_MESSAGE] < 300);
        assert_true(h.loop.memory.peak < 2 << 20);
        swale__stream_resume(h.raw.stream);
        test_loop_settle(&h.loop);
        assert_int_equal(h.server.calls[ON_MESSAGE], messages);
        assert_int_equal(h.raw.size, messages * 1004);
        assert_int_equal(h.server.sent >= 0, 1);
        free(script);
        free(data);
        harness_done(&h);
    }
}

/* The largest messages that are accepted can be echoed, several in a row. */
static void test_echo_of_the_largest(void **state)
{
    (void)state;
    struct harness h;
    unsigned char mask[4] = { 5, 6, 7, 8 };
    char *data = noise(1 << 20), *script = malloc(5 << 20);
    size_t size = 0;
    for (int i = 0; i < 4; i++)
        size += put_frame(script + size, 0x82, data, 1 << 20, mask);
    harness_init(&h, &(struct harness_options){ .raw_client = true, .echo = true });
    harness_send(&h, script, size);
    assert_int_equal(h.raw.size, 4 * ((1 << 20) + 10));
    free(data);
    free(script);
    harness_done(&h);
}

/* What a stream was given in one part, it may send from where it lies as long as the message is being handled. */
static struct {
    struct swale_span part;
    uint32_t checksum;
} lent[3];
static int lent_count;
static const struct swale__stream_ops *copying;

static void check_lent(void)
{
    for (int i = 0; i < lent_count; i++)
        assert_int_equal(checksum(lent[i].part.data, lent[i].part.size), lent[i].checksum);
}

static ptrdiff_t lend(struct swale__stream *stream, const struct iovec *parts, int count)
{
    if (count == 1 && parts->iov_len > 4096 && lent_count < 3) {
        lent[lent_count].part = swale_span(parts->iov_base, parts->iov_len);
        lent[lent_count++].checksum = checksum(parts->iov_base, parts->iov_len);
    }
    return copying->write(stream, parts, count);
}

static unsigned loans;

static void send_three(struct observer *observer)
{
    struct swale_span message = observer->message;
    lent_count = 0;
    assert_true(swale_conn_send(observer->conn, SWALE_BINARY, message.data, message.size) >= 0);
    assert_true(swale_conn_send(observer->conn, SWALE_BINARY, message.data, message.size - message.size / 4) >= 0);
    assert_true(swale_conn_send(observer->conn, SWALE_BINARY, message.data + 1, message.size - 1) >= 0);
    check_lent();
    loans += (unsigned)lent_count;
    lent_count = 0;
}

/* What is sent back as it came leaves with its header over the one that it came with: once, for what is sent of it a
 * second time has another header; and wherever the first one has come in two pieces, or behind another message. */
static void test_sent_back_as_it_came(void **state)
{
    (void)state;
    unsigned char mask[4] = { 5, 6, 7, 8 };
    static const size_t sizes[] = { 10000, 16000, 70000 };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t size = sizes[i], total = 0;
        char *data = noise(size), *script = malloc(3 * size), *expected = malloc(4 * size);
        size_t first = put_frame(script, 0x82, "ab", 2, mask);
        size_t script_size = first + put_frame(script + first, 0x82, data, size, mask);
        total += put_frame(expected + total, 0x82, "ab", 2, NULL);
        total += put_frame(expected + total, 0x82, "ab", 2, NULL);
        total += put_frame(expected + total, 0x82, "b", 1, NULL);
        total += put_frame(expected + total, 0x82, data, size, NULL);
        total += put_frame(expected + total, 0x82, data, size - size / 4, NULL);
        total += put_frame(expected + total, 0x82, data + 1, size - 1, NULL);
        for (size_t split = 0; split < first + SWALE_HEADER_MAX + 2; split++) {
            struct harness h;
            harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                        .pair = { .capacity = 1 << 20 },
                                                        .act = { [ON_MESSAGE] = send_three } });
            copying = h.ends[0]->ops;
            struct swale__stream_ops lending = *copying;
            lending.write = lend;
            h.ends[0]->ops = &lending;
            if (split > 0)
                harness_send(&h, script, split);
            harness_send(&h, script + split, script_size - split);
            assert_int_equal(h.raw.size, total);
            assert_memory_equal(h.raw.heard, expected, total);
            h.ends[0]->ops = copying;
            harness_done(&h);
        }
        assert_true(loans > 0);
        free(data);
        free(script);
        free(expected);
    }
}

/* What a client sends in answer to bulk arrives masked, and in order, however little the stream takes at a time. */
static void test_client_echoes_bulk(void **state)
{
    static const size_t sizes[] = { 8191, 8192, 16384, SWALE__SCRATCH_SIZE, SWALE__SCRATCH_SIZE + 1 };
    static const struct swale__pair_options pairs[] = { { 0 }, { .capacity = 1000 }, { .in_flight = true } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(pairs); i++) {
        struct harness h;
        size_t bulk = sizes[i / COUNT_OF(pairs)];
        char *data = noise(bulk), *script = malloc(2 * bulk + 100), expected[100];
        size_t size = put_frame(script, 0x82, data, bulk, NULL);
        size += put_frame(script + size, 0x81, "Hello", 5, NULL);
        size += put_frame(script + size, 0x82, data, bulk, NULL);
        harness_init(&h, &(struct harness_options){ .raw_server = true, .pair = pairs[i % COUNT_OF(pairs)] });
        h.client.echo = true;
        harness_send(&h, script, size);
        unsigned sum = (unsigned)checksum(data, bulk);
        snprintf(expected, sizeof expected, "bin:[%zu]%08x text:Hello bin:[%zu]%08x ", bulk, sum, bulk, sum);
        assert_string_equal(harness_heard(&h), expected);
        assert_memory_not_equal(h.raw.heard + 8, data, 100);
        free(data);
        free(script);
        harness_done(&h);
    }
}

/* A message for which there is no memory is refused, also when the stream would have taken a part of it. */
static void test_without_memory_nothing_leaves(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 4; n++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true, .pair = { .capacity = 1000 } });
        h.loop.memory.fail_at = h.loop.memory.allocations + n;
        int result = send_bytes(&h, 200000);
        test_loop_settle(&h.loop);
        if (n == 1) {
            assert_int_equal(result, -ENOMEM);
            assert_int_equal(h.raw.size, 0);
            assert_int_equal(send_bytes(&h, 200000), SWALE_FULL);
            test_loop_settle(&h.loop);
            assert_int_equal(h.raw.size, 200010);
        } else if (n == 2) { /* it was the pair's */
            assert_int_equal(result, 0);
            assert_int_equal(h.server.close.reason, SWALE_ERR_RESET);
        } else {
            assert_int_equal(result, SWALE_FULL);
            assert_int_equal(h.raw.size, 200010);
        }
        harness_done(&h);
    }
}

static void send_more(struct observer *observer)
{
    char data[20000] = { 0 };
    unsigned *left = observer->context;
    while (*left > 0) {
        --*left;
        if (swale_conn_send(observer->conn, SWALE_BINARY, data, sizeof data) == SWALE_FULL)
            return;
    }
}

/* A source that sends whenever it may gets everything through, in turns that end. */
static void test_source_driven_by_drain(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        unsigned left = 1000;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .act = { [ON_DRAIN] = send_more },
                                                    .pair = { .capacity = 100000, .in_flight = in_flight } });
        h.server.context = &left;
        send_more(&h.server);
        test_loop_settle(&h.loop);
        assert_int_equal(left, 0);
        assert_int_equal(h.raw.size, 1000 * 20004);
        assert_true(h.server.calls[ON_DRAIN] > 100);
        assert_true(h.loop.memory.peak < 2 << 20);
        harness_done(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_client_masks),
        cmocka_unit_test(test_one_write_a_turn),
        cmocka_unit_test(test_refuses_bad_calls),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_again),
        cmocka_unit_test(test_water_marks),
        cmocka_unit_test(test_large_messages_are_taken),
        cmocka_unit_test(test_memory_of_short_messages_is_bounded),
        cmocka_unit_test(test_no_false_alarm),
        cmocka_unit_test(test_echo_to_a_peer_that_does_not_read),
        cmocka_unit_test(test_echo_of_the_largest),
        cmocka_unit_test(test_sent_back_as_it_came),
        cmocka_unit_test(test_client_echoes_bulk),
        cmocka_unit_test(test_without_memory_nothing_leaves),
        cmocka_unit_test(test_source_driven_by_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
