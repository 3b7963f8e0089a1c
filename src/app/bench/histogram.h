/* histogram.h - how often each latency occurred, to three significant digits, in a fixed amount of memory.
 *
 * Nanoseconds. Below 2048 every value has a bucket of its own; above, each power of two is divided into 1024 buckets,
 * so that a bucket is never wider than a thousandth of what is in it. Recording costs no allocation and no search;
 * two histograms are merged by adding them up. The idea is Gil Tene's HdrHistogram.
 */
#ifndef SWALE_APP_HISTOGRAM_H
#define SWALE_APP_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS_LOG2 = 10,  /* buckets in a power of two */
    HISTOGRAM_LARGEST_LOG2 = 45 /* what takes longer, almost ten hours, counts as that */
};
enum { HISTOGRAM_BUCKETS = (HISTOGRAM_LARGEST_LOG2 - HISTOGRAM_STEPS_LOG2 + 1) << HISTOGRAM_STEPS_LOG2 };
#define HISTOGRAM_LARGEST ((UINT64_C(1) << HISTOGRAM_LARGEST_LOG2) - 1)

/* Zeroed: empty. */
struct histogram {
    uint64_t count, sum;
    uint64_t min, max; /* exact; 0 when it is empty */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* A power of two above the smallest ones shifts its values down to 1024..2047; the shift chooses the row. */
static inline uint32_t histogram_bucket(uint64_t value)
{
    uint32_t shift = 63 - HISTOGRAM_STEPS_LOG2 - (uint32_t)__builtin_clzll(value | 1u << HISTOGRAM_STEPS_LOG2);
    return (shift << HISTOGRAM_STEPS_LOG2) + (uint32_t)(value >> shift);
}

/* So many times, at least once. */
static inline void histogram_record_many(struct histogram *histogram, uint64_t value, uint64_t times)
{
    if (value > HISTOGRAM_LARGEST)
        value = HISTOGRAM_LARGEST;
    if (value > histogram->max)
        histogram->max = value;
    if (value < histogram->min || histogram->count == 0)
        histogram->min = value;
    histogram->count += times;
    histogram->sum += value * times;
    histogram->buckets[histogram_bucket(value)] += times;
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram_record_many(histogram, value, 1);
}

/* Adds what `from` has seen. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest value that at least so many millionths of all are not above: 999 900 for p99.99. Exact to the width of
 * a bucket, and never below the true value. 0 when it is empty. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t millionths);

/* 0 when it is empty. */
double histogram_mean(const struct histogram *histogram);

#endif
