#include "harness.h"

#include <stdlib.h>

#include "conn/state.h"

enum { MANY = 20 };

struct crowd {
    struct harness h;
    struct observer observers[MANY];
    struct recorder far[MANY];
};

static void crowd_init(struct crowd *crowd)
{
    harness_init(&crowd->h, &(struct harness_options){ .raw_client = true });
    for (int i = 0; i < MANY; i++)
        recorder_begin(&crowd->far[i], harness_another(&crowd->h, &crowd->observers[i], false, NULL));
    test_loop_settle(&crowd->h.loop);
    assert_int_equal(swale__conn_group_count(crowd->h.groups[SWALE_SERVER]), MANY + 1);
    assert_int_equal(counter(&crowd->h.counters[SWALE_SERVER].open), MANY + 1);
}

static void crowd_done(struct crowd *crowd)
{
    for (int i = 0; i < MANY; i++)
        recorder_end(&crowd->far[i]);
    test_loop_settle(&crowd->h.loop);
    for (int i = 0; i < MANY; i++)
        observer_done(&crowd->observers[i]);
    harness_done(&crowd->h);
}

static void test_ids_are_unique(void **state)
{
    (void)state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    crowd_init(crowd);
    assert_int_equal(swale_conn_id(crowd->h.server.conn), 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(swale_conn_id(crowd->observers[i].conn), i + 2);
    crowd_done(crowd);
    free(crowd);
}

static void test_close_all(void **state)
{
    (void)state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    struct swale__conn_group *group;
    crowd_init(crowd);
    group = crowd->h.groups[SWALE_SERVER];
    swale_conn_close(crowd->observers[3].conn, 4000, "first");
    swale__conn_group_close_all(group, SWALE_ERR_DRAINING);
    test_loop_settle(&crowd->h.loop);
    for (int i = 0; i < MANY; i++)
        assert_memory_equal(crowd->far[i].heard, i == 3 ? "\x88\x07\x0f\xa0" : "\x88\x02\x03\xe9", 4);
    assert_int_equal(swale__conn_group_count(group), MANY + 1);
    /* Some answer, one goes, the rest does neither. */
    for (int i = 0; i < 5; i++)
        recorder_send(&crowd->far[i], "\x88\x80\x00\x00\x00\x00", 6);
    recorder_close(&crowd->far[6], false);
    test_loop_settle(&crowd->h.loop);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(crowd->observers[i].log,
                            i == 3 ? "open close:local-closed:1005:clean: " : "open close:draining:1005:clean: ");
    }
    assert_string_equal(crowd->observers[6].log, "open close:draining:1006: ");
    assert_int_equal(swale__conn_group_count(group), MANY);
    test_loop_advance(&crowd->h.loop, 5000);
    assert_string_equal(crowd->observers[7].log, "open close:close-timeout:1006: ");
    assert_int_equal(swale__conn_group_count(group), 0);
    crowd_done(crowd);
    free(crowd);
}

static void test_abort_all(void **state)
{
    (void)state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    crowd_init(crowd);
    recorder_send(&crowd->far[0], "\x88\x80\x00\x00\x00\x00", 6); /* it lingers */
    test_loop_settle(&crowd->h.loop);
    swale__conn_group_abort_all(crowd->h.groups[SWALE_SERVER]);
    test_loop_settle(&crowd->h.loop);
    assert_string_equal(crowd->observers[0].log, "open close:peer-closed:1005:clean: ");
    for (int i = 1; i < MANY; i++)
        assert_string_equal(crowd->observers[i].log, "open close:aborted:1006: ");
    assert_int_equal(swale__conn_group_count(crowd->h.groups[SWALE_SERVER]), 0);
    assert_int_equal(counter(&crowd->h.counters[SWALE_SERVER].closed[swale_error_slot(SWALE_ERR_ABORTED)]), MANY);
    crowd_done(crowd);
    free(crowd);
}

/* The end of a group with connections in every stage: each that was open has its on_close. */
static void test_free_with_connections(void **state)
{
    (void)state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    crowd_init(crowd);
    recorder_send(&crowd->far[0], "\x88\x80\x00\x00\x00\x00", 6);
    recorder_send(&crowd->far[1], "\x82\x82\x00\x00\x00\x00x", 7);
    swale_conn_close(crowd->observers[2].conn, 1000, NULL);
    test_loop_settle(&crowd->h.loop);
    swale_conn_send_text(crowd->observers[3].conn, "in the queue");
    swale_conn_abort(crowd->observers[4].conn);
    swale__conn_group_free(crowd->h.groups[SWALE_SERVER]);
    crowd->h.groups[SWALE_SERVER] = NULL;
    assert_string_equal(crowd->observers[0].log, "open close:peer-closed:1005:clean: ");
    for (int i = 1; i < MANY; i++)
        assert_non_null(strstr(crowd->observers[i].log, "open close:aborted:1006: "));
    assert_int_equal(crowd->h.gone, MANY + 1);
    assert_int_equal(crowd->h.released, MANY + 1);
    test_loop_settle(&crowd->h.loop);
    crowd_done(crowd);
    free(crowd);
}

static void close_now(struct observer *observer)
{
    swale_conn_close(observer->conn, 1000, NULL);
}

/* Peers that close and do not end TCP hold a bounded number of descriptors. */
static void test_lingering_is_bounded(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true, .act = { [ON_MESSAGE] = close_now } });
    enum { PEERS = SWALE__LINGER_COUNT + 10 };
    struct swale__stream **far = malloc(PEERS * sizeof *far);
    struct observer *observer = calloc(1, sizeof *observer);
    for (int i = 0; i < PEERS; i++) {
        struct recorder recorder;
        far[i] = harness_another(&h, observer, false, NULL);
        recorder_begin(&recorder, far[i]);
        recorder_send(&recorder, "\x88\x80\x00\x00\x00\x00", 6);
        swale__stream_pause(far[i]);
        test_loop_settle(&h.loop);
        assert_int_equal(observer->calls[ON_CLOSE], 1);
        observer_done(observer);
    }
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_SERVER]), 1 + SWALE__LINGER_COUNT);
    for (int i = 0; i < PEERS; i++)
        swale__stream_close(far[i], false);
    test_loop_settle(&h.loop);
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_SERVER]), 1 + SWALE__LINGER_COUNT - SWALE__LINGER_COUNT);
    free(observer);
    free(far);
    harness_done(&h);
}

/* The same when all of them close in one turn, as the peers behind a proxy do that goes. */
static void test_lingering_is_bounded_within_a_turn(void **state)
{
    (void)state;
    struct harness h;
    enum { PEERS = SWALE__LINGER_COUNT + 100 };
    char close_frame[] = { (char)0x88, (char)0x80, 0, 0, 0, 0 };
    static struct swale__stream *far[PEERS];
    static struct observer observers[PEERS];
    struct recorder recorder;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    for (int i = 0; i < PEERS; i++) {
        far[i] = harness_another(&h, &observers[i], false, NULL);
        recorder_begin(&recorder, far[i]);
        swale__stream_pause(far[i]);
    }
    for (int i = 0; i < PEERS; i++) {
        struct iovec part = { .iov_base = close_frame, .iov_len = 6 };
        assert_int_equal(swale__stream_write(far[i], &part, 1), 6);
    }
    test_loop_settle(&h.loop);
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_SERVER]), 1 + SWALE__LINGER_COUNT);
    for (int i = 0; i < PEERS; i++) {
        swale__stream_close(far[i], false);
        observer_done(&observers[i]);
    }
    harness_done(&h);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    struct test_loop loop;
    test_loop_init(&loop);
    struct swale_limits limits = swale_limits_resolve(NULL);
    struct swale__conn_counters counters = { 0 };
    struct swale__conn_group *group;
    struct swale__conn_group_options options = {
        .loop = loop.loop, .allocator = &loop.allocator, .limits = &limits, .counters = &counters
    };
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale__conn_group_new(&group, &options), -ENOMEM);
    assert_int_equal(swale__conn_group_new(&group, &options), 0);
    for (uint64_t n = 1; n < 5; n++) {
        loop.memory.fail_at = loop.memory.allocations + n;
        struct swale_inflater *inflater = swale__group_lease(group);
        if (inflater)
            swale__group_return(group, inflater);
        (void)swale__group_deflater(group, 9);
        (void)swale__group_inflated(group);
    }
    loop.memory.fail_at = 0;
    assert_non_null(swale__group_deflater(group, 9));
    assert_non_null(swale__group_inflated(group));
    swale__conn_group_free(group);
    swale__conn_group_free(NULL);
    test_loop_done(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_unique),
        cmocka_unit_test(test_close_all),
        cmocka_unit_test(test_abort_all),
        cmocka_unit_test(test_free_with_connections),
        cmocka_unit_test(test_lingering_is_bounded),
        cmocka_unit_test(test_lingering_is_bounded_within_a_turn),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
