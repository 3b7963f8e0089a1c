/* Exchanges that take more memory than others, or for which there is none. */
#include "exchange_bed.h"

#include "server/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Large answers -------------------------------------------------------------------------------------- */

static void many_fields(struct swale_exchange *exchange)
{
    char value[1001];
    memset(value, 'v', 1000);
    value[1000] = '\0';
    for (int i = 0; i < 30; i++)
        assert_int_equal(swale_exchange_add_field(exchange, "X-Large", value), 0);
    assert_int_equal(swale_exchange_reply(exchange, 200, NULL, swale_text("large")), 0);
}

static void too_many_fields(struct swale_exchange *exchange)
{
    char value[1001];
    memset(value, 'v', 1000);
    value[1000] = '\0';
    for (int i = 0; i < 70; i++)
        assert_int_equal(swale_exchange_add_field(exchange, "X-Large", value), 0);
    assert_int_equal(swale_exchange_reply(exchange, 200, NULL, swale_text("large")), SWALE_ERR_TOO_SMALL);
    seen.held = exchange; /* nothing has happened: it is still to be answered */
}

static void test_large_answer_heads(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    seen.act = many_fields;
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, request("GET", "/plain/7/", ""));
    assert_int_equal(peer_count(peer, "X-Large"), 30);
    assert_true(peer_has(peer, "\r\n\r\nlarge"));
    seen.act = too_many_fields;
    peer_say(peer, request("GET", "/plain/7/", ""));
    assert_non_null(seen.held);
    peer_close(peer, true);
    assert_int_equal(swale_exchange_reply(seen.held, 200, NULL, swale_text("")), SWALE_ERR_CLOSED);
    bed_done(&bed);
}

/* A refusal is told even when what the hook has added to it does not fit: then without that. */
static void add_too_much(struct swale_exchange *exchange)
{
    char value[1001];
    memset(value, 'v', 1000);
    value[1000] = '\0';
    for (int i = 0; i < 70; i++)
        assert_int_equal(swale_exchange_add_field(exchange, "X-Large", value), 0);
}

static void test_refusals_fit(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    seen.act = add_too_much;
    seen.verdict = SWALE_REFUSE;
    struct peer *peer = bed_connect(&bed);
    peer_say(peer, upgrade_request("/hook/x", ""));
    assert_true(peer_heard(peer, "HTTP/1.1 403 "));
    assert_int_equal(peer_count(peer, "X-Large"), 0);
    assert_true(peer->ended);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_REFUSED), 1);
    bed_done(&bed);
}

/* An upgrade whose answer is too large is no upgrade. */
static void test_upgrades_fit(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct bed bed;
        begin(&bed);
        seen.act = add_too_much;
        seen.verdict = later ? SWALE_LATER : SWALE_ACCEPT;
        struct peer *peer = bed_connect(&bed);
        peer_say(peer, upgrade_request("/hook/x", ""));
        if (later)
            assert_int_equal(swale_exchange_accept(seen.held), SWALE_ERR_INTERNAL);
        test_loop_settle(&bed.loop);
        assert_true(peer_heard(peer, "HTTP/1.1 500 "));
        assert_true(peer->ended);
        assert_int_equal(seen.opened, 0);
        bed_done(&bed);
    }
}

/* What is for upgrades is refused to plain requests. */
/* ---- Memory ----------------------------------------------------------------------------------------- */

static bool memory_run(uint64_t n, bool later)
{
    struct bed bed;
    begin(&bed);
    seen.verdict = later ? SWALE_LATER : SWALE_ACCEPT;
    seen.act = lend;
    bed.loop.memory.allocations = 0;
    bed.loop.memory.fail_at = n;
    struct peer *peer = bed_connect_quietly(&bed);
    if (peer) {
        test_loop_settle(&bed.loop);
        char bytes[1024];
        strcpy(bytes, upgrade_request("/hook/x", "Sec-WebSocket-Protocol: a\r\n"));
        size_t size = strlen(bytes);
        size += frame(bytes + size, 0x81, "early", 5);
        peer_send(peer, bytes, size);
        test_loop_settle(&bed.loop);
        if (seen.held)
            swale_exchange_accept(seen.held);
        test_loop_settle(&bed.loop);
        say_frame(peer, 0x81, "hi", 2);
        say_frame(peer, 0x88, "\x03\xe8", 2);
        peer_close(peer, false);
        test_loop_advance(&bed.loop, 20000);
    }
    bool reached = bed.loop.memory.allocations >= n;
    assert_int_equal(seen.opened, seen.closed);
    assert_int_equal(seen.lent, seen.released + seen.closed);
    assert_int_equal(bed.server->guard.connections, 0);
    assert_int_equal(bed.server->workers[0]->live, 0);
    bed_done(&bed);
    return reached;
}

/* 0, or that memory is out, which the hook may take as it likes. */
static void may_fail(int error)
{
    assert_true(error == 0 || error == -ENOMEM);
}

/* Everything that a hook may ask of an exchange, larger than one block of its memory. */
static void ask_much(struct swale_exchange *exchange)
{
    char value[801];
    memset(value, 'v', 800);
    value[800] = '\0';
    struct swale_span query = swale_exchange_query(exchange, "q");
    assert_true(query.size == 0 || query.size == 2000);
    for (int i = 0; i < 10; i++)
        may_fail(swale_exchange_add_field(exchange, "X-Large", value));
    struct swale_peer peer;
    swale_exchange_peer(exchange, &peer);
    assert_true(peer.address.size == 0 || swale_span_equal(peer.address, swale_text("memory")));
    struct swale_span path = swale_exchange_path(exchange);
    assert_true(path.size > 3000 && path.data[0] == '/');
}

static void choose_and_ask_much(struct swale_exchange *exchange)
{
    ask_much(exchange);
    may_fail(swale_exchange_subprotocol(exchange, swale_exchange_header(exchange, "Sec-WebSocket-Protocol")));
}

static void ask_much_and_reply(struct swale_exchange *exchange)
{
    ask_much(exchange);
    seen.held = exchange;
    int error = swale_exchange_reply(exchange, 200, NULL, swale_text("answer"));
    assert_true(error == 0 || error == -ENOMEM || error == SWALE_ERR_CLOSED);
}

/* A large request whose hook asks much: what is answered is whole, or the peer is told that the server is short of
 * memory, or the connection ends. */
static bool large_memory_run(uint64_t n, bool upgrade)
{
    struct bed bed;
    begin(&bed);
    seen.act = upgrade ? choose_and_ask_much : ask_much_and_reply;
    char name[3001], target[6000], fields[2200];
    memset(name, 'n', 3000);
    name[3000] = '\0';
    int size = snprintf(target, sizeof target, upgrade ? "/hook/%s?q=" : "/plain/7/%s?q=", name);
    memset(target + size, 'q', 2000);
    target[size + 2000] = '\0';
    snprintf(fields, sizeof fields, "Sec-WebSocket-Protocol: %.2000s\r\n", name);
    struct peer *peer = bed_connect(&bed);
    bed.loop.memory.allocations = 0;
    bed.loop.memory.fail_at = n;
    peer_say(peer, upgrade ? upgrade_request(target, fields) : request("GET", target, ""));
    bool reached = bed.loop.memory.allocations >= n;
    bed.loop.memory.fail_at = 0;
    const char *answer = upgrade ? "HTTP/1.1 101 " : "HTTP/1.1 200 ";
    if (!reached)
        assert_true(peer_heard(peer, answer));
    else if (peer->size > 0)
        assert_true(peer_heard(peer, answer) || peer_heard(peer, "HTTP/1.1 503 "));
    peer_close(peer, true);
    test_loop_settle(&bed.loop);
    assert_int_equal(seen.opened, seen.closed);
    assert_int_equal(bed.server->workers[0]->live, 0);
    bed_done(&bed);
    return reached;
}

static void test_memory_fails_in_large_requests(void **state)
{
    (void)state;
    for (uint64_t n = 1; large_memory_run(n, true); n++)
        ;
    for (uint64_t n = 1; large_memory_run(n, false); n++)
        ;
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1; memory_run(n, false); n++)
        ;
    for (uint64_t n = 1; memory_run(n, true); n++)
        ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_answer_heads),
        cmocka_unit_test(test_refusals_fit),
        cmocka_unit_test(test_upgrades_fit),
        cmocka_unit_test(test_memory_fails),
        cmocka_unit_test(test_memory_fails_in_large_requests),
    };
    return bed_run(tests, NULL, NULL);
}
