#include "test.h"

#include "app/connect/history.h"

#include "directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[256], path[320];
static History *list;

static int set_up(void **state)
{
    (void)state;
    HistEvent event;
    test_directory(directory, sizeof directory);
    setenv("XDG_STATE_HOME", directory, 1);
    list = history_init();
    history(list, &event, H_SETSIZE, HISTORY_LINES);
    return history_path(path, sizeof path) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char parent[320];
    snprintf(parent, sizeof parent, "%s/swale", directory);
    history_end(list);
    unlink(path);
    rmdir(parent);
    rmdir(directory);
    return 0;
}

static int count(void)
{
    HistEvent event;
    history(list, &event, H_GETSIZE);
    return event.num;
}

static void finds_its_place(void **state)
{
    (void)state;
    char found[64];
    setenv("XDG_STATE_HOME", "/state", 1);
    assert_true(history_path(found, sizeof found));
    assert_string_equal(found, "/state/swale/history");
    setenv("XDG_STATE_HOME", "relative", 1); /* to be ignored, says the specification */
    setenv("HOME", "/home/me", 1);
    assert_true(history_path(found, sizeof found));
    assert_string_equal(found, "/home/me/.local/state/swale/history");
    assert_false(history_path(found, 10));
    unsetenv("XDG_STATE_HOME");
    assert_true(history_path(found, sizeof found));
    setenv("HOME", "relative", 1);
    assert_false(history_path(found, sizeof found));
    unsetenv("HOME");
    assert_false(history_path(found, sizeof found));
}

static void remembers(void **state)
{
    (void)state;
    HistEvent event;
    struct stat about;
    history_load(list, path);
    assert_int_equal(count(), 0);
    assert_int_equal(history_add(path, "first"), 0);
    assert_int_equal(history_add(path, "se\\cond \xc3\xa4"), 0);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    history_load(list, path);
    assert_int_equal(count(), 2);
    assert_true(history(list, &event, H_FIRST) >= 0);
    assert_string_equal(event.str, "se\\cond \xc3\xa4");
    assert_true(history(list, &event, H_NEXT) >= 0);
    assert_string_equal(event.str, "first");
}

static void stays_short(void **state)
{
    (void)state;
    assert_int_equal(history_add(path, "made"), 0);
    FILE *file = fopen(path, "w");
    for (int n = 0; n < 5 * HISTORY_LINES; n++)
        fprintf(file, "line %d\n", n);
    fclose(file);
    HistEvent event;
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    history_load(list, path);
    assert_int_equal(count(), HISTORY_LINES);
    assert_true(history(list, &event, H_FIRST) >= 0);
    assert_string_equal(event.str, "line 4999");
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size < before.st_size / 4);
    assert_int_equal(after.st_mode & 0777, 0600);
}

static void takes_no_empty_lines_and_no_file_that_is_none(void **state)
{
    (void)state;
    assert_int_equal(history_add(path, "first"), 0);
    assert_int_equal(history_add(path, ""), 0);
    assert_int_equal(history_add(path, "second"), 0);
    history_load(list, path);
    assert_int_equal(count(), 2);
    assert_int_equal(truncate(path, 1 << 30), 0); /* not ours */
    history_load(list, path);
    assert_int_equal(count(), 2);
}

static void says_when_it_cannot(void **state)
{
    (void)state;
    assert_true(history_add("/proc/nothing/history", "x") < 0);
    assert_int_equal(history_add("/dev/null/history", "x"), -ENOTDIR);
    assert_int_equal(history_add("/dev/full", "x"), -ENOSPC);
    history_load(list, "/proc/nothing/history");
    history_load(list, "/");
    assert_int_equal(count(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = { TEST(finds_its_place), TEST(remembers), TEST(stays_short),
                                        TEST(takes_no_empty_lines_and_no_file_that_is_none),
                                        TEST(says_when_it_cannot) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
