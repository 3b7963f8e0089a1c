#include "harness.h"

#include "conn/state.h"

#include <stdio.h>
#include <stdlib.h>

static const unsigned char mask[4] = { 3, 1, 4, 1 };

/* ---- Heartbeat -------------------------------------------------------------------------------------- */

static void test_heartbeat(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    test_loop_advance(&h.loop, 24999);
    assert_int_equal(h.raw.size, 0);
    test_loop_advance(&h.loop, 1);
    assert_string_equal(harness_heard(&h), "ping: ");
    harness_frame(&h, 0x8a, "", 0);
    test_loop_advance(&h.loop, 24999);
    assert_string_equal(harness_heard(&h), "ping: ");
    test_loop_advance(&h.loop, 1);
    assert_string_equal(harness_heard(&h), "ping: ping: ");
    test_loop_advance(&h.loop, 9999);
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    test_loop_advance(&h.loop, 1);
    assert_string_equal(h.server.log, "open pong: close:heartbeat:1006: ");
    assert_string_equal(harness_heard(&h), "ping: ping: close:1001:heartbeat ");
    assert_int_equal(counter(&h.counters[SWALE_SERVER].closed[swale_error_slot(SWALE_ERR_HEARTBEAT)]), 1);
    harness_done(&h);
}

/* The timer was set for the pong's deadline, and yet the next ping is due before that. */
static void test_pong_brings_the_next_ping_forward(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                .limits = { .ping_after_ms = 100, .gone_after_ms = 10000 } });
    for (int i = 0; i < 3; i++) {
        test_loop_advance(&h.loop, 100);
        harness_frame(&h, 0x8a, "", 0);
    }
    assert_string_equal(harness_heard(&h), "ping: ping: ping: ");
    test_loop_advance(&h.loop, 100);
    assert_string_equal(harness_heard(&h), "ping: ping: ping: ping: ");
    test_loop_advance(&h.loop, 9999);
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    test_loop_advance(&h.loop, 1);
    assert_int_equal(h.server.calls[ON_CLOSE], 1);
    harness_done(&h);
}

/* Any byte is a sign of life; the timer is not moved for it, and yet right. */
static void test_any_byte_is_life(void **state)
{
    (void)state;
    struct harness h;
    char frame[100];
    size_t size = put_frame(frame, 0x82, "0123456789", 10, mask);
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    for (size_t i = 0; i < size; i++) {
        test_loop_advance(&h.loop, 24000);
        harness_send(&h, frame + i, 1);
    }
    assert_int_equal(h.raw.size, 0);
    assert_string_equal(h.server.log, "open bin:0123456789 ");
    test_loop_advance(&h.loop, 25000);
    assert_string_equal(harness_heard(&h), "ping: ");
    harness_done(&h);
}

static void test_heartbeat_off(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .limits = { .ping_after_ms = SWALE_OFF } });
    test_loop_advance(&h.loop, 10000000);
    assert_int_equal(h.raw.size, 0);
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    harness_done(&h);
}

static void test_idle(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .limits = { .idle_ms = 60000 } });
    for (int i = 0; i < 5; i++) {
        test_loop_advance(&h.loop, 20000);
        harness_frame(&h, 0x89, "", 0); /* no message */
        if (i == 1)
            harness_frame(&h, 0x81, "m", 1);
    }
    assert_string_equal(h.server.log, "open ping: ping: text:m ping: ping: close:idle:1006: ");
    harness_done(&h);
}

/* While the application does not listen, silence says nothing. */
static void test_silence_while_paused(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    swale_conn_pause(h.server.conn);
    harness_frame(&h, 0x81, "kept", 4);
    test_loop_advance(&h.loop, 1000000);
    assert_int_equal(h.raw.size, 0);
    swale_conn_resume(h.server.conn);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open text:kept ");
    test_loop_advance(&h.loop, 35000);
    assert_int_equal(h.server.close.reason, SWALE_ERR_HEARTBEAT);
    harness_done(&h);
}

static void fill(struct harness *h)
{
    char data[5000] = { 0 };
    while (swale_conn_send(h->server.conn, SWALE_BINARY, data, sizeof data) >= 0)
        ;
}

/* A peer that takes nothing at all for as long as a peer may be silent is dropped; no frame could reach it. */
static void test_slow_reader(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .pair = { .capacity = 1000, .in_flight = in_flight } });
        swale__stream_pause(h.raw.stream);
        fill(&h);
        test_loop_advance(&h.loop, 34000);
        assert_int_equal(h.server.calls[ON_CLOSE], 0);
        test_loop_advance(&h.loop, 1000);
        assert_string_equal(h.server.log, "open close:slow-reader:1006: ");
        assert_int_equal(swale__conn_group_count(h.groups[SWALE_SERVER]), 0);
        harness_done(&h);
    }
}

/* One that takes a little now and then lives, though it sends nothing. */
static void test_slow_but_reading(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .pair = { .capacity = 1000, .in_flight = in_flight } });
        swale__stream_pause(h.raw.stream);
        fill(&h);
        for (int i = 0; i < 50; i++) {
            test_loop_advance(&h.loop, 20000);
            h.raw.pause_on_data = true;
            swale__stream_resume(h.raw.stream);
            test_loop_settle(&h.loop);
        }
        assert_int_equal(h.server.calls[ON_CLOSE], 0);
        assert_int_equal(h.raw.size, 50000);
        swale__stream_resume(h.raw.stream);
        test_loop_settle(&h.loop);
        harness_done(&h);
    }
}

/* The queue of a peer that does not read is emptied by taking messages back: it gets a ping before it counts as
 * gone, though the silence before was long. */
static void test_silence_while_held_back_does_not_count(void **state)
{
    (void)state;
    struct harness h;
    struct swale_shared *shared;
    harness_init(&h, &(struct harness_options){
                         .raw_client = true, .limits = { .high_water = 10000 }, .pair = { .capacity = 100 } });
    struct swale_subscriber *subscriber = swale_conn_subscriber(h.server.conn);
    char data[6000] = { 0 };
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_BINARY, data, sizeof data), 0);
    swale__stream_pause(h.raw.stream);
    swale_conn_send(h.server.conn, SWALE_BINARY, data, 1000);
    test_loop_settle(&h.loop);
    while (subscriber->ops->deliver(subscriber, shared, 1) == SWALE_DELIVERED)
        ;
    swale_shared_unref(shared);
    test_loop_advance(&h.loop, 30000);
    assert_true(subscriber->ops->drop(subscriber, 1, true) > 0);
    test_loop_advance(&h.loop, 6000); /* 36 s since the last sign of life */
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    swale__stream_resume(h.raw.stream);
    test_loop_advance(&h.loop, 24000);
    assert_non_null(strstr(harness_heard(&h), " ping: "));
    harness_frame(&h, 0x8a, "", 0);
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    harness_done(&h);
}

/* ---- The echo path ---------------------------------------------------------------------------------- */

/* No allocation per message once warm, whatever the size up to 16 KiB, alone or many in a run. */
static void test_echo_does_not_allocate(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 20, 125, 126, 1000, 4096, 16384 };
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            struct harness h;
            char *data = noise(sizes[s]), *script = malloc(32 * (sizes[s] + 14));
            size_t one = put_frame(script, 0x82, data, sizes[s], mask), many = 0;
            harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                        .echo = true,
                                                        .pair = { .capacity = 1 << 20, .in_flight = in_flight } });
            uint64_t warm = 0;
            for (int i = 0; i < 1000; i++) {
                if (i == 10)
                    warm = h.loop.memory.allocations;
                if (i % 32 == 0) {
                    many = 0;
                    for (int n = 0; n < 32; n++)
                        many += put_frame(script + many, 0x82, data, sizes[s], mask);
                }
                recorder_send(&h.raw, script, i % 32 == 0 && sizes[s] < 2000 ? many : one);
                test_loop_settle(&h.loop);
            }
            assert_int_equal(h.loop.memory.allocations, warm);
            assert_true(h.server.calls[ON_MESSAGE] >= 1000);
            free(script);
            free(data);
            harness_done(&h);
        }
    }
}

/* Nor does one that is put together, and of which the stream does not take all at once. */
static void test_large_echo_does_not_allocate(void **state)
{
    (void)state;
    enum { LARGE = 1 << 20 };
    char *data = noise(LARGE), *script = malloc(LARGE + 14);
    size_t size = put_frame(script, 0x82, data, LARGE, mask);
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .echo = true,
                                                    .pair = { .capacity = 300000, .in_flight = in_flight } });
        uint64_t warm = 0;
        for (int i = 0; i < 20; i++) {
            if (i == 10)
                warm = h.loop.memory.allocations;
            recorder_send(&h.raw, script, size);
            test_loop_settle(&h.loop);
        }
        assert_int_equal(h.loop.memory.allocations, warm);
        assert_int_equal(h.server.calls[ON_MESSAGE], 20);
        assert_int_equal(h.raw.size, 20 * (LARGE + 10));
        harness_done(&h);
    }
    free(script);
    free(data);
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

static size_t pair_size(struct harness *h)
{
    struct swale__stream *pair[2];
    size_t before = h->loop.memory.bytes;
    assert_int_equal(swale__pair(pair, h->loop.loop, NULL), 0);
    size_t size = h->loop.memory.bytes - before;
    swale__stream_close(pair[0], false);
    swale__stream_close(pair[1], false);
    test_loop_settle(&h->loop);
    return size;
}

/* A connection at rest, all included; of many, so that what the pools keep and their blocks do not use counts for as
 * little as it does in a server. It rests again after it has been busy. */
static void test_size_of_an_idle_connection(void **state)
{
    (void)state;
    enum { COUNT = 500, BLOCKS = 2 * 16384 };
    static struct observer others[COUNT];
    static struct recorder far[COUNT];
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    size_t streams = pair_size(&h) * COUNT, before = h.loop.memory.bytes;
    for (size_t i = 0; i < COUNT; i++)
        recorder_begin(&far[i], harness_another(&h, &others[i], false, NULL));
    test_loop_settle(&h.loop);
    size_t most = sizeof(struct swale_conn) * COUNT + SWALE__READY_COUNT * sizeof(struct swale__busy) + BLOCKS;
    assert_in_range(h.loop.memory.bytes - before - streams, sizeof(struct swale_conn) * COUNT, most);
    for (size_t i = 0; i < COUNT; i++) {
        swale_conn_send_text(others[i].conn, "to each of you");
        assert_false(swale__conn_rests(others[i].conn));
    }
    test_loop_settle(&h.loop);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(swale__conn_rests(others[i].conn));
    for (size_t i = 0; i < COUNT; i++) {
        recorder_end(&far[i]);
        test_loop_settle(&h.loop);
        observer_done(&others[i]);
    }
    harness_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_pong_brings_the_next_ping_forward),
        cmocka_unit_test(test_any_byte_is_life),
        cmocka_unit_test(test_heartbeat_off),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_silence_while_paused),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_slow_but_reading),
        cmocka_unit_test(test_silence_while_held_back_does_not_count),
        cmocka_unit_test(test_echo_does_not_allocate),
        cmocka_unit_test(test_large_echo_does_not_allocate),
        cmocka_unit_test(test_size_of_an_idle_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
