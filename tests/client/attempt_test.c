/* The way of an attempt through its stages, and every way for it to end. */
#include "attempt_bed.h"

#include "certs.h"

#include <errno.h>
#include <stdio.h>

static struct bed bed;

static void it_opens(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com/chat?room=1");
    bed.scripts[0] = bed_good("");
    assert_int_equal(bed_run(&bed), 0);
    assert_true(bed.opened && bed.reading);
    assert_int_equal(bed.status, 101);
    assert_string_equal(bed.servers[0].host, "example.com");
    assert_int_equal(bed.servers[0].port, 80);
    assert_int_equal(bed.servers[0].user_timeout_ms, 35000);
    assert_true(bed_heard(&bed, 0, "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\n"));
    assert_true(bed_traced(&bed, "note: trying a pair\nrequest: GET /chat"));
    assert_true(bed_traced(&bed, "response: HTTP/1.1 101"));
    bed_end(&bed);
}

static void nobody_has_to_look(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com/");
    bed.options.on_trace = NULL;
    bed.config.options.max_redirects = 1;
    bed.scripts[0] = "HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n";
    bed.scripts[1] = bed_good("");
    assert_int_equal(bed_run(&bed), 0);
    assert_true(bed.opened);
    assert_string_equal(bed.trace, "");
    bed_end(&bed);
}

static void early_bytes_are_handed_on(void **state)
{
    (void)state;
    char script[1024];
    bed_begin(&bed, "ws://example.com");
    snprintf(script, sizeof script, "%s%s", bed_good(""), "\x81\x02hi");
    bed.scripts[0] = script;
    for (bed.cut = 0; bed.cut < 200; bed.cut++) {
        assert_int_equal(bed_run(&bed), 0);
        assert_true(bed.opened);
        size_t size = strlen(bed.early);
        assert_memory_equal(bed.early, "\x81\x02hi", size);
        assert_true(size == 4 || bed.cut > 100);
        bed_again(&bed);
    }
    bed_end(&bed);
}

static void it_goes_where_it_is_told(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.config.connect_host = swale_text("::1");
    bed.config.connect_port = 8080;
    bed.scripts[0] = bed_good("");
    bed.config.limits.ping_after_ms = SWALE_OFF;
    bed_run(&bed);
    assert_true(bed.opened);
    assert_string_equal(bed.servers[0].host, "::1");
    assert_int_equal(bed.servers[0].port, 8080);
    assert_int_equal(bed.servers[0].user_timeout_ms, 0);
    assert_true(bed_heard(&bed, 0, "Host: example.com\r\n"));
    bed_end(&bed);

    bed_begin(&bed, "ws+unix:/run/app.sock:/chat");
    bed.scripts[0] = bed_good("");
    bed_run(&bed);
    assert_true(bed.opened);
    assert_string_equal(bed.servers[0].host, "unix:/run/app.sock");
    assert_true(bed_heard(&bed, 0, "GET /chat HTTP/1.1\r\nHost: localhost\r\n"));
    bed_end(&bed);
}

static void failing_to_connect_is_told(void **state)
{
    static const struct {
        int error;
        enum swale_client_phase phase;
    } rows[] = { { -ECONNREFUSED, SWALE_PHASE_CONNECT }, { SWALE_ERR_RESOLVE, SWALE_PHASE_RESOLVE } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bed_begin(&bed, "ws://example.com");
        bed.connect_error = rows[i].error;
        bed_run(&bed);
        assert_true(bed.failed);
        assert_int_equal(bed.reason, rows[i].error);
        assert_int_equal(bed.phase, rows[i].phase);
        assert_string_equal(bed.text, "connect: it does not work");
        assert_int_equal(bed.retry_after_ms, -1);
        bed_end(&bed);
    }
}

/* ---- The deadline ----------------------------------------------------------------------------------- */

/* One deadline over everything: it strikes at its instant, however far things are. */
static void expect_timeout(enum swale_client_phase phase, const char *text)
{
    assert_int_equal(bed_run(&bed), 0);
    test_loop_advance(&bed.loop, 9999);
    assert_false(bed.opened || bed.failed);
    test_loop_advance(&bed.loop, 1);
    assert_true(bed.failed);
    assert_int_equal(bed.reason, SWALE_ERR_HANDSHAKE_TIMEOUT);
    assert_int_equal(bed.phase, phase);
    assert_string_equal(bed.text, text);
    test_loop_settle(&bed.loop);
    for (unsigned i = 0; i < bed.connections; i++)
        assert_true(bed.servers[i].ended || bed.servers[i].failed);
    bed_end(&bed);
}

static void silence_ends_with_the_deadline(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.connect_never = true;
    expect_timeout(SWALE_PHASE_RESOLVE, "gave up after 10000 ms of resolving example.com");
    bed_begin(&bed, "ws://example.com");
    expect_timeout(SWALE_PHASE_HANDSHAKE, "gave up after 10000 ms of waiting for the answer of example.com");
    bed_begin(&bed, "wss://example.com");
    assert_int_equal(swale_tls_client(&bed.options.tls, &(struct swale_tls_options){ 0 }, NULL), 0);
    expect_timeout(SWALE_PHASE_TLS, "gave up after 10000 ms of waiting for TLS with example.com");
    bed_begin(&bed, "ws://example.com");
    bed.config.proxy = (struct swale__proxy){ .kind = SWALE__PROXY_HTTP, .host = swale_text("proxy"), .port = 3128 };
    expect_timeout(SWALE_PHASE_PROXY, "gave up after 10000 ms of waiting for the proxy on the way to example.com");
}

/* An answer that drips, at whatever pace, is cut at the same instant. */
static void a_dripping_answer_ends_with_the_deadline(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    assert_int_equal(bed_run(&bed), 0);
    struct swale__stream *server = bed.servers[0].stream;
    static const char drip[] = "HTTP/1.1 101 Switching Protocols\r\nA: b\r\n";
    for (unsigned i = 0; i < 10; i++) {
        assert_false(bed.failed);
        struct iovec part = { (char *)drip + i, 1 };
        assert_int_equal(swale__stream_write(server, &part, 1), 1);
        test_loop_advance(&bed.loop, 1000);
    }
    assert_true(bed.failed);
    assert_int_equal(bed.reason, SWALE_ERR_HANDSHAKE_TIMEOUT);
    bed_end(&bed);
}

static void a_refusal_that_drips_is_reported_in_time(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.scripts[0] = "HTTP/1.1 503 Oops\r\nContent-Length: 100\r\nRetry-After: 7\r\n\r\ncome ";
    assert_int_equal(bed_run(&bed), 0);
    test_loop_advance(&bed.loop, 9999);
    assert_false(bed.failed);
    test_loop_advance(&bed.loop, 1);
    assert_true(bed.failed);
    assert_int_equal(bed.reason, SWALE_ERR_ANSWER_STATUS);
    assert_int_equal(bed.status, 503);
    assert_int_equal(bed.phase, SWALE_PHASE_HANDSHAKE);
    assert_string_equal(bed.body, "come ");
    assert_true(bed.body_cut);
    assert_int_equal(bed.retry_after_ms, 7000);
    bed_end(&bed);
}

static void the_deadline_can_be_off(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.config.limits.handshake_ms = SWALE_OFF;
    assert_int_equal(bed_run(&bed), 0);
    test_loop_advance(&bed.loop, 100000000);
    assert_false(bed.failed || bed.opened);
    bed_end(&bed);
}

/* ---- TLS -------------------------------------------------------------------------------------------- */

static struct test_certs certs;

static int make_certs(void **state)
{
    (void)state;
    test_certs_begin(&certs);
    test_certs_make(&certs, &(struct test_cert){ .name = "good",
                                                 .common_name = "good one",
                                                 .names = "DNS:example.com,IP:127.0.0.1,IP:::1" });
    test_certs_make(&certs, &(struct test_cert){ .name = "late", .names = "DNS:example.com", .expired = true });
    test_certs_make(&certs, &(struct test_cert){ .name = "other", .names = "DNS:other.example" });
    test_certs_make(&certs, &(struct test_cert){ .name = "self", .issuer = "self", .names = "DNS:example.com" });
    return 0;
}

static int remove_certs(void **state)
{
    (void)state;
    test_certs_end(&certs);
    return 0;
}

static void use_tls(const char *url, const char *name)
{
    char files[2][64];
    snprintf(files[0], sizeof files[0], "%s.crt", name);
    snprintf(files[1], sizeof files[1], "%s.key", name);
    struct swale_tls_certificate certificate = { test_certs_path(&certs, files[0]),
                                                 test_certs_path(&certs, files[1]) };
    struct swale_tls_options server = { .certificates = &certificate, .certificate_count = 1 };
    struct swale_tls_options client = { .ca_file = test_certs_path(&certs, "ca.crt") };
    bed_begin(&bed, url);
    assert_int_equal(swale_tls_server(&bed.server_tls, &server, NULL), 0);
    assert_int_equal(swale_tls_client(&bed.options.tls, &client, NULL), 0);
}

static void it_opens_over_tls(void **state)
{
    static const char *const urls[] = { "wss://example.com/", "wss://127.0.0.1/", "wss://[::1]/" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        use_tls(urls[i], "good");
        bed.scripts[0] = bed_good("");
        bed_run(&bed);
        assert_true(bed.opened);
        assert_int_equal(bed.servers[0].port, 443);
        assert_true(bed_traced(&bed, "note: TLSv1.3 with TLS_AES_128_GCM_SHA256\n"
                                     "note: the certificate is of CN=good one\n"
                                     "request: GET / "));
        bed_end(&bed);
    }
}

static void a_server_name_can_be_given(void **state)
{
    (void)state;
    use_tls("wss://10.1.2.3/", "good");
    bed.config.options.tls_server_name = "example.com";
    bed.scripts[0] = bed_good("");
    bed_run(&bed);
    assert_true(bed.opened);
    bed_end(&bed);
}

/* Not a byte of the request goes to whom the certificate does not name. */
static void who_is_not_trusted_hears_nothing(void **state)
{
    static const struct {
        const char *certificate, *text;
    } rows[] = { { "late", "TLS with example.com: certificate verify failed: certificate has expired" },
                 { "other", "TLS with example.com: certificate verify failed: hostname mismatch" },
                 { "self", "TLS with example.com: certificate verify failed: self-signed certificate" } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        use_tls("wss://example.com/", rows[i].certificate);
        bed.scripts[0] = bed_good("");
        bed.at_once = true;
        bed_run(&bed);
        assert_true(bed.failed);
        assert_true(bed.reason == SWALE_ERR_TLS || bed.reason == SWALE_ERR_TLS_UNTRUSTED);
        assert_int_equal(bed.phase, SWALE_PHASE_TLS);
        assert_string_equal(bed.text, rows[i].text);
        assert_int_equal(bed.servers[0].heard_size, 0);
        bed_end(&bed);
    }
}

static void a_server_without_tls_is_told_apart(void **state)
{
    (void)state;
    use_tls("wss://example.com/", "good");
    swale_tls_unref(bed.server_tls);
    bed.server_tls = NULL;
    bed.at_once = true;
    bed.scripts[0] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    bed_run(&bed);
    assert_true(bed.failed);
    assert_int_equal(bed.reason, SWALE_ERR_TLS);
    assert_string_equal(bed.text,
                        "TLS with example.com: wrong version number (the server does not speak TLS on this port)");
    assert_false(bed_heard(&bed, 0, "GET"));
    bed_end(&bed);
}

/* With TLS 1.3 that comes behind the client's handshake, where an answer is expected. */
static void a_missing_certificate_is_told(void **state)
{
    (void)state;
    struct swale_tls_certificate certificate = { test_certs_path(&certs, "good.crt"),
                                                 test_certs_path(&certs, "good.key") };
    struct swale_tls_options server = {
        .certificates = &certificate,
        .certificate_count = 1,
        .ca_file = test_certs_path(&certs, "ca.crt"),
        .client_auth = SWALE_TLS_CLIENT_REQUIRED,
    };
    use_tls("wss://example.com/", "good");
    swale_tls_unref(bed.server_tls);
    assert_int_equal(swale_tls_server(&bed.server_tls, &server, NULL), 0);
    bed_run(&bed);
    assert_int_equal(bed.reason, SWALE_ERR_TLS);
    assert_int_equal(bed.phase, SWALE_PHASE_TLS);
    assert_string_equal(bed.text, "TLS with example.com: tlsv13 alert certificate required");
    bed_end(&bed);
}

/* What the caller's TLS settings vouch for is not given up on the way (nor is anything asked in the clear). */
static void a_redirect_does_not_leave_tls(void **state)
{
    static const struct {
        const char *answer, *text; /* NULL: it is followed */
    } rows[] = {
        { "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ws://example.com/\r\n\r\n",
          "example.com answered 302 Found: a redirect from wss to ws" },
        { "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://example.com:444/\r\n\r\n",
          "example.com answered 302 Found: a redirect to another origin, with TLS settings that were meant for the "
          "first" },
        { "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://example.com/\r\n\r\n", NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        use_tls("wss://example.com/", "good");
        bed.config.options.tls = bed.options.tls;
        bed.config.options.max_redirects = 5;
        bed.scripts[0] = rows[i].answer;
        bed.scripts[1] = bed_good("");
        bed_run(&bed);
        assert_true(bed.opened == !rows[i].text);
        assert_int_equal(bed.reason, rows[i].text ? SWALE_ERR_REDIRECT : 0);
        assert_int_equal(bed.connections, rows[i].text ? 1 : 2);
        if (rows[i].text)
            assert_string_equal(bed.text, rows[i].text);
        else
            assert_true(bed_traced(&bed, ", resumed\n"));
        bed_end(&bed);
    }
}

/* ---- Proxies ---------------------------------------------------------------------------------------- */

static const char connected[] = "HTTP/1.1 200 Connected\r\n\r\n";

static void it_goes_through_a_proxy(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com/");
    bed.config.proxy = (struct swale__proxy){ .kind = SWALE__PROXY_HTTP, .host = swale_text("proxy"), .port = 3128 };
    bed.scripts[0] = connected;
    bed_run(&bed);
    struct bed_server *server = &bed.servers[0];
    assert_string_equal(server->host, "proxy");
    assert_int_equal(server->port, 3128);
    assert_true(bed_heard(&bed, 0, "CONNECT example.com:80 HTTP/1.1\r\n"));
    assert_true(bed_heard(&bed, 0, "GET / HTTP/1.1\r\nHost: example.com\r\n"));
    assert_true(bed_traced(&bed, "request: CONNECT"));
    bed_end(&bed);
}

static void an_https_proxy_is_verified_by_its_own_name(void **state)
{
    static const struct {
        const char *host, *text;
        bool good;
    } rows[] = { { "example.com", "", true },
                 { "proxy.example", "TLS with the proxy proxy.example: certificate verify failed: hostname mismatch",
                   false } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        use_tls("ws://inner.example/", "good");
        bed.options.proxy_tls = bed.options.tls;
        bed.options.tls = NULL;
        bed.config.proxy = (struct swale__proxy){
            .kind = SWALE__PROXY_HTTPS,
            .host = swale_text(rows[i].host),
            .port = 443,
        };
        bed.scripts[0] = connected;
        bed_run(&bed);
        assert_int_equal(bed.failed, !rows[i].good);
        assert_string_equal(bed.text, rows[i].text);
        assert_int_equal(bed.phase, rows[i].good ? 0 : SWALE_PHASE_PROXY);
        assert_int_equal(bed_heard(&bed, 0, "GET / HTTP/1.1\r\nHost: inner.example\r\n"), rows[i].good);
        bed_end(&bed);
    }
}

static void a_proxys_refusal_is_handed_on(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com/");
    bed.config.proxy = (struct swale__proxy){ .kind = SWALE__PROXY_HTTP, .host = swale_text("proxy"), .port = 3128 };
    bed.scripts[0] = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
    bed_run(&bed);
    assert_true(bed.failed);
    assert_int_equal(bed.reason, SWALE_ERR_PROXY_LOGIN);
    assert_int_equal(bed.phase, SWALE_PHASE_PROXY);
    assert_int_equal(bed.status, 407);
    bed_end(&bed);
}

/* ---- Whenever it ends ------------------------------------------------------------------------------- */

enum way { PLAIN, TLS, REFUSED, HASTY, PROXY, WAYS };

/* Ways on which everything that an attempt does is done once at least. */
static void set_out(enum way way, bool in_flight)
{
    static char value[2000];
    static struct swale_field field;
    use_tls(way == TLS ? "wss://example.com/" : "ws://user:word@example.com/", "good");
    bed.pair.in_flight = in_flight;
    bed.config.options.max_redirects = 1;
    bed.scripts[0] = "HTTP/1.1 302 Found\r\nLocation: /there\r\nSet-Cookie: a=b\r\n\r\n";
    bed.scripts[1] = bed_good("");
    if (way != TLS && way != PROXY) {
        swale_tls_unref(bed.server_tls);
        bed.server_tls = NULL;
    }
    if (way == REFUSED) {
        bed.scripts[0] =
            "HTTP/1.1 503 Oops\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
        bed.pair.chunk = in_flight ? 10 : 0;
    } else if (way == HASTY) {
        memset(value, 'v', sizeof value - 1);
        field = (struct swale_field){ swale_text("X"), swale_text(value) };
        bed.config.options.fields = &field;
        bed.config.options.field_count = 1;
        bed.pair.capacity = 300;
        bed.hasty = true;
        bed.scripts[0] = bed_good("");
    } else if (way == PROXY) {
        bed.config.proxy = (struct swale__proxy){ SWALE__PROXY_HTTPS, swale_text("example.com"), 443, { NULL, 0 } };
        bed.options.proxy_tls = bed.options.tls;
        bed.options.tls = NULL;
        bed.scripts[0] = connected;
    }
}

static void it_may_be_cancelled_in_any_turn(void **state)
{
    enum { TURNS = 40 };
    (void)state;
    for (unsigned i = 0; i < 2 * WAYS; i++) {
        bool over = false;
        for (unsigned turns = 0; !over && turns < TURNS; turns++) {
            set_out((enum way)(i / 2), i & 1);
            assert_int_equal(bed_run_turns(&bed, turns), 0);
            over = bed.opened || bed.failed;
            if (bed.attempt)
                swale__attempt_cancel(bed.attempt);
            bed.attempt = NULL;
            test_loop_advance(&bed.loop, 20000);
            assert_int_equal(bed.opened || bed.failed, over);
            assert_null(bed.connecting);
            bed_end(&bed);
        }
        assert_true(over || i / 2 == HASTY || i / 2 == PROXY);
    }
}

/* Before a turn has freed it, too. */
static void it_may_be_cancelled_at_the_very_end(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com/");
    assert_int_equal(bed_run_turns(&bed, 3), 0);
    swale__attempt_cancel(bed.attempt);
    bed.attempt = NULL;
    bed_end(&bed);
}

/* The nth allocation from the attempt's beginning fails, be it the attempt's, a stream's or the server's. Whether
 * there was one. */
static bool starve(enum way way, bool in_flight, unsigned n)
{
    struct swale__jar *jar;
    set_out(way, in_flight);
    assert_int_equal(swale__jar_new(&jar, &bed.loop.allocator), 0);
    bed.options.jar = jar;
    bed.loop.memory.fail_at = bed.loop.memory.allocations + n;
    int error = bed_run(&bed);
    if (way == HASTY && bed.servers[0].stream)
        swale__stream_resume(bed.servers[0].stream);
    test_loop_advance(&bed.loop, 10000);
    assert_true(!error || error == -ENOMEM);
    assert_int_equal(bed.opened + bed.failed, !error);
    bool starved = bed.loop.memory.allocations >= bed.loop.memory.fail_at;
    assert_true(starved || bed.opened == (way != REFUSED && way != PROXY));
    assert_true(starved || way != REFUSED || bed.reason == SWALE_ERR_ANSWER_STATUS);
    swale__jar_free(jar);
    bed_end(&bed);
    return starved;
}

static void want_of_memory_is_a_failure(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * WAYS; i++)
        for (unsigned n = 1; starve((enum way)(i / 2), i & 1, n); n++)
            continue;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens),
        cmocka_unit_test(nobody_has_to_look),
        cmocka_unit_test(early_bytes_are_handed_on),
        cmocka_unit_test(it_goes_where_it_is_told),
        cmocka_unit_test(failing_to_connect_is_told),
        cmocka_unit_test(silence_ends_with_the_deadline),
        cmocka_unit_test(a_dripping_answer_ends_with_the_deadline),
        cmocka_unit_test(a_refusal_that_drips_is_reported_in_time),
        cmocka_unit_test(the_deadline_can_be_off),
        cmocka_unit_test(it_opens_over_tls),
        cmocka_unit_test(a_server_name_can_be_given),
        cmocka_unit_test(who_is_not_trusted_hears_nothing),
        cmocka_unit_test(a_server_without_tls_is_told_apart),
        cmocka_unit_test(a_missing_certificate_is_told),
        cmocka_unit_test(a_redirect_does_not_leave_tls),
        cmocka_unit_test(it_goes_through_a_proxy),
        cmocka_unit_test(an_https_proxy_is_verified_by_its_own_name),
        cmocka_unit_test(a_proxys_refusal_is_handed_on),
        cmocka_unit_test(it_may_be_cancelled_in_any_turn),
        cmocka_unit_test(it_may_be_cancelled_at_the_very_end),
        cmocka_unit_test(want_of_memory_is_a_failure),
    };
    return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
