/* closed.h - messages in a closed loop. */
#ifndef BENCH_CLOSED_H
#define BENCH_CLOSED_H

/* Keep plan.depth messages in flight, on each connection (echo) or for all of them (fan-out), and measure. */
void closed_echo(void);
void closed_fan_out(void);

/* Opens the connections, exchanges one message on each, says "ready", and holds them until standard input ends. */
void closed_idle(void);

#endif
