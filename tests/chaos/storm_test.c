/* storm_test.c - a thousand clients lose their server at the same moment. How they come back, with the default policy
 * and nothing but its own chance.
 *
 * The measure is the tries that really begin (and that the network really sees), in windows of 100 ms since the
 * server went. A client's backoff passes 5 s with its fifth try, which is waited for under a ceiling of 8 s (0.5 s *
 * 2^4).
 *
 * That no window gets more than 3% of the storm is held for every storm
 *   - from when all of the thousand have come back from a wait under such a ceiling, whatever is tried from then on;
 *   - and for each round by itself: their fifth tries, their sixth, and so on.
 * By chance alone (20,000 storms of the policy's arithmetic) the busiest window of the former had at most 26 tries,
 * and one storm in 7000 had a round with more than 30.
 *
 * While they come back from there it is harder: their fifth tries, spread over more than 8 s, meet some of the sixth
 * and seventh, so that about 17 fall into each of the busiest windows: 1.7% of the storm. A window's count scatters
 * around that by its root, so that the busiest of the 600 windows of a minute has some 26, and by chance alone in one
 * storm of 30 or so a window has more than 30. There 3% is held for the typical one of the storms, and none may
 * come near 4%, which chance would take ages to bring about.
 */
#include "test.h"

#include "bed.h"

#include <stdlib.h>

enum { STORMS = 50, SECONDS = 60, WINDOWS = SECONDS * 10, CEILING_MS = 5000, ROUNDS = 64 };

enum { MOST = MEMBERS * 3 / 100 }; /* in a window */

struct storm {
    struct bed bed;
    uint64_t began_ms;
    unsigned counts[WINDOWS];         /* under a ceiling above 5 s */
    unsigned rounds[ROUNDS][WINDOWS]; /* the same, by what number of the client's it was */
    unsigned all[WINDOWS];            /* whatever the ceiling */
    uint32_t failures[MEMBERS];
    bool passed[MEMBERS];                 /* has tried under such a ceiling */
    unsigned passed_count, passed_window; /* how many have; the first window behind the last of them */
};

static uint32_t ceiling(uint32_t failures)
{
    uint32_t doubled = failures > 6 ? 30000 : 500u << (failures > 0 ? failures - 1 : 0);
    return doubled < 30000 ? doubled : 30000;
}

static struct storm *storm_of(struct crowd *crowd)
{
    return (struct storm *)((char *)crowd - offsetof(struct storm, bed.crowd));
}

static void note_retry(struct crowd *crowd, struct member *member, const struct swale_client_retry *retry)
{
    storm_of(crowd)->failures[member->id] = retry->failures;
    assert_true(retry->delay_ms >= 0);
    if (retry->retry_after_ms < 0)
        assert_true(retry->delay_ms <= ceiling(retry->failures));
}

static void note_passed(struct storm *storm, unsigned id, unsigned window)
{
    if (storm->passed[id])
        return;
    storm->passed[id] = true;
    storm->passed_count++;
    storm->passed_window = window + 1;
}

static void note_try(struct crowd *crowd, struct member *member)
{
    struct storm *storm = storm_of(crowd);
    if (storm->began_ms == 0)
        return;
    uint64_t window = (swale_loop_now(crowd->loop) - storm->began_ms) / 100;
    uint32_t failures = storm->failures[member->id];
    if (window >= WINDOWS)
        return;
    storm->all[window]++;
    if (ceiling(failures) <= CEILING_MS)
        return;
    assert_true(failures < ROUNDS);
    storm->counts[window]++;
    storm->rounds[failures][window]++;
    note_passed(storm, member->id, (unsigned)window);
}

static struct storm *begin(uint64_t seed)
{
    struct storm *storm = calloc(1, sizeof *storm);
    assert_non_null(storm);
    storm->bed.crowd.on_try = note_try;
    storm->bed.crowd.on_retry = note_retry;
    bed_begin(&storm->bed, seed);
    assert_true(bed_until(&storm->bed, bed_all_open, 1000));
    test_loop_advance(&storm->bed.loop, 70000); /* long enough to be healthy */
    assert_int_equal(storm->bed.crowd.open, MEMBERS);
    return storm;
}

static void lose_server(struct storm *storm)
{
    storm->began_ms = storm->bed.loop.now_ms;
    network_harm(&storm->bed.network, FAULT_RESET, 1000);
}

static void end(struct storm *storm)
{
    bed_close(&storm->bed);
    bed_free(&storm->bed);
    free(storm);
}

/* ---- Nobody is there ------------------------------------------------------------------------------------ */

static unsigned largest(const unsigned *counts, unsigned from, unsigned to)
{
    unsigned most = 0;
    for (unsigned i = from; i < to; i++)
        most = counts[i] > most ? counts[i] : most;
    return most;
}

static unsigned largest_round(const struct storm *storm)
{
    unsigned most = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned largest_here = largest(storm->rounds[i], 0, WINDOWS);
        most = largest_here > most ? largest_here : most;
    }
    return most;
}

/* The busiest windows of a storm. */
struct peaks {
    unsigned behind; /* from when all had passed 5 s */
    unsigned round;  /* of one round */
    unsigned mixed;  /* of all rounds behind 5 s, at any time */
};

static struct peaks blow(uint64_t seed)
{
    struct storm *storm = begin(seed);
    uint64_t tries = storm->bed.crowd.tries, accepted = storm->bed.network.accepted;
    storm->bed.network.refusing = true;
    lose_server(storm);
    test_loop_advance(&storm->bed.loop, SECONDS * 1000);
    assert_int_equal(storm->bed.crowd.tries - tries, storm->bed.network.accepted - accepted);
    storm->bed.network.refusing = false;
    assert_true(bed_until(&storm->bed, bed_all_open, 35000));
    assert_int_equal(storm->passed_count, MEMBERS);
    assert_true(storm->passed_window < 160); /* 0.5 + 1 + 2 + 4 + 8 s: there is much behind it */
    struct peaks peaks = {
        .behind = largest(storm->all, storm->passed_window, WINDOWS),
        .round = largest_round(storm),
        .mixed = largest(storm->counts, 0, WINDOWS),
    };
    print_message(
        "storm %llu: at most %u in 100 ms once all had passed 5 s (%u s), %u of one round, %u of all rounds\n",
        (unsigned long long)seed, peaks.behind, storm->passed_window / 10, peaks.round, peaks.mixed);
    end(storm);
    return peaks;
}

static int by_size(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void test_reconnects_are_spread(void **state)
{
    int behind[STORMS], round[STORMS], mixed[STORMS];
    (void)state;
    for (int i = 0; i < STORMS; i++) {
        struct peaks peaks = blow((uint64_t)i + 1);
        behind[i] = (int)peaks.behind;
        round[i] = (int)peaks.round;
        mixed[i] = (int)peaks.mixed;
    }
    qsort(behind, STORMS, sizeof *behind, by_size);
    qsort(round, STORMS, sizeof *round, by_size);
    qsort(mixed, STORMS, sizeof *mixed, by_size);
    print_message("busiest window of %d, in the typical storm and in the worst of %d: %d and %d once all had passed "
                  "5 s, %d and %d of one round, %d and %d of all rounds\n",
                  MEMBERS, STORMS, behind[STORMS / 2], behind[STORMS - 1], round[STORMS / 2], round[STORMS - 1],
                  mixed[STORMS / 2], mixed[STORMS - 1]);
    assert_true(behind[STORMS - 1] <= MOST);
    assert_true(round[STORMS - 1] <= MOST);
    assert_true(mixed[STORMS / 2] <= MOST);
    assert_true(mixed[STORMS - 1] <= MEMBERS * 4 / 100);
}

/* ---- Somebody is there, and has no time ------------------------------------------------------------------ */

/* The server is back at once, and overloaded: everybody is told to come again in 10 s. They do not come together. */
static void test_retry_after_spreads(void **state)
{
    (void)state;
    struct storm *storm = begin(7);
    storm->bed.board.unavailable = true;
    storm->bed.board.retry_after_s = 10;
    lose_server(storm);
    test_loop_advance(&storm->bed.loop, 5000);
    assert_int_equal(storm->bed.board.refused, MEMBERS); /* all have asked once, and none twice */
    storm->bed.board.unavailable = false;
    assert_true(bed_until(&storm->bed, bed_all_open, 35000));
    assert_int_equal(largest(storm->all, 10, 100), 0); /* it was waited for */
    print_message("behind Retry-After: 10, at most %u of %d in 100 ms\n", largest(storm->all, 100, WINDOWS), MEMBERS);
    assert_true(largest(storm->all, 100, WINDOWS) <= MOST);
    end(storm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reconnects_are_spread),
        cmocka_unit_test(test_retry_after_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
