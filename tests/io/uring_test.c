/* What only the io_uring backend can do wrong; that it keeps the contract the other tests show, which run on it, too.
 */
#include "test.h"

#include "recorder.h"
#include "uring_bed.h"

#include "io/uring.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The choice --------------------------------------------------------------------------------------- */

static void it_is_the_one_that_was_asked_for(void **state)
{
    (void)state;
    int why_not = 1;
    assert_int_equal(swale_loop_backend(loop, &why_not), SWALE_BACKEND_IO_URING);
    assert_int_equal(why_not, 0);
}

/* From here on this process is refused io_uring_setup, as in many a container. */
static void forbid_io_uring(int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = COUNT_OF(filter), .filter = filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

/* 0 if all is as it should be, else the number of what is not. */
static int choose_where_it_is_forbidden(int error)
{
    struct swale_loop *other;
    struct swale_loop_options options = { .backend = SWALE_BACKEND_IO_URING };
    int why_not = 0;
    unsetenv("SWALE_BACKEND");
    forbid_io_uring(error);
    if (swale_loop_new(&other, &options) != -error)
        return 1;
    if (swale_loop_new(&other, NULL) != 0)
        return 2;
    if (swale_loop_backend(other, &why_not) != SWALE_BACKEND_EPOLL || why_not != -error)
        return 3;
    swale_loop_free(other);
    return 0;
}

static void where_it_is_forbidden_epoll_is_chosen(void **state)
{
    (void)state;
    static const int errors[] = { EPERM, ENOSYS, EINVAL, ENOMEM, EMFILE };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(choose_where_it_is_forbidden(errors[i]));
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void *step_elsewhere(void *result)
{
    *(int *)result = swale_loop_step(loop, 0);
    return NULL;
}

static void only_the_first_thread_drives_it(void **state)
{
    (void)state;
    assert_int_equal(swale_loop_step(loop, 0), 0);
    pthread_t thread;
    int result = 0;
    assert_int_equal(pthread_create(&thread, NULL, step_elsewhere, &result), 0);
    pthread_join(thread, NULL);
    assert_int_equal(result, SWALE_ERR_STATE);
    assert_int_equal(swale_loop_step(loop, 0), 0);
}

/* ---- Receiving ---------------------------------------------------------------------------------------- */

/* Each brings less than makes it a connection of bulk, all together more than there are buffers. */
static void buffers_run_out(void **state)
{
    (void)state;
    enum { PEERS = 200, SIZE = 6000 };
    static char data[SIZE];
    static struct recorder users[PEERS];
    int fds[PEERS];
    for (int i = 0; i < PEERS; i++) {
        struct swale__stream *stream;
        fds[i] = open_one(&stream);
        recorder_begin(&users[i], stream);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PEERS; i++) {
            memset(data, 'a' + (i + round) % 26, SIZE);
            assert_int_equal(send(fds[i], data, SIZE, 0), SIZE);
        }
        for (int i = 0; i < PEERS; i++) {
            RUN_UNTIL(users[i].size == (size_t)(round + 1) * SIZE);
            assert_int_equal(users[i].heard[users[i].size - SIZE], 'a' + (i + round) % 26);
            assert_int_equal(users[i].heard[users[i].size - 1], 'a' + (i + round) % 26);
        }
    }
    for (int i = 0; i < PEERS; i++) {
        recorder_end(&users[i]);
        close(fds[i]);
    }
}

/* What comes between a pause and the cancellation is kept, in order, also when the peer ends meanwhile, and it
 * resumes and pauses at every step. */
static void what_comes_too_early_is_kept(void **state)
{
    (void)state;
    for (int steps = 0; steps < 4; steps++) {
        struct swale__stream *stream;
        static struct recorder user;
        int fd = open_one(&stream);
        recorder_begin(&user, stream);
        settle();
        swale__stream_pause(stream);
        assert_int_equal(send(fd, "abc", 3, 0), 3);
        for (int i = 0; i < steps; i++)
            assert_true(swale_loop_step(loop, 0) >= 0);
        assert_int_equal(send(fd, "def", 3, 0), 3);
        settle();
        assert_int_equal(user.size, 0);
        swale__stream_resume(stream);
        swale__stream_pause(stream);
        settle();
        assert_int_equal(user.size, 0);
        close(fd);
        settle();
        assert_int_equal(user.ends, 0);
        swale__stream_resume(stream);
        RUN_UNTIL(user.ends == 1);
        assert_int_equal(user.size, 6);
        assert_memory_equal(user.heard, "abcdef", 6);
        recorder_end(&user);
    }
}

/* One that has brought much at a time is read otherwise, and changes back; nothing is lost on the way. */
static void much_and_little_by_turns(void **state)
{
    (void)state;
    static char data[60000];
    struct swale__stream *stream;
    static struct recorder user;
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    size_t total = 0;
    for (int i = 0; i < 100; i++) {
        size_t size = i / 12 % 2 == 0 ? sizeof data : 10;
        memset(data, i, size);
        assert_int_equal(send(fd, data, size, 0), size);
        total += size;
        RUN_UNTIL(user.size == total);
        assert_int_equal((unsigned char)user.heard[total - size], i);
        assert_int_equal((unsigned char)user.heard[total - 1], i);
    }
    recorder_end(&user);
    close(fd);
}

/* ---- Sending ------------------------------------------------------------------------------------------ */

static size_t read_all(int fd, char *data, size_t size)
{
    size_t count = 0;
    for (ssize_t more; (more = recv(fd, data + count, size - count, 0)) > 0;)
        count += (size_t)more;
    return count;
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
            piece[i] = (char)((accepted + i) % 251);
        ptrdiff_t sent = write_to(stream, piece, sizeof piece);
        assert_true(sent >= 0);
        refused += (size_t)sent < sizeof piece;
        accepted += (size_t)sent;
        assert_true(accepted < sizeof heard);
        assert_true(swale_loop_step(loop, 0) >= 0);
    }
    swale__stream_shutdown(stream);
    size_t size = 0;
    for (int i = 0; i < 10000 && size < accepted; i++) {
        size += read_all(fd, heard + size, sizeof heard - size);
        assert_true(swale_loop_step(loop, 1) >= 0);
    }
    assert_int_equal(size, accepted);
    for (size_t i = 0; i < size; i++)
        assert_int_equal((unsigned char)heard[i], i % 251);
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

/* ---- Coming and going ----------------------------------------------------------------------------------- */

/* In every state in which one can be closed: before the kernel was told of it, with orders in force, sends that wait
 * for the turn's end or for room, things kept back, the peer gone. */
static void tens_of_thousands_come_and_go(void **state)
{
    (void)state;
    static char bulk[300000];
    static struct recorder user;
    for (int i = 0; i < 20000; i++) {
        struct swale__stream *stream;
        int fd = open_one(&stream);
        recorder_begin(&user, stream);
        if (i & 1)
            assert_true(swale_loop_step(loop, 0) >= 0);
        if (i & 2)
            assert_int_equal(write_to(stream, "hello", 5), 5);
        if (i & 4)
            assert_int_equal(send(fd, "hello", 5, 0), 5);
        if ((i & 24) == 24)
            recorder_send(&user, bulk, sizeof bulk);
        if (i & 32)
            swale__stream_pause(stream);
        if (i & 64)
            assert_true(swale_loop_step(loop, 0) >= 0);
        if (i & 128)
            close(fd);
        if (i & 256)
            assert_true(swale_loop_step(loop, 0) >= 0);
        if (user.failure == 0 && (i & 512))
            swale__stream_shutdown(stream);
        recorder_close(&user, i & 1024);
        recorder_end(&user);
        if (!(i & 128))
            close(fd);
    }
    settle();
    uint64_t now = memory.blocks;
    settle();
    assert_int_equal(memory.blocks, now);
    assert_true(memory.blocks < 10);
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

int main(void)
{
    signal(SIGPIPE, SIG_DFL);
    if (!uring_is_there())
        return 77;
#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, uring_set_up, uring_tear_down)
    const struct CMUnitTest tests[] = {
        ON_LOOP(it_gathers_the_same_once),
        ON_LOOP(it_is_the_one_that_was_asked_for),
        cmocka_unit_test(where_it_is_forbidden_epoll_is_chosen),
        ON_LOOP(only_the_first_thread_drives_it),
        ON_LOOP(buffers_run_out),
        ON_LOOP(what_comes_too_early_is_kept),
        ON_LOOP(much_and_little_by_turns),
        ON_LOOP(short_sends_to_a_full_socket),
        ON_LOOP(two_sends_in_a_turn),
        ON_LOOP(last_words_leave_before_the_end),
        ON_LOOP(last_words_leave_when_the_loop_is_freed),
        ON_LOOP(a_turn_of_thousands_of_sends),
        ON_LOOP(tens_of_thousands_come_and_go),
        ON_LOOP(a_second_write_goes_on_by_itself),
        ON_LOOP(an_end_behind_a_write_comes_by_itself),
        ON_LOOP(what_was_not_taken_leaves_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
