#include "test.h"

#include "vloop.h"

#include "io/stream.h"
#include "io/turn.h"

#include <errno.h>
#include <stdlib.h>

/* ---- A user of one end, which writes down what it hears and sends what it is told to ------------------- */

struct user {
    struct swale__stream *stream;
    char heard[200000];
    size_t size;
    size_t largest; /* of one on_data */
    int runs, ends;
    int failure;
    bool echo;                   /* send back what comes */
    bool pause_on_data;          /* once */
    struct swale__stream *close; /* to be closed on the next callback */
    struct swale__stream *close_too;
    /* What is still to be sent. */
    const char *out;
    size_t out_size, in_flight;
    bool full;
    int writes;
};

static void close_as_told(struct user *user)
{
    if (user->close)
        swale__stream_close(user->close, false);
    if (user->close_too)
        swale__stream_close(user->close_too, false);
    user->close = user->close_too = NULL;
}

static void pump(struct user *user)
{
    if (user->full || user->in_flight > 0 || user->out_size == 0)
        return;
    /* In three parts, one of them empty, so that gathering is always tried. */
    size_t half = user->out_size / 2;
    struct iovec parts[] = { { (char *)user->out, half },
                             { NULL, 0 },
                             { (char *)user->out + half, user->out_size - half } };
    ptrdiff_t written = swale__stream_write(user->stream, parts, 3);
    user->writes++;
    if (written == SWALE__IN_FLIGHT) {
        user->in_flight = user->out_size;
        return;
    }
    assert_true(written >= 0);
    user->out += written;
    user->out_size -= (size_t)written;
    user->full = user->out_size > 0;
}

static void on_data(void *context, char *data, size_t size)
{
    struct user *user = context;
    assert_true(size > 0 && user->size + size <= sizeof user->heard);
    memcpy(user->heard + user->size, data, size);
    memset(data - SWALE__HEADROOM, 0xee, SWALE__HEADROOM + size); /* ours to overwrite */
    user->size += size;
    user->runs++;
    if (size > user->largest)
        user->largest = size;
    if (user->pause_on_data)
        swale__stream_pause(user->stream);
    user->pause_on_data = false;
    if (user->echo) {
        user->out = user->out_size > 0 ? user->out : user->heard + user->size - size;
        user->out_size += size;
        pump(user);
    }
    close_as_told(user);
}

static void on_written(void *context, size_t size)
{
    struct user *user = context;
    assert_true(size <= user->in_flight);
    assert_true(size > 0 || user->full);
    user->in_flight -= size;
    user->out += size;
    user->out_size -= size;
    if (size == 0)
        user->full = false;
    pump(user);
    close_as_told(user);
}

static void on_end(void *context)
{
    struct user *user = context;
    user->ends++;
    close_as_told(user);
}

static void on_fail(void *context, int error)
{
    struct user *user = context;
    assert_int_equal(user->failure, 0);
    user->failure = error;
    close_as_told(user);
}

static const struct swale__stream_user recorder = { on_data, on_written, on_end, on_fail };

/* ---- Two users, joined ------------------------------------------------------------------------------- */

static struct test_loop loop;
static struct user a, b;
static char bytes[150000];

static void join(const struct swale__pair_options *options)
{
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    test_loop_init(&loop);
    struct swale__stream *ends[2];
    assert_int_equal(swale__pair(ends, loop.loop, options), 0);
    a.stream = ends[0];
    b.stream = ends[1];
    swale__stream_use(a.stream, &recorder, &a);
    swale__stream_use(b.stream, &recorder, &b);
    swale__stream_resume(a.stream);
    swale__stream_resume(b.stream);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
}

static void send_from(struct user *user, size_t size)
{
    user->out = bytes;
    user->out_size = size;
    pump(user);
}

static void part(void)
{
    swale__stream_close(a.stream, false);
    swale__stream_close(b.stream, false);
    test_loop_settle(&loop);
    test_loop_done(&loop);
}

static void an_echo_comes_back_whole_at_every_size(void **state)
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
        b.echo = true;
        send_from(&a, size);
        test_loop_settle(&loop);
        assert_int_equal(b.size, size);
        assert_int_equal(a.size, size);
        assert_memory_equal(a.heard, bytes, size);
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
    send_from(&a, 35);
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
        send_from(&a, 150000);
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
    a.out = text;
    a.out_size = 6;
    pump(&a);
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
        send_from(&a, 10);
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
        send_from(&b, 15);
        test_loop_settle(&loop);
        assert_int_equal(a.size, 15);
        assert_int_equal(a.ends, 0);
        struct iovec part_of = { bytes, 1 };
        assert_int_equal(swale__stream_write(a.stream, &part_of, 1), -EPIPE);
        part();
    }
}

static void closing_in_order_is_an_end(void **state)
{
    (void)state;
    join(NULL);
    send_from(&a, 10);
    swale__stream_close(a.stream, false);
    test_loop_settle(&loop);
    assert_int_equal(b.size, 10);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.failure, 0);
    send_from(&b, 1000); /* goes nowhere, as on a socket */
    assert_int_equal(b.out_size, 0);
    swale__stream_close(b.stream, false);
    test_loop_settle(&loop);
    test_loop_done(&loop);
}

static void aborting_fails_the_other_end(void **state)
{
    (void)state;
    join(NULL);
    send_from(&a, 10);
    swale__stream_close(a.stream, true);
    test_loop_settle(&loop);
    assert_int_equal(b.size, 0);
    assert_int_equal(b.ends, 0);
    assert_int_equal(b.failure, -ECONNRESET);
    struct iovec part_of = { bytes, 1 };
    assert_int_equal(swale__stream_write(b.stream, &part_of, 1), -ECONNRESET);
    swale__stream_close(b.stream, false);
    test_loop_settle(&loop);
    test_loop_done(&loop);
}

static void a_paused_end_hears_of_a_reset_when_resumed(void **state)
{
    (void)state;
    join(NULL);
    swale__stream_pause(b.stream);
    swale__stream_close(a.stream, true);
    test_loop_settle(&loop);
    assert_int_equal(b.failure, 0);
    swale__stream_resume(b.stream);
    test_loop_settle(&loop);
    assert_int_equal(b.failure, -ECONNRESET);
    swale__stream_close(b.stream, false);
    test_loop_settle(&loop);
    test_loop_done(&loop);
}

static void a_reset_fails_a_write_in_flight(void **state)
{
    (void)state;
    join(&(struct swale__pair_options){ .capacity = 10, .in_flight = true });
    swale__stream_pause(a.stream);
    swale__stream_pause(b.stream);
    send_from(&a, 100);
    test_loop_settle(&loop);
    assert_int_equal(a.in_flight, 90);
    swale__stream_close(b.stream, true);
    test_loop_settle(&loop);
    assert_int_equal(a.failure, -ECONNRESET);
    swale__stream_close(a.stream, false);
    test_loop_settle(&loop);
    test_loop_done(&loop);
}

/* Whatever callback closes whichever ends, nothing is called or touched afterwards (the sanitizer watches). */
static void any_callback_may_close_any_end(void **state)
{
    (void)state;
    for (int which = 1; which < 4; which++) {
        for (int when = 0; when < 8; when++) {
            join(&(struct swale__pair_options){ .capacity = 10, .in_flight = when & 4 });
            struct user *closer = when & 1 ? &a : &b;
            closer->close = which & 1 ? a.stream : NULL;
            closer->close_too = which & 2 ? b.stream : NULL;
            if (when & 2)
                swale__stream_shutdown(closer == &a ? b.stream : a.stream); /* then in on_end */
            else
                send_from(&a, 100);
            test_loop_settle(&loop);
            assert_null(closer->close);
            assert_null(closer->close_too);
            size_t seen = a.size + b.size;
            if (which != 3)
                swale__stream_close(which == 1 ? b.stream : a.stream, true);
            test_loop_settle(&loop);
            assert_int_equal(a.size + b.size, seen);
            test_loop_done(&loop);
        }
    }
}

static void closed_ends_go_with_the_loop(void **state)
{
    (void)state;
    join(NULL);
    send_from(&a, 10);
    swale__stream_close(a.stream, false);
    swale__stream_close(b.stream, true);
    test_loop_done(&loop);
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

static void memory_running_out_kills_the_stream_only(void **state)
{
    (void)state;
    join(NULL);
    struct swale__stream *ends[2];
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale__pair(ends, loop.loop, NULL), -ENOMEM);
    loop.memory.fail_at = loop.memory.allocations + 1;
    struct iovec part_of = { bytes, 10 };
    assert_int_equal(swale__stream_write(a.stream, &part_of, 1), -ENOMEM);
    assert_int_equal(swale__stream_write(a.stream, &part_of, 1), -EPIPE);
    send_from(&b, 10);
    test_loop_settle(&loop);
    assert_int_equal(b.size, 0);
    part();

    join(&(struct swale__pair_options){ .in_flight = true });
    loop.memory.fail_at = loop.memory.allocations + 1;
    send_from(&a, 10);
    test_loop_settle(&loop);
    assert_int_equal(a.failure, -ENOMEM);
    part();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_comes_back_whole_at_every_size),
        cmocka_unit_test(one_run_of_data_a_turn),
        cmocka_unit_test(a_full_end_goes_on_when_the_other_reads),
        cmocka_unit_test(a_write_in_flight_is_read_late),
        cmocka_unit_test(the_end_comes_once_behind_the_data),
        cmocka_unit_test(closing_in_order_is_an_end),
        cmocka_unit_test(aborting_fails_the_other_end),
        cmocka_unit_test(a_paused_end_hears_of_a_reset_when_resumed),
        cmocka_unit_test(a_reset_fails_a_write_in_flight),
        cmocka_unit_test(any_callback_may_close_any_end),
        cmocka_unit_test(closed_ends_go_with_the_loop),
        cmocka_unit_test(the_peer_is_called_memory),
        cmocka_unit_test(memory_running_out_kills_the_stream_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
