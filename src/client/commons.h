/* commons.h - what all clients of one loop share: the resolver, the random pool, the default trust, and the groups of
 * their connections (conn/conn.h), one for each set of limits.
 *
 * Made by the first client of a loop, gone with the last; found through the loop's slot.
 */
#ifndef SWALE_CLIENT_COMMONS_H
#define SWALE_CLIENT_COMMONS_H

#include "conn/conn.h"
#include "io/connect.h"

#include <swale/client.h>

struct swale__commons;

/* With a reference for the caller. -ENOMEM. */
int swale__commons_take(struct swale__commons **out, struct swale_loop *loop);
void swale__commons_release(
    struct swale__commons *commons); /* at the end of a turn or outside any, not from callbacks */

/* These last as long as the commons. */
int swale__commons_resolver(struct swale__commons *commons, const char *servers, struct swale__resolver **resolver);
int swale__commons_trust(struct swale__commons *commons, struct swale_tls **tls, char *message);
int swale__commons_group(struct swale__commons *commons, const struct swale_limits *limits,
                         struct swale__conn_group **group);

/* Unpredictable bytes (the context is the commons), drawn from the system's generator in batches (RFC 6455
 * section 10.3: masks). */
void swale__commons_random(void *context, void *out, size_t size);

#endif
