#include "test.h"

#include "client/proxy.h"
#include "guard.h"

#include <stdio.h>
#include <stdlib.h>

static int parse(const char *text, struct swale__proxy *proxy)
{
    return swale__proxy_parse(proxy, swale_text(text));
}

static void assert_text(struct swale_span span, const char *text)
{
    assert_int_equal(span.size, strlen(text));
    if (span.size > 0)
        assert_memory_equal(span.data, text, span.size);
}

/* ---- URLs ------------------------------------------------------------------------------------------- */

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum swale__proxy_kind kind;
        const char *userinfo, *host;
        uint16_t port;
    } cases[] = {
        { "", SWALE__PROXY_NONE, "", "", 0 },
        { "http://proxy", SWALE__PROXY_HTTP, "", "proxy", 80 },
        { "http://proxy:3128/", SWALE__PROXY_HTTP, "", "proxy", 3128 },
        { "HTTPS://Proxy.example", SWALE__PROXY_HTTPS, "", "Proxy.example", 443 },
        { "socks5://proxy", SWALE__PROXY_SOCKS5, "", "proxy", 1080 },
        { "socks5h://[2001:db8::1]:9050", SWALE__PROXY_SOCKS5, "", "2001:db8::1", 9050 },
        { "proxy:3128", SWALE__PROXY_HTTP, "", "proxy", 3128 },
        { "proxy", SWALE__PROXY_HTTP, "", "proxy", 80 },
        { "[::1]", SWALE__PROXY_HTTP, "", "::1", 80 },
        { "user:pass@proxy:1", SWALE__PROXY_HTTP, "user:pass", "proxy", 1 },
        { "http://a%40b:p%3a%2f@127.0.0.1:65535", SWALE__PROXY_HTTP, "a%40b:p%3a%2f", "127.0.0.1", 65535 },
        { "http://user@proxy", SWALE__PROXY_HTTP, "user", "proxy", 80 },
        { "http://:pass@proxy", SWALE__PROXY_HTTP, ":pass", "proxy", 80 },
        { "http://@proxy", SWALE__PROXY_HTTP, "", "proxy", 80 },
        { "socks5://@proxy", SWALE__PROXY_SOCKS5, "", "proxy", 1080 },
        { "socks5://u:a:b@proxy", SWALE__PROXY_SOCKS5, "u:a:b", "proxy", 1080 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale__proxy proxy;
        size_t size = strlen(cases[i].text);
        char *copy = guard_copy(cases[i].text, size);
        assert_int_equal(swale__proxy_parse(&proxy, swale_span(copy, size)), 0);
        assert_int_equal(proxy.kind, cases[i].kind);
        assert_text(proxy.userinfo, cases[i].userinfo);
        assert_text(proxy.host, cases[i].host);
        assert_int_equal(proxy.port, cases[i].port);
        guard_free(copy, size);
    }
}

static void what_is_no_proxy_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "/",
        "http://",
        "http:///",
        "http://:3128",
        "ftp://proxy",
        "socks4://proxy",
        "socks://proxy",
        "ws://proxy",
        "://proxy",
        "http://proxy/path",
        "http://proxy//",
        "http://proxy?query",
        "http://proxy#fragment",
        "http://proxy:0",
        "http://proxy:",
        "http://proxy:65536",
        "http://proxy:3128x",
        "http://pro xy",
        "http://proxy\r\nX: y",
        "http://[::1",
        "http://[1:2]",
        "http://[::::]",
        "http://a@b@proxy",
        "http://a b@proxy",
        "http://a%4@proxy",
        "http://a%zz@proxy",
        "http://a%00@proxy",
        "socks5://u:p%00@proxy",
        "http://a%0d%0a:b@proxy", /* Basic carries no control bytes */
        "http://a:b%7f@proxy",
        "http://a%3ab:c@proxy", /* nor a colon in the user */
        "socks5://user@proxy",  /* SOCKS carries no empty password */
        "socks5://user:@proxy",
        "socks5://:pass@proxy",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale__proxy proxy;
        assert_int_equal(parse(cases[i], &proxy), SWALE_ERR_PROXY_URL);
        assert_int_equal(proxy.kind, SWALE__PROXY_NONE);
    }
}

/* ---- Logins ----------------------------------------------------------------------------------------- */

/* SCHEME://(user bytes):(password bytes)@proxy */
static int parse_lengths(const char *scheme, size_t user, size_t password)
{
    char text[8192];
    struct swale__proxy proxy;
    int size = sprintf(text, "%s://", scheme);
    memset(text + size, 'u', user);
    text[(size_t)size + user] = ':';
    memset(text + (size_t)size + user + 1, 'p', password);
    strcpy(text + (size_t)size + user + 1 + password, "@proxy");
    return parse(text, &proxy);
}

static void lengths_of_logins_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(parse_lengths("socks5", 1, 1), 0);
    assert_int_equal(parse_lengths("socks5", 255, 255), 0);
    assert_int_equal(parse_lengths("socks5", 256, 1), SWALE_ERR_PROXY_URL);
    assert_int_equal(parse_lengths("socks5", 1, 256), SWALE_ERR_PROXY_URL);
    assert_int_equal(parse_lengths("http", 256, 256), 0);
    assert_int_equal(parse_lengths("http", 1, SWALE__PROXY_USERINFO_MAX - 1), 0);
    assert_int_equal(parse_lengths("http", 1, SWALE__PROXY_USERINFO_MAX), SWALE_ERR_PROXY_URL);
}

static void logins_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *url, *user, *password;
    } cases[] = {
        { "http://user:pass@proxy", "user", "pass" }, { "http://user@proxy", "user", "" },
        { "http://:pass@proxy", "", "pass" },         { "http://%c3%a4:%3A%40%2f+@proxy", "\xc3\xa4", ":@/+" },
        { "http://a:b:c@proxy", "a", "b:c" },         { "socks5://a%3ab:%0a@proxy", "a:b", "\n" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale__proxy proxy;
        struct swale_span user, password;
        char *out = guard_copy((char[SWALE__PROXY_USERINFO_MAX]){ 0 }, SWALE__PROXY_USERINFO_MAX);
        assert_int_equal(parse(cases[i].url, &proxy), 0);
        assert_true(swale__proxy_login(&proxy, out, &user, &password));
        assert_text(user, cases[i].user);
        assert_text(password, cases[i].password);
        guard_free(out, SWALE__PROXY_USERINFO_MAX);
    }
    struct swale__proxy proxy;
    struct swale_span user, password;
    char out[SWALE__PROXY_USERINFO_MAX];
    assert_int_equal(parse("http://proxy", &proxy), 0);
    assert_false(swale__proxy_login(&proxy, out, &user, &password));
}

/* ---- no_proxy --------------------------------------------------------------------------------------- */

static void exceptions_name_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *list, *host;
        uint16_t port;
        bool bypassed;
    } cases[] = {
        { "", "example.com", 80, false },
        { " , ,,\t", "example.com", 80, false },
        { "*", "example.com", 80, true },
        { "*", "::1", 80, true },
        { "a,*", "example.com", 80, true },
        { "**", "example.com", 80, false },
        { "example.com", "example.com", 80, true },
        { "example.com", "EXAMPLE.com", 80, true },
        { "example.com", "www.example.com", 80, true },
        { "example.com", "notexample.com", 80, false },
        { "example.com", "example.com.org", 80, false },
        { "example.com", "com", 80, false },
        { ".example.com", "example.com", 80, true },
        { ".example.com", "a.b.example.com", 80, true },
        { ".example.com", "notexample.com", 80, false },
        { "*.example.com", "www.example.com", 80, true },
        { "*.example.com", "notexample.com", 80, false },
        { "*example.com", "www.example.com", 80, false },
        { "example.com.", "example.com", 80, true },
        { "example.com", "example.com.", 80, true },
        { "example.com", "example.com..", 80, false },
        { ".", "example.com", 80, false },
        { ".", "example.com.", 80, false },
        { "*.", "example.com", 80, false },
        { "example.com:80", "example.com", 80, true },
        { "example.com:80", "example.com", 443, false },
        { ".example.com:443", "a.example.com", 443, true },
        { "example.com:", "example.com", 80, false },
        { "example.com:x", "example.com", 80, false },
        { "example.com:65616", "example.com", 80, false },
        { "example.com:000080", "example.com", 80, false },
        { "example.com:000080", "example.com", 8, false },
        { ".", "example.com..", 80, false },
        { ":80", "example.com", 80, false },
        { "a b,example.com c", "example.com", 80, true },
        { "a,b,c", "c", 80, true },
        { "example.com/8", "example.com", 80, false },
        { "127.0.0.1", "127.0.0.1", 80, true },
        { "127.0.0.1", "127.0.0.10", 80, false },
        { "0.0.1", "127.0.0.1", 80, false },
        { "1", "127.0.0.1", 80, false },
        { ".1", "127.0.0.1", 80, false },
        { "127.0.0.1:80", "127.0.0.1", 80, true },
        { "127.0.0.1:80", "127.0.0.1", 81, false },
        { "10.0.0.0/8", "10.255.1.2", 80, true },
        { "10.0.0.0/8", "11.0.0.0", 80, false },
        { "192.0.2.128/25", "192.0.2.200", 80, true },
        { "192.0.2.128/25", "192.0.2.100", 80, false },
        { "192.0.2.4/30", "192.0.2.7", 80, true },
        { "192.0.2.4/30", "192.0.2.8", 80, false },
        { "192.0.2.4/32", "192.0.2.4", 80, true },
        { "0.0.0.0/0", "192.0.2.1", 80, true },
        { "0.0.0.0/0", "2001:db8::1", 80, false },
        { "0.0.0.0/0", "example.com", 80, false },
        { "10.0.0.0/33", "10.0.0.0", 80, false },
        { "10.0.0.0/", "10.0.0.0", 80, false },
        { "10.0.0.0/-1", "10.0.0.0", 80, false },
        { "10.0.0.0/99999", "10.0.0.0", 80, false },
        { "10.0.0.0/8", "10.example.com", 80, false },
        { "::1", "::1", 80, true },
        { "[::1]", "::1", 80, true },
        { "[0:0::1]:80", "::1", 80, true },
        { "[::1]:80", "::1", 81, false },
        { "[::1", "::1", 80, false },
        { "[]", "::1", 80, false },
        { "[", "::1", 80, false },
        { "[::1]x", "::1", 80, false },
        { "2001:db8::/32", "2001:db8:1::1", 80, true },
        { "[2001:db8::]/32", "2001:DB8:1::1", 80, true },
        { "2001:db8::/32", "2001:db9::1", 80, false },
        { "::/0", "192.0.2.1", 80, false },
        { "::/64", "192.0.2.1", 80, false },
        { "2001:db8::/129", "2001:db8::", 80, false },
        { "::/0", "2001:db8::1", 80, true },
        { "192.0.2.1", "::ffff:192.0.2.1", 80, true },
        { "::ffff:192.0.2.0/120", "192.0.2.1", 80, true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].host);
        char *host = guard_copy(cases[i].host, size);
        char *list = guard_copy(cases[i].list, strlen(cases[i].list) + 1);
        if (swale__proxy_bypassed(list, swale_span(host, size), cases[i].port) != cases[i].bypassed)
            fail_msg("no_proxy \"%s\", %s:%d", cases[i].list, cases[i].host, cases[i].port);
        guard_free(host, size);
        guard_free(list, strlen(cases[i].list) + 1);
    }
}

/* ---- The environment -------------------------------------------------------------------------------- */

/* What the environment of these assignments says for the URL. */
static const char *ask(const char *url_text, const char *const *assignments)
{
    static char block[512];
    struct swale_url url;
    size_t used = 0;
    clearenv();
    for (; *assignments; assignments++) {
        assert_true(used + strlen(*assignments) < sizeof block);
        putenv(strcpy(block + used, *assignments));
        used += strlen(*assignments) + 1;
    }
    assert_int_equal(swale_url_parse(swale_text(url_text), &url, NULL), 0);
    return swale__proxy_environment(&url);
}

static void the_environment_names_a_proxy(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *assignments[6];
        const char *proxy;
    } cases[] = {
        { "ws://a", { NULL }, "" },
        { "ws://a", { "http_proxy=p" }, "p" },
        { "ws://a", { "HTTP_PROXY=p" }, "" }, /* httpoxy */
        { "wss://a", { "HTTP_PROXY=p", "http_proxy=p" }, "" },
        { "wss://a", { "https_proxy=p" }, "p" },
        { "wss://a", { "HTTPS_PROXY=p" }, "p" },
        { "wss://a", { "HTTPS_PROXY=P", "https_proxy=p" }, "p" },
        { "wss://a", { "https_proxy=", "HTTPS_PROXY=P" }, "P" },
        { "ws://a", { "https_proxy=p" }, "" },
        { "ws://a", { "http_proxy=p", "ws_proxy=q" }, "q" },
        { "ws://a", { "http_proxy=p", "WS_PROXY=q" }, "q" },
        { "wss://a", { "https_proxy=p", "wss_proxy=q" }, "q" },
        { "wss://a", { "https_proxy=p", "WSS_PROXY=q" }, "q" },
        { "ws://a", { "all_proxy=p" }, "p" },
        { "wss://a", { "ALL_PROXY=p" }, "p" },
        { "wss://a", { "ALL_PROXY=p", "https_proxy=q" }, "q" },
        { "ws+unix:/a", { "all_proxy=p", "http_proxy=p" }, "" },
        { "ws://a.example", { "http_proxy=p", "no_proxy=b,a.example" }, "" },
        { "ws://a.example", { "http_proxy=p", "NO_PROXY=a.example" }, "" },
        { "ws://a.example", { "http_proxy=p", "NO_PROXY=a.example", "no_proxy=b" }, "p" },
        { "ws://a.example:81", { "http_proxy=p", "no_proxy=a.example:80" }, "p" },
        { "wss://[::1]", { "all_proxy=p", "no_proxy=[::1]:443" }, "" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(ask(cases[i].url, cases[i].assignments), cases[i].proxy);
    clearenv();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),          cmocka_unit_test(what_is_no_proxy_is_refused),
        cmocka_unit_test(lengths_of_logins_are_bounded), cmocka_unit_test(logins_are_decoded),
        cmocka_unit_test(exceptions_name_hosts),         cmocka_unit_test(the_environment_names_a_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
