#include "test.h"

#include "recorder.h"
#include "vloop.h"

#include <errno.h>

static struct test_loop loop;
static struct recorder a, b;
static char bytes[150000];

static void join(const struct swale__pair_options *options)
{
    test_loop_init(&loop);
    struct swale__stream *ends[2];
    assert_int_equal(swale__pair(ends, loop.loop, options), 0);
    recorder_begin(&a, ends[0]);
    recorder_begin(&b, ends[1]);
}

/* Closes what is still open; the memory of both must go. */
static void part(void)
{
    recorder_end(&a);
    recorder_end(&b);
    test_loop_done(&loop);
}

static void every_size_arrives_whole_both_ways(void **state)
{
    (void)state;
    size_t capacities[] = { 1, 7, 1000, 0 };
    size_t chunks[] = { 1, 3, 500, 0 };
    size_t sizes[] = { 1, 2, 100, 3000 };
    for (size_t i = 0; i < COUNT_OF(capacities) * COUNT_OF(chunks) * COUNT_OF(sizes) * 2; i++) {
        struct swale__pair_options options = { .capacity = capacities[i % 4],
                                               .chunk = chunks[i / 4 % 4],
                                               .in_flight = i / 64 };
        size_t size = sizes[i / 16 % 4];
        join(&options);
        recorder_send(&a, bytes, size);
        recorder_send(&b, bytes + 1000, size);
        test_loop_settle(&loop);
        assert_int_equal(b.size, size);
        assert_int_equal(a.size, size);
        assert_memory_equal(b.heard, bytes, size);
        assert_memory_equal(a.heard, bytes + 1000, size);
        if (options.chunk)
            assert_true(a.largest <= options.chunk && b.largest <= options.chunk);
        if (options.capacity)
            assert_true(a.largest <= options.capacity && b.largest <= options.capacity);
        assert_int_equal(a.out_size + b.out_size, 0);
        part();
    }
}

static void one_run_of_data_a_turn(void **state)
{
    (void)state;
    join(&(struct swale__pair_options){ .chunk = 10 });
    recorder_send(&a, bytes, 35);
    assert_int_equal(b.runs, 0);
    for (int turn = 1; turn <= 4; turn++) {
        assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
        assert_true(swale_loop_step(loop.loop, 0) > 0);
        assert_int_equal(b.runs, turn);
    }
    part();
}

static void a_full_end_goes_on_when_the_other_reads(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        join(&(struct swale__pair_options){ .capacity = 1000, .in_flight = in_flight });
        swale__stream_pause(b.stream);
        recorder_send(&a, bytes, 150000);
        test_loop_settle(&loop);
        assert_int_equal(b.size, 0);
        assert_int_equal(a.out_size, 149000);
        b.pause_on_data = true;
        swale__stream_resume(b.stream);
        test_loop_settle(&loop);
        assert_int_equal(b.size, 1000);
        assert_int_equal(a.out_size, 148000);
        swale__stream_resume(b.stream);
        test_loop_settle(&loop);
        assert_int_equal(b.size, 150000);
        assert_memory_equal(b.heard, bytes, 150000);
        assert_int_equal(a.writes, in_flight ? 1 : 150);
        part();
    }
}

static void a_write_in_flight_is_read_late(void **state)
{
    (void)state;
    join(&(struct swale__pair_options){ .in_flight = true });
    char text[] = "before";
    recorder_send(&a, text, 6);
    assert_int_equal(a.in_flight, 6);
    memcpy(text, "behind", 6);
    test_loop_settle(&loop);
    assert_int_equal(a.in_flight, 0);
    assert_memory_equal(b.heard, "behind", 6);
    part();
}

static void the_end_comes_once_behind_the_data(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        join(&(struct swale__pair_options){ .chunk = 1, .capacity = 20, .in_flight = in_flight });
        recorder_send(&a, bytes, 10);
        swale__stream_shutdown(a.stream);
        for (int turn = 0; turn < 10; turn++) {
            assert_int_equal(b.ends, 0);
            swale_loop_step(loop.loop, 0);
        }
        test_loop_settle(&loop);
        assert_int_equal(b.size, 10);
        assert_int_equal(b.ends, 1);
        swale__stream_resume(b.stream);
        test_loop_settle(&loop);
        assert_int_equal(b.ends, 1);
        /* Half closed: the other direction works. */
        recorder_send(&b, bytes, 15);
        test_loop_settle(&loop);
        assert_int_equal(a.size, 15);
        assert_int_equal(a.ends, 0);
        recorder_send(&a, bytes, 1);
        assert_int_equal(a.failure, -EPIPE);
        part();
    }
}

static void the_end_waits_for_a_write_in_flight(void **state)
{
    (void)state;
    join(&(struct swale__pair_options){ .capacity = 3, .in_flight = true });
    recorder_send(&b, bytes, 10); /* the first end acts before the second's bytes have moved at all */
    swale__stream_shutdown(b.stream);
    test_loop_settle(&loop);
    assert_int_equal(a.size, 10);
    assert_int_equal(a.ends, 1);
    part();
}

static void closing_in_order_is_an_end(void **state)
{
    (void)state;
    join(NULL);
    recorder_send(&a, bytes, 10);
    recorder_close(&a, false);
    test_loop_settle(&loop);
    assert_int_equal(b.size, 10);
    assert_int_equal(b.ends, 1);
    recorder_send(&b, bytes, 100000); /* more than the capacity; goes nowhere, as on a socket */
    assert_int_equal(b.out_size, 0);
    assert_int_equal(b.failure, 0);
    part();
}

static void aborting_fails_the_other_end(void **state)
{
    (void)state;
    join(NULL);
    recorder_send(&a, bytes, 10);
    recorder_close(&a, true);
    test_loop_settle(&loop);
    assert_int_equal(b.size, 0);
    assert_int_equal(b.ends, 0);
    assert_int_equal(b.failure, -ECONNRESET);
    part();
}

static void a_paused_end_hears_of_a_reset_when_it_resumes_or_writes(void **state)
{
    (void)state;
    for (int writes = 0; writes < 2; writes++) {
        join(NULL);
        swale__stream_pause(b.stream);
        recorder_close(&a, true);
        test_loop_settle(&loop);
        assert_int_equal(b.failure, 0);
        if (writes)
            recorder_send(&b, bytes, 1);
        else
            swale__stream_resume(b.stream);
        test_loop_settle(&loop);
        assert_int_equal(b.failure, -ECONNRESET);
        part();
    }
}

static void a_reset_fails_a_write_in_flight(void **state)
{
    (void)state;
    join(&(struct swale__pair_options){ .capacity = 10, .in_flight = true });
    swale__stream_pause(a.stream);
    swale__stream_pause(b.stream);
    recorder_send(&a, bytes, 100);
    test_loop_settle(&loop);
    assert_int_equal(a.in_flight, 90);
    recorder_close(&b, true);
    test_loop_settle(&loop);
    assert_int_equal(a.failure, -ECONNRESET);
    part();
}

/* Whatever callback closes whichever ends: the recorder checks that nothing is called afterwards, the sanitizer
 * that nothing is touched. */
static void any_callback_may_close_any_end(void **state)
{
    (void)state;
    struct recorder *ends[] = { &a, &b };
    for (int which = 0; which < 3; which++) {
        for (int when = 0; when < 8; when++) {
            join(&(struct swale__pair_options){ .capacity = 10, .in_flight = when & 4 });
            struct recorder *closer = when & 1 ? &a : &b;
            closer->close = which == 1 ? &ends[1] : ends;
            closer->close_count = which == 2 ? 2 : 1;
            if (when & 2)
                swale__stream_shutdown(closer == &a ? b.stream : a.stream); /* then in on_end */
            else
                recorder_send(&a, bytes, 100);
            test_loop_settle(&loop);
            assert_int_equal(closer->close_count, 0);
            part();
        }
    }
}

static void closed_ends_go_with_the_loop(void **state)
{
    (void)state;
    join(NULL);
    recorder_send(&a, bytes, 10);
    part(); /* with no further turn */
}

static void the_peer_is_called_memory(void **state)
{
    (void)state;
    join(NULL);
    struct swale_peer peer;
    swale__stream_describe(a.stream, &peer);
    assert_true(swale_span_equal(peer.address, swale_text("memory")));
    assert_int_equal(peer.port, 0);
    assert_false(peer.tls);
    part();
}

static void want_of_memory_kills_the_stream_only(void **state)
{
    (void)state;
    join(NULL);
    struct swale__stream *ends[2];
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale__pair(ends, loop.loop, NULL), -ENOMEM);
    loop.memory.fail_at = loop.memory.allocations + 1;
    recorder_send(&a, bytes, 10);
    assert_int_equal(a.failure, -ENOMEM);
    recorder_send(&b, bytes, 10);
    test_loop_settle(&loop);
    assert_int_equal(a.size, 0);
    part();

    join(&(struct swale__pair_options){ .in_flight = true });
    loop.memory.fail_at = loop.memory.allocations + 1;
    recorder_send(&a, bytes, 10);
    test_loop_settle(&loop);
    assert_int_equal(a.failure, -ENOMEM);
    part();
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_arrives_whole_both_ways),
        cmocka_unit_test(one_run_of_data_a_turn),
        cmocka_unit_test(a_full_end_goes_on_when_the_other_reads),
        cmocka_unit_test(a_write_in_flight_is_read_late),
        cmocka_unit_test(the_end_comes_once_behind_the_data),
        cmocka_unit_test(the_end_waits_for_a_write_in_flight),
        cmocka_unit_test(closing_in_order_is_an_end),
        cmocka_unit_test(aborting_fails_the_other_end),
        cmocka_unit_test(a_paused_end_hears_of_a_reset_when_it_resumes_or_writes),
        cmocka_unit_test(a_reset_fails_a_write_in_flight),
        cmocka_unit_test(any_callback_may_close_any_end),
        cmocka_unit_test(closed_ends_go_with_the_loop),
        cmocka_unit_test(the_peer_is_called_memory),
        cmocka_unit_test(want_of_memory_kills_the_stream_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
