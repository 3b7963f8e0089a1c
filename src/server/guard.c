#include "server/guard.h"

#include "base/hash.h"
#include "base/memory.h"

void swale__guard_init(struct swale__guard *guard, const struct swale_allocator *allocator,
                       const unsigned char seed[16])
{
    guard->allocator = allocator;
    memcpy(guard->seed, seed, sizeof guard->seed);
    for (size_t i = 0; i < SWALE__SHARDS; i++) {
        pthread_mutex_init(&guard->shards[i].lock, NULL);
        swale__map_init(&guard->shards[i].addresses, allocator, seed);
    }
}

void swale__guard_done(struct swale__guard *guard)
{
    for (size_t i = 0; i < SWALE__SHARDS; i++) {
        swale__map_done(&guard->shards[i].addresses);
        pthread_mutex_destroy(&guard->shards[i].lock);
    }
}

/* ---- Addresses -------------------------------------------------------------------------------------- */

/* What an address counts by: of IPv6 the /64. */
static void make_key(const unsigned char address[16], unsigned char key[16])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    memcpy(key, address, 16);
    if (memcmp(key, mapped, sizeof mapped) != 0)
        memset(key + 8, 0, 8);
}

/* Finds or makes the entry, and counts one more in it. The shard is locked. */
static int count_in_shard(struct swale__guard *guard, struct swale__shard *shard, const unsigned char key[16],
                          struct swale__guest **found)
{
    struct swale__guest *guest = swale__map_get(&shard->addresses, swale_span(key, 16));
    if (!guest) {
        guest = swale__alloc_zeroed(guard->allocator, sizeof *guest);
        if (!guest)
            return SWALE_ERR_NO_MEMORY;
        memcpy(guest->key, key, sizeof guest->key);
        guest->shard = shard;
        if (swale__map_put(&shard->addresses, swale_span(guest->key, 16), guest) != 0) {
            swale__free(guard->allocator, guest, sizeof *guest);
            return SWALE_ERR_NO_MEMORY;
        }
    }
    /* An entry that is new has no connection yet, and the limit is at least one: it is never left at none. */
    if (guest->connections >= guard->max_per_address)
        return SWALE_ERR_TOO_MANY_FROM_ADDRESS;
    guest->connections++;
    *found = guest;
    return 0;
}

static int count_address(struct swale__guard *guard, const unsigned char *address, struct swale__guest **found)
{
    unsigned char key[16];
    if (guard->max_per_address == SWALE_UNLIMITED || !address) {
        *found = &guard->anyone;
        return 0;
    }
    make_key(address, key);
    /* The high bits, because the shard's table uses the low ones. */
    struct swale__shard *shard = &guard->shards[swale__hash(guard->seed, swale_span(key, 16)) >> 60];
    pthread_mutex_lock(&shard->lock);
    int error = count_in_shard(guard, shard, key, found);
    pthread_mutex_unlock(&shard->lock);
    return error;
}

static void uncount_address(struct swale__guard *guard, struct swale__guest *guest)
{
    struct swale__shard *shard = guest->shard;
    if (!shard)
        return;
    pthread_mutex_lock(&shard->lock);
    bool last = --guest->connections == 0;
    if (last)
        swale__map_remove(&shard->addresses, swale_span(guest->key, 16));
    pthread_mutex_unlock(&shard->lock);
    if (last)
        swale__free(guard->allocator, guest, sizeof *guest);
}

/* ---- Guests ----------------------------------------------------------------------------------------- */

int swale__guard_enter(struct swale__guard *guard, const unsigned char *address, struct swale__guest **guest)
{
    *guest = NULL;
    if (atomic_fetch_add(&guard->connections, 1) >= guard->max_connections) {
        atomic_fetch_sub(&guard->connections, 1);
        return SWALE_ERR_TOO_MANY_CONNECTIONS;
    }
    int error = count_address(guard, address, guest);
    if (error)
        atomic_fetch_sub(&guard->connections, 1);
    return error;
}

void swale__guard_leave(struct swale__guard *guard, struct swale__guest *guest)
{
    if (!guest)
        return;
    uncount_address(guard, guest);
    atomic_fetch_sub(&guard->connections, 1);
}

/* ---- Origins ---------------------------------------------------------------------------------------- */

static bool origin_listed(struct swale_span origin, const char *const *origins, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(origins[i], "*") == 0 || swale_name_equal(origin, origins[i]))
            return true;
    return false;
}

int swale__origin_check(const struct swale_request *request, const char *const *origins, size_t count)
{
    uint32_t next = 0;
    const struct swale_field *origin = swale_field_find(request->fields, request->field_count, "Origin", &next);
    if (!origin)
        return 0;
    if (swale_field_find(request->fields, request->field_count, "Origin", &next))
        return SWALE_ERR_ORIGIN;
    bool good =
        origins ? origin_listed(origin->value, origins, count) : swale_origin_same_host(origin->value, request->host);
    return good ? 0 : SWALE_ERR_ORIGIN;
}
