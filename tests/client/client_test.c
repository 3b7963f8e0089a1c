/* The life of a client: states, closing, freeing and coming back at every moment, its policy, and what it notices of
 * a peer that has gone. */
#include "client_bed.h"

#include <errno.h>
#include <stdio.h>

static void begin_open(struct client_bed *bed, const struct swale_client_options *options)
{
    client_bed_begin(bed, options);
    client_bed_open(bed);
    bed->log[0] = '\0';
}

/* ---- From beginning to end --------------------------------------------------------------------------- */

static void test_states(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    client_bed_begin(&bed, NULL);
    assert_log(&bed, "connecting ");
    assert_int_equal(swale_client_retry_in(bed.client), -1);
    test_loop_advance(&bed.loop, 70);
    client_bed_open(&bed);
    assert_log(&bed, "open opened:1 ");
    assert_true(bed.opening.first);
    assert_int_equal(bed.opening.gap_ms, 70);
    swale_conn_send_text(bed.peer, "hello");
    test_loop_settle(&bed.loop);
    assert_log(&bed, "message:hello ");
    test_loop_advance(&bed.loop, 10);
    swale_conn_abort(bed.peer);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "waiting close:reset:1006 ");
    assert_int_equal(bed.closing.open_ms, 10);
    int64_t wait = swale_client_retry_in(bed.client);
    assert_int_equal(wait, bed.retry_ms);
    assert_in_range(wait, 0, 500);
    test_loop_advance(&bed.loop, (uint64_t)wait);
    assert_log(&bed, "connecting ");
    client_bed_fail(&bed, -ECONNREFUSED);
    assert_log(&bed, "waiting fail:system ");
    test_loop_advance(&bed.loop, 1000);
    client_bed_open(&bed);
    assert_log(&bed, "connecting open opened:2 ");
    assert_false(bed.opening.first);
    assert_int_equal(bed.opening.gap_ms, wait + 1000);
    client_bed_end(&bed);
}

static void test_retry_is_asked_before_anything_is_told(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    client_bed_begin(&bed, NULL);
    client_bed_refuse(&bed, 503, 7000);
    assert_int_equal(bed.retry.status, 503);
    assert_int_equal(bed.retry.reason, SWALE_ERR_ANSWER_STATUS);
    assert_int_equal(bed.retry.phase, SWALE_PHASE_HANDSHAKE);
    assert_int_equal(bed.retry.failures, 1);
    assert_false(bed.retry.was_open);
    assert_int_equal(bed.retry.retry_after_ms, 7000);
    assert_in_range(bed.retry.delay_ms, 7000, 14000);
    assert_int_equal(bed.retry_ms, bed.retry.delay_ms);
    assert_int_equal(swale_client_retry_in(bed.client), bed.retry_ms);
    client_bed_end(&bed);
}

static int64_t wait_an_hour(struct client_bed *bed)
{
    (void)bed;
    return 3600000;
}

static int64_t stop(struct client_bed *bed)
{
    (void)bed;
    return -77;
}

static void test_the_policy_decides(void **state)
{
    struct client_bed bed = { .policy = wait_an_hour };
    (void)state;
    begin_open(&bed, NULL);
    swale_conn_close(bed.peer, 1000, NULL); /* which is for good by default */
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.retry.delay_ms, SWALE_CLIENT_STOP);
    assert_int_equal(bed.retry.code, 1000);
    assert_true(bed.retry.was_open);
    assert_int_equal(swale_client_retry_in(bed.client), 3600000);
    assert_log(&bed, "waiting close:peer-closed:1000:clean ");
    bed.policy = stop;
    test_loop_advance(&bed.loop, 3600000);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(bed.retry_ms, SWALE_CLIENT_STOP);
    assert_log(&bed, "connecting ended fail:resolve end:resolve ");
    client_bed_end(&bed);
}

static void test_failures_in_a_row(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    struct swale_client_options options = { .reconnect = { .healthy_ms = 5000, .max_failures = 4, .max_ms = 1000 } };
    begin_open(&bed, &options);
    for (unsigned i = 1; i <= 3; i++) { /* short connections are failures, too */
        test_loop_advance(&bed.loop, 4999);
        swale_conn_abort(bed.peer);
        test_loop_settle(&bed.loop);
        assert_int_equal(bed.retry.failures, i);
        test_loop_advance(&bed.loop, 1000);
        client_bed_open(&bed);
    }
    test_loop_advance(&bed.loop, 5000);
    swale_conn_abort(bed.peer);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.retry.failures, 1); /* this one was healthy */
    for (unsigned i = 2; i <= 4; i++) {
        assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_WAITING);
        test_loop_advance(&bed.loop, 1000);
        client_bed_fail(&bed, SWALE_ERR_RESOLVE);
        assert_int_equal(bed.retry.failures, i);
    }
    assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_ENDED);
    client_bed_end(&bed);
}

static void test_the_longest_gap(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    struct swale_client_options options = { .reconnect = { .max_gap_ms = 5000 } };
    client_bed_begin(&bed, &options);
    uint64_t began = bed.loop.now_ms;
    while (swale_client_state(bed.client) != SWALE_CLIENT_ENDED) {
        client_bed_fail(&bed, SWALE_ERR_RESOLVE);
        if (bed.retry_ms >= 0)
            test_loop_advance(&bed.loop, (uint64_t)bed.retry_ms);
        assert_true(bed.loop.now_ms - began <= 5000);
    }
    assert_int_equal(bed.loop.now_ms - began, 5000); /* the last try was made then */
    client_bed_end(&bed);
}

static void test_one_try(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    struct swale_client_options options = { .reconnect = { .off = true } };
    client_bed_begin(&bed, &options);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_log(&bed, "connecting ended fail:resolve end:resolve ");
    assert_int_equal(client_bed_send(&bed, "x", NULL), SWALE_ERR_NOT_CONNECTED);
    client_bed_end(&bed);
}

/* ---- Closing ---------------------------------------------------------------------------------------- */

static void test_close_while_connecting(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    client_bed_begin(&bed, NULL);
    assert_int_equal(client_bed_close(&bed, 1000, NULL), 0);
    assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_CLOSING);
    assert_int_equal(client_bed_close(&bed, 1000, NULL), SWALE_ERR_CLOSED);
    assert_int_equal(client_bed_reconnect(&bed), SWALE_ERR_CLOSED);
    assert_int_equal(client_bed_send(&bed, "x", NULL), SWALE_ERR_CLOSED);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.cancelled, 1);
    assert_log(&bed, "connecting closing ended end:local-closed ");
    assert_int_equal(client_bed_close(&bed, 1000, NULL), SWALE_ERR_CLOSED);
    client_bed_end(&bed);
}

static void close_it(struct client_bed *bed)
{
    assert_int_equal(swale_client_close(bed->client, 1001, NULL), 0);
}

/* The attempt succeeds, or fails, in the turn in which it was given up. */
static void test_close_races_the_attempt(void **state)
{
    (void)state;
    for (int opens = 0; opens < 2; opens++) {
        struct client_bed bed = { 0 };
        client_bed_begin(&bed, NULL);
        assert_int_equal(client_bed_close(&bed, 1000, NULL), 0);
        client_bed_at_once(&bed, opens);
        test_loop_settle(&bed.loop);
        assert_log(&bed, "connecting closing ended end:local-closed ");
        assert_null(bed.peer);
        client_bed_end(&bed);
    }
}

static void test_close_while_waiting(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    client_bed_begin(&bed, NULL);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(client_bed_close(&bed, 0, NULL), 0);
    assert_int_equal(swale_client_retry_in(bed.client), -1);
    test_loop_advance(&bed.loop, 100000);
    assert_int_equal(bed.attempts, 1);
    assert_log(&bed, "connecting waiting fail:resolve closing ended end:local-closed ");
    client_bed_end(&bed);
}

static void test_close_while_open(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    begin_open(&bed, NULL);
    assert_int_equal(client_bed_send(&bed, "last", NULL), 0);
    assert_int_equal(client_bed_close(&bed, 1001, "going"), 0);
    assert_int_equal(client_bed_close(&bed, 1001, NULL), SWALE_ERR_CLOSED);
    assert_int_equal(client_bed_send(&bed, "x", NULL), SWALE_ERR_CLOSED);
    test_loop_settle(&bed.loop);
    assert_heard(&bed, "last ");
    assert_int_equal(bed.peer_code, 1001);
    assert_int_equal(bed.retry_ms, SWALE_CLIENT_STOP);
    assert_log(&bed, "closing ended close:local-closed:1001:clean end:local-closed ");
    client_bed_end(&bed);
}

/* The peer closed in the same turn: the client has to stay closed all the same. */
static void test_close_of_one_that_is_ending(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    begin_open(&bed, NULL);
    swale_conn_close(swale_client_conn(bed.client), 4000, NULL);
    assert_int_equal(client_bed_close(&bed, 1000, NULL), 0);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "closing ended close:local-closed:4000:clean end:local-closed ");
    client_bed_end(&bed);
}

static void test_close_that_is_not_answered(void **state)
{
    struct client_bed bed = { .raw_peer = true };
    (void)state;
    begin_open(&bed, NULL);
    assert_int_equal(client_bed_close(&bed, 1000, NULL), 0);
    test_loop_advance(&bed.loop, 5000);
    assert_log(&bed, "closing ended close:close-timeout:1006 end:close-timeout ");
    client_bed_end(&bed);
}

static void test_closes_that_cannot_be(void **state)
{
    static const int codes[] = { -1, 1, 999, 1004, 1005, 1006, 1015, 2999, 5000 };
    struct client_bed bed = { 0 };
    char text[SWALE_REASON_MAX + 2];
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    client_bed_begin(&bed, NULL);
    for (int open = 0; open < 2; open++) {
        for (size_t i = 0; i < COUNT_OF(codes); i++)
            assert_int_equal(client_bed_close(&bed, codes[i], NULL), SWALE_ERR_INVALID);
        assert_int_equal(client_bed_close(&bed, 1000, text), SWALE_ERR_INVALID);
        assert_int_equal(client_bed_close(&bed, 1000, "\xff"), SWALE_ERR_INVALID);
        assert_int_equal(client_bed_close(&bed, 0, "why"), SWALE_ERR_INVALID);
        if (!open)
            client_bed_open(&bed);
    }
    assert_log(&bed, "connecting open opened:1 ");
    client_bed_end(&bed);
}

/* swale_conn_close is for the connection, not for the client. */
static void test_close_of_the_connection_alone(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    begin_open(&bed, NULL);
    assert_int_equal(swale_conn_close(swale_client_conn(bed.client), 1000, NULL), 0);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "waiting close:local-closed:1000:clean ");
    client_bed_end(&bed);
}

/* ---- Coming back by request -------------------------------------------------------------------------- */

static void test_reconnect_everywhere(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    client_bed_begin(&bed, NULL);
    assert_int_equal(client_bed_reconnect(&bed), 0); /* it is trying already */
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.attempts, 1);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_in_range(bed.retry_ms, 0, 500); /* and that has left nothing behind */
    bed.policy = wait_an_hour;
    client_bed_reconnect(&bed);
    client_bed_reconnect(&bed);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.attempts, 2);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(swale_client_retry_in(bed.client), 3600000);
    client_bed_reconnect(&bed);
    client_bed_open(&bed);
    bed.log[0] = '\0';
    unsigned asked = bed.calls[AT_RETRY];
    client_bed_reconnect(&bed); /* from an open one */
    test_loop_settle(&bed.loop);
    assert_log(&bed, "waiting close:aborted:1006 connecting ");
    assert_int_equal(bed.retry_ms, 0);
    assert_int_equal(bed.peer_code, 1001);
    assert_int_equal(bed.calls[AT_RETRY], asked); /* nobody asks the policy */
    bed.policy = stop;
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(bed.retry.failures, 1);
    assert_log(&bed, "ended fail:resolve end:resolve ");
    client_bed_reconnect(&bed);
    test_loop_advance(&bed.loop, 30);
    client_bed_open(&bed);
    assert_log(&bed, "connecting open opened:1 ");
    assert_int_equal(bed.opening.gap_ms, 30);
    client_bed_end(&bed);
}

static void reconnect_it(struct client_bed *bed)
{
    swale_client_reconnect(bed->client);
}

static void test_reconnect_within_on_retry(void **state)
{
    struct client_bed bed = { .policy = stop };
    (void)state;
    client_bed_begin(&bed, NULL);
    bed.act[AT_RETRY] = reconnect_it;
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(bed.retry_ms, 0);
    assert_log(&bed, "connecting waiting fail:resolve connecting ");
    client_bed_open(&bed);
    swale_conn_abort(bed.peer);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.retry_ms, 0);
    assert_log(&bed, "open opened:2 waiting close:reset:1006 connecting ");
    bed.act[AT_RETRY] = close_it;
    bed.policy = wait_an_hour;
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(bed.retry_ms, SWALE_CLIENT_STOP);
    assert_log(&bed, "ended fail:resolve end:resolve ");
    client_bed_end(&bed);
}

/* on_fail says that it is over; but then it is not. */
static void test_reconnect_before_the_end_is_told(void **state)
{
    struct client_bed bed = { .policy = stop };
    (void)state;
    client_bed_begin(&bed, NULL);
    bed.act[AT_FAIL] = reconnect_it;
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_log(&bed, "connecting ended fail:resolve connecting ");
    bed.act[AT_FAIL] = NULL;
    bed.act[AT_END] = reconnect_it;
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_log(&bed, "ended fail:resolve end:resolve connecting ");
    client_bed_end(&bed);
}

/* ---- Anything from any callback ---------------------------------------------------------------------- */

/* Comes upon every callback: two connections with traffic, a drop, a failure, a close. */
static void live(struct client_bed *bed)
{
    static char block[40000];
    struct test_loop *loop = &bed->loop;
    memset(block, 'b', sizeof block);
    for (int round = 0; round < 40 && bed->client && swale_client_state(bed->client) != SWALE_CLIENT_ENDED; round++) {
        uint64_t number;
        test_loop_advance(loop, 600);
        if (bed->attempt && round % 3 == 2)
            client_bed_fail(bed, SWALE_ERR_RESOLVE);
        else if (bed->attempt)
            client_bed_open(bed);
        for (int i = 0; i < 4 && bed->client; i++)
            swale_client_send(bed->client, SWALE_BINARY, block, sizeof block, &number);
        if (bed->peer) {
            swale_conn_send_text(bed->peer, "hello");
            swale_conn_ping(bed->peer, swale_span("?", 1));
        }
        if (bed->client && swale_client_conn(bed->client))
            swale_conn_ping(swale_client_conn(bed->client), swale_span("!", 1));
        test_loop_settle(loop);
        if (bed->peer && round % 2 == 1)
            swale_conn_abort(bed->peer);
        test_loop_settle(loop);
        if (bed->client && round == 20)
            swale_client_close(bed->client, 1000, NULL);
        test_loop_settle(loop);
    }
}

/* Every callback may be left out. */
static void test_a_client_without_callbacks(void **state)
{
    struct client_bed bed = { .pair = { .capacity = 20000 } };
    (void)state;
    client_bed_begin(&bed, NULL);
    bed.handler = (struct swale_client_handler){ 0 };
    live(&bed);
    assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_ENDED);
    assert_true(bed.attempts > 2);
    for (int callback = 0; callback < CLIENT_CALLBACKS; callback++)
        assert_int_equal(bed.calls[callback], callback == AT_STATE ? 1 : 0); /* before they were taken away */
    client_bed_end(&bed);
}

static void try_from(enum client_callback callback, void (*act)(struct client_bed *bed), uint64_t max_pending)
{
    struct client_bed bed = { .pair = { .capacity = 20000 } };
    bed.act[callback] = act;
    client_bed_begin(&bed, &(struct swale_client_options){ .max_pending = max_pending });
    live(&bed);
    assert_true(bed.calls[callback] > 0);
    client_bed_end(&bed);
}

static void try_from_all(void (*act)(struct client_bed *bed), const bool skipped[CLIENT_CALLBACKS])
{
    for (int callback = 0; callback < CLIENT_CALLBACKS; callback++) {
        if (skipped[callback])
            continue;
        try_from((enum client_callback)callback, act, 0);
        try_from((enum client_callback)callback, act, 1 << 20);
    }
}

static void test_free_from_every_callback(void **state)
{
    (void)state;
    try_from_all(client_bed_free, (bool[CLIENT_CALLBACKS]){ [AT_RETRY] = true });
}

static void try_to_close(struct client_bed *bed)
{
    enum swale_client_state state = swale_client_state(bed->client);
    bool over = state == SWALE_CLIENT_CLOSING || state == SWALE_CLIENT_ENDED;
    assert_int_equal(client_bed_close(bed, 1000, NULL), over ? SWALE_ERR_CLOSED : 0);
}

static void test_close_from_every_callback(void **state)
{
    (void)state;
    try_from_all(try_to_close, (bool[CLIENT_CALLBACKS]){ [AT_TRACE] = true });
}

static void try_to_reconnect(struct client_bed *bed)
{
    if (bed->calls[AT_STATE] < 50)
        client_bed_reconnect(bed);
}

static void test_reconnect_from_every_callback(void **state)
{
    (void)state;
    try_from_all(try_to_reconnect, (bool[CLIENT_CALLBACKS]){ [AT_TRACE] = true });
}

static void change_network(struct client_bed *bed)
{
    swale_client_network_changed(bed->client, 1);
}

/* Within on_retry, too, whose client still seems open: its probe found no connection to look at. */
static void test_network_change_from_every_callback(void **state)
{
    (void)state;
    try_from_all(change_network, (bool[CLIENT_CALLBACKS]){ 0 });
}

static void configure_it(struct client_bed *bed)
{
    struct swale_client_options options = { .url = "ws://host/other",
                                            .limits = &(struct swale_limits){ .idle_ms = 1 } };
    assert_int_equal(swale_client_configure(bed->client, &options, NULL), 0);
}

static void test_configure_from_every_callback(void **state)
{
    (void)state;
    try_from_all(configure_it, (bool[CLIENT_CALLBACKS]){ 0 });
}

/* The close that had to wait for the messages of the old connection did not wait for those of the next. */
static void test_close_within_on_retry_is_not_kept(void **state)
{
    struct client_bed bed = { .raw_peer = true, .pair = { .capacity = 1000 } };
    static char block[100000];
    (void)state;
    begin_open(&bed, &(struct swale_client_options){ .max_pending = 1 << 20 });
    for (int i = 0; i < 3; i++)
        assert_true(swale_client_send(bed.client, SWALE_BINARY, block, sizeof block, NULL) >= 0);
    bed.act[AT_RETRY] = close_it;
    bed.act[AT_CLOSE] = reconnect_it;
    swale__stream_close(bed.raw, true);
    test_loop_settle(&bed.loop);
    bed.raw = NULL;
    bed.act[AT_RETRY] = bed.act[AT_CLOSE] = NULL;
    bed.raw_peer = false;
    assert_true(swale_client_pending(bed.client) > 0);
    client_bed_open(&bed);
    test_loop_settle(&bed.loop);
    assert_int_equal(swale_client_pending(bed.client), 0);
    assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_OPEN);
    client_bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_retry_is_asked_before_anything_is_told),
        cmocka_unit_test(test_the_policy_decides),
        cmocka_unit_test(test_failures_in_a_row),
        cmocka_unit_test(test_the_longest_gap),
        cmocka_unit_test(test_one_try),
        cmocka_unit_test(test_close_while_connecting),
        cmocka_unit_test(test_close_races_the_attempt),
        cmocka_unit_test(test_close_while_waiting),
        cmocka_unit_test(test_close_while_open),
        cmocka_unit_test(test_close_of_one_that_is_ending),
        cmocka_unit_test(test_close_that_is_not_answered),
        cmocka_unit_test(test_closes_that_cannot_be),
        cmocka_unit_test(test_close_of_the_connection_alone),
        cmocka_unit_test(test_reconnect_everywhere),
        cmocka_unit_test(test_reconnect_within_on_retry),
        cmocka_unit_test(test_reconnect_before_the_end_is_told),
        cmocka_unit_test(test_a_client_without_callbacks),
        cmocka_unit_test(test_free_from_every_callback),
        cmocka_unit_test(test_close_from_every_callback),
        cmocka_unit_test(test_reconnect_from_every_callback),
        cmocka_unit_test(test_network_change_from_every_callback),
        cmocka_unit_test(test_configure_from_every_callback),
        cmocka_unit_test(test_close_within_on_retry_is_not_kept),
    };
    return cmocka_run_group_tests_name("client.client", tests, NULL, NULL);
}
