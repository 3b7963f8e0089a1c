#include "test.h"

#include "app/bench/progress.h"

enum { SECOND = 1000000000 };

static struct bench_options options;
static struct plan plan;
static struct board *board;
static struct progress progress;
static char text[PROGRESS_MAX];

static int set_up(void **state)
{
    (void)state;
    options = (struct bench_options){ .connections = 20, .duration_ms = 10000, .warm_up_ms = 1000 };
    plan = (struct plan){ .options = &options, .workers = 2 };
    board = board_new(2);
    assert_non_null(board);
    progress = (struct progress){ .plan = &plan, .board = board };
    board->seats[0].opened = 9;
    board->seats[1].opened = 8;
    board->seats[1].failed = 2;
    board->seats[1].lost = 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(board);
    return 0;
}

static void assert_shows(uint64_t now, const char *expected)
{
    progress_text(&progress, now, text);
    assert_string_equal(text, expected);
}

static void enter(int first, int second)
{
    board->seats[0].stage = first;
    board->seats[1].stage = second;
}

static void follows_the_stages(void **state)
{
    (void)state;
    uint64_t start = 100 * UINT64_C(1000000000);
    enter(BOARD_READY, BOARD_OPENING);
    assert_shows(start, "opening: 17 of 20, 2 failed; 16 open, 1 lost");
    enter(BOARD_RUNNING, BOARD_RUNNING);
    progress.started = start;
    assert_shows(start - 1, "opening: 17 of 20, 2 failed; 16 open, 1 lost");
    assert_shows(start + SECOND / 2, "warming up: 0.5 of 1 s; 16 open, 1 lost");
    assert_shows(start + 2 * UINT64_C(1000000000), "1.0 of 10 s: 0 messages/s; 16 open, 1 lost");
    board->seats[0].arrived = 400;
    board->seats[1].arrived = 100;
    assert_shows(start + 2 * UINT64_C(1000000000) + SECOND / 4, "1.2 of 10 s: 2000 messages/s; 16 open, 1 lost");
    enter(BOARD_SENT, BOARD_DONE);
    assert_shows(start + 12 * UINT64_C(1000000000), "waiting for what is still to come; 16 open, 1 lost");
}

static void other_modes(void **state)
{
    (void)state;
    uint64_t start = 100 * UINT64_C(1000000000);
    enter(BOARD_RUNNING, BOARD_RUNNING);
    progress.started = start;
    progress.last = start + SECOND;
    board->seats[0].arrived = 70;
    options.mode = BENCH_STORM;
    assert_shows(start + 2 * UINT64_C(1000000000), "1.0 of 10 s: 70 handshakes/s, 2 failed");
    options.mode = BENCH_IDLE;
    assert_shows(start + 2 * UINT64_C(1000000000), "1.0 of 10 s; 16 open, 1 lost");
    options.mode = BENCH_ECHO;
    options.count = 100;
    assert_shows(start + 2 * UINT64_C(1000000000), "70 of 100 done; 16 open, 1 lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follows_the_stages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_modes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
