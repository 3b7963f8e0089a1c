/* progress.h - one line on a terminal that says how a load is getting on. */
#ifndef SWALE_APP_PROGRESS_H
#define SWALE_APP_PROGRESS_H

#include "app/bench/board.h"
#include "app/bench/plan.h"

#include <stdbool.h>

struct progress {
    const struct plan *plan;
    struct board *board;
    bool shown;             /* there is a terminal to show it on */
    uint64_t started;       /* ns; 0 while connections are being opened */
    uint64_t last, arrived; /* when it was shown last, and what had come by then */
};

/* On standard error, if that is a terminal. */
void progress_init(struct progress *progress, const struct plan *plan, struct board *board);
void progress_show(struct progress *progress, uint64_t now);

/* Takes the line away. */
void progress_clear(struct progress *progress);

/* What it shows, without the line's control characters. Returns the length. */
enum { PROGRESS_MAX = 160 };
size_t progress_text(struct progress *progress, uint64_t now, char *out);

#endif
