/* scores.h - matches that are never played, for the demo's score ticker. */
#ifndef SWALE_APP_SCORES_H
#define SWALE_APP_SCORES_H

#include "app/text.h"

#include <stdint.h>

enum { SCORES_MATCHES = 4 };

struct match {
    unsigned number, home, away; /* teams by their place in a list */
    unsigned score[2], minute;
};

struct scores {
    uint64_t random;
    unsigned last_number;
    struct match matches[SCORES_MATCHES];
};

void scores_init(struct scores *scores, uint64_t seed);

/* One minute passes in the nth match; `out` receives what is to be told of it, as demo/README.md says. A match that
 * has ended makes room for another. */
void scores_play(struct scores *scores, unsigned n, struct text *out);

#endif
