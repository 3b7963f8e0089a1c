/* open.h - messages in an open loop: they leave at fixed times, whatever became of those before. */
#ifndef BENCH_OPEN_H
#define BENCH_OPEN_H

/* Echoes, plan.rate a second on all connections in turn; measures how long after it was meant to leave each came
 * back. */
void open_run(void);

#endif
