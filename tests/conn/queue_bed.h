/* queue_bed.h - an out-queue that writes to one end of a pair, as a connection's does, and a recorder at the other.
 */
#ifndef SWALE_TEST_QUEUE_BED_H
#define SWALE_TEST_QUEUE_BED_H

#include "recorder.h"

#include "conn/outq.h"

struct queue_bed {
    struct swale_loop *loop;
    struct swale__stream *ends[2];
    struct recorder far;
    struct swale__outq queue;
};

/* `capacity` and `in_flight` are the pair's. */
void queue_bed_begin(struct queue_bed *bed, struct swale_loop *loop, size_t capacity, bool in_flight);

/* As swale__outq_flush. */
int queue_bed_flush(struct queue_bed *bed);

/* Fails if the queue holds anything once it is cleared. */
void queue_bed_end(struct queue_bed *bed);

#endif
