/* map.h - a hash map from byte strings to pointers, safe against keys that an attacker chooses.
 *
 * Keys are borrowed: the map keeps the span that swale__map_put was given, so those bytes must stay valid and
 * unchanged while the entry is in the map. In practice they lie inside the value (a topic's name in the
 * topic). Nothing is allocated until the first entry, and then only when the table grows; it never shrinks. */
#ifndef SWALE_BASE_MAP_H
#define SWALE_BASE_MAP_H

#include <swale/base.h>

struct swale__map_slot;

/* Fields are private. May be moved in memory. */
struct swale__map {
    const struct swale_allocator *allocator;
    struct swale__map_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    unsigned char seed[16];
};

/* `seed` should be random and secret. `allocator` must outlive the map; NULL is the C library's. */
void swale__map_init(struct swale__map *map, const struct swale_allocator *allocator, const unsigned char seed[16]);

/* Frees the table. What the values point to is the caller's. The map is empty then and may be used again. */
void swale__map_done(struct swale__map *map);

/* The value, or NULL. */
void *swale__map_get(const struct swale__map *map, struct swale_span key);

/* Sets the value, which must not be NULL. An entry with an equal key is replaced, and from then on borrows the
 * new key. 0, or -ENOMEM and nothing changed; replacing never fails. */
int swale__map_put(struct swale__map *map, struct swale_span key, void *value);

/* Takes the entry out. Returns its value, or NULL when there is none. */
void *swale__map_remove(struct swale__map *map, struct swale_span key);

static inline size_t swale__map_count(const struct swale__map *map)
{
    return map->count;
}

/* Visits every entry once, in no particular order: start with *cursor = 0 and go on until NULL. No entry may be
 * put or removed between two steps. */
void *swale__map_next(const struct swale__map *map, size_t *cursor);

#endif
