#include "harness.h"

static struct swale_subscriber *subscriber_of(struct harness *h)
{
    return swale_conn_subscriber(h->server.conn);
}

static int deliver(struct harness *h, const char *text, uintptr_t tag)
{
    struct swale_shared *shared;
    struct swale_subscriber *subscriber = subscriber_of(h);
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, text, strlen(text)), 0);
    int result = subscriber->ops->deliver(subscriber, shared, tag);
    swale_shared_unref(shared);
    return result;
}

static void test_delivers(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    struct swale_subscriber *subscriber = subscriber_of(&h);
    assert_ptr_equal(subscriber->ops->loop(subscriber), h.loop.loop);
    assert_int_equal(subscriber->id, swale_conn_id(h.server.conn));
    assert_int_equal(deliver(&h, "one", 1), SWALE_DELIVERED);
    assert_int_equal(deliver(&h, "two", 2), SWALE_DELIVERED);
    assert_int_equal(subscriber->ops->backlog(subscriber), 0); /* it waits for the turn's end only */
    test_loop_settle(&h.loop);
    assert_string_equal(harness_heard(&h), "text:one text:two ");
    assert_int_equal(counter(&h.counters[SWALE_SERVER].messages_out), 2);
    harness_done(&h);
}

/* What a slow peer has not been sent yet can be taken back, by source; what has begun to leave cannot. */
static void test_late_backlog_and_drop(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true,
                                                    .limits = { .high_water = 15 },
                                                    .pair = { .capacity = 3, .in_flight = in_flight } });
        struct swale_subscriber *subscriber = subscriber_of(&h);
        swale__stream_pause(h.raw.stream);
        assert_int_equal(deliver(&h, "begun", 1), SWALE_DELIVERED);
        test_loop_settle(&h.loop);
        assert_int_equal(subscriber->ops->backlog(subscriber), 4);
        assert_int_equal(deliver(&h, "a1", 1), SWALE_DELIVERED);
        assert_int_equal(deliver(&h, "b1", 2), SWALE_DELIVERED);
        assert_int_equal(deliver(&h, "a2", 1), SWALE_DELIVERED_LATE);
        assert_int_equal(deliver(&h, "a3", 1), SWALE_DELIVERED_LATE);
        assert_int_equal(subscriber->ops->backlog(subscriber), 20);
        assert_int_equal(subscriber->ops->drop(subscriber, 1, false), 1);
        assert_int_equal(subscriber->ops->backlog(subscriber), 16);
        assert_int_equal(subscriber->ops->drop(subscriber, 3, true), 0);
        assert_int_equal(subscriber->ops->drop(subscriber, 1, true), 2);
        assert_int_equal(subscriber->ops->drop(subscriber, 1, true), 0);
        swale__stream_resume(h.raw.stream);
        test_loop_settle(&h.loop);
        assert_string_equal(harness_heard(&h), "text:begun text:b1 ");
        assert_int_equal(h.server.calls[ON_DRAIN], 0); /* the application has sent nothing */
        harness_frame(&h, 0x81, "read again", 10);
        assert_string_equal(h.server.log, "open text:read again ");
        harness_done(&h);
    }
}

/* Taking messages back may end the pause of reading that they have caused. */
static void test_drop_makes_room(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){
                         .raw_client = true, .limits = { .high_water = 100 }, .pair = { .capacity = 10 } });
    struct swale_subscriber *subscriber = subscriber_of(&h);
    swale__stream_pause(h.raw.stream);
    deliver(&h, "a long message, which begins to leave", 2);
    test_loop_settle(&h.loop);
    while (deliver(&h, "another long message", 1) == SWALE_DELIVERED)
        ;
    harness_frame(&h, 0x81, "hi", 2);
    assert_string_equal(h.server.log, "open ");
    assert_true(subscriber->ops->drop(subscriber, 1, true) > 1);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open text:hi ");
    harness_done(&h);
}

static void test_fails_and_refuses(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    struct swale_subscriber *subscriber = subscriber_of(&h);
    assert_int_equal(swale_conn_send_part(h.server.conn, SWALE_TEXT, "x", 1, false), 0);
    assert_int_equal(deliver(&h, "inside parts", 1), SWALE_ERR_STATE);
    (subscriber->ops->fail)(subscriber, SWALE_ERR_SLOW_READER); /* fail() is a macro of the test library */
    assert_int_equal(deliver(&h, "late", 1), SWALE_ERR_CLOSED);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open close:slow-reader:1006: ");
    assert_string_equal(harness_heard(&h), "text-:x close:1008:slow-reader ");
    harness_done(&h);
}

/* ---- Many connections ------------------------------------------------------------------------------- */

enum { MANY = 5 };

struct crowd {
    struct harness h;
    struct observer members[MANY];
    struct recorder far[MANY];
};

/* Number 1 compresses. */
static void crowd_init(struct crowd *crowd, const struct harness_options *options)
{
    static const struct swale_deflate_params deflate = { .server_max_window_bits = 15, .client_max_window_bits = 15 };
    memset(crowd, 0, sizeof *crowd);
    harness_init(&crowd->h, options);
    for (int i = 0; i < MANY; i++) {
        const struct swale_deflate_params *params = i == 1 ? &deflate : NULL;
        recorder_begin(&crowd->far[i], harness_another(&crowd->h, &crowd->members[i], false, params));
    }
}

static void crowd_done(struct crowd *crowd)
{
    for (int i = 0; i < MANY; i++)
        recorder_end(&crowd->far[i]);
    test_loop_settle(&crowd->h.loop);
    for (int i = 0; i < MANY; i++)
        observer_done(&crowd->members[i]);
    harness_done(&crowd->h);
}

static struct swale_subscriber *member(struct crowd *crowd, int n)
{
    return swale_conn_subscriber(crowd->members[n].conn);
}

/* Gives the text to all; what each has returned. */
static void deliver_all(struct crowd *crowd, const char *text, uintptr_t tag, int results[MANY])
{
    struct swale_shared *shared;
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, text, strlen(text)), 0);
    for (int i = 0; i < MANY; i++)
        results[i] = member(crowd, i)->ops->deliver(member(crowd, i), shared, tag);
    swale_shared_unref(shared);
}

static void assert_far(const struct crowd *crowd, int n, const char *bytes, size_t size)
{
    assert_int_equal(crowd->far[n].size, size);
    assert_memory_equal(crowd->far[n].heard, bytes, size);
}

static void test_all_are_sent_the_same(void **state)
{
    (void)state;
    static const char expected[] = "\x81\3one\x81\3two\x81\5three";
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct crowd crowd;
        int results[MANY];
        crowd_init(&crowd, &(struct harness_options){ .raw_client = true, .pair = { .in_flight = in_flight } });
        deliver_all(&crowd, "one", 1, results);
        deliver_all(&crowd, "two", 2, results);
        deliver_all(&crowd, "three", 1, results);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(results[i], SWALE_DELIVERED);
            assert_int_equal(member(&crowd, i)->ops->backlog(member(&crowd, i)), 0);
        }
        test_loop_settle(&crowd.h.loop);
        for (int i = 0; i < MANY; i++)
            assert_far(&crowd, i, expected, sizeof expected - 1);
        assert_int_equal(counter(&crowd.h.counters[SWALE_SERVER].messages_out), 3 * MANY);
        assert_int_equal(counter(&crowd.h.counters[SWALE_SERVER].bytes_out), 11 * MANY);
        assert_int_equal(counter(&crowd.h.counters[SWALE_SERVER].queued), 0);
        crowd_done(&crowd);
    }
}

/* Each is asked for itself, although the one before it took the message. */
static void test_some_of_them_cannot(void **state)
{
    (void)state;
    struct crowd crowd;
    int results[MANY];
    crowd_init(&crowd, &(struct harness_options){ .raw_client = true });
    deliver_all(&crowd, "one", 1, results);
    assert_int_equal(swale_conn_close(crowd.members[2].conn, 1000, NULL), 0);
    assert_int_equal(swale_conn_send_part(crowd.members[3].conn, SWALE_TEXT, "x", 1, false), 0);
    assert_int_equal(swale_conn_send_text(crowd.members[4].conn, "own"), 0);
    for (int round = 0; round < 2; round++) {
        deliver_all(&crowd, "two", 1, results);
        assert_int_equal(results[0], SWALE_DELIVERED);
        assert_int_equal(results[1], SWALE_DELIVERED);
        assert_int_equal(results[2], SWALE_ERR_CLOSED);
        assert_int_equal(results[3], SWALE_ERR_STATE);
        assert_int_equal(results[4], SWALE_DELIVERED);
        test_loop_settle(&crowd.h.loop); /* what they have begun, they are in still */
    }
    deliver_all(&crowd, "three", 1, results);
    swale_conn_abort(crowd.members[4].conn);
    deliver_all(&crowd, "four", 1, results);
    assert_int_equal(results[4], SWALE_ERR_CLOSED);
    test_loop_settle(&crowd.h.loop);
    assert_far(&crowd, 1, "\x81\3one\x81\3two\x81\3two\x81\5three\x81\4four", 28);
    assert_far(&crowd, 2, "\x81\3one\x88\2\x03\xe8", 9);
    assert_far(&crowd, 3, "\x81\3one\x01\1x", 8);
    assert_far(&crowd, 4, "\x81\3one\x81\3own\x81\3two\x81\3two", 20);
    crowd_done(&crowd);
}

/* Where there is a compressor, there is another frame. */
static void test_one_of_them_compresses(void **state)
{
    (void)state;
    struct crowd crowd;
    int results[MANY];
    char text[2001] = "";
    memset(text, 'a', 2000);
    crowd_init(&crowd, &(struct harness_options){ .raw_client = true });
    deliver_all(&crowd, text, 1, results);
    deliver_all(&crowd, "plain", 1, results);
    test_loop_settle(&crowd.h.loop);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(results[i], SWALE_DELIVERED);
    assert_in_range(crowd.far[1].size, 10, 100);
    assert_int_equal(crowd.far[0].size, 2004 + 7);
    assert_int_equal(crowd.far[4].size, 2004 + 7);
    crowd_done(&crowd);
}

/* The water mark is each one's own. */
static void test_all_of_them_are_full(void **state)
{
    (void)state;
    struct crowd crowd;
    int results[MANY];
    crowd_init(&crowd, &(struct harness_options){
                           .raw_client = true, .limits = { .high_water = 20 }, .pair = { .capacity = 4 } });
    for (int i = 0; i < MANY; i++)
        swale__stream_pause(crowd.far[i].stream);
    deliver_all(&crowd, "0123456", 1, results);
    deliver_all(&crowd, "0123456", 1, results);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(results[i], SWALE_DELIVERED);
    deliver_all(&crowd, "0123456", 1, results);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(results[i], SWALE_DELIVERED_LATE);
        assert_int_equal(member(&crowd, i)->ops->backlog(member(&crowd, i)), 23);
        assert_int_equal(member(&crowd, i)->ops->drop(member(&crowd, i), 1, true), 2);
        swale__stream_resume(crowd.far[i].stream);
    }
    test_loop_settle(&crowd.h.loop);
    for (int i = 0; i < MANY; i++)
        assert_far(&crowd, i,
                   "\x81\7"
                   "0123456",
                   9);
    crowd_done(&crowd);
}

/* To be sent something is to be active, for whoever comes second too. */
static void test_all_of_them_are_active(void **state)
{
    (void)state;
    struct crowd crowd;
    int results[MANY];
    crowd_init(&crowd, &(struct harness_options){ .raw_client = true,
                                                  .limits = { .idle_ms = 20000, .ping_after_ms = SWALE_OFF } });
    for (int n = 0; n < 3; n++) {
        test_loop_advance(&crowd.h.loop, 15000);
        deliver_all(&crowd, "again", 1, results);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(results[i], SWALE_DELIVERED);
        test_loop_settle(&crowd.h.loop);
    }
    test_loop_advance(&crowd.h.loop, 21000);
    for (int i = 0; i < MANY; i++)
        assert_string_equal(crowd.members[i].log, "open close:idle:1006: ");
    crowd_done(&crowd);
}

/* ---- Leaving ---------------------------------------------------------------------------------------- */

struct membership {
    struct swale_membership base;
    struct swale_subscriber *subscriber;
    unsigned left;
};

static void leave(struct swale_membership *base)
{
    struct membership *membership = (struct membership *)base;
    membership->left++;
    membership->subscriber->membership = NULL;
}

static void join_again(struct observer *observer)
{
    struct swale_subscriber *subscriber = swale_conn_subscriber(observer->conn);
    assert_null(subscriber->membership); /* it has left before on_close */
    subscriber->membership = observer->context;
}

/* A subscriber leaves by itself, also what it joins in on_close. */
static void test_leaves(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .raw_client = true });
        struct membership membership = { .base = { .leave = leave }, .subscriber = subscriber_of(&h) };
        h.server.context = &membership;
        h.server.act[ON_CLOSE] = again ? join_again : NULL;
        subscriber_of(&h)->membership = &membership.base;
        swale_conn_abort(h.server.conn);
        test_loop_settle(&h.loop);
        assert_int_equal(membership.left, 1 + again);
        harness_done(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers),
        cmocka_unit_test(test_late_backlog_and_drop),
        cmocka_unit_test(test_drop_makes_room),
        cmocka_unit_test(test_fails_and_refuses),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_all_are_sent_the_same),
        cmocka_unit_test(test_some_of_them_cannot),
        cmocka_unit_test(test_one_of_them_compresses),
        cmocka_unit_test(test_all_of_them_are_full),
        cmocka_unit_test(test_all_of_them_are_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
