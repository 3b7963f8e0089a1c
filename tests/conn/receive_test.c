#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "conn/state.h"

static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

/* A script of everything that a client may send, and what the application sees of it. */
static size_t put_script(char *out)
{
    char large[3000];
    size_t n = 0;
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)('a' + i % 26);
    n += put_frame(out + n, 0x81, "Hello", 5, mask);
    n += put_frame(out + n, 0x82, "", 0, mask);
    n += put_frame(out + n, 0x01, "Hel", 3, mask);
    n += put_frame(out + n, 0x89, "in between", 10, mask);
    n += put_frame(out + n, 0x00, "", 0, mask);
    n += put_frame(out + n, 0x80, "lo again", 8, mask);
    n += put_frame(out + n, 0x82, large, sizeof large, mask);
    n += put_frame(out + n, 0x8a, "unasked", 7, mask);
    n += put_frame(out + n, 0x89, large, 125, mask);
    n += put_frame(out + n, 0x81, "\xce\xba\xe1\xbd\xb9", 5, mask);
    n += put_frame(out + n, 0x88,
                   "\x03\xe8"
                   "bye",
                   5, mask);
    return n;
}

static const char script_log[] =
    "open text:Hello bin: ping:in between text:Hello again bin:[3000]d7d7c4ed pong:unasked ping:[125]c8630db0 "
    "text:\xce\xba\xe1\xbd\xb9 close:peer-closed:1000:clean:bye ";

static void test_every_chunk_size(void **state)
{
    (void)state;
    char script[4096];
    size_t size = put_script(script);
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        for (size_t chunk = 1; chunk <= size + 1; chunk += chunk < 200 ? 1 : 97) {
            struct harness h;
            harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                        .pair = { .chunk = chunk, .in_flight = in_flight } });
            harness_send(&h, script, size);
            assert_string_equal(h.server.log, script_log);
            assert_int_equal(counter(&h.counters[SWALE_SERVER].wire_in), size);
            assert_int_equal(counter(&h.counters[SWALE_SERVER].messages_in), 5);
            assert_int_equal(counter(&h.counters[SWALE_SERVER].bytes_in), 5 + 11 + 3000 + 5);
            harness_done(&h);
        }
    }
}

static void test_every_split(void **state)
{
    (void)state;
    char script[4096];
    size_t size = put_script(script);
    for (size_t split = 1; split < size; split += split < 150 || split > size - 400 ? 1 : 61) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true });
        harness_send(&h, script, split);
        harness_send(&h, script + split, size - split);
        assert_string_equal(h.server.log, script_log);
        harness_done(&h);
    }
}

/* A frame's beginning costs no memory; half a control frame costs its size, and nothing stays behind. The first round
 * warms up what belongs to the group and to the pair. */
static void test_idle_connection_owns_no_buffer(void **state)
{
    (void)state;
    struct harness h;
    char ping[200], message[300];
    char *payload = noise(256);
    size_t size = put_frame(ping, 0x89, payload, 125, mask);
    size_t whole = put_frame(message, 0x82, payload, 256, mask), bytes = 0;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    for (int round = 0; round < 2; round++) {
        harness_send(&h, message, 6);
        assert_true(round == 0 || h.loop.memory.bytes == bytes);
        harness_send(&h, message + 6, 2);
        harness_send(&h, message + 8, whole - 8);
        harness_send(&h, ping, 100);
        assert_true(round == 0 || (h.loop.memory.bytes > bytes && h.loop.memory.bytes <= bytes + 124));
        harness_send(&h, ping + 100, size - 100);
        assert_true(round == 0 || h.loop.memory.bytes == bytes);
        bytes = h.loop.memory.bytes;
    }
    assert_int_equal(h.server.received, 512);
    assert_int_equal(h.server.calls[ON_PING], 2);
    free(payload);
    harness_done(&h);
}

/* ---- Pauses ----------------------------------------------------------------------------------------- */

static void pause(struct observer *observer)
{
    swale_conn_pause(observer->conn);
}

/* All of it has arrived in one run; each message is delivered only once the pause behind the last one is over. */
static void test_pause_holds_back_what_has_arrived(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .act = { [ON_MESSAGE] = pause },
                                                    .pair = { .in_flight = in_flight } });
        char script[600], expected[600] = "open ";
        size_t size = 0, frames = 40;
        for (size_t i = 0; i < frames; i++) {
            char text[2] = { (char)('A' + i), 0 };
            size += put_frame(script + size, 0x81, text, 1, mask);
        }
        size += put_frame(script + size, 0x89, "p", 1, mask);
        harness_send(&h, script, size);
        for (size_t i = 0; i < frames; i++) {
            char word[10] = "text:A ";
            word[5] = (char)('A' + i);
            strcat(expected, word);
            assert_string_equal(h.server.log, expected);
            unsigned calls = h.server.calls[ON_MESSAGE];
            swale_conn_resume(h.server.conn);
            assert_int_equal(h.server.calls[ON_MESSAGE], calls); /* never from inside */
            test_loop_settle(&h.loop);
        }
        assert_string_equal(harness_heard(&h), "pong:p ");
        harness_done(&h);
    }
}

static void test_pause_stops_reading(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .pair = { .capacity = 1000 } });
    swale_conn_pause(h.server.conn);
    test_loop_settle(&h.loop);
    char *payload = noise(5000);
    harness_frame(&h, 0x82, payload, 5000);
    assert_int_equal(counter(&h.counters[SWALE_SERVER].wire_in), 0);
    assert_true(h.raw.out_size > 3000);
    swale_conn_resume(h.server.conn);
    swale_conn_pause(h.server.conn);
    swale_conn_resume(h.server.conn);
    test_loop_settle(&h.loop);
    assert_int_equal(h.server.received, 5000);
    free(payload);
    harness_done(&h);
}

static unsigned pauses;

static void count_pause(struct swale__stream *stream)
{
    (void)stream;
    pauses++;
}

/* A stream may hand out several runs in one turn: what a pause holds back is then no more than the rest of one. */
static void test_pause_reaches_the_stream_at_once(void **state)
{
    struct harness h;
    char room[64];
    (void)state;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .act = { [ON_MESSAGE] = pause } });
    const struct swale__stream_ops *before = h.ends[0]->ops;
    struct swale__stream_ops counting = *before;
    counting.pause = count_pause;
    h.ends[0]->ops = &counting;
    pauses = 0;
    size_t n = put_frame(room, 0x81, "one", 3, mask);
    h.ends[0]->user->on_data(h.ends[0]->context, room, n);
    assert_int_equal(pauses, 1);
    assert_string_equal(h.server.log, "open text:one ");
    h.ends[0]->ops = before;
    swale_conn_resume(h.server.conn);
    harness_done(&h);
}

/* The end of the stream is in line behind what a pause holds back. */
static void test_end_waits_for_what_was_held_back(void **state)
{
    (void)state;
    struct harness h;
    char script[100];
    harness_init(&h, &(struct harness_options){ .raw_client = true, .act = { [ON_MESSAGE] = pause } });
    size_t size = put_frame(script, 0x81, "one", 3, mask);
    size += put_frame(script + size, 0x81, "two", 3, mask);
    harness_send(&h, script, size);
    recorder_close(&h.raw, false);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open text:one ");
    h.server.act[ON_MESSAGE] = NULL;
    swale_conn_resume(h.server.conn);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open text:one text:two close:peer-gone:1006: ");
    harness_done(&h);
}

static void close_normally(struct observer *observer)
{
    assert_int_equal(swale_conn_close(observer->conn, 1000, "enough"), 0);
}

static void pause_and_close(struct observer *observer)
{
    swale_conn_pause(observer->conn);
    close_normally(observer);
}

/* What lies behind a pause is thrown away by a close, and the peer's close frame in it is found. */
static void test_close_looks_behind_a_pause(void **state)
{
    (void)state;
    struct harness h;
    char script[100];
    harness_init(&h, &(struct harness_options){ .raw_client = true, .act = { [ON_MESSAGE] = pause_and_close } });
    size_t size = put_frame(script, 0x81, "one", 3, mask);
    size += put_frame(script + size, 0x81, "two", 3, mask);
    size += put_frame(script + size, 0x88, "\x03\xe9", 2, mask);
    harness_send(&h, script, size);
    assert_string_equal(h.server.log, "open text:one close:local-closed:1001:clean: ");
    assert_string_equal(harness_heard(&h), "close:1000:enough ");
    harness_done(&h);
}

/* ---- Early bytes ------------------------------------------------------------------------------------ */

static void test_early_bytes_come_after_open(void **state)
{
    (void)state;
    char script[4096];
    size_t size = put_script(script);
    for (size_t early = 1; early <= size; early += early < 40 ? 1 : 173) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .early = swale_span(script, early),
                                                    .answer = swale_text("HTTP/1.1 101\r\n\r\n") });
        if (early < size)
            harness_send(&h, script + early, size - early);
        assert_string_equal(h.server.log, script_log);
        assert_int_equal(counter(&h.counters[SWALE_SERVER].wire_in), size); /* early bytes are bytes */
        assert_memory_equal(h.raw.heard, "HTTP/1.1 101\r\n\r\n", 16);
        harness_done(&h);
    }
}

static void test_early_bytes_wait_for_a_pause_in_on_open(void **state)
{
    (void)state;
    char script[100];
    size_t size = put_frame(script, 0x81, "early", 5, mask);
    struct harness h;
    harness_init(&h, &(struct harness_options){
                         .raw_client = true, .early = swale_span(script, size), .act = { [ON_OPEN] = pause } });
    assert_string_equal(h.server.log, "open ");
    swale_conn_resume(h.server.conn);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open text:early ");
    harness_done(&h);
}

/* The same with a peer that has ended its direction already. */
static void test_ended_before_it_was_opened(void **state)
{
    (void)state;
    char script[100];
    size_t size = put_frame(script, 0x81, "early", 5, mask);
    for (int paused = 0; paused < 2; paused++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .ended = true,
                                                    .echo = true,
                                                    .early = swale_span(script, size),
                                                    .act = { [ON_OPEN] = paused ? pause : NULL } });
        if (paused) {
            test_loop_advance(&h.loop, 100000);
            assert_string_equal(h.server.log, "open ");
            swale_conn_resume(h.server.conn);
            test_loop_settle(&h.loop);
        }
        assert_string_equal(h.server.log, "open text:early close:peer-gone:1006: ");
        assert_string_equal(harness_heard(&h), "text:early ");
        harness_done(&h);
    }
}

/* A stream may have bytes in hand when it is asked to pause (TLS): they wait behind those that wait already. */
static void test_bytes_that_come_in_spite_of_a_pause(void **state)
{
    (void)state;
    struct harness h;
    char script[256 + 400], expected[400] = "open ";
    harness_init(&h, &(struct harness_options){ .raw_client = true, .act = { [ON_MESSAGE] = pause } });
    size_t size = 0;
    for (char i = 'a'; i <= 'z'; i++) {
        char word[10];
        size += put_frame(script + 256 + size, 0x81, &i, 1, mask);
        snprintf(word, sizeof word, "text:%c ", i);
        strcat(expected, word);
    }
    for (size_t at = 0, n = 1; at < size; at += n, n = n % 13 + 1) {
        char run[256 + 16];
        n = size - at < n ? size - at : n;
        memcpy(run + 256, script + 256 + at, n);
        swale__conn_stream_user.on_data(h.server.conn, run + 256, n);
    }
    while (h.server.calls[ON_MESSAGE] < 26) {
        unsigned calls = h.server.calls[ON_MESSAGE];
        swale_conn_resume(h.server.conn);
        test_loop_settle(&h.loop);
        assert_int_equal(h.server.calls[ON_MESSAGE], calls + 1);
    }
    assert_string_equal(h.server.log, expected);
    harness_done(&h);
}

/* ---- Control frames --------------------------------------------------------------------------------- */

static void test_every_ping_is_answered_in_order(void **state)
{
    (void)state;
    struct harness h;
    char script[1000], expected[1000] = "";
    size_t size = 0;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .echo = true });
    for (char i = 'a'; i < 'k'; i++) {
        char word[10];
        size += put_frame(script + size, 0x89, &i, 1, mask);
        size += put_frame(script + size, 0x81, &i, 1, mask);
        sprintf(word, "pong:%c ", i);
        strcat(expected, word);
        sprintf(word, "text:%c ", i);
        strcat(expected, word);
    }
    harness_send(&h, script, size);
    assert_string_equal(harness_heard(&h), expected);
    assert_int_equal(counter(&h.counters[SWALE_SERVER].pings_in), 10);
    harness_done(&h);
}

/* Pings without end from a peer that reads nothing: reading stops when the pongs are above high water. They all come
 * once the peer reads again. */
static void test_ping_flood_unread(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .pair = { .capacity = 4096, .in_flight = in_flight } });
        swale__stream_pause(h.raw.stream);
        size_t flood = 4 << 20;
        char *pings = malloc(flood + 200);
        char payload[125] = { 0 };
        size_t size = 0, count = 0;
        for (; size < flood; count++)
            size += put_frame(pings + size, 0x89, payload, sizeof payload, mask);
        harness_send(&h, pings, size);
        assert_true(h.loop.memory.peak < 1 << 20);
        assert_true(swale_conn_queued(h.server.conn) <= (64 << 10) + 131);
        assert_true(h.raw.out_size > flood / 2);
        swale__stream_resume(h.raw.stream);
        test_loop_settle(&h.loop);
        assert_int_equal(h.raw.size, count * 127);
        free(pings);
        harness_done(&h);
    }
}

/* The same against a client, which goes on reading: its pongs stay within max_queue. */
static void test_ping_flood_unread_by_a_server(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){
                         .raw_server = true, .limits = { .max_queue = 100000 }, .pair = { .capacity = 4096 } });
    swale__stream_pause(h.raw.stream);
    size_t size = 0;
    char *pings = malloc((1 << 20) + 200), payload[125] = { 0 };
    while (size < 1 << 20)
        size += put_frame(pings + size, 0x89, payload, sizeof payload, NULL);
    harness_send(&h, pings, size);
    assert_int_equal(h.raw.out_size, 0);
    assert_in_range(swale_conn_queued(h.client.conn), 100000, 100000 + 131);
    free(pings);
    harness_done(&h);
}

/* ---- Rate ------------------------------------------------------------------------------------------- */

static void test_message_rate(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .limits = { .max_message_rate = 10 } });
    for (int second = 0; second < 3; second++) {
        for (int i = 0; i < 10; i++)
            harness_frame(&h, 0x81, "x", 1);
        assert_int_equal(h.server.calls[ON_MESSAGE], 10 * (second + 1));
        test_loop_advance(&h.loop, 1000);
    }
    for (int i = 0; i < 5; i++) {
        harness_frame(&h, 0x81, "x", 1);
        test_loop_advance(&h.loop, 100);
    }
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    for (int i = 0; i < 11; i++)
        harness_frame(&h, 0x81, "x", 1);
    assert_int_equal(h.server.close.reason, SWALE_ERR_MESSAGE_RATE);
    assert_int_equal(h.server.calls[ON_MESSAGE], 45);
    assert_non_null(strstr(harness_heard(&h), "close:1008:message-rate "));
    harness_done(&h);
}

/* A message in fragments is one; control frames do not count. */
static void test_fragments_and_pings_are_no_messages(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .limits = { .max_message_rate = 1 } });
    harness_frame(&h, 0x01, "a", 1);
    for (int i = 0; i < 100; i++) {
        harness_frame(&h, 0x00, "b", 1);
        harness_frame(&h, 0x89, "", 0);
    }
    harness_frame(&h, 0x80, "c", 1);
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    assert_int_equal(h.server.received, 102);
    harness_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_chunk_size),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_idle_connection_owns_no_buffer),
        cmocka_unit_test(test_pause_holds_back_what_has_arrived),
        cmocka_unit_test(test_pause_stops_reading),
        cmocka_unit_test(test_pause_reaches_the_stream_at_once),
        cmocka_unit_test(test_end_waits_for_what_was_held_back),
        cmocka_unit_test(test_close_looks_behind_a_pause),
        cmocka_unit_test(test_early_bytes_come_after_open),
        cmocka_unit_test(test_early_bytes_wait_for_a_pause_in_on_open),
        cmocka_unit_test(test_ended_before_it_was_opened),
        cmocka_unit_test(test_bytes_that_come_in_spite_of_a_pause),
        cmocka_unit_test(test_every_ping_is_answered_in_order),
        cmocka_unit_test(test_ping_flood_unread),
        cmocka_unit_test(test_ping_flood_unread_by_a_server),
        cmocka_unit_test(test_message_rate),
        cmocka_unit_test(test_fragments_and_pings_are_no_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
