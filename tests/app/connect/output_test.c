#include "test.h"

#include "app/connect/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct swale_loop *loop;
    struct output output;
    int reader;
    int error;
    int blocked, unblocked; /* how often */
};

static struct fixture fixture;

static void on_blocked(void *context, bool blocked)
{
    (void)context;
    *(blocked ? &fixture.blocked : &fixture.unblocked) += 1;
}

static void on_error(void *context, int error)
{
    (void)context;
    assert_int_equal(fixture.error, 0);
    fixture.error = error;
}

static void begin(int reader, int writer)
{
    fixture = (struct fixture){ .reader = reader };
    assert_int_equal(swale_loop_new(&fixture.loop, NULL), 0);
    fixture.output =
        (struct output){ .loop = fixture.loop, .fd = writer, .on_blocked = on_blocked, .on_error = on_error };
}

static void end(void)
{
    output_done(&fixture.output);
    close(fixture.output.fd);
    if (fixture.reader >= 0)
        close(fixture.reader);
    swale_loop_free(fixture.loop);
}

static void put(size_t size)
{
    char *room = buffer_room(output_buffer(&fixture.output), size);
    assert_non_null(room);
    for (size_t i = 0; i < size; i++)
        room[i] = (char)((output_buffer(&fixture.output)->size + i) % 251);
    output_buffer(&fixture.output)->size += size;
}

/* Reads what came and turns the loop, until all has come; the bytes are those of one put. */
static size_t drain(size_t wanted)
{
    static char bytes[10000];
    size_t total = 0;
    while (total < wanted) {
        assert_true(swale_loop_step(fixture.loop, 0) >= 0);
        struct pollfd readable = { .fd = fixture.reader, .events = POLLIN };
        assert_int_equal(poll(&readable, 1, 10000), 1);
        ssize_t size = read(fixture.reader, bytes, sizeof bytes);
        assert_true(size > 0);
        for (ssize_t i = 0; i < size; i++)
            assert_int_equal((unsigned char)bytes[i], (total + (size_t)i) % 251);
        total += (size_t)size;
    }
    return total;
}

/* The reader takes nothing: the writer is not made to wait, and says so; then everything arrives. */
static void never_waits(int reader, int writer)
{
    enum { MUCH = 3 * 1000 * 1000 };
    begin(reader, writer);
    put(MUCH);
    output_flush(&fixture.output);
    assert_false(output_empty(&fixture.output));
    assert_int_equal(fixture.blocked, 1);
    assert_int_equal(fixture.unblocked, 0);
    assert_int_equal(drain(MUCH), MUCH);
    for (int turn = 0; turn < 10 && !output_empty(&fixture.output); turn++)
        assert_true(swale_loop_step(fixture.loop, 1000) >= 0);
    assert_true(output_empty(&fixture.output));
    assert_int_equal(fixture.blocked, 1);
    assert_int_equal(fixture.unblocked, 1);
    assert_int_equal(fcntl(writer, F_GETFL) & O_NONBLOCK, 0);
    end();
}

static void never_waits_for_a_pipe(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    never_waits(pipes[0], pipes[1]);
}

static void never_waits_for_a_socket(void **state)
{
    (void)state;
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    never_waits(sockets[0], sockets[1]);
}

static void writes_files_at_once(void **state)
{
    (void)state;
    int fd = memfd_create("output", 0);
    assert_true(fd >= 0);
    begin(-1, fd);
    put(1000000);
    output_flush(&fixture.output);
    assert_true(output_empty(&fixture.output));
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000000);
    assert_int_equal(fixture.blocked, 0);
    end();
}

static void says_when_nobody_reads(void **state)
{
    (void)state;
    int pipes[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(pipes), 0);
    begin(-1, pipes[1]);
    close(pipes[0]);
    put(10);
    output_flush(&fixture.output);
    assert_int_equal(fixture.error, -EPIPE);
    put(10); /* dropped */
    output_flush(&fixture.output);
    assert_true(output_empty(&fixture.output));
    end();
}

static void says_when_the_disk_is_full(void **state)
{
    (void)state;
    begin(-1, open("/dev/full", O_WRONLY));
    put(10);
    output_flush(&fixture.output);
    assert_int_equal(fixture.error, -ENOSPC);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_waits_for_a_pipe),     cmocka_unit_test(never_waits_for_a_socket),
        cmocka_unit_test(writes_files_at_once),       cmocka_unit_test(says_when_nobody_reads),
        cmocka_unit_test(says_when_the_disk_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
