/* map.c - open addressing with linear probing.
 *
 * An entry lies in its home slot (hash modulo capacity) or behind it, with no empty slot between. Removing
 * therefore closes the gap by moving later entries of the run back, which leaves no tombstones:
 *
 *     slot    3   4   5   6   7              remove b
 *            [a] [b] [c] [d] [ ]     ->     [a] [c] [d] [ ] [ ]      (c and d have homes before 5 and 6)
 *
 * A slot is empty when its value is NULL. At most three quarters of the slots are in use, so that every probe
 * ends. Each slot keeps the whole hash: growing compares no keys, and a probe compares few. */
#include "base/map.h"

#include "base/hash.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>

enum { FIRST_CAPACITY = 8 };

struct swale__map_slot {
    uint64_t hash;
    struct swale_span key;
    void *value;
};

void swale__map_init(struct swale__map *map, const struct swale_allocator *allocator, const unsigned char seed[16])
{
    *map = (struct swale__map){ .allocator = allocator };
    memcpy(map->seed, seed, sizeof map->seed);
}

void swale__map_done(struct swale__map *map)
{
    swale__free(map->allocator, map->slots, map->capacity * sizeof *map->slots);
    map->slots = NULL;
    map->capacity = 0;
    map->count = 0;
}

/* The slot that holds the key, or the empty one where it belongs. There must be a table. */
static struct swale__map_slot *find_slot(const struct swale__map *map, struct swale_span key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct swale__map_slot *slot = &map->slots[i];
        if (!slot->value || (slot->hash == hash && swale_span_equal(slot->key, key)))
            return slot;
    }
}

void *swale__map_get(const struct swale__map *map, struct swale_span key)
{
    if (map->count == 0)
        return NULL;
    return find_slot(map, key, swale__hash(map->seed, key))->value;
}

/* For a key that is not in the table yet; there must be an empty slot. */
static void place(struct swale__map_slot *slots, size_t mask, const struct swale__map_slot *entry)
{
    size_t i = entry->hash & mask;
    while (slots[i].value)
        i = (i + 1) & mask;
    slots[i] = *entry;
}

static int grow(struct swale__map *map)
{
    size_t capacity = map->capacity > 0 ? 2 * map->capacity : FIRST_CAPACITY;
    /* No overflow: the table that is there is an object, and none is larger than half the address space. */
    struct swale__map_slot *slots = swale__alloc_zeroed(map->allocator, capacity * sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].value)
            place(slots, capacity - 1, &map->slots[i]);
    swale__free(map->allocator, map->slots, map->capacity * sizeof *map->slots);
    map->slots = slots;
    map->capacity = capacity;
    return 0;
}

int swale__map_put(struct swale__map *map, struct swale_span key, void *value)
{
    assert(value);
    struct swale__map_slot entry = { swale__hash(map->seed, key), key, value };
    if (map->capacity > 0) {
        struct swale__map_slot *slot = find_slot(map, key, entry.hash);
        if (slot->value) {
            *slot = entry;
            return 0;
        }
    }
    if (map->count >= map->capacity / 4 * 3) {
        int error = grow(map);
        if (error < 0)
            return error;
    }
    place(map->slots, map->capacity - 1, &entry);
    map->count++;
    return 0;
}

/* Moves entries back over the empty slot `gap` until the run that it broke is whole again. */
static void close_gap(struct swale__map *map, size_t gap)
{
    size_t mask = map->capacity - 1;
    for (size_t i = (gap + 1) & mask; map->slots[i].value; i = (i + 1) & mask) {
        size_t from_home = (i - map->slots[i].hash) & mask;
        size_t from_gap = (i - gap) & mask;
        if (from_home < from_gap)
            continue; /* its home lies behind the gap: it must stay */
        map->slots[gap] = map->slots[i];
        map->slots[i].value = NULL;
        gap = i;
    }
}

void *swale__map_remove(struct swale__map *map, struct swale_span key)
{
    if (map->count == 0)
        return NULL;
    struct swale__map_slot *slot = find_slot(map, key, swale__hash(map->seed, key));
    void *value = slot->value;
    if (!value)
        return NULL;
    slot->value = NULL;
    map->count--;
    close_gap(map, (size_t)(slot - map->slots));
    return value;
}

void *swale__map_next(const struct swale__map *map, size_t *cursor)
{
    while (*cursor < map->capacity) {
        void *value = map->slots[(*cursor)++].value;
        if (value)
            return value;
    }
    return NULL;
}
