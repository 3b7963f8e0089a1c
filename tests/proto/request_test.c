/* request_test.c - targets and hosts. The scanner's own tests are in head_test.c. */
#include "test.h"

#include "heads.h"

static struct heads_outcome parse(const char *target, const char *fields)
{
    char head[512];
    int size = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n%s\r\n", target, fields);
    return heads_everyway(heads_request, head, (size_t)size);
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *shown; /* the beginning of it */
    } cases[] = {
        { "/", "method=GET|target=/|path=/|query=|host=a|" },
        { "/a/b", "method=GET|target=/a/b|path=/a/b|query=|host=a|" },
        { "/a?b?c&d=%20", "method=GET|target=/a?b?c&d=%20|path=/a|query=b?c&d=%20|host=a|" },
        { "/?", "method=GET|target=/?|path=/|query=|host=a|" },
        { "/a//b/../c\\{|}^", "method=GET|target=/a//b/../c\\{|}^|path=/a//b/../c\\{|}^|query=|host=a|" },
        { "http://b/x?y", "method=GET|target=/x?y|path=/x|query=y|host=b|" },
        { "HTTPS://b:8443/x", "method=GET|target=/x|path=/x|query=|host=b:8443|" },
        { "ws://[::1]:80/x", "method=GET|target=/x|path=/x|query=|host=[::1]:80|" },
        { "wss://b", "method=GET|target=/|path=/|query=|host=b|" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct heads_outcome outcome = parse(cases[i].target, "Host: a\r\n");
        assert_true(outcome.result > 0);
        assert_memory_equal(outcome.text, cases[i].shown, strlen(cases[i].shown));
    }
}

static void test_bad_absolute_targets(void **state)
{
    (void)state;
    static const char *const targets[] = { "http://",      "http:///x",     "http://b?x", "http://user@b/x",
                                           "http://b//x",  "http://b:x/",   "http://b:/", "http://b:65536/x",
                                           "http://[::1/", "http://a%zz/x", "ws://b;@c/" };
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        assert_int_equal(parse(targets[i], "Host: a\r\n").result, SWALE_ERR_HTTP_TARGET);
    /* An absolute target does not excuse the Host field. */
    assert_int_equal(parse("http://b/x", "").result, SWALE_ERR_HTTP_HOST);
    assert_int_equal(parse("http://b/x", "Host: a/b\r\n").result, SWALE_ERR_HTTP_HOST);
}

static void test_hosts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "Host: example.com\r\n",       "Host: example.com:8080\r\n",  "host: 127.0.0.1\r\n", "HOST: [::1]\r\n",
        "Host: [2001:db8::1]:443\r\n", "Host: a_b.~x!$&'()*+,;=\r\n", "Host: caf%C3%A9\r\n", "Host: a:0\r\n",
        "Host: a:65535\r\n",
    };
    static const char *const bad[] = {
        "",
        "Host:\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a@b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: a\\b\r\n",
        "Host: \"a\"\r\n",
        "Host: a:b\r\n",
        "Host: a:\r\n",
        "Host: :80\r\n",
        "Host: a:80:80\r\n",
        "Host: a:65536\r\n",
        "Host: a:4294967376\r\n",
        "Host: [::1\r\n",
        "Host: [::1]x\r\n",
        "Host: []\r\n",
        "Host: [v1.x]\r\n",
        "Host: [::1%25eth0]\r\n",
        "Host: ::1\r\n",
        "Host: a%4\r\n",
        "Host: a%\r\n",
        "Host: a%gg\r\n",
        "Host: a\xc3\xa9\r\n",
        "Host: http://a\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(parse("/", good[i]).result > 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(parse("/", bad[i]).result, SWALE_ERR_HTTP_HOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_bad_absolute_targets),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
