#include "test.h"

#include "memory.h"
#include "vloop.h"

#include "io/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static struct swale_loop *new_loop(void)
{
    struct swale_loop *loop;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    return loop;
}

/* ---- Making one ----------------------------------------------------------------------------------------- */

static void a_loop_gives_all_back(void **state)
{
    (void)state;
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_loop_options options = { .allocator = &allocator };
    struct swale_loop *loop;
    assert_int_equal(swale_loop_new(&loop, &options), 0);
    assert_true(fcntl(swale_loop_fd(loop), F_GETFD) & FD_CLOEXEC);
    int fd = swale_loop_fd(loop);
    swale_loop_free(loop);
    assert_int_equal(memory.blocks, 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    swale_loop_free(NULL);
}

/* Nothing else has been chosen: what io_uring had not enough memory for may be a loop on epoll. */
static bool has_fallen_back(const struct swale_loop *loop)
{
    int why_not;
    return swale_loop_backend(loop, &why_not) == SWALE_BACKEND_EPOLL && why_not == -ENOMEM;
}

/* Whether there is an nth allocation, which fails. */
static bool make_without_the_nth(uint64_t n, enum swale_backend backend)
{
    struct test_memory memory = { .fail_at = n };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_loop_options options = { .allocator = &allocator, .backend = backend };
    struct swale_loop *loop = NULL;
    int error = swale_loop_new(&loop, &options);
    if (error)
        assert_null(loop);
    if (memory.failed == 0)
        assert_int_equal(error, 0);
    else if (error || backend != SWALE_BACKEND_AUTO)
        assert_int_equal(error, -ENOMEM);
    else
        assert_true(has_fallen_back(loop));
    swale_loop_free(loop);
    assert_int_equal(memory.blocks, 0);
    return memory.failed > 0;
}

static bool works(enum swale_backend backend)
{
    struct swale_loop *loop = NULL;
    int error = swale_loop_new(&loop, &(struct swale_loop_options){ .backend = backend });
    swale_loop_free(loop);
    return error == 0;
}

static void every_failing_allocation_is_an_error(void **state)
{
    (void)state;
    for (enum swale_backend backend = SWALE_BACKEND_AUTO; backend <= SWALE_BACKEND_IO_URING; backend++) {
        uint64_t n = 1;
        while (works(backend) && make_without_the_nth(n, backend))
            n++;
        assert_true(!works(backend) || n > 3);
    }
}

static void want_of_descriptors_is_an_error(void **state)
{
    (void)state;
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_loop_options options = { .allocator = &allocator };
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(lowest);
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    for (int left = 0; left < 2; left++) { /* for the one, and for the other */
        struct rlimit few = { .rlim_cur = (rlim_t)(lowest + left), .rlim_max = usual.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        struct swale_loop *loop;
        int error = swale_loop_new(&loop, &options);
        setrlimit(RLIMIT_NOFILE, &usual);
        assert_int_equal(error, -EMFILE);
        assert_int_equal(memory.blocks, 0);
    }
}

static void the_environment_chooses_the_backend(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum swale_backend asked;
        int error;
    } cases[] = {
        { "epoll", SWALE_BACKEND_AUTO, 0 },
        { "", SWALE_BACKEND_AUTO, 0 },
        { "io_uring", SWALE_BACKEND_EPOLL, 0 },
        { "kqueue", SWALE_BACKEND_AUTO, SWALE_ERR_INVALID },
        { "kqueue", SWALE_BACKEND_EPOLL, 0 }, /* what the program asks for goes first */
        { "epoll", (enum swale_backend)77, SWALE_ERR_INVALID },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setenv("SWALE_BACKEND", cases[i].value, 1);
        struct swale_loop_options options = { .backend = cases[i].asked };
        struct swale_loop *loop = NULL;
        int error = swale_loop_new(&loop, &options);
        unsetenv("SWALE_BACKEND");
        assert_int_equal(error, cases[i].error);
        swale_loop_free(loop);
    }
}

/* ---- Time ----------------------------------------------------------------------------------------------- */

struct firing {
    struct swale_timer timer;
    struct swale_loop *loop;
    uint64_t at;
    int count;
    bool stop_loop;
};

static void note_firing(struct swale_timer *timer)
{
    struct firing *firing = timer->context;
    firing->count++;
    firing->at = swale_loop_now(firing->loop);
    if (firing->stop_loop)
        swale_loop_stop(firing->loop);
}

static void start(struct firing *firing, struct swale_loop *loop, uint64_t delay)
{
    *firing = (struct firing){ .loop = loop, .timer = { .fire = note_firing, .context = firing } };
    swale_timer_start(loop, &firing->timer, swale_loop_now(loop) + delay);
}

static void timers_fire_at_their_instant_in_virtual_time(void **state)
{
    (void)state;
    struct test_loop loop;
    test_loop_init(&loop);
    uint64_t begin = swale_loop_now(loop.loop);
    assert_int_equal(begin, 1000000);
    struct firing firings[3];
    start(&firings[0], loop.loop, 0);
    assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
    start(&firings[1], loop.loop, 25000);
    start(&firings[2], loop.loop, UINT64_C(5000000000)); /* further than an int of milliseconds */
    test_loop_settle(&loop);
    assert_int_equal(firings[0].count, 1);
    assert_int_equal(swale_loop_step(loop.loop, -1), 0); /* does not sleep: time would not pass */
    test_loop_advance(&loop, 24999);
    assert_int_equal(firings[1].count, 0);
    test_loop_advance(&loop, 6000);
    assert_int_equal(firings[1].count, 1);
    assert_int_equal(firings[1].at, begin + 25000);
    assert_true(swale_loop_wait_ms(loop.loop) > 0);
    loop.now_ms += UINT64_C(6000000000);
    assert_int_equal(swale_loop_now(loop.loop), loop.now_ms); /* between turns, the clock itself */
    assert_int_equal(swale_loop_step(loop.loop, -1), 1);
    assert_int_equal(firings[2].at, loop.now_ms);
    assert_int_equal(swale_loop_wait_ms(loop.loop), -1);
    swale_timer_stop(loop.loop, &firings[2].timer); /* does nothing */
    start(&firings[0], loop.loop, 10);
    test_loop_done(&loop); /* drops it */
}

static void a_clock_that_goes_back_is_not_believed(void **state)
{
    (void)state;
    struct test_loop loop;
    test_loop_init(&loop);
    loop.now_ms -= 500;
    test_loop_settle(&loop);
    assert_int_equal(swale_loop_now(loop.loop), 1000000);
    test_loop_done(&loop);
}

static void a_real_loop_sleeps_until_the_timer(void **state)
{
    (void)state;
    struct swale_loop *loop = new_loop();
    struct firing firing;
    start(&firing, loop, 20);
    uint64_t due = firing.timer.due_ms;
    assert_true(swale_loop_wait_ms(loop) <= 20);
    firing.stop_loop = true;
    struct swale_loop_stats stats;
    assert_int_equal(swale_loop_run(loop), 0);
    assert_int_equal(firing.count, 1);
    assert_true(firing.at >= due);
    swale_loop_stats(loop, &stats);
    assert_true(stats.turns >= 1 && stats.turns < 10); /* it slept, and did not spin */
    assert_int_equal(stats.events, 1);
    assert_true(stats.lag_max_us >= stats.lag_last_us);
    assert_true(stats.busy_us >= stats.lag_max_us);
    assert_int_equal(stats.timers, 0);
    swale_loop_free(loop);
}

static void a_step_waits_no_longer_than_it_is_told(void **state)
{
    (void)state;
    struct swale_loop *loop = new_loop();
    assert_int_equal(swale_loop_step(loop, 1), 0);
    struct firing firing;
    start(&firing, loop, 1000000);
    assert_int_equal(swale_loop_step(loop, 1), 0);
    assert_int_equal(firing.count, 0);
    struct swale_loop_stats stats;
    swale_loop_stats(loop, &stats);
    assert_int_equal(stats.timers, 1);
    swale_loop_free(loop);
}

/* ---- Driving it ----------------------------------------------------------------------------------------- */

static struct swale_loop *interrupted;

static void stop_it(int number)
{
    (void)number;
    swale_loop_stop(interrupted);
}

static void a_signal_handler_may_stop_a_loop(void **state)
{
    (void)state;
    interrupted = new_loop();
    struct sigaction action = { .sa_handler = stop_it }, usual;
    sigaction(SIGUSR1, &action, &usual);
    errno = 1234;
    raise(SIGUSR1); /* before it runs: it ends at once */
    assert_int_equal(errno, 1234);
    assert_int_equal(swale_loop_run(interrupted), 0);
    struct swale_loop_stats stats;
    swale_loop_stats(interrupted, &stats);
    assert_int_equal(stats.turns, 0);
    sigaction(SIGUSR1, &usual, NULL);
    swale_loop_free(interrupted);
}

static void count_up(void *argument)
{
    ++*(int *)argument;
}

static void stop_from_within(void *argument)
{
    swale_loop_stop(argument);
}

static void a_stopped_loop_can_be_run_again(void **state)
{
    (void)state;
    struct swale_loop *loop = new_loop();
    int count = 0;
    for (int i = 1; i < 4; i++) {
        assert_int_equal(swale_loop_post(loop, stop_from_within, loop), 0);
        assert_int_equal(swale_loop_post(loop, count_up, &count), 0); /* of the turn under way */
        assert_int_equal(swale_loop_run(loop), 0);
        assert_int_equal(count, i);
    }
    swale_loop_free(loop);
}

static void *stop_from_another_thread(void *argument)
{
    swale_loop_stop(argument);
    return NULL;
}

static void another_thread_may_stop_a_loop(void **state)
{
    (void)state;
    struct swale_loop *loop = new_loop();
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop_from_another_thread, loop), 0);
        assert_int_equal(swale_loop_run(loop), 0);
        pthread_join(thread, NULL);
    }
    swale_loop_free(loop);
}

/* A loop of the caller's, which polls. */
static void a_foreign_loop_drives_it(void **state)
{
    (void)state;
    struct swale_loop *loop = new_loop();
    struct pollfd poller = { .fd = swale_loop_fd(loop), .events = POLLIN };
    assert_int_equal(poll(&poller, 1, 0), 0);
    if (swale_loop_wait_ms(loop) == 0) /* a backend may have something to tell the kernel at first */
        assert_int_equal(swale_loop_step(loop, 0), 0);
    assert_int_equal(swale_loop_wait_ms(loop), -1);
    int count = 0;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(swale_loop_post(loop, count_up, &count), 0);
        assert_int_equal(swale_loop_wait_ms(loop), 0);
        assert_int_equal(poll(&poller, 1, 10000), 1);
        assert_int_equal(swale_loop_step(loop, 0), 1);
        assert_int_equal(count, i);
        assert_int_equal(poll(&poller, 1, 0), 0);
        assert_int_equal(swale_loop_wait_ms(loop), -1);
    }
    swale_loop_free(loop);
}

struct nested {
    struct swale_loop *loop;
    int step, run;
};

static void drive_from_within(void *argument)
{
    struct nested *nested = argument;
    nested->step = swale_loop_step(nested->loop, 0);
    nested->run = swale_loop_run(nested->loop);
}

static void turns_do_not_nest(void **state)
{
    (void)state;
    struct nested nested = { .loop = new_loop() };
    assert_int_equal(swale_loop_post(nested.loop, drive_from_within, &nested), 0);
    assert_int_equal(swale_loop_step(nested.loop, 0), 1);
    assert_int_equal(nested.step, SWALE_ERR_STATE);
    assert_int_equal(nested.run, SWALE_ERR_STATE);
    swale_loop_free(nested.loop);
}

/* ---- Where one is --------------------------------------------------------------------------------------- */

struct whereabouts {
    struct swale_loop *loop;
    bool within, elsewhere;
};

static void *look_elsewhere(void *argument)
{
    struct whereabouts *seen = argument;
    seen->elsewhere = swale__loop_here(seen->loop);
    return NULL;
}

static void look_around(void *argument)
{
    struct whereabouts *seen = argument;
    seen->within = swale__loop_here(seen->loop);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, look_elsewhere, seen), 0);
    pthread_join(thread, NULL);
}

static void here_is_within_a_turn_on_its_thread(void **state)
{
    (void)state;
    struct whereabouts seen = { .loop = new_loop(), .elsewhere = true };
    assert_false(swale__loop_here(seen.loop));
    assert_int_equal(swale_loop_post(seen.loop, look_around, &seen), 0);
    swale_loop_step(seen.loop, 0);
    assert_true(seen.within);
    assert_false(seen.elsewhere);
    assert_false(swale__loop_here(seen.loop));
    swale_loop_free(seen.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_gives_all_back),
        cmocka_unit_test(every_failing_allocation_is_an_error),
        cmocka_unit_test(want_of_descriptors_is_an_error),
        cmocka_unit_test(the_environment_chooses_the_backend),
        cmocka_unit_test(timers_fire_at_their_instant_in_virtual_time),
        cmocka_unit_test(a_clock_that_goes_back_is_not_believed),
        cmocka_unit_test(a_real_loop_sleeps_until_the_timer),
        cmocka_unit_test(a_step_waits_no_longer_than_it_is_told),
        cmocka_unit_test(a_signal_handler_may_stop_a_loop),
        cmocka_unit_test(a_stopped_loop_can_be_run_again),
        cmocka_unit_test(another_thread_may_stop_a_loop),
        cmocka_unit_test(a_foreign_loop_drives_it),
        cmocka_unit_test(turns_do_not_nest),
        cmocka_unit_test(here_is_within_a_turn_on_its_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
