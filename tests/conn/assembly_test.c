#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const unsigned char mask[4] = { 1, 2, 3, 4 };

static char *word_for(const char *kind, const char *data, size_t size)
{
    static char word[200];
    snprintf(word, sizeof word, "%s:[%zu]%08x ", kind, size, (unsigned)checksum(data, size));
    return word;
}

/* A large message in frames and runs of any size arrives as one. */
static void test_assembles(void **state)
{
    (void)state;
    static const size_t chunks[] = { 0, 1000, 4096, 5003 }, frames[] = { 300000, 70000, 1000, 90 };
    char *data = noise(300000);
    for (size_t c = 0; c < COUNT_OF(chunks); c++) {
        for (size_t f = 0; f < COUNT_OF(frames); f++) {
            struct harness h;
            char *script = malloc(400000);
            size_t size = 0;
            for (size_t at = 0; at < 300000; at += frames[f]) {
                size_t n = 300000 - at < frames[f] ? 300000 - at : frames[f];
                int byte0 = (at == 0 ? 2 : 0) | (at + n == 300000 ? 0x80 : 0);
                size += put_frame(script + size, byte0, data + at, n, mask);
            }
            harness_init(&h, &(struct harness_options){ .raw_client = true, .pair = { .chunk = chunks[c] } });
            harness_send(&h, script, size);
            harness_send(&h, script, size);
            char expected[300] = "open ";
            strcat(expected, word_for("bin", data, 300000));
            strcat(expected, word_for("bin", data, 300000));
            assert_string_equal(h.server.log, expected);
            free(script);
            harness_done(&h);
        }
    }
    free(data);
}

/* Text is checked on its way into place: in one long frame, and cut anywhere near its fault. */
static void test_text_breaks_on_its_way(void **state)
{
    (void)state;
    char *text = malloc(20000), *script = malloc(20020);
    memset(text, 'x', 20000);
    text[12000] = (char)0xff;
    size_t size = put_frame(script, 0x81, text, 20000, mask);
    for (size_t cut = 1; cut<size; cut += cut> 11950 && cut < 12060 ? 1 : 3001) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true });
        harness_send(&h, script, cut);
        harness_send(&h, script + cut, size - cut);
        assert_string_equal(h.server.log, "open close:utf8:1006: ");
        harness_done(&h);
    }
    free(script);
    free(text);
}

/* A client's messages take the same way, with no mask to take off. */
static void test_client_assembles(void **state)
{
    (void)state;
    char *data = noise(300000), *script = malloc(300020), expected[300] = "open ";
    strcat(expected, word_for("bin", data, 300000));
    size_t size = put_frame(script, 0x82, data, 300000, NULL);
    for (size_t chunk = 0; chunk < 30000; chunk = 3 * chunk + 1000) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_server = true, .pair = { .chunk = chunk } });
        harness_send(&h, script, size);
        assert_string_equal(h.client.log, expected);
        harness_done(&h);
    }
    free(script);
    free(data);
}

/* Of the allocations that putting together takes, each fails in its turn. A long frame has another try in it. */
static void test_memory_fails_while_assembling(void **state)
{
    (void)state;
    static const size_t frames[] = { 200000, 1000 };
    char *data = noise(200000), *script = malloc(210000), whole[300] = "open ";
    strcat(whole, word_for("bin", data, 200000));
    for (size_t f = 0; f < COUNT_OF(frames); f++) {
        size_t size = 0, failed = 0;
        for (size_t at = 0; at < 200000; at += frames[f]) {
            int byte0 = (at == 0 ? 2 : 0) | (at + frames[f] == 200000 ? 0x80 : 0);
            size += put_frame(script + size, byte0, data + at, frames[f], mask);
        }
        for (uint64_t n = 1; n < 12; n++) {
            struct harness h;
            harness_init(&h, &(struct harness_options){ .raw_client = true });
            harness_send(&h, script, 10);
            h.loop.memory.fail_at = h.loop.memory.allocations + n;
            harness_send(&h, script + 10, size - 10);
            bool closed = strncmp(h.server.log, "open close:no-memory:", 21) == 0;
            assert_true(closed || h.raw.failure == -ENOMEM || strcmp(h.server.log, whole) == 0);
            failed += closed;
            harness_done(&h);
        }
        assert_int_equal(failed > 0, frames[f] == 1000);
    }
    free(script);
    free(data);
}

/* What is announced is believed in measure only. */
static void test_announcement_alone_costs_little(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    harness_frame(&h, 0x81, "warm", 4);
    size_t before = h.loop.memory.bytes;
    char header[64] = "\x82\xff\x00\x00\x00\x00\x00\x0f\xff\xff\x00\x00\x00\x00";
    harness_send(&h, header, 14 + 10); /* a MiB, and ten bytes of it */
    assert_in_range(h.loop.memory.bytes - before, 1, 8192);
    char *data = calloc(1, 100000);
    harness_send(&h, data, 100000);
    assert_in_range(h.loop.memory.bytes - before, 100000, 400000);
    free(data);
    harness_done(&h);
}

/* Nor do those who announce much get the blocks that large messages have just left. */
static void test_announcements_beside_large_messages(void **state)
{
    (void)state;
    enum { PEERS = 50, LARGE = 1 << 20, HEARD = 100 };
    static struct observer observers[PEERS];
    static struct recorder peers[PEERS];
    struct harness h;
    char *data = noise(LARGE), *script = malloc(LARGE + 20);
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    for (int i = 0; i < PEERS; i++)
        recorder_begin(&peers[i], harness_another(&h, &observers[i], false, NULL));
    test_loop_settle(&h.loop);
    put_frame(script, 0x82, data, LARGE, mask);
    for (int warm = 0; warm < 5; warm++)
        harness_frame(&h, 0x82, data, LARGE);
    size_t before = h.loop.memory.bytes;
    for (int i = 0; i < PEERS; i++) {
        recorder_send(&peers[i], script, 14 + HEARD);
        test_loop_settle(&h.loop);
        harness_frame(&h, 0x82, data, LARGE);
    }
    assert_int_equal(h.server.calls[ON_MESSAGE], PEERS + 5);
    assert_in_range(h.loop.memory.bytes - before, PEERS * HEARD, PEERS * 10000);
    for (int i = 0; i < PEERS; i++)
        recorder_end(&peers[i]);
    test_loop_settle(&h.loop);
    for (int i = 0; i < PEERS; i++)
        observer_done(&observers[i]);
    free(script);
    free(data);
    harness_done(&h);
}

/* Many small fragments are copied a bounded number of times: the block doubles. */
static void test_fragments_grow_by_doubling(void **state)
{
    (void)state;
    struct harness h;
    char *script = malloc(100000);
    size_t size = put_frame(script, 0x02, "x", 1, mask);
    for (int i = 0; i < 4000; i++)
        size += put_frame(script + size, 0x00, "y", 1, mask);
    size += put_frame(script + size, 0x80, "z", 1, mask);
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    uint64_t before = h.loop.memory.allocations;
    harness_send(&h, script, size);
    assert_int_equal(h.server.received, 4002);
    assert_true(h.loop.memory.allocations - before < 30);
    free(script);
    harness_done(&h);
}

static void test_blocks_are_used_again(void **state)
{
    (void)state;
    struct harness h;
    uint64_t warm = 0;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    for (int i = 0; i < 100; i++) {
        warm = i == 3 ? h.loop.memory.allocations : warm;
        harness_frame(&h, 0x01, "first half, ", 12);
        harness_frame(&h, 0x80, "second half", 11);
    }
    assert_int_equal(h.loop.memory.allocations, warm);
    assert_int_equal(h.server.calls[ON_MESSAGE], 100);
    harness_done(&h);
}

static void test_streaming_handler_gets_parts(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .parts = true });
    harness_frame(&h, 0x81, "whole", 5);
    harness_frame(&h, 0x01, "one", 3);
    harness_frame(&h, 0x89, "p", 1);
    harness_frame(&h, 0x00, "two", 3);
    harness_frame(&h, 0x80, "", 0);
    harness_frame(&h, 0x82, "", 0);
    assert_string_equal(h.server.log, "open <text>:whole <text:one ping:p text:two text>: <bin>: ");
    assert_int_equal(counter(&h.counters[SWALE_SERVER].messages_in), 3);
    assert_int_equal(counter(&h.counters[SWALE_SERVER].bytes_in), 11);
    harness_done(&h);
}

/* Nothing is assembled for a handler that streams, nor for one that does not listen. */
static void test_streaming_needs_no_memory(void **state)
{
    (void)state;
    struct harness h;
    char *data = noise(1 << 20);
    harness_init(&h, &(struct harness_options){ .raw_client = true, .parts = true });
    harness_frame(&h, 0x82, data, 70000);
    size_t before = h.loop.memory.bytes;
    harness_frame(&h, 0x82, data, 1 << 20);
    assert_int_equal(h.server.received, 70000 + (1 << 20));
    assert_true(h.loop.memory.bytes <= before);
    free(data);
    harness_done(&h);
}

static void test_message_limit(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .limits = { .max_message = 10 } });
    harness_frame(&h, 0x82, "0123456789", 10);
    harness_frame(&h, 0x02, "01234", 5);
    harness_frame(&h, 0x80, "567890", 6);
    assert_string_equal(h.server.log, "open bin:0123456789 close:message-size:1006: ");
    assert_string_equal(harness_heard(&h), "close:1009:message-size ");
    harness_done(&h);
}

static void test_fragment_limit(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .limits = { .max_fragments = 3 } });
    harness_frame(&h, 0x02, "0", 1);
    harness_frame(&h, 0x00, "", 0);
    harness_frame(&h, 0x80, "1", 1);
    harness_frame(&h, 0x02, "0", 1);
    harness_frame(&h, 0x00, "1", 1);
    harness_frame(&h, 0x00, "2", 1);
    harness_frame(&h, 0x80, "3", 1);
    assert_string_equal(h.server.log, "open bin:01 close:fragment-count:1006: ");
    assert_string_equal(harness_heard(&h), "close:1008:fragment-count ");
    harness_done(&h);
}

static void abort_now(struct observer *observer)
{
    swale_conn_abort(observer->conn);
}

/* The block is not freed below the callback that reads it. */
static void test_abort_inside_an_assembled_message(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .act = { [ON_MESSAGE] = abort_now } });
    harness_frame(&h, 0x01, "one", 3);
    harness_frame(&h, 0x80, "two", 3);
    assert_string_equal(h.server.log, "open text:onetwo close:aborted:1006: ");
    harness_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assembles),
        cmocka_unit_test(test_text_breaks_on_its_way),
        cmocka_unit_test(test_client_assembles),
        cmocka_unit_test(test_memory_fails_while_assembling),
        cmocka_unit_test(test_announcement_alone_costs_little),
        cmocka_unit_test(test_announcements_beside_large_messages),
        cmocka_unit_test(test_fragments_grow_by_doubling),
        cmocka_unit_test(test_blocks_are_used_again),
        cmocka_unit_test(test_streaming_handler_gets_parts),
        cmocka_unit_test(test_streaming_needs_no_memory),
        cmocka_unit_test(test_message_limit),
        cmocka_unit_test(test_fragment_limit),
        cmocka_unit_test(test_abort_inside_an_assembled_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
