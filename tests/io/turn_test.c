#include "test.h"

#include "vloop.h"

#include "io/stream.h"
#include "io/turn.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Items of work that write down that they ran, and do what they are told ------------------------------- */

static struct test_loop loop;
static char order[64];

struct item {
    struct swale__work work;
    char name;
    int again; /* so often it queues itself once more */
    struct item *flush, *end, *next, *forget;
};

static void run(struct swale__work *work)
{
    struct item *item = (struct item *)work;
    size_t size = strlen(order);
    assert_true(size + 1 < sizeof order);
    order[size] = item->name;
    if (item->again-- > 0)
        swale__loop_at_flush(loop.loop, work);
    if (item->flush)
        swale__loop_at_flush(loop.loop, &item->flush->work);
    if (item->end)
        swale__loop_at_end(loop.loop, &item->end->work);
    if (item->next)
        swale__loop_at_next(loop.loop, &item->next->work);
    if (item->forget)
        swale__loop_forget(loop.loop, &item->forget->work);
}

static struct item item(char name)
{
    return (struct item){ .work.run = run, .name = name };
}

static void begin(void)
{
    memset(order, 0, sizeof order);
    test_loop_init(&loop);
}

static void check_turn(const char *expected)
{
    memset(order, 0, sizeof order);
    assert_true(swale_loop_step(loop.loop, -1) >= 0);
    assert_string_equal(order, expected);
}

static void fire(struct swale_timer *timer)
{
    run(timer->context);
}

static void run_task(void *argument)
{
    run(argument);
}

static void the_phases_come_in_order(void **state)
{
    (void)state;
    begin();
    struct item next = item('n'), timed = item('t'), posted = item('p'), flush = item('f'), end = item('e');
    struct swale_timer timer = { .fire = fire, .context = &timed.work };
    swale__loop_at_end(loop.loop, &end.work);
    swale__loop_at_flush(loop.loop, &flush.work);
    assert_int_equal(swale_loop_post(loop.loop, run_task, &posted.work), 0);
    swale_timer_start(loop.loop, &timer, 0);
    swale__loop_at_next(loop.loop, &next.work);
    check_turn("ntpfe");
    check_turn("");
    test_loop_done(&loop);
}

static void a_queued_item_runs_once(void **state)
{
    (void)state;
    begin();
    struct item a = item('a'), b = item('b');
    for (int i = 0; i < 3; i++) {
        swale__loop_at_flush(loop.loop, &a.work);
        swale__loop_at_flush(loop.loop, &b.work);
    }
    check_turn("ab");
    test_loop_done(&loop);
}

static void flushing_goes_on_until_all_is_flushed(void **state)
{
    (void)state;
    begin();
    struct item a = item('a'), b = item('b'), c = item('c');
    a.again = 2;
    a.flush = &b;
    b.end = &c;
    swale__loop_at_flush(loop.loop, &a.work);
    check_turn("aababc"); /* whatever is queued meanwhile goes behind */
    test_loop_done(&loop);
}

static void work_for_the_next_turn_waits_for_it(void **state)
{
    (void)state;
    begin();
    struct item a = item('a'), b = item('b');
    a.next = &a;
    b.next = &a;
    swale__loop_at_next(loop.loop, &b.work);
    check_turn("b");
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
        check_turn("a");
    }
    test_loop_done(&loop); /* dropped */
}

static void work_queued_at_the_end_does_not_sleep(void **state)
{
    (void)state;
    begin();
    struct item a = item('a'), b = item('b');
    a.flush = &b;
    swale__loop_at_end(loop.loop, &a.work);
    check_turn("a");
    assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
    check_turn("b");
    test_loop_done(&loop);
}

static void what_is_forgotten_does_not_run(void **state)
{
    (void)state;
    void (*const queue[])(struct swale_loop *, struct swale__work *) = { swale__loop_at_next, swale__loop_at_flush,
                                                                         swale__loop_at_flush_later,
                                                                         swale__loop_at_end };
    for (size_t i = 0; i < COUNT_OF(queue); i++) {
        for (size_t forgotten = 0; forgotten < 3; forgotten++) {
            begin();
            struct item items[4] = { item('a'), item('b'), item('c'), item('d') };
            for (size_t k = 0; k < 3; k++)
                queue[i](loop.loop, &items[k].work);
            swale__loop_forget(loop.loop, &items[forgotten].work);
            swale__loop_forget(loop.loop, &items[forgotten].work); /* does nothing */
            queue[i](loop.loop, &items[3].work);                   /* the list is whole */
            check_turn(forgotten == 0 ? "bcd" : forgotten == 1 ? "acd" : "abd");
            test_loop_done(&loop);
        }
    }
}

static void an_item_may_forget_another_of_the_same_run(void **state)
{
    (void)state;
    begin();
    struct item items[3] = { item('a'), item('b'), item('c') };
    items[0].forget = &items[2];
    for (size_t k = 0; k < 3; k++)
        swale__loop_at_next(loop.loop, &items[k].work);
    check_turn("ab");
    test_loop_done(&loop);
}

/* A crowd of connections that are reset while all of them have something to send forgets each of their flushes. */
static void forgetting_costs_the_same_in_a_long_list(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    begin();
    struct item *items = calloc(MANY, sizeof *items);
    assert_non_null(items);
    for (size_t k = 0; k < MANY; k++)
        swale__loop_at_flush(loop.loop, &items[k].work);
    clock_t began = clock(); /* of this process: no other can make it slow */
    for (size_t k = MANY; k-- > 0;)
        swale__loop_forget(loop.loop, &items[k].work);
    assert_true(clock() - began < CLOCKS_PER_SEC); /* a walk for each would take many seconds */
    check_turn("");
    free(items);
    test_loop_done(&loop);
}

/* ---- More to flush than one turn has time for ------------------------------------------------------------- */

enum { CROWD = 5000, PER_TURN = 1024 };

typedef void ask(struct swale_loop *loop, struct swale__work *work);

static size_t ran[6 * CROWD], ran_count;

struct numbered {
    struct swale__work work;
    size_t number;
};

static void note(struct swale__work *work)
{
    assert_true(ran_count < COUNT_OF(ran));
    ran[ran_count++] = ((struct numbered *)work)->number;
}

static void turn(void)
{
    assert_int_equal(swale_loop_wait_ms(loop.loop), 0);
    assert_true(swale_loop_step(loop.loop, -1) >= 0);
}

static void ask_for_all(struct numbered *crowd, ask *for_work)
{
    for (size_t k = 0; k < CROWD; k++)
        for_work(loop.loop, &crowd[k].work);
}

static struct numbered *crowd_new(size_t first)
{
    struct numbered *crowd = calloc(CROWD, sizeof *crowd);
    assert_non_null(crowd);
    for (size_t k = 0; k < CROWD; k++)
        crowd[k] = (struct numbered){ .work.run = note, .number = first + k };
    return crowd;
}

static struct numbered *begin_crowd(ask *for_work)
{
    begin();
    ran_count = 0;
    struct numbered *crowd = crowd_new(0);
    ask_for_all(crowd, for_work);
    return crowd;
}

static void a_crowd_is_flushed_over_several_turns_in_order(void **state)
{
    (void)state;
    ask *const asks[] = { swale__loop_at_flush, swale__loop_at_flush_later };
    for (size_t i = 0; i < COUNT_OF(asks); i++) {
        struct numbered *crowd = begin_crowd(asks[i]);
        for (size_t turns = 1; ran_count < CROWD; turns++) {
            turn();
            assert_int_equal(ran_count, turns * PER_TURN < CROWD ? turns * PER_TURN : CROWD);
        }
        assert_int_equal(swale_loop_wait_ms(loop.loop), -1);
        for (size_t k = 0; k < CROWD; k++)
            assert_int_equal(ran[k], k);
        free(crowd);
        test_loop_done(&loop);
    }
}

static void an_answer_overtakes_what_is_for_many(void **state)
{
    (void)state;
    struct numbered *crowd = begin_crowd(swale__loop_at_flush_later);
    struct numbered answers[] = { { .work.run = note, .number = CROWD }, { .work.run = note, .number = CROWD + 1 } };
    swale__loop_at_flush(loop.loop, &answers[0].work); /* in the same turn */
    turn();
    assert_int_equal(ran[0], CROWD);
    assert_int_equal(ran[1], 0);
    swale__loop_at_flush(loop.loop, &answers[1].work);       /* in the next one */
    swale__loop_at_flush(loop.loop, &crowd[CROWD - 1].work); /* waits already, and keeps its place */
    turn();
    assert_int_equal(ran[PER_TURN], CROWD + 1);
    assert_int_equal(ran[PER_TURN + 1], PER_TURN - 1);
    while (swale_loop_wait_ms(loop.loop) == 0)
        turn();
    assert_int_equal(ran_count, CROWD + COUNT_OF(answers));
    free(crowd);
    test_loop_done(&loop);
}

static bool has_run(size_t number)
{
    for (size_t k = 0; k < ran_count; k++)
        if (ran[k] == number)
            return true;
    return false;
}

/* Neither those who come first in every turn nor those who come behind keep the others waiting for ever. */
static void nobody_starves(void **state)
{
    (void)state;
    struct numbered *later = begin_crowd(swale__loop_at_flush_later), *prompt = crowd_new(CROWD);
    while (ran_count < COUNT_OF(ran) - PER_TURN) {
        ask_for_all(prompt, swale__loop_at_flush);
        turn();
    }
    assert_true(has_run(CROWD - 1));     /* the last of one crowd */
    assert_true(has_run(2 * CROWD - 1)); /* and of the other */
    free(later);
    free(prompt);
    test_loop_done(&loop);
}

/* It would not get round to the rest. */
static void a_loop_that_stops_flushes_all(void **state)
{
    (void)state;
    struct numbered *later = begin_crowd(swale__loop_at_flush_later), *prompt = crowd_new(CROWD);
    ask_for_all(prompt, swale__loop_at_flush);
    swale_loop_stop(loop.loop);
    turn();
    assert_int_equal(ran_count, 2 * CROWD);
    free(later);
    free(prompt);
    test_loop_done(&loop);
}

static void the_end_phase_runs_also_when_the_loop_is_freed(void **state)
{
    (void)state;
    begin();
    struct item flush = item('f'), end = item('e'), more = item('m');
    end.end = &more;
    swale__loop_at_flush(loop.loop, &flush.work);
    swale__loop_at_end(loop.loop, &end.work);
    test_loop_done(&loop);
    assert_string_equal(order, "em");
}

/* ---- Leftovers ------------------------------------------------------------------------------------------- */

static struct swale__leftover *dropped[4];
static size_t drop_count;

static void drop(struct swale__leftover *leftover)
{
    assert_true(drop_count < 4);
    dropped[drop_count++] = leftover;
}

/* TLS streams whose peers do not read, and which nobody counts any more. */
static void leftovers_are_bounded(void **state)
{
    (void)state;
    enum { MANY = SWALE__LEFTOVERS_MAX + 3 };
    static struct swale__leftover leftovers[MANY];
    begin();
    drop_count = 0;
    for (size_t k = 0; k < MANY; k++) {
        leftovers[k].drop = drop;
        swale__list_init(&leftovers[k].node);
        swale__loop_leave(loop.loop, &leftovers[k]);
        if (k == 1)
            swale__loop_take_back(loop.loop, &leftovers[0]);
    }
    assert_int_equal(drop_count, 2);
    assert_ptr_equal(dropped[0], &leftovers[1]);
    assert_ptr_equal(dropped[1], &leftovers[2]);
    for (size_t k = 0; k < MANY - 1; k++)
        swale__loop_take_back(loop.loop, &leftovers[k]);
    test_loop_done(&loop);
    assert_int_equal(drop_count, 3);
    assert_ptr_equal(dropped[2], &leftovers[MANY - 1]);
}

/* ---- Memory ---------------------------------------------------------------------------------------------- */

enum { CHUNKS = 1100, KEPT = 1024 };
static void *chunks[CHUNKS];

static void take_chunks(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        chunks[i] = swale__loop_chunk(loop.loop);
        assert_non_null(chunks[i]);
        memset(chunks[i], 0xaa, SWALE__CHUNK_SIZE);
    }
}

static void give_chunks(size_t count)
{
    for (size_t i = 0; i < count; i++)
        swale__loop_chunk_free(loop.loop, chunks[i]);
}

static void chunks_are_used_again(void **state)
{
    (void)state;
    begin();
    take_chunks(CHUNKS);
    size_t blocks = loop.memory.blocks;
    give_chunks(CHUNKS);
    assert_int_equal(loop.memory.blocks, blocks - (CHUNKS - KEPT));
    uint64_t allocations = loop.memory.allocations;
    take_chunks(KEPT);
    assert_int_equal(loop.memory.allocations, allocations);
    loop.memory.fail_at = allocations + 1;
    assert_null(swale__loop_chunk(loop.loop));
    give_chunks(KEPT);
    test_loop_done(&loop);
}

/* What a burst has needed goes when it is over; what is needed again and again stays. */
static void unused_chunks_go(void **state)
{
    (void)state;
    begin();
    test_loop_advance(&loop, 2000);
    size_t blocks = loop.memory.blocks;
    take_chunks(100);
    give_chunks(100);
    test_loop_advance(&loop, 1500);
    assert_int_equal(loop.memory.blocks, blocks + 100); /* they have been used within that time */
    uint64_t allocations = loop.memory.allocations;
    for (int i = 0; i < 10; i++) {
        take_chunks(30);
        give_chunks(30);
        test_loop_advance(&loop, 600);
    }
    assert_int_equal(loop.memory.allocations, allocations);
    assert_int_equal(loop.memory.blocks, blocks + 30);
    test_loop_advance(&loop, 1500);
    test_loop_advance(&loop, 1500);
    assert_int_equal(loop.memory.blocks, blocks);
    test_loop_done(&loop);
}

/* ---- Blocks ------------------------------------------------------------------------------------------- */

static void blocks_are_used_again(void **state)
{
    (void)state;
    begin();
    size_t capacity, again;
    char *block = swale__loop_block(loop.loop, 100000, &capacity);
    assert_in_range(capacity, 100000, 104096);
    memset(block, 1, capacity);
    swale__loop_block_free(loop.loop, block, capacity);
    assert_ptr_equal(swale__loop_block(loop.loop, 60000, &again), block);
    assert_int_equal(again, capacity);
    swale__loop_block_free(loop.loop, block, again);
    char *small = swale__loop_block(loop.loop, 100, &again); /* for which it is too large to be wasted */
    assert_ptr_not_equal(small, block);
    char *large = swale__loop_block(loop.loop, capacity + 1, &again);
    assert_ptr_not_equal(large, block);
    swale__loop_block_free(loop.loop, large, again);
    swale__loop_block_free(loop.loop, small, 100);
    test_loop_done(&loop); /* which frees what is kept */
}

static void a_block_grows_with_what_is_in_it(void **state)
{
    (void)state;
    begin();
    size_t capacity, spare_capacity;
    char *block = swale__loop_block(loop.loop, 40000, &capacity);
    for (int i = 0; i < 40000; i++)
        block[i] = (char)(i * 7);
    block = swale__loop_block_grow(loop.loop, block, 40000, 100000, &capacity); /* by the allocator */
    char *spare = swale__loop_block(loop.loop, 300000, &spare_capacity);
    swale__loop_block_free(loop.loop, spare, spare_capacity);
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_null(swale__loop_block_grow(loop.loop, block, 40000, 400000, &capacity)); /* the spare does not fit */
    assert_in_range(capacity, 100000, 104096);
    block = swale__loop_block_grow(loop.loop, block, 40000, 300000, &capacity);
    assert_ptr_equal(block, spare);
    assert_int_equal(capacity, spare_capacity);
    for (int i = 0; i < 40000; i++)
        assert_int_equal(block[i], (char)(i * 7));
    swale__loop_block_free(loop.loop, block, capacity);
    test_loop_done(&loop);
}

/* However many there have been, some are kept, and not for long. */
static void blocks_kept_are_bounded_and_go(void **state)
{
    (void)state;
    static const size_t sizes[] = { 100, 20000, 1 << 20, 6 << 20, 20 << 20 };
    begin();
    size_t before = loop.memory.bytes;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *blocks[100];
        size_t capacity[100], count = sizes[i] > 100000 ? 20 : 100;
        for (size_t n = 0; n < count; n++)
            assert_non_null(blocks[n] = swale__loop_block(loop.loop, sizes[i], &capacity[n]));
        for (size_t n = 0; n < count; n++)
            swale__loop_block_free(loop.loop, blocks[n], capacity[n]);
        assert_true(loop.memory.bytes - before <= 8 << 20);
        assert_true(loop.memory.blocks < 50);
    }
    test_loop_advance(&loop, 500);
    assert_int_not_equal(loop.memory.bytes, before);
    test_loop_advance(&loop, 600);
    assert_int_equal(loop.memory.bytes, before);
    test_loop_done(&loop);
}

static void scratch_and_plaintext_are_whole_and_apart(void **state)
{
    (void)state;
    begin();
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_null(swale__loop_plaintext(loop.loop, 0));
    char *plaintext = swale__loop_plaintext(loop.loop, 0);
    char *within = swale__loop_plaintext(loop.loop, 1);
    char *scratch = swale__loop_scratch(loop.loop);
    memset(plaintext, 1, SWALE__PLAINTEXT_SIZE);
    memset(within, 3, SWALE__PLAINTEXT_SIZE);
    memset(scratch, 2, SWALE__SCRATCH_SIZE);
    assert_int_equal(plaintext[0], 1);
    assert_int_equal(plaintext[SWALE__PLAINTEXT_SIZE - 1], 1);
    assert_ptr_equal(swale__loop_plaintext(loop.loop, 0), plaintext);
    test_loop_done(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_phases_come_in_order),
        cmocka_unit_test(a_queued_item_runs_once),
        cmocka_unit_test(flushing_goes_on_until_all_is_flushed),
        cmocka_unit_test(work_for_the_next_turn_waits_for_it),
        cmocka_unit_test(work_queued_at_the_end_does_not_sleep),
        cmocka_unit_test(what_is_forgotten_does_not_run),
        cmocka_unit_test(an_item_may_forget_another_of_the_same_run),
        cmocka_unit_test(forgetting_costs_the_same_in_a_long_list),
        cmocka_unit_test(leftovers_are_bounded),
        cmocka_unit_test(a_crowd_is_flushed_over_several_turns_in_order),
        cmocka_unit_test(an_answer_overtakes_what_is_for_many),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(a_loop_that_stops_flushes_all),
        cmocka_unit_test(the_end_phase_runs_also_when_the_loop_is_freed),
        cmocka_unit_test(chunks_are_used_again),
        cmocka_unit_test(unused_chunks_go),
        cmocka_unit_test(blocks_are_used_again),
        cmocka_unit_test(a_block_grows_with_what_is_in_it),
        cmocka_unit_test(blocks_kept_are_bounded_and_go),
        cmocka_unit_test(scratch_and_plaintext_are_whole_and_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
