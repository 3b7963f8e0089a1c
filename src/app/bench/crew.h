/* crew.h - the processes of a load: started, led through their stages, stopped by Ctrl-C, and waited for. */
#ifndef SWALE_APP_CREW_H
#define SWALE_APP_CREW_H

#include "app/bench/board.h"
#include "app/bench/plan.h"

struct crew_end {
    bool interrupted; /* by SIGINT or SIGTERM; by a second one, roughly */
    uint32_t dead;    /* ended without results */
};

/* Runs the plan to its end, which leaves the results on the board. The process may have no other threads. 0, or
 * -errno when no process could be started. */
int crew_run(const struct plan *plan, struct board *board, struct crew_end *end);

#endif
