/* What the clients of a loop share, and when it goes. */
#include "client_bed.h"

#include "client/commons.h"

#include <errno.h>

static void begin(struct test_loop *loop, struct swale__commons **commons)
{
    test_loop_init(loop);
    assert_int_equal(swale__commons_take(commons, loop->loop), 0);
}

static void test_one_for_each_loop(void **state)
{
    struct test_loop loop, other;
    struct swale__commons *first, *second, *third;
    (void)state;
    begin(&loop, &first);
    begin(&other, &third);
    assert_int_equal(swale__commons_take(&second, loop.loop), 0);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, third);
    swale__commons_release(third);
    swale__commons_release(first);
    assert_non_null(*swale__loop_slot(loop.loop));
    swale__commons_release(second);
    assert_null(*swale__loop_slot(loop.loop));
    test_loop_done(&loop);
    test_loop_done(&other);
}

static void test_groups_by_limits(void **state)
{
    struct test_loop loop;
    struct swale__commons *commons;
    struct swale__conn_group *a, *b, *c;
    struct swale_limits limits = swale_limits_resolve(NULL);
    (void)state;
    begin(&loop, &commons);
    assert_int_equal(swale__commons_group(commons, &limits, &a), 0);
    struct swale_limits same = swale_limits_resolve(NULL);
    assert_int_equal(swale__commons_group(commons, &same, &b), 0);
    assert_ptr_equal(a, b);
    struct swale_limits others[12];
    for (size_t i = 0; i < COUNT_OF(others); i++)
        others[i] = same;
    others[0].max_message--, others[1].high_water--, others[2].max_queue--, others[3].max_fragments--;
    others[4].max_inflate_ratio--, others[5].max_message_rate--, others[6].handshake_ms--, others[7].ping_after_ms--;
    others[8].gone_after_ms--, others[9].idle_ms--, others[10].close_wait_ms--, others[11].compress_threshold--;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(swale__commons_group(commons, &others[i], &b), 0);
        assert_ptr_not_equal(a, b);
        assert_int_equal(swale__commons_group(commons, &others[i], &c), 0);
        assert_ptr_equal(b, c);
    }
    swale__commons_release(commons);
    test_loop_done(&loop);
}

static void test_resolvers_by_servers(void **state)
{
    struct test_loop loop;
    struct swale__commons *commons;
    struct swale__resolver *a, *b, *c;
    (void)state;
    begin(&loop, &commons);
    assert_int_equal(swale__commons_resolver(commons, NULL, &a), 0);
    assert_int_equal(swale__commons_resolver(commons, "192.0.2.1", &b), 0);
    assert_int_equal(swale__commons_resolver(commons, "192.0.2.1", &c), 0);
    assert_ptr_equal(b, c);
    assert_ptr_not_equal(a, b);
    assert_int_equal(swale__commons_resolver(commons, "nonsense", &c), SWALE_ERR_ADDRESS);
    swale__commons_release(commons);
    test_loop_done(&loop);
}

/* 4000 masks of four bytes, from several batches: no value comes thrice, and each bit is set half of the time. */
static void test_randomness(void **state)
{
    enum { MASKS = 4000 };
    static uint32_t masks[MASKS];
    struct test_loop loop;
    struct swale__commons *commons;
    unsigned bits[32] = { 0 };
    unsigned char large[10000] = { 0 };
    (void)state;
    begin(&loop, &commons);
    for (int i = 0; i < MASKS; i++) {
        swale__commons_random(commons, &masks[i], 4);
        for (int bit = 0; bit < 32; bit++)
            bits[bit] += masks[i] >> bit & 1;
    }
    for (int bit = 0; bit < 32; bit++)
        assert_in_range(bits[bit], MASKS / 2 - 250, MASKS / 2 + 250); /* eight deviations */
    for (int i = 1024; i < MASKS; i++)
        assert_int_not_equal(masks[i], masks[i - 1024]); /* the next batch is another */
    swale__commons_random(commons, large, sizeof large);
    assert_true(large[0] | large[1] | large[2] | large[3] | large[4] | large[5] | large[6] | large[7]);
    assert_memory_not_equal(large, large + 5000, 5000);
    swale__commons_release(commons);
    test_loop_done(&loop);
}

/* Freed within on_end, while the connection still waits for the server to end TCP: the commons stay for it. */
static void test_stays_for_connections_that_end_in_peace(void **state)
{
    struct client_bed bed = { .act = { [AT_END] = client_bed_free } };
    (void)state;
    client_bed_begin(&bed, NULL);
    client_bed_open(&bed);
    client_bed_close(&bed, 1000, NULL);
    for (int turn = 0; turn < 20 && bed.client; turn++)
        swale_loop_step(bed.loop.loop, 0);
    assert_null(bed.client);
    assert_non_null(*swale__loop_slot(bed.loop.loop));
    test_loop_settle(&bed.loop);
    assert_null(*swale__loop_slot(bed.loop.loop));
    assert_int_equal(bed.peer_reason, SWALE_ERR_PEER_CLOSED);
    client_bed_end(&bed);
}

/* A loop that is freed takes the rest with it; and a client that comes meanwhile takes the commons up again. */
static void test_goes_with_the_loop(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct client_bed bed = { .act = { [AT_END] = client_bed_free }, .raw_peer = true };
        client_bed_begin(&bed, NULL);
        client_bed_open(&bed);
        struct iovec frame = { .iov_base = (char[]){ (char)0x88, 2, 0x03, (char)0xe8 }, .iov_len = 4 };
        assert_int_equal(swale__stream_write(bed.raw, &frame, 1), 4);
        test_loop_settle(&bed.loop); /* the server does not end TCP */
        assert_null(bed.client);
        void *commons = *swale__loop_slot(bed.loop.loop);
        assert_non_null(commons);
        if (again) {
            bed.act[AT_END] = NULL;
            bed.log[0] = '\0';
            assert_int_equal(client_bed_new(&bed, NULL), 0);
            assert_ptr_equal(*swale__loop_slot(bed.loop.loop), commons);
            test_loop_advance(&bed.loop, 10000);
            assert_ptr_equal(*swale__loop_slot(bed.loop.loop), commons);
        }
        client_bed_end(&bed);
    }
}

static void test_two_clients(void **state)
{
    struct client_bed bed = { .open_all = true };
    struct swale_client *first;
    (void)state;
    client_bed_begin(&bed, NULL);
    first = bed.client;
    bed.client = NULL;
    bed.calls[AT_OPEN] = 0;
    assert_int_equal(client_bed_new(&bed, NULL), 0);
    test_loop_settle(&bed.loop);
    assert_true(swale_conn_id(swale_client_conn(first)) + 1 == swale_conn_id(swale_client_conn(bed.client)));
    struct swale_client *second = bed.client;
    bed.client = first;
    client_bed_free(&bed);
    bed.client = second;
    test_loop_settle(&bed.loop);
    assert_int_equal(swale_client_state(second), SWALE_CLIENT_OPEN);
    client_bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_for_each_loop),
        cmocka_unit_test(test_groups_by_limits),
        cmocka_unit_test(test_resolvers_by_servers),
        cmocka_unit_test(test_randomness),
        cmocka_unit_test(test_stays_for_connections_that_end_in_peace),
        cmocka_unit_test(test_goes_with_the_loop),
        cmocka_unit_test(test_two_clients),
    };
    return cmocka_run_group_tests_name("client.commons", tests, NULL, NULL);
}
