#include "test.h"

#include <swale/proto.h>

static void test_same_host(void **state)
{
    (void)state;
    static const struct {
        const char *origin;
        const char *host;
        bool same;
    } cases[] = {
        { "http://example.com", "example.com", true },
        { "https://example.com", "example.com", true }, /* behind a TLS proxy */
        { "HTTPS://Example.COM", "eXample.com", true },
        { "http://example.com:8080", "example.com:8080", true },
        { "http://example.com", "example.com:80", true },
        { "https://example.com", "example.com:443", true },
        { "https://example.com:443", "example.com", true },
        { "http://[::1]:8080", "[::1]:8080", true },
        { "http://127.0.0.1:1", "127.0.0.1:1", true },
        { "http://example.com", "example.com:443", false },
        { "https://example.com", "example.com:80", false },
        { "http://example.com:8080", "example.com", false },
        { "https://good.example:444", "good.example", false },
        { "http://example.com", "example.com:8080", false },
        { "https://good.example.evil.com", "good.example", false },
        { "https://evilgood.example", "good.example", false },
        { "https://good.example.", "good.example", false },
        { "http://good.example@evil.com", "evil.com", false },
        { "http://good.example/", "good.example", false },
        { "http://good.example, http://good.example", "good.example", false },
        { "null", "null", false },
        { "", "", false },
        { "http://", "", false },
        { "example.com", "example.com", false },
        { "ws://example.com", "example.com", false },
        { "file://example.com", "example.com", false },
        { "chrome-extension://abc", "abc", false },
        { "http://example.com", "bad host", false },
        { "http://[::1]", "localhost", false },
        { "http://localhost", "[::1]", false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(swale_origin_same_host(swale_text(cases[i].origin), swale_text(cases[i].host)),
                         cases[i].same);
    assert_false(swale_origin_same_host(swale_text(NULL), swale_text(NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
