/* What servers answer: every way of lying ends in its own error, at every split. */
#include "attempt_bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct bed bed;

#define STATUS     "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE    "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPT     "Sec-WebSocket-Accept: $accept\r\n"
#define GOOD       STATUS UPGRADE CONNECTION ACCEPT

static const struct lie {
    const char *script;
    int reason; /* 0: none, it opens */
} lies[] = {
    { GOOD "\r\n", 0 },
    { "HTTP/1.1 101 \r\n" UPGRADE CONNECTION ACCEPT "\r\n", 0 },
    { "HTTP/1.1 101\r\nupgrade:WebSocket\r\nCONNECTION: keep-alive, Upgrade\r\n" ACCEPT "\r\n", 0 },
    /* The accept */
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: $acceptx\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: $accept=\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION ACCEPT ACCEPT "\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: $lower\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: $short\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: $key\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
    { STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: x\r\n $accept\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
    /* Upgrade, Connection */
    { STATUS CONNECTION ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
    { STATUS "Upgrade: h2c\r\n" CONNECTION ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
    { STATUS UPGRADE ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
    { STATUS UPGRADE "Connection: close\r\n" ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
    /* Extensions and subprotocols that nobody offered */
    { GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", SWALE_ERR_ANSWER_EXTENSIONS },
    { GOOD "Sec-WebSocket-Extensions: x-unasked\r\n\r\n", SWALE_ERR_ANSWER_EXTENSIONS },
    { GOOD "Sec-WebSocket-Protocol: chat\r\n\r\n", SWALE_ERR_ANSWER_SUBPROTOCOL },
    /* What is no HTTP */
    { "HTTP/1.1 abc OK\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
    { "HTTP/1.1 1010 Switching\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
    { "HTTP/1.0 101 Switching\r\n" UPGRADE CONNECTION ACCEPT "\r\n", SWALE_ERR_HTTP_VERSION },
    { "SSH-2.0-OpenSSH_9.2\r\n", SWALE_ERR_HTTP_SYNTAX },
    { STATUS UPGRADE CONNECTION ACCEPT "no colon\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
    { "HTTP/1.1 200 \033[31m\r\n\r\n", SWALE_ERR_HTTP_SYNTAX },
    { "\x15\x03\x01\x02\x02\x02\x16", SWALE_ERR_HTTP_SYNTAX },
    { STATUS "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", SWALE_ERR_HTTP_FRAMING },
    /* Refusals, and lies about their bodies */
    { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" UPGRADE CONNECTION ACCEPT "\r\n", SWALE_ERR_ANSWER_STATUS },
    { "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", SWALE_ERR_ANSWER_STATUS },
    { "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nx", SWALE_ERR_ANSWER_BODY },
    { "HTTP/1.1 403 No\r\nTransfer-Encoding: gzip\r\n\r\n", SWALE_ERR_HTTP_TRANSFER_CODING },
    { "HTTP/1.1 204 Nothing\r\n\r\n", SWALE_ERR_ANSWER_STATUS },
    { "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", SWALE_ERR_ANSWER_STATUS },
    /* Interim answers */
    { "HTTP/1.1 100 Continue\r\n\r\n" GOOD "\r\n", 0 },
    { "HTTP/1.1 102 Wait\r\nA: b\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" GOOD "\r\n", 0 },
};

static void every_lie_has_its_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        for (unsigned way = 0; way < 4; way++) {
            bed_begin(&bed, "ws://example.com");
            bed.pair.in_flight = way & 1;
            bed.pair.chunk = way & 2 ? 1 : 0;
            bed.scripts[0] = lies[i].script;
            bed_run(&bed);
            assert_true(bed.opened == !lies[i].reason);
            assert_int_equal(bed.reason, lies[i].reason);
            assert_true(bed.opened || bed.phase == SWALE_PHASE_HANDSHAKE);
            bed_end(&bed);
        }
    }
}

static void every_lie_has_its_error_at_every_split(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        bed.scripts[0] = lies[i].script;
        for (bed.cut = 1; bed.cut < strlen(lies[i].script); bed.cut++) {
            bed_run(&bed);
            assert_int_equal(bed.reason, lies[i].reason);
            bed_again(&bed);
        }
    }
    bed_end(&bed);
}

static void a_nul_is_refused(void **state)
{
    static const char script[] = STATUS "A: b\0c\r\n" UPGRADE CONNECTION ACCEPT "\r\n";
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.scripts[0] = script;
    bed.script_size[0] = sizeof script - 1;
    bed_run(&bed);
    assert_int_equal(bed.reason, SWALE_ERR_HTTP_SYNTAX);
    bed_end(&bed);
}

/* ---- Ends where none should be ---------------------------------------------------------------------- */

static void a_server_may_hang_up_anywhere(void **state)
{
    static const char script[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.at_once = true;
    bed.scripts[0] = script;
    for (size_t size = 1; size < sizeof script; size++) {
        for (enum bed_ending ending = BED_SHUTS; ending <= BED_RESETS; ending++) {
            bed.script_size[0] = size;
            bed.endings[0] = ending;
            bed_run(&bed);
            assert_true(bed.failed);
            assert_int_equal(bed.reason, ending == BED_SHUTS ? SWALE_ERR_PEER_GONE : -ECONNRESET);
            bed_again(&bed);
        }
    }
    bed_end(&bed);
}

static void an_end_without_an_answer_is_told(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed_run(&bed);
    swale__stream_shutdown(bed.servers[0].stream);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.reason, SWALE_ERR_PEER_GONE);
    assert_string_equal(bed.text, "example.com closed the connection without an answer");

    bed_again(&bed);
    bed_run(&bed);
    swale__stream_close(bed.servers[0].stream, true);
    bed.servers[0].stream = NULL;
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.reason, -ECONNRESET);
    assert_string_equal(bed.text, "waiting for the answer of example.com: Connection reset by peer");
    bed_end(&bed);
}

static void tls_where_none_is_meant_is_told(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.scripts[0] = "\x15\x03\x01";
    bed_run(&bed);
    assert_string_equal(
        bed.text, "the answer of example.com: the HTTP head is malformed (the server speaks TLS on this port: wss?)");
    bed_end(&bed);
}

/* ---- Floods ----------------------------------------------------------------------------------------- */

/* A script of `count` times the same text behind a beginning. */
static char *repeat(const char *begin, const char *text, size_t count, const char *end)
{
    size_t step = strlen(text);
    char *script = malloc(strlen(begin) + count * step + strlen(end) + 1);
    assert_non_null(script);
    size_t size = strlen(strcpy(script, begin));
    for (size_t i = 0; i < count; i++, size += step)
        memcpy(script + size, text, step);
    strcpy(script + size, end);
    return script;
}

static void floods_meet_a_bound(void **state)
{
    static const struct {
        const char *begin, *text;
        size_t count;
        const char *end;
        int reason;
    } rows[] = {
        { STATUS "A: ", "aaaaaaaaaaaaaaaa", 1 << 16, "\r\n\r\n", SWALE_ERR_HTTP_HEAD_SIZE },
        { STATUS, "A: b\r\n", 200000, "\r\n", SWALE_ERR_HTTP_FIELD_COUNT },
        { STATUS UPGRADE CONNECTION ACCEPT, "A: b\r\n", 97, "\r\n", 0 },
        { STATUS UPGRADE CONNECTION ACCEPT, "A: b\r\n", 98, "\r\n", SWALE_ERR_HTTP_FIELD_COUNT },
        { "", "HTTP/1.1 100 Continue\r\n\r\n", 8, GOOD "\r\n", 0 },
        { "", "HTTP/1.1 100 Continue\r\n\r\n", 9, GOOD "\r\n", SWALE_ERR_ANSWER_INTERIM },
        { "", "HTTP/1.1 199 Later\r\n\r\n", 10000, "", SWALE_ERR_ANSWER_INTERIM },
        { "HTTP/1.1 500 Oops\r\n\r\n", "endless ", 1 << 17, "", SWALE_ERR_ANSWER_STATUS },
        { "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n", "1;x=y\r\na\r\n", 100000, "",
          SWALE_ERR_ANSWER_STATUS },
        { "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x=y;", 100000, "", SWALE_ERR_ANSWER_BODY },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *script = repeat(rows[i].begin, rows[i].text, rows[i].count, rows[i].end);
        bed_begin(&bed, "ws://example.com");
        bed.scripts[0] = script;
        size_t before = bed.loop.memory.bytes;
        bed.loop.memory.peak = before;
        bed_run(&bed);
        assert_int_equal(bed.reason, rows[i].reason);
        assert_true(bed.opened == !rows[i].reason);
        /* The pair's own memory and ours. */
        assert_true(bed.loop.memory.peak - before < 65536 + 16384 + 4 * 16384 + 16384);
        bed_end(&bed);
        free(script);
    }
}

/* ---- Refusals --------------------------------------------------------------------------------------- */

static void refusals_are_handed_on(void **state)
{
    static const struct {
        const char *script, *text, *body;
        enum bed_ending ending;
        bool cut;
        int status;
        int64_t retry_after_ms;
    } rows[] = {
        { "HTTP/1.1 401 Nope\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nsorry", "401 Unauthorized",
          "sorry", BED_STAYS, false, 401, -1 },
        { "HTTP/1.1 429 X\r\nRetry-After: 120\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n4;x\r\n "
          "now\r\n0\r\nT: "
          "x\r\n\r\n",
          "429 Too Many Requests", "not now", BED_STAYS, false, 429, 120000 },
        { "HTTP/1.0 503 X\r\nA: b\r\n\r\nall of it", "503 Service Unavailable", "all of it", BED_SHUTS, false, 503,
          -1 },
        { "HTTP/1.1 503 X\r\nA: b\r\n\r\nhalf of it", "503 Service Unavailable", "half of it", BED_RESETS, true, 503,
          -1 },
        { "HTTP/1.1 404 X\r\nContent-Length: 9\r\n\r\nhalf", "404 Not Found", "half", BED_SHUTS, true, 404, -1 },
        { "HTTP/1.1 599 Whatever\r\nContent-Length: 0\r\n\r\n", "599", "", BED_STAYS, false, 599, -1 },
        { "HTTP/1.1 304 X\r\nContent-Length: 10\r\n\r\n", "304 Not Modified", "", BED_STAYS, false, 304, -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        /* A reset overtakes what was sent in the same turn. */
        bool resets = rows[i].ending == BED_RESETS;
        size_t first = resets ? (size_t)(strstr(rows[i].script, "\r\n\r\n") - rows[i].script) + 4 : 0;
        for (size_t cut = first; cut < strlen(rows[i].script); cut++) {
            char text[256];
            bed_begin(&bed, "ws://example.com");
            bed.cut = cut;
            bed.scripts[0] = rows[i].script;
            bed.endings[0] = rows[i].ending;
            bed_run(&bed);
            assert_int_equal(bed.reason, SWALE_ERR_ANSWER_STATUS);
            assert_int_equal(bed.status, rows[i].status);
            snprintf(text, sizeof text, "example.com answered %s", rows[i].text);
            assert_string_equal(bed.text, text);
            assert_int_equal(bed.retry_after_ms, rows[i].retry_after_ms);
            assert_memory_equal(bed.body, rows[i].body, resets ? cut - first : strlen(rows[i].body) + 1);
            assert_int_equal(bed.body_cut, rows[i].cut);
            bed_end(&bed);
        }
    }
}

static void fields_of_a_refusal_last(void **state)
{
    static const char script[] = "HTTP/1.1 401 Nope\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 1\r\n\r\nx";
    (void)state;
    bed_begin(&bed, "ws://example.com");
    bed.scripts[0] = script;
    for (bed.cut = 0; bed.cut < sizeof script; bed.cut++) {
        bed_run(&bed);
        assert_string_equal(bed.first_field, "WWW-Authenticate=Basic realm=x");
        bed_again(&bed);
    }
    bed_end(&bed);
}

static void a_body_is_taken_up_to_its_limit(void **state)
{
    (void)state;
    for (size_t size = 9; size <= 11; size++) {
        char script[256];
        snprintf(script, sizeof script, "HTTP/1.1 500 X\r\nContent-Length: %zu\r\n\r\n%.*s", size, (int)size,
                 "0123456789abcdef");
        bed_begin(&bed, "ws://example.com");
        bed.config.options.max_refusal = 10;
        bed.scripts[0] = script;
        for (bed.cut = 0; bed.cut < strlen(script); bed.cut++) {
            bed_run(&bed);
            assert_int_equal(bed.reason, SWALE_ERR_ANSWER_STATUS);
            assert_int_equal(bed.body_cut, size > 10);
            assert_int_equal(strlen(bed.body), size > 10 ? 10 : size);
            bed_again(&bed);
        }
        bed_end(&bed);
    }
}

/* ---- What was offered ------------------------------------------------------------------------------- */

static void only_what_was_offered_is_taken(void **state)
{
    static const char *const offered[] = { "chat", "superchat" };
    static const struct {
        const char *fields;
        int reason;
        const char *subprotocol;
        bool deflate;
    } rows[] = {
        { "Sec-WebSocket-Protocol: superchat\r\n", 0, "superchat", false },
        { "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate; "
          "server_no_context_takeover\r\n",
          0, "chat", true },
        { "", SWALE_ERR_ANSWER_SUBPROTOCOL, "", false },
        { "Sec-WebSocket-Protocol: Chat\r\n", SWALE_ERR_ANSWER_SUBPROTOCOL, "", false },
        { "Sec-WebSocket-Protocol: chat, superchat\r\n", SWALE_ERR_ANSWER_SUBPROTOCOL, "", false },
        { "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate; x=1\r\n",
          SWALE_ERR_ANSWER_EXTENSIONS, "", false },
        { "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n",
          SWALE_ERR_ANSWER_EXTENSIONS, "", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bed_begin(&bed, "ws://example.com");
        bed.config.options.subprotocols = offered;
        bed.config.options.subprotocol_count = 2;
        bed.config.options.require_subprotocol = true;
        bed.config.options.deflate.enabled = true;
        bed.scripts[0] = bed_good(rows[i].fields);
        bed_run(&bed);
        assert_int_equal(bed.reason, rows[i].reason);
        assert_string_equal(bed.subprotocol, rows[i].subprotocol);
        assert_int_equal(bed.deflate, rows[i].deflate);
        assert_true(bed_heard(&bed, 0, "Sec-WebSocket-Protocol: chat, superchat\r\n"));
        assert_true(bed_heard(&bed, 0, "Sec-WebSocket-Extensions: permessage-deflate"));
        bed_end(&bed);
    }
}

/* ---- Answers before their time ---------------------------------------------------------------------- */

/* More than the stream takes at once, behind the key. */
static void ask_at_length(const char *script)
{
    static char value[2000];
    static struct swale_field field;
    memset(value, 'v', sizeof value - 1);
    field = (struct swale_field){ swale_text("X"), swale_text(value) };
    bed.pair.capacity = 300;
    bed.hasty = true;
    bed.config.options.fields = &field;
    bed.config.options.field_count = 1;
    bed.scripts[0] = script;
}

/* A connection must not begin behind half a request. */
static void a_hasty_101_waits_for_the_request(void **state)
{
    (void)state;
    char script[1024];
    snprintf(script, sizeof script, "%s%s", bed_good(""), "\x81\x02hi");
    for (unsigned way = 0; way < 4; way++) {
        bed_begin(&bed, "ws://example.com");
        ask_at_length(script);
        bed.pair.in_flight = way & 1;
        bed.cut = way & 2 ? 50 : 0;
        bed_run(&bed);
        assert_true(bed.servers[0].sent == bed.servers[0].size || bed.pair.in_flight);
        assert_false(bed.opened || bed.failed);
        swale__stream_resume(bed.servers[0].stream);
        test_loop_settle(&bed.loop);
        assert_true(bed.opened);
        assert_false(bed.reading);
        assert_int_equal(bed.status, 101);
        assert_string_equal(bed.first_field, "Upgrade=websocket");
        assert_memory_equal(bed.early, "\x81\x02hi", strlen(bed.early));
        assert_non_null(strstr(bed.servers[0].heard, "vvv\r\n\r\n"));
        bed_end(&bed);
    }
}

static void a_hasty_101_does_not_wait_for_ever(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    ask_at_length(bed_good(""));
    bed_run(&bed);
    test_loop_advance(&bed.loop, 10000);
    assert_int_equal(bed.reason, SWALE_ERR_HANDSHAKE_TIMEOUT);
    bed_end(&bed);
}

static void a_hasty_refusal_counts(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://example.com");
    ask_at_length("HTTP/1.1 431 Enough\r\nContent-Length: 2\r\n\r\nno");
    bed_run(&bed);
    assert_int_equal(bed.reason, SWALE_ERR_ANSWER_STATUS);
    assert_string_equal(bed.body, "no");
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lie_has_its_error),
        cmocka_unit_test(every_lie_has_its_error_at_every_split),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(a_server_may_hang_up_anywhere),
        cmocka_unit_test(an_end_without_an_answer_is_told),
        cmocka_unit_test(tls_where_none_is_meant_is_told),
        cmocka_unit_test(floods_meet_a_bound),
        cmocka_unit_test(refusals_are_handed_on),
        cmocka_unit_test(fields_of_a_refusal_last),
        cmocka_unit_test(a_body_is_taken_up_to_its_limit),
        cmocka_unit_test(only_what_was_offered_is_taken),
        cmocka_unit_test(a_hasty_101_waits_for_the_request),
        cmocka_unit_test(a_hasty_101_does_not_wait_for_ever),
        cmocka_unit_test(a_hasty_refusal_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
