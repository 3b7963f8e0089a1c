#include "test.h"

#include "app/serve/scores.h"

#include <stdio.h>
#include <string.h>

struct seen {
    unsigned number, home_score, away_score, minute;
    char event[8];
};

static struct seen read_back(const char *json)
{
    struct seen seen;
    assert_int_equal(sscanf(json,
                            "{\"match\":%u,\"home\":\"%*[A-Za-z ]\",\"away\":\"%*[A-Za-z ]\",\"score\":[%u,%u],"
                            "\"minute\":%u,\"event\":\"%7[a-z]\"}",
                            &seen.number, &seen.home_score, &seen.away_score, &seen.minute, seen.event),
                     5);
    return seen;
}

/* A match goes on until it ends, minute by minute, its score growing by what is told; then another begins. */
static void plays_matches_to_their_end(void **state)
{
    (void)state;
    struct scores scores;
    struct seen last[SCORES_MATCHES] = { 0 };
    unsigned goals = 0, ends = 0, newest = SCORES_MATCHES;
    scores_init(&scores, 1);
    for (int minute = 0; minute < 1000; minute++) {
        for (unsigned n = 0; n < SCORES_MATCHES; n++) {
            char buffer[512];
            struct text text;
            text_init(&text, buffer, sizeof buffer);
            scores_play(&scores, n, &text);
            assert_false(text.full);
            struct seen seen = read_back(text.data);
            bool ended = strcmp(last[n].event, "end") == 0;
            unsigned goal = strcmp(seen.event, "goal") == 0;
            if (ended)
                assert_int_equal(seen.number, ++newest);
            if (!ended && minute > 0) {
                assert_int_equal(seen.number, last[n].number);
                assert_int_equal(seen.minute, last[n].minute + 1);
                assert_int_equal(seen.home_score + seen.away_score, last[n].home_score + last[n].away_score + goal);
            }
            goals += goal;
            ends += strcmp(seen.event, "end") == 0;
            last[n] = seen;
        }
    }
    assert_in_range(ends, 40, 50);
    assert_in_range(goals, 60, 240);
}

static void no_team_plays_twice(void **state)
{
    (void)state;
    struct scores scores;
    scores_init(&scores, 2);
    for (int minute = 0; minute < 1000; minute++) {
        unsigned teams = 0;
        for (unsigned n = 0; n < SCORES_MATCHES; n++) {
            char buffer[512];
            struct text text;
            text_init(&text, buffer, sizeof buffer);
            scores_play(&scores, n, &text);
        }
        for (unsigned n = 0; n < SCORES_MATCHES; n++)
            teams |= 1u << scores.matches[n].home | 1u << scores.matches[n].away;
        assert_int_equal(__builtin_popcount(teams), 2 * SCORES_MATCHES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plays_matches_to_their_end),
        cmocka_unit_test(no_team_plays_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
