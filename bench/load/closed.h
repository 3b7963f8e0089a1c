/* closed.h - messages in a closed loop. */
#ifndef BENCH_CLOSED_H
#define BENCH_CLOSED_H

/* Keeps plan.depth messages in flight, on each connection (echo) or for all of them (fan-out), and measures. */
void closed_run(void);

/* Opens the connections, exchanges one message on each, says "ready", and holds them until standard input ends. */
void closed_idle(void);

#endif
