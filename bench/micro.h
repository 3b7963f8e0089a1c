/* micro.h - what the micro benchmarks share: a cell is some work that is repeated and timed.
 *
 *     micro.c         the clock, the choice of cells, the report
 *     micro_proto.c   what has no I/O: masks, UTF-8, heads, frames, the opening handshake
 *     micro_live.c    what lives on a loop: timers, connections, topics, the server; over streams that swallow
 *                     everything, so that no figure holds the kernel's part
 */
#ifndef SWALE_BENCH_MICRO_H
#define SWALE_BENCH_MICRO_H

#include <swale/swale.h>

struct micro {
    const char *name; /* of the cell; several sizes share one */
    size_t size;      /* of the message or head; 0 for none */
    bool rate;        /* all of it is read or written, so that bytes a second mean something */
    size_t times;     /* operations in one call of work */
    void (*work)(void *context);
    void *context;
};

/* Whether the command line asks for the cell of this name: for those that are dear to prepare. */
bool micro_wanted(const char *name);

/* Measures one cell and reports it, if it is asked for. */
void micro_run(const struct micro *cell);

/* Ends the program when something does not do what it should: what is fast and wrong is not measured. */
void micro_require(bool good, const char *what);

void micro_proto(void);
void micro_live(void);

#endif
