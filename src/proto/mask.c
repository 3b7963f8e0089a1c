/* mask.c - the XOR of RFC 6455 section 5.3.
 *
 * The key is turned once so that it begins where the run begins, and repeated to fill a word; a step of four bytes
 * or any multiple of it then needs no further turning. What is left at the end is not done byte by byte: the last
 * word of the run is loaded before anything is written, and stored after everything else, over bytes which the
 * steps have written already.
 *
 *     |----step----|----step----|----step----|....|
 *                               |---last word-----|      key turned to where this begins
 *
 * So it works in place, and most messages take no loop at all. Blocks of 16 bytes use the compiler's vector types:
 * SSE2 on x86-64, NEON on arm64, pairs of words elsewhere. Longer runs use AVX2 where the machine has it. */
#include <swale/proto.h>

typedef uint64_t block16 __attribute__((vector_size(16)));

/* The key, repeated, as it lies in memory. */
static uint64_t repeat_key(const unsigned char key[4])
{
    uint32_t word;
    memcpy(&word, key, sizeof word);
    return word * UINT64_C(0x0000000100000001);
}

/* The repeated key from its byte `offset` on. */
static uint64_t turn(uint64_t key, size_t offset)
{
    unsigned bits = 8 * (offset & 3);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return key << bits | key >> (63 - bits) >> 1;
#else
    return key >> bits | key << (63 - bits) << 1;
#endif
}

static uint32_t load4(const char *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static uint64_t load8(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline block16 load16(const char *from)
{
    block16 block;
    memcpy(&block, from, sizeof block);
    return block;
}

static inline void store16(char *to, block16 block)
{
    memcpy(to, &block, sizeof block);
}

/* Fewer than 16 bytes. */
static void mask_short(char *to, const char *from, size_t size, uint64_t key)
{
    if (size >= 8) {
        uint64_t last = load8(from + size - 8) ^ turn(key, size);
        uint64_t first = load8(from) ^ key;
        memcpy(to, &first, 8);
        memcpy(to + size - 8, &last, 8);
    } else if (size >= 4) {
        uint32_t last = load4(from + size - 4) ^ (uint32_t)turn(key, size);
        uint32_t first = load4(from) ^ (uint32_t)key;
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
    } else {
        unsigned char bytes[sizeof key];
        memcpy(bytes, &key, sizeof key);
        for (size_t i = 0; i < size; i++)
            to[i] = (char)(from[i] ^ bytes[i]);
    }
}

/* At least 16 bytes. */
static void mask_blocks(char *to, const char *from, size_t size, uint64_t key)
{
    block16 mask = { key, key };
    block16 last_mask = { turn(key, size), turn(key, size) };
    block16 last = load16(from + size - 16) ^ last_mask;
    size_t i = 0;
    for (; size - i > 64; i += 64) {
        block16 a = load16(from + i), b = load16(from + i + 16);
        block16 c = load16(from + i + 32), d = load16(from + i + 48);
        store16(to + i, a ^ mask);
        store16(to + i + 16, b ^ mask);
        store16(to + i + 32, c ^ mask);
        store16(to + i + 48, d ^ mask);
    }
    for (; size - i > 16; i += 16)
        store16(to + i, load16(from + i) ^ mask);
    store16(to + size - 16, last);
}

#if defined(__x86_64__)
#include <immintrin.h>

/* A multiple of 128 bytes. */
__attribute__((target("avx2"))) static void mask_avx2(char *to, const char *from, size_t size, uint64_t key)
{
    __m256i mask = _mm256_set1_epi64x((long long)key);
    for (size_t i = 0; i < size; i += 128) {
        const __m256i *in = (const __m256i *)(const void *)(from + i);
        __m256i *out = (__m256i *)(void *)(to + i);
        __m256i a = _mm256_loadu_si256(in), b = _mm256_loadu_si256(in + 1);
        __m256i c = _mm256_loadu_si256(in + 2), d = _mm256_loadu_si256(in + 3);
        _mm256_storeu_si256(out, _mm256_xor_si256(a, mask));
        _mm256_storeu_si256(out + 1, _mm256_xor_si256(b, mask));
        _mm256_storeu_si256(out + 2, _mm256_xor_si256(c, mask));
        _mm256_storeu_si256(out + 3, _mm256_xor_si256(d, mask));
    }
}

/* Does what it can of a long run; returns how much that is. */
static size_t mask_long(char *to, const char *from, size_t size, uint64_t key)
{
    if (!__builtin_cpu_supports("avx2"))
        return 0;
    size_t done = size / 128 * 128;
    mask_avx2(to, from, done, key);
    return done;
}
#else
static size_t mask_long(char *to, const char *from, size_t size, uint64_t key)
{
    (void)to, (void)from, (void)size, (void)key;
    return 0;
}
#endif

void swale_mask_copy(char *to, const char *from, size_t size, const unsigned char key[4], size_t offset)
{
    enum { LONG = 256 };
    uint64_t turned = turn(repeat_key(key), offset);
    size_t done = size >= LONG ? mask_long(to, from, size, turned) : 0;
    if (size - done >= 16)
        mask_blocks(to + done, from + done, size - done, turned);
    else if (size > done)
        mask_short(to + done, from + done, size - done, turned);
}

void swale_mask(char *data, size_t size, const unsigned char key[4], size_t offset)
{
    swale_mask_copy(data, data, size, key, offset);
}
