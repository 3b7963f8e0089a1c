/* router.h - which route a path belongs to.
 *
 * Patterns form a tree, one level for each segment. At every level a literal is preferred to a parameter, and
 * a parameter to a wildcard; where a preferred branch leads nowhere the next one is tried.
 *
 *     (root) -+- "room" --- {} -+- "events"      /room/{id}/events
 *             |                 `- here          /room/{id}
 *             +- "files" -- *                    /files/(anything)
 *             `- "" here                         /
 *
 * A path is cut at its slashes first and decoded segment by segment, so that an encoded slash stays inside its
 * segment and can never make a path deeper than it was sent.
 */
#ifndef SWALE_SERVER_ROUTER_H
#define SWALE_SERVER_ROUTER_H

#include "server/arena.h"

#include <swale/base.h>

/* Deeper paths only match wildcards. */
enum { SWALE__SEGMENTS_MAX = 64, SWALE__PARAMS_MAX = 16 };

struct swale__path {
    struct swale_span raw;                           /* as sent, still encoded */
    size_t count;                                    /* segments; at most SWALE__SEGMENTS_MAX are listed below */
    struct swale_span segments[SWALE__SEGMENTS_MAX]; /* decoded */
    size_t offsets[SWALE__SEGMENTS_MAX];             /* where each begins in `raw` */
};

/* Cuts and decodes. `room` has raw.size bytes and must last as long as the segments. 0, or
 * SWALE_ERR_HTTP_TARGET: no leading slash, a bad escape, or a "." or ".." segment in whatever spelling. (Clients
 * resolve those before they send, RFC 3986 section 5.2.4; who does not is up to something.) */
int swale__path_split(struct swale__path *path, struct swale_span raw, char *room);

struct swale__node;

/* Zero it and set `arena`, where the tree lives. */
struct swale__router {
    struct swale__arena *arena;
    struct swale__node *root;
};

struct swale__match {
    size_t route;
    size_t param_count;
    struct swale_span params[SWALE__PARAMS_MAX]; /* in the order of the pattern, decoded */
    bool wildcard;
    size_t depth;           /* segments before the wildcard */
    struct swale_span rest; /* what the wildcard matched, still encoded */
};

/* SWALE_ERR_ROUTE when the pattern is malformed or taken, -ENOMEM. */
int swale__router_add(struct swale__router *router, const char *pattern, size_t route);

bool swale__router_find(const struct swale__router *router, const struct swale__path *path,
                        struct swale__match *match);

/* The position of the parameter called `name` among those of the pattern; -1 when there is none. */
int swale__pattern_param(const char *pattern, const char *name);

#endif
