/* parcel.h - messages on their way between threads, in queues that know their size. No locks: those are the user's.
 */
#ifndef SWALE_CLIENT_PARCEL_H
#define SWALE_CLIENT_PARCEL_H

#include <swale/blocking.h>

struct swale__parcel {
    struct swale__parcel *next;
    const struct swale_allocator *allocator;
    struct swale_blocking_message message; /* its bytes lie behind this struct */
};

/* First in, first out. */
struct swale__parcels {
    struct swale__parcel *first;
    struct swale__parcel **end; /* where the next one is linked */
    size_t size;                /* of all of them, by swale__parcel_size */
};

/* Copies the bytes. NULL when memory is out. The allocator must outlive the parcel. */
struct swale__parcel *swale__parcel_new(const struct swale_allocator *allocator, enum swale_kind kind,
                                        const void *data, size_t size);
void swale__parcel_free(struct swale__parcel *parcel);

/* The memory that it takes: an empty message is not for nothing. */
size_t swale__parcel_size(const struct swale__parcel *parcel);

void swale__parcels_init(struct swale__parcels *queue);
void swale__parcels_put(struct swale__parcels *queue, struct swale__parcel *parcel);

/* The oldest, of a queue that is not empty. */
struct swale__parcel *swale__parcels_take(struct swale__parcels *queue);

/* Puts all that `from` holds behind `to`. */
void swale__parcels_move(struct swale__parcels *to, struct swale__parcels *from);

/* Frees all of them. */
void swale__parcels_clear(struct swale__parcels *queue);

#endif
