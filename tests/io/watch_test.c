#include "test.h"

#include "vloop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A watch that counts its calls, and does what it is told to in the next of them. */
struct eye {
    struct swale_watch watch;
    int calls;
    unsigned events; /* of the latest */
    struct swale_watch *stop;
    unsigned ask; /* of itself */
};

static struct test_loop loop;
static struct eye eyes[2];
static int fds[2];

static void on_ready(struct swale_watch *watch, unsigned events)
{
    struct eye *eye = watch->context;
    eye->calls++;
    eye->events = events;
    if (eye->stop)
        swale_watch_stop(loop.loop, eye->stop);
    if (eye->ask)
        assert_int_equal(swale_watch_start(loop.loop, watch, eye->ask), 0);
    eye->stop = NULL;
    eye->ask = 0;
}

static int start(struct eye *eye, int fd, unsigned events)
{
    if (!eye->watch.entry)
        *eye = (struct eye){ .watch = { .ready = on_ready, .context = eye, .fd = fd } };
    return swale_watch_start(loop.loop, &eye->watch, events);
}

static void stop(struct eye *eye)
{
    swale_watch_stop(loop.loop, &eye->watch);
}

/* The calls of one turn. */
static int turn(struct eye *eye)
{
    int before = eye->calls;
    assert_true(swale_loop_step(loop.loop, 0) >= 0);
    return eye->calls - before;
}

static void put(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void take(int fd)
{
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
}

static int set_up(void **state)
{
    (void)state;
    test_loop_init(&loop);
    memset(eyes, 0, sizeof eyes);
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

static int tear_down(void **state)
{
    (void)state;
    stop(&eyes[0]);
    stop(&eyes[1]);
    close(fds[0]);
    close(fds[1]);
    test_loop_done(&loop);
    return 0;
}

/* ---- Events ------------------------------------------------------------------------------------------- */

static void every_turn_that_finds_it_ready(void **state)
{
    (void)state;
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE), 0);
    assert_non_null(eyes[0].watch.entry);
    assert_int_equal(turn(&eyes[0]), 0);
    put(fds[1]);
    struct pollfd polled = { .fd = swale_loop_fd(loop.loop), .events = POLLIN };
    assert_int_equal(poll(&polled, 1, 0), 1); /* a foreign loop would see it */
    for (int i = 0; i < 3; i++)
        assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(eyes[0].events, SWALE_READABLE);
    take(fds[0]);
    assert_int_equal(turn(&eyes[0]), 0);
    stop(&eyes[0]);
    assert_null(eyes[0].watch.entry);
    put(fds[1]);
    assert_int_equal(turn(&eyes[0]), 0);
    stop(&eyes[0]); /* again: nothing happens */
}

static void what_is_asked_for_changes(void **state)
{
    (void)state;
    put(fds[1]);
    assert_int_equal(start(&eyes[0], fds[0], SWALE_WRITABLE), 0);
    assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(eyes[0].events, SWALE_WRITABLE);
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE | SWALE_WRITABLE), 0);
    eyes[0].ask = SWALE_READABLE; /* from within */
    assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(eyes[0].events, SWALE_READABLE | SWALE_WRITABLE);
    assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(eyes[0].events, SWALE_READABLE);
    take(fds[0]);
    assert_int_equal(turn(&eyes[0]), 0);
}

static void an_end_is_whatever_was_asked_for(void **state)
{
    (void)state;
    static const unsigned asked[] = { SWALE_READABLE, SWALE_WRITABLE, SWALE_READABLE | SWALE_WRITABLE };
    close(fds[1]);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        assert_int_equal(start(&eyes[0], fds[0], asked[i]), 0);
        assert_int_equal(turn(&eyes[0]), 1);
        assert_int_equal(eyes[0].events, asked[i]);
    }
    fds[1] = -1;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]); /* of a pipe, that is an error */
    assert_int_equal(start(&eyes[1], ends[1], SWALE_READABLE), 0);
    assert_int_equal(turn(&eyes[1]), 1);
    assert_int_equal(eyes[1].events, SWALE_READABLE);
    stop(&eyes[1]);
    close(ends[1]);
}

/* ---- Stopping, in the middle of it -------------------------------------------------------------------- */

static void stopped_from_within(void **state)
{
    (void)state;
    put(fds[1]);
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE), 0);
    eyes[0].stop = &eyes[0].watch;
    assert_int_equal(turn(&eyes[0]), 1);
    assert_null(eyes[0].watch.entry);
    assert_int_equal(turn(&eyes[0]), 0);

    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE), 0);
    eyes[0].stop = &eyes[0].watch; /* and started again at once, for something else */
    eyes[0].ask = SWALE_WRITABLE;
    assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(eyes[0].events, SWALE_WRITABLE);
}

/* Both are ready in one batch; whichever comes first stops the other. */
static void stopped_by_another_of_the_same_turn(void **state)
{
    (void)state;
    put(fds[0]);
    put(fds[1]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(start(&eyes[i], fds[i], SWALE_READABLE), 0);
    eyes[0].stop = &eyes[1].watch;
    eyes[1].stop = &eyes[0].watch;
    swale_loop_step(loop.loop, 0);
    assert_int_equal(eyes[0].calls + eyes[1].calls, 1);
}

static void restart_other(struct swale_watch *watch, unsigned events)
{
    on_ready(watch, events);
    struct eye *other = watch == &eyes[0].watch ? &eyes[1] : &eyes[0];
    if (eyes[0].calls + eyes[1].calls == 1) {
        stop(other);
        assert_int_equal(swale_watch_start(loop.loop, &other->watch, SWALE_WRITABLE), 0);
    }
}

/* What this turn has found for the former watch is not the new one's. */
static void restarted_by_another_of_the_same_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        put(fds[i]);
        assert_int_equal(start(&eyes[i], fds[i], SWALE_READABLE), 0);
        eyes[i].watch.ready = restart_other;
    }
    swale_loop_step(loop.loop, 0);
    assert_int_equal(eyes[0].calls + eyes[1].calls, 1);
    struct eye *other = eyes[0].calls ? &eyes[1] : &eyes[0];
    assert_int_equal(turn(other), 1);
    assert_int_equal(other->events, SWALE_WRITABLE);
}

static void free_itself(struct swale_watch *watch, unsigned events)
{
    assert_int_equal(events, SWALE_READABLE);
    swale_watch_stop(loop.loop, watch);
    *(int *)watch->context += 1;
    free(watch);
}

static void freed_from_within(void **state)
{
    (void)state;
    int calls = 0;
    struct swale_watch *watch = calloc(1, sizeof *watch);
    *watch = (struct swale_watch){ .ready = free_itself, .context = &calls, .fd = fds[0] };
    put(fds[1]);
    assert_int_equal(swale_watch_start(loop.loop, watch, SWALE_READABLE), 0);
    test_loop_settle(&loop);
    assert_int_equal(calls, 1);
}

static void reopened(struct swale_watch *watch, unsigned events)
{
    on_ready(watch, events);
    swale_watch_stop(loop.loop, watch);
    close(fds[0]);
    fds[0] = dup(fds[1]); /* the lowest free number: the same */
    assert_int_equal(fds[0], watch->fd);
    assert_int_equal(start(&eyes[1], fds[0], SWALE_WRITABLE), 0);
}

static void a_descriptor_is_closed_and_its_number_used_again(void **state)
{
    (void)state;
    put(fds[1]);
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE), 0);
    eyes[0].watch.ready = reopened;
    swale_loop_step(loop.loop, 0);
    assert_int_equal(eyes[0].calls, 1);
    assert_int_equal(eyes[1].calls, 0);
    assert_int_equal(turn(&eyes[1]), 1);
    assert_int_equal(eyes[0].calls, 1);
}

/* ---- Regular files ------------------------------------------------------------------------------------ */

static void files_are_always_ready(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    int fd = fileno(file);
    assert_int_equal(start(&eyes[0], fd, SWALE_READABLE), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
        assert_int_equal(turn(&eyes[0]), 1);
        assert_int_equal(eyes[0].events, SWALE_READABLE);
    }
    assert_int_equal(start(&eyes[1], fd, SWALE_WRITABLE), -EEXIST);
    assert_null(eyes[1].watch.entry);
    assert_int_equal(start(&eyes[0], fd, SWALE_WRITABLE), 0); /* a change is none */
    assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(eyes[0].events, SWALE_WRITABLE);
    eyes[0].stop = &eyes[0].watch;
    assert_int_equal(turn(&eyes[0]), 1);
    assert_int_equal(turn(&eyes[0]), 0);
    assert_int_equal(swale_loop_wait_ms(loop.loop), -1);
    assert_int_equal(start(&eyes[1], fd, SWALE_WRITABLE), 0);
    assert_int_equal(turn(&eyes[1]), 1);
    stop(&eyes[1]);
    fclose(file);
}

/* Nor can a device be waited for that has no notion of it. */
static void so_is_nothing(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(start(&eyes[0], fd, SWALE_READABLE), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(turn(&eyes[0]), 1);
    stop(&eyes[0]);
    close(fd);
}

static void a_file_is_stopped_by_another_of_the_same_turn(void **state)
{
    (void)state;
    FILE *files[2] = { tmpfile(), tmpfile() };
    for (int i = 0; i < 2; i++)
        assert_int_equal(start(&eyes[i], fileno(files[i]), SWALE_READABLE), 0);
    eyes[0].stop = &eyes[1].watch;
    swale_loop_step(loop.loop, 0);
    assert_int_equal(eyes[0].calls, 1);
    assert_int_equal(eyes[1].calls, 0);
    stop(&eyes[0]);
    fclose(files[0]);
    fclose(files[1]);
}

/* ---- Refusals ----------------------------------------------------------------------------------------- */

static void what_cannot_be_watched(void **state)
{
    (void)state;
    assert_int_equal(start(&eyes[0], fds[0], 0), SWALE_ERR_INVALID);
    assert_int_equal(start(&eyes[0], fds[0], 4), SWALE_ERR_INVALID);
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE | 8), SWALE_ERR_INVALID);
    assert_int_equal(start(&eyes[0], -1, SWALE_READABLE), -EBADF);
    int closed = dup(fds[0]);
    close(closed);
    assert_int_equal(start(&eyes[0], closed, SWALE_READABLE), -EBADF);
    assert_null(eyes[0].watch.entry);
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE), 0);
    assert_int_equal(start(&eyes[0], fds[0], 0), SWALE_ERR_INVALID); /* stopping is another call */
    assert_int_equal(start(&eyes[1], fds[0], SWALE_WRITABLE), -EEXIST);
    assert_null(eyes[1].watch.entry);
    put(fds[1]);
    assert_int_equal(turn(&eyes[0]), 1); /* the refusals have changed nothing */
}

static void out_of_memory(void **state)
{
    (void)state;
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE), -ENOMEM);
    assert_null(eyes[0].watch.entry);
    assert_int_equal(start(&eyes[0], fds[0], SWALE_READABLE), 0);
}

/* A loop that sleeps in the kernel is woken by a descriptor. */
static void in_real_time(void **state)
{
    (void)state;
    struct swale_loop *real;
    assert_int_equal(swale_loop_new(&real, NULL), 0);
    struct eye eye = { .watch = { .ready = on_ready, .context = &eye, .fd = fds[0] } };
    assert_int_equal(swale_watch_start(real, &eye.watch, SWALE_READABLE), 0);
    put(fds[1]);
    assert_true(swale_loop_step(real, -1) > 0);
    assert_int_equal(eye.calls, 1);
    swale_watch_stop(real, &eye.watch);
    swale_loop_free(real);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_turn_that_finds_it_ready),
        TEST(what_is_asked_for_changes),
        TEST(an_end_is_whatever_was_asked_for),
        TEST(stopped_from_within),
        TEST(stopped_by_another_of_the_same_turn),
        TEST(restarted_by_another_of_the_same_turn),
        TEST(freed_from_within),
        TEST(a_descriptor_is_closed_and_its_number_used_again),
        TEST(files_are_always_ready),
        TEST(so_is_nothing),
        TEST(a_file_is_stopped_by_another_of_the_same_turn),
        TEST(what_cannot_be_watched),
        TEST(out_of_memory),
        TEST(in_real_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
