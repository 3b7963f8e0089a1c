/* reopen.c - from the end of a deflate stream to a place where it goes on.
 *
 * libdeflate ends a stream with a final block, and a message must not have one (see deflater.c). When the final block
 * is the only one, its first bit says so, and is cleared. A sync flush behind it is an empty stored block: three bits
 * of zero, zeros up to a whole byte, and 00 00 ff ff, which are not sent:
 *
 *     1 10 codes ... literals, matches ... end 00000          from libdeflate: a final block, and padding
 *     0 10 codes ... literals, matches ... end 000 00         not final; three bits of the padding are the header
 *     0 10 codes ... literals, matches ... end 00 0 0000000   where it has only two, a zero byte goes on with it
 *
 * So we have to know in which bit the block ends, without decoding it. Its last code is that for the end of the
 * block, which follows from the code lengths at its beginning; behind it are zeros only. If that code has a one in
 * it, the last one of the stream is the last one of the code, and there is but one place where the code can be. A
 * code of zeros alone (the fixed codes have one) could be in several; such blocks are left to others.
 */
#include "proto/reopen.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    END_OF_BLOCK = 256,
    LENGTHS_MAX = 286 + 32, /* of literals and matches, and of distances */
    LENGTH_BITS_MAX = 7,    /* in the code that code lengths are written in */
    CODE_BITS_MAX = 15,
    LENGTH_SYMBOLS = 19,
    REPEAT = 16, /* the length before this one */
    ZEROS = 17,
    MANY_ZEROS = 18
};

struct bits {
    const unsigned char *data;
    size_t size;
    size_t at; /* in bits */
};

/* The next 25 bits at least; zeros behind the end. */
static uint32_t peek(const struct bits *bits)
{
    uint32_t word = 0;
    size_t byte = bits->at / CHAR_BIT;
    for (size_t i = 0; i < sizeof word && byte + i < bits->size; i++)
        word |= (uint32_t)bits->data[byte + i] << (i * CHAR_BIT);
    return word >> bits->at % CHAR_BIT;
}

static unsigned take(struct bits *bits, unsigned count)
{
    unsigned value = peek(bits) & ((1u << count) - 1);
    bits->at += count;
    return value;
}

static bool bit_at(const struct bits *bits, size_t at)
{
    return bits->data[at / CHAR_BIT] >> at % CHAR_BIT & 1;
}

/* ---- The code lengths (RFC 1951 section 3.2.7) ------------------------------------------------------ */

/* How a code length is written, by the next seven bits. */
struct entry {
    uint8_t symbol, length;
};

/* The first code of each length (RFC 1951 section 3.2.2, step 2). False when there are more codes than can be told
 * apart. */
static bool first_codes(const uint8_t *lengths, size_t count, unsigned *first)
{
    unsigned counts[CODE_BITS_MAX + 1] = { 0 };
    for (size_t i = 0; i < count; i++)
        counts[lengths[i]]++;
    counts[0] = 0;
    unsigned code = 0;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        code = (code + counts[length - 1]) << 1;
        first[length] = code;
        if (code + counts[length] > 1u << length)
            return false;
    }
    return true;
}

/* Codes come with their first bit first, numbers with their last. */
static unsigned reverse(unsigned code, unsigned length)
{
    unsigned reversed = 0;
    for (; length > 0; length--, code >>= 1)
        reversed = reversed << 1 | (code & 1);
    return reversed;
}

static bool read_length_code(struct bits *bits, struct entry table[1 << LENGTH_BITS_MAX])
{
    static const uint8_t order[LENGTH_SYMBOLS] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
    uint8_t lengths[LENGTH_SYMBOLS] = { 0 };
    unsigned next[CODE_BITS_MAX + 1] = { 0 };
    unsigned count = take(bits, 4) + 4;
    for (unsigned i = 0; i < count; i++)
        lengths[order[i]] = (uint8_t)take(bits, 3);
    if (!first_codes(lengths, LENGTH_SYMBOLS, next))
        return false;
    for (unsigned symbol = 0; symbol < LENGTH_SYMBOLS; symbol++) {
        unsigned length = lengths[symbol];
        if (length == 0)
            continue;
        for (unsigned i = reverse(next[length]++, length); i < 1u << LENGTH_BITS_MAX; i += 1u << length)
            table[i] = (struct entry){ (uint8_t)symbol, (uint8_t)length };
    }
    return true;
}

/* For how many codes a symbol gives the length. */
static unsigned times(struct bits *bits, unsigned symbol)
{
    switch (symbol) {
    case REPEAT:
        return 3 + take(bits, 2);
    case ZEROS:
        return 3 + take(bits, 3);
    case MANY_ZEROS:
        return 11 + take(bits, 7);
    default:
        return 1;
    }
}

/* Reads `count` of them. */
static bool read_lengths(struct bits *bits, uint8_t *lengths, unsigned count)
{
    struct entry table[1 << LENGTH_BITS_MAX] = { { 0 } };
    if (!read_length_code(bits, table))
        return false;
    for (unsigned i = 0; i < count;) {
        struct entry entry = table[peek(bits) & ((1u << LENGTH_BITS_MAX) - 1)];
        bits->at += entry.length;
        if (entry.length == 0 || bits->at > bits->size * CHAR_BIT)
            return false;
        if (entry.symbol == REPEAT && i == 0)
            return false;
        uint8_t length = entry.symbol < REPEAT ? entry.symbol : entry.symbol == REPEAT ? lengths[i - 1] : 0;
        unsigned repeat = times(bits, entry.symbol);
        if (repeat > count - i)
            return false;
        for (; repeat > 0; repeat--)
            lengths[i++] = length;
    }
    return true;
}

/* ---- The end of the block --------------------------------------------------------------------------- */

struct code {
    unsigned bits, length;
};

/* The code that ends the block; `bits` stands behind the three bits that it begins with. */
static bool read_end_code(struct bits *bits, struct code *code)
{
    uint8_t lengths[LENGTHS_MAX] = { 0 };
    unsigned first[CODE_BITS_MAX + 1] = { 0 };
    unsigned literals = take(bits, 5) + 257;
    unsigned distances = take(bits, 5) + 1;
    if (literals > 286 || !read_lengths(bits, lengths, literals + distances) ||
        !first_codes(lengths, literals, first))
        return false;
    code->length = lengths[END_OF_BLOCK];
    if (code->length == 0)
        return false;
    code->bits = first[code->length];
    for (unsigned i = 0; i < END_OF_BLOCK; i++)
        code->bits += lengths[i] == code->length;
    return code->bits != 0;
}

/* The bit behind the code that is the last thing in the stream but zeros. 0 when it is not there. */
static size_t find_end(const struct bits *bits, struct code code)
{
    size_t end = bits->size * CHAR_BIT;
    while (end > bits->at && !bit_at(bits, end - 1))
        end--;
    for (unsigned rest = code.bits; (rest & 1) == 0; rest >>= 1)
        end++;
    if (end > bits->size * CHAR_BIT || end < bits->at + code.length)
        return 0;
    for (unsigned i = 0; i < code.length; i++)
        if (bit_at(bits, end - 1 - i) != (code.bits >> i & 1))
            return 0;
    return end;
}

size_t swale__deflate_reopen(char *data, size_t size, size_t capacity)
{
    struct bits bits = { .data = (const unsigned char *)data, .size = size };
    struct code code;
    bool suits = take(&bits, 1) == 1 && take(&bits, 2) == 2; /* final; dynamic codes (RFC 1951 section 3.2.3) */
    if (!suits || !read_end_code(&bits, &code))
        return 0;
    size_t end = find_end(&bits, code);
    size_t room = size * CHAR_BIT - end; /* for the header of the stored block, in the last byte */
    if (end == 0 || room >= CHAR_BIT || (room < 3 && size == capacity))
        return 0;
    data[0] = (char)(data[0] & ~1);
    if (room >= 3)
        return size;
    data[size] = 0;
    return size + 1;
}
