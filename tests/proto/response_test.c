#include "test.h"

#include "heads.h"

static struct heads_outcome parse(const char *head)
{
    return heads_everyway(heads_response, head, strlen(head));
}

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *shown;
    } cases[] = {
        { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
          "status=101|reason=Switching Protocols|name=Upgrade|value=websocket|length 0 keep" },
        { "HTTP/1.1 101 \r\n\r\n", "status=101|reason=|length 0 keep" }, /* Tomcat */
        { "HTTP/1.1 101\r\n\r\n", "status=101|reason=|length 0 keep" },
        { "HTTP/1.1 403 Nicht \xe4rgern\t!\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
          "status=403|reason=Nicht \xe4rgern\t!|name=Content-Length|value=7|name=Connection|value=close|"
          "length 7 close" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
          "status=200|reason=OK|name=Transfer-Encoding|value=chunked|chunked 0 keep" },
        { "HTTP/1.1 200 OK\r\n\r\n", "status=200|reason=OK|0 keep" },
        { "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
          "status=204|reason=No Content|name=Content-Length|value=9|length 0 keep" },
        { "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
          "status=304|reason=Not Modified|name=Transfer-Encoding|value=chunked|length 0 keep" },
        { "HTTP/1.0 200 Connection established\r\n\r\n", "status=200|reason=Connection established|0 close" },
        { "HTTP/1.1 999 \r\n\r\n", "status=999|reason=|0 keep" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct heads_outcome outcome = parse(cases[i].head);
        assert_int_equal(outcome.result, strlen(cases[i].head));
        assert_string_equal(outcome.text, cases[i].shown);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int error;
    } cases[] = {
        { "HTTP/1.0 101 Switching Protocols\r\n\r\n", SWALE_ERR_HTTP_VERSION },
        { "HTTP/2.0 200 OK\r\n\r\n", SWALE_ERR_HTTP_VERSION },
        { "HTTP/1.2 200 OK\r\n\r\n", SWALE_ERR_HTTP_VERSION },
        { "HTTP/0.9 200 OK\r\n\r\n", SWALE_ERR_HTTP_VERSION },
        { "http/1.1 200 OK\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1  200 OK\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 20 OK\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 2000 OK\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 099 OK\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 2x0 OK\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 200 O\x01K\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 200 OK\n\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 200\n\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { "SSH-2.0", SWALE_ERR_HTTP_SYNTAX },
        { "\x15\x03\x01", SWALE_ERR_HTTP_SYNTAX },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(parse(cases[i].head).result, cases[i].error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
