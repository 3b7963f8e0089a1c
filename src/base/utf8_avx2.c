/* utf8_avx2.c - UTF-8 in vectors of 32 bytes. */
#include "base/utf8.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))

enum { BLOCK = 32 };
typedef __m256i vec;

TARGET static inline vec load(const char *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

TARGET static inline vec splat(int byte)
{
    return _mm256_set1_epi8((char)byte);
}

TARGET static inline vec both(vec a, vec b)
{
    return _mm256_and_si256(a, b);
}

TARGET static inline vec either(vec a, vec b)
{
    return _mm256_or_si256(a, b);
}

TARGET static inline vec differ(vec a, vec b)
{
    return _mm256_xor_si256(a, b);
}

TARGET static inline vec less(vec a, vec b)
{
    return _mm256_subs_epu8(a, b);
}

TARGET static inline vec low_nibbles(vec bytes)
{
    return both(bytes, splat(0x0f));
}

TARGET static inline vec high_nibbles(vec bytes)
{
    return low_nibbles(_mm256_srli_epi16(bytes, 4));
}

TARGET static inline vec look_up(const unsigned char table[16], vec nibbles)
{
    __m256i halves = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
    return _mm256_shuffle_epi8(halves, nibbles);
}

/* alignr moves within halves: in front of the upper one stands the lower, in front of that nothing. */
#define BACK(block, n) _mm256_alignr_epi8(block, _mm256_permute2x128_si256(block, block, 0x08), 16 - (n))

TARGET static inline bool is_zero(vec bytes)
{
    return _mm256_testz_si256(bytes, bytes);
}

TARGET static inline bool is_ascii(vec bytes)
{
    return _mm256_movemask_epi8(bytes) == 0;
}

#include "base/utf8_blocks.h"

TARGET bool swale__utf8_avx2(const char *data, size_t size)
{
    return check(data, size);
}
#endif
