/* exchange_bed.h - a server whose routes have handlers and hooks that note what they see and do what a test tells
 * them. */
#ifndef SWALE_TEST_EXCHANGE_BED_H
#define SWALE_TEST_EXCHANGE_BED_H

#include "bed.h"

/* What the handlers saw, and what the hooks are to do. */
struct exchange_seen {
    int opened, closed, close_reason;
    int lent, released;
    void *user;
    char subprotocol[32];
    struct swale_exchange *held;
    enum swale_verdict verdict;
    void (*act)(struct swale_exchange *exchange);
};
extern struct exchange_seen seen;

/* Sends back what comes. */
extern const struct swale_handler echo;

/* Users of connections: of the routes, and one that a hook may set. */
extern int route_user, hook_user;

/* The whole answer to upgrade_request. */
extern const char switching[];

/* Routes: /echo, /hook/{room}, /plain/{id}/ and more behind it, /chat and /strict (subprotocols), /small (messages),
 * /packed (deflate). */
void begin(struct bed *bed);
void begin_with(struct bed *bed, const struct swale_server_options *options);

/* An act: the connection's user is lent to it, and released when it goes. */
void lend(struct swale_exchange *exchange);

void say_frame(struct peer *peer, unsigned first_byte, const void *payload, size_t size);
uint64_t handshaking(struct bed *bed);
uint64_t open_now(struct bed *bed);

#endif
