#include "test.h"

#include "vloop.h"

#include "io/turn.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* ---- Tasks ---------------------------------------------------------------------------------------------- */

static void count_up(void *argument)
{
    ++*(int *)argument;
}

struct relay {
    struct swale_loop *loop;
    int runs;
};

static void post_again(void *argument)
{
    struct relay *relay = argument;
    relay->runs++;
    assert_int_equal(swale_loop_post(relay->loop, post_again, relay), 0);
}

static void a_task_posted_by_a_task_waits_for_the_next_turn(void **state)
{
    (void)state;
    struct test_loop loop;
    test_loop_init(&loop);
    struct relay relay = { .loop = loop.loop };
    assert_int_equal(swale_loop_post(loop.loop, post_again, &relay), 0);
    for (int turn = 1; turn < 5; turn++) {
        assert_int_equal(swale_loop_step(loop.loop, -1), 1);
        assert_int_equal(relay.runs, turn);
        assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
    }
    test_loop_done(&loop); /* drops the last one */
    assert_int_equal(relay.runs, 4);
}

/* The thread of a loop does not wake it, but a turn that would sleep sees what was posted. */
static void a_task_posted_from_within_does_not_sleep(void **state)
{
    (void)state;
    struct swale_loop *loop;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    struct relay relay = { .loop = loop };
    assert_int_equal(swale_loop_post(loop, post_again, &relay), 0);
    for (int turn = 1; turn < 5; turn++)
        assert_int_equal(swale_loop_step(loop, -1), 1); /* would hang */
    swale_loop_free(loop);
}

static void without_memory_nothing_is_posted(void **state)
{
    (void)state;
    struct test_loop loop;
    test_loop_init(&loop);
    int count = 0;
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale_loop_post(loop.loop, count_up, &count), -ENOMEM);
    assert_int_equal(swale_loop_post(loop.loop, count_up, &count), 0);
    test_loop_settle(&loop);
    assert_int_equal(count, 1);
    test_loop_done(&loop);
}

/* ---- From several threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, TASKS = 3000 };

struct crowd {
    struct swale_loop *loop;
    int finished; /* threads whose last task has run; all of this on the loop's thread */
};

struct poster {
    struct crowd *crowd;
    pthread_t thread;
    int next; /* the task that must come next */
    struct numbered {
        struct poster *poster;
        int number;
    } tasks[TASKS];
};

static void check_order(void *argument)
{
    const struct numbered *task = argument;
    struct poster *poster = task->poster;
    assert_int_equal(task->number, poster->next);
    poster->next++;
    if (poster->next == TASKS && ++poster->crowd->finished == THREADS)
        swale_loop_stop(poster->crowd->loop);
}

static void *post_all(void *argument)
{
    struct poster *poster = argument;
    for (int i = 0; i < TASKS; i++) {
        poster->tasks[i] = (struct numbered){ .poster = poster, .number = i };
        if (swale_loop_post(poster->crowd->loop, check_order, &poster->tasks[i]) != 0)
            abort();
    }
    return NULL;
}

static void tasks_of_each_thread_keep_their_order(void **state)
{
    (void)state;
    static struct poster posters[THREADS];
    struct crowd crowd = { 0 };
    assert_int_equal(swale_loop_new(&crowd.loop, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ .crowd = &crowd };
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    assert_int_equal(swale_loop_run(crowd.loop), 0); /* a lost wake would hang */
    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].next, TASKS);
    }
    swale_loop_free(crowd.loop);
}

/* One question at a time, each after the answer: every single wake is needed. */
struct talk {
    struct swale_loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    int answers;
};

static void answer(void *argument)
{
    struct talk *talk = argument;
    pthread_mutex_lock(&talk->lock);
    talk->answers++;
    pthread_cond_signal(&talk->answered);
    pthread_mutex_unlock(&talk->lock);
}

static void *ask_all(void *argument)
{
    struct talk *talk = argument;
    for (int i = 0; i < TASKS; i++) {
        if (swale_loop_post(talk->loop, answer, talk) != 0)
            abort();
        pthread_mutex_lock(&talk->lock);
        while (talk->answers <= i)
            pthread_cond_wait(&talk->answered, &talk->lock);
        pthread_mutex_unlock(&talk->lock);
    }
    swale_loop_stop(talk->loop);
    return NULL;
}

static void a_sleeping_loop_is_woken_each_time(void **state)
{
    (void)state;
    struct talk talk = { .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER };
    assert_int_equal(swale_loop_new(&talk.loop, NULL), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_all, &talk), 0);
    assert_int_equal(swale_loop_run(talk.loop), 0);
    pthread_join(thread, NULL);
    assert_int_equal(talk.answers, TASKS);
    swale_loop_free(talk.loop);
}

/* ---- Bells ------------------------------------------------------------------------------------------------ */

struct tower {
    struct swale__bell bell;
    struct swale_loop *loop;
    int runs;
    bool ring_again;
    struct tower *remove[2]; /* when it runs */
};

static void count_run(struct swale__bell *bell)
{
    struct tower *tower = (struct tower *)bell;
    tower->runs++;
    if (tower->ring_again)
        swale__loop_ring(tower->loop, bell);
    for (int i = 0; i < 2; i++)
        if (tower->remove[i])
            swale__loop_remove_bell(tower->loop, &tower->remove[i]->bell);
}

static void hang(struct tower *towers, size_t count, struct swale_loop *loop)
{
    for (size_t i = 0; i < count; i++) {
        towers[i] = (struct tower){ .bell.run = count_run, .loop = loop };
        swale__loop_add_bell(loop, &towers[i].bell);
    }
}

static void a_bell_runs_once_for_any_number_of_rings(void **state)
{
    (void)state;
    struct test_loop loop;
    test_loop_init(&loop);
    struct tower towers[3];
    hang(towers, 3, loop.loop);
    struct pollfd poller = { .fd = swale_loop_fd(loop.loop), .events = POLLIN };
    for (int round = 1; round < 4; round++) {
        assert_int_equal(poll(&poller, 1, 0), 0);
        for (int i = 0; i < 5; i++)
            swale__loop_ring(loop.loop, &towers[1].bell);
        assert_int_equal(poll(&poller, 1, 0), 1);
        assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
        assert_int_equal(swale_loop_step(loop.loop, 0), 1);
        test_loop_settle(&loop);
        assert_int_equal(towers[1].runs, round);
    }
    assert_int_equal(towers[0].runs + towers[2].runs, 0);
    test_loop_done(&loop);
}

static void a_bell_that_rings_itself_runs_in_the_next_turn(void **state)
{
    (void)state;
    struct test_loop loop;
    test_loop_init(&loop);
    struct tower tower;
    hang(&tower, 1, loop.loop);
    tower.ring_again = true;
    swale__loop_ring(loop.loop, &tower.bell);
    for (int turn = 1; turn < 5; turn++) {
        swale_loop_step(loop.loop, 0);
        assert_int_equal(tower.runs, turn);
    }
    test_loop_done(&loop);
}

static void a_bell_may_remove_any_bell(void **state)
{
    (void)state;
    for (size_t removed = 0; removed < 3; removed++) {
        for (size_t also = 0; also < 3; also++) {
            struct test_loop loop;
            test_loop_init(&loop);
            struct tower towers[3];
            hang(towers, 3, loop.loop);
            /* The last that was added is the first to run. */
            towers[2].remove[0] = &towers[removed];
            towers[2].remove[1] = &towers[also];
            for (int i = 0; i < 3; i++)
                swale__loop_ring(loop.loop, &towers[i].bell);
            test_loop_settle(&loop);
            for (size_t i = 0; i < 3; i++)
                assert_int_equal(towers[i].runs, i == 2 || (i != removed && i != also));
            test_loop_done(&loop);
        }
    }
}

static struct tower rung_by_signal;

static void ring_it(int number)
{
    (void)number;
    swale__loop_ring(rung_by_signal.loop, &rung_by_signal.bell);
}

static void a_signal_handler_may_ring(void **state)
{
    (void)state;
    struct swale_loop *loop;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    hang(&rung_by_signal, 1, loop);
    struct sigaction action = { .sa_handler = ring_it }, usual;
    sigaction(SIGUSR1, &action, &usual);
    raise(SIGUSR1);
    assert_int_equal(swale_loop_step(loop, -1), 1);
    assert_int_equal(rung_by_signal.runs, 1);
    sigaction(SIGUSR1, &usual, NULL);
    swale_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_posted_by_a_task_waits_for_the_next_turn),
        cmocka_unit_test(a_task_posted_from_within_does_not_sleep),
        cmocka_unit_test(without_memory_nothing_is_posted),
        cmocka_unit_test(tasks_of_each_thread_keep_their_order),
        cmocka_unit_test(a_sleeping_loop_is_woken_each_time),
        cmocka_unit_test(a_bell_runs_once_for_any_number_of_rings),
        cmocka_unit_test(a_bell_that_rings_itself_runs_in_the_next_turn),
        cmocka_unit_test(a_bell_may_remove_any_bell),
        cmocka_unit_test(a_signal_handler_may_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
