/* utf8_blocks.h - checking UTF-8 in vectors: the method (see utf8_tables.h), once for all instruction sets.
 *
 * A file that includes this has said before what a vector is there, and how these things are done with it:
 *
 *     BLOCK, vec              bytes in a vector, and its type
 *     TARGET                  the attribute of every function that uses it
 *     load(p), splat(byte)    a vector from memory, at any address; or of equal bytes
 *     both, either, differ    bitwise: and, or, xor
 *     less(a, b)              a - b in each byte, 0 where b is larger
 *     high_nibbles(v), low_nibbles(v), look_up(table, nibbles)
 *     BACK(block, n)          the block moved by n bytes to its end, behind zeros
 *     is_zero(v), is_ascii(v)
 *
 * It gets check(data, size), for at least one block that begins at a boundary:
 *
 *     ascii_run | strides of four blocks, or of as much ASCII | blocks | last block, over bytes seen already
 *
 * A character that goes on behind the end is not judged, nor a lead byte there. */
#include "base/utf8_tables.h"

static const unsigned char first_high[16] = { FIRST_HIGH };
static const unsigned char first_low[16] = { FIRST_LOW };
static const unsigned char second_high[16] = { SECOND_HIGH };

/* The three last bytes of a block: with more than this, the character goes on behind it. */
static const unsigned char whole_until[64] = { [0 ... 60] = 0xff, 0xef, 0xdf, 0xbf };

/* All but the three first bytes of a block. */
static const unsigned char behind_three[64] = { [3 ... 63] = 0xff };

TARGET static inline vec load_bytes(const unsigned char *from)
{
    return load((const char *)from);
}

/* Not zero where one of the block's bytes makes a fault with those before it. */
TARGET static inline vec faults(vec back1, vec back2, vec back3, vec block)
{
    vec first = both(look_up(first_high, high_nibbles(back1)), look_up(first_low, low_nibbles(back1)));
    vec pair = both(first, look_up(second_high, high_nibbles(block)));
    /* The high bit, FOLLOWS, is set where a lead byte two or three back asks for a continuation here. */
    vec asked = either(less(back2, splat(0xe0 - 0x80)), less(back3, splat(0xf0 - 0x80)));
    return differ(pair, both(asked, splat(FOLLOWS)));
}

/* The same of the bytes at `at`, with three more before them: to load these again is quicker than to shift them in.
 */
TARGET static inline vec faults_at(const char *at)
{
    return faults(load(at - 1), load(at - 2), load(at - 3), load(at));
}

/* ... and with nothing before them. */
TARGET static inline vec faults_first(vec block)
{
    return faults(BACK(block, 1), BACK(block, 2), BACK(block, 3), block);
}

TARGET static inline vec faults_in_stride(const char *at)
{
    vec front = either(faults_at(at), faults_at(at + BLOCK));
    vec back = either(faults_at(at + (size_t)2 * BLOCK), faults_at(at + (size_t)3 * BLOCK));
    return either(front, back);
}

/* The last block, of which something was judged already: its first three bytes, if there is not as much before it. */
TARGET static inline vec faults_last(const char *data, size_t size)
{
    const char *at = data + size - BLOCK;
    return at - data >= 3 ? faults_at(at) : both(faults_first(load(at)), load_bytes(behind_three));
}

TARGET static inline bool is_ascii_stride(const char *at)
{
    vec front = either(load(at), load(at + BLOCK));
    vec back = either(load(at + (size_t)2 * BLOCK), load(at + (size_t)3 * BLOCK));
    return is_ascii(either(front, back));
}

/* How many bytes at the front are ASCII: whole blocks, or all. */
TARGET static inline size_t ascii_run(const char *data, size_t size)
{
    size_t i = 0;
    while (size - i >= (size_t)4 * BLOCK && is_ascii_stride(data + i))
        i += (size_t)4 * BLOCK;
    while (size - i >= BLOCK && is_ascii(load(data + i)))
        i += BLOCK;
    return size - i < BLOCK && is_ascii(load(data + size - BLOCK)) ? size : i;
}

TARGET static inline bool check(const char *data, size_t size)
{
    const unsigned char *whole = whole_until + sizeof whole_until - BLOCK;
    vec found = splat(0);
    size_t i = ascii_run(data, size);
    if (i == size)
        return true;
    if (i == 0) {
        found = faults_first(load(data));
        i = BLOCK;
    }
    for (; size - i >= (size_t)4 * BLOCK; i += (size_t)4 * BLOCK) {
        if (is_ascii_stride(data + i))
            found = either(found, less(load(data + i - BLOCK), load_bytes(whole)));
        else
            found = either(found, faults_in_stride(data + i));
    }
    for (; size - i >= BLOCK; i += BLOCK)
        found = either(found, faults_at(data + i));
    if (i < size)
        found = either(found, faults_last(data, size));
    return is_zero(found);
}
