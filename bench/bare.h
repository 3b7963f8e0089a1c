/* bare.h - what the bare servers share: ceilings, which move the bytes of a WebSocket server over TCP and do nothing
 * else.
 *
 *     bare_echo|bare_uring PORT BYTES_IN BYTES_OUT [echo|fan-out]
 *
 * For every BYTES_IN bytes that a connection brings it gets BYTES_OUT back, or (fan-out) every other connection gets
 * them. One thread, no parsing, no limits, no timers, and an answer that never leaves its cache. Ends with its
 * standard input. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stdbool.h>
#include <stddef.h>

enum { BARE_CONNECTIONS = 32768 };

struct bare {
    size_t bytes_in, bytes_out;
    bool fan_out;
    int listener; /* what it accepts has TCP_NODELAY */
};

_Noreturn void bare_fail(const char *what);
struct bare bare_start(int argc, char **argv);

#endif
