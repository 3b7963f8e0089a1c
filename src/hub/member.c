/* member.c - joining and leaving, on the subscriber's own loop. */
#include "hub/hub.h"

#include "base/memory.h"

#include <errno.h>

/* ---- Places in a local ------------------------------------------------------------------------------ */

static int make_place(struct swale__local *local)
{
    if (local->used < local->capacity)
        return 0;
    size_t capacity = local->capacity ? local->capacity * 2 : 4;
    if (capacity > SIZE_MAX / sizeof *local->places)
        return -ENOMEM;
    struct swale__place *places = swale__resize(local->shard->hub->allocator, local->places,
                                                local->capacity * sizeof *places, capacity * sizeof *places);
    if (!places)
        return -ENOMEM;
    local->places = places;
    local->capacity = capacity;
    return 0;
}

static void add_to_count(struct swale__local *local, int more)
{
    size_t now = atomic_load_explicit(&local->count, memory_order_relaxed);
    atomic_store_explicit(&local->count, now + (size_t)more, memory_order_relaxed);
    swale__count(&local->shard->counters.subscriptions, (uint64_t)more);
}

/* There is a place. */
static void take_place(struct swale__local *local, struct swale_subscriber *subscriber, struct swale__member *member)
{
    member->local = local;
    member->place = local->used;
    local->places[local->used++] = (struct swale__place){ subscriber, member };
    add_to_count(local, 1);
}

/* The last one moves in, unless the places are being walked. */
static void leave_place(struct swale__local *local, size_t place)
{
    add_to_count(local, -1);
    if (local->delivering) {
        local->places[place] = (struct swale__place){ NULL, NULL };
        return;
    }
    local->places[place] = local->places[--local->used];
    if (place < local->used)
        local->places[place].member->place = place;
}

/* ---- Memberships ------------------------------------------------------------------------------------ */

static void on_leave(struct swale_membership *membership)
{
    swale__membership_end((struct swale__membership *)membership);
}

/* Frees an empty one. */
static void release(struct swale__membership *membership)
{
    if (membership->first)
        return;
    membership->subscriber->membership = NULL;
    swale__free(membership->shard->hub->allocator, membership, sizeof *membership);
}

/* The subscriber's membership, an empty one if it had none. NULL when memory is out. */
static struct swale__membership *obtain(struct swale__shard *shard, struct swale_subscriber *subscriber)
{
    if (subscriber->membership)
        return swale__membership_of(subscriber);
    struct swale__membership *membership = swale__alloc_zeroed(shard->hub->allocator, sizeof *membership);
    if (!membership)
        return NULL;
    membership->shard = shard;
    membership->subscriber = subscriber;
    membership->base.leave = on_leave;
    subscriber->membership = &membership->base;
    return membership;
}

/* The link that points to the member for this local; it holds NULL when there is none. */
static struct swale__member **find(struct swale__membership *membership, const struct swale__local *local)
{
    struct swale__member **link = &membership->first;
    while (*link && (*link)->local != local)
        link = &(*link)->next;
    return link;
}

static void drop_member(struct swale__membership *membership, struct swale__member **link)
{
    struct swale__member *member = *link;
    struct swale__local *local = member->local;
    *link = member->next;
    membership->count--;
    leave_place(local, member->place);
    swale__free(membership->shard->hub->allocator, member, sizeof *member);
    swale__local_release(local);
}

void swale__membership_end(struct swale__membership *membership)
{
    while (membership->first)
        drop_member(membership, &membership->first);
    release(membership);
}

/* ---- Joining ---------------------------------------------------------------------------------------- */

/* Whether whatever the subscriber has joined so far belongs to this hub. */
static bool may_have(const struct swale_subscriber *subscriber, const struct swale_hub *hub)
{
    if (!subscriber->membership)
        return true;
    return subscriber->membership->leave == on_leave && swale__membership_of(subscriber)->shard->hub == hub;
}

static int add_member(struct swale__membership *membership, struct swale__local *local)
{
    if (make_place(local) < 0)
        return -ENOMEM;
    struct swale__member *member = swale__alloc(membership->shard->hub->allocator, sizeof *member);
    if (!member)
        return -ENOMEM;
    take_place(local, membership->subscriber, member);
    member->next = membership->first;
    membership->first = member;
    membership->count++;
    return 0;
}

static int join(struct swale__membership *membership, struct swale_span topic)
{
    struct swale__shard *shard = membership->shard;
    struct swale__local *local = swale__local_find(shard, topic);
    if (local && *find(membership, local))
        return 1;
    if (membership->count >= shard->hub->options.max_topics_per_subscriber)
        return SWALE_ERR_TOO_MANY;
    if (!local)
        local = swale__local_new(shard, topic);
    if (!local)
        return -ENOMEM;
    int error = add_member(membership, local);
    swale__local_release(local);
    return error;
}

int swale_hub_join(struct swale_hub *hub, struct swale_span topic, struct swale_subscriber *subscriber)
{
    int error = swale_hub_check(hub, topic);
    if (error < 0)
        return error;
    struct swale__shard *shard = swale__shard_of(hub, subscriber->ops->loop(subscriber));
    if (!shard || !may_have(subscriber, hub))
        return SWALE_ERR_STATE;
    struct swale__membership *membership = obtain(shard, subscriber);
    if (!membership)
        return -ENOMEM;
    int result = join(membership, topic);
    release(membership);
    return result;
}

/* ---- Leaving ---------------------------------------------------------------------------------------- */

int swale_hub_leave(struct swale_hub *hub, struct swale_span topic, struct swale_subscriber *subscriber)
{
    int error = swale_hub_check(hub, topic);
    if (error < 0)
        return error;
    if (!swale__shard_of(hub, subscriber->ops->loop(subscriber)) || !may_have(subscriber, hub))
        return SWALE_ERR_STATE;
    struct swale__membership *membership = swale__membership_of(subscriber);
    if (!membership)
        return 1;
    struct swale__local *local = swale__local_find(membership->shard, topic);
    struct swale__member **link = local ? find(membership, local) : NULL;
    if (!link || !*link)
        return 1;
    drop_member(membership, link);
    release(membership);
    return 0;
}

void swale_hub_leave_all(struct swale_hub *hub, struct swale_subscriber *subscriber)
{
    if (subscriber->membership && may_have(subscriber, hub))
        swale__membership_end(swale__membership_of(subscriber));
}
