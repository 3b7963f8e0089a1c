/* socket.h - a stream over a connected socket, TCP or unix. */
#ifndef SWALE_IO_SOCKET_H
#define SWALE_IO_SOCKET_H

#include "base/pool.h"
#include "io/address.h"
#include "io/stream.h"

/* All sockets of a loop come from pools of it: those of IPv6, with their longer addresses, and the others. */
void swale__socket_pools_init(struct swale__pool pools[2], const struct swale_allocator *allocator);

/* Switches Nagle's algorithm off: all of a turn leaves in one write, and there is nothing that it could gather. What
 * a listening socket accepts has it from there. */
void swale__socket_undelay(int fd);

/* The descriptor, which was accepted, is the stream's from then on, also on failure, when it is closed. -errno:
 * -ENOTCONN for a connection that its peer has reset already. */
int swale__socket_open(struct swale__stream **stream, struct swale_loop *loop, int fd);

/* Zeroed: the system's choices. */
struct swale__socket_options {
    const struct swale__address *local; /* to come from, whose port may be 0; NULL for any */
    uint32_t user_timeout_ms;           /* TCP_USER_TIMEOUT (RFC 5482): how long sent bytes may stay unacknowledged */
};

/* Begins to connect. A failure that is known at once is returned; otherwise the stream takes no bytes until
 * on_written(0) has come, or on_fail. `options` may be NULL. */
int swale__socket_connect(struct swale__stream **stream, struct swale_loop *loop,
                          const struct swale__address *address, const struct swale__socket_options *options);

#endif
