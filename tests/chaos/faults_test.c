/* faults_test.c - minutes of virtual time in which everything goes wrong that can go wrong between a thousand clients
 * and their server, from a seed; after which all is well, and the books (crowd.h) agree. */
#include "test.h"

#include "bed.h"

#include <stdlib.h>

static struct bed *begin(uint64_t seed)
{
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    bed->crowd.talking = true;
    bed->crowd.every_ms = 2000;
    bed_begin(bed, seed);
    assert_true(bed_until(bed, bed_all_open, 1000));
    return bed;
}

/* ---- Faults of the whole -------------------------------------------------------------------------------- */

/* Killed: everything is cut, and nobody listens for a while. */
static void kill_server(struct bed *bed, uint64_t ms)
{
    bed->network.shut = true;
    network_harm(&bed->network, FAULT_RESET, 1000);
    test_loop_advance(&bed->loop, ms);
    bed->network.shut = false;
}

static void refuse(struct bed *bed, uint64_t ms)
{
    bed->network.refusing = true;
    network_harm(&bed->network, FAULT_RESET, 1000);
    test_loop_advance(&bed->loop, ms);
    bed->network.refusing = false;
}

static void stall(struct bed *bed, uint64_t ms)
{
    network_freeze(&bed->network, true);
    test_loop_advance(&bed->loop, ms);
    network_freeze(&bed->network, false);
}

static void overload(struct bed *bed, uint64_t ms)
{
    bed->board.unavailable = true;
    bed->board.retry_after_s = 1 + dice_roll(&bed->network.dice, 5);
    network_harm(&bed->network, FAULT_RESET, 500);
    test_loop_advance(&bed->loop, ms);
    bed->board.unavailable = false;
}

static void restart(struct bed *bed, uint64_t ms)
{
    bed->board.hanging_up = true;
    test_loop_advance(&bed->loop, ms / 4);
    bed->board.hanging_up = false;
}

/* ---- From a seed ----------------------------------------------------------------------------------------- */

static void suffer(struct bed *bed)
{
    static void (*const wholes[])(struct bed * bed, uint64_t ms) = { kill_server, refuse, stall, overload, restart };
    struct dice *dice = &bed->network.dice;
    uint64_t ms = 1000 + dice_roll(dice, dice_roll(dice, 4) == 0 ? 45000 : 10000);
    uint32_t what = dice_roll(dice, 2 * COUNT_OF(wholes));
    if (what < COUNT_OF(wholes)) {
        wholes[what](bed, ms);
        return;
    }
    for (int i = 0; i < 5; i++) {
        network_harm(&bed->network, (enum fault)dice_roll(dice, FAULTS), dice_roll(dice, 300));
        test_loop_advance(&bed->loop, ms / 5);
    }
}

static void calm_down(struct bed *bed)
{
    network_harm(&bed->network, FAULT_HEAL, 1000);
    bed->crowd.talking = false;
    assert_true(bed_until(bed, crowd_content, 120000)); /* heartbeat, wait, Retry-After */
    assert_int_equal(bed->crowd.open, MEMBERS);
}

static void test_faults(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct bed *bed = begin(seed);
        uint64_t until = bed->loop.now_ms + 150000;
        while (bed->loop.now_ms < until) {
            suffer(bed);
            test_loop_advance(&bed->loop, dice_roll(&bed->network.dice, 8000));
        }
        calm_down(bed);
        bed_close(bed);
        crowd_judge(&bed->crowd);
        bed_free(bed);
        free(bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
