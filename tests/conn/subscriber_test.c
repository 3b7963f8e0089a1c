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
    assert_ptr_equal(subscriber->loop, h.loop.loop);
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

static void leave(struct swale_subscriber *subscriber, void *membership)
{
    unsigned *left = membership;
    ++*left;
    assert_null(subscriber->leave);
}

static void join_again(struct observer *observer)
{
    struct swale_subscriber *subscriber = swale_conn_subscriber(observer->conn);
    assert_null(subscriber->leave); /* it has left before on_close */
    subscriber->leave = leave;
    subscriber->membership = observer->context;
}

/* A subscriber leaves by itself, also what it joins in on_close. */
static void test_leaves(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct harness h;
        unsigned left = 0;
        harness_init(&h, &(struct harness_options){ .raw_client = true });
        h.server.context = &left;
        h.server.act[ON_CLOSE] = again ? join_again : NULL;
        subscriber_of(&h)->leave = leave;
        subscriber_of(&h)->membership = &left;
        swale_conn_abort(h.server.conn);
        test_loop_settle(&h.loop);
        assert_int_equal(left, 1 + again);
        harness_done(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers),        cmocka_unit_test(test_late_backlog_and_drop),
        cmocka_unit_test(test_drop_makes_room), cmocka_unit_test(test_fails_and_refuses),
        cmocka_unit_test(test_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
