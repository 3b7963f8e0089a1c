/* mask.c - masking payloads of any length: short ones as in mask.h, long ones in vectors of AVX2, where the machine
 * has it. (Vectors of 64 bytes gain nothing over these on a Zen 4 core: it stores 32 bytes in a cycle.) */
#include "proto/mask.h"

void swale__mask_plain(char *to, const char *from, size_t size, uint32_t key)
{
    swale__mask_block mask = swale__mask_spread(key);
    size_t i = 0;
    for (; size - i >= 64 + 16; i += 64) {
        swale__mask_block a = swale__mask_load(from + i), b = swale__mask_load(from + i + 16);
        swale__mask_block c = swale__mask_load(from + i + 32), d = swale__mask_load(from + i + 48);
        swale__mask_block out[4] = { a ^ mask, b ^ mask, c ^ mask, d ^ mask };
        memcpy(to + i, out, sizeof out);
    }
    swale__mask_blocks(to + i, from + i, size - i, key);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i load32(const char *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

AVX2 static inline void store32(char *to, __m256i block)
{
    _mm256_storeu_si256((__m256i *)(void *)to, block);
}

AVX2 static inline __m256i spread32(uint32_t key)
{
    return _mm256_set1_epi32((int)key);
}

/* 32 bytes and more. In long runs stores that cross cache lines cost a fifth of the speed: there the first step, as
 * the last one everywhere, goes over bytes of others, which begin where `to` is aligned. */
AVX2 static void mask_avx2(char *to, const char *from, size_t size, uint32_t key)
{
    enum { WORTH_ALIGNING = 2048 };
    __m256i first = _mm256_xor_si256(load32(from), spread32(key));
    __m256i last = _mm256_xor_si256(load32(from + size - 32), spread32(swale__mask_turn(key, size)));
    size_t i = size < WORTH_ALIGNING ? 32 : 32 - ((uintptr_t)to & 31);
    __m256i mask = spread32(swale__mask_turn(key, i));
    for (; size - i >= 128; i += 128) {
        __m256i a = load32(from + i), b = load32(from + i + 32), c = load32(from + i + 64), d = load32(from + i + 96);
        store32(to + i, _mm256_xor_si256(a, mask));
        store32(to + i + 32, _mm256_xor_si256(b, mask));
        store32(to + i + 64, _mm256_xor_si256(c, mask));
        store32(to + i + 96, _mm256_xor_si256(d, mask));
    }
    for (; size - i >= 32; i += 32)
        store32(to + i, _mm256_xor_si256(load32(from + i), mask));
    store32(to, first);
    store32(to + size - 32, last);
}

static bool mask_vectors(char *to, const char *from, size_t size, uint32_t key)
{
    if (!__builtin_cpu_supports("avx2"))
        return false;
    mask_avx2(to, from, size, key);
    return true;
}
#else
static bool mask_vectors(char *to, const char *from, size_t size, uint32_t key)
{
    (void)to, (void)from, (void)size, (void)key;
    return false;
}
#endif

static inline void mask_any(char *to, const char *from, size_t size, uint32_t key)
{
    if (size < SWALE__MASK_LONG)
        swale__mask_short(to, from, size, key);
    else if (!mask_vectors(to, from, size, key))
        swale__mask_plain(to, from, size, key);
}

void swale_mask_copy(char *to, const char *from, size_t size, const unsigned char key[4], size_t offset)
{
    mask_any(to, from, size, swale__mask_turn(swale__mask_key(key), offset));
}

void swale_mask(char *data, size_t size, const unsigned char key[4], size_t offset)
{
    mask_any(data, data, size, swale__mask_turn(swale__mask_key(key), offset));
}
