/* resolve.h - names to addresses, by c-ares, for the files of this layer. connect.h has how a resolver is made.
 *
 *     lookup --ares_getaddrinfo--> channel --sockets--> watches of the loop
 *        ^                            |------timeouts--> one timer
 *        +-----put off------- answer -+
 *
 * c-ares calls back from within nearly all of its calls. What it says is only noted there, and told when it has
 * returned: so a user of a lookup may do anything, and no call of c-ares is ever made from within another.
 *
 * A channel lives while there are lookups and no longer. Each burst of them therefore finds the system's settings as
 * they are then, comes from a port that was not used before, and leaves nothing behind.
 */
#ifndef SWALE_IO_RESOLVE_H
#define SWALE_IO_RESOLVE_H

#include "io/address.h"
#include "io/connect.h"

/* Valid during the call. */
struct swale__answer {
    int error;        /* SWALE_ERR_RESOLVE, -ENOMEM */
    bool no_data;     /* the name exists, but has no such address */
    const char *text; /* why, for people: "Domain name not found" */
    const struct swale__address *addresses;
    size_t count;
};

/* Asks for the addresses of one family; `port` is put into them. The answer comes once, never from within, and the
 * lookup is gone then. Only for names that swale__is_host_name takes. -ENOMEM. */
struct swale__lookup;
int swale__lookup(struct swale__lookup **out, struct swale__resolver *resolver, const char *name, int family,
                  uint16_t port, void (*on_answer)(void *context, const struct swale__answer *answer), void *context);

/* No answer comes any more. */
void swale__lookup_cancel(struct swale__lookup *lookup);

/* Letters, digits, '-', '_' and '.' (RFC 1123 section 2.1, and what people use), at most 253 bytes and a final dot.
 * Whether its labels are well-formed is for c-ares to say. */
bool swale__is_host_name(struct swale_span name);

#endif
