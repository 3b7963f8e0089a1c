#include "app/serve/scores.h"

#include <swale/base.h>

static const char *const teams[] = {
    "Heron United",   "Sedge Town",      "Bittern Rovers", "Marsh Athletic", "Rushford City", "Avocet Wanderers",
    "Fenwick Albion", "Lapwing Rangers", "Reedham County", "Curlew Park",    "Osier Villa",   "Snipe Harriers",
};

enum { TEAMS = sizeof teams / sizeof teams[0], LAST_MINUTE = 90, MINUTES_PER_GOAL = 33 };

/* Good enough for a coin (an LCG of Knuth's), and the same for the same seed. */
static unsigned choose(struct scores *scores, unsigned below)
{
    scores->random = scores->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(scores->random >> 33) % below;
}

static bool is_playing(const struct scores *scores, unsigned team)
{
    for (unsigned n = 0; n < SCORES_MATCHES; n++) {
        const struct match *match = &scores->matches[n];
        if (match->number > 0 && (match->home == team || match->away == team))
            return true;
    }
    return false;
}

static unsigned choose_team(struct scores *scores)
{
    unsigned team = choose(scores, TEAMS);
    while (is_playing(scores, team))
        team = (team + 1) % TEAMS;
    return team;
}

static void kick_off(struct scores *scores, struct match *match)
{
    *match = (struct match){ 0 };
    unsigned home = choose_team(scores);
    *match = (struct match){ .number = ++scores->last_number, .home = home, .away = home };
    match->away = choose_team(scores);
}

/* The matches are under way when the first viewer comes. */
void scores_init(struct scores *scores, uint64_t seed)
{
    *scores = (struct scores){ .random = seed };
    for (unsigned n = 0; n < SCORES_MATCHES; n++) {
        kick_off(scores, &scores->matches[n]);
        scores->matches[n].minute = choose(scores, LAST_MINUTE - 10);
    }
}

static const char *pass_minute(struct scores *scores, struct match *match)
{
    match->minute++;
    if (match->minute >= LAST_MINUTE)
        return "end";
    if (choose(scores, MINUTES_PER_GOAL) != 0)
        return "tick";
    match->score[choose(scores, 5) < 3 ? 0 : 1]++; /* home teams score a little more often */
    return "goal";
}

void scores_play(struct scores *scores, unsigned n, struct text *out)
{
    struct match *match = &scores->matches[n];
    const char *event = pass_minute(scores, match);
    text_putf(out, "{\"match\":%u,\"home\":\"%s\",\"away\":\"%s\",\"score\":[%u,%u],\"minute\":%u,\"event\":\"%s\"}",
              match->number, teams[match->home], teams[match->away], match->score[0], match->score[1], match->minute,
              event);
    if (match->minute >= LAST_MINUTE)
        kick_off(scores, match);
}
