#include "app/bench/histogram.h"

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

/* The largest value of a bucket: the inverse of histogram_bucket. */
static uint64_t bucket_end(uint32_t bucket)
{
    uint32_t row = bucket >> HISTOGRAM_STEPS_LOG2;
    uint32_t shift = row > 0 ? row - 1 : 0;
    uint64_t step = bucket - (shift << HISTOGRAM_STEPS_LOG2);
    return ((step + 1) << shift) - 1;
}

/* How many values make up so many millionths of them, rounded up, and at least one. */
static uint64_t rank_of(uint64_t count, uint32_t millionths)
{
    uint64_t whole = count / 1000000 * millionths;
    uint64_t rest = (count % 1000000 * millionths + 999999) / 1000000;
    return whole + rest > 0 ? whole + rest : 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t millionths)
{
    if (histogram->count == 0)
        return 0;
    uint64_t rank = rank_of(histogram->count, millionths);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank) {
            uint64_t end = bucket_end(i);
            return end < histogram->max ? end : histogram->max;
        }
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count > 0 ? (double)histogram->sum / (double)histogram->count : 0;
}
