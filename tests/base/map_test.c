#include "test.h"

#include "base/map.h"
#include "memory.h"

#include <errno.h>
#include <stdio.h>

static const unsigned char seed[16] = "a fixed map seed";

/* A value with its key inside, as the map's users have it. */
struct item {
    char name[32];
    int present;
    int visits;
};

static struct swale_span name_of(const struct item *item)
{
    return swale_text(item->name);
}

static void name_items(struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(items[i].name, sizeof items[i].name, "item %zu", i);
        items[i].present = 0;
        items[i].visits = 0;
    }
}

static void empty_map_answers(void **state)
{
    (void)state;
    struct swale__map map;
    swale__map_init(&map, NULL, seed);
    size_t cursor = 0;
    assert_null(swale__map_get(&map, swale_text("a")));
    assert_null(swale__map_remove(&map, swale_text("a")));
    assert_null(swale__map_next(&map, &cursor));
    assert_int_equal(swale__map_count(&map), 0);
    swale__map_done(&map);
}

static void keys_are_bytes(void **state)
{
    (void)state;
    struct swale__map map;
    swale__map_init(&map, NULL, seed);
    int a, b, c;
    assert_int_equal(swale__map_put(&map, swale_span("x\0y", 3), &a), 0);
    assert_int_equal(swale__map_put(&map, swale_span("x\0z", 3), &b), 0);
    assert_int_equal(swale__map_put(&map, swale_span(NULL, 0), &c), 0);
    assert_ptr_equal(swale__map_get(&map, swale_span("x\0y", 3)), &a);
    assert_ptr_equal(swale__map_get(&map, swale_span("x\0z", 3)), &b);
    assert_ptr_equal(swale__map_get(&map, swale_text("")), &c);
    assert_null(swale__map_get(&map, swale_text("x")));
    swale__map_done(&map);
}

static void put_replaces_value_and_key(void **state)
{
    (void)state;
    struct swale__map map;
    swale__map_init(&map, NULL, seed);
    char old_key[] = "key", new_key[] = "key";
    int a, b;
    assert_int_equal(swale__map_put(&map, swale_text(old_key), &a), 0);
    assert_int_equal(swale__map_put(&map, swale_text(new_key), &b), 0);
    assert_int_equal(swale__map_count(&map), 1);
    memset(old_key, 'z', 3); /* no longer borrowed */
    assert_ptr_equal(swale__map_get(&map, swale_text("key")), &b);
    swale__map_done(&map);
}

static void check_items(const struct swale__map *map, struct item *items, size_t count)
{
    size_t present = 0, visited = 0;
    for (size_t i = 0; i < count; i++) {
        void *found = swale__map_get(map, name_of(&items[i]));
        assert_ptr_equal(found, items[i].present ? &items[i] : NULL);
        present += items[i].present ? 1 : 0;
        items[i].visits = 0;
    }
    assert_int_equal(swale__map_count(map), present);
    size_t cursor = 0;
    for (struct item *item; (item = swale__map_next(map, &cursor)) != NULL; visited++)
        assert_int_equal(item->visits++, 0);
    assert_int_equal(visited, present);
}

/* A random walk against the obvious model. Few names keep the table small and its runs long, so that gaps are
 * closed over the end of the table too. */
static void random_walk(size_t count, int steps)
{
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale__map map;
    swale__map_init(&map, &allocator, seed);
    struct item items[400];
    assert_true(count <= COUNT_OF(items));
    name_items(items, count);
    uint32_t random = 12345;
    for (int step = 0; step < steps; step++) {
        random = random * 1664525 + 1013904223;
        struct item *item = &items[(random >> 8) % count];
        if (random >> 31) {
            assert_int_equal(swale__map_put(&map, name_of(item), item), 0);
            item->present = 1;
        } else {
            void *removed = swale__map_remove(&map, name_of(item));
            assert_ptr_equal(removed, item->present ? item : NULL);
            item->present = 0;
        }
        if (step % 16 == 0)
            check_items(&map, items, count);
    }
    check_items(&map, items, count);
    swale__map_done(&map);
    assert_int_equal(memory.blocks, 0);
}

static void survives_random_walks(void **state)
{
    (void)state;
    random_walk(5, 4000);
    random_walk(12, 4000);
    random_walk(400, 8000);
}

static void failing_growth_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t fail_at = 1; fail_at <= 7; fail_at++) {
        struct test_memory memory = { .fail_at = fail_at };
        struct swale_allocator allocator = test_allocator(&memory);
        struct swale__map map;
        swale__map_init(&map, &allocator, seed);
        struct item items[100]; /* six tables, of 8 to 256 slots */
        name_items(items, COUNT_OF(items));
        int failures = 0;
        for (size_t i = 0; i < COUNT_OF(items); i++) {
            int error = swale__map_put(&map, name_of(&items[i]), &items[i]);
            items[i].present = error == 0;
            failures += error == -ENOMEM ? 1 : 0;
        }
        assert_int_equal(failures, fail_at <= 6 ? 1 : 0);
        check_items(&map, items, COUNT_OF(items));
        swale__map_done(&map);
        assert_int_equal(memory.blocks, 0);
    }
}

static void usable_after_done(void **state)
{
    (void)state;
    struct swale__map map;
    int a;
    swale__map_init(&map, NULL, seed);
    assert_int_equal(swale__map_put(&map, swale_text("a"), &a), 0);
    swale__map_done(&map);
    assert_null(swale__map_get(&map, swale_text("a")));
    assert_int_equal(swale__map_put(&map, swale_text("a"), &a), 0);
    assert_ptr_equal(swale__map_get(&map, swale_text("a")), &a);
    swale__map_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map_answers),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(put_replaces_value_and_key),
        cmocka_unit_test(survives_random_walks),
        cmocka_unit_test(failing_growth_changes_nothing),
        cmocka_unit_test(usable_after_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
