/* shared.c - a message encoded once for many.
 *
 *     [ refs, kind, variants | frame header, right-aligned | payload ]     one block; the frame is one run of it
 *                  |
 *                  +-- by window bits: the compressed frame, made by the first connection that wants it
 *
 * Everything but the reference count and the variants' slots is written before the message is shared. A variant is
 * published by compare-and-swap: two loops may compress the same message at once, and the second throws its result
 * away. */
#include "conn/state.h"

struct swale__variant {
    size_t size;
    char frame[];
};

/* In place of a variant that would not be smaller than the plain frame. Never written to, nor freed. */
static const struct swale__variant incompressible;

int swale_shared_new(struct swale_shared **out, const struct swale_allocator *allocator, enum swale_kind kind,
                     const void *data, size_t size)
{
    char header[SWALE_HEADER_MAX];
    if ((kind != SWALE_TEXT && kind != SWALE_BINARY) || (!data && size > 0))
        return SWALE_ERR_INVALID;
    if (size > SIZE_MAX / 2)
        return -ENOMEM;
    struct swale_shared *shared = swale__alloc_zeroed(allocator, sizeof *shared + size);
    if (!shared)
        return -ENOMEM;
    int header_size = swale_frame_header(kind, false, size, header);
    atomic_init(&shared->refs, 1);
    shared->allocator = allocator;
    shared->size = size;
    shared->kind = kind;
    shared->header_size = (unsigned)header_size;
    memcpy(shared->payload - header_size, header, (size_t)header_size);
    if (size > 0)
        memcpy(shared->payload, data, size);
    *out = shared;
    return 0;
}

struct swale_shared *swale_shared_ref(struct swale_shared *shared)
{
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

static void free_variant(const struct swale_allocator *allocator, struct swale__variant *variant)
{
    if (variant && variant != &incompressible)
        swale__free(allocator, variant, sizeof *variant + variant->size);
}

void swale_shared_unref(struct swale_shared *shared)
{
    if (!shared || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < sizeof shared->variants / sizeof *shared->variants; i++)
        free_variant(shared->allocator, atomic_load_explicit(&shared->variants[i], memory_order_relaxed));
    swale__free(shared->allocator, shared, sizeof *shared + shared->size);
}

struct swale_span swale_shared_payload(const struct swale_shared *shared)
{
    return swale_span(shared->payload, shared->size);
}

enum swale_kind swale_shared_kind(const struct swale_shared *shared)
{
    return shared->kind;
}

/* ---- Compressed variants ---------------------------------------------------------------------------- */

/* NULL when memory is out. */
static struct swale__variant *new_variant(const struct swale_shared *shared, struct swale_span payload)
{
    char header[SWALE_HEADER_MAX];
    size_t header_size = (size_t)swale_frame_header(shared->kind, true, payload.size, header);
    size_t size = header_size + payload.size;
    struct swale__variant *variant = swale__alloc(shared->allocator, sizeof *variant + size);
    if (!variant)
        return NULL;
    variant->size = size;
    memcpy(variant->frame, header, header_size);
    memcpy(variant->frame + header_size, payload.data, payload.size);
    return variant;
}

static struct swale__variant *compress(const struct swale_shared *shared, struct swale__conn_group *group,
                                       int window_bits)
{
    struct swale__packed packed;
    if (swale__compress_alone(group, window_bits, swale_shared_payload(shared), &packed) == 0)
        return (struct swale__variant *)&incompressible;
    struct swale__variant *variant = new_variant(shared, packed.data);
    swale__packed_free(group, &packed);
    return variant;
}

struct swale_span swale__shared_compressed(struct swale_shared *shared, struct swale__conn_group *group,
                                           int window_bits)
{
    _Atomic(struct swale__variant *) *slot = &shared->variants[window_bits - SWALE__BITS_MIN];
    struct swale__variant *variant = atomic_load_explicit(slot, memory_order_acquire);
    if (!variant) {
        struct swale__variant *made = compress(shared, group, window_bits);
        if (atomic_compare_exchange_strong_explicit(slot, &variant, made, memory_order_acq_rel, memory_order_acquire))
            variant = made;
        else
            free_variant(shared->allocator, made);
    }
    if (!variant || variant == &incompressible)
        return swale__shared_frame(shared);
    return swale_span(variant->frame, variant->size);
}
