#include "test.h"

#include "app/connect/input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct swale_loop *loop;
    struct input input;
    int writer;
    struct buffer log;
    size_t take; /* so many messages, then none until started again */
    int end;     /* what on_end said; 1 before */
};

static struct fixture fixture;

static bool on_message(void *context, struct swale_span message, uint64_t number)
{
    (void)context;
    buffer_putf(&fixture.log, "%llu:%.*s ", (unsigned long long)number, (int)message.size, message.data);
    return fixture.take == 0 || --fixture.take > 0;
}

static void on_end(void *context, int error)
{
    (void)context;
    assert_int_equal(fixture.end, 1);
    fixture.end = error;
}

static int set_up(void **state)
{
    (void)state;
    int pipes[2];
    fixture = (struct fixture){ .end = 1 };
    if (pipe(pipes) < 0 || swale_loop_new(&fixture.loop, NULL) < 0)
        return -1;
    fixture.writer = pipes[1];
    fixture.input =
        (struct input){ .loop = fixture.loop, .fd = pipes[0], .on_message = on_message, .on_end = on_end };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    input_done(&fixture.input);
    close(fixture.input.fd);
    if (fixture.writer >= 0)
        close(fixture.writer);
    swale_loop_free(fixture.loop);
    buffer_done(&fixture.log);
    return 0;
}

static void type(const char *text)
{
    assert_int_equal(write(fixture.writer, text, strlen(text)), strlen(text));
}

static void finish(void)
{
    close(fixture.writer);
    fixture.writer = -1;
}

static void turn_until_end(void)
{
    for (int turn = 0; turn < 100 && fixture.end == 1; turn++)
        assert_true(swale_loop_step(fixture.loop, 1000) >= 0);
}

static void check_log(const char *expected)
{
    buffer_put(&fixture.log, swale_span("", 1));
    assert_string_equal(fixture.log.data, expected);
    fixture.log.size--;
}

static void hands_on_lines(void **state)
{
    (void)state;
    input_start(&fixture.input);
    type("one\ntw");
    assert_true(swale_loop_step(fixture.loop, 1000) >= 0);
    check_log("1:one ");
    type("o\n\nlast");
    finish();
    turn_until_end();
    check_log("1:one 2:two 3: 4:last ");
    assert_int_equal(fixture.end, 0);
}

static void reads_only_what_is_taken(void **state)
{
    (void)state;
    fixture.take = 2;
    input_start(&fixture.input);
    type("1\n2\n3\n4\n5\n");
    finish();
    for (int turn = 0; turn < 5; turn++)
        assert_true(swale_loop_step(fixture.loop, 0) >= 0);
    check_log("1:1 2:2 ");
    fixture.take = 2;
    input_start(&fixture.input);
    check_log("1:1 2:2 3:3 4:4 ");
    for (int turn = 0; turn < 5; turn++)
        assert_true(swale_loop_step(fixture.loop, 0) >= 0);
    assert_int_equal(fixture.end, 1);
    input_start(&fixture.input);
    turn_until_end();
    check_log("1:1 2:2 3:3 4:4 5:5 ");
    assert_int_equal(fixture.end, 0);
}

static void says_when_a_message_is_cut(void **state)
{
    (void)state;
    fixture.input.framing = FRAMING_LENGTH;
    input_start(&fixture.input);
    assert_int_equal(write(fixture.writer, "\0\0\0\2ok\0\0\0\5cut", 13), 13);
    finish();
    turn_until_end();
    check_log("1:ok ");
    assert_int_equal(fixture.end, INPUT_TRUNCATED);
}

static void says_when_it_fails(void **state)
{
    (void)state;
    close(fixture.input.fd);
    fixture.input.fd = 987654; /* none */
    input_start(&fixture.input);
    turn_until_end();
    assert_int_equal(fixture.end, -EBADF);
    input_start(&fixture.input); /* it has ended */
    assert_int_equal(fixture.end, -EBADF);
}

static bool stop_at_two(void *context, struct swale_span message, uint64_t number)
{
    on_message(context, message, number);
    if (number == 2)
        input_stop(&fixture.input);
    return number < 2;
}

static void stops_from_within(void **state)
{
    (void)state;
    fixture.input.on_message = stop_at_two;
    input_start(&fixture.input);
    type("1\n2");
    finish();
    for (int turn = 0; turn < 5; turn++)
        assert_true(swale_loop_step(fixture.loop, 0) >= 0);
    check_log("1:1 2:2 ");
    assert_int_equal(fixture.end, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(hands_on_lines),     TEST(reads_only_what_is_taken), TEST(says_when_a_message_is_cut),
        TEST(says_when_it_fails), TEST(stops_from_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
