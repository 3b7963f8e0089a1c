/* head_test.c - the scanner: which heads are refused, why, how early, and that cuts and moves change nothing. */
#include "test.h"

#include "heads.h"

struct refusal {
    const char *head;
    int error;
};

#define REST " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD "GET / HTTP/1.1\r\nHost: a\r\n"

static void check_refusals(heads_parse *parse, const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct heads_outcome outcome = heads_everyway(parse, refusals[i].head, strlen(refusals[i].head));
        if (outcome.result != refusals[i].error)
            print_error("%s\n", refusals[i].head);
        assert_int_equal(outcome.result, refusals[i].error);
    }
}

static void test_good_request(void **state)
{
    (void)state;
    static const char head[] = "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nX-Empty:\r\nX-Blank: \t \r\n"
                               "X-Inner:  a \t b\t\r\nX-High: \xc3\xa9\xff\r\n!#$%&'*+-.^_`|~09Az: tchar\r\n\r\n";
    struct heads_outcome outcome = heads_everyway(heads_request, head, sizeof head - 1);
    assert_int_equal(outcome.result, sizeof head - 1);
    assert_string_equal(outcome.text, "method=GET|target=/chat?x=1|path=/chat|query=x=1|host=server.example.com|"
                                      "name=Host|value=server.example.com|name=X-Empty|value=|name=X-Blank|value=|"
                                      "name=X-Inner|value=a \t b|name=X-High|value=\xc3\xa9\xff|"
                                      "name=!#$%&'*+-.^_`|~09Az|value=tchar|0 keep");
}

static void test_bytes_behind_the_head_are_left(void **state)
{
    (void)state;
    static const char bytes[] = HEAD "\r\n\x81\x80mask";
    struct heads_outcome outcome;
    heads_feed(heads_request, bytes, sizeof bytes - 1, sizeof bytes - 1, 1, &outcome);
    assert_int_equal(outcome.result, strlen(HEAD "\r\n"));
}

static void test_one_empty_line_before_a_request(void **state)
{
    (void)state;
    struct heads_outcome outcome = heads_everyway(heads_request, "\r\n" HEAD "\r\n", strlen(HEAD) + 4);
    assert_int_equal(outcome.result, strlen(HEAD) + 4);
    assert_non_null(strstr(outcome.text, "method=GET|target=/|"));
    static const struct refusal refusals[] = {
        { "\r\n\r\n" HEAD "\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "\n" HEAD "\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "\rGET", SWALE_ERR_HTTP_SYNTAX },
    };
    check_refusals(heads_request, refusals, COUNT_OF(refusals));
    static const struct refusal none_before_an_answer[] = { { "\r\nHTTP/1.1 200 OK\r\n\r\n",
                                                              SWALE_ERR_HTTP_SYNTAX } };
    check_refusals(heads_response, none_before_an_answer, 1);
}

static void test_request_lines(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        { " / HTTP/1.1", SWALE_ERR_HTTP_SYNTAX },
        { "G(T / HTTP/1.1", SWALE_ERR_HTTP_SYNTAX },
        { "GET\t/ HTTP/1.1", SWALE_ERR_HTTP_SYNTAX },
        { "GET\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET /\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET /\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET /\x01", SWALE_ERR_HTTP_SYNTAX },
        { "GET /\x7f", SWALE_ERR_HTTP_SYNTAX },
        { "GET /\tHTTP/1.1", SWALE_ERR_HTTP_TARGET },
        { "GET /\xc3\xa9 HTTP/1.1", SWALE_ERR_HTTP_TARGET },
        { "GET /#top HTTP/1.1", SWALE_ERR_HTTP_TARGET },
        { "GET  / HTTP/1.1", SWALE_ERR_HTTP_TARGET },
        { "GET *" REST, SWALE_ERR_HTTP_TARGET },
        { "GET host:80" REST, SWALE_ERR_HTTP_TARGET },
        { "GET echo" REST, SWALE_ERR_HTTP_TARGET },
        { "GET //" REST, SWALE_ERR_HTTP_TARGET },
        { "GET //host/x" REST, SWALE_ERR_HTTP_TARGET },
        { "GET ht" REST, SWALE_ERR_HTTP_TARGET },
        { "GET http:/" REST, SWALE_ERR_HTTP_TARGET },
        { "GET ftp://host/" REST, SWALE_ERR_HTTP_TARGET },
        { "CONNECT host:443" REST, SWALE_ERR_HTTP_METHOD },
        { "CONNECT /" REST, SWALE_ERR_HTTP_METHOD },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SWALE_ERR_HTTP_TARGET },
        { "GET / HTTP/9.9\r\n", SWALE_ERR_HTTP_VERSION },
        { "GET / HTTP/1.0\r\n", SWALE_ERR_HTTP_VERSION },
        { "GET / HTTP/1.2\r\n", SWALE_ERR_HTTP_VERSION },
        { "GET / HTTP/2.0\r\n", SWALE_ERR_HTTP_VERSION },
        { "GET / HTTP/1.1x\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET / HTTP/1.1 \r\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET / HTTP/1.1\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET / HTTP/1.1\r\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET / HTTP/11", SWALE_ERR_HTTP_SYNTAX },
        { "GET / HTTP/-1", SWALE_ERR_HTTP_SYNTAX },
        { "GET / http/1.1", SWALE_ERR_HTTP_SYNTAX },
        { "GET /  HTTP/1.1", SWALE_ERR_HTTP_SYNTAX },
        { "GET / XTTP/1.1", SWALE_ERR_HTTP_SYNTAX },
    };
    check_refusals(heads_request, refusals, COUNT_OF(refusals));
}

static void test_field_lines(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        { HEAD " X: folded\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "\tX: folded\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { "GET / HTTP/1.1\r\n Host: a\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X : a\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD ": a\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X Y: a\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X(: a\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X\xe9: a\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X\x02: a\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X: a\x02\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X: a\x7f\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X: a\nY: b\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X: a\rY: b\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X:\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "X: a\r\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "\r\r\n", SWALE_ERR_HTTP_SYNTAX },
        { HEAD "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n",
          SWALE_ERR_HTTP_SYNTAX },
    };
    check_refusals(heads_request, refusals, COUNT_OF(refusals));
}

static void test_nul_anywhere(void **state)
{
    (void)state;
    static const char head[] = HEAD "X: value\r\n\r\n";
    for (size_t i = 0; i < sizeof head - 1; i++) {
        char bad[sizeof head];
        memcpy(bad, head, sizeof head);
        bad[i] = '\0';
        assert_int_equal(heads_everyway(heads_request, bad, sizeof head - 1).result, SWALE_ERR_HTTP_SYNTAX);
    }
}

/* Every byte in every place of a head that may hold any: only line structure and classes decide. */
static void test_control_bytes_fail_at_once(void **state)
{
    (void)state;
    static const char *const beginnings[] = { "", "GE", "GET /", "GET / HTTP/1", HEAD, HEAD "X", HEAD "X: a" };
    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        for (int c = 0; c < 0x20; c++) {
            char bytes[64];
            size_t size = strlen(beginnings[i]);
            if (c == '\r' || c == '\t')
                continue;
            memcpy(bytes, beginnings[i], size);
            bytes[size] = (char)c;
            struct heads_outcome outcome;
            heads_feed(heads_request, bytes, size + 1, 0, 1, &outcome);
            assert_int_equal(outcome.result, SWALE_ERR_HTTP_SYNTAX);
        }
    }
}

/* The number of bytes after which the parser fails, fed one at a time. */
static size_t fails_after(const char *bytes, size_t size)
{
    struct swale_field fields[4];
    struct swale_head_room room = { fields, 4, 4096 };
    struct swale_head_parser parser = { 0 };
    struct swale_request request;
    for (size_t given = 1; given <= size; given++)
        if (swale_request_parse(&parser, &room, bytes, given, &request) < 0)
            return given;
    return 0;
}

static void test_other_protocols_fail_early(void **state)
{
    (void)state;
    assert_int_equal(fails_after("\x16\x03\x01\x02\x00\x01", 6), 1);       /* TLS ClientHello */
    assert_int_equal(fails_after("SSH-2.0-OpenSSH_9.2p1 Debian", 28), 23); /* its target is no path */
    assert_int_equal(fails_after("SSH-2.0-OpenSSH_9.2\r\n", 21), 20);
    assert_int_equal(fails_after("PRI * HTTP/2.0\r\n", 16), 5);
    assert_int_equal(fails_after("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 40), 33);
    assert_int_equal(fails_after("*1\r\n$4\r\nPING\r\n", 14), 3); /* Redis */
    assert_int_equal(fails_after("GET / HTTP/2.0", 14), 14);
    assert_int_equal(fails_after("GET http://host", 15), 0);
}

static void test_size_limit(void **state)
{
    (void)state;
    static const char head[] = HEAD "X: value\r\n\r\n";
    struct swale_field fields[4];
    struct swale_request request;
    for (uint32_t max = 0; max <= sizeof head; max++) {
        struct swale_head_room room = { fields, 4, max };
        for (size_t step = 1; step <= sizeof head - 1; step += sizeof head - 2) {
            struct swale_head_parser parser = { 0 };
            ptrdiff_t result = 0;
            size_t given = 0;
            while (result == 0 && given < sizeof head - 1) {
                given += step;
                result = swale_request_parse(&parser, &room, head, given, &request);
            }
            bool fits = max >= sizeof head - 1;
            assert_int_equal(result, fits ? (int)sizeof head - 1 : SWALE_ERR_HTTP_HEAD_SIZE);
            /* Fed byte by byte it fails with the byte that reaches the limit. */
            if (!fits && step == 1)
                assert_int_equal(given, max > 0 ? max : 1);
        }
    }
}

static void test_field_limit(void **state)
{
    (void)state;
    static const char head[] = HEAD "X: 1\r\nY: 2\r\n\r\n";
    struct swale_request request;
    for (uint32_t max = 0; max <= 4; max++) {
        struct swale_field fields[4];
        struct swale_head_room room = { fields, max, 4096 };
        struct swale_head_parser parser = { 0 };
        ptrdiff_t result = swale_request_parse(&parser, &room, head, sizeof head - 1, &request);
        assert_int_equal(result, max >= 3 ? (int)sizeof head - 1 : SWALE_ERR_HTTP_FIELD_COUNT);
    }
    /* As soon as the field too many begins. */
    struct swale_field one[1];
    struct swale_head_room room = { one, 1, 4096 };
    struct swale_head_parser parser = { 0 };
    assert_int_equal(swale_request_parse(&parser, &room, HEAD "X", strlen(HEAD) + 1, &request),
                     SWALE_ERR_HTTP_FIELD_COUNT);
}

static void test_a_failed_parser_stays_failed(void **state)
{
    (void)state;
    static const char head[] = HEAD "X : a\r\n\r\n";
    struct swale_field fields[4];
    struct swale_head_room room = { fields, 4, 4096 };
    struct swale_head_parser parser = { 0 };
    struct swale_request request;
    for (int i = 0; i < 3; i++)
        assert_int_equal(swale_request_parse(&parser, &room, head, sizeof head - 1, &request), SWALE_ERR_HTTP_SYNTAX);
}

static void test_body_framing(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        { HEAD "Content-Length: -1\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: +5\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 0x5\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 5 5\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 5, 5\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length:\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 18446744073709551616\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 18446744073709551621\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 99999999999999999999999\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 5\r\ncontent-length: 5\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
        { HEAD "Transfer-Encoding: xchunked\r\n\r\n", SWALE_ERR_HTTP_TRANSFER_CODING },
        { HEAD "Transfer-Encoding: chunked, identity\r\n\r\n", SWALE_ERR_HTTP_TRANSFER_CODING },
        { HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", SWALE_ERR_HTTP_TRANSFER_CODING },
        { HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n", SWALE_ERR_HTTP_TRANSFER_CODING },
        { HEAD "Transfer-Encoding:\r\n\r\n", SWALE_ERR_HTTP_TRANSFER_CODING },
    };
    check_refusals(heads_request, refusals, COUNT_OF(refusals));
    static const struct {
        const char *head;
        const char *shown;
    } good[] = {
        { HEAD "Content-Length: 0\r\n\r\n", "length 0 keep" },
        { HEAD "content-length:\t42 \r\n\r\n", "length 42 keep" },
        { HEAD "Content-Length: 18446744073709551615\r\n\r\n", "length 18446744073709551615 keep" },
        { HEAD "Transfer-Encoding: Chunked\r\n\r\n", "chunked 0 keep" },
        { HEAD "Connection: keep-alive, Close\r\n\r\n", "|0 close" },
        { HEAD "Connection: closed\r\n\r\n", "|0 keep" },
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_non_null(
            strstr(heads_everyway(heads_request, good[i].head, strlen(good[i].head)).text, good[i].shown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_request),
        cmocka_unit_test(test_bytes_behind_the_head_are_left),
        cmocka_unit_test(test_one_empty_line_before_a_request),
        cmocka_unit_test(test_request_lines),
        cmocka_unit_test(test_field_lines),
        cmocka_unit_test(test_nul_anywhere),
        cmocka_unit_test(test_control_bytes_fail_at_once),
        cmocka_unit_test(test_other_protocols_fail_early),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_field_limit),
        cmocka_unit_test(test_a_failed_parser_stays_failed),
        cmocka_unit_test(test_body_framing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
