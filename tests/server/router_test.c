#include "test.h"

#include "guard.h"
#include "memory.h"
#include "server/router.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fixture {
    struct swale__arena arena;
    struct swale__router router;
    struct swale__path path;
    char *raw, *room; /* at the edge of a page */
    size_t size;
    struct swale__match match;
};

static void begin(struct fixture *fixture)
{
    *fixture = (struct fixture){ .router = { .root = NULL } };
    fixture->router.arena = &fixture->arena;
}

static void end_search(struct fixture *fixture)
{
    if (fixture->size == 0)
        return;
    guard_free(fixture->raw, fixture->size);
    guard_free(fixture->room, fixture->size);
    fixture->size = 0;
}

/* What is found points to copies that last until the next search. */
static bool find(struct fixture *fixture, const char *path)
{
    end_search(fixture);
    fixture->size = strlen(path);
    if (fixture->size) {
        fixture->raw = guard_copy(path, fixture->size);
        fixture->room = guard_copy(path, fixture->size);
    }
    int error = swale__path_split(&fixture->path, swale_span(fixture->raw, fixture->size), fixture->room);
    return error == 0 && swale__router_find(&fixture->router, &fixture->path, &fixture->match);
}

static void end(struct fixture *fixture)
{
    end_search(fixture);
    swale__arena_done(&fixture->arena);
}

static void assert_span(struct swale_span span, const char *text)
{
    assert_true(swale_span_equal(span, swale_text(text)));
}

static void test_table(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "/",        "/echo",        "/room/{id}", "/room/{id}/events", "/room/lobby", "/room/lobby/",
        "/files/*", "/{a}/{b}/{c}", "/room/*",
    };
    static const struct {
        const char *path;
        int route;
    } cases[] = {
        { "/", 0 },
        { "/echo", 1 },
        { "/echo/", -1 },
        { "/Echo", -1 },
        { "/%65cho", 1 },
        { "/room/7", 2 },
        { "/room/lobby", 4 },
        { "/room/lobby/", 5 },
        { "/room/lobby/events", 3 }, /* the literal leads nowhere: back to the parameter */
        { "/room/7/events", 3 },
        { "/room/7/other", 8 }, /* a wildcard below a literal is nearer than a parameter above it */
        { "/room/7/other/deep", 8 },
        { "/room/", 8 },
        { "/room", -1 },
        { "/room/a%2Fb", 2 },
        { "/files/", 6 },
        { "/files", -1 },
        { "/files/a/b/c", 6 },
        { "/x/y/z", 7 },
        { "/x/y/", -1 },
        { "//", -1 },
        { "", -1 },
        { "echo", -1 },
        { "/%zz", -1 },
        { "/%00", -1 },
        { "/room/..", -1 },
        { "/room/%2e%2E/echo", -1 },
        { "/room/./x", -1 },
        { "/room/...", 2 },
    };
    struct fixture fixture;
    begin(&fixture);
    for (size_t i = 0; i < COUNT_OF(patterns); i++)
        assert_int_equal(swale__router_add(&fixture.router, patterns[i], i), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int route = find(&fixture, cases[i].path) ? (int)fixture.match.route : -1;
        if (route != cases[i].route)
            fail_msg("%s: route %d instead of %d", cases[i].path, route, cases[i].route);
    }
    end(&fixture);
}

static void test_params_are_decoded_in_their_segment(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    const char *pattern = "/a/{one}/b/{two}/*";
    assert_int_equal(swale__router_add(&fixture.router, pattern, 3), 0);
    assert_true(find(&fixture, "/a/x%2Fy/b/%C3%A9%20z/r%65st/of/it"));
    assert_int_equal(fixture.match.route, 3);
    assert_int_equal(fixture.match.param_count, 2);
    assert_span(fixture.match.params[swale__pattern_param(pattern, "one")], "x/y");
    assert_span(fixture.match.params[swale__pattern_param(pattern, "two")], "\xc3\xa9 z");
    assert_int_equal(swale__pattern_param(pattern, "three"), -1);
    assert_true(fixture.match.wildcard);
    assert_int_equal(fixture.match.depth, 4);
    assert_span(fixture.match.rest, "r%65st/of/it");
    end(&fixture);
}

static void test_bad_patterns(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "a",     "//",     "/a//b",  "/a/*/b", "/a*",   "/{}",    "/{a",
        "/a}",      "/x{a}", "/{a:b}", "/{a@}",  "/{a[}",  "/{a~}", "/a\x7f", "/{a b}",
        "/{a}/{a}", "/a?b",  "/a#b",   "/a%20b", "/../a",  "/a/.",  "/a\nb",
    };
    struct fixture fixture;
    begin(&fixture);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (swale__router_add(&fixture.router, bad[i], 0) != SWALE_ERR_ROUTE)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(swale__router_add(&fixture.router, NULL, 0), SWALE_ERR_ROUTE);
    end(&fixture);
}

static void test_taken_patterns(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_int_equal(swale__router_add(&fixture.router, "/a/{x}", 0), 0);
    assert_int_equal(swale__router_add(&fixture.router, "/a/{y}", 1), SWALE_ERR_ROUTE);
    assert_int_equal(swale__router_add(&fixture.router, "/a/{y}/z", 1), 0);
    assert_int_equal(swale__router_add(&fixture.router, "/a/*", 2), 0);
    assert_int_equal(swale__router_add(&fixture.router, "/a/*", 3), SWALE_ERR_ROUTE);
    end(&fixture);
}

/* Deeper than anything that can be a pattern: only a wildcard takes it, whole. */
static void test_deep_paths(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[1024] = "";
    begin(&fixture);
    for (int i = 0; i < 400; i++)
        strcat(path, "/a");
    assert_int_equal(swale__router_add(&fixture.router, "/{x}", 0), 0);
    assert_false(find(&fixture, path));
    assert_int_equal(fixture.path.count, 400);
    assert_int_equal(swale__router_add(&fixture.router, "/a/a/*", 1), 0);
    assert_true(find(&fixture, path));
    assert_int_equal(fixture.match.rest.size, strlen(path) - strlen("/a/a/"));
    end(&fixture);
}

/* A pattern of `count` segments like "/{p7}". */
static void write_params(char *pattern, int count)
{
    for (int i = 0; i < count; i++)
        pattern += sprintf(pattern, "/{p%d}", i);
}

static void test_limits(void **state)
{
    (void)state;
    struct fixture fixture;
    char pattern[1024];
    begin(&fixture);
    write_params(pattern, SWALE__PARAMS_MAX);
    assert_int_equal(swale__router_add(&fixture.router, pattern, 0), 0);
    write_params(pattern, SWALE__PARAMS_MAX + 1);
    assert_int_equal(swale__router_add(&fixture.router, pattern, 1), SWALE_ERR_ROUTE);
    assert_true(find(&fixture, "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"));
    assert_int_equal(fixture.match.param_count, SWALE__PARAMS_MAX);
    assert_span(fixture.match.params[15], "p");
    assert_false(find(&fixture, "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q"));

    memset(pattern, '/', sizeof pattern);
    for (size_t i = 0; i < SWALE__SEGMENTS_MAX; i++)
        pattern[2 * i + 1] = 'a';
    pattern[2 * SWALE__SEGMENTS_MAX] = '\0';
    assert_int_equal(swale__router_add(&fixture.router, pattern, 2), 0);
    assert_true(find(&fixture, pattern));
    strcat(pattern, "/a");
    assert_int_equal(swale__router_add(&fixture.router, pattern, 3), SWALE_ERR_ROUTE);
    assert_false(find(&fixture, pattern));
    end(&fixture);
}

static void test_names_of_params(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    const char *pattern = "/{azAZ09_-}/{_}";
    assert_int_equal(swale__router_add(&fixture.router, pattern, 0), 0);
    assert_true(find(&fixture, "/x/y"));
    assert_span(fixture.match.params[swale__pattern_param(pattern, "azAZ09_-")], "x");
    assert_span(fixture.match.params[swale__pattern_param(pattern, "_")], "y");
    assert_false(find(&fixture, "//y")); /* a parameter is never empty */
    end(&fixture);
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct test_memory memory = { .fail_at = n };
        struct swale_allocator allocator = test_allocator(&memory);
        struct fixture fixture;
        begin(&fixture);
        fixture.arena.allocator = &allocator;
        static const char long_name[600] = "/";
        char pattern[700];
        memcpy(pattern, long_name, sizeof long_name);
        memset(pattern + 1, 'n', 598);
        pattern[599] = '\0';
        int error = swale__router_add(&fixture.router, pattern, 0);
        if (!error)
            assert_true(find(&fixture, pattern));
        else
            assert_int_equal(error, -ENOMEM);
        end(&fixture);
        assert_int_equal(memory.blocks, 0);
        if (!error)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_params_are_decoded_in_their_segment),
        cmocka_unit_test(test_bad_patterns), cmocka_unit_test(test_taken_patterns),
        cmocka_unit_test(test_deep_paths),   cmocka_unit_test(test_memory_fails),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_names_of_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
