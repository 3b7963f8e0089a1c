/* common_test.c - queues that are sent the same: one run of bytes for all of them, and each right by itself whatever
 * becomes of it. The last test does random things to several queues and to a model of them. */
#include "test.h"

#include "conn/common.h"
#include "io/turn.h"
#include "queue_bed.h"
#include "vloop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUEUES = 4, ITEMS_MAX = 4096, HOARD_MAX = 64, WARM = 4000 };

/* What the model knows of a message in a queue. */
struct item {
    const char *text;
    size_t size;
    uintptr_t tag; /* 0: copied */
};

struct link {
    struct queue_bed bed;
    struct item items[ITEMS_MAX]; /* all that has left or waits */
    size_t count;
};

static struct test_loop loop;
static struct swale__common common;
static struct link links[QUEUES];
static struct swale_shared *messages[ITEMS_MAX]; /* so that the model's texts last */
static size_t message_count;
static uint64_t random_state;

static unsigned choose(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

/* ---- The fixture ------------------------------------------------------------------------------------ */

static void begin(size_t capacity, bool in_flight)
{
    test_loop_init(&loop);
    common = (struct swale__common){ .allocator = swale__loop_allocator(loop.loop) };
    memset(links, 0, sizeof links);
    for (int i = 0; i < QUEUES; i++)
        queue_bed_begin(&links[i].bed, loop.loop, capacity, in_flight);
}

static void done(void)
{
    for (int i = 0; i < QUEUES; i++)
        queue_bed_end(&links[i].bed);
    swale__common_done(&common);
    while (message_count > 0)
        swale_shared_unref(messages[--message_count]);
    test_loop_settle(&loop);
    test_loop_done(&loop);
}

static struct swale_shared *share(const char *text, size_t size)
{
    struct swale_shared *shared;
    assert_true(message_count < ITEMS_MAX);
    assert_int_equal(swale_shared_new(&shared, NULL, SWALE_BINARY, text, size), 0);
    messages[message_count++] = shared;
    return shared;
}

static struct swale__common_message message_of(struct swale_shared *shared, uintptr_t tag)
{
    return (struct swale__common_message){ shared, swale_shared_payload(shared), tag };
}

static int try_append(struct link *link, struct swale__common_message message)
{
    int error = swale__outq_append_shared(&link->bed.queue, loop.loop, &common, &message);
    if (error == 0)
        link->items[link->count++] = (struct item){ message.frame.data, message.frame.size, message.tag };
    return error;
}

static void append(int link, struct swale_shared *shared, uintptr_t tag)
{
    assert_int_equal(try_append(&links[link], message_of(shared, tag)), 0);
}

static int try_append_copy(struct link *link, const char *text)
{
    int error = swale__outq_append(&link->bed.queue, loop.loop, swale_text(text), swale_span(NULL, 0));
    if (error == 0)
        link->items[link->count++] = (struct item){ text, strlen(text), 0 };
    return error;
}

static int flush(int link)
{
    return queue_bed_flush(&links[link].bed);
}

/* What the far end has heard is the model's items. */
static void assert_heard(const struct link *link)
{
    size_t at = 0;
    for (size_t i = 0; i < link->count; i++) {
        assert_true(at + link->items[i].size <= link->bed.far.size);
        assert_memory_equal(link->bed.far.heard + at, link->items[i].text, link->items[i].size);
        at += link->items[i].size;
    }
    assert_int_equal(at, link->bed.far.size);
}

static void finish(void)
{
    for (int i = 0; i < QUEUES; i++)
        flush(i);
    test_loop_settle(&loop);
    for (int i = 0; i < QUEUES; i++)
        assert_heard(&links[i]);
    done();
}

/* ---- Nodes ------------------------------------------------------------------------------------------ */

static struct swale__common_node *step(struct swale__common_node *node, struct swale_shared *shared, uintptr_t tag)
{
    struct swale__common_message message = message_of(shared, tag);
    struct swale__common_node *next = swale__common_step(&common, node, &message);
    assert_non_null(next);
    return next;
}

static void assert_bytes(const struct swale__common_node *node, const char *text)
{
    assert_int_equal(node->segment.size, strlen(text));
    assert_memory_equal(node->segment.data, text, strlen(text));
}

/* Equal histories are one node; the first message is not copied; what follows is put behind it in place, unless
 * something else has been. */
static void test_a_tree_of_histories(void **state)
{
    (void)state;
    begin(0, false);
    struct swale_shared *a = share("aaa ", 4), *b = share("bb ", 3), *c = share("c", 1);
    struct swale__common_node *one = step(NULL, a, 1), *other = step(NULL, a, 1); /* two holds */
    assert_ptr_equal(one, other);
    assert_ptr_equal(one->segment.data, swale_shared_payload(a).data);
    struct swale__common_node *two = step(one, b, 1);
    assert_ptr_equal(step(one, b, 1), two);
    assert_bytes(two, "aaa bb ");
    struct swale__common_node *three = step(two, c, 1);
    assert_ptr_equal(three->segment.data, two->segment.data);
    assert_bytes(three, "aaa bb c");
    other = step(two, a, 1);
    assert_ptr_not_equal(other->segment.data, two->segment.data);
    assert_bytes(other, "aaa bb aaa ");
    assert_bytes(three, "aaa bb c");
    assert_ptr_equal(step(two, c, 1), three);
    assert_ptr_not_equal(step(two, c, 2), three); /* to be taken back by another tag */
    swale__common_release(three);
    swale__common_release(other);
    assert_ptr_equal(step(NULL, b, 1), one); /* nobody had any more: the memory is used again */
    swale__common_release(one);
    done();
}

/* One message goes to compressing and other connections in turns, as frames of its own for each. */
static void test_variants_side_by_side(void **state)
{
    (void)state;
    begin(0, false);
    struct swale_shared *shared = share("01234567", 8);
    struct swale__common_node *nodes[8];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 8; i++) {
            struct swale__common_message message = { shared, swale_span(swale_shared_payload(shared).data + i, 1),
                                                     7 };
            struct swale__common_node *node = swale__common_step(&common, NULL, &message);
            assert_true(round == 0 || node == nodes[i]);
            nodes[i] = node;
        }
    }
    for (int i = 0; i < 24; i++)
        swale__common_release(nodes[0]);
    done();
}

/* A queue whose write hangs in flight does not hold all that is published meanwhile. */
static void test_a_hold_is_bounded(void **state)
{
    (void)state;
    enum { LARGE = 70000 };
    char *text = calloc(1, LARGE);
    assert_non_null(text);
    begin(0, false);
    struct swale__common_node *held = step(step(NULL, share("he", 2), 1), share("ld", 2), 1);
    for (int n = 0; n < 600; n++)
        swale__common_release(step(NULL, share("ld", 2), 1));
    assert_bytes(held, "held");
    size_t before = loop.memory.bytes;
    for (int n = 0; n < 20; n++) {
        struct swale_shared *shared;
        assert_int_equal(swale_shared_new(&shared, &loop.allocator, SWALE_BINARY, text, LARGE), 0);
        struct swale__common_node *node = step(NULL, shared, 1);
        swale_shared_unref(shared);
        assert_bytes(held, "held");
        swale__common_release(node);
        assert_true(loop.memory.bytes - before < 500000);
    }
    swale__common_release(held);
    free(text);
    done();
}

/* ---- Queues ----------------------------------------------------------------------------------------- */

/* A warm turn allocates nothing, however many queues and messages; and each queue holds no memory. */
static void test_shares_one_run(void **state)
{
    (void)state;
    begin(0, false);
    struct swale_shared *shared[] = { share("first ", 6), share("second ", 7), share("third", 5) };
    uint64_t warm = 0;
    for (int turn = 0; turn < 3; turn++) {
        warm = turn == 2 ? loop.memory.allocations : warm;
        for (size_t n = 0; n < COUNT_OF(shared); n++)
            for (int i = 0; i < QUEUES; i++)
                append(i, shared[n], 1);
        for (int i = 0; i < QUEUES; i++) {
            assert_ptr_equal(links[i].bed.queue.head, links[0].bed.queue.head);
            assert_int_equal(links[i].bed.queue.held, 0);
            assert_int_equal(links[i].bed.queue.size, 18);
        }
        for (int i = 0; i < QUEUES; i++) {
            assert_int_equal(flush(i), 0);
            assert_null(links[i].bed.queue.head);
        }
        test_loop_settle(&loop);
    }
    assert_int_equal(loop.memory.allocations, warm);
    finish();
}

/* Queues part where one gets what another does not, or something of its own, and stay right. */
static void test_parts_ways(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        begin(8, in_flight);
        struct swale_shared *a = share("aaaaaa", 6), *b = share("bbbbbb", 6), *c = share("cccccc", 6);
        for (int i = 0; i < QUEUES; i++)
            append(i, a, 1);
        append(0, b, 1);
        append(1, b, 1);
        assert_int_equal(try_append_copy(&links[1], "own"), 0);
        append(2, c, 1);
        append(0, c, 1);
        append(1, c, 1);
        append(3, a, 1);
        finish();
    }
}

/* A slow reader takes a copy of the list with it, and the others' memory is used again. */
static void test_slow_reader_keeps_nothing_common(void **state)
{
    (void)state;
    begin(8, false);
    struct swale_shared *a = share("aaaaaa", 6), *b = share("bbbbbb", 6);
    for (int i = 0; i < 2; i++) {
        append(i, a, 1);
        append(i, b, 2);
    }
    swale__stream_pause(links[0].bed.far.stream);
    assert_int_equal(flush(0), 1);
    assert_false(links[0].bed.queue.head->flags & SWALE__COMMON);
    assert_true(links[0].bed.queue.held > 0);
    assert_int_equal(swale__outq_drop(&links[0].bed.queue, loop.loop, 1, true), 0);
    assert_int_equal(swale__outq_drop(&links[0].bed.queue, loop.loop, 2, true), 0); /* two of its bytes have left */
    append(0, a, 1);
    append(0, b, 2);
    append(0, a, 1);
    assert_int_equal(swale__outq_drop(&links[0].bed.queue, loop.loop, 1, false), 1);
    links[0].items[2] = links[0].items[3];
    links[0].items[3] = links[0].items[4];
    links[0].count = 4;
    swale__stream_resume(links[0].bed.far.stream);
    finish();
}

struct hoard {
    void *chunks[HOARD_MAX];
    size_t count;
};

/* Nothing is in the pool any more, and there is no memory to be had. */
static void starve(struct hoard *hoard)
{
    uint64_t before = loop.memory.allocations;
    hoard->count = 0;
    while (hoard->count < HOARD_MAX && loop.memory.allocations == before)
        hoard->chunks[hoard->count++] = swale__loop_chunk(loop.loop);
    loop.memory.fail_at = loop.memory.allocations + 1;
}

static void feed(struct hoard *hoard)
{
    loop.memory.fail_at = 0;
    while (hoard->count > 0)
        swale__loop_chunk_free(loop.loop, hoard->chunks[--hoard->count]);
}

/* So that the streams themselves have all the memory that they ever need. */
static void warm_up(void)
{
    static char text[WARM];
    struct swale_shared *shared = share(text, sizeof text);
    for (int i = 0; i < QUEUES; i++) {
        append(i, shared, 1);
        flush(i);
    }
    test_loop_settle(&loop);
}

/* Without memory for a list of its own, it keeps what is common, and that is right too. */
static void test_slow_reader_without_memory(void **state)
{
    (void)state;
    static const char zeros[WARM];
    enum { APPEND, COPY, DROP, CUT, KEEP, CLEAR, NOTHING, WAYS };
    for (int way = 0; way < WAYS; way++) {
        begin(WARM, false);
        warm_up();
        struct link *link = &links[0];
        struct swale_shared *large = share(zeros, WARM - 8), *a = share("aaaaaa", 6), *b = share("bb", 2);
        struct hoard hoard;
        swale__stream_pause(link->bed.far.stream);
        append(0, large, 1);
        append(0, a, 1);
        append(0, a, 1);
        append(0, b, 1);
        starve(&hoard);
        assert_int_equal(flush(0), 1); /* up to two bytes of the second */
        feed(&hoard);
        assert_true(link->bed.queue.head->flags & SWALE__COMMON);
        assert_int_equal(link->bed.queue.size, 6);
        if (way == APPEND)
            append(0, b, 1);
        if (way == COPY)
            assert_int_equal(try_append_copy(link, "copy"), 0);
        if (way == DROP)
            assert_int_equal(swale__outq_drop(&link->bed.queue, loop.loop, 1, true), 1);
        if (way == CUT)
            swale__outq_cut(&link->bed.queue, loop.loop);
        if (way == KEEP)
            swale__outq_keep(&link->bed.queue, loop.loop, 4);
        if (way == CLEAR)
            swale__outq_clear(&link->bed.queue, loop.loop);
        if (way == DROP || way == CUT || way == KEEP)
            link->count--;
        swale__stream_resume(link->bed.far.stream);
        flush(0);
        test_loop_settle(&loop);
        if (way != CLEAR)
            assert_heard(link);
        done();
    }
}

/* What is in flight stays where it is, whatever comes behind it. */
static void test_appends_behind_what_is_in_flight(void **state)
{
    (void)state;
    begin(5, true);
    struct swale_shared *a = share("aaaaaa", 6), *b = share("bbbbbb", 6);
    for (int i = 0; i < QUEUES; i++) {
        append(i, a, 1);
        append(i, b, 1);
        assert_int_equal(flush(i), 1);
        assert_int_equal(links[i].bed.queue.in_flight, 12);
    }
    assert_int_equal(swale__outq_drop(&links[0].bed.queue, loop.loop, 1, true), 0);
    append(0, b, 1);
    assert_int_equal(swale__outq_drop(&links[0].bed.queue, loop.loop, 1, true), 1);
    links[0].count--;
    assert_int_equal(try_append_copy(&links[1], "own"), 0);
    swale__outq_cut(&links[2].bed.queue, loop.loop);
    swale__outq_keep(&links[3].bed.queue, loop.loop, 12);
    assert_int_equal(links[2].bed.queue.size + links[3].bed.queue.size, 24);
    finish();
}

/* More than a block of nodes, or of bytes, holds. */
static void test_outgrows_a_block(void **state)
{
    (void)state;
    char *text = calloc(1, 70000);
    assert_non_null(text);
    for (size_t i = 0; i < 70000; i++)
        text[i] = (char)(i * 7 + (i >> 8));
    for (int way = 0; way < 3; way++) {
        begin(0, false);
        for (int n = 0; n < 1100; n++) {
            struct swale_shared *shared = share(text + n, way == 1 ? 1000 : 2);
            for (int i = 0; i < QUEUES; i++)
                append(i, shared, 1);
            if (way < 2 && n % 100 == 99 && flush(n / 100 % QUEUES) >= 0)
                test_loop_settle(&loop);
        }
        finish();
    }
    begin(0, false);
    struct swale_shared *whole = share(text, 70000);
    for (int i = 0; i < QUEUES; i++)
        for (int n = 0; n < 3; n++)
            append(i, whole, 1);
    finish();
    free(text);
}

/* ---- Random, against a model ------------------------------------------------------------------------ */

static size_t model_size(const struct link *link)
{
    size_t size = 0;
    for (size_t i = 0; i < link->count; i++)
        size += link->items[i].size;
    return size;
}

/* The first item that has not begun to leave, and where it begins. */
static size_t first_behind(const struct link *link, size_t *at)
{
    size_t begun = model_size(link) - link->bed.queue.size + link->bed.queue.in_flight;
    size_t i = 0;
    for (*at = 0; i < link->count && *at < begun; i++)
        *at += link->items[i].size;
    return i;
}

/* The messages of the tag from number `from` on: the oldest, or all. Takes them out if `really`. How many. */
static size_t model_drop(struct link *link, size_t from, uintptr_t tag, bool all, bool really)
{
    size_t kept = from, dropped = 0;
    for (size_t i = from; i < link->count; i++) {
        bool goes = link->items[i].tag == tag && (all || dropped == 0);
        dropped += goes;
        if (really && !goes)
            link->items[kept++] = link->items[i];
    }
    link->count = really ? kept : link->count;
    return dropped;
}

static bool copies_wait(const struct link *link)
{
    size_t at;
    for (size_t i = first_behind(link, &at); i < link->count; i++)
        if (link->items[i].tag == 0)
            return true;
    return false;
}

static void random_cut(struct link *link)
{
    size_t at, before = model_size(link) - link->bed.queue.size;
    size_t kept = first_behind(link, &at);
    if (copies_wait(link))
        return; /* how many of them go is the queue's affair */
    swale__outq_cut(&link->bed.queue, loop.loop);
    assert_int_equal(link->bed.queue.size, at - before);
    link->count = kept;
}

static void random_keep(struct link *link)
{
    size_t at, before = model_size(link) - link->bed.queue.size;
    size_t kept = first_behind(link, &at);
    while (kept < link->count && choose(3) > 0)
        at += link->items[kept++].size;
    swale__outq_keep(&link->bed.queue, loop.loop, at - before);
    assert_int_equal(link->bed.queue.size, at - before);
    link->count = kept;
}

static void random_drop(struct link *link, bool starved)
{
    uintptr_t tag = 1 + choose(2);
    bool all = choose(2);
    size_t at, from = first_behind(link, &at);
    size_t expected = model_drop(link, from, tag, all, false);
    size_t dropped = swale__outq_drop(&link->bed.queue, loop.loop, tag, all);
    assert_true(dropped == expected || (starved && dropped == 0));
    if (dropped > 0)
        model_drop(link, from, tag, all, true);
}

static void random_publish(bool starved)
{
    static char text[600];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)choose(256);
    size_t size = 1 + choose(choose(8) == 0 ? sizeof text : 12);
    struct swale__common_message message = message_of(share(text, size), 1 + choose(2));
    struct swale_span whole = message.frame;
    for (int i = 0; i < QUEUES; i++) {
        message.frame = choose(8) == 0 ? swale_span(whole.data + size / 2, size - size / 2) : whole;
        int error = choose(4) > 0 ? try_append(&links[i], message) : 0;
        assert_true(error == 0 || (starved && error == -ENOMEM));
    }
}

static void random_step(bool starved)
{
    struct link *link = &links[choose(QUEUES)];
    unsigned what = choose(16);
    if (what < 7) {
        random_publish(starved);
    } else if (what == 7) {
        int error = try_append_copy(link, "a copy");
        assert_true(error == 0 || (starved && error == -ENOMEM));
    } else if (what == 8) {
        random_drop(link, starved);
    } else if (what == 9) {
        random_cut(link);
    } else if (what == 10) {
        random_keep(link);
    } else if (what < 14) {
        flush((int)(link - links));
    } else if (!starved) {
        for (unsigned turns = choose(4); turns > 0; turns--)
            swale_loop_step(loop.loop, 0);
    }
}

/* The bytes that wait are the last of the model's. */
static void assert_waiting(const struct link *link)
{
    static char bytes[65536 * 4];
    const struct swale__outq *queue = &link->bed.queue;
    size_t size = 0, at = 0, left = model_size(link) - queue->size;
    for (const struct swale__segment *segment = queue->head; segment; segment = segment->next) {
        bool common_one = segment->flags & SWALE__COMMON;
        size_t here = common_one ? queue->size : segment->size;
        memcpy(bytes + size, segment->data + segment->size - here, here);
        size += here;
    }
    assert_int_equal(size, queue->size);
    for (size_t i = 0; i < link->count; i++) {
        for (size_t byte = 0; byte < link->items[i].size; byte++, at++)
            assert_true(at < left || bytes[at - left] == link->items[i].text[byte]);
    }
}

static void starved_step(void)
{
    struct hoard hoard;
    starve(&hoard);
    random_step(true);
    feed(&hoard);
}

static void test_random_queues_match_the_model(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 30; seed++) {
        random_state = seed;
        size_t capacity = choose(3) == 0 ? WARM : 20 + choose(400);
        begin(capacity, choose(2));
        warm_up();
        for (int n = 0; n < 300; n++) {
            if (choose(10) == 0)
                starved_step();
            else
                random_step(false);
            for (int i = 0; i < QUEUES; i++)
                assert_waiting(&links[i]);
        }
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tree_of_histories),
        cmocka_unit_test(test_variants_side_by_side),
        cmocka_unit_test(test_a_hold_is_bounded),
        cmocka_unit_test(test_shares_one_run),
        cmocka_unit_test(test_parts_ways),
        cmocka_unit_test(test_slow_reader_keeps_nothing_common),
        cmocka_unit_test(test_slow_reader_without_memory),
        cmocka_unit_test(test_appends_behind_what_is_in_flight),
        cmocka_unit_test(test_outgrows_a_block),
        cmocka_unit_test(test_random_queues_match_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
