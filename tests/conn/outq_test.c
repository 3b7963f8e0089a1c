#include "test.h"

#include "conn/common.h"
#include "io/turn.h"
#include "queue_bed.h"
#include "vloop.h"

#include <errno.h>
#include <stdlib.h>

struct fixture {
    struct test_loop loop;
    struct queue_bed bed;
    struct swale__common common;
};

static void begin(struct fixture *f, size_t capacity, bool in_flight)
{
    *f = (struct fixture){ .common = { .allocator = NULL } };
    test_loop_init(&f->loop);
    f->common.allocator = swale__loop_allocator(f->loop.loop);
    queue_bed_begin(&f->bed, f->loop.loop, capacity, in_flight);
}

static void done(struct fixture *f)
{
    queue_bed_end(&f->bed);
    swale__common_done(&f->common);
    test_loop_settle(&f->loop);
    test_loop_done(&f->loop);
}

static char *noise(size_t size)
{
    char *data = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 + (i >> 8));
    return data;
}

static void append(struct fixture *f, const char *text)
{
    assert_int_equal(swale__outq_append(&f->bed.queue, f->loop.loop, swale_text(text), swale_span(NULL, 0)), 0);
}

static struct swale_shared *share(const char *text)
{
    struct swale_shared *shared;
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, text, strlen(text)), 0);
    return shared;
}

static int try_shared(struct fixture *f, struct swale_shared *shared, uintptr_t tag)
{
    struct swale__common_message message = { shared, swale_shared_payload(shared), tag };
    return swale__outq_append_shared(&f->bed.queue, f->loop.loop, &f->common, &message);
}

static void append_shared(struct fixture *f, const char *text, uintptr_t tag)
{
    struct swale_shared *shared = share(text);
    assert_int_equal(try_shared(f, shared, tag), 0);
    swale_shared_unref(shared);
}

static int flush(struct fixture *f)
{
    return queue_bed_flush(&f->bed);
}

static void assert_heard(struct fixture *f, const char *text)
{
    test_loop_settle(&f->loop);
    assert_int_equal(f->bed.far.size, strlen(text));
    if (f->bed.far.size > 0)
        assert_memory_equal(f->bed.far.heard, text, f->bed.far.size);
}

static void test_keeps_order(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct fixture f;
        begin(&f, 0, in_flight);
        append(&f, "one ");
        append_shared(&f, "two ", 7);
        append(&f, "three ");
        append(&f, "four");
        assert_int_equal(f.bed.queue.size, 18);
        assert_int_equal(flush(&f), in_flight ? 1 : 0);
        assert_heard(&f, "one two three four");
        assert_int_equal(f.bed.queue.size, 0);
        done(&f);
    }
}

static void test_takes_every_size(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0,    1,    100,  4000,  4020,  4031,  4032,  4033,  4096,  5000,
                                    8063, 8064, 8065, 16384, 20159, 20160, 20161, 65536, 65537, 100000 };
    char *data = noise(100000);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t before = 0; before < 2; before++) {
            struct fixture f;
            begin(&f, 1000, i & 1);
            for (size_t n = 0; n < 100 * before; n++)
                append(&f, "0123456789012345678901234567890123456789012345678901234567890123456789");
            size_t start = f.bed.queue.size, head = sizes[i] < 14 ? 0 : 14;
            assert_int_equal(swale__outq_append(&f.bed.queue, f.loop.loop, swale_span(data, head),
                                                swale_span(data + head, sizes[i] - head)),
                             0);
            append(&f, "end");
            assert_int_equal(f.bed.queue.size, start + sizes[i] + 3);
            flush(&f);
            test_loop_settle(&f.loop);
            assert_int_equal(f.bed.far.size, start + sizes[i] + 3);
            if (sizes[i] > 0)
                assert_memory_equal(f.bed.far.heard + start, data, sizes[i]);
            done(&f);
        }
    }
    free(data);
}

static void test_masks_what_it_copies(void **state)
{
    (void)state;
    static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    char *plain = malloc(10000), *masked = malloc(10000);
    for (size_t i = 0; i < 10000; i++) {
        plain[i] = (char)i;
        masked[i] = (char)((unsigned char)i ^ mask[i & 3]);
    }
    for (size_t size = 0; size <= 10000; size += size < 20 ? 1 : 1247) {
        struct fixture f;
        begin(&f, 0, false);
        append(&f, "x");
        assert_int_equal(
            swale__outq_append_masked(&f.bed.queue, f.loop.loop, swale_text("head"), swale_span(plain, size), mask),
            0);
        flush(&f);
        test_loop_settle(&f.loop);
        assert_int_equal(f.bed.far.size, 5 + size);
        assert_memory_equal(f.bed.far.heard, "xhead", 5);
        assert_memory_equal(f.bed.far.heard + 5, masked, size);
        done(&f);
    }
    free(plain);
    free(masked);
}

static void test_warm_queue_does_not_allocate(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0, false);
    char *large = calloc(1, 16384);
    struct swale_shared *shared = share("shared");
    uint64_t warm = 0;
    for (int i = 0; i < 100; i++) {
        warm = i == 2 ? f.loop.memory.allocations : warm;
        append(&f, "some message");
        try_shared(&f, shared, 1);
        assert_int_equal(swale__outq_append(&f.bed.queue, f.loop.loop, swale_text("head"), swale_span(large, 16384)),
                         0);
        append(&f, "some message");
        flush(&f);
        test_loop_settle(&f.loop);
        assert_int_equal(f.bed.queue.held, 0);
    }
    assert_int_equal(f.loop.memory.allocations, warm);
    swale_shared_unref(shared);
    free(large);
    done(&f);
}

/* Alternating copies and references cost their heads, not a chunk each. */
static void test_short_pieces_are_cheap(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0, false);
    for (int i = 0; i < 1000; i++) {
        append(&f, "0123456789");
        append_shared(&f, "0123456789", 1);
    }
    assert_int_equal(f.bed.queue.size, 20000);
    assert_true(f.bed.queue.held < 1000 * 160);
    done(&f);
}

static void test_drops_by_tag(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0, false);
    append_shared(&f, "a1 ", 1);
    append_shared(&f, "b1 ", 2);
    append_shared(&f, "a2 ", 1);
    append(&f, "copy ");
    append_shared(&f, "a3 ", 1);
    append_shared(&f, "none ", 0);
    assert_int_equal(swale__outq_drop(&f.bed.queue, f.loop.loop, 1, false), 1);
    assert_int_equal(swale__outq_drop(&f.bed.queue, f.loop.loop, 3, true), 0);
    assert_int_equal(swale__outq_drop(&f.bed.queue, f.loop.loop, 0, true), 0);
    assert_int_equal(swale__outq_drop(&f.bed.queue, f.loop.loop, 1, true), 2);
    append(&f, "end");
    assert_int_equal(f.bed.queue.size, 16);
    flush(&f);
    assert_heard(&f, "b1 copy none end");
    done(&f);
}

/* What has begun to leave stays whole. */
static void test_does_not_drop_what_has_begun(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct fixture f;
        begin(&f, 4, in_flight);
        append_shared(&f, "first-", 1);
        append_shared(&f, "second-", 1);
        assert_int_equal(flush(&f), 1);
        append_shared(&f, "third-", 1);
        /* in flight: both have been given away */
        assert_int_equal(swale__outq_drop(&f.bed.queue, f.loop.loop, 1, true), in_flight ? 1 : 2);
        append(&f, "end");
        assert_heard(&f, in_flight ? "first-second-end" : "first-end");
        done(&f);
    }
}

/* A frame that lies in several runs is kept whole by a cut, wherever it is interrupted. */
static void test_cut_waits_for_the_end_of_a_split_frame(void **state)
{
    (void)state;
    for (size_t capacity = 10; capacity < 12000; capacity += 1511) {
        struct fixture f;
        begin(&f, capacity, false);
        char *data = calloc(1, 16384);
        assert_int_equal(swale__outq_append(&f.bed.queue, f.loop.loop, swale_text("h"), swale_span(data, 16384)), 0);
        append_shared(&f, "next", 1);
        flush(&f);
        swale__outq_cut(&f.bed.queue, f.loop.loop);
        append(&f, "close");
        test_loop_settle(&f.loop);
        assert_int_equal(f.bed.far.size, 16385 + 5);
        assert_memory_equal(f.bed.far.heard + 16385, "close", 5);
        free(data);
        done(&f);
    }
}

static void test_cut_leaves_what_has_begun(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, false);
    append(&f, "begun");
    flush(&f);
    append_shared(&f, "shared", 1);
    append(&f, "copied");
    swale__outq_cut(&f.bed.queue, f.loop.loop);
    append(&f, "!");
    assert_heard(&f, "begun!");
    append(&f, "again");
    swale__outq_cut(&f.bed.queue, f.loop.loop);
    assert_int_equal(f.bed.queue.size, 0);
    assert_null(f.bed.queue.head);
    done(&f);
}

/* Growing the last run while its front is in flight touches nothing that was given away. */
static void test_appends_behind_what_is_in_flight(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 5, true);
    append(&f, "0123456789");
    assert_int_equal(flush(&f), 1);
    assert_int_equal(f.bed.queue.in_flight, 10);
    append(&f, "abc");
    assert_int_equal(f.bed.queue.in_flight, 10);
    assert_false(swale__outq_ready(&f.bed.queue));
    assert_heard(&f, "0123456789abc");
    done(&f);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    char *large = calloc(1, 100000);
    for (uint64_t n = 1; n < 12; n++) {
        struct fixture f;
        begin(&f, 0, false);
        append(&f, "warm");
        f.loop.memory.fail_at = f.loop.memory.allocations + n;
        static const size_t sizes[] = { 10, 16384, 100000, 9000 };
        size_t size = 4;
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            int error =
                swale__outq_append(&f.bed.queue, f.loop.loop, swale_span(large, sizes[i]), swale_span(NULL, 0));
            assert_true(error == 0 || error == -ENOMEM);
            size += error == 0 ? sizes[i] : 0;
            assert_int_equal(f.bed.queue.size, size);
        }
        f.loop.memory.fail_at = 0;
        flush(&f);
        test_loop_settle(&f.loop);
        assert_int_equal(f.bed.far.size, size);
        done(&f);
    }
    free(large);
}

/* What is written from where it lies arrives behind what waits, and so does what is appended then, wherever the
 * stream stops taking bytes; the lent memory is not looked at again. */
static void test_write(void **state)
{
    (void)state;
    char *wanted = noise(60000);
    for (size_t capacity = 1; capacity < 80000; capacity += capacity < 30 ? 1 : capacity / 2) {
        for (size_t waiting = 0; waiting < 3; waiting++) {
            struct fixture f;
            begin(&f, capacity, capacity % 7 == 0);
            for (size_t at = 0; at < waiting * 8; at += 8) {
                struct swale_shared *shared;
                assert_int_equal(swale_shared_new(&shared, NULL, SWALE_BINARY, wanted + at, 8), 0);
                assert_int_equal(try_shared(&f, shared, 1), 0);
                swale_shared_unref(shared);
            }
            size_t left, start = waiting * 8, total = 60000;
            char *lent = memcpy(malloc(50000), wanted + start, 50000);
            int result = swale__outq_write(&f.bed.queue, f.bed.ends[0], swale_span(lent, 10),
                                           swale_span(lent + 10, 49990), &left);
            free(lent);
            assert_int_equal(result, f.bed.queue.size > 0);
            assert_int_equal(left + f.bed.queue.size, start + 50000);
            if (capacity % 7 != 0)
                assert_int_equal(left, capacity < start + 50000 ? capacity : start + 50000);
            struct swale_span rest = swale_span(wanted + start + 50000, total - start - 50000);
            assert_int_equal(swale__outq_append(&f.bed.queue, f.loop.loop, rest, swale_span(NULL, 0)), 0);
            flush(&f);
            test_loop_settle(&f.loop);
            assert_int_equal(f.bed.far.size, total);
            assert_memory_equal(f.bed.far.heard, wanted, total);
            done(&f);
        }
    }
    free(wanted);
}

/* What waits in more segments than one write takes goes first. */
static void test_write_behind_many(void **state)
{
    (void)state;
    struct fixture f;
    char wanted[8 * 65 + 3] = { 0 };
    size_t left;
    begin(&f, 0, false);
    for (size_t i = 0; i < 63; i++) {
        append_shared(&f, "segment ", 1);
        memcpy(wanted + 8 * i, "segment ", 8);
    }
    strcat(wanted, "unit");
    assert_int_equal(swale__outq_write(&f.bed.queue, f.bed.ends[0], swale_text("un"), swale_text("it"), &left), 1);
    assert_int_equal(left, 0);
    assert_int_equal(flush(&f), 0);
    assert_heard(&f, wanted);
    done(&f);
}

/* A frame of which a part has left is not cut, though what follows it is. */
static void test_cut_behind_a_written_part(void **state)
{
    (void)state;
    struct fixture f;
    size_t left;
    begin(&f, 3, false);
    assert_int_equal(swale__outq_write(&f.bed.queue, f.bed.ends[0], swale_text("he"), swale_text("llo"), &left), 1);
    append_shared(&f, "shared", 1);
    swale__outq_cut(&f.bed.queue, f.loop.loop);
    assert_int_equal(f.bed.queue.size, 2);
    append(&f, "!");
    assert_heard(&f, "hello!");
    done(&f);
}

/* Nothing has left when there is no memory for what might stay. */
static void test_write_without_memory(void **state)
{
    (void)state;
    char *large = calloc(1, 100000);
    for (size_t capacity = 5; capacity < 200; capacity += 100) {
        struct fixture f;
        size_t left;
        begin(&f, capacity, false);
        append(&f, "0123456789");
        flush(&f); /* with little room the stream is full now */
        size_t before = f.bed.queue.size;
        f.loop.memory.fail_at = f.loop.memory.allocations + 1;
        int result =
            swale__outq_write(&f.bed.queue, f.bed.ends[0], swale_text("head"), swale_span(large, 100000), &left);
        assert_int_equal(result, SWALE_ERR_NO_MEMORY);
        assert_int_equal(f.bed.queue.size, before);
        assert_int_equal(left, 0);
        result = swale__outq_write(&f.bed.queue, f.bed.ends[0], swale_text("head"), swale_span(large, SIZE_MAX - 3),
                                   &left);
        assert_int_equal(result, SWALE_ERR_NO_MEMORY);
        result = swale__outq_write(&f.bed.queue, f.bed.ends[0], swale_text("head"), swale_span(large, 100000), &left);
        assert_int_equal(result, 1);
        test_loop_settle(&f.loop);
        assert_int_equal(f.bed.far.size, 100014);
        done(&f);
    }
    free(large);
}

/* A slow reader who is only ever given the latest holds a bounded number of chunks. */
static void test_replacing_does_not_grow(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, false);
    append(&f, "stuck, because the other end does not read");
    f.bed.far.stuck = true;
    swale__stream_pause(f.bed.far.stream);
    flush(&f);
    for (int i = 0; i < 10000; i++) {
        append_shared(&f, "position", 5);
        assert_int_equal(swale__outq_drop(&f.bed.queue, f.loop.loop, 5, true), 1);
        append_shared(&f, "position", 5);
        swale__outq_drop(&f.bed.queue, f.loop.loop, 5, true);
        assert_true(f.bed.queue.held <= 2 * SWALE__CHUNK_SIZE);
    }
    done(&f);
}

static void test_reports_a_dead_stream(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0, false);
    recorder_close(&f.bed.far, true);
    append(&f, "lost");
    size_t left;
    assert_int_equal(swale__outq_write(&f.bed.queue, f.bed.ends[0], swale_text("he"), swale_text("llo"), &left),
                     -ECONNRESET);
    assert_int_equal(left, 0);
    assert_int_equal(flush(&f), -ECONNRESET);
    assert_int_equal(f.bed.queue.size, 4);
    done(&f);
}

/* Frames that lie in one run, in several and in a block of their own, of which so many bytes are kept: whatever has
 * begun to leave, the rest of what is kept follows, and what is appended then. */
static void test_keep(void **state)
{
    static const size_t sizes[] = { 5, 60, 3000, 5, 5000, 30000, 7, 9 };
    (void)state;
    for (size_t kept = 0; kept <= COUNT_OF(sizes); kept++) {
        for (int in_flight = 0; in_flight < 2; in_flight++) {
            struct fixture f;
            size_t size = 0, total = 0;
            begin(&f, 40, in_flight);
            char *wanted = calloc(1, 40000);
            assert_non_null(wanted);
            for (size_t i = 0; i < COUNT_OF(sizes); i++) {
                memset(wanted + total, 'a' + (int)i, sizes[i]);
                struct swale_span frame = swale_span(wanted + total, sizes[i]);
                assert_int_equal(swale__outq_append(&f.bed.queue, f.loop.loop, frame, swale_span(NULL, 0)), 0);
                total += sizes[i];
                if (i < kept)
                    size = total;
                if (i == 0 && kept > 0)
                    flush(&f); /* the first has begun */
            }
            size_t left = total - f.bed.queue.size;
            swale__outq_keep(&f.bed.queue, f.loop.loop, size - left);
            assert_int_equal(f.bed.queue.size, size - left);
            append(&f, "end");
            memcpy(wanted + size, "end", 4);
            flush(&f);
            assert_heard(&f, wanted);
            free(wanted);
            done(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_order),
        cmocka_unit_test(test_takes_every_size),
        cmocka_unit_test(test_masks_what_it_copies),
        cmocka_unit_test(test_warm_queue_does_not_allocate),
        cmocka_unit_test(test_short_pieces_are_cheap),
        cmocka_unit_test(test_drops_by_tag),
        cmocka_unit_test(test_does_not_drop_what_has_begun),
        cmocka_unit_test(test_cut_waits_for_the_end_of_a_split_frame),
        cmocka_unit_test(test_cut_leaves_what_has_begun),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_appends_behind_what_is_in_flight),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_behind_many),
        cmocka_unit_test(test_cut_behind_a_written_part),
        cmocka_unit_test(test_write_without_memory),
        cmocka_unit_test(test_replacing_does_not_grow),
        cmocka_unit_test(test_reports_a_dead_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
