/* Shutting down, in virtual time: what is told, what is finished, what is dropped and when. */
#include "bed.h"

#include "server/exchange.h"

#include <string.h>

static struct {
    struct swale_exchange *held;
    int closed, reason;
} seen;

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    (void)conn;
    seen.closed++;
    seen.reason = close->reason;
}

static const struct swale_handler silent = { .on_close = on_close };

static enum swale_verdict later(struct swale_exchange *exchange)
{
    seen.held = exchange;
    return SWALE_LATER;
}

static void hold(struct swale_exchange *exchange)
{
    seen.held = exchange;
}

static void big(struct swale_exchange *exchange)
{
    static char body[200000];
    memset(body, 'x', sizeof body);
    swale_exchange_reply(exchange, 200, NULL, swale_span(body, sizeof body));
}

static void begin_with(struct bed *bed, const struct swale_server_options *options)
{
    memset(&seen, 0, sizeof seen);
    bed_init(bed, options);
    assert_int_equal(swale_server_route(bed->server, "/ws", &(struct swale_route){ .handler = &silent }), 0);
    assert_int_equal(
        swale_server_route(bed->server, "/later", &(struct swale_route){ .handler = &silent, .on_upgrade = later }),
        0);
    assert_int_equal(swale_server_route(bed->server, "/hold", &(struct swale_route){ .on_request = hold }), 0);
    assert_int_equal(swale_server_route(bed->server, "/big", &(struct swale_route){ .on_request = big }), 0);
    bed_start(bed);
}

static void begin(struct bed *bed)
{
    begin_with(bed, NULL);
}

static void stop(struct bed *bed)
{
    swale_server_stop(bed->server);
    test_loop_settle(&bed->loop);
}

static bool drained(const struct bed *bed)
{
    int result = swale_server_wait(bed->server);
    assert_true(result == 0 || result == SWALE_ERR_STATE);
    return result == 0;
}

static const char close_1001[] = "\x88\x02\x03\xe9";

static void test_nothing_to_drain(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    assert_false(drained(&bed));
    stop(&bed);
    assert_true(drained(&bed));
    assert_int_equal(bed.record_count, 2);
    assert_string_equal(bed.records[0].text, "began");
    assert_string_equal(bed.records[1].text, "ended");
    stop(&bed);
    assert_true(drained(&bed));
    assert_int_equal(bed.record_count, 2);
    bed_done(&bed);
}

static void test_connections_are_told(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *polite = bed_connect(&bed);
    struct peer *deaf = bed_connect(&bed);
    struct peer *idle = bed_connect(&bed);
    peer_say(polite, upgrade_request("/ws", ""));
    peer_say(deaf, upgrade_request("/ws", ""));
    peer_forget(polite);
    stop(&bed);
    assert_string_equal(polite->data, close_1001);
    assert_true(idle->ended); /* it had not asked for anything */
    char answer[16];
    peer_send(polite, answer, frame(answer, 0x88, "\x03\xe9", 2));
    test_loop_settle(&bed.loop);
    peer_close(polite, false);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.reason, SWALE_ERR_DRAINING);
    assert_false(drained(&bed));
    peer_close(idle, false);
    test_loop_advance(&bed.loop, 11000); /* the deaf one has had its close wait */
    assert_true(drained(&bed));
    assert_int_equal(seen.closed, 2);
    assert_int_equal(bed_closed(&bed, SWALE_ERR_DRAINING) + bed_closed(&bed, SWALE_ERR_CLOSE_TIMEOUT), 2);
    bed_done(&bed);
}

/* A drain must not wait longer than it says, whatever the peers do. */
static void test_drain_time_is_up(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *held = bed_connect(&bed);
    struct peer *unread = bed_connect(&bed);
    peer_say(held, request("GET", "/hold", ""));
    peer_pause(unread);
    peer_say(unread, request("GET", "/big", ""));
    stop(&bed);
    for (int i = 0; i < 9; i++)
        test_loop_advance(&bed.loop, 1000);
    assert_false(drained(&bed));
    assert_false(peer_over(held));
    test_loop_advance(&bed.loop, 1001);
    assert_true(drained(&bed));
    assert_true(peer_over(held));
    assert_int_equal(swale_exchange_reply(seen.held, 200, NULL, swale_text("")), SWALE_ERR_CLOSED);
    bed_done(&bed);
}

static void test_drain_without_a_limit(void **state)
{
    (void)state;
    struct bed bed;
    begin_with(&bed, &(struct swale_server_options){ .drain_ms = SWALE_OFF });
    struct peer *held = bed_connect(&bed);
    peer_say(held, request("GET", "/hold", ""));
    stop(&bed);
    test_loop_advance(&bed.loop, 3600000);
    assert_false(drained(&bed));
    assert_int_equal(swale_exchange_reply(seen.held, 200, NULL, swale_text("at last")), 0);
    test_loop_settle(&bed.loop);
    assert_true(peer_has(held, "\r\n\r\nat last"));
    peer_close(held, false);
    assert_true(drained(&bed));
    bed_done(&bed);
}

static void test_second_stop_drops(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    struct peer *held = bed_connect(&bed);
    peer_say(peer, upgrade_request("/ws", ""));
    peer_say(held, request("GET", "/hold", ""));
    stop(&bed);
    assert_false(drained(&bed));
    stop(&bed);
    assert_true(drained(&bed));
    assert_true(peer->failed);
    assert_true(held->failed);
    assert_int_equal(seen.closed, 1);
    bed_done(&bed);
}

static void test_requests_in_progress_are_finished(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *held = bed_connect(&bed);
    struct peer *begun = bed_connect(&bed);
    struct peer *unread = bed_connect(&bed);
    peer_say(held, request("GET", "/hold", ""));
    peer_say(begun, "GET /hold HTTP/1.1\r\n");
    peer_pause(unread);
    peer_say(unread, request("GET", "/big", ""));
    stop(&bed);
    peer_say(begun, "Host: a\r\n\r\n");
    assert_true(peer_heard(begun, "HTTP/1.1 503 "));
    assert_int_equal(bed_refused(&bed, SWALE_ERR_DRAINING), 1);
    peer_resume(unread);
    assert_true(unread->size > 200000);
    assert_true(unread->ended);
    assert_int_equal(swale_exchange_reply(seen.held, 200, NULL, swale_text("done")), 0);
    test_loop_settle(&bed.loop);
    assert_true(peer_has(held, "Connection: close\r\n"));
    assert_true(peer_has(held, "\r\n\r\ndone"));
    assert_true(held->ended);
    peer_close(held, false);
    peer_close(begun, false);
    peer_close(unread, false);
    assert_true(drained(&bed));
    bed_done(&bed);
}

/* The peer is told at once; the application still has its exchange to finish, and the drain waits for that. */
static void test_put_off_upgrades(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/later", ""));
    stop(&bed);
    assert_true(peer_heard(peer, "HTTP/1.1 503 "));
    peer_close(peer, false);
    assert_false(drained(&bed));
    assert_int_equal(swale_exchange_accept(seen.held), SWALE_ERR_CLOSED);
    test_loop_settle(&bed.loop);
    assert_true(drained(&bed));
    assert_int_equal(seen.closed, 0);
    bed_done(&bed);
}

static void test_newcomers(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *held = bed_connect(&bed);
    peer_say(held, request("GET", "/hold", ""));
    stop(&bed);
    struct peer *late = bed_connect(&bed); /* was accepted already */
    assert_true(peer_over(late));
    assert_int_equal(late->size, 0);
    bed_done(&bed);
    /* The server was freed with a request unanswered: its exchange went too. */
}

static void test_freed_without_drain(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    peer_say(bed_connect(&bed), upgrade_request("/ws", ""));
    peer_say(bed_connect(&bed), request("GET", "/hold", ""));
    struct peer *unread = bed_connect(&bed);
    peer_pause(unread);
    peer_say(unread, request("GET", "/big", ""));
    swale_server_free(bed.server);
    bed.server = NULL;
    assert_int_equal(seen.closed, 1);
    bed_done(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_drain),    cmocka_unit_test(test_connections_are_told),
        cmocka_unit_test(test_drain_time_is_up),    cmocka_unit_test(test_drain_without_a_limit),
        cmocka_unit_test(test_second_stop_drops),   cmocka_unit_test(test_requests_in_progress_are_finished),
        cmocka_unit_test(test_put_off_upgrades),    cmocka_unit_test(test_newcomers),
        cmocka_unit_test(test_freed_without_drain),
    };
    return bed_run(tests, NULL, NULL);
}
