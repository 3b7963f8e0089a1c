/* What only the io_uring backend can do wrong; that it keeps the contract the other tests show, which run on it, too.
 * Here: how it is chosen, receives, and lets go. */
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
    assert_true(memory.blocks < swale__uring_of(loop->backend)->buffers.given + 10);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, uring_set_up, uring_tear_down)

int main(void)
{
    signal(SIGPIPE, SIG_DFL);
    if (!uring_is_there())
        return 77;
    const struct CMUnitTest tests[] = {
        ON_LOOP(it_is_the_one_that_was_asked_for), cmocka_unit_test(where_it_is_forbidden_epoll_is_chosen),
        ON_LOOP(only_the_first_thread_drives_it),  ON_LOOP(buffers_run_out),
        ON_LOOP(what_comes_too_early_is_kept),     ON_LOOP(much_and_little_by_turns),
        ON_LOOP(tens_of_thousands_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
