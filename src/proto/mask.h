/* mask.h - masking short payloads, inlined where every message passes (RFC 6455 section 5.3).
 *
 * The key is a word as it lies in memory, turned so that it begins where the run begins; a step of four bytes or any
 * multiple of it needs no further turning. What is left at the end is not done byte by byte: the last bytes of the
 * run are loaded before anything is written, and stored after everything else, over bytes which the steps have
 * written already.
 *
 *     |----step----|----step----|----step----|....|
 *                               |---last step-----|      key turned to where this begins
 *
 * So it works in place, and the shortest messages take no loop at all. Steps of 16 bytes use the compiler's vector
 * types: SSE2 on x86-64, NEON on arm64, pairs of words elsewhere. (On a Zen 4 core masked stores of AVX-512, one of
 * which would do for any length, take twice as long as this.) */
#ifndef SWALE_PROTO_MASK_H
#define SWALE_PROTO_MASK_H

#include <swale/proto.h>

typedef uint64_t swale__mask_block __attribute__((vector_size(16)));

/* Set in what swale__mask_short returns, if any byte is not ASCII. */
#define SWALE__NOT_ASCII UINT64_C(0x8080808080808080)

static inline uint32_t swale__mask_key(const unsigned char key[4])
{
    uint32_t word;
    memcpy(&word, key, sizeof word);
    return word;
}

/* The key from its byte `offset` on. */
static inline uint32_t swale__mask_turn(uint32_t key, size_t offset)
{
    unsigned bits = 8 * (offset & 3);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bits = -bits & 31;
#endif
    return key >> bits | key << (-bits & 31);
}

static inline swale__mask_block swale__mask_load(const char *from)
{
    swale__mask_block block;
    memcpy(&block, from, sizeof block);
    return block;
}

static inline swale__mask_block swale__mask_spread(uint32_t key)
{
    uint64_t twice = key * UINT64_C(0x100000001);
    return (swale__mask_block){ twice, twice };
}

/* 16 bytes and more. */
static inline uint64_t swale__mask_blocks(char *to, const char *from, size_t size, uint32_t key)
{
    swale__mask_block mask = swale__mask_spread(key);
    swale__mask_block last = swale__mask_load(from + size - 16) ^ swale__mask_spread(swale__mask_turn(key, size));
    swale__mask_block all = last;
    for (size_t i = 0; size - i > 16; i += 16) {
        swale__mask_block block = swale__mask_load(from + i) ^ mask;
        all |= block;
        memcpy(to + i, &block, sizeof block);
    }
    memcpy(to + size - 16, &last, sizeof last);
    return all[0] | all[1];
}

/* 8 to 15 bytes. */
static inline uint64_t swale__mask_words(char *to, const char *from, size_t size, uint32_t key)
{
    uint64_t first, last;
    memcpy(&first, from, sizeof first);
    memcpy(&last, from + size - sizeof last, sizeof last);
    first ^= key * UINT64_C(0x100000001);
    last ^= swale__mask_turn(key, size) * UINT64_C(0x100000001);
    memcpy(to, &first, sizeof first);
    memcpy(to + size - sizeof last, &last, sizeof last);
    return first | last;
}

/* 4 to 7 bytes. */
static inline uint64_t swale__mask_halves(char *to, const char *from, size_t size, uint32_t key)
{
    uint32_t first, last;
    memcpy(&first, from, sizeof first);
    memcpy(&last, from + size - sizeof last, sizeof last);
    first ^= key;
    last ^= swale__mask_turn(key, size);
    memcpy(to, &first, sizeof first);
    memcpy(to + size - sizeof last, &last, sizeof last);
    return first | last;
}

/* 1 to 3 bytes: the first, the middle and the last, some of which may be the same. */
static inline uint64_t swale__mask_bytes(char *to, const char *from, size_t size, uint32_t key)
{
    unsigned char mask[sizeof key];
    memcpy(mask, &key, sizeof mask);
    size_t middle = size / 2, end = size - 1;
    int a = from[0] ^ mask[0], b = from[middle] ^ mask[middle], c = from[end] ^ mask[end];
    to[0] = (char)a;
    to[middle] = (char)b;
    to[end] = (char)c;
    return (uint64_t)((a | b | c) & 0x80);
}

/* Masks any number of bytes, but is meant for few: from SWALE__MASK_LONG on swale_mask_copy is quicker. `from` may be
 * `to`. Returns all the bytes it has written, or-ed, as a word. */
enum { SWALE__MASK_LONG = 64 };
static inline uint64_t swale__mask_short(char *to, const char *from, size_t size, uint32_t key)
{
    if (size >= 16)
        return swale__mask_blocks(to, from, size, key);
    if (size >= 8)
        return swale__mask_words(to, from, size, key);
    if (size >= 4)
        return swale__mask_halves(to, from, size, key);
    return size > 0 ? swale__mask_bytes(to, from, size, key) : 0;
}

/* Long payloads, 16 bytes and more, where there is nothing better. */
void swale__mask_plain(char *to, const char *from, size_t size, uint32_t key);

#endif
