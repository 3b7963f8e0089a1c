/* Exchanges that are answered later, by requests and by upgrades. */
#include "exchange_bed.h"

#include "server/exchange.h"

#include <string.h>

static struct peer *ask_later(struct bed *bed)
{
    begin(bed);
    seen.verdict = SWALE_LATER;
    struct peer *peer = bed_connect(bed);
    peer_say(peer, upgrade_request("/hook/x", "Cookie: k=v\r\n"));
    assert_non_null(seen.held);
    assert_int_equal(peer->size, 0);
    return peer;
}

static void test_later_accepts(void **state)
{
    (void)state;
    struct bed bed;
    struct peer *peer = ask_later(&bed);
    struct swale_span cookie = swale_exchange_cookie(seen.held, "k");
    say_frame(peer, 0x81, "early", 5);
    say_frame(peer, 0x81, "more", 4); /* not read any more, but not lost either */
    test_loop_advance(&bed.loop, 5000);
    assert_true(swale_span_equal(cookie, swale_text("v"))); /* lasts as long as the exchange */
    swale_exchange_set_user(seen.held, &hook_user);
    assert_int_equal(swale_exchange_accept(seen.held), 0);
    test_loop_settle(&bed.loop);
    assert_true(peer_heard(peer, switching));
    assert_string_equal(peer->data + strlen(switching), "\x81\x05"
                                                        "early\x81\x04more");
    assert_ptr_equal(seen.user, &hook_user);
    bed_done(&bed);
}

static void test_later_refuses(void **state)
{
    (void)state;
    struct bed bed;
    struct peer *peer = ask_later(&bed);
    say_frame(peer, 0x81, "early", 5);
    assert_int_equal(swale_exchange_refuse(seen.held, 402, swale_text("pay")), 0);
    test_loop_settle(&bed.loop);
    assert_true(peer_heard(peer, "HTTP/1.1 402 "));
    assert_true(peer_has(peer, "\r\n\r\npay"));
    assert_true(peer->ended);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_REFUSED), 1);
    bed_done(&bed);
}

static void test_later_reply_is_a_refusal(void **state)
{
    (void)state;
    struct bed bed;
    struct peer *peer = ask_later(&bed);
    assert_int_equal(swale_exchange_reply(seen.held, 302, NULL, swale_text("")), 0);
    test_loop_settle(&bed.loop);
    assert_true(peer_heard(peer, "HTTP/1.1 302 "));
    bed_done(&bed);
}

/* The peer goes meanwhile: in every way, and for both decisions. */
static void test_later_too_late(void **state)
{
    (void)state;
    for (int way = 0; way < 6; way++) {
        struct bed bed;
        struct swale_peer about;
        struct peer *peer = ask_later(&bed);
        struct swale_exchange *exchange = seen.held;
        swale_exchange_peer(exchange, &about);
        if (way % 3 == 0)
            peer_close(peer, true);
        else if (way % 3 == 1)
            peer_shutdown(peer);
        else
            test_loop_advance(&bed.loop, 10001);
        if (way % 3 == 2)
            assert_true(peer_heard(peer, "HTTP/1.1 408 "));
        peer_close(peer, false);
        assert_int_equal(handshaking(&bed), 0);
        assert_true(swale_span_equal(about.address, swale_text("memory")));
        assert_true(swale_span_equal(swale_exchange_param(exchange, "room"), swale_text("x")));
        if (way < 3)
            assert_int_equal(swale_exchange_accept(exchange), SWALE_ERR_CLOSED);
        else
            assert_int_equal(swale_exchange_refuse(exchange, 403, swale_text("")), SWALE_ERR_CLOSED);
        assert_int_equal(seen.opened, 0);
        bed_done(&bed);
    }
}

static void accept_now(struct swale_exchange *exchange)
{
    assert_int_equal(swale_exchange_accept(exchange), 0);
}

static void refuse_now(struct swale_exchange *exchange)
{
    assert_int_equal(swale_exchange_refuse(exchange, 0, swale_text("no")), 0);
}

/* An authentication that has its answer ready decides inside the hook. */
static void test_later_at_once(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    seen.verdict = SWALE_LATER;
    seen.act = accept_now;
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/hook/x", ""));
    assert_true(peer_heard(peer, switching));
    seen.act = refuse_now;
    peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/hook/x", ""));
    assert_true(peer_heard(peer, "HTTP/1.1 403 "));
    assert_true(peer_has(peer, "\r\n\r\nno"));
    bed_done(&bed);
}

/* What the hook lends is given back exactly once: here when no connection comes of it, else by on_close. */
static void test_hook_lends(void **state)
{
    (void)state;
    static const enum swale_verdict verdicts[] = { SWALE_REFUSE, SWALE_LATER, SWALE_ACCEPT };
    struct bed bed;
    begin(&bed);
    seen.act = lend;
    for (int i = 0; i < 3; i++) {
        seen.verdict = verdicts[i];
        struct peer *peer = bed_connect(&bed);
        peer_say(peer, upgrade_request("/hook/x", ""));
        if (verdicts[i] == SWALE_LATER) {
            assert_int_equal(seen.released, i);
            peer_close(peer, true);
            test_loop_settle(&bed.loop);
            assert_int_equal(swale_exchange_accept(seen.held), SWALE_ERR_CLOSED);
        }
        assert_int_equal(seen.lent, i + 1);
        assert_int_equal(seen.released, verdicts[i] == SWALE_ACCEPT ? i : i + 1);
    }
    assert_ptr_equal(seen.user, &seen.lent);
    bed_done(&bed);
    assert_int_equal(seen.released, 2);
}

/* Never decided: the server still frees it. */
static void test_later_forgotten(void **state)
{
    (void)state;
    struct bed bed;
    struct peer *peer = ask_later(&bed);
    peer_close(peer, true);
    bed_done(&bed);
    ask_later(&bed);
    bed_done(&bed);
}

static void test_plain_reply_later(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    char text[1024];
    strcpy(text, request("GET", "/plain/7/a%20b/c", ""));
    strcat(text, request("GET", "/nowhere", ""));
    peer_say(peer, text);
    assert_int_equal(peer->size, 0);
    assert_int_equal(swale_exchange_accept(seen.held), SWALE_ERR_STATE);
    test_loop_advance(&bed.loop, 60000); /* the application's own time */
    assert_true(swale_span_equal(swale_exchange_param(seen.held, "*"), swale_text("a b/c")));
    assert_int_equal(swale_exchange_reply(seen.held, 200, "text/x", swale_text("done")), 0);
    test_loop_settle(&bed.loop);
    assert_true(
        peer_heard(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 4\r\n\r\ndoneHTTP/1.1 404 "));
    seen.held = NULL;
    peer_say(peer, request("GET", "/plain/8/", ""));
    assert_non_null(seen.held);
    peer_close(peer, true);
    assert_int_equal(swale_exchange_reply(seen.held, 200, NULL, swale_text("")), SWALE_ERR_CLOSED);
    bed_done(&bed);
}

static void test_reply_without_body(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    static const int statuses[] = { 204, 304 };
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        peer_say(peer, request("GET", "/plain/7/", ""));
        assert_int_equal(swale_exchange_reply(seen.held, statuses[i], NULL, swale_text("never")), 0);
        test_loop_settle(&bed.loop);
    }
    assert_int_equal(peer_count(peer, "HTTP/1.1 "), 2);
    assert_false(peer_has(peer, "never"));
    assert_false(peer_has(peer, "Content-Length"));
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_accepts),
        cmocka_unit_test(test_later_refuses),
        cmocka_unit_test(test_later_reply_is_a_refusal),
        cmocka_unit_test(test_later_too_late),
        cmocka_unit_test(test_later_at_once),
        cmocka_unit_test(test_hook_lends),
        cmocka_unit_test(test_later_forgotten),
        cmocka_unit_test(test_plain_reply_later),
        cmocka_unit_test(test_reply_without_body),
    };
    return bed_run(tests, NULL, NULL);
}
