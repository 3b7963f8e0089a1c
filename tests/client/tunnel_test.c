/* The tunnel's two handshakes, against proxies that say what a script tells them, on a pair in memory. */
#include "test.h"

#include "client/tunnel.h"
#include "recorder.h"
#include "vloop.h"

#include <errno.h>
#include <stdio.h>

#define BYTES(text)                                                                                                  \
    {                                                                                                                \
        text, sizeof(text) - 1                                                                                       \
    }

enum { MAX_HEAD = 1024, MAX_FIELDS = 8, STEPS_MAX = 4 };

/* The proxy waits for `ask` and then says `answer`. Both are empty behind the last. */
struct script {
    const char *url; /* of the proxy */
    const char *host;
    uint16_t port;
    struct {
        struct swale_span ask, answer;
    } steps[STEPS_MAX];
    int error;        /* 0: it gets through */
    const char *text; /* of the failure, when not NULL */
};

static struct test_loop loop;
static struct test_memory memory; /* of the tunnel alone */
static struct swale_allocator allocator;
static struct swale__proxy proxy;
static struct swale__tunnel *tunnel; /* NULL when it is over */
static struct recorder server;       /* the proxy, and what is behind it */
static struct recorder client;       /* takes the stream that got through */
static const struct script *script;
static int step, opened, failed, status;
static char failure[256];
static char trace[4096];

/* ---- The user of the tunnel ------------------------------------------------------------------------- */

/* Whoever has no user yet hears nothing. */
static const struct swale__stream_user nobody = { NULL, NULL, NULL, NULL };

static void on_ready(void *context, struct swale__stream *stream)
{
    assert_ptr_equal(context, &tunnel);
    assert_int_equal(opened + failed, 0);
    opened = 1;
    tunnel = NULL;
    client.stream = stream;
    swale__stream_use(stream, &nobody, NULL);
}

static void on_failed(void *context, int error, const char *text, const struct swale_response *response)
{
    assert_ptr_equal(context, &tunnel);
    assert_int_equal(opened + failed, 0);
    assert_true(strlen(text) > 0 && !strpbrk(text, "\r\n"));
    failed = error;
    tunnel = NULL;
    strcpy(failure, text);
    status = 0;
    if (response) {
        status = response->status;
        assert_non_null(swale_field_find(response->fields, response->field_count, "X-Proxy", NULL));
    }
}

static void on_trace(void *context, enum swale_trace_kind kind, struct swale_span text)
{
    assert_ptr_equal(context, &tunnel);
    assert_non_null(tunnel);
    snprintf(trace + strlen(trace), sizeof trace - strlen(trace), "%d %.*s|", (int)kind, (int)text.size, text.data);
}

/* ---- The proxy -------------------------------------------------------------------------------------- */

static void begin(const struct script *played, const struct swale__pair_options *options)
{
    script = played;
    step = opened = failed = status = 0;
    trace[0] = failure[0] = '\0';
    memory = (struct test_memory){ .fail_at = memory.fail_at };
    allocator = test_allocator(&memory);
    test_loop_init(&loop);
    struct swale__stream *ends[2];
    assert_int_equal(swale__pair(ends, loop.loop, options), 0);
    recorder_begin(&server, ends[1]);
    assert_int_equal(swale__proxy_parse(&proxy, swale_text(script->url)), 0);
    struct swale__tunnel_options wanted = {
        .allocator = &allocator,
        .stream = ends[0],
        .proxy = &proxy,
        .host = swale_text(script->host),
        .port = script->port,
        .ipv6 = strchr(script->host, ':') != NULL,
        .max_head = MAX_HEAD,
        .max_fields = MAX_FIELDS,
        .on_ready = on_ready,
        .on_failed = on_failed,
        .on_trace = on_trace,
        .context = &tunnel,
    };
    tunnel = NULL;
    int error = swale__tunnel_new(&tunnel, &wanted);
    assert_int_equal(opened + failed, 0);
    if (error)
        failed = error;
}

static void end(void)
{
    recorder_end(&client);
    recorder_end(&server);
    client = (struct recorder){ 0 };
    test_loop_done(&loop);
    assert_int_equal(memory.blocks, 0);
}

/* One turn, after which the proxy answers what it has heard whole: the first `cut` bytes of all its answers now, the
 * others when all is quiet. False when nothing is left to do. */
static bool turn(size_t cut)
{
    static size_t said; /* of all answers */
    static struct swale_span held;
    if (step == 0 && server.size == 0) {
        said = 0;
        held = (struct swale_span){ 0 };
    }
    swale_loop_step(loop.loop, 0);
    struct swale_span ask = script->steps[step].ask;
    if (held.size == 0 && ask.size > 0 && server.size >= ask.size && server.stream) {
        assert_int_equal(server.size, ask.size);
        assert_memory_equal(server.heard, ask.data, ask.size);
        server.size = 0;
        struct swale_span answer = script->steps[step++].answer;
        size_t now = cut > said && cut - said < answer.size ? cut - said : answer.size;
        said += answer.size;
        held = swale_span(answer.data + now, answer.size - now);
        if (now > 0)
            recorder_send(&server, answer.data, now);
    }
    if (swale_loop_wait_ms(loop.loop) == 0)
        return true;
    if (held.size == 0 || !server.stream || server.ends || server.failure)
        return false;
    recorder_send(&server, held.data, held.size);
    held = (struct swale_span){ 0 };
    return true;
}

/* The stream is paused, bytes pass both ways, and nothing was lost or added. */
static void assert_open(void)
{
    assert_int_equal(server.size, 0);
    recorder_send(&server, "from the server", 15);
    test_loop_settle(&loop);
    recorder_begin(&client, client.stream);
    recorder_send(&client, "from the client", 15);
    test_loop_settle(&loop);
    assert_int_equal(client.size, 15);
    assert_int_equal(server.size, 15);
    assert_memory_equal(client.heard, "from the server", 15);
    assert_memory_equal(server.heard, "from the client", 15);
}

static void assert_outcome(void)
{
    assert_null(tunnel);
    assert_int_equal(failed, script->error);
    assert_int_equal(opened, script->error == 0);
    if (script->text)
        assert_string_equal(failure, script->text);
    if (opened)
        assert_open();
    else
        assert_true(server.ends || server.failure); /* the stream has been closed */
}

static void play(const struct script *played, size_t cut, const struct swale__pair_options *options)
{
    begin(played, options);
    while (turn(cut))
        continue;
    assert_outcome();
    end();
}

static size_t answers_size(const struct script *played)
{
    size_t size = 0;
    for (int i = 0; i < STEPS_MAX; i++)
        size += played->steps[i].answer.size;
    return size;
}

/* Whole; cut anywhere; byte by byte; with little room and slow writes. */
static void play_everyway(const struct script *played)
{
    play(played, 0, NULL);
    for (size_t cut = 1; cut < answers_size(played); cut++)
        play(played, cut, NULL);
    play(played, 0, &(struct swale__pair_options){ .chunk = 1 });
    play(played, 0, &(struct swale__pair_options){ .capacity = 1 });
    play(played, 0, &(struct swale__pair_options){ .capacity = 7, .in_flight = true });
    play(played, 0, &(struct swale__pair_options){ .in_flight = true });
}

/* ---- What proxies say ------------------------------------------------------------------------------- */

#define ASK_HTTP "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
#define ASK_LOGIN                                                                                                    \
    "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"                                                  \
    "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
#define HTTP       "http://proxy", "example.com", 443
#define HTTP_LOGIN "https://Aladdin:open%20sesame@proxy", "example.com", 443

static const struct script http_good[] = {
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 200 OK\r\n\r\n") } }, 0, NULL },
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n") } }, 0, NULL },
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 299\r\nContent-Length: 10\r\n\r\n") } }, 0, NULL },
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n") } }, 0, NULL },
    { HTTP_LOGIN, { { BYTES(ASK_LOGIN), BYTES("HTTP/1.1 200 OK\r\n\r\n") } }, 0, NULL },
    { "http://a@proxy",
      "::1",
      80,
      { { BYTES("CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\nProxy-Authorization: Basic YTo=\r\n\r\n"),
          BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") } },
      0,
      NULL },
};

#define TWO_INTERIMS   "HTTP/1.1 102 a\r\n\r\nHTTP/1.1 102 a\r\n\r\n"
#define EIGHT_INTERIMS TWO_INTERIMS TWO_INTERIMS TWO_INTERIMS TWO_INTERIMS
#define TEN            "0123456789"
#define HUNDRED        TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND       HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
#define TOO_MUCH       "the proxy says more than its answer"
#define FIVE_FIELDS    "a: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n"

static const struct script http_bad[] = {
    { HTTP,
      { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 403 No\r\nX-Proxy: p\r\nContent-Length: 3\r\n\r\nno!") } },
      SWALE_ERR_PROXY_REFUSED,
      "the proxy answers 403 Forbidden" },
    { HTTP,
      { { BYTES(ASK_HTTP), BYTES("HTTP/1.0 302 \r\nX-Proxy: p\r\nLocation: /\r\n\r\n") } },
      SWALE_ERR_PROXY_REFUSED,
      "the proxy answers 302 Found" },
    { HTTP,
      { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 407 \r\nX-Proxy: p\r\n\r\n") } },
      SWALE_ERR_PROXY_LOGIN,
      "the proxy answers 407: it asks for credentials" },
    { HTTP_LOGIN,
      { { BYTES(ASK_LOGIN), BYTES("HTTP/1.1 407 \r\nX-Proxy: p\r\n\r\n") } },
      SWALE_ERR_PROXY_LOGIN,
      "the proxy answers 407: it does not take these credentials" },
    { HTTP_LOGIN,
      { { BYTES(ASK_LOGIN), BYTES("HTTP/1.0 401 \r\nX-Proxy: p\r\n\r\n") } },
      SWALE_ERR_PROXY_LOGIN,
      "the proxy answers 401: it does not take these credentials" },
    { HTTP,
      { { BYTES(ASK_HTTP), BYTES(EIGHT_INTERIMS "HTTP/1.1 102 a\r\n\r\n") } },
      SWALE_ERR_PROXY,
      "more interim answers of the proxy than allowed" },
    { HTTP,
      { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n") } },
      SWALE_ERR_PROXY,
      "the proxy answers 101 to CONNECT" },
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 200 OK\n\n") } }, SWALE_ERR_PROXY, NULL },
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/2.0 200 OK\r\n\r\n") } }, SWALE_ERR_PROXY, NULL },
    { HTTP, { { BYTES(ASK_HTTP), BYTES("\5\0") } }, SWALE_ERR_PROXY, NULL },
    { HTTP,
      { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 200 OK\r\nA: " THOUSAND HUNDRED) } },
      SWALE_ERR_PROXY,
      "the proxy's answer: the HTTP head is larger than allowed" },
    { HTTP,
      { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 200 OK\r\n" FIVE_FIELDS FIVE_FIELDS "\r\n") } },
      SWALE_ERR_PROXY,
      "the proxy's answer: the HTTP head has more fields than allowed" },
};

#define HELLO       BYTES("\5\1\0")
#define HELLO_LOGIN BYTES("\5\2\0\2")
#define ASK_NAME    BYTES("\5\1\0\3\13example.com\1\273")
#define LOGIN       BYTES("\1\4user\4p:ss")
#define SOCKS       "socks5://proxy", "example.com", 443
#define SOCKS_LOGIN "socks5h://user:p%3ass@proxy", "example.com", 443

static const struct script socks_good[] = {
    { SOCKS, { { HELLO, BYTES("\5\0") }, { ASK_NAME, BYTES("\5\0\0\1\0\0\0\0\0\0") } }, 0, NULL },
    { SOCKS_LOGIN,
      { { HELLO_LOGIN, BYTES("\5\2") }, { LOGIN, BYTES("\1\0") }, { ASK_NAME, BYTES("\5\0\0\1\1\2\3\4\5\6") } },
      0,
      NULL },
    { SOCKS_LOGIN, { { HELLO_LOGIN, BYTES("\5\0") }, { ASK_NAME, BYTES("\5\0\0\3\2ab\0\120") } }, 0, NULL },
    { "socks5://proxy",
      "192.0.2.1",
      80,
      { { HELLO, BYTES("\5\0") },
        { BYTES("\5\1\0\1\300\0\2\1\0\120"), BYTES("\5\0\0\4\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10\0\120") } },
      0,
      NULL },
    { "socks5://proxy",
      "2001:db8::1",
      65535,
      { { HELLO, BYTES("\5\0") },
        { BYTES("\5\1\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\377\377"), BYTES("\5\0\0\3\0\0\0") } },
      0,
      NULL },
};

#define TO_NAME(answer)                                                                                              \
    {                                                                                                                \
        { HELLO, BYTES("\5\0") },                                                                                    \
        {                                                                                                            \
            ASK_NAME, BYTES(answer)                                                                                  \
        }                                                                                                            \
    }

static const struct script socks_bad[] = {
    { SOCKS, { { HELLO, BYTES("\4\0") } }, SWALE_ERR_PROXY, "the SOCKS proxy's answer: not SOCKS 5, but version 4" },
    { SOCKS, { { HELLO, BYTES("HTTP/1.1 400 ") } }, SWALE_ERR_PROXY, NULL },
    { SOCKS, { { HELLO, BYTES("\5\377") } }, SWALE_ERR_PROXY_LOGIN, "the SOCKS proxy asks for credentials" },
    { SOCKS_LOGIN,
      { { HELLO_LOGIN, BYTES("\5\377") } },
      SWALE_ERR_PROXY_LOGIN,
      "the SOCKS proxy takes no user and password" },
    { SOCKS,
      { { HELLO, BYTES("\5\2") } },
      SWALE_ERR_PROXY,
      "the SOCKS proxy's answer: a way to log in that was not offered, 2" },
    { SOCKS_LOGIN, { { HELLO_LOGIN, BYTES("\5\1") } }, SWALE_ERR_PROXY, NULL },
    { SOCKS_LOGIN,
      { { HELLO_LOGIN, BYTES("\5\2") }, { LOGIN, BYTES("\1\1") } },
      SWALE_ERR_PROXY_LOGIN,
      "the SOCKS proxy does not take these credentials" },
    { SOCKS_LOGIN, { { HELLO_LOGIN, BYTES("\5\2") }, { LOGIN, BYTES("\5\0") } }, SWALE_ERR_PROXY, NULL },
    { SOCKS, TO_NAME("\4\0\0\1\0\0\0\0\0\0"), SWALE_ERR_PROXY, NULL },
    { SOCKS, TO_NAME("\5\0\1\1\0\0\0\0\0\0"), SWALE_ERR_PROXY, NULL },
    { SOCKS, TO_NAME("\5\0\0\2"), SWALE_ERR_PROXY, "the SOCKS proxy's answer: an address of type 2" },
    { SOCKS, TO_NAME("\5\1"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: general failure" },
    { SOCKS, TO_NAME("\5\2\0\1\0\0\0\0\0\0"), SWALE_ERR_PROXY_REFUSED,
      "the SOCKS proxy says: not allowed by its rules" },
    { SOCKS, TO_NAME("\5\3"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: network unreachable" },
    { SOCKS, TO_NAME("\5\4"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: host unreachable" },
    { SOCKS, TO_NAME("\5\5"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: connection refused" },
    { SOCKS, TO_NAME("\5\6"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: time to live expired" },
    { SOCKS, TO_NAME("\5\7"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: cannot connect to servers" },
    { SOCKS, TO_NAME("\5\10"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: address type not supported" },
    { SOCKS, TO_NAME("\5\11"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: reply 9" },
    { SOCKS, TO_NAME("\5\377"), SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: reply 255" },
};

/* More than the proxy was asked for. They are played in one piece only: what comes in a later turn is the server's,
 * as far as anyone can tell. */
static const struct script early[] = {
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 200 OK\r\n\r\nearly") } }, SWALE_ERR_PROXY, TOO_MUCH },
    { HTTP, { { BYTES(ASK_HTTP), BYTES("HTTP/1.1 200 OK\r\n\r\n" THOUSAND) } }, SWALE_ERR_PROXY, TOO_MUCH },
    { SOCKS, { { HELLO, BYTES("\5\0\5\0\0\1\0\0\0\0\0\0") } }, SWALE_ERR_PROXY, NULL },
    { SOCKS_LOGIN, { { HELLO_LOGIN, BYTES("\5\2\1\0") } }, SWALE_ERR_PROXY, NULL },
    { SOCKS_LOGIN, { { HELLO_LOGIN, BYTES("\5\2") }, { LOGIN, BYTES("\1\0\5\0") } }, SWALE_ERR_PROXY, NULL },
    { SOCKS, TO_NAME("\5\0\0\1\0\0\0\0\0\0x"), SWALE_ERR_PROXY, "the SOCKS proxy says more than its answer" },
    { SOCKS, TO_NAME("\5\0\0\1\0\0\0\0\0\0" HUNDRED HUNDRED HUNDRED), SWALE_ERR_PROXY, NULL },
};

#define FOR_EACH(one, table) for (const struct script *one = table; one < (table) + COUNT_OF(table); one++)

static void proxies_let_it_through(void **state)
{
    (void)state;
    FOR_EACH(one, http_good)
    play_everyway(one);
    FOR_EACH(one, socks_good)
    play_everyway(one);
}

static void refusals_and_lies_are_named(void **state)
{
    (void)state;
    FOR_EACH(one, http_bad)
    play_everyway(one);
    FOR_EACH(one, socks_bad)
    play_everyway(one);
}

static void bytes_before_their_time_are_a_fault(void **state)
{
    (void)state;
    FOR_EACH(one, early)
    play(one, 0, NULL);
}

/* ---- Proxies that do not finish --------------------------------------------------------------------- */

/* The proxy goes away behind the first `size` bytes of its answers. */
static void break_off(const struct script *played, size_t size, bool reset)
{
    begin(played, NULL);
    size_t said = 0;
    for (step = 0; !server.ends && step < STEPS_MAX; step++) {
        test_loop_settle(&loop);
        struct swale_span answer = played->steps[step].answer;
        size_t run = size - said < answer.size ? size - said : answer.size;
        if (run > 0)
            recorder_send(&server, answer.data, run);
        said += run;
        test_loop_settle(&loop);
        if (said == size)
            break;
    }
    recorder_close(&server, reset);
    test_loop_settle(&loop);
    assert_null(tunnel);
    assert_int_equal(failed, reset ? -ECONNRESET : SWALE_ERR_PROXY);
    assert_string_equal(failure, reset ? "the connection to the proxy: Connection reset by peer"
                                       : "the proxy hung up in its handshake");
    end();
}

static void a_proxy_may_hang_up_anywhere(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        for (size_t size = 0; size < http_good[5].steps[0].answer.size; size++)
            break_off(&http_good[5], size, reset);
        for (size_t size = 0; size < answers_size(&socks_good[1]); size++)
            break_off(&socks_good[1], size, reset);
    }
}

/* A refusal that comes, with the end, before the proxy has read all of the request. */
static void a_refusal_may_come_early(void **state)
{
    (void)state;
    begin(&http_bad[0], &(struct swale__pair_options){ .capacity = 50, .in_flight = true });
    swale__stream_pause(server.stream);
    test_loop_settle(&loop);
    recorder_send(&server, "HTTP/1.1 403 No\r\nX-Proxy: p\r\n\r\n", 31);
    test_loop_settle(&loop);
    assert_non_null(tunnel);
    swale__stream_shutdown(server.stream);
    test_loop_settle(&loop);
    assert_int_equal(failed, SWALE_ERR_PROXY_REFUSED);
    assert_int_equal(status, 403);
    end();
}

/* Nor may it fill our memory meanwhile. */
static void a_proxy_that_only_talks_is_cut_off(void **state)
{
    (void)state;
    static char noise[100000];
    for (int socks = 0; socks < 2; socks++) {
        begin(socks ? &socks_good[0] : &http_good[0], &(struct swale__pair_options){ .capacity = 2 });
        swale__stream_pause(server.stream);
        recorder_send(&server, noise, sizeof noise);
        test_loop_settle(&loop);
        assert_int_equal(failed, SWALE_ERR_PROXY);
        assert_true(memory.peak < 16384);
        end();
    }
}

static void a_name_may_be_too_long_for_socks(void **state)
{
    (void)state;
    static const struct script long_name = { .url = "socks5://proxy", .host = HUNDRED HUNDRED HUNDRED, .port = 1 };
    begin(&long_name, NULL);
    test_loop_settle(&loop);
    assert_int_equal(failed, SWALE_ERR_RESOLVE);
    assert_string_equal(failure, "the host name is too long for a SOCKS proxy");
    end();
}

/* ---- Watching, memory, cancelling ------------------------------------------------------------------- */

static void heads_are_traced(void **state)
{
    (void)state;
    play(&http_good[4], 0, NULL);
    char expected[512];
    snprintf(expected, sizeof expected, "%d " ASK_LOGIN "|%d HTTP/1.1 200 OK\r\n\r\n|", SWALE_TRACE_REQUEST,
             SWALE_TRACE_RESPONSE);
    assert_string_equal(trace, expected);
    play(&http_bad[0], 0, NULL);
    assert_non_null(strstr(trace, "HTTP/1.1 403 No\r\nX-Proxy: p\r\nContent-Length: 3\r\n\r\n|"));
    play(&socks_good[0], 0, NULL);
    assert_string_equal(trace, "0 asking the SOCKS proxy for the server|");
}

static void want_of_memory_is_a_failure(void **state)
{
    (void)state;
    const struct script *scripts[] = { &http_good[5], &socks_good[1] };
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        for (uint64_t n = 1;; n++) {
            memory.fail_at = n;
            begin(scripts[i], NULL);
            while (turn(0))
                continue;
            bool whole = memory.allocations < n;
            assert_int_equal(failed, whole ? 0 : -ENOMEM);
            assert_true(n > 2 || !whole);
            assert_true(opened || server.ends);
            end();
            if (whole)
                break;
        }
        memory.fail_at = 0;
    }
}

static void it_may_be_cancelled_in_any_turn(void **state)
{
    (void)state;
    const struct script *scripts[] = { &http_good[5], &socks_good[1], &socks_bad[6], &http_bad[0] };
    for (size_t i = 0; i < COUNT_OF(scripts) * 3; i++) {
        const struct swale__pair_options options = { .chunk = i % 3 == 1, .in_flight = i % 3 == 2 };
        bool over = false;
        for (int turns = 0; !over; turns++) {
            begin(scripts[i / 3], &options);
            for (int n = 0; n < turns && turn(0); n++)
                continue;
            over = !tunnel;
            assert_true(over == (opened || failed));
            if (tunnel)
                swale__tunnel_cancel(tunnel);
            assert_int_equal(memory.blocks, 0);
            test_loop_settle(&loop);
            assert_true(over || (!opened && !failed && server.ends));
            end();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies_let_it_through),
        cmocka_unit_test(refusals_and_lies_are_named),
        cmocka_unit_test(bytes_before_their_time_are_a_fault),
        cmocka_unit_test(a_proxy_may_hang_up_anywhere),
        cmocka_unit_test(a_refusal_may_come_early),
        cmocka_unit_test(a_proxy_that_only_talks_is_cut_off),
        cmocka_unit_test(a_name_may_be_too_long_for_socks),
        cmocka_unit_test(heads_are_traced),
        cmocka_unit_test(want_of_memory_is_a_failure),
        cmocka_unit_test(it_may_be_cancelled_in_any_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
