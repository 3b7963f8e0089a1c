/* counter.h - counters that one thread writes and any thread reads. */
#ifndef SWALE_BASE_COUNTER_H
#define SWALE_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/* Adds `n`, which wraps: UINT64_MAX takes one off. With one writer no locked instruction is needed. */
static inline void swale__count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif
