/* Exchanges: what they tell, answers at once, upgrades. */
#include "exchange_bed.h"

#include "server/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Upgrades --------------------------------------------------------------------------------------- */

static void test_upgrade_echo_close(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/echo", "Origin: https://example.com\r\n"));
    assert_string_equal(peer->data, switching);
    assert_int_equal(handshaking(&bed), 0);
    assert_int_equal(open_now(&bed), 1);
    assert_ptr_equal(seen.user, &route_user);
    assert_int_equal(bed_last(&bed, SWALE_RECORD_OPEN)->status, 101);
    peer_forget(peer);
    say_frame(peer, 0x81, "hi", 2);
    assert_string_equal(peer->data, "\x81\x02hi");
    say_frame(peer, 0x88, "\x03\xe8", 2);
    peer_shutdown(peer);
    assert_true(peer->ended);
    assert_int_equal(seen.close_reason, SWALE_ERR_PEER_CLOSED);
    assert_int_equal(bed_last(&bed, SWALE_RECORD_CLOSE)->reason, SWALE_ERR_PEER_CLOSED);
    assert_int_equal(bed_last(&bed, SWALE_RECORD_CLOSE)->code, 1000);
    assert_int_equal(bed.server->guard.connections, 0);
    bed_done(&bed);
}

/* Frames that come with the request, cut anywhere: none is lost. */
static void test_early_frames_at_every_split(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    char bytes[1024];
    const char *head = upgrade_request("/echo", "");
    size_t size = strlen(head);
    memcpy(bytes, head, size);
    size += frame(bytes + size, 0x81, "one", 3);
    size += frame(bytes + size, 0x82, "two", 3);
    for (size_t cut = 0; cut <= size; cut++) {
        struct peer *peer = bed_connect(&bed);
        peer_send(peer, bytes, cut);
        test_loop_settle(&bed.loop);
        peer_send(peer, bytes + cut, size - cut);
        test_loop_settle(&bed.loop);
        assert_true(peer_heard(peer, switching));
        assert_string_equal(peer->data + strlen(switching), "\x81\x03one\x82\x03two");
        peer_close(peer, true);
    }
    assert_int_equal(seen.opened, size + 1);
    assert_int_equal(seen.closed, size + 1);
    bed_done(&bed);
}

/* An upgrade behind other requests: their answers leave first, also when the peer reads slowly. */
static void test_upgrade_behind_requests(void **state)
{
    (void)state;
    struct bed bed;
    char text[2048];
    begin(&bed);
    bed.capacity = 50;
    struct peer *peer = bed_connect(&bed);
    strcpy(text, request("GET", "/nowhere", ""));
    strcat(text, request("GET", "/nowhere", ""));
    strcat(text, upgrade_request("/echo", ""));
    peer_say(peer, text);
    assert_int_equal(peer_count(peer, "HTTP/1.1 404 "), 2);
    assert_true(peer_has(peer, switching));
    assert_true(strstr(peer->data, "101 ") > strstr(strstr(peer->data, "404 ") + 1, "404 "));
    say_frame(peer, 0x81, "hi", 2);
    assert_true(peer_has(peer, "\x81\x02hi"));
    bed_done(&bed);
}

static void test_subprotocols(void **state)
{
    (void)state;
    static const struct {
        const char *path, *offer, *chosen; /* NULL: refused */
    } cases[] = {
        { "/chat", "", "" },
        { "/chat", "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n", "chat.v2" },
        { "/chat", "Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: chat.v1\r\n", "chat.v1" },
        { "/chat", "Sec-WebSocket-Protocol: other\r\n", "" },
        { "/chat", "Sec-WebSocket-Protocol: Chat.V1\r\n", "" },
        { "/echo", "Sec-WebSocket-Protocol: chat.v1\r\n", "" },
        { "/strict", "Sec-WebSocket-Protocol: other, chat.v1\r\n", "chat.v1" },
        { "/strict", "Sec-WebSocket-Protocol: other\r\n", NULL },
        { "/strict", "", NULL },
    };
    struct bed bed;
    begin(&bed);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer *peer = bed_connect(&bed);
        char field[64];
        peer_say(peer, upgrade_request(cases[i].path, cases[i].offer));
        assert_true(peer_heard(peer, cases[i].chosen ? "HTTP/1.1 101 " : "HTTP/1.1 400 "));
        if (!cases[i].chosen)
            continue;
        snprintf(field, sizeof field, "\r\nSec-WebSocket-Protocol: %s\r\n", cases[i].chosen);
        assert_int_equal(peer_has(peer, field), cases[i].chosen[0] != '\0');
        assert_int_equal(peer_has(peer, "Sec-WebSocket-Protocol"), cases[i].chosen[0] != '\0');
        assert_string_equal(seen.subprotocol, cases[i].chosen);
    }
    assert_int_equal(bed_refused(&bed, SWALE_ERR_UPGRADE_SUBPROTOCOL), 2);
    bed_done(&bed);
}

static void test_routes_have_their_own_rules(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *large = bed_connect(&bed);
    peer_say(large, upgrade_request("/echo", "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    assert_false(peer_has(large, "permessage-deflate"));
    say_frame(large, 0x81, "12345678901", 11);
    assert_true(peer_has(large, "12345678901"));
    struct peer *small = bed_connect(&bed);
    peer_say(small, upgrade_request("/small", ""));
    say_frame(small, 0x81, "12345678901", 11);
    assert_true(peer_has(small, "\x03\xf1")); /* 1009 */
    assert_int_equal(seen.close_reason, SWALE_ERR_MESSAGE_SIZE);
    struct peer *packed = bed_connect(&bed);
    peer_say(packed, upgrade_request("/packed", "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    assert_true(peer_has(packed, "Sec-WebSocket-Extensions: permessage-deflate"));
    bed_done(&bed);
}

/* ---- Hooks ------------------------------------------------------------------------------------------ */

static void inspect(struct swale_exchange *exchange)
{
    struct swale_peer peer;
    assert_true(swale_span_equal(swale_exchange_method(exchange), swale_text("GET")));
    assert_true(swale_span_equal(swale_exchange_target(exchange), swale_text("/hook/a%2Fb?x=1+2%21&bad=%z&y=")));
    assert_true(swale_span_equal(swale_exchange_path(exchange), swale_text("/hook/a/b")));
    assert_true(swale_span_equal(swale_exchange_param(exchange, "room"), swale_text("a/b")));
    assert_int_equal(swale_exchange_param(exchange, "other").size, 0);
    assert_int_equal(swale_exchange_param(exchange, "*").size, 0);
    assert_true(swale_span_equal(swale_exchange_query(exchange, "x"), swale_text("1 2!")));
    assert_int_equal(swale_exchange_query(exchange, "bad").size, 0);
    assert_int_equal(swale_exchange_query(exchange, "y").size, 0);
    assert_int_equal(swale_exchange_query(exchange, "z").size, 0);
    assert_true(swale_span_equal(swale_exchange_header(exchange, "x-one"), swale_text("first")));
    assert_int_equal(swale_exchange_header(exchange, "x-two").size, 0);
    assert_true(swale_span_equal(swale_exchange_cookie(exchange, "session"), swale_text("abc")));
    assert_int_equal(swale_exchange_cookie(exchange, "sess").size, 0);
    assert_ptr_equal(swale_exchange_route_user(exchange), &route_user);
    assert_true(swale_span_equal(swale_exchange_request(exchange)->host, swale_text("example.com")));
    swale_exchange_peer(exchange, &peer);
    assert_true(swale_span_equal(peer.address, swale_text("memory")));
    assert_non_null(swale_exchange_server(exchange));
    assert_ptr_equal(swale_exchange_loop(exchange), swale_server_loop(swale_exchange_server(exchange), 0));

    assert_int_equal(swale_exchange_add_field(exchange, "Set-Cookie", "a=b; HttpOnly"), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(swale_exchange_add_field(exchange, "X-Many", "x"), 0);
    assert_int_equal(swale_exchange_add_field(exchange, "zZ_09~", "a\ttab, \xc3\xa9"), 0);
    static const char *const bad[][2] = {
        { "", "x" },
        { "a b", "x" },
        { "a:", "x" },
        { "a@", "x" },
        { "[a]", "x" },
        { "{a}", "x" },
        { "X", "a\x7f" },
        { NULL, "x" },
        { "X", NULL },
        { "X", "a\r\nY: b" },
        { "X", "a\nb" },
        { "Connection", "x" },
        { "content-length", "9" },
        { "Upgrade", "x" },
        { "Sec-WebSocket-Accept", "x" },
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(swale_exchange_add_field(exchange, bad[i][0], bad[i][1]), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_subprotocol(exchange, swale_text("nope")), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_subprotocol(exchange, swale_text("")), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_subprotocol(exchange, swale_text("two")), 0);
    swale_exchange_set_user(exchange, &hook_user);
}

static void test_hook_sees_and_sets(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    seen.act = inspect;
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/hook/a%2Fb?x=1+2%21&bad=%z&y=", "X-One: first\r\nCookie: session=abc; b=c\r\n"
                                                                     "Sec-WebSocket-Protocol: one, two\r\n"));
    assert_true(peer_heard(peer, "HTTP/1.1 101 "));
    assert_true(peer_has(peer, "\r\nSet-Cookie: a=b; HttpOnly\r\n"));
    assert_int_equal(peer_count(peer, "\r\nX-Many: x"), 10);
    assert_true(peer_has(peer, "\r\nSec-WebSocket-Protocol: two\r\n"));
    assert_string_equal(seen.subprotocol, "two");
    assert_ptr_equal(seen.user, &hook_user);
    bed_done(&bed);
}

static void reply_teapot(struct swale_exchange *exchange)
{
    assert_int_equal(swale_exchange_add_field(exchange, "WWW-Authenticate", "Bearer"), 0);
    assert_int_equal(swale_exchange_reply(exchange, 101, NULL, swale_text("")), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_reply(exchange, 401, "text/html\r\nX: y", swale_text("")), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_reply(exchange, 401, "text/html", swale_text("<p>who?")), 0);
    assert_int_equal(swale_exchange_reply(exchange, 401, NULL, swale_text("")), SWALE_ERR_STATE);
    assert_int_equal(swale_exchange_add_field(exchange, "X", "y"), SWALE_ERR_STATE);
}

static void test_hook_refuses(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    seen.verdict = SWALE_REFUSE;
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/hook/x", ""));
    assert_true(peer_heard(peer, "HTTP/1.1 403 "));
    assert_true(peer->ended);
    seen.act = reply_teapot;
    static const enum swale_verdict verdicts[] = { SWALE_REFUSE, SWALE_ACCEPT, SWALE_LATER };
    for (size_t i = 0; i < COUNT_OF(verdicts); i++) { /* a reply is the decision, whatever is returned */
        seen.verdict = verdicts[i];
        peer = bed_connect(&bed);
        peer_say(peer, upgrade_request("/hook/x", ""));
        assert_true(
            peer_heard(peer, "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\nWWW-Authenticate: Bearer\r\n"));
        assert_true(peer_has(peer, "\r\n\r\n<p>who?"));
        assert_true(peer->ended);
    }
    assert_int_equal(bed_refused(&bed, SWALE_ERR_REFUSED), 4);
    assert_int_equal(seen.opened, 0);
    bed_done(&bed);
}

static void only_plain(struct swale_exchange *exchange)
{
    assert_int_equal(swale_exchange_accept(exchange), SWALE_ERR_STATE);
    assert_int_equal(swale_exchange_refuse(exchange, 403, swale_text("")), SWALE_ERR_STATE);
    assert_int_equal(swale_exchange_subprotocol(exchange, swale_text("a")), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_reply(exchange, 199, NULL, swale_text("")), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_reply(exchange, 600, NULL, swale_text("")), SWALE_ERR_INVALID);
    assert_int_equal(swale_exchange_reply(exchange, 599, NULL, swale_text("")), 0);
    assert_int_equal(swale_exchange_accept(exchange), SWALE_ERR_STATE);
}

static void test_wrong_calls(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    seen.act = only_plain;
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, request("GET", "/plain/7/", ""));
    assert_true(peer_heard(peer, "HTTP/1.1 599 "));
    bed_done(&bed);
}

/* ---- Origins ---------------------------------------------------------------------------------------- */

/* A route's own list takes the place of the server's, and of the same-host rule. */
static void test_origins_of_a_route(void **state)
{
    (void)state;
    static const char *const of_server[] = { "https://a.example" };
    static const char *const of_route[] = { "https://b.example", "https://c.example" };
    static const struct {
        const char *path, *origin;
        int status;
    } cases[] = {
        { "/any", "https://a.example", 101 }, { "/any", "https://b.example", 403 },
        { "/own", "https://a.example", 403 }, { "/own", "https://b.example", 101 },
        { "/own", "https://c.example", 101 }, { "/own", "http://example.com", 403 },
    };
    struct bed bed;
    memset(&seen, 0, sizeof seen);
    bed_init(&bed, &(struct swale_server_options){ .origins = of_server, .origin_count = 1 });
    struct swale_route any = { .handler = &echo };
    struct swale_route own = { .handler = &echo, .origins = of_route, .origin_count = 2 };
    assert_int_equal(swale_server_route(bed.server, "/any", &any), 0);
    assert_int_equal(swale_server_route(bed.server, "/own", &own), 0);
    bed_start(&bed);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char field[64], wanted[16];
        snprintf(field, sizeof field, "Origin: %s\r\n", cases[i].origin);
        snprintf(wanted, sizeof wanted, "HTTP/1.1 %d ", cases[i].status);
        struct peer *peer = bed_connect(&bed);
        peer_say(peer, upgrade_request(cases[i].path, field));
        assert_true(peer_heard(peer, wanted));
    }
    bed_done(&bed);
}

/* ---- Limits ----------------------------------------------------------------------------------------- */

static void test_connection_limit(void **state)
{
    (void)state;
    struct bed bed;
    begin_with(&bed, &(struct swale_server_options){ .max_connections = 2 });
    struct peer *first = bed_connect(&bed);
    struct peer *second = bed_connect(&bed);
    peer_say(second, upgrade_request("/echo", ""));
    struct peer *third = bed_connect(&bed);
    assert_true(peer_heard(third, "HTTP/1.1 503 "));
    assert_true(third->ended);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_TOO_MANY_CONNECTIONS), 1);
    for (int i = 0; i < 200; i++) { /* a flood of them costs a bounded number of sessions and log records */
        struct peer *more = bed_connect(&bed);
        assert_true(peer_over(more));
    }
    assert_in_range(handshaking(&bed), 2, 1 + 64);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_TOO_MANY_CONNECTIONS), 201);
    assert_int_equal(bed.record_count, 2 + 99); /* OPEN, and a hundred refusals */
    test_loop_advance(&bed.loop, 2000);
    assert_int_equal(handshaking(&bed), 1);
    peer_say(bed_connect(&bed), "");
    assert_string_equal(bed_last(&bed, SWALE_RECORD_REFUSE)->text, "101 more were not logged");
    peer_close(second, true); /* a WebSocket that goes makes room */
    test_loop_settle(&bed.loop);
    struct peer *fourth = bed_connect(&bed);
    peer_say(fourth, upgrade_request("/echo", ""));
    assert_true(peer_heard(fourth, switching));
    assert_false(peer_over(first));
    bed_done(&bed);
}

static void pause_at_once(struct swale_conn *conn)
{
    seen.opened++;
    swale_conn_pause(conn);
}

/* The session was reading when it handed the stream over. */
static void test_pause_in_on_open_stops_reading(void **state)
{
    (void)state;
    const struct swale_handler handler = { .on_open = pause_at_once, .on_close = echo.on_close };
    enum { FLOOD = 1 << 20 };
    struct bed bed;
    bed_init(&bed, NULL);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(swale_server_route(bed.server, "/", &(struct swale_route){ .handler = &handler }), 0);
    bed_start(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/", ""));
    size_t before = bed.loop.memory.bytes;
    char *flood = calloc(1, FLOOD);
    assert_non_null(flood);
    peer_send(peer, flood, FLOOD);
    test_loop_settle(&bed.loop);
    assert_in_range(bed.loop.memory.bytes - before, 0, FLOOD / 4);
    free(flood);
    bed_done(&bed);
    assert_int_equal(seen.opened, 1);
    assert_int_equal(seen.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upgrade_echo_close),
        cmocka_unit_test(test_early_frames_at_every_split),
        cmocka_unit_test(test_upgrade_behind_requests),
        cmocka_unit_test(test_subprotocols),
        cmocka_unit_test(test_routes_have_their_own_rules),
        cmocka_unit_test(test_hook_sees_and_sets),
        cmocka_unit_test(test_hook_refuses),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_origins_of_a_route),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_pause_in_on_open_stops_reading),
    };
    return bed_run(tests, NULL, NULL);
}
