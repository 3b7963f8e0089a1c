/* A tap sees every header, however it is cut, and changes nothing. */
#include "test.h"

#include "client/tap.h"
#include "recorder.h"
#include "vloop.h"

#include <errno.h>
#include <stdio.h>

static struct test_loop loop;
static struct swale__stream *ends[2];
static struct recorder user, peer;
static char seen[1024];

static void on_trace(void *context, const struct swale_trace *trace)
{
    size_t size = strlen(seen);
    assert_ptr_equal(context, &loop);
    assert_true(trace->kind == SWALE_TRACE_FRAME_IN || trace->kind == SWALE_TRACE_FRAME_OUT);
    snprintf(seen + size, sizeof seen - size, "%s %d %llu%s%s %d\n",
             trace->kind == SWALE_TRACE_FRAME_IN ? "in" : "out", trace->opcode, (unsigned long long)trace->length,
             trace->fin ? " fin" : "", trace->masked ? " masked" : "", trace->rsv);
}

static void begin(const struct swale__pair_options *options)
{
    struct swale__stream *tap;
    test_loop_init(&loop);
    seen[0] = '\0';
    assert_int_equal(swale__pair(ends, loop.loop, options), 0);
    assert_int_equal(swale__tap_new(&tap, ends[0], &loop.allocator, on_trace, &loop), 0);
    recorder_begin(&user, tap);
    recorder_begin(&peer, ends[1]);
}

static void finish(void)
{
    recorder_end(&user);
    recorder_end(&peer);
    test_loop_done(&loop);
}

/* Frames of all shapes. */
static const char frames[] = "\x81\x02hi"       /* text */
                             "\x02\x00"         /* the beginning of a binary one, empty */
                             "\x89\x80mask"     /* an empty ping, masked */
                             "\x80\x7e\x00\x80" /* its end, 128 bytes */
                             "0123456789012345678901234567890123456789012345678901234567890123"
                             "0123456789012345678901234567890123456789012345678901234567890123"
                             "\xc1\x83mask123" /* compressed, masked */
                             "\xb8\x01x"       /* reserved bits of all kinds */
                             "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00payload, in part";

static const char story[] = "%s 1 2 fin 0\n"
                            "%s 2 0 0\n"
                            "%s 9 0 fin masked 0\n"
                            "%s 0 128 fin 0\n"
                            "%s 1 3 fin masked 4\n"
                            "%s 8 1 fin 3\n"
                            "%s 2 65536 fin 0\n";

static void expect(const char *way)
{
    char expected[1024];
    snprintf(expected, sizeof expected, story, way, way, way, way, way, way, way);
    assert_string_equal(seen, expected);
}

static void frames_are_seen_in_every_way(void **state)
{
    (void)state;
    for (size_t chunk = 0; chunk < 40; chunk++) {
        for (unsigned in_flight = 0; in_flight < 2; in_flight++) {
            /* Room for a few bytes only makes writes short. */
            struct swale__pair_options options = { .chunk = chunk, .in_flight = in_flight, .capacity = chunk };
            begin(&options);
            recorder_send(&peer, frames, sizeof frames - 1);
            test_loop_settle(&loop);
            expect("in");
            assert_int_equal(user.size, sizeof frames - 1);
            assert_memory_equal(user.heard, frames, user.size);
            seen[0] = '\0';
            recorder_send(&user, frames, sizeof frames - 1);
            test_loop_settle(&loop);
            expect("out");
            assert_int_equal(peer.size, sizeof frames - 1);
            assert_memory_equal(peer.heard, frames, peer.size);
            finish();
        }
    }
}

static void early_bytes_count(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof frames; cut++) {
        begin(NULL);
        swale__tap_early(user.stream, swale_span(frames, cut));
        recorder_send(&peer, frames + cut, sizeof frames - 1 - cut);
        test_loop_settle(&loop);
        expect("in");
        finish();
    }
}

static void what_is_no_frame_is_not_read_on(void **state)
{
    static const char bad[] = "\x81\x7e\x00\x01x\x81\x00"; /* a length of 1 in 16 bits */
    (void)state;
    begin(NULL);
    recorder_send(&peer, bad, sizeof bad - 1);
    test_loop_settle(&loop);
    assert_string_equal(seen, "");
    assert_int_equal(user.size, sizeof bad - 1);
    finish();
}

static void a_mute_tap_passes_on(void **state)
{
    (void)state;
    begin(NULL);
    recorder_send(&peer, "\x81\x02h", 3);
    test_loop_settle(&loop);
    assert_string_equal(seen, "in 1 2 fin 0\n");
    swale__tap_mute(user.stream);
    recorder_send(&peer, "i\x81\x00", 3);
    recorder_send(&user, "\x81\x00", 2);
    test_loop_settle(&loop);
    assert_string_equal(seen, "in 1 2 fin 0\n");
    assert_int_equal(user.size, 6);
    assert_int_equal(peer.size, 2);
    finish();
}

static void ends_and_failures_pass(void **state)
{
    struct swale_peer description;
    (void)state;
    begin(NULL);
    swale__stream_describe(user.stream, &description);
    assert_memory_equal(description.address.data, "memory", 6);
    swale__stream_shutdown(user.stream);
    test_loop_settle(&loop);
    assert_int_equal(peer.ends, 1);
    swale__stream_shutdown(peer.stream);
    test_loop_settle(&loop);
    assert_int_equal(user.ends, 1);
    finish();

    begin(NULL);
    swale__stream_pause(user.stream);
    recorder_send(&peer, "\x81\x00", 2);
    test_loop_settle(&loop);
    assert_string_equal(seen, "");
    swale__stream_resume(user.stream);
    test_loop_settle(&loop);
    assert_string_equal(seen, "in 1 0 fin 0\n");
    recorder_close(&peer, true);
    test_loop_settle(&loop);
    assert_int_equal(user.failure, -ECONNRESET);
    finish();
}

static void it_may_be_closed_in_a_callback(void **state)
{
    (void)state;
    struct recorder *both[] = { &user, &peer };
    begin(NULL);
    user.close = both;
    user.close_count = 2;
    recorder_send(&peer, frames, sizeof frames - 1);
    test_loop_settle(&loop);
    finish();
}

static void without_memory_the_lower_stream_goes(void **state)
{
    struct swale__stream *tap;
    (void)state;
    test_loop_init(&loop);
    assert_int_equal(swale__pair(ends, loop.loop, NULL), 0);
    recorder_begin(&peer, ends[1]);
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale__tap_new(&tap, ends[0], &loop.allocator, on_trace, &loop), -ENOMEM);
    test_loop_settle(&loop);
    assert_int_equal(peer.failure, -ECONNRESET);
    recorder_end(&peer);
    test_loop_done(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_seen_in_every_way),
        cmocka_unit_test(early_bytes_count),
        cmocka_unit_test(what_is_no_frame_is_not_read_on),
        cmocka_unit_test(a_mute_tap_passes_on),
        cmocka_unit_test(ends_and_failures_pass),
        cmocka_unit_test(it_may_be_closed_in_a_callback),
        cmocka_unit_test(without_memory_the_lower_stream_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
