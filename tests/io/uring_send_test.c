/* How the io_uring backend sends: gathered over a turn, and kept when it does not leave. */
#include "test.h"

#include "recorder.h"
#include "uring_bed.h"

#include "io/uring.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Sending ------------------------------------------------------------------------------------------ */

/* What a long run of bytes has at a place, so that none can be missing. */
static char pattern(size_t at)
{
    return (char)(at % 251);
}

/* So much of it reaches the descriptor, from its beginning on. */
static void assert_comes(int fd, char *heard, size_t room, size_t expected)
{
    size_t size = 0;
    for (int i = 0; i < 10000 && size < expected; i++) {
        size += read_all(fd, heard + size, room - size);
        assert_true(swale_loop_step(loop, 1) >= 0);
    }
    assert_int_equal(size, expected);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(heard[i], pattern(i));
}

/* The peer reads nothing until no more is accepted; then everything that was accepted comes, in order, and the end
 * behind it. */
static void short_sends_to_a_full_socket(void **state)
{
    (void)state;
    static char heard[4000000];
    struct swale__stream *stream;
    static struct recorder user;
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    size_t accepted = 0;
    for (int refused = 0; refused < 3;) {
        char piece[1000];
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = pattern(accepted + i);
        ptrdiff_t sent = write_to(stream, piece, sizeof piece);
        assert_true(sent >= 0);
        refused += (size_t)sent < sizeof piece;
        accepted += (size_t)sent;
        assert_true(accepted < sizeof heard);
        assert_true(swale_loop_step(loop, 0) >= 0);
    }
    swale__stream_shutdown(stream);
    assert_comes(fd, heard, sizeof heard, accepted);
    settle();
    assert_int_equal(recv(fd, heard, 1, 0), 0);
    recorder_end(&user);
    close(fd);
}

static void two_sends_in_a_turn(void **state)
{
    (void)state;
    struct swale__stream *stream;
    static struct recorder user;
    char heard[10];
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    assert_int_equal(write_to(stream, "abc", 3), 3);
    recorder_send(&user, "def", 3); /* there is no room before the turn has ended, and then there is */
    RUN_UNTIL(user.out_size == 0 && !user.full);
    settle();
    assert_int_equal(recv(fd, heard, sizeof heard, 0), 6);
    assert_memory_equal(heard, "abcdef", 6);
    recorder_end(&user);
    close(fd);
}

static void last_words_leave_before_the_end(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct swale__stream *stream;
        static struct recorder user;
        char heard[10];
        int fd = open_one(&stream);
        recorder_begin(&user, stream);
        if (way == 0)
            settle(); /* with and without a standing order */
        assert_int_equal(write_to(stream, "bye", 3), 3);
        recorder_end(&user);
        settle();
        assert_int_equal(recv(fd, heard, sizeof heard, 0), 3);
        assert_int_equal(recv(fd, heard, sizeof heard, 0), 0);
        close(fd);
    }
}

static void last_words_leave_when_the_loop_is_freed(void **state)
{
    (void)state;
    struct swale__stream *stream;
    static struct recorder user;
    char heard[10];
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    assert_int_equal(write_to(stream, "bye", 3), 3);
    recorder_end(&user);
    swale_loop_free(loop);
    assert_int_equal(recv(fd, heard, sizeof heard, 0), 3);
    assert_int_equal(recv(fd, heard, sizeof heard, 0), 0);
    close(fd);
    assert_int_equal(uring_set_up(NULL), 0);
}

/* More sends in one turn than there are places for orders, and for bytes. */
static void a_turn_of_thousands_of_sends(void **state)
{
    (void)state;
    enum { PEERS = 1500, SIZE = 1000 };
    static struct recorder users[PEERS];
    static int fds[PEERS];
    static char data[SIZE], heard[SIZE];
    for (int i = 0; i < PEERS; i++) {
        struct swale__stream *stream;
        fds[i] = open_one(&stream);
        recorder_begin(&users[i], stream);
    }
    for (int round = 0; round < 3; round++) {
        memset(data, 'a' + round, SIZE);
        for (int i = 0; i < PEERS; i++)
            assert_int_equal(write_to(users[i].stream, data, SIZE), SIZE);
        settle();
        for (int i = 0; i < PEERS; i++) {
            assert_int_equal(recv(fds[i], heard, SIZE, 0), SIZE);
            assert_memory_equal(heard, data, SIZE);
        }
    }
    for (int i = 0; i < PEERS; i++) {
        recorder_end(&users[i]);
        close(fds[i]);
    }
}

/* ---- Nothing waits for something else to happen --------------------------------------------------------------- */

/* A turn that has to end although nothing else happens. */
static void quiet_turn(void)
{
    enum { LONG_MS = 10000 };
    uint64_t before = swale_loop_now(loop);
    assert_true(swale_loop_step(loop, LONG_MS) >= 0);
    assert_true(swale_loop_now(loop) - before < LONG_MS / 2);
}

static void a_second_write_goes_on_by_itself(void **state)
{
    (void)state;
    struct swale__stream *stream;
    struct recorder user = { 0 };
    char heard[7];
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    recorder_send(&user, "one", 3);
    recorder_send(&user, "two", 3);
    quiet_turn();
    assert_true(swale_loop_step(loop, 0) >= 0);
    assert_int_equal(recv(fd, heard, sizeof heard, MSG_DONTWAIT), 6);
    assert_memory_equal(heard, "onetwo", 6);
    recorder_close(&user, false);
    recorder_end(&user);
    close(fd);
    settle();
}

static void an_end_behind_a_write_comes_by_itself(void **state)
{
    (void)state;
    for (int close_it = 0; close_it < 2; close_it++) {
        struct swale__stream *stream;
        struct recorder user = { 0 };
        char heard[4];
        int fd = open_one(&stream);
        recorder_begin(&user, stream);
        recorder_send(&user, "one", 3);
        if (close_it)
            recorder_close(&user, false);
        else
            swale__stream_shutdown(stream);
        quiet_turn();
        assert_int_equal(recv(fd, heard, sizeof heard, MSG_DONTWAIT), 3);
        assert_int_equal(recv(fd, heard, sizeof heard, MSG_DONTWAIT), 0);
        if (!close_it)
            recorder_close(&user, false);
        recorder_end(&user);
        close(fd);
        settle();
    }
}

static void what_was_not_taken_leaves_by_itself(void **state)
{
    (void)state;
    struct swale__stream *stream;
    struct recorder user = { 0 };
    static char block[4000], heard[65536];
    size_t sent = 0, came = 0;
    ptrdiff_t size;
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    while ((size = write_to(stream, block, sizeof block)) > 0) {
        sent += (size_t)size;
        assert_true(swale_loop_step(loop, 0) >= 0);
    }
    assert_int_equal(size, 0);
    while (came < sent) {
        size = recv(fd, heard, sizeof heard, MSG_DONTWAIT);
        if (size > 0)
            came += (size_t)size;
        else
            quiet_turn();
    }
    recorder_close(&user, false);
    recorder_end(&user);
    close(fd);
    settle();
}

/* ---- What is for many --------------------------------------------------------------------------------- */

static void assert_read(int fd, const char *text)
{
    char got[64];
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), strlen(text));
    assert_memory_equal(got, text, strlen(text));
    close(fd);
}

/* The same bytes of the same place lie in the outbox once; others from there, and the same ones from elsewhere, for
 * themselves. */
static void it_gathers_the_same_once(void **state)
{
    (void)state;
    enum { COUNT = 6 };
    static const char *const texts[COUNT] = { "same", "same", "diff", "diff", "dif", "diff" };
    const struct swale__uring *uring = swale__uring_of(loop->backend);
    struct swale__stream *streams[COUNT];
    struct recorder users[COUNT];
    int fds[COUNT];
    char place[] = "same", elsewhere[] = "diff";
    for (int i = 0; i < COUNT; i++) {
        fds[i] = open_one(&streams[i]);
        recorder_begin(&users[i], streams[i]);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            memcpy(place, texts[i], strlen(texts[i]));
            assert_int_equal(write_to(streams[i], i == COUNT - 1 ? elsewhere : place, strlen(texts[i])),
                             strlen(texts[i]));
        }
        assert_int_equal(uring->outbox_used, 4 + 4 + 3 + 4);
        settle();
    }
    for (int i = 0; i < COUNT; i++) {
        char twice[9];
        snprintf(twice, sizeof twice, "%s%s", texts[i], texts[i]);
        assert_read(fds[i], twice);
        recorder_end(&users[i]);
    }
    settle();
}

/* What is put together where it will lie is not copied; there is no such place for a second send of the turn. */
static void it_leaves_from_its_place(void **state)
{
    (void)state;
    enum { SIZE = 5000 };
    static char heard[2 * SIZE];
    const struct swale__uring *uring = swale__uring_of(loop->backend);
    struct swale__stream *stream;
    static struct recorder user;
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    for (int round = 0; round < 2; round++) {
        char *place = swale__stream_place(stream, SIZE);
        assert_non_null(place);
        memset(place, 'a' + round, SIZE);
        assert_int_equal(write_to(stream, place, SIZE), SIZE);
        assert_int_equal(uring->outbox_used, SIZE);
        assert_null(swale__stream_place(stream, SIZE));
        settle();
        assert_int_equal(uring->outbox_used, 0);
    }
    assert_null(swale__stream_place(stream, SWALE__OUTBOX_SIZE));
    assert_int_equal(read_all(fd, heard, sizeof heard), 2 * SIZE);
    assert_int_equal(heard[0], 'a');
    assert_int_equal(heard[SIZE - 1], 'a');
    assert_int_equal(heard[SIZE], 'b');
    assert_int_equal(heard[2 * SIZE - 1], 'b');
    recorder_end(&user);
    close(fd);
}

/* ---- Sending what was received ------------------------------------------------------------------------ */

/* Sends back what it hears, as far as that is taken. */
struct echo {
    struct swale__stream *stream;
    size_t taken;
    bool full;
    unsigned loans;
};

static void echo_data(void *context, char *data, size_t size)
{
    struct echo *echo = context;
    ptrdiff_t sent = write_to(echo->stream, data, size);
    assert_true(sent >= 0);
    echo->taken += (size_t)sent;
    echo->full = (size_t)sent < size;
    echo->loans += swale__uring_of(loop->backend)->buffers.lent != 0;
}

static void echo_room(void *context, size_t size)
{
    struct echo *echo = context;
    assert_int_equal(size, 0);
    echo->full = false;
}

static void echo_end(void *context)
{
    (void)context;
}

static void echo_failure(void *context, int error)
{
    (void)context;
    fail_msg("the stream has failed: %d", error);
}

static const struct swale__stream_user echo_user = {
    .on_data = echo_data,
    .on_written = echo_room,
    .on_end = echo_end,
    .on_fail = echo_failure,
};

static int open_echo(struct echo *echo)
{
    *echo = (struct echo){ 0 };
    int fd = open_one(&echo->stream);
    swale__stream_use(echo->stream, &echo_user, echo);
    swale__stream_resume(echo->stream);
    return fd;
}

/* All of them bring at once more than the kernel has buffers for at first, and more than may be lent. */
static void an_echo_leaves_from_where_it_lies(void **state)
{
    (void)state;
    enum { PEERS = 100, SIZE = 12000 };
    static char data[SIZE], heard[SIZE];
    struct echo echoes[PEERS];
    struct swale__uring *uring = swale__uring_of(loop->backend);
    unsigned given = uring->buffers.given, loans = 0;
    int fds[PEERS];
    for (int i = 0; i < PEERS; i++)
        fds[i] = open_echo(&echoes[i]);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < PEERS; i++) {
            memset(data, 'a' + (i + round) % 26, SIZE);
            assert_int_equal(send(fds[i], data, SIZE, 0), SIZE);
        }
        for (int i = 0; i < PEERS; i++) {
            RUN_UNTIL(echoes[i].taken == (size_t)(round + 1) * SIZE);
            settle();
            memset(data, 'a' + (i + round) % 26, SIZE);
            assert_int_equal(read_all(fds[i], heard, SIZE), SIZE);
            assert_memory_equal(heard, data, SIZE);
        }
    }
    for (int i = 0; i < PEERS; i++) {
        loans += echoes[i].loans;
        swale__stream_close(echoes[i].stream, false);
        close(fds[i]);
    }
    assert_true(loans > PEERS);
    assert_true(uring->buffers.given > given || uring->base.second_best);
    assert_int_equal(uring->buffers.lent | uring->buffers.due, 0);
}

/* The peer reads nothing until no more is taken; all that was taken comes then. */
static void a_loan_that_does_not_leave_is_kept(void **state)
{
    (void)state;
    enum { SIZE = 12000 };
    static char data[SIZE], heard[4000000];
    struct echo echo;
    int fd = open_echo(&echo);
    size_t said = 0;
    while (!echo.full) {
        for (size_t i = 0; i < SIZE; i++)
            data[i] = pattern(said + i);
        assert_int_equal(send(fd, data, SIZE, 0), SIZE);
        said += SIZE;
        size_t before = echo.taken;
        RUN_UNTIL(echo.taken > before || echo.full);
        settle();
        assert_true(said < sizeof heard);
    }
    assert_true(echo.loans > 0);
    assert_comes(fd, heard, sizeof heard, echo.taken);
    assert_false(echo.full);
    swale__stream_close(echo.stream, false);
    close(fd);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, uring_set_up, uring_tear_down)

int main(void)
{
    signal(SIGPIPE, SIG_DFL);
    if (!uring_is_there())
        return 77;
    const struct CMUnitTest tests[] = {
        ON_LOOP(short_sends_to_a_full_socket),
        ON_LOOP(two_sends_in_a_turn),
        ON_LOOP(last_words_leave_before_the_end),
        ON_LOOP(last_words_leave_when_the_loop_is_freed),
        ON_LOOP(a_turn_of_thousands_of_sends),
        ON_LOOP(a_second_write_goes_on_by_itself),
        ON_LOOP(an_end_behind_a_write_comes_by_itself),
        ON_LOOP(what_was_not_taken_leaves_by_itself),
        ON_LOOP(it_gathers_the_same_once),
        ON_LOOP(it_leaves_from_its_place),
        ON_LOOP(an_echo_leaves_from_where_it_lies),
        ON_LOOP(a_loan_that_does_not_leave_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
