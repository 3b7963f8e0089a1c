#include "test.h"

#include "app/sink.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void writes_lines_in_order(void **state)
{
    (void)state;
    enum { LINES = 5000 };
    FILE *file = tmpfile();
    assert_non_null(file);
    struct sink *sink = sink_open(fileno(file));
    assert_non_null(sink);
    for (int i = 0; i < LINES; i++) {
        char line[32];
        sink_put(sink, line, (size_t)snprintf(line, sizeof line, "line %d\n", i));
    }
    assert_int_equal(sink_dropped(sink), 0);
    sink_close(sink, 10000);
    rewind(file);
    for (int i = 0; i < LINES; i++) {
        int number = -1;
        assert_int_equal(fscanf(file, "line %d\n", &number), 1);
        assert_int_equal(number, i);
    }
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

/* Nobody reads the pipe: putting goes on without waiting, what is too much is dropped, and closing is quick. */
static void never_waits_for_a_blocked_pipe(void **state)
{
    (void)state;
    int ends[2];
    char line[1024];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    assert_int_equal(pipe(ends), 0);
    struct sink *sink = sink_open(ends[1]);
    assert_non_null(sink);
    for (int i = 0; i < 4096; i++)
        sink_put(sink, line, sizeof line);
    assert_in_range(sink_dropped(sink), 1024, 4095);
    sink_close(sink, 0);
    close(ends[0]);
    close(ends[1]);
}

static void put_and_await_drops(int fd)
{
    struct sink *sink = sink_open(fd);
    assert_non_null(sink);
    for (int i = 0; i < 10; i++)
        sink_put(sink, "line\n", 5);
    while (sink_dropped(sink) < 10)
        sched_yield();
    assert_int_equal(sink_dropped(sink), 10);
    sink_close(sink, 0);
}

static void counts_what_cannot_be_written(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    put_and_await_drops(full);
    close(full);
    put_and_await_drops(full); /* not open any more */
}

/* A descriptor that another process made non-blocking loses nothing as long as someone reads. */
static void waits_where_writing_would_block(void **state)
{
    (void)state;
    enum { LINES = 400, SIZE = 512 };
    int ends[2];
    char line[SIZE], back[SIZE];
    memset(line, 'x', SIZE - 1);
    line[SIZE - 1] = '\n';
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
    struct sink *sink = sink_open(ends[1]);
    assert_non_null(sink);
    for (int i = 0; i < LINES; i++)
        sink_put(sink, line, SIZE);
    for (size_t total = 0; total < (size_t)LINES * SIZE;) {
        ssize_t size = read(ends[0], back, SIZE);
        assert_true(size > 0);
        total += (size_t)size;
    }
    assert_int_equal(sink_dropped(sink), 0);
    sink_close(sink, 10000);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_lines_in_order),
        cmocka_unit_test(never_waits_for_a_blocked_pipe),
        cmocka_unit_test(counts_what_cannot_be_written),
        cmocka_unit_test(waits_where_writing_would_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
