/* authority_test.c - the parts of an authority. What a Host field may be is in request_test.c. */
#include "test.h"

#include "guard.h"
#include "heads.h"
#include "proto/authority.h"

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        bool ipv6;
        int port; /* -1 for none */
    } cases[] = {
        { "a", "a", false, -1 },
        { "Example.COM:80", "Example.COM", false, 80 },
        { "a:0", "a", false, 0 },
        { "a:00080", "a", false, 80 },
        { "a:65535", "a", false, 65535 },
        { "[::1]", "::1", true, -1 },
        { "[fe80::1:192.0.2.1]:443", "fe80::1:192.0.2.1", true, 443 },
        { "%41%62c", "%41%62c", false, -1 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale__authority parts;
        size_t at;
        size_t size = strlen(cases[i].text);
        char *copy = guard_copy(cases[i].text, size);
        assert_true(swale__authority_parse(swale_span(copy, size), &parts, &at));
        assert_span_equal(parts.host, cases[i].host);
        assert_int_equal(parts.ipv6, cases[i].ipv6);
        assert_int_equal(parts.has_port ? parts.port : -1, cases[i].port);
        guard_free(copy, size);
    }
}

static void test_where_the_fault_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        { "", 0 },
        { ":80", 0 },
        { "a b", 1 },
        { "ab/c", 2 },
        { "a:", 2 },
        { "a:8x", 2 },
        { "a%4", 1 },
        { "a%4g", 1 },
        { "[", 0 },
        { "[::1", 0 },
        { "[:1]", 0 },
        { "[::1]80", 5 },
        { "[::g]", 0 },
        { "a:65536", 2 },
        { "a:80:", 2 },
        { "a:-1", 2 },
        { "a:99999999999999999999", 2 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale__authority parts;
        size_t at = 99;
        size_t size = strlen(cases[i].text);
        char *copy = guard_copy(cases[i].text, size);
        assert_false(swale__authority_parse(swale_span(copy, size), &parts, &at));
        assert_int_equal(at, cases[i].at);
        guard_free(copy, size);
    }
    struct swale__authority parts;
    size_t at;
    assert_false(swale__authority_parse(swale_text(NULL), &parts, &at));
}

static void test_host_equal(void **state)
{
    (void)state;
    assert_true(swale__host_equal(swale_text("Example.com"), swale_text("eXample.COM")));
    assert_false(swale__host_equal(swale_text("example.com"), swale_text("example.com.")));
    assert_false(swale__host_equal(swale_text("a"), swale_text("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_where_the_fault_is),
        cmocka_unit_test(test_host_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
