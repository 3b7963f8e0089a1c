/* What io_uring may answer, and does not answer when a test would like it to: orders that fail, as if the kernel had
 * failed them (../faults/broken_ring.c). Beside them there is a bystander, whom all that is not to touch. */
#include "test.h"

#include "broken.h"
#include "recorder.h"
#include "uring_bed.h"

#include "io/address.h"
#include "io/loop.h"
#include "io/socket.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct broken_page page;
static struct recorder bystander;
static int beside;

static void breaks(enum broken_place place, int percent, int error)
{
    page.error[place] = (uint64_t)error;
    page.permyriad[place] = (uint64_t)percent * 100;
}

static void mend(void)
{
    for (int place = 0; place < BROKEN_PLACES; place++)
        page.permyriad[place] = 0;
}

static int set_up(void **state)
{
    page = (struct broken_page){ 0 };
    int error = uring_set_up(state);
    if (error)
        return error;
    struct swale__stream *stream;
    beside = open_one(&stream);
    recorder_begin(&bystander, stream);
    page.spared = (uint64_t)beside + 1;
    settle();
    return 0;
}

static void assert_heard(int fd, const char *text)
{
    char got[64];
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

/* In as many pieces, and turns, as it takes. */
static void hear(int fd, const char *text)
{
    char got[64];
    size_t size = 0;
    for (int turns = 0; size < strlen(text) && turns < 10000; turns++) {
        ssize_t more = recv(fd, got + size, sizeof got - size, MSG_DONTWAIT);
        size += more > 0 ? (size_t)more : 0;
        assert_true(swale_loop_step(loop, 0) >= 0);
    }
    assert_int_equal(size, strlen(text));
    assert_memory_equal(got, text, size);
}

/* Also while all others break; not if the system call does. */
static void ask_bystander(void)
{
    size_t before = bystander.size;
    assert_int_equal(send(beside, "there?", 6, 0), 6);
    assert_int_equal(write_to(bystander.stream, "here", 4), 4);
    RUN_UNTIL(bystander.size == before + 6);
    hear(beside, "here");
}

static int tear_down(void **state)
{
    mend();
    ask_bystander();
    recorder_end(&bystander);
    close(beside);
    return uring_tear_down(state);
}

/* ---- Making a ring ------------------------------------------------------------------------------------ */

static void without_a_ring(enum broken_place place, int error)
{
    struct swale_loop *other = NULL;
    int why_not;
    breaks(place, 100, error);
    uint64_t blocks = memory.blocks;
    struct swale_loop_options options = { .allocator = loop->allocator, .backend = SWALE_BACKEND_IO_URING };
    assert_int_equal(swale_loop_new(&other, &options), -error);
    assert_null(other);
    unsetenv("SWALE_BACKEND");
    options.backend = SWALE_BACKEND_AUTO;
    assert_int_equal(swale_loop_new(&other, &options), 0);
    assert_int_equal(swale_loop_backend(other, &why_not), SWALE_BACKEND_EPOLL);
    assert_int_equal(why_not, -error);
    swale_loop_free(other);
    assert_int_equal(memory.blocks, blocks);
    mend();
}

static void without_a_ring_epoll_is_chosen(void **state)
{
    (void)state;
    static const int errors[] = { EPERM, ENOSYS, EINVAL, ENOMEM, EMFILE, ENFILE };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        without_a_ring(BROKEN_RING_SETUP, errors[i]);
        without_a_ring(BROKEN_RING_REGISTER, errors[i]); /* its ring of buffers */
    }
}

/* ---- The system call ------------------------------------------------------------------------------------ */

static const int harmless[] = { EINTR, EAGAIN, EBUSY };

static void nothing_is_lost_when_the_call_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(harmless); i++) {
        struct swale__stream *stream;
        struct recorder user;
        int fd = open_one(&stream);
        char byte;
        recorder_begin(&user, stream);
        settle();
        breaks(BROKEN_RING_ENTER, 100, harmless[i]);
        recorder_send(&user, "hello", 5);
        swale__stream_shutdown(stream);
        settle();
        assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
        mend();
        settle();
        assert_heard(fd, "hello");
        assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0); /* the end did not overtake it */
        recorder_end(&user);
        close(fd);
    }
}

/* More than there are places for, of every kind: to receive, to send, to cancel. */
static void no_order_is_lost(void **state)
{
    (void)state;
    enum { PEERS = 1500 };
    static struct recorder users[PEERS];
    static int fds[PEERS];
    settle();
    breaks(BROKEN_RING_ENTER, 100, EAGAIN);
    for (int i = 0; i < PEERS; i++) {
        struct swale__stream *stream;
        fds[i] = open_one(&stream);
        recorder_begin(&users[i], stream);
        recorder_send(&users[i], "hello", 5);
        if (i % 3 == 0)
            recorder_close(&users[i], false);
        assert_int_equal(send(fds[i], "hey", 3, MSG_NOSIGNAL), 3);
    }
    settle();
    mend();
    settle();
    for (int i = 0; i < PEERS; i++) {
        assert_heard(fds[i], "hello");
        assert_int_equal(users[i].size, i % 3 == 0 ? 0 : 3);
        assert_int_equal(users[i].failure, 0);
        recorder_end(&users[i]);
        close(fds[i]);
    }
}

/* Of the smallest size: the kernel keeps most answers to itself until some have been read. */
static void answers_overflow(void **state)
{
    enum { PEERS = 100, ROUNDS = 10 };
    static struct recorder users[PEERS];
    int fds[PEERS];
    assert_int_equal(tear_down(state), 0);
    breaks(BROKEN_RING_SETUP, 100, 0);
    assert_int_equal(uring_set_up(state), 0);
    beside = open_one(&bystander.stream);
    recorder_begin(&bystander, bystander.stream);
    breaks(BROKEN_RING_SEND, 50, 0);
    for (int i = 0; i < PEERS; i++) {
        struct swale__stream *stream;
        fds[i] = open_one(&stream);
        recorder_begin(&users[i], stream);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PEERS; i++) {
            recorder_send(&users[i], "hello", 5);
            assert_int_equal(send(fds[i], "hey", 3, 0), 3);
        }
        for (int i = 0; i < PEERS; i++) {
            hear(fds[i], "hello");
            RUN_UNTIL(users[i].size == 3 * ((size_t)round + 1));
        }
    }
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(users[i].failure, 0);
        recorder_end(&users[i]);
        close(fds[i]);
    }
}

/* ---- Orders that fail ----------------------------------------------------------------------------------- */

static void they_are_given_again(void **state)
{
    (void)state;
    enum { PEERS = 100 };
    static const int errors[] = { ENOBUFS, ECANCELED, EINTR, EAGAIN };
    static struct recorder users[PEERS];
    int fds[PEERS];
    for (size_t e = 0; e < COUNT_OF(errors); e++) {
        breaks(BROKEN_RING_RECEIVE, 100, errors[e]);
        for (int i = 0; i < PEERS; i++) {
            struct swale__stream *stream;
            fds[i] = open_one(&stream);
            recorder_begin(&users[i], stream);
            assert_int_equal(send(fds[i], "hey", 3, 0), 3);
        }
        settle();
        ask_bystander();
        for (int i = 0; i < PEERS; i++)
            assert_int_equal(users[i].size, 0);
        mend();
        settle();
        for (int i = 0; i < PEERS; i++) {
            assert_int_equal(users[i].size, 3);
            assert_int_equal(users[i].failure, 0);
            recorder_end(&users[i]);
            close(fds[i]);
        }
    }
}

static void a_connection_that_breaks_is_told(void **state)
{
    (void)state;
    static const int errors[] = { ECONNRESET, EPIPE, ETIMEDOUT, ENOMEM };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        for (int sending = 0; sending < 2; sending++) {
            struct swale__stream *stream;
            struct recorder user;
            breaks(sending ? BROKEN_RING_SEND : BROKEN_RING_RECEIVE, 100, errors[i]);
            int fd = open_one(&stream);
            recorder_begin(&user, stream);
            if (sending)
                recorder_send(&user, "hello", 5);
            settle();
            assert_int_equal(user.failure, -errors[i]);
            assert_int_equal(write_to(stream, "more", 4), -EPIPE);
            ask_bystander();
            mend();
            recorder_end(&user);
            close(fd);
        }
    }
}

/* ---- Sends that leave in part ----------------------------------------------------------------------------- */

static void what_is_short_leaves_in_order(void **state)
{
    (void)state;
    struct swale__stream *stream;
    struct recorder user;
    int fd = open_one(&stream);
    recorder_begin(&user, stream);
    breaks(BROKEN_RING_SEND, 100, 0);
    for (int i = 0; i < 10; i++) {
        recorder_send(&user, "abcdefg", 7);
        RUN_UNTIL(user.out_size == 0);
        recorder_send(&user, "hij", 3);
        RUN_UNTIL(user.out_size == 0);
        hear(fd, "abcdefghij");
    }
    assert_int_equal(user.failure, 0);
    recorder_end(&user);
    close(fd);
}

/* The rest of it has nowhere to be kept: that connection is lost. */
static void no_memory_to_keep_the_rest(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct swale__stream *stream;
        struct recorder user;
        int fd = open_one(&stream);
        recorder_begin(&user, stream);
        settle();
        breaks(BROKEN_RING_SEND, 100, 0);
        recorder_send(&user, "hello", 5);
        memory.fail_at = memory.allocations + nth;
        settle();
        memory.fail_at = 0;
        assert_int_equal(user.failure, -ENOMEM);
        ask_bystander();
        recorder_end(&user);
        close(fd);
    }
    assert_int_equal(memory.failed, 2);
}

/* ---- Accepting and connecting ----------------------------------------------------------------------------- */

struct ear {
    struct recorder streams[10];
    int count, errors, last_error;
};

static void on_stream(void *context, struct swale__stream *stream)
{
    struct ear *ear = context;
    assert_true(ear->count < 10);
    recorder_begin(&ear->streams[ear->count++], stream);
}

static void on_error(void *context, int error)
{
    struct ear *ear = context;
    ear->errors++;
    ear->last_error = error;
}

static struct swale__listener *listen_while_it_breaks(struct ear *ear, int error)
{
    struct swale__listener_options options = {
        .address = "127.0.0.1:0", .on_stream = on_stream, .on_error = on_error, .context = ear
    };
    struct swale__listener *listener;
    breaks(BROKEN_RING_ACCEPT, 100, error);
    assert_int_equal(swale__listen(&listener, loop, &options), 0);
    return listener;
}

/* A client of a listener that is at `text`. */
static int come_to(const char *text)
{
    struct swale__address address;
    assert_int_equal(swale__address_parse(&address, text, false), 0);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &address.any, address.size), 0);
    return fd;
}

static void run_for(uint64_t milliseconds)
{
    uint64_t end = swale_loop_now(loop) + milliseconds;
    for (uint64_t now; (now = swale_loop_now(loop)) < end;)
        assert_true(swale_loop_step(loop, (int)(end - now)) >= 0);
}

/* The kernel would tell of it again at once, for ever. */
static void a_listener_rests_and_goes_on(void **state)
{
    (void)state;
    static const int errors[] = { EMFILE, ENFILE, ENOMEM };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct ear ear = { .count = 0 };
        struct swale__listener *listener = listen_while_it_breaks(&ear, errors[i]);
        int fd = come_to(swale__listener_address(listener));
        run_for(350);
        assert_in_range(ear.errors, 2, 4); /* one each 100 ms */
        assert_int_equal(ear.last_error, -errors[i]);
        assert_int_equal(ear.count, 0);
        ask_bystander();
        mend();
        RUN_UNTIL(ear.count == 1);
        recorder_end(&ear.streams[0]);
        swale__listener_close(listener);
        close(fd);
    }
}

/* They say nothing about us, and the next one is accepted at once. */
static void an_accept_that_fails_for_the_peer(void **state)
{
    (void)state;
    static const int errors[] = { ECONNABORTED, EPROTO, EPERM, EINTR, EAGAIN, ECANCELED };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct ear ear = { .count = 0 };
        struct swale__listener *listener = listen_while_it_breaks(&ear, errors[i]);
        settle();
        assert_true(page.failed[BROKEN_RING_ACCEPT] > 0);
        mend();
        int fd = come_to(swale__listener_address(listener));
        RUN_UNTIL(ear.count == 1);
        assert_int_equal(ear.errors, 0);
        recorder_end(&ear.streams[0]);
        swale__listener_close(listener);
        close(fd);
    }
}

/* Nobody answers there: the listener has its one connection, and does not take it. */
static void a_connect_is_not_done_because_its_poll_failed(void **state)
{
    (void)state;
    struct sockaddr_in there = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof there;
    int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(deaf, (struct sockaddr *)&there, size), 0);
    assert_int_equal(listen(deaf, 0), 0);
    assert_int_equal(getsockname(deaf, (struct sockaddr *)&there, &size), 0);
    assert_int_equal(connect(first, (struct sockaddr *)&there, size), 0);
    struct swale__address address = { .v4 = there, .size = size };
    char text[SWALE__ADDRESS_TEXT_MAX];
    swale__address_format(&address, text);
    breaks(BROKEN_RING_POLL, 100, ENOMEM);
    struct swale__stream *stream;
    struct recorder user;
    assert_int_equal(swale__dial(&stream, loop, text, NULL, NULL), 0);
    recorder_begin(&user, stream);
    recorder_send(&user, "hello", 5);
    settle();
    assert_true(page.failed[BROKEN_RING_POLL] > 0);
    assert_true(user.full); /* not yet connected */
    assert_int_equal(user.failure, 0);
    ask_bystander();
    mend();
    recorder_end(&user);
    close(deaf);
    close(first);
}

/* ---- Everything --------------------------------------------------------------------------------------------- */

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* In every state in which one can be closed, with sends under way, short or failed. */
static void tens_of_thousands_come_and_go(void **state)
{
    (void)state;
    int descriptors = count_descriptors();
    breaks(BROKEN_RING_RECEIVE, 20, ENOBUFS);
    breaks(BROKEN_RING_SEND, 30, 0);
    breaks(BROKEN_RING_POLL, 20, ENOMEM);
    breaks(BROKEN_RING_ENTER, 20, EAGAIN);
    for (int i = 0; i < 20000; i++) {
        struct swale__stream *stream;
        struct recorder user;
        int fd = open_one(&stream);
        recorder_begin(&user, stream);
        if (i & 1)
            assert_true(swale_loop_step(loop, 0) >= 0);
        if (i & 2)
            recorder_send(&user, "hello", 5);
        if (i & 4)
            assert_int_equal(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
        if (i & 8)
            assert_true(swale_loop_step(loop, 0) >= 0);
        if (i & 16)
            swale__stream_shutdown(stream);
        if (i & 32)
            breaks(BROKEN_RING_SEND, 30, i & 64 ? ECONNRESET : 0);
        recorder_close(&user, i & 128);
        recorder_end(&user);
        close(fd);
    }
    mend();
    settle();
    assert_int_equal(count_descriptors(), descriptors);
}

int main(void)
{
    signal(SIGPIPE, SIG_DFL);
    broken_page = &page;
    if (!uring_is_there())
        return 77;
#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_LOOP(without_a_ring_epoll_is_chosen),
        ON_LOOP(nothing_is_lost_when_the_call_fails),
        ON_LOOP(no_order_is_lost),
        ON_LOOP(answers_overflow),
        ON_LOOP(they_are_given_again),
        ON_LOOP(a_connection_that_breaks_is_told),
        ON_LOOP(what_is_short_leaves_in_order),
        ON_LOOP(no_memory_to_keep_the_rest),
        ON_LOOP(a_listener_rests_and_goes_on),
        ON_LOOP(an_accept_that_fails_for_the_peer),
        ON_LOOP(a_connect_is_not_done_because_its_poll_failed),
        ON_LOOP(tens_of_thousands_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
