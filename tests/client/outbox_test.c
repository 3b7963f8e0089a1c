/* The box by hand: what is given, what waits, what is taken out. */
#include "test.h"

#include "client/outbox.h"
#include "memory.h"

struct box {
    struct test_memory memory;
    struct swale_allocator allocator;
    struct swale__outbox box;
};

static void begin(struct box *box)
{
    *box = (struct box){ .memory = { .blocks = 0 } };
    box->allocator = test_allocator(&box->memory);
    box->box.allocator = &box->allocator;
}

static struct swale__letter *letter(struct box *box, uint64_t number, const char *text, bool kept)
{
    struct swale__letter *made = swale__letter_new(&box->box, SWALE_TEXT, swale_text(text), kept);
    assert_non_null(made);
    made->number = number;
    return made;
}

static void assert_taken(struct box *box, struct swale__letter *taken, uint64_t number)
{
    assert_non_null(taken);
    assert_int_equal(taken->number, number);
    swale__letter_free(&box->box, taken);
}

static void done(struct box *box)
{
    assert_null(swale__outbox_pop(&box->box));
    assert_int_equal(box->box.pending, 0);
    assert_int_equal(box->memory.blocks, 0);
}

static void test_handed_in_order(void **state)
{
    struct box box;
    (void)state;
    begin(&box);
    swale__outbox_given(&box.box, letter(&box, 1, "one", false), 0, 10);
    swale__outbox_given(&box.box, letter(&box, 2, "two", false), 15, 20);
    assert_int_equal(box.box.pending, 0);
    assert_null(swale__outbox_handed(&box.box, 9));
    assert_taken(&box, swale__outbox_handed(&box.box, 10), 1);
    assert_null(swale__outbox_handed(&box.box, 19));
    assert_taken(&box, swale__outbox_handed(&box.box, 1000), 2);
    assert_null(swale__outbox_handed(&box.box, 1000));
    done(&box);
}

static void test_what_waits_is_not_handed(void **state)
{
    struct box box;
    (void)state;
    begin(&box);
    swale__outbox_wait(&box.box, letter(&box, 1, "one", true));
    swale__outbox_wait(&box.box, letter(&box, 2, "three", true));
    assert_int_equal(box.box.pending, 8);
    assert_null(swale__outbox_handed(&box.box, 1000));
    assert_null(swale__outbox_lost(&box.box, 1000));
    assert_memory_equal(box.box.waiting->data, "one", 3);
    swale__outbox_give(&box.box, 0, 10);
    assert_int_equal(box.box.pending, 5);
    assert_true(swale__outbox_first_behind(&box.box, 1) == UINT64_MAX);
    assert_true(swale__outbox_first_behind(&box.box, 0) == 0);
    assert_taken(&box, swale__outbox_pop(&box.box), 1);
    assert_int_equal(box.box.pending, 5);
    assert_taken(&box, swale__outbox_pop(&box.box), 2);
    done(&box);
}

static void test_what_comes_back(void **state)
{
    struct box box;
    (void)state;
    begin(&box);
    swale__outbox_given(&box.box, letter(&box, 1, "1", true), 0, 10);
    swale__outbox_given(&box.box, letter(&box, 2, "22", true), 10, 20);
    swale__outbox_given(&box.box, letter(&box, 3, "333", true), 25, 35);
    swale__outbox_wait(&box.box, letter(&box, 4, "4444", true));
    assert_true(swale__outbox_first_behind(&box.box, 11) == 25);
    assert_true(swale__outbox_first_behind(&box.box, 10) == 10);
    assert_taken(&box, swale__outbox_lost(&box.box, 10), 1); /* begun before 10, and no more */
    assert_null(swale__outbox_lost(&box.box, 10));
    swale__outbox_return(&box.box);
    assert_int_equal(box.box.pending, 9);
    assert_int_equal(box.box.waiting->number, 2);
    swale__outbox_return(&box.box); /* again: nothing was given since */
    assert_int_equal(box.box.pending, 9);
    for (uint64_t number = 2; number <= 4; number++)
        assert_taken(&box, swale__outbox_pop(&box.box), number);
    done(&box);
}

static void test_what_is_not_kept_is_lost(void **state)
{
    struct box box;
    (void)state;
    begin(&box);
    swale__outbox_given(&box.box, letter(&box, 1, "1", false), 0, 10);
    swale__outbox_given(&box.box, letter(&box, 2, "22", false), 10, 20);
    assert_taken(&box, swale__outbox_lost(&box.box, 10), 1);
    assert_taken(&box, swale__outbox_lost(&box.box, 10), 2);
    assert_null(swale__outbox_lost(&box.box, 10));
    done(&box);
}

static void test_out_of_memory(void **state)
{
    struct box box;
    (void)state;
    begin(&box);
    box.memory.fail_at = 1;
    assert_null(swale__letter_new(&box.box, SWALE_TEXT, swale_text("x"), true));
    assert_null(swale__letter_new(&box.box, SWALE_TEXT, swale_span("x", SIZE_MAX), true));
    done(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handed_in_order), cmocka_unit_test(test_what_waits_is_not_handed),
        cmocka_unit_test(test_what_comes_back), cmocka_unit_test(test_what_is_not_kept_is_lost),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("client.outbox", tests, NULL, NULL);
}
