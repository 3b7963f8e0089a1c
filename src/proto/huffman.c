/* huffman.c - the codes of an alphabet (RFC 1951 section 3.2.2), from how often its symbols come.
 *
 * Huffman's algorithm with two queues: symbols sorted by count, and nodes, which come into being sorted. Each node
 * is made of the two least of all, and lies behind those that it is made of; so one pass from the root gives depths.
 */
#include "proto/small.h"

#include <string.h>

enum {
    NODES_MAX = 2 * SWALE__CODE_SYMBOLS_MAX,
    /* Counts from here on are sorted one by one; below, which nearly all are, at a glance. */
    BUCKETS = 64
};

struct leaf {
    uint16_t count, symbol;
};

static unsigned bucket_of(unsigned count)
{
    return count < BUCKETS ? count : BUCKETS - 1;
}

/* Sorts the last leaves, whose counts may be any. */
static void sort_by_insertion(struct leaf *leaves, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct leaf leaf = leaves[i];
        unsigned at = i;
        for (; at > 0 && leaves[at - 1].count > leaf.count; at--)
            leaves[at] = leaves[at - 1];
        leaves[at] = leaf;
    }
}

/* The symbols that come, in their order. How many. */
static unsigned collect(const uint16_t *counts, unsigned symbols, struct leaf *leaves)
{
    unsigned count = 0;
    for (unsigned i = 0; i < symbols; i++) {
        leaves[count] = (struct leaf){ counts[i], (uint16_t)i };
        count += counts[i] > 0;
    }
    return count;
}

/* Sorts them by count. */
static void sort(const struct leaf *leaves, unsigned count, struct leaf *sorted)
{
    unsigned begins[BUCKETS + 1] = { 0 };
    for (unsigned i = 0; i < count; i++)
        begins[bucket_of(leaves[i].count) + 1]++;
    for (unsigned i = 1; i < BUCKETS; i++)
        begins[i + 1] += begins[i];
    unsigned large = begins[BUCKETS - 1];
    for (unsigned i = 0; i < count; i++)
        sorted[begins[bucket_of(leaves[i].count)]++] = leaves[i];
    sort_by_insertion(sorted + large, count - large);
}

/* How many leaves are so deep in the tree; those deeper than `most` count as that. */
static void count_depths(const struct leaf *leaves, unsigned count, unsigned most, unsigned *at_depth)
{
    uint16_t sums[SWALE__CODE_SYMBOLS_MAX], parents[NODES_MAX], depths[NODES_MAX];
    unsigned leaf = 0, node = 0;
    for (unsigned made = 0; made < count - 1; made++) {
        unsigned sum = 0;
        for (unsigned child = 0; child < 2; child++) {
            bool is_leaf = leaf < count && (node == made || leaves[leaf].count <= sums[node]);
            sum += is_leaf ? leaves[leaf].count : sums[node];
            parents[is_leaf ? leaf++ : count + node++] = (uint16_t)(count + made);
        }
        sums[made] = (uint16_t)sum;
    }
    unsigned root = 2 * count - 2;
    depths[root] = 0;
    for (unsigned i = root; i-- > 0;) {
        depths[i] = (uint16_t)(depths[parents[i]] + 1);
        if (i < count)
            at_depth[depths[i] < most ? depths[i] : most]++;
    }
}

/* Takes what was too deep out of the room that is not there: the deepest leaf above gets one of those as its
 * sibling, a step deeper, until all have codes that can be told apart. */
static void limit_depths(unsigned *at_depth, unsigned most)
{
    unsigned taken = 0;
    for (unsigned depth = 1; depth <= most; depth++)
        taken += at_depth[depth] << (most - depth);
    for (; taken > 1u << most; taken--) {
        unsigned depth = most - 1;
        while (at_depth[depth] == 0)
            depth--;
        at_depth[depth]--;
        at_depth[depth + 1] += 2;
        at_depth[most]--;
    }
}

void swale__code_lengths(const uint16_t *counts, unsigned symbols, unsigned most, uint8_t *lengths)
{
    struct leaf unsorted[SWALE__CODE_SYMBOLS_MAX + 1], leaves[SWALE__CODE_SYMBOLS_MAX];
    unsigned at_depth[SWALE__CODE_BITS_MAX + 1] = { 0 };
    unsigned count = collect(counts, symbols, unsorted);
    sort(unsorted, count, leaves);
    memset(lengths, 0, symbols);
    if (count < 2) {
        lengths[0] = 1;
        lengths[count == 1 && leaves[0].symbol > 0 ? leaves[0].symbol : 1] = 1;
        return;
    }
    count_depths(leaves, count, most, at_depth);
    limit_depths(at_depth, most);
    const struct leaf *leaf = leaves;
    for (unsigned depth = most; depth > 0; depth--)
        for (unsigned left = at_depth[depth]; left > 0; left--)
            lengths[leaf++->symbol] = (uint8_t)depth;
}

static unsigned reverse16(unsigned bits)
{
    bits = (bits & 0x5555) << 1 | (bits >> 1 & 0x5555);
    bits = (bits & 0x3333) << 2 | (bits >> 2 & 0x3333);
    bits = (bits & 0x0f0f) << 4 | (bits >> 4 & 0x0f0f);
    return (bits & 0x00ff) << 8 | bits >> 8;
}

void swale__codes(const uint8_t *lengths, unsigned symbols, uint16_t *codes)
{
    uint16_t used[SWALE__CODE_SYMBOLS_MAX + 1];
    unsigned next[SWALE__CODE_BITS_MAX + 2] = { 0 }, count = 0;
    for (unsigned i = 0; i < symbols; i++) {
        used[count] = (uint16_t)i;
        count += lengths[i] > 0;
    }
    for (unsigned i = 0; i < count; i++)
        next[lengths[used[i]] + 1]++;
    for (unsigned length = 1; length <= SWALE__CODE_BITS_MAX; length++)
        next[length + 1] = (next[length + 1] + next[length]) << 1;
    for (unsigned i = 0; i < count; i++) {
        unsigned length = lengths[used[i]];
        codes[used[i]] = (uint16_t)(reverse16(next[length]++) >> (16 - length));
    }
}
