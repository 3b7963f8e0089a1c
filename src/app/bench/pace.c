#include "app/bench/pace.h"

enum { SECOND = 1000000000 };

/* Whole seconds are taken out first: what is left, times the rate, fits into 64 bits. */
uint64_t pace_time(const struct pace *pace, uint64_t n)
{
    uint64_t number = pace->first + n * pace->step;
    uint64_t seconds = number / pace->rate;
    uint64_t rest = number % pace->rate;
    return pace->start + seconds * SECOND + rest * SECOND / pace->rate;
}

/* Numbers k with floor(k * SECOND / rate) <= elapsed: there are ceil((elapsed + 1) * rate / SECOND) of them. */
static uint64_t due_in_all(const struct pace *pace, uint64_t elapsed)
{
    uint64_t seconds = (elapsed + 1) / SECOND;
    uint64_t rest = (elapsed + 1) % SECOND;
    return seconds * pace->rate + (rest * pace->rate + SECOND - 1) / SECOND;
}

uint64_t pace_due(const struct pace *pace, uint64_t now)
{
    if (now < pace->start)
        return 0;
    uint64_t due = due_in_all(pace, now - pace->start);
    return due > pace->first ? (due - pace->first - 1) / pace->step + 1 : 0;
}
