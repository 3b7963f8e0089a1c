/* small.c - from tokens to a block of deflate, with codes of its own or the fixed ones, whichever is smaller (RFC
 * 1951 sections 3.2.6 and 3.2.7).
 *
 *     0 10 code lengths, themselves coded | codes ... end | 000 and up to a whole byte
 *     0 01                                | codes ... end | 000 and up to a whole byte
 *
 * The last is the beginning of an empty stored block, whose other bytes are 00 00 ff ff and not sent.
 */
#include "proto/small.h"

#include <limits.h>
#include <string.h>

enum {
    LITERALS = 286, /* and lengths, and the end of the block */
    DISTANCES = 30,
    END_OF_BLOCK = 256,
    FIRST_LENGTH = 257,
    LAST_LENGTH = 285,
    LENGTH_MIN = 3,
    LENGTH_MAX = 258,

    /* The fixed codes are more. */
    FIXED_LITERALS = 288,
    FIXED_DISTANCES = 32,

    /* The alphabet that code lengths are written in. */
    LENGTH_SYMBOLS = 19,
    LENGTH_BITS_MAX = 7,
    REPEAT = 16,    /* the length before this one, 3 to 6 times */
    ZEROS = 17,     /* 3 to 10 */
    MANY_ZEROS = 18 /* 11 to 138 */
};

/* A symbol, and the bits that stand behind it. */
struct symbol {
    uint16_t symbol, extra;
    uint8_t extra_bits;
};

/* The codes of a block. */
struct codes {
    uint8_t literal_lengths[FIXED_LITERALS], distance_lengths[FIXED_DISTANCES];
    uint16_t literals[FIXED_LITERALS], distances[FIXED_DISTANCES];
};

/* How often the symbols of a block come, and the bits behind them all. */
struct counts {
    uint16_t literals[LITERALS], distances[DISTANCES];
    size_t extra_bits;
};

/* How the code lengths of a block are written; empty for the fixed codes. */
struct lengths {
    struct symbol symbols[LITERALS + DISTANCES];
    size_t count;
    unsigned literals, distances;
    uint16_t counts[LENGTH_SYMBOLS];
    uint8_t lengths[LENGTH_SYMBOLS];
    unsigned written; /* of those */
};

struct block {
    const struct swale__token *tokens;
    size_t count;
    struct codes codes;
    struct lengths lengths;
    size_t bits; /* without the first three */
};

/* ---- Symbols (RFC 1951 section 3.2.5) --------------------------------------------------------------- */

static unsigned log2_of(unsigned number)
{
    return 31 - (unsigned)__builtin_clz(number);
}

/* Above 10, four symbols share each number of extra bits. */
static struct symbol length_symbol(unsigned length)
{
    unsigned offset = length - LENGTH_MIN;
    if (length == LENGTH_MAX)
        return (struct symbol){ .symbol = LAST_LENGTH };
    unsigned extra = offset < 8 ? 0 : log2_of(offset) - 2;
    unsigned symbol = FIRST_LENGTH + 4 * extra + (offset >> extra);
    return (struct symbol){ (uint16_t)symbol, (uint16_t)(offset & ((1u << extra) - 1)), (uint8_t)extra };
}

/* Above 4, two do. */
static struct symbol distance_symbol(unsigned distance)
{
    unsigned offset = distance - 1;
    unsigned extra = offset < 4 ? 0 : log2_of(offset) - 1;
    unsigned symbol = 2 * extra + (offset >> extra);
    return (struct symbol){ (uint16_t)symbol, (uint16_t)(offset & ((1u << extra) - 1)), (uint8_t)extra };
}

static void count_symbols(const struct swale__token *tokens, size_t count, struct counts *counts)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].distance == 0) {
            counts->literals[tokens[i].value]++;
            continue;
        }
        struct symbol length = length_symbol(tokens[i].value), distance = distance_symbol(tokens[i].distance);
        counts->literals[length.symbol]++;
        counts->distances[distance.symbol]++;
        counts->extra_bits += (size_t)length.extra_bits + distance.extra_bits;
    }
    counts->literals[END_OF_BLOCK] = 1;
}

/* ---- The code lengths of a block (RFC 1951 section 3.2.7) ------------------------------------------- */

static const uint8_t length_order[LENGTH_SYMBOLS] = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
};

static void add_length(struct lengths *lengths, unsigned symbol, size_t extra, unsigned extra_bits)
{
    lengths->symbols[lengths->count++] = (struct symbol){ (uint16_t)symbol, (uint16_t)extra, (uint8_t)extra_bits };
    lengths->counts[symbol]++;
}

/* A run of equal code lengths. */
static void add_run(struct lengths *lengths, unsigned length, size_t run)
{
    if (length > 0) {
        add_length(lengths, length, 0, 0);
        run--;
    }
    while (length == 0 && run >= 11) {
        size_t part = run < 138 ? run : 138;
        add_length(lengths, MANY_ZEROS, part - 11, 7);
        run -= part;
    }
    while (run >= 3) {
        size_t most = length > 0 ? 6 : 10, part = run < most ? run : most;
        add_length(lengths, length > 0 ? REPEAT : ZEROS, part - 3, length > 0 ? 2 : 3);
        run -= part;
    }
    for (; run > 0; run--)
        add_length(lengths, length, 0, 0);
}

static unsigned used(const uint8_t *lengths, unsigned symbols)
{
    while (lengths[symbols - 1] == 0)
        symbols--;
    return symbols;
}

static void make_lengths(const struct codes *codes, struct lengths *lengths)
{
    uint8_t all[LITERALS + DISTANCES];
    lengths->count = 0;
    memset(lengths->counts, 0, sizeof lengths->counts);
    lengths->literals = used(codes->literal_lengths, LITERALS);
    lengths->distances = used(codes->distance_lengths, DISTANCES);
    size_t size = lengths->literals + lengths->distances;
    memcpy(all, codes->literal_lengths, lengths->literals);
    memcpy(all + lengths->literals, codes->distance_lengths, lengths->distances);
    for (size_t at = 0, end; at < size; at = end) {
        for (end = at + 1; end < size && all[end] == all[at];)
            end++;
        add_run(lengths, all[at], end - at);
    }
    swale__code_lengths(lengths->counts, LENGTH_SYMBOLS, LENGTH_BITS_MAX, lengths->lengths);
    lengths->written = LENGTH_SYMBOLS;
    while (lengths->written > 4 && lengths->lengths[length_order[lengths->written - 1]] == 0)
        lengths->written--;
}

/* ---- Sizes ------------------------------------------------------------------------------------------ */

static size_t sum(const uint16_t *counts, const uint8_t *lengths, unsigned symbols)
{
    size_t bits = 0;
    for (unsigned i = 0; i < symbols; i++)
        bits += (size_t)counts[i] * lengths[i];
    return bits;
}

/* Bits of a block with these codes, without what comes before the first token. */
static size_t body_bits(const struct counts *counts, const struct codes *codes)
{
    return sum(counts->literals, codes->literal_lengths, LITERALS) +
           sum(counts->distances, codes->distance_lengths, DISTANCES) + counts->extra_bits;
}

static size_t head_bits(const struct lengths *lengths)
{
    size_t bits = 5 + 5 + 4 + 3 * (size_t)lengths->written;
    for (size_t i = 0; i < lengths->count; i++)
        bits += (size_t)lengths->lengths[lengths->symbols[i].symbol] + lengths->symbols[i].extra_bits;
    return bits;
}

/* RFC 1951 section 3.2.6. */
static void set_fixed(struct codes *codes)
{
    memset(codes->literal_lengths, 8, 144);
    memset(codes->literal_lengths + 144, 9, 112);
    memset(codes->literal_lengths + 256, 7, 24);
    memset(codes->literal_lengths + 280, 8, 8);
    memset(codes->distance_lengths, 5, FIXED_DISTANCES);
}

/* Chooses the codes of a block whose tokens are there. */
static void plan_block(struct block *block)
{
    struct counts counts = { 0 };
    struct codes fixed, *codes = &block->codes;
    count_symbols(block->tokens, block->count, &counts);
    set_fixed(&fixed);
    swale__code_lengths(counts.literals, LITERALS, SWALE__CODE_BITS_MAX, codes->literal_lengths);
    swale__code_lengths(counts.distances, DISTANCES, SWALE__CODE_BITS_MAX, codes->distance_lengths);
    make_lengths(codes, &block->lengths);
    size_t fixed_bits = body_bits(&counts, &fixed);
    block->bits = head_bits(&block->lengths) + body_bits(&counts, codes);
    if (fixed_bits <= block->bits) {
        block->bits = fixed_bits;
        block->lengths.count = 0;
        set_fixed(codes);
    }
}

/* ---- Writing ---------------------------------------------------------------------------------------- */

/* Bits on their way out, the first one lowest. Fewer than 32 wait between two calls. */
struct writer {
    uint64_t bits;
    unsigned count;
    char *out;
};

static void store(struct writer *writer, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        writer->out[i] = (char)(writer->bits >> i * CHAR_BIT);
    writer->out += bytes;
}

/* Up to 32 bits. */
static void put(struct writer *writer, unsigned bits, unsigned count)
{
    writer->bits |= (uint64_t)bits << writer->count;
    writer->count += count;
    if (writer->count >= 32) {
        store(writer, 4);
        writer->bits >>= 32;
        writer->count -= 32;
    }
}

static void put_symbol(struct writer *writer, struct symbol symbol, const uint16_t *codes, const uint8_t *lengths)
{
    unsigned length = lengths[symbol.symbol];
    put(writer, codes[symbol.symbol] | (unsigned)symbol.extra << length, length + symbol.extra_bits);
}

static void write_lengths(struct writer *writer, const struct lengths *lengths)
{
    uint16_t codes[LENGTH_SYMBOLS];
    swale__codes(lengths->lengths, LENGTH_SYMBOLS, codes);
    put(writer, lengths->literals - 257, 5);
    put(writer, lengths->distances - 1, 5);
    put(writer, lengths->written - 4, 4);
    for (unsigned i = 0; i < lengths->written; i++)
        put(writer, lengths->lengths[length_order[i]], 3);
    for (size_t i = 0; i < lengths->count; i++)
        put_symbol(writer, lengths->symbols[i], codes, lengths->lengths);
}

static void write_tokens(struct writer *writer, const struct swale__token *tokens, size_t count,
                         const struct codes *codes)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].distance == 0) {
            put(writer, codes->literals[tokens[i].value], codes->literal_lengths[tokens[i].value]);
            continue;
        }
        put_symbol(writer, length_symbol(tokens[i].value), codes->literals, codes->literal_lengths);
        put_symbol(writer, distance_symbol(tokens[i].distance), codes->distances, codes->distance_lengths);
    }
    put(writer, codes->literals[END_OF_BLOCK], codes->literal_lengths[END_OF_BLOCK]);
}

/* The block, and a sync flush behind it. */
static void write_block(struct block *block, char *out)
{
    struct writer writer = { .out = out };
    struct codes *codes = &block->codes;
    bool fixed = block->lengths.count == 0;
    swale__codes(codes->literal_lengths, fixed ? FIXED_LITERALS : LITERALS, codes->literals);
    swale__codes(codes->distance_lengths, DISTANCES, codes->distances);
    put(&writer, fixed ? 1 << 1 : 2 << 1, 3); /* not the final one (RFC 1951 section 3.2.3) */
    if (!fixed)
        write_lengths(&writer, &block->lengths);
    write_tokens(&writer, block->tokens, block->count, codes);
    put(&writer, 0, 3);
    store(&writer, (writer.count + CHAR_BIT - 1) / CHAR_BIT);
}

ptrdiff_t swale__deflate_small(struct swale__small *small, struct swale_span message, char *out, size_t capacity)
{
    struct block block;
    block.tokens = small->tokens;
    block.count = swale__find_matches(&small->matcher, message, small->tokens);
    plan_block(&block);
    size_t size = (3 + block.bits + 3 + CHAR_BIT - 1) / CHAR_BIT;
    if (size > capacity)
        return SWALE_ERR_TOO_SMALL;
    write_block(&block, out);
    return (ptrdiff_t)size;
}
