#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "conn/state.h"

static const struct swale_deflate_params wide = { .server_max_window_bits = 15, .client_max_window_bits = 15 };
static const struct swale_deflate_params narrow = { .server_no_context_takeover = true,
                                                    .client_no_context_takeover = true,
                                                    .server_max_window_bits = 10,
                                                    .client_max_window_bits = 10 };

static struct swale_shared *share(const struct swale_allocator *allocator, const void *data, size_t size)
{
    struct swale_shared *shared;
    assert_int_equal(swale_shared_new(&shared, allocator, SWALE_TEXT, data, size), 0);
    return shared;
}

static void test_is_what_it_was_made_of(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 100000 };
    char *data = noise(100000), frame[14];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct test_memory memory = { .blocks = 0 };
        struct swale_allocator allocator = test_allocator(&memory);
        struct swale_shared *shared;
        assert_int_equal(swale_shared_new(&shared, &allocator, SWALE_BINARY, data, sizes[i]), 0);
        assert_int_equal(memory.blocks, 1);
        assert_int_equal(swale_shared_kind(shared), SWALE_BINARY);
        assert_int_equal(swale_shared_payload(shared).size, sizes[i]);
        assert_memory_equal(swale_shared_payload(shared).data, data, sizes[i]);
        int header = swale_frame_header(SWALE_BINARY, false, sizes[i], frame);
        struct swale_span whole = swale__shared_frame(shared);
        assert_int_equal(whole.size, (size_t)header + sizes[i]);
        assert_memory_equal(whole.data, frame, (size_t)header);
        assert_ptr_equal(whole.data + header, swale_shared_payload(shared).data);
        assert_ptr_equal(swale_shared_ref(shared), shared);
        swale_shared_unref(shared);
        assert_int_equal(memory.blocks, 1);
        swale_shared_unref(shared);
        assert_int_equal(memory.blocks, 0);
    }
    free(data);
}

static void test_refuses_bad_calls(void **state)
{
    (void)state;
    struct swale_shared *shared;
    struct test_memory memory = { .fail_at = 1 };
    struct swale_allocator allocator = test_allocator(&memory);
    assert_int_equal(swale_shared_new(&shared, NULL, (enum swale_kind)9, "x", 1), SWALE_ERR_INVALID);
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, NULL, 1), SWALE_ERR_INVALID);
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, "x", SIZE_MAX), -ENOMEM);
    assert_int_equal(swale_shared_new(&shared, &allocator, SWALE_TEXT, "x", 1), -ENOMEM);
    assert_int_equal(swale_shared_new(&shared, &allocator, SWALE_BINARY, NULL, 0), 0); /* nothing is a message, too */
    assert_int_equal(swale_shared_payload(shared).size, 0);
    swale_shared_unref(shared);
    assert_int_equal(memory.blocks, 0);
    swale_shared_unref(NULL);
}

enum { MANY = 50 };

/* One message, many connections: encoded once, compressed once for each window, and no copy of it in any queue. */
static void test_one_encoding_for_many(void **state)
{
    (void)state;
    struct harness h;
    struct observer others[MANY];
    struct recorder far[MANY];
    char text[100000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof text; i += 17)
        text[i] = (char)('b' + i % 13);
    struct test_memory memory = { .blocks = 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    harness_init(&h, &(struct harness_options){ .raw_client = true });
    for (int i = 0; i < MANY; i++) {
        const struct swale_deflate_params *modes[] = { NULL, &wide, &narrow };
        recorder_begin(&far[i], harness_another(&h, &others[i], false, modes[i % 3]));
    }
    for (int round = 0; round < 2; round++) {
        struct swale_shared *shared = share(&allocator, text, sizeof text);
        size_t before = h.loop.memory.bytes;
        for (int i = 0; i < MANY; i++)
            assert_true(swale_conn_send_shared(others[i].conn, shared) >= 0);
        assert_int_equal(memory.blocks, 3);
        if (round > 0)
            assert_true(h.loop.memory.bytes - before < MANY * 8192 + 3 * 100000);
        swale_shared_unref(shared);
        test_loop_settle(&h.loop);
        assert_int_equal(memory.blocks, 0);
    }
    for (int i = 0; i < MANY; i++) {
        if (i % 3 == 0)
            assert_int_equal(far[i].size, 2 * 100010);
        else
            assert_in_range(far[i].size, 1, 40000);
        assert_int_equal(far[i].size, far[i % 3].size);
        assert_memory_equal(far[i].heard, far[i % 3].heard, far[i].size);
    }
    for (int i = 0; i < MANY; i++)
        recorder_end(&far[i]);
    test_loop_settle(&h.loop);
    for (int i = 0; i < MANY; i++)
        observer_done(&others[i]);
    harness_done(&h);
}

static void test_incompressible_is_tried_once(void **state)
{
    (void)state;
    struct harness h;
    char *data = noise(5000);
    harness_init(&h, &(struct harness_options){ .deflate = &narrow });
    struct test_memory memory = { .blocks = 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_shared *shared = share(&allocator, data, 5000);
    for (int i = 0; i < 3; i++) {
        struct swale_span frame = swale__shared_compressed(shared, h.groups[SWALE_SERVER], 10);
        assert_ptr_equal(frame.data, swale__shared_frame(shared).data);
    }
    assert_int_equal(memory.allocations, 1);
    swale_shared_unref(shared);
    free(data);
    harness_done(&h);
}

/* Without memory for the compressed frame the plain one goes. */
static void test_no_memory_for_a_variant(void **state)
{
    (void)state;
    struct harness h;
    char text[5000];
    memset(text, 'x', sizeof text);
    harness_init(&h, &(struct harness_options){ .deflate = &wide });
    struct test_memory memory = { .fail_at = 2 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_shared *shared = share(&allocator, text, sizeof text);
    assert_int_equal(swale_conn_send_shared(h.server.conn, shared), 0);
    assert_int_equal(swale_conn_send_shared(h.server.conn, shared), 0); /* there is memory again */
    test_loop_settle(&h.loop);
    assert_non_null(strstr(h.client.log, "open text:[5000]"));
    assert_non_null(strstr(h.client.log, " ztext:[5000]"));
    swale_shared_unref(shared);
    assert_int_equal(memory.blocks, 0);
    harness_done(&h);
}

static void test_client_copies(void **state)
{
    (void)state;
    struct harness h;
    struct swale_shared *shared = share(NULL, "for all", 7);
    harness_init(&h, &(struct harness_options){ .deflate = NULL });
    assert_int_equal(swale_conn_send_shared(h.client.conn, shared), 0);
    swale_shared_unref(shared);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open text:for all ");
    harness_done(&h);
}

/* ---- Threads ---------------------------------------------------------------------------------------- */

struct thread {
    struct swale_shared *shared;
    pthread_t id;
};

/* Each with a group of its own, on the same message. */
static void *compress_and_unref(void *context)
{
    struct thread *thread = context;
    struct swale_loop *loop;
    struct swale__conn_counters counters = { 0 };
    struct swale_limits limits = swale_limits_resolve(NULL);
    struct swale__conn_group *group;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    struct swale__conn_group_options options = { .loop = loop, .limits = &limits, .counters = &counters };
    assert_int_equal(swale__conn_group_new(&group, &options), 0);
    for (int i = 0; i < 200; i++) {
        swale_shared_ref(thread->shared);
        struct swale_span frame = swale__shared_compressed(thread->shared, group, 9 + i % 7);
        assert_int_equal((unsigned char)frame.data[0], 0xc1);
        swale_shared_unref(thread->shared);
    }
    swale_shared_unref(thread->shared);
    swale__conn_group_free(group);
    swale_loop_free(loop);
    return NULL;
}

static void test_threads_share(void **state)
{
    (void)state;
    struct thread threads[4];
    char text[20000];
    memset(text, 'x', sizeof text);
    struct swale_shared *shared = share(NULL, text, sizeof text);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        threads[i].shared = swale_shared_ref(shared);
        assert_int_equal(pthread_create(&threads[i].id, NULL, compress_and_unref, &threads[i]), 0);
    }
    swale_shared_unref(shared);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i].id, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_what_it_was_made_of),  cmocka_unit_test(test_refuses_bad_calls),
        cmocka_unit_test(test_one_encoding_for_many),   cmocka_unit_test(test_incompressible_is_tried_once),
        cmocka_unit_test(test_no_memory_for_a_variant), cmocka_unit_test(test_client_copies),
        cmocka_unit_test(test_threads_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
