/* micro.c - the primitives, one at a time, and the paths through the library without the kernel.
 *
 *     micro [--json] [CELL...]     all cells, or those that are named
 *
 * Reported is the best of several runs, which is the figure that disturbances can only make worse. */
#include "micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 7 };
static const double run_seconds = 0.03;

static struct {
    char *const *cells; /* what the command line names; none for all */
    int count;
    bool json;
    int reported;
} plan;

void micro_require(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "micro: %s went wrong\n", what);
    exit(1);
}

bool micro_wanted(const char *name)
{
    for (int i = 0; i < plan.count; i++)
        if (strcmp(plan.cells[i], name) == 0)
            return true;
    return plan.count == 0;
}

/* The thread's own time, so that what others do on the machine counts as little as it can. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds for one operation in a run. */
static double run_once(const struct micro *cell, unsigned calls_between)
{
    unsigned long calls = 0;
    double start = now(), took;
    do {
        for (unsigned i = 0; i < calls_between; i++)
            cell->work(cell->context);
        calls += calls_between;
        took = now() - start;
    } while (took < run_seconds);
    return took / ((double)calls * (double)cell->times);
}

/* How many calls there may be between two looks at the clock: some 100 microseconds' worth. It also warms up. */
static unsigned calibrate(const struct micro *cell)
{
    unsigned calls = 1;
    for (;; calls *= 2) {
        double start = now();
        for (unsigned i = 0; i < calls; i++)
            cell->work(cell->context);
        if (now() - start > 100e-6)
            return calls;
    }
}

static void report(const struct micro *cell, double seconds)
{
    double ns = seconds * 1e9;
    const char *before = plan.reported++ ? ",\n" : "";
    if (plan.json)
        printf("%s  {\"cell\": \"%s\", \"bytes\": %zu, \"ns\": %.2f}", before, cell->name, cell->size, ns);
    else if (cell->rate)
        printf("%-16s %7zu B %9.1f ns %8.1f GB/s\n", cell->name, cell->size, ns, (double)cell->size / ns);
    else if (cell->size > 0)
        printf("%-16s %7zu B %9.1f ns\n", cell->name, cell->size, ns);
    else
        printf("%-16s %19.1f ns\n", cell->name, ns);
    fflush(stdout);
}

void micro_run(const struct micro *cell)
{
    if (!micro_wanted(cell->name))
        return;
    unsigned calls = calibrate(cell);
    double least = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double seconds = run_once(cell, calls);
        if (seconds < least)
            least = seconds;
    }
    report(cell, least);
}

int main(int count, char **arguments)
{
    plan.json = count > 1 && strcmp(arguments[1], "--json") == 0;
    plan.cells = arguments + 1 + plan.json;
    plan.count = count - 1 - plan.json;
    if (plan.json)
        printf("[\n");
    micro_proto();
    micro_live();
    if (plan.json)
        printf("\n]\n");
    micro_require(plan.reported > 0, "the choice of cells");
    return 0;
}
