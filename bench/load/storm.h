/* storm.h - handshakes, one after the other. */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

/* Keeps plan.connections handshakes under way, resets what is open, and measures. */
void storm_run(void);

#endif
