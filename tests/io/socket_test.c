#include "test.h"

#include "memory.h"
#include "recorder.h"

#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Turns of a real loop until the condition holds; ten seconds of nothing are a failure. */
#define RUN_UNTIL(condition)                                                                                         \
    do {                                                                                                             \
        for (int idle = 0; !(condition);) {                                                                          \
            idle = swale_loop_step(loop, 100) > 0 ? 0 : idle + 1;                                                    \
            assert_true(idle < 100);                                                                                 \
        }                                                                                                            \
    } while (0)

static struct test_memory memory;
static struct swale_allocator allocator;
static struct swale_loop *loop;
static struct recorder a, b;
static char bytes[16000000];

/* ---- Two ends of a real connection -------------------------------------------------------------------- */

/* A descriptor that listens at a port of the kernel's choice. */
static int listen_at(const char *text, struct swale__address *address)
{
    assert_int_equal(swale__address_parse(address, text, true), 0);
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &address->any, address->size) != 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(listen(fd, 10), 0);
    assert_int_equal(getsockname(fd, &address->any, &address->size), 0);
    return fd;
}

enum { DIALLED, ACCEPTED };

static bool connect_at(const char *text, int fds[2])
{
    struct swale__address address;
    int listener = listen_at(text, &address);
    if (listener < 0)
        return false;
    fds[DIALLED] = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[DIALLED], &address.any, address.size), 0);
    fds[ACCEPTED] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[ACCEPTED] >= 0);
    close(listener);
    return true;
}

static bool connect_as(int family, int fds[2])
{
    if (family == AF_UNIX)
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
    return connect_at(family == AF_INET ? "127.0.0.1:0" : "[::1]:0", fds);
}

static void open_both(int family)
{
    memory = (struct test_memory){ 0 };
    allocator = test_allocator(&memory);
    assert_int_equal(swale_loop_new(&loop, &(struct swale_loop_options){ .allocator = &allocator }), 0);
    int fds[2];
    if (!connect_as(family, fds)) {
        swale_loop_free(loop);
        skip(); /* no IPv6 here */
    }
    struct swale__stream *streams[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(swale__socket_open(&streams[i], loop, fds[i]), 0);
    recorder_begin(&a, streams[0]);
    recorder_begin(&b, streams[1]);
}

static void close_both(void)
{
    recorder_end(&a);
    recorder_end(&b);
    swale_loop_free(loop);
    assert_int_equal(memory.blocks, 0);
}

/* ---- Bytes -------------------------------------------------------------------------------------------- */

static void much_arrives_whole_both_ways(int family)
{
    open_both(family);
    recorder_send(&a, bytes, sizeof bytes);
    recorder_send(&b, bytes + 1, sizeof bytes - 1);
    assert_true(a.full && b.full); /* or nothing is tested */
    RUN_UNTIL(a.size == sizeof bytes - 1 && b.size == sizeof bytes);
    assert_memory_equal(b.heard, bytes, sizeof bytes);
    assert_memory_equal(a.heard, bytes + 1, sizeof bytes - 1);
    assert_int_equal(a.out_size + b.out_size, 0);
    close_both();
}

static void much_arrives_whole_over_ipv4(void **state)
{
    (void)state;
    much_arrives_whole_both_ways(AF_INET);
}

static void much_arrives_whole_over_ipv6(void **state)
{
    (void)state;
    much_arrives_whole_both_ways(AF_INET6);
}

static void much_arrives_whole_over_unix(void **state)
{
    (void)state;
    much_arrives_whole_both_ways(AF_UNIX);
}

/* Turns until several in a row had nothing to do: what loopback delivers it delivers at once. */
static void run_until_quiet(void)
{
    for (int quiet = 0, turns = 0; quiet < 5; turns++) {
        quiet = swale_loop_step(loop, 1) > 0 ? 0 : quiet + 1;
        assert_true(turns < 1000); /* it spins */
    }
}

static void a_paused_stream_hears_nothing_and_loses_nothing(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_pause(b.stream);
    recorder_send(&a, bytes, sizeof bytes);
    run_until_quiet();
    assert_int_equal(b.size, 0);
    assert_true(a.full);
    b.pause_on_data = true;
    swale__stream_resume(b.stream);
    RUN_UNTIL(b.size > 0);
    size_t size = b.size;
    run_until_quiet();
    assert_int_equal(b.size, size);
    swale__stream_resume(b.stream);
    RUN_UNTIL(b.size == sizeof bytes);
    assert_memory_equal(b.heard, bytes, sizeof bytes);
    close_both();
}

/* Several full buffers of one stream may be handed out in a turn, but not for as long as it can go on. */
static void a_fast_stream_leaves_a_turn_to_others(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_pause(b.stream);
    recorder_send(&a, bytes, sizeof bytes);
    run_until_quiet();
    swale__stream_resume(b.stream);
    while (b.size == 0)
        swale_loop_step(loop, 100);
    assert_in_range(b.size, 1, 2 << 20);
    RUN_UNTIL(b.size == sizeof bytes);
    close_both();
}

static void closing_behind_a_full_buffer(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_pause(b.stream);
    recorder_send(&a, bytes, sizeof bytes);
    run_until_quiet();
    b.close = &(struct recorder *){ &b };
    b.close_count = 1;
    swale__stream_resume(b.stream);
    RUN_UNTIL(!b.stream);
    run_until_quiet();
    assert_int_equal(b.runs, 1);
    close_both();
}

static void a_full_stream_asks_for_more_once(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_pause(b.stream);
    recorder_send(&a, bytes, sizeof bytes);
    run_until_quiet(); /* the kernel's buffers fill to the end */
    int writes = a.writes;
    a.stuck = true; /* there is room again, but it is not used */
    swale__stream_resume(b.stream);
    RUN_UNTIL(!a.full);
    run_until_quiet();
    assert_int_equal(a.writes, writes);
    size_t left = a.out_size;
    const char *out = a.out;
    a.stuck = false;
    a.out_size = 0;
    recorder_send(&a, out, left);
    RUN_UNTIL(b.size == sizeof bytes);
    close_both();
}

/* ---- Ends --------------------------------------------------------------------------------------------- */

static void the_end_comes_once_behind_the_data(void **state)
{
    (void)state;
    int families[] = { AF_INET, AF_UNIX };
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        open_both(families[i]);
        recorder_send(&a, bytes, 1000);
        swale__stream_shutdown(a.stream);
        RUN_UNTIL(b.ends == 1);
        assert_int_equal(b.size, 1000);
        swale__stream_resume(b.stream); /* does not bring the end again */
        run_until_quiet();
        recorder_send(&b, bytes, sizeof bytes); /* half closed: our direction works */
        RUN_UNTIL(a.size == sizeof bytes);
        recorder_close(&b, false);
        RUN_UNTIL(a.ends == 1);
        close_both();
    }
}

static void an_end_waits_for_a_paused_stream(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_pause(b.stream);
    recorder_send(&a, bytes, 10);
    recorder_close(&a, false);
    run_until_quiet();
    assert_int_equal(b.size, 0);
    swale__stream_resume(b.stream);
    RUN_UNTIL(b.ends == 1);
    assert_int_equal(b.size, 10);
    close_both();
}

static void an_abort_resets_the_connection(void **state)
{
    (void)state;
    open_both(AF_INET);
    recorder_send(&a, bytes, 10);
    RUN_UNTIL(b.size == 10);
    recorder_close(&a, true);
    RUN_UNTIL(b.failure);
    assert_int_equal(b.failure, -ECONNRESET);
    assert_int_equal(b.ends, 0);
    swale__stream_resume(b.stream); /* a dead stream stays dead */
    run_until_quiet();
    close_both();
}

/* Where TLS fails, its alert and the end stand before the reset. */
static void an_end_goes_before_an_abort(void **state)
{
    (void)state;
    open_both(AF_INET);
    recorder_send(&a, bytes, 10);
    swale__stream_shutdown(a.stream);
    recorder_close(&a, true);
    RUN_UNTIL(b.ends == 1);
    assert_int_equal(b.size, 10);
    close_both();
}

static void a_reset_after_the_end_shows_when_writing(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_shutdown(a.stream);
    RUN_UNTIL(b.ends == 1);
    recorder_close(&a, true);
    run_until_quiet(); /* an ended stream that hangs up does not keep the loop awake */
    while (!b.failure) {
        recorder_send(&b, bytes, 10); /* until the reset has come */
        run_until_quiet();
    }
    assert_true(b.failure == -EPIPE || b.failure == -ECONNRESET);
    run_until_quiet();
    close_both();
}

/* EPOLLHUP cannot be masked: a paused stream that is reset must not keep the loop awake. */
static void a_reset_does_not_spin_a_paused_stream(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_pause(b.stream);
    recorder_close(&a, true);
    run_until_quiet();
    assert_int_equal(b.failure, 0);
    swale__stream_resume(b.stream);
    RUN_UNTIL(b.failure == -ECONNRESET);
    close_both();
}

static void a_reset_wakes_a_full_stream(void **state)
{
    (void)state;
    open_both(AF_INET);
    swale__stream_pause(a.stream);
    swale__stream_pause(b.stream);
    recorder_send(&a, bytes, sizeof bytes);
    run_until_quiet();
    assert_true(a.full);
    recorder_close(&b, true);
    RUN_UNTIL(a.failure); /* by writing again */
    assert_true(a.failure == -EPIPE || a.failure == -ECONNRESET);
    run_until_quiet();
    close_both();
}

static void what_follows_a_failed_write_is_silence(void **state)
{
    (void)state;
    open_both(AF_UNIX);
    recorder_send(&b, bytes, 10);
    recorder_close(&b, false);
    run_until_quiet();
    recorder_send(&a, bytes, 10);
    RUN_UNTIL(a.failure);
    assert_int_equal(a.failure, -EPIPE);
    run_until_quiet(); /* the recorder fails the test on a callback */
    close_both();
}

/* ---- Closing from within ------------------------------------------------------------------------------ */

enum { PAIRS = 20 };

/* All have data in the same turn, and the first to hear of it closes all the others. */
static void closing_others_of_the_same_batch(void **state)
{
    (void)state;
    open_both(AF_INET);
    struct recorder near_ends[PAIRS], far_ends[PAIRS];
    struct recorder *all[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];
        struct swale__stream *streams[2];
        assert_true(connect_as(AF_INET, fds));
        assert_int_equal(swale__socket_open(&streams[0], loop, fds[0]), 0);
        assert_int_equal(swale__socket_open(&streams[1], loop, fds[1]), 0);
        recorder_begin(&near_ends[i], streams[0]);
        recorder_begin(&far_ends[i], streams[1]);
        all[i] = &far_ends[i];
    }
    for (int i = 0; i < PAIRS; i++) {
        swale__stream_pause(far_ends[i].stream);
        recorder_send(&near_ends[i], bytes, 100);
        swale__stream_shutdown(near_ends[i].stream);
    }
    run_until_quiet();
    for (int i = 0; i < PAIRS; i++) {
        far_ends[i].close = all;
        far_ends[i].close_count = PAIRS;
        swale__stream_resume(far_ends[i].stream);
    }
    RUN_UNTIL(!far_ends[0].stream);
    int heard = 0;
    for (int i = 0; i < PAIRS; i++) {
        heard += far_ends[i].runs;
        recorder_end(&near_ends[i]);
        recorder_end(&far_ends[i]);
    }
    assert_int_equal(heard, 1);
    close_both();
}

/* A child process between fork and exec holds copies of all descriptors, so that closing ours does not take the
 * socket away from epoll. */
static void a_copy_of_the_descriptor_elsewhere_does_no_harm(void **state)
{
    (void)state;
    open_both(AF_INET);
    int fds[2];
    struct swale__stream *stream;
    assert_true(connect_as(AF_INET, fds));
    int copy = fcntl(fds[ACCEPTED], F_DUPFD_CLOEXEC, 0);
    assert_int_equal(swale__socket_open(&stream, loop, fds[ACCEPTED]), 0);
    swale__stream_close(stream, false);
    run_until_quiet();
    assert_int_equal(send(fds[DIALLED], bytes, 10, 0), 10);
    char text[10];
    assert_int_equal(recv(copy, text, 10, MSG_WAITALL | MSG_PEEK), 10);
    run_until_quiet(); /* of a channel that is gone */
    close(copy);
    close(fds[DIALLED]);
    close_both();
}

/* ---- Connecting --------------------------------------------------------------------------------------- */

static void connecting_to_nobody_fails(void **state)
{
    (void)state;
    open_both(AF_INET);
    struct swale__address address;
    close(listen_at("127.0.0.1:0", &address)); /* a port where surely nobody listens */
    struct swale__stream *stream;
    int error = swale__socket_connect(&stream, loop, &address, NULL);
    if (!error) {
        recorder_close(&a, false);
        recorder_begin(&a, stream);
        RUN_UNTIL(a.failure);
        error = a.failure;
        run_until_quiet();
    }
    assert_int_equal(error, -ECONNREFUSED);
    close_both();
}

static void a_stream_is_full_until_it_is_connected(void **state)
{
    (void)state;
    open_both(AF_INET);
    struct swale__address address;
    int listener = listen_at("127.0.0.1:0", &address);
    struct swale__stream *stream;
    assert_int_equal(swale__socket_connect(&stream, loop, &address, NULL), 0);
    recorder_close(&a, false);
    recorder_begin(&a, stream);
    recorder_send(&a, bytes, 10);
    assert_true(a.full);
    assert_int_equal(a.out_size, 10);
    RUN_UNTIL(!a.full);
    run_until_quiet();
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char text[10];
    assert_int_equal(recv(fd, text, 10, MSG_WAITALL), 10);
    assert_memory_equal(text, bytes, 10);
    close(fd);
    RUN_UNTIL(a.ends == 1); /* and reading was on all the time */
    close(listener);
    close_both();
}

/* ---- The peer ------------------------------------------------------------------------------------------ */

static void the_peer_is_described(void **state)
{
    (void)state;
    static const struct {
        int family;
        const char *address;
    } cases[] = { { AF_INET, "127.0.0.1" }, { AF_UNIX, "unix" }, { AF_INET6, "::1" } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        open_both(cases[i].family);
        recorder_close(&b, true); /* the answer does not depend on the connection being alive */
        run_until_quiet();
        struct swale_peer peer, again;
        swale__stream_describe(a.stream, &peer);
        assert_true(swale_span_equal(peer.address, swale_text(cases[i].address)));
        assert_true((peer.port == 0) == (cases[i].family == AF_UNIX));
        swale__stream_describe(a.stream, &again);
        assert_ptr_equal(again.address.data, peer.address.data);
        close_both();
    }
}

static void without_memory_the_peer_has_no_address_yet(void **state)
{
    (void)state;
    open_both(AF_INET);
    struct swale_peer peer;
    memory.fail_at = memory.allocations + 1;
    swale__stream_describe(a.stream, &peer);
    assert_int_equal(peer.address.size, 0);
    assert_true(peer.port > 0);
    swale__stream_describe(a.stream, &peer);
    assert_true(swale_span_equal(peer.address, swale_text("127.0.0.1")));
    close_both();
}

/* ---- Opening ------------------------------------------------------------------------------------------- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_descriptor_that_cannot_be_used_is_closed(void **state)
{
    (void)state;
    open_both(AF_INET);
    struct swale__stream *stream;
    assert_int_equal(swale__socket_open(&stream, loop, -1), -EBADF);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(swale__socket_open(&stream, loop, pipes[0]), -ENOTSOCK);
    assert_false(is_open(pipes[0]));
    close(pipes[1]);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(swale__socket_open(&stream, loop, fd), -ENOTCONN);
    assert_false(is_open(fd));
    struct swale__stream *others[8]; /* until the pool is full */
    int fds[2], count = 0, error = 0;
    while (error == 0 && count < 8) {
        assert_true(connect_as(AF_UNIX, fds));
        memory.fail_at = memory.allocations + 1;
        error = swale__socket_open(&stream, loop, fds[0]);
        if (error == 0)
            others[count++] = stream;
        close(fds[1]);
    }
    assert_int_equal(error, -ENOMEM);
    assert_false(is_open(fds[0]));
    struct swale__address address;
    int listener = listen_at("127.0.0.1:0", &address);
    memory.fail_at = memory.allocations + 1;
    assert_int_equal(swale__socket_connect(&stream, loop, &address, NULL), -ENOMEM);
    memory.fail_at = 0;
    while (count > 0)
        swale__stream_close(others[--count], false);
    close(listener);
    close_both();
}

static void an_idle_stream_costs_less_than_a_hundred_bytes(void **state)
{
    (void)state;
    open_both(AF_INET);
    run_until_quiet();
    enum { COUNT = 200, BLOCK = 16384 };
    size_t before = memory.bytes;
    struct swale__stream *streams[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int fds[2];
        assert_true(connect_as(AF_UNIX, fds));
        assert_int_equal(swale__socket_open(&streams[i], loop, fds[0]), 0);
        close(fds[1]);
    }
    assert_true(memory.bytes - before <= COUNT * 96 + BLOCK);
    for (int i = 0; i < COUNT; i++)
        swale__stream_close(streams[i], false);
    close_both();
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(much_arrives_whole_over_ipv4),
        cmocka_unit_test(much_arrives_whole_over_ipv6),
        cmocka_unit_test(much_arrives_whole_over_unix),
        cmocka_unit_test(a_paused_stream_hears_nothing_and_loses_nothing),
        cmocka_unit_test(a_fast_stream_leaves_a_turn_to_others),
        cmocka_unit_test(closing_behind_a_full_buffer),
        cmocka_unit_test(a_full_stream_asks_for_more_once),
        cmocka_unit_test(the_end_comes_once_behind_the_data),
        cmocka_unit_test(an_end_waits_for_a_paused_stream),
        cmocka_unit_test(an_abort_resets_the_connection),
        cmocka_unit_test(an_end_goes_before_an_abort),
        cmocka_unit_test(a_reset_after_the_end_shows_when_writing),
        cmocka_unit_test(a_reset_does_not_spin_a_paused_stream),
        cmocka_unit_test(a_reset_wakes_a_full_stream),
        cmocka_unit_test(what_follows_a_failed_write_is_silence),
        cmocka_unit_test(closing_others_of_the_same_batch),
        cmocka_unit_test(a_copy_of_the_descriptor_elsewhere_does_no_harm),
        cmocka_unit_test(connecting_to_nobody_fails),
        cmocka_unit_test(a_stream_is_full_until_it_is_connected),
        cmocka_unit_test(the_peer_is_described),
        cmocka_unit_test(without_memory_the_peer_has_no_address_yet),
        cmocka_unit_test(a_descriptor_that_cannot_be_used_is_closed),
        cmocka_unit_test(an_idle_stream_costs_less_than_a_hundred_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
