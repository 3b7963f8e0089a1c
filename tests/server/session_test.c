/* HTTP on a stream: requests however they are cut, refusals, keeping alive, pipelining, deadlines. */
#include "bed.h"

#include "server/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hello(struct swale_exchange *exchange)
{
    assert_int_equal(swale_exchange_reply(exchange, 200, NULL, swale_text("hello")), 0);
}

/* Answers with the path as decoded, and says how much of the request it can see. */
static void mirror(struct swale_exchange *exchange)
{
    swale_exchange_reply(exchange, 200, "text/x-path", swale_exchange_path(exchange));
}

static void big(struct swale_exchange *exchange)
{
    static char body[30000];
    memset(body, 'x', sizeof body);
    swale_exchange_reply(exchange, 200, NULL, swale_span(body, sizeof body));
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static const struct swale_handler echo = { .on_message = on_message };

static void begin_with(struct bed *bed, const struct swale_server_options *options)
{
    bed_init(bed, options);
    assert_int_equal(swale_server_route(bed->server, "/", &(struct swale_route){ .on_request = hello }), 0);
    assert_int_equal(
        swale_server_route(bed->server, "/post", &(struct swale_route){ .on_request = hello, .methods = "POST" }), 0);
    assert_int_equal(swale_server_route(bed->server, "/mirror/*", &(struct swale_route){ .on_request = mirror }), 0);
    assert_int_equal(swale_server_route(bed->server, "/big", &(struct swale_route){ .on_request = big }), 0);
    assert_int_equal(swale_server_route(bed->server, "/echo", &(struct swale_route){ .handler = &echo }), 0);
    assert_int_equal(
        swale_server_route(bed->server, "/both", &(struct swale_route){ .handler = &echo, .on_request = hello }), 0);
    bed_start(bed);
}

static void begin(struct bed *bed)
{
    begin_with(bed, NULL);
}

/* ---- Requests that are answered --------------------------------------------------------------------- */

static const char hello_answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

static void test_keeps_alive(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    for (int i = 0; i < 3; i++) {
        peer_say(peer, request("GET", "/", ""));
        assert_string_equal(peer->data, hello_answer);
        peer_forget(peer);
    }
    assert_false(peer_over(peer));
    peer_say(peer, request("GET", "/", "Connection: close\r\n"));
    assert_true(peer_has(peer, "Connection: close\r\n"));
    assert_true(peer->ended);
    const struct bed_record *record = bed_last(&bed, SWALE_RECORD_REQUEST);
    assert_int_equal(record->status, 200);
    assert_null(bed_last(&bed, SWALE_RECORD_REFUSE));
    bed_done(&bed);
}

static void test_every_split(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    char text[512];
    strcpy(text, request("GET", "/mirror/a%20b?c=d", "Cookie: a=b; c=d\r\nX-Long: some words in a row\r\n"));
    strcat(text, request("GET", "/", ""));
    size_t size = strlen(text);
    for (size_t cut = 0; cut <= size; cut++) {
        struct peer *peer = bed_connect(&bed);
        peer_send(peer, text, cut);
        test_loop_settle(&bed.loop);
        peer_send(peer, text + cut, size - cut);
        test_loop_settle(&bed.loop);
        assert_true(peer_has(peer, "\r\n\r\n/mirror/a bHTTP/1.1 200 OK"));
        assert_int_equal(peer_count(peer, hello_answer), 1);
        peer_close(peer, false);
    }
    bed_done(&bed);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    const char *text = request("GET", "/mirror/a%2Fb", "X-One: 1\r\nX-Two: 2\r\n");
    struct peer *peer = bed_connect(&bed);
    for (size_t i = 0; text[i]; i++) {
        assert_int_equal(peer->size, 0);
        peer_send(peer, text + i, 1);
        test_loop_settle(&bed.loop);
    }
    assert_true(peer_has(peer, "\r\n\r\n/mirror/a/b"));
    bed_done(&bed);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, request("HEAD", "/", ""));
    peer_say(peer, request("HEAD", "/nowhere", ""));
    assert_true(
        peer_heard(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nHTTP/1.1 404 "));
    assert_string_equal(peer->data + peer->size - 4, "\r\n\r\n");
    assert_false(peer_over(peer));
    bed_done(&bed);
}

/* ---- Refusals --------------------------------------------------------------------------------------- */

struct refusal {
    const char *text;
    int status;
    int reason;
    bool closes;
};

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define WS      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define HOST    "Host: example.com\r\n"
#define ECHO    "GET /echo HTTP/1.1\r\n" HOST

static const struct refusal refusals[] = {
    /* The head. */
    { "GET / HTTP/1.0\r\n" HOST "\r\n", 505, SWALE_ERR_HTTP_VERSION, true },
    { "GET / HTTP/9.9\r\n" HOST "\r\n", 505, SWALE_ERR_HTTP_VERSION, true },
    { "GET / http/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "GET /\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "GET / HTTP/1.1\r\n\r\n", 400, SWALE_ERR_HTTP_HOST, true },
    { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, SWALE_ERR_HTTP_HOST, true },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, SWALE_ERR_HTTP_HOST, true },
    { "GET / HTTP/1.1\r\n" HOST "X : y\r\n\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "GET / HTTP/1.1\r\n" HOST "X: y\r\n folded\r\n\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "GET / HTTP/1.1\r\n X: y\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "GET / HTTP/1.1\n" HOST "\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "\x16\x03\x01\x02\x01\x01\xfc\x03\x03", 400, SWALE_ERR_HTTP_SYNTAX, true },
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 0, true },
    { "GET * HTTP/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_TARGET, true },
    { "GET example.com:80 HTTP/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_TARGET, true },
    { "CONNECT example.com:80 HTTP/1.1\r\n" HOST "\r\n", 0, 0, true },
    /* The path. */
    { "GET /a/../echo HTTP/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_TARGET, true },
    { "GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_TARGET, true },
    { "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_TARGET, true },
    { "GET /nowhere HTTP/1.1\r\n" HOST "\r\n", 404, SWALE_ERR_NOT_FOUND, false },
    { "GET // HTTP/1.1\r\n" HOST "\r\n", 400, SWALE_ERR_HTTP_TARGET, true },
    { "GET /%0d%0aX:y HTTP/1.1\r\n" HOST "\r\n", 404, SWALE_ERR_NOT_FOUND, false },
    /* Bodies and what announces them. */
    { "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 413, SWALE_ERR_HTTP_BODY, true },
    { "POST /post HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413, SWALE_ERR_HTTP_BODY, true },
    { "POST /post HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 413, SWALE_ERR_HTTP_BODY,
      true },
    { "GET / HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n", 417, SWALE_ERR_HTTP_EXPECTATION, true },
    { "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
      SWALE_ERR_HTTP_FRAMING, true },
    { "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, SWALE_ERR_HTTP_FRAMING, true },
    { "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400, SWALE_ERR_HTTP_FRAMING, true },
    { "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501, SWALE_ERR_HTTP_TRANSFER_CODING, true },
    { ECHO WS KEY VERSION "Content-Length: 5\r\n\r\nhello", 413, SWALE_ERR_HTTP_BODY, true },
    /* Methods. */
    { "POST / HTTP/1.1\r\n" HOST "\r\n", 405, SWALE_ERR_HTTP_METHOD, false },
    { "get / HTTP/1.1\r\n" HOST "\r\n", 405, SWALE_ERR_HTTP_METHOD, false },
    { "OPTIONS / HTTP/1.1\r\n" HOST "\r\n", 405, SWALE_ERR_HTTP_METHOD, false },
    { "HEAD /echo HTTP/1.1\r\n" HOST "\r\n", 405, SWALE_ERR_HTTP_METHOD, false },
    { "POST /echo HTTP/1.1\r\n" HOST WS KEY VERSION "\r\n", 405, SWALE_ERR_HTTP_METHOD, true },
    /* The handshake. */
    { ECHO "\r\n", 426, SWALE_ERR_UPGRADE_REQUIRED, false },
    { ECHO "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 426, SWALE_ERR_UPGRADE_REQUIRED, true },
    { ECHO "Upgrade: websocketx\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n", 426, SWALE_ERR_UPGRADE_REQUIRED,
      true },
    { ECHO "Upgrade: websocket\r\n" KEY VERSION "\r\n", 400, SWALE_ERR_UPGRADE_FIELDS, true },
    { ECHO WS VERSION "\r\n", 400, SWALE_ERR_UPGRADE_KEY, true },
    { ECHO WS VERSION KEY KEY "\r\n", 400, SWALE_ERR_UPGRADE_KEY, true },
    { ECHO WS VERSION "Sec-WebSocket-Key: short\r\n\r\n", 400, SWALE_ERR_UPGRADE_KEY, true },
    { ECHO WS KEY "Sec-WebSocket-Version: 12\r\n\r\n", 426, SWALE_ERR_UPGRADE_VERSION, true },
    { ECHO WS KEY "\r\n", 426, SWALE_ERR_UPGRADE_VERSION, true },
    { ECHO WS KEY VERSION "Origin: http://evil.example\r\n\r\n", 403, SWALE_ERR_ORIGIN, true },
    { ECHO WS KEY VERSION "Origin: null\r\n\r\n", 403, SWALE_ERR_ORIGIN, true },
    { ECHO WS VERSION "Origin: http://evil.example\r\n\r\n", 400, SWALE_ERR_UPGRADE_KEY, true },
    { "GET /nowhere HTTP/1.1\r\n" HOST WS KEY VERSION "\r\n", 404, SWALE_ERR_NOT_FOUND, true },
};

static void check_refusal(const struct refusal *refusal)
{
    struct bed bed;
    char start[32];
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    struct peer *bystander = bed_connect(&bed);
    peer_say(peer, refusal->text);
    snprintf(start, sizeof start, "HTTP/1.1 %d ", refusal->status);
    if (refusal->status && !peer_heard(peer, start))
        fail_msg("%s\n-> %.*s", refusal->text, (int)peer->size, peer->data ? peer->data : "");
    assert_true(peer_heard(peer, "HTTP/1.1 "));
    assert_false(peer_heard(peer, "HTTP/1.1 101"));
    assert_false(peer_heard(peer, "HTTP/1.1 2"));
    const struct bed_record *record = bed_last(&bed, SWALE_RECORD_REFUSE);
    assert_non_null(record);
    if (refusal->status) {
        if (record->reason != refusal->reason)
            fail_msg("%s\n-> %s", refusal->text, swale_error_name(record->reason));
        assert_int_equal(record->status, refusal->status);
        assert_int_equal(bed_refused(&bed, refusal->reason), 1);
    }
    if (peer->ended != refusal->closes)
        fail_msg("%s\n-> %s", refusal->text, peer->ended ? "closed" : "kept");
    if (refusal->closes) { /* whatever comes behind is not a request */
        assert_true(peer_has(peer, "close\r\n"));
        peer_say(peer, request("GET", "/", ""));
        assert_int_equal(peer_count(peer, "HTTP/1.1 "), 1);
    }
    peer_forget(peer);
    if (!refusal->closes) {
        peer_say(peer, request("GET", "/", ""));
        assert_true(peer_heard(peer, "HTTP/1.1 200 "));
    }
    peer_say(bystander, request("GET", "/", ""));
    assert_true(peer_heard(bystander, "HTTP/1.1 200 "));
    bed_done(&bed);
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        check_refusal(&refusals[i]);
}

static void test_details_of_refusals(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, request("DELETE", "/post", ""));
    assert_true(peer_has(peer, "\r\nAllow: GET, HEAD, POST\r\n"));
    peer_say(peer, request("DELETE", "/echo", ""));
    assert_true(peer_has(peer, "\r\nAllow: GET\r\n"));
    peer_say(peer, request("POST", "/post", "Content-Length: 0\r\n"));
    assert_int_equal(peer_count(peer, "HTTP/1.1 200 "), 1);
    peer_say(peer, request("POST", "/post", "Expect: 100-continue\r\n"));
    assert_int_equal(peer_count(peer, "HTTP/1.1 200 "), 2);
    peer_say(peer, request("GET", "/echo", ""));
    assert_true(peer_has(peer, "HTTP/1.1 426 "));
    assert_true(peer_has(peer, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_true(peer_has(peer, "upgrade-required: "));
    assert_false(peer_over(peer));
    bed_done(&bed);
}

/* Upgrade where there is no WebSocket: ignored (RFC 9110 section 7.8), but no second request is served. */
static void test_upgrade_of_a_plain_route(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/", ""));
    assert_true(peer_heard(peer, "HTTP/1.1 200 "));
    assert_true(peer_has(peer, "Connection: close\r\n"));
    assert_true(peer->ended);
    bed_done(&bed);
}

static void test_head_limits(void **state)
{
    (void)state;
    struct bed bed;
    static char text[400000];
    begin_with(&bed, &(struct swale_server_options){ .max_head = 1000, .max_fields = 5 });
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, request("GET", "/", "A: b\r\nA: b\r\nA: b\r\nA: b\r\n"));
    assert_true(peer_heard(peer, "HTTP/1.1 200 "));
    peer_say(peer, request("GET", "/", "A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n"));
    assert_true(peer_has(peer, "HTTP/1.1 431 "));
    assert_int_equal(bed_refused(&bed, SWALE_ERR_HTTP_FIELD_COUNT), 1);
    strcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(text + strlen(text), 'x', 300000);
    peer = bed_connect(&bed);
    size_t peak = bed.loop.memory.bytes;
    bed.loop.memory.peak = 0;
    peer_say(peer, text);
    assert_true(peer_heard(peer, "HTTP/1.1 431 "));
    assert_true(peer->ended);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_HTTP_HEAD_SIZE), 1);
    assert_true(bed.loop.memory.peak < peak + 400000);
    bed_done(&bed);
}

/* ---- Pipelining ------------------------------------------------------------------------------------- */

static void test_pipelining(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    char text[4096] = "";
    for (int i = 0; i < 20; i++) {
        char path[32];
        snprintf(path, sizeof path, "/mirror/%02d", i);
        strcat(text, request("GET", path, ""));
    }
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, text);
    assert_int_equal(peer_count(peer, "HTTP/1.1 200 "), 20);
    const char *at = peer->data;
    for (int i = 0; i < 20; i++) { /* in their order */
        char path[32];
        snprintf(path, sizeof path, "\r\n\r\n/mirror/%02d", i);
        at = strstr(at, path);
        assert_non_null(at);
    }
    bed_done(&bed);
}

/* THREATS http-pipeline: answers that nobody reads are not made. */
static void test_unread_pipeline_is_bounded(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_pause(peer);
    const char *get = request("GET", "/big", "");
    size_t sent = 0;
    for (; sent < 400 && bed.loop.memory.bytes < 4000000; sent++)
        peer_send(peer, get, strlen(get));
    test_loop_settle(&bed.loop);
    assert_int_equal(sent, 400);
    struct swale_server_stats stats;
    swale_server_stats(bed.server, &stats);
    assert_true(stats.requests < 10);
    assert_true(bed.loop.memory.bytes < 1000000);
    peer_resume(peer);
    swale_server_stats(bed.server, &stats);
    assert_true(stats.requests > 100);
    assert_int_equal(peer_count(peer, "HTTP/1.1 200 OK"), stats.requests);
    bed_done(&bed);
}

/* A reader that takes nothing at all is not waited for. */
static void test_unread_answers_run_out_of_time(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    bed.capacity = 1000;
    struct peer *peer = bed_connect(&bed);
    peer_pause(peer);
    peer_say(peer, request("GET", "/big", ""));
    test_loop_advance(&bed.loop, 9000);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_SLOW_READER), 0);
    test_loop_advance(&bed.loop, 2000);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_SLOW_READER), 1);
    peer_resume(peer);
    assert_true(peer_over(peer));
    bed_done(&bed);
}

/* ---- Deadlines -------------------------------------------------------------------------------------- */

static void test_silence(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    test_loop_advance(&bed.loop, 9900);
    assert_false(peer_over(peer));
    test_loop_advance(&bed.loop, 200);
    assert_true(peer_over(peer));
    assert_int_equal(peer->size, 0);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_HANDSHAKE_TIMEOUT), 1);
    bed_done(&bed);
}

/* Bytes do not buy time: the deadline is absolute. */
static void test_slow_head(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    const char *text = request("GET", "/", "X: and so on and on and on\r\n");
    for (int i = 0; i < 10; i++) {
        assert_false(peer_over(peer));
        peer_send(peer, text + i, 1);
        test_loop_advance(&bed.loop, 999);
    }
    test_loop_advance(&bed.loop, 11);
    assert_true(peer_heard(peer, "HTTP/1.1 408 "));
    assert_true(peer->ended);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_HANDSHAKE_TIMEOUT), 1);
    test_loop_advance(&bed.loop, 1001); /* and lingers no longer than that */
    struct swale_server_stats stats;
    swale_server_stats(bed.server, &stats);
    assert_int_equal(stats.connections_handshaking, 0);
    bed_done(&bed);
}

static void test_idle_after_an_answer(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    test_loop_advance(&bed.loop, 8000);
    peer_say(peer, request("GET", "/", ""));
    test_loop_advance(&bed.loop, 9900);
    assert_false(peer_over(peer));
    test_loop_advance(&bed.loop, 200);
    assert_true(peer->ended);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_HANDSHAKE_TIMEOUT), 0); /* nothing was refused */
    bed_done(&bed);
}

/* ---- Ends ------------------------------------------------------------------------------------------- */

static void test_ends_of_peers(void **state)
{
    (void)state;
    struct bed bed;
    struct swale_server_stats stats;
    begin(&bed);
    struct peer *half = bed_connect(&bed);
    peer_send(half, request("GET", "/", ""), strlen(request("GET", "/", "")));
    peer_shutdown(half); /* asks and ends: still answered */
    assert_true(peer_heard(half, "HTTP/1.1 200 "));
    assert_true(half->ended);
    struct peer *cut = bed_connect(&bed);
    peer_say(cut, "GET / HT");
    peer_shutdown(cut);
    assert_true(peer_over(cut));
    assert_int_equal(bed_refused(&bed, SWALE_ERR_PEER_GONE), 1);
    struct peer *reset = bed_connect(&bed);
    peer_say(reset, "GET / HT");
    peer_close(reset, true);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_RESET), 1);
    peer_close(bed_connect(&bed), true);
    peer_close(bed_connect(&bed), false);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_RESET), 1);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_PEER_GONE), 1);
    swale_server_stats(bed.server, &stats);
    assert_int_equal(stats.connections_handshaking, 0);
    bed_done(&bed);
}

/* A peer that ends its direction still reads what was answered, and a refusal, however slowly. */
static void test_ends_while_an_answer_leaves(void **state)
{
    (void)state;
    static const struct {
        const char *text, *answer;
        size_t least;
    } cases[] = {
        { "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 ", 30000 },
        { "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ", 30000 },
        { "GET /big HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n", "HTTP/1.1 200 ", 30000 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bed bed;
        begin(&bed);
        bed.capacity = 1000;
        struct peer *peer = bed_connect(&bed);
        peer_pause(peer);
        peer_say(peer, cases[i].text);
        peer_shutdown(peer);
        test_loop_advance(&bed.loop, 5000);
        assert_false(peer_over(peer));
        peer_resume(peer);
        assert_true(peer_heard(peer, cases[i].answer));
        assert_true(peer->size > cases[i].least);
        assert_int_equal(peer_has(peer, "HTTP/1.1 400 "), i == 2);
        assert_true(peer->ended);
        assert_int_equal(peer->failed, 0);
        peer_close(peer, false);
        struct swale_server_stats stats;
        swale_server_stats(bed.server, &stats);
        assert_int_equal(stats.connections_handshaking, 0);
        bed_done(&bed);
    }
}

/* A refused peer that goes on sending is listened to for a while, so that the answer is not lost, but not for ever.
 */
static void test_lingering_is_bounded(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    static char junk[65536];
    peer_say(peer, "nonsense\r\n\r\n");
    assert_true(peer->ended);
    struct swale_server_stats stats;
    int runs = 0;
    do {
        peer_send(peer, junk, sizeof junk);
        test_loop_settle(&bed.loop);
        swale_server_stats(bed.server, &stats);
        runs++;
    } while (stats.connections_handshaking > 0 && runs < 100);
    assert_in_range(runs, 15, 20);
    bed_done(&bed);
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

/* A session that waits holds little; and nothing of a request stays when it was answered. */
static void test_idle_session_is_small(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\nX");
    peer_say(peer, ": y\r\n\r\n");
    assert_true(peer_heard(peer, "HTTP/1.1 200 "));
    assert_true(sizeof(struct swale__session) < 512);
    struct swale__session *session =
        SWALE__LIST_OWNER(bed.server->workers[0]->sessions.next, struct swale__session, link);
    assert_null(session->kept);
    assert_null(session->fields);
    assert_int_equal(session->out.held, 0);
    bed_done(&bed);
}

static bool memory_run(uint64_t n)
{
    struct bed bed;
    begin(&bed);
    bed.loop.memory.allocations = 0;
    bed.loop.memory.fail_at = n;
    struct peer *peer = bed_connect_quietly(&bed);
    if (peer) {
        test_loop_settle(&bed.loop);
        const char *text = request("GET", "/mirror/x", "X: y\r\n");
        peer_send(peer, text, strlen(text) - 3);
        test_loop_settle(&bed.loop);
        peer_say(peer, text + strlen(text) - 3);
        peer_say(peer, request("GET", "/nowhere", ""));
        if (!peer_over(peer))
            assert_true(peer_heard(peer, "HTTP/1.1 200 ") || peer_heard(peer, "HTTP/1.1 503 "));
    }
    bool reached = bed.loop.memory.allocations >= n;
    bed.loop.memory.fail_at = 0;
    struct peer *fresh = bed_connect(&bed);
    peer_say(fresh, request("GET", "/", ""));
    assert_true(peer_heard(fresh, "HTTP/1.1 200 "));
    bed_done(&bed);
    return reached;
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1; memory_run(n); n++)
        ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_alive),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_details_of_refusals),
        cmocka_unit_test(test_upgrade_of_a_plain_route),
        cmocka_unit_test(test_head_limits),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_unread_pipeline_is_bounded),
        cmocka_unit_test(test_unread_answers_run_out_of_time),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_idle_after_an_answer),
        cmocka_unit_test(test_ends_of_peers),
        cmocka_unit_test(test_ends_while_an_answer_leaves),
        cmocka_unit_test(test_lingering_is_bounded),
        cmocka_unit_test(test_idle_session_is_small),
        cmocka_unit_test(test_memory_fails),
    };
    return bed_run(tests, NULL, NULL);
}
