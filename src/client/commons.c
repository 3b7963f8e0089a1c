/* commons.c - what all clients of one loop share.
 *
 * It goes with its last client. Within a turn it cannot go, and there may be connections that are still ending in
 * peace: then it stays behind, as one of the loop's leftovers, until the last of them is gone or the loop is. A
 * client that comes meanwhile takes it up again.
 */
#include "client/state.h"

#include "base/apart.h"

#include <openssl/rand.h>
#include <sys/random.h>

/* Masks for so many frames are drawn at once: RAND_bytes costs the same for 4 bytes as for a hundred. */
enum { POOL_SIZE = 4096, MASK_SIZE = 4 };

struct group {
    struct group *next;
    struct swale_limits limits;
    struct swale__conn_group *group;
};

struct resolver {
    struct resolver *next;
    struct swale__resolver *resolver;
    size_t size;
    char servers[]; /* "" for the system's */
};

struct swale__commons {
    struct swale_loop *loop;
    const struct swale_allocator *allocator;
    size_t clients;
    struct group *groups;
    struct resolver *resolvers;
    struct swale_tls *trust;
    struct swale__conn_counters counters;
    struct swale__work work; /* being freed */
    struct swale__leftover leftover;
    size_t pool_left;
    unsigned char pool[POOL_SIZE];
};

/* ---- Randomness ------------------------------------------------------------------------------------- */

/* OpenSSL's generator fails when it cannot be seeded; the system's, with these arguments, only where there is none.
 */
static void draw(void *out, size_t size)
{
    if (RAND_bytes(out, (int)size) == 1)
        return;
    for (size_t had = 0; had < size;) {
        ssize_t n = getrandom((char *)out + had, size - had, 0);
        had += n > 0 ? (size_t)n : 0;
    }
}

/* Any size. What was handed out is wiped, so that the masks of the past cannot be read from memory. */
SWALE__APART static void hand_out(struct swale__commons *commons, void *out, size_t size)
{
    if (size > POOL_SIZE) {
        draw(out, size);
        return;
    }
    if (commons->pool_left < size) {
        draw(commons->pool, POOL_SIZE);
        commons->pool_left = POOL_SIZE;
    }
    commons->pool_left -= size;
    memcpy(out, commons->pool + commons->pool_left, size);
    memset(commons->pool + commons->pool_left, 0, size);
}

/* For a mask, which every message needs, without calls. */
void swale__commons_random(void *context, void *out, size_t size)
{
    struct swale__commons *commons = context;
    if (size != MASK_SIZE || commons->pool_left < MASK_SIZE) {
        hand_out(commons, out, size);
        return;
    }
    commons->pool_left -= MASK_SIZE;
    unsigned char *from = commons->pool + commons->pool_left;
    memcpy(out, from, MASK_SIZE);
    memset(from, 0, MASK_SIZE);
}

/* ---- Coming and going ------------------------------------------------------------------------------- */

static size_t count_conns(const struct swale__commons *commons)
{
    size_t count = 0;
    for (const struct group *at = commons->groups; at; at = at->next)
        count += swale__conn_group_count(at->group);
    return count;
}

static void free_commons(struct swale__commons *commons)
{
    const struct swale_allocator *allocator = commons->allocator;
    swale__loop_take_back(commons->loop, &commons->leftover);
    while (commons->groups) {
        struct group *group = commons->groups;
        commons->groups = group->next;
        swale__conn_group_free(group->group);
        swale__free(allocator, group, sizeof *group);
    }
    while (commons->resolvers) {
        struct resolver *resolver = commons->resolvers;
        commons->resolvers = resolver->next;
        swale__resolver_free(resolver->resolver);
        swale__free(allocator, resolver, sizeof *resolver + resolver->size);
    }
    swale_tls_unref(commons->trust);
    swale__loop_forget(commons->loop, &commons->work); /* the last connection may have asked for it */
    *swale__loop_slot(commons->loop) = NULL;
    swale__free(allocator, commons, sizeof *commons);
}

/* In a turn of its own: a connection that is gone needs its group until the end of the turn. */
static void run_free(struct swale__work *work)
{
    struct swale__commons *commons = SWALE__LIST_OWNER(work, struct swale__commons, work);
    if (commons->clients == 0 && count_conns(commons) == 0)
        free_commons(commons);
}

/* The loop goes, or has too many leftovers. Within a turn the connections have to end by themselves. */
static void drop(struct swale__leftover *leftover)
{
    struct swale__commons *commons = SWALE__LIST_OWNER(leftover, struct swale__commons, leftover);
    if (!swale__loop_here(commons->loop)) {
        free_commons(commons);
        return;
    }
    for (const struct group *at = commons->groups; at; at = at->next)
        swale__conn_group_abort_all(at->group);
    swale__loop_leave(commons->loop, leftover);
}

static void on_released(void *context, void *owner)
{
    struct swale__commons *commons = context;
    (void)owner; /* it may be gone already */
    if (commons->clients == 0 && count_conns(commons) == 0)
        swale__loop_at_next(commons->loop, &commons->work);
}

int swale__commons_take(struct swale__commons **out, struct swale_loop *loop)
{
    struct swale__commons *commons = *swale__loop_slot(loop);
    if (!commons) {
        commons = swale__alloc_zeroed(swale__loop_allocator(loop), sizeof *commons);
        if (!commons)
            return -ENOMEM;
        commons->loop = loop;
        commons->allocator = swale__loop_allocator(loop);
        commons->work.run = run_free;
        commons->leftover.drop = drop;
        swale__list_init(&commons->leftover.node);
        *swale__loop_slot(loop) = commons;
    }
    swale__loop_take_back(loop, &commons->leftover);
    commons->clients++;
    *out = commons;
    return 0;
}

void swale__commons_release(struct swale__commons *commons)
{
    if (--commons->clients > 0)
        return;
    if (!swale__loop_here(commons->loop)) {
        free_commons(commons);
        return;
    }
    swale__loop_leave(commons->loop, &commons->leftover);
    swale__loop_at_next(commons->loop, &commons->work);
}

/* ---- What lasts as long as it does ------------------------------------------------------------------ */

static struct resolver *add_resolver(struct swale__commons *commons, const char *servers)
{
    size_t size = strlen(servers) + 1;
    struct resolver *made = swale__alloc_zeroed(commons->allocator, sizeof *made + size);
    if (!made)
        return NULL;
    memcpy(made->servers, servers, size);
    made->size = size;
    return made;
}

int swale__commons_resolver(struct swale__commons *commons, const char *servers, struct swale__resolver **resolver)
{
    const char *key = servers ? servers : "";
    struct resolver *at = commons->resolvers;
    while (at && strcmp(at->servers, key) != 0)
        at = at->next;
    if (!at) {
        at = add_resolver(commons, key);
        if (!at)
            return -ENOMEM;
        int error = swale__resolver_new(&at->resolver, commons->loop, servers);
        if (error) {
            swale__free(commons->allocator, at, sizeof *at + at->size);
            return error;
        }
        at->next = commons->resolvers;
        commons->resolvers = at;
    }
    *resolver = at->resolver;
    return 0;
}

int swale__commons_trust(struct swale__commons *commons, struct swale_tls **tls, char *message)
{
    static const struct swale_tls_options system;
    int error = commons->trust ? 0 : swale_tls_client(&commons->trust, &system, message);
    if (!error)
        *tls = commons->trust;
    return error;
}

static bool same_limits(const struct swale_limits *a, const struct swale_limits *b)
{
    return a->max_message == b->max_message && a->high_water == b->high_water && a->max_queue == b->max_queue &&
           a->max_fragments == b->max_fragments && a->max_inflate_ratio == b->max_inflate_ratio &&
           a->max_message_rate == b->max_message_rate && a->handshake_ms == b->handshake_ms &&
           a->ping_after_ms == b->ping_after_ms && a->gone_after_ms == b->gone_after_ms && a->idle_ms == b->idle_ms &&
           a->close_wait_ms == b->close_wait_ms && a->compress_threshold == b->compress_threshold;
}

/* Where a group's ids begin. They must be unique in the process, and there is no place where the process could keep
 * count: so each group begins at 62 random bits, behind the highest bit, which no server's id has as long as workers
 * and groups of limits multiply to less than 32768. Two groups that make a billion connections each come upon the
 * same number with a chance of 2^-31. */
static uint64_t first_id(struct swale__commons *commons)
{
    uint64_t id;
    swale__commons_random(commons, &id, sizeof id);
    return (id >> 2) | (uint64_t)1 << 63;
}

static int add_group(struct swale__commons *commons, const struct swale_limits *limits)
{
    struct group *made = swale__alloc_zeroed(commons->allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->limits = *limits;
    struct swale__conn_group_options options = {
        .loop = commons->loop,
        .allocator = commons->allocator,
        .limits = limits,
        .role = SWALE_CLIENT,
        .counters = &commons->counters,
        .random = swale__commons_random,
        .random_context = commons,
        .first_id = first_id(commons),
        .on_released = on_released,
        .on_progress = swale__client_progress,
        .first_behind = swale__client_first_behind,
        .context = commons,
    };
    int error = swale__conn_group_new(&made->group, &options);
    if (error) {
        swale__free(commons->allocator, made, sizeof *made);
        return error;
    }
    made->next = commons->groups;
    commons->groups = made;
    return 0;
}

int swale__commons_group(struct swale__commons *commons, const struct swale_limits *limits,
                         struct swale__conn_group **group)
{
    struct group *at = commons->groups;
    while (at && !same_limits(&at->limits, limits))
        at = at->next;
    int error = at ? 0 : add_group(commons, limits);
    if (!error)
        *group = (at ? at : commons->groups)->group;
    return error;
}
