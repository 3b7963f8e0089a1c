/* The ledger against a plain array of fates. */
#include "test.h"

#include "client/ledger.h"
#include "memory.h"

enum { NUMBERS = 4000 };

static unsigned next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

struct model {
    struct test_memory memory;
    struct swale_allocator allocator;
    struct swale__ledger ledger;
    enum swale_fate fates[NUMBERS + 1];
    uint64_t last;
};

static void begin(struct model *model)
{
    *model = (struct model){ .last = 0 };
    model->allocator = test_allocator(&model->memory);
    model->ledger.allocator = &model->allocator;
}

static void done(struct model *model)
{
    swale__ledger_done(&model->ledger);
    assert_int_equal(model->memory.blocks, 0);
}

static void add(struct model *model)
{
    assert_int_equal(swale__ledger_prepare(&model->ledger), 0);
    assert_int_equal(swale__ledger_add(&model->ledger), ++model->last);
    model->fates[model->last] = SWALE_FATE_QUEUED;
}

static void set(struct model *model, uint64_t first, uint64_t last, enum swale_fate fate)
{
    swale__ledger_set(&model->ledger, first, last, fate);
    for (uint64_t number = first; number <= last; number++)
        model->fates[number] = fate;
}

/* What it remembers is right, and it forgets only from the old end. */
static void check(const struct model *model)
{
    bool remembered = false;
    for (uint64_t number = 1; number <= model->last; number++) {
        enum swale_fate fate = swale__ledger_get(&model->ledger, number);
        remembered |= fate != SWALE_FATE_FORGOTTEN;
        if (remembered)
            assert_int_equal(fate, model->fates[number]);
    }
    assert_true(model->ledger.count <= SWALE_FATES_MAX + 1);
    for (size_t i = 1; i < model->ledger.count; i++) {
        assert_true(model->ledger.runs[i].first > model->ledger.runs[i - 1].first);
        assert_int_not_equal(model->ledger.runs[i].fate, model->ledger.runs[i - 1].fate);
    }
    assert_int_equal(swale__ledger_get(&model->ledger, 0), SWALE_FATE_FORGOTTEN);
    assert_int_equal(swale__ledger_get(&model->ledger, model->last + 1), SWALE_FATE_FORGOTTEN);
}

static void test_against_a_model(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        static struct model model;
        uint32_t random = seed;
        begin(&model);
        for (int i = 0; i < 300; i++) {
            for (unsigned n = next_random(&random) % 5; n > 0; n--)
                add(&model);
            if (model.last == 0)
                continue;
            uint64_t first = 1 + next_random(&random) % model.last;
            uint64_t last = first + next_random(&random) % (model.last - first + 1);
            set(&model, first, last, (enum swale_fate)(next_random(&random) % SWALE_FATE_FORGOTTEN));
            if (i % 10 == 0)
                check(&model);
        }
        check(&model);
        assert_int_equal(swale__ledger_get(&model.ledger, 1), model.fates[1]); /* nothing was forgotten yet */
        done(&model);
    }
}

/* Neighbours that fare alike cost one run. */
static void test_alike(void **state)
{
    static struct model model;
    (void)state;
    begin(&model);
    for (int i = 1; i <= NUMBERS; i++) {
        add(&model);
        set(&model, model.last, model.last, SWALE_FATE_WRITTEN);
    }
    assert_int_equal(model.ledger.count, 1);
    set(&model, 100, NUMBERS, SWALE_FATE_UNKNOWN);
    assert_int_equal(model.ledger.count, 2);
    check(&model);
    done(&model);
}

static void test_bounded(void **state)
{
    static struct model model;
    (void)state;
    begin(&model);
    for (int i = 1; i <= NUMBERS; i++) {
        add(&model);
        set(&model, model.last, model.last, i % 2 ? SWALE_FATE_WRITTEN : SWALE_FATE_UNKNOWN);
    }
    check(&model);
    assert_int_equal(model.ledger.count, SWALE_FATES_MAX);
    assert_int_equal(swale__ledger_get(&model.ledger, NUMBERS - SWALE_FATES_MAX), SWALE_FATE_FORGOTTEN);
    assert_int_equal(swale__ledger_get(&model.ledger, NUMBERS - SWALE_FATES_MAX + 1), SWALE_FATE_WRITTEN);
    set(&model, 1, 10, SWALE_FATE_REFUSED); /* long forgotten */
    check(&model);
    done(&model);
}

/* Without memory for more it forgets sooner. */
static void test_out_of_memory(void **state)
{
    static struct model model;
    (void)state;
    begin(&model);
    model.memory.fail_at = 1;
    assert_int_equal(swale__ledger_prepare(&model.ledger), -12);
    model.memory.fail_at = 3;
    for (int i = 1; i <= 100; i++) {
        model.memory.allocations = i > 1 ? 2 : 1;
        add(&model);
        set(&model, model.last, model.last, i % 2 ? SWALE_FATE_WRITTEN : SWALE_FATE_UNKNOWN);
        check(&model);
    }
    assert_int_equal(swale__ledger_get(&model.ledger, 100), SWALE_FATE_UNKNOWN);
    assert_int_equal(swale__ledger_get(&model.ledger, 97), SWALE_FATE_WRITTEN);
    assert_int_equal(swale__ledger_get(&model.ledger, 50), SWALE_FATE_FORGOTTEN);
    done(&model);
}

/* Changes amid what is remembered push the oldest out, too. */
static void test_bounded_amid(void **state)
{
    (void)state;
    static struct model model;
    begin(&model);
    while (model.last < NUMBERS)
        add(&model);
    for (uint64_t number = 2; number < NUMBERS; number += 2) {
        set(&model, number, number, SWALE_FATE_WRITTEN);
        assert_true(model.ledger.count <= SWALE_FATES_MAX);
    }
    check(&model);
    assert_int_equal(model.ledger.count, SWALE_FATES_MAX);
    assert_int_equal(swale__ledger_get(&model.ledger, 1), SWALE_FATE_FORGOTTEN);
    assert_int_equal(swale__ledger_get(&model.ledger, NUMBERS - 2), SWALE_FATE_WRITTEN);
    done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model), cmocka_unit_test(test_alike),         cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_bounded_amid),    cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("client.ledger", tests, NULL, NULL);
}
