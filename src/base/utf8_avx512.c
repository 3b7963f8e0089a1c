/* utf8_avx512.c - UTF-8 in vectors of 64 bytes; what is shorter, in one that is not full. */
#include "base/utf8.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw")))

enum { BLOCK = 64 };
typedef __m512i vec;

TARGET static inline vec load(const char *from)
{
    return _mm512_loadu_si512(from);
}

TARGET static inline vec splat(int byte)
{
    return _mm512_set1_epi8((char)byte);
}

TARGET static inline vec both(vec a, vec b)
{
    return _mm512_and_si512(a, b);
}

TARGET static inline vec either(vec a, vec b)
{
    return _mm512_or_si512(a, b);
}

TARGET static inline vec differ(vec a, vec b)
{
    return _mm512_xor_si512(a, b);
}

TARGET static inline vec less(vec a, vec b)
{
    return _mm512_subs_epu8(a, b);
}

TARGET static inline vec low_nibbles(vec bytes)
{
    return both(bytes, splat(0x0f));
}

TARGET static inline vec high_nibbles(vec bytes)
{
    return low_nibbles(_mm512_srli_epi16(bytes, 4));
}

TARGET static inline vec look_up(const unsigned char table[16], vec nibbles)
{
    __m512i quarters = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table));
    return _mm512_shuffle_epi8(quarters, nibbles);
}

/* As with AVX2, in quarters. */
#define BACK(block, n) _mm512_alignr_epi8(block, _mm512_alignr_epi64(block, splat(0), 6), 16 - (n))

TARGET static inline bool is_zero(vec bytes)
{
    return _mm512_test_epi8_mask(bytes, bytes) == 0;
}

TARGET static inline bool is_ascii(vec bytes)
{
    return _mm512_movepi8_mask(bytes) == 0;
}

#include "base/utf8_blocks.h"

/* 1 to 64 bytes. */
TARGET static inline bool check_short(const char *data, size_t size)
{
    __mmask64 there = UINT64_MAX >> (BLOCK - size);
    vec block = _mm512_maskz_loadu_epi8(there, data);
    if (is_ascii(block))
        return true;
    vec found = faults_first(block);
    return _mm512_mask_test_epi8_mask(there, found, found) == 0;
}

TARGET bool swale__utf8_avx512(const char *data, size_t size)
{
    return size <= BLOCK ? check_short(data, size) : check(data, size);
}
#endif
