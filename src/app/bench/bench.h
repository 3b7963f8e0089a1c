/* bench.h - `swale bench`. */
#ifndef SWALE_APP_BENCH_H
#define SWALE_APP_BENCH_H

/* Returns the exit status: 0 with results, also after Ctrl-C; 1 when there are none; 2 for wrong usage; 3 when a
 * message was not what --verify wanted, or did not come. */
int bench_run(int count, char **arguments);

#endif
