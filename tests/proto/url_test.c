#include "test.h"

#include "guard.h"
#include "heads.h"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool secure, unix_socket, ipv6;
        uint16_t port;
        const char *userinfo, *host, *target;
    } cases[] = {
        { "ws://example.com", false, false, false, 80, "", "example.com", "/" },
        { "wss://example.com/", true, false, false, 443, "", "example.com", "/" },
        { "WS://Example.com:9000/Chat?x=1&y", false, false, false, 9000, "", "Example.com", "/Chat?x=1&y" },
        { "http://a", false, false, false, 80, "", "a", "/" },
        { "https://a/", true, false, false, 443, "", "a", "/" },
        { "ws://a?token=b/c", false, false, false, 80, "", "a", "?token=b/c" },
        { "ws://a:65535//x", false, false, false, 65535, "", "a", "//x" },
        { "ws://user:p%40ss@a:1/", false, false, false, 1, "user:p%40ss", "a", "/" },
        { "ws://@a/", false, false, false, 80, "", "a", "/" },
        { "wss://[2001:db8::1]:8443/x", true, false, true, 8443, "", "2001:db8::1", "/x" },
        { "ws://[::1]", false, false, true, 80, "", "::1", "/" },
        { "ws://a/b@c:d", false, false, false, 80, "", "a", "/b@c:d" },
        { "ws+unix:/run/app.sock", false, true, false, 0, "", "/run/app.sock", "/" },
        { "ws+unix:/run/app.sock:/x?y", false, true, false, 0, "", "/run/app.sock", "/x?y" },
        { "ws+unix:app.sock:?y:z", false, true, false, 0, "", "app.sock", "?y:z" },
        { "ws+unix:/run/app.sock:", false, true, false, 0, "", "/run/app.sock", "/" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_url url;
        size_t size = strlen(cases[i].text);
        char *copy = guard_copy(cases[i].text, size);
        assert_int_equal(swale_url_parse(swale_span(copy, size), &url, NULL), 0);
        assert_int_equal(url.secure, cases[i].secure);
        assert_int_equal(url.unix_socket, cases[i].unix_socket);
        assert_int_equal(url.ipv6, cases[i].ipv6);
        assert_int_equal(url.port, cases[i].port);
        assert_span_equal(url.userinfo, cases[i].userinfo);
        assert_span_equal(url.host, cases[i].host);
        assert_span_equal(url.target, cases[i].target);
        guard_free(copy, size);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        { "", 0 },
        { "example.com", 0 },
        { "ftp://a", 0 },
        { "ws:a", 0 },
        { "ws:/a", 0 },
        { "wsx://a", 0 },
        { "ws://", 5 },
        { "ws:///x", 5 },
        { "ws://:80/", 5 },
        { "ws://?x", 5 },
        { "ws://a b/", 6 },
        { "ws://a/b c", 8 },
        { "ws://a/\x01", 7 },
        { "ws://a/\x7f", 7 },
        { "ws://a/\xc3\xa9", 7 },
        { "ws://caf\xc3\xa9/", 8 },
        { "ws://a/#top", 7 },
        { "ws://a#top", 6 },
        { "ws://a:", 7 },
        { "ws://a:/x", 7 },
        { "ws://a:0/", 7 },
        { "ws://a:65536/", 7 },
        { "ws://a:8o/", 7 },
        { "ws://[::1/", 5 },
        { "ws://::1/", 5 },
        { "ws://a\\b/", 6 },
        { "ws://user@", 10 },
        { "ws://user@b@c/", 11 },
        { "ws://us<er@b/", 5 },
        { "ws+unix:", 8 },
        { "ws+unix::/x", 8 },
        { "ws+unix:/a:x", 11 },
        { "ws+unix:/a b", 10 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_url url;
        size_t at = 99;
        size_t size = strlen(cases[i].text);
        char *copy = guard_copy(cases[i].text, size);
        assert_int_equal(swale_url_parse(swale_span(copy, size), &url, &at), SWALE_ERR_URL);
        assert_int_equal(at, cases[i].at);
        assert_int_equal(swale_url_parse(swale_span(copy, size), &url, NULL), SWALE_ERR_URL);
        guard_free(copy, size);
    }
    struct swale_url url;
    assert_int_equal(swale_url_parse(swale_text(NULL), &url, NULL), SWALE_ERR_URL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
