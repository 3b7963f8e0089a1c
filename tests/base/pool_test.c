#include "memory.h"
#include "test.h"

#include "base/pool.h"

#include <stdlib.h>

enum { SIZE = 40, MANY = 2000 };

struct fixture {
    struct test_memory memory;
    struct swale_allocator allocator;
    struct swale__pool pool;
    char *objects[MANY];
    uint16_t places[MANY];
};

static void set_up(struct fixture *f)
{
    f->memory = (struct test_memory){ 0 };
    f->allocator = test_allocator(&f->memory);
    swale__pool_init(&f->pool, &f->allocator, SIZE);
}

static void tear_down(struct fixture *f)
{
    swale__pool_done(&f->pool);
    assert_int_equal(f->memory.blocks, 0);
    assert_int_equal(f->memory.bytes, 0);
}

/* Each object is filled with a pattern of its own, and must still have it when it is given back. */
static void take(struct fixture *f, size_t i)
{
    f->objects[i] = swale__pool_take(&f->pool, &f->places[i]);
    assert_non_null(f->objects[i]);
    assert_int_equal((uintptr_t)f->objects[i] % 8, 0);
    memset(f->objects[i], (int)(i % 251), SIZE);
}

static void give(struct fixture *f, size_t i)
{
    for (size_t at = 0; at < SIZE; at++)
        assert_int_equal((unsigned char)f->objects[i][at], i % 251);
    swale__pool_give(&f->pool, f->objects[i], f->places[i]);
    f->objects[i] = NULL;
}

/* Whether every object has a block of its own, as with AddressSanitizer. */
static bool alone(struct fixture *f)
{
    take(f, 0);
    take(f, 1);
    bool alone = f->memory.blocks == 2;
    give(f, 0);
    give(f, 1);
    return alone;
}

/* New ones are zeros, others as they were left but for two bytes. */
static void contents_are_kept(void **state)
{
    (void)state;
    struct fixture f;
    static const char zeros[SIZE];
    set_up(&f);
    f.objects[0] = swale__pool_take(&f.pool, &f.places[0]);
    assert_memory_equal(f.objects[0], zeros, SIZE);
    memset(f.objects[0], 'x', SIZE);
    swale__pool_give(&f.pool, f.objects[0], f.places[0]);
    char *again = swale__pool_take(&f.pool, &f.places[0]);
    for (size_t i = 2; i < SIZE; i++)
        assert_int_equal(again[i], again[2]);
    assert_true(again[2] == 'x' || again[2] == 0);
    swale__pool_give(&f.pool, again, f.places[0]);
    tear_down(&f);
}

static void costs_nothing_unused(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_int_equal(f.memory.allocations, 0);
    tear_down(&f);
}

static void objects_do_not_overlap(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < MANY; i++)
        take(&f, i);
    for (size_t i = 0; i < MANY; i += 2)
        give(&f, i);
    for (size_t i = 0; i < MANY; i += 2)
        take(&f, i);
    for (size_t i = 0; i < MANY; i++)
        give(&f, i);
    tear_down(&f);
}

static void mark(void *context, void *object)
{
    unsigned *visits = context;
    size_t i;
    memcpy(&i, object, sizeof i);
    visits[i]++;
}

static void each_is_visited_once(void **state)
{
    (void)state;
    struct fixture f;
    static unsigned visits[MANY];
    set_up(&f);
    swale__pool_each(&f.pool, mark, visits);
    for (size_t i = 0; i < MANY; i++) {
        f.objects[i] = swale__pool_take(&f.pool, &f.places[i]);
        memcpy(f.objects[i], &i, sizeof i);
    }
    for (size_t step = 1; step <= 4; step++) { /* all, then fewer and fewer, in full and in other blocks */
        memset(visits, 0, sizeof visits);
        swale__pool_each(&f.pool, mark, visits);
        for (size_t i = 0; i < MANY; i++)
            assert_int_equal(visits[i], f.objects[i] != NULL);
        for (size_t i = step * 100; i < MANY; i += step + 1) {
            if (f.objects[i])
                swale__pool_give(&f.pool, f.objects[i], f.places[i]);
            f.objects[i] = NULL;
        }
    }
    for (size_t i = 0; i < MANY; i++)
        if (f.objects[i])
            swale__pool_give(&f.pool, f.objects[i], f.places[i]);
    tear_down(&f);
}

static void objects_come_and_go(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    srand(1);
    memset(f.objects, 0, sizeof f.objects);
    for (int round = 0; round < 50000; round++) {
        size_t i = (size_t)rand() % MANY;
        if (f.objects[i])
            give(&f, i);
        else
            take(&f, i);
    }
    for (size_t i = 0; i < MANY; i++)
        if (f.objects[i])
            give(&f, i);
    assert_in_range(f.memory.blocks, 0, 1);
    tear_down(&f);
}

static void many_cost_little_more_than_themselves(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    bool single = alone(&f);
    for (size_t i = 0; i < MANY; i++)
        take(&f, i);
    if (!single)
        assert_in_range(f.memory.bytes, MANY * SIZE, MANY * SIZE + 16384 + MANY * SIZE / 200);
    for (size_t i = 0; i < MANY; i++)
        give(&f, i);
    assert_in_range(f.memory.bytes, 0, 16384);
    tear_down(&f);
}

static void a_few_cost_little(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    take(&f, 0);
    assert_in_range(f.memory.bytes, SIZE, 5 * SIZE);
    give(&f, 0);
    tear_down(&f);
}

/* An object that comes and goes costs an allocation once. */
static void one_block_is_kept(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    if (alone(&f)) {
        assert_int_equal(f.memory.blocks, 0);
        tear_down(&f);
        return;
    }
    uint64_t before = f.memory.allocations;
    for (int round = 0; round < 100; round++) {
        take(&f, 0);
        give(&f, 0);
    }
    assert_int_equal(f.memory.allocations, before);
    assert_int_equal(f.memory.blocks, 1);
    tear_down(&f);
}

static void failure_leaves_all_as_it_was(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    for (uint64_t nth = 1; nth <= 5; nth++) {
        uint16_t place = 7;
        size_t count = 0;
        f.memory.allocations = 0;
        f.memory.fail_at = nth;
        do
            f.objects[count] = swale__pool_take(&f.pool, count < MANY ? &f.places[count] : &place);
        while (f.objects[count] && ++count < MANY);
        assert_true(count < MANY);
        assert_int_equal(f.memory.allocations, nth);
        f.memory.fail_at = 0;
        take(&f, count);
        give(&f, count);
        while (count > 0) {
            count--;
            swale__pool_give(&f.pool, f.objects[count], f.places[count]);
        }
        swale__pool_done(&f.pool);
        assert_int_equal(f.memory.blocks, 0);
    }
    tear_down(&f);
}

/* The smallest and the largest objects that a pool takes. */
static void sizes(void **state)
{
    (void)state;
    static const size_t some[] = { 8, 16, 1024, 4096 };
    for (size_t n = 0; n < COUNT_OF(some); n++) {
        struct swale__pool pool;
        void *objects[64];
        uint16_t places[64];
        swale__pool_init(&pool, NULL, some[n]);
        for (size_t i = 0; i < 64; i++) {
            objects[i] = swale__pool_take(&pool, &places[i]);
            assert_non_null(objects[i]);
            memset(objects[i], 0xff, some[n]);
        }
        for (size_t i = 0; i < 64; i++)
            swale__pool_give(&pool, objects[i], places[i]);
        swale__pool_done(&pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_are_kept),
        cmocka_unit_test(costs_nothing_unused),
        cmocka_unit_test(objects_do_not_overlap),
        cmocka_unit_test(each_is_visited_once),
        cmocka_unit_test(objects_come_and_go),
        cmocka_unit_test(many_cost_little_more_than_themselves),
        cmocka_unit_test(a_few_cost_little),
        cmocka_unit_test(one_block_is_kept),
        cmocka_unit_test(failure_leaves_all_as_it_was),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
