/* main.c - runs seeds: sim [SEEDS [FIRST_SEED]]. One seed alone tells everything that happens in it. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct totals {
    uint64_t runs, messages, acknowledged, published, connections, steps, clients, tls, shortages;
};

static bool run_one(struct sim *sim, uint64_t seed, struct totals *totals)
{
    char text[300];
    bool good = sim_run(sim, seed, SABOTAGE_NONE);
    totals->runs++;
    totals->messages += sim->messages;
    totals->acknowledged += sim->acknowledged;
    totals->published += sim->published;
    totals->connections += sim->connections;
    totals->steps += sim->steps;
    totals->clients += sim->plan.members;
    totals->tls += sim->plan.tls ? sim->connections : 0;
    totals->shortages += sim->shortages;
    sim_describe(sim, text, sizeof text);
    if (!good)
        printf("seed %" PRIu64 ": broken: %s: %s\n    %s\n    again, with all that happens: ./dev sim 1 %" PRIu64
               "\n",
               seed, sim->broken, sim->what, text, seed);
    else if (sim->verbose)
        printf("seed %" PRIu64 ": %s; digest %016" PRIx64 "\n", seed, text, sim->digest);
    return good;
}

int main(int argc, char **argv)
{
    static struct sim sim;
    struct totals totals = { 0 };
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    unsigned bad = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sim.verbose = seeds == 1;
    for (uint64_t seed = first; seed < first + seeds && bad < 10; seed++)
        bad += !run_one(&sim, seed, &totals);
    printf("%" PRIu64 " runs: %" PRIu64 " clients, %" PRIu64 " connections (%" PRIu64 " over TLS), %" PRIu64
           " allocations failed, %" PRIu64 " messages seen, %" PRIu64 " acknowledgements heard, %" PRIu64
           " publications, %" PRIu64 " turns; %u broken\n",
           totals.runs, totals.clients, totals.connections, totals.tls, totals.shortages, totals.messages,
           totals.acknowledged, totals.published, totals.steps, bad);
    return bad > 0;
}
