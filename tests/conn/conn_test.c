#include "harness.h"

#include <stdlib.h>

static void test_what_is_known(void **state)
{
    (void)state;
    struct harness h;
    struct swale_peer peer;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .subprotocol = swale_text("chat.v2") });
    struct swale_conn *conn = h.server.conn;
    assert_ptr_equal(swale_conn_user(conn), &h.server);
    assert_ptr_equal(swale_conn_loop(conn), h.loop.loop);
    assert_ptr_equal(swale__conn_owner(conn), &h);
    assert_true(swale_span_equal(swale_conn_subprotocol(conn), swale_text("chat.v2")));
    assert_false(swale_conn_deflate(conn));
    swale_conn_peer(conn, &peer);
    assert_true(swale_span_equal(peer.address, swale_text("memory")));
    int other;
    swale_conn_set_user(conn, &other);
    assert_ptr_equal(swale_conn_user(conn), &other);
    swale_conn_set_user(conn, &h.server);
    harness_done(&h);

    struct swale_deflate_params params = { .server_max_window_bits = 15, .client_max_window_bits = 15 };
    harness_init(&h, &(struct harness_options){ .raw_client = true, .deflate = &params });
    assert_int_equal(swale_conn_subprotocol(h.server.conn).size, 0);
    assert_true(swale_conn_deflate(h.server.conn));
    harness_done(&h);
}

static void look_around(struct observer *observer)
{
    struct swale_peer peer;
    swale_conn_peer(observer->conn, &peer);
    assert_true(swale_span_equal(peer.address, swale_text("memory")));
    assert_true(swale_span_equal(swale_conn_subprotocol(observer->conn), swale_text("chat")));
    assert_int_equal(swale_conn_id(observer->conn), 1);
    assert_int_equal(swale_conn_send_text(observer->conn, "x"), SWALE_ERR_CLOSED);
    assert_int_equal(swale_conn_close(observer->conn, 1000, NULL), SWALE_ERR_CLOSED);
    swale_conn_pause(observer->conn);
    swale_conn_resume(observer->conn);
    swale_conn_fail(observer->conn, SWALE_ERR_IDLE);
    observer->context = observer;
}

/* In on_close the connection is readable, whatever has ended it. */
static void test_on_close_may_look_around(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .subprotocol = swale_text("chat"),
                                                    .act = { [ON_CLOSE] = look_around } });
        if (how == 0)
            swale_conn_abort(h.server.conn);
        else if (how == 1)
            harness_frame(&h, 0x88, "", 0);
        else
            recorder_close(&h.raw, how == 2);
        test_loop_settle(&h.loop);
        assert_ptr_equal(h.server.context, &h.server);
        harness_done(&h);
    }
}

static void say_hello(struct observer *observer)
{
    assert_int_equal(swale_conn_send_text(observer->conn, "hello"), 0);
}

static void test_answer_goes_first(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){
                         .raw_client = true, .answer = swale_text("101 "), .act = { [ON_OPEN] = say_hello } });
    assert_int_equal(h.raw.size, 4 + 7);
    assert_memory_equal(h.raw.heard, "101 \x81\x05hello", 11);
    assert_int_equal(h.raw.runs, 1);
    harness_done(&h);
}

/* ---- Memory runs out, at every place ------------------------------------------------------------------ */

static const struct swale_deflate_params takeover = { .server_max_window_bits = 10, .client_max_window_bits = 10 };
static const struct swale_deflate_params alone = { .server_no_context_takeover = true,
                                                   .client_no_context_takeover = true,
                                                   .server_max_window_bits = 15,
                                                   .client_max_window_bits = 15 };

static void use(struct swale_conn *conn, const char *data, struct swale_shared *shared)
{
    if (!conn)
        return;
    swale_conn_send_text(conn, "small");
    swale_conn_send(conn, SWALE_TEXT, data, 3000);
    swale_conn_send(conn, SWALE_TEXT, data, 30000);
    swale_conn_send_part(conn, SWALE_TEXT, data, 2000, false);
    swale_conn_ping(conn, swale_text("ping"));
    swale_conn_send_part(conn, SWALE_TEXT, data, 100, true);
    swale_conn_send_shared(conn, shared);
}

/* A conversation with everything in it. */
static void converse(struct harness *h, const char *data, struct swale_shared *shared)
{
    for (int i = 0; i < 2; i++) {
        use(h->client.conn, data, shared);
        use(h->server.conn, data, shared);
        if (h->server.conn)
            swale_conn_pause(h->server.conn);
        test_loop_settle(&h->loop);
        if (h->server.conn)
            swale_conn_resume(h->server.conn);
        test_loop_settle(&h->loop);
    }
    if (h->client.conn)
        swale_conn_close(h->client.conn, 1000, "the end");
    test_loop_advance(&h->loop, 6000);
}

static bool run(uint64_t fail_at, const struct swale_deflate_params *deflate, struct swale__pair_options pair,
                bool parts)
{
    struct harness h;
    struct swale_shared *shared;
    static const unsigned char mask[4] = { 1, 2, 3, 4 };
    char *data = malloc(30000), early[40];
    for (size_t i = 0; i < 30000; i++)
        data[i] = (char)('a' + i * i / 7 % 26);
    size_t size = put_frame(early, 0x81, "earlier than everything", 23, mask);
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, data, 5000), 0);
    harness_init(&h, &(struct harness_options){ .deflate = deflate,
                                                .pair = pair,
                                                .parts = parts,
                                                .early = swale_span(early, size),
                                                .subprotocol = swale_text("chat"),
                                                .fail_at = fail_at });
    uint64_t failing = h.loop.memory.fail_at;
    converse(&h, data, shared);
    bool failed = h.loop.memory.allocations >= failing && failing > 0;
    if (!failed) {
        assert_true(h.server.close.clean);
        assert_true(h.client.close.clean);
        assert_int_equal(h.server.received, 23 + 2 * (5 + 3000 + 30000 + 2100 + 5000));
        assert_int_equal(h.client.received, 2 * (5 + 3000 + 30000 + 2100 + 5000));
    }
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_SERVER]), 0);
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_CLIENT]), 0);
    swale_shared_unref(shared);
    harness_done(&h); /* on_close once, and nothing leaked */
    free(data);
    return failed;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    static const struct swale_deflate_params *const modes[] = { NULL, &takeover, &alone };
    for (int n = 0; n < 6; n++) {
        struct swale__pair_options pair = { .capacity = 1 << 20, .chunk = n & 1 ? 9999 : 0, .in_flight = n & 1 };
        const struct swale_deflate_params *deflate = modes[n / 2];
        bool parts = n == 1 || n == 2 || n == 4;
        assert_false(run(0, deflate, pair, parts));
        uint64_t fail_at = 1;
        while (run(fail_at, deflate, pair, parts))
            fail_at++;
        assert_true(fail_at > 10);
    }
}

/* Chunks as small as they come, in every mode: the same conversation. */
static void test_conversation_in_small_pieces(void **state)
{
    (void)state;
    static const struct swale_deflate_params *const modes[] = { NULL, &takeover, &alone };
    static const size_t capacities[] = { 7, 1000, 65536 };
    for (size_t i = 0; i < 3 * COUNT_OF(capacities); i++) {
        for (int n = 0; n < 4; n++) {
            struct swale__pair_options pair = { .capacity = capacities[i / 3],
                                                .chunk = i == 0 ? 1 : 131,
                                                .in_flight = n & 1 };
            assert_false(run(0, modes[i % 3], pair, n >> 1));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_known),
        cmocka_unit_test(test_on_close_may_look_around),
        cmocka_unit_test(test_answer_goes_first),
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_conversation_in_small_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
