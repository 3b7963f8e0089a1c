/* guard.h - who may come in: how many connections in all and from one address, and from which origins. */
#ifndef SWALE_SERVER_GUARD_H
#define SWALE_SERVER_GUARD_H

#include "base/map.h"

#include <swale/conn.h>
#include <swale/proto.h>

#include <pthread.h>
#include <stdatomic.h>

/* All connections of one address (an IPv6 /64, because that is what one customer has); or of those that do not count
 * by their address. A connection holds on to it from accept to its end, whether it speaks HTTP or WebSocket. */
struct swale__guest {
    struct swale__shard *shard; /* NULL for those without an address */
    uint64_t connections;
    unsigned char key[16];
};

/* Addresses are spread over shards, so that threads which accept at once rarely meet at a lock. It is taken
 * when a connection comes and when it goes, and never in between. */
enum { SWALE__SHARDS = 16 };

struct swale__shard {
    pthread_mutex_t lock;
    struct swale__map addresses;
};

struct swale__guard {
    const struct swale_allocator *allocator;
    uint64_t max_connections, max_per_address;
    _Atomic uint64_t connections;
    unsigned char seed[16];
    struct swale__guest anyone; /* those without an address */
    struct swale__shard shards[SWALE__SHARDS];
};

void swale__guard_init(struct swale__guard *guard, const struct swale_allocator *allocator,
                       const unsigned char seed[16]);
void swale__guard_done(struct swale__guard *guard);

/* Counts one more connection, from an address of 16 bytes (IPv4 as mapped into IPv6), or from none (NULL). 0 and
 * *guest; SWALE_ERR_TOO_MANY_CONNECTIONS, _TOO_MANY_FROM_ADDRESS or _NO_MEMORY, and nothing is counted. Any thread.
 */
int swale__guard_enter(struct swale__guard *guard, const unsigned char *address, struct swale__guest **guest);

/* Takes it back. NULL is allowed. Any thread. */
void swale__guard_leave(struct swale__guard *guard, struct swale__guest *guest);

/* RFC 6455 section 10.2: the origin policy. `origins` NULL stands for the same host as in Host. A request without
 * Origin is allowed: browsers always send one, and others can claim what they like. 0, or SWALE_ERR_ORIGIN. */
int swale__origin_check(const struct swale_request *request, const char *const *origins, size_t count);

#endif
