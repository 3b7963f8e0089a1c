/* utf8_ssse3.c - UTF-8 in vectors of 16 bytes: for short texts, and for machines that have no larger vectors. */
#include "base/utf8.h"

#if defined(__x86_64__)
#include <tmmintrin.h>

#define TARGET __attribute__((target("ssse3")))

enum { BLOCK = 16 };
typedef __m128i vec;

TARGET static inline vec load(const char *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

TARGET static inline vec splat(int byte)
{
    return _mm_set1_epi8((char)byte);
}

TARGET static inline vec both(vec a, vec b)
{
    return _mm_and_si128(a, b);
}

TARGET static inline vec either(vec a, vec b)
{
    return _mm_or_si128(a, b);
}

TARGET static inline vec differ(vec a, vec b)
{
    return _mm_xor_si128(a, b);
}

TARGET static inline vec less(vec a, vec b)
{
    return _mm_subs_epu8(a, b);
}

TARGET static inline vec low_nibbles(vec bytes)
{
    return both(bytes, splat(0x0f));
}

TARGET static inline vec high_nibbles(vec bytes)
{
    return low_nibbles(_mm_srli_epi16(bytes, 4));
}

TARGET static inline vec look_up(const unsigned char table[16], vec nibbles)
{
    return _mm_shuffle_epi8(load((const char *)table), nibbles);
}

#define BACK(block, n) _mm_slli_si128(block, n)

TARGET static inline vec join(uint64_t front, uint64_t back)
{
    return _mm_set_epi64x((long long)back, (long long)front);
}

TARGET static inline bool is_zero(vec bytes)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, splat(0))) == 0xffff;
}

TARGET static inline bool is_ascii(vec bytes)
{
    return _mm_movemask_epi8(bytes) == 0;
}

#include "base/utf8_blocks.h"
#include "base/utf8_short.h"

TARGET bool swale__utf8_ssse3(const char *data, size_t size)
{
    return size < BLOCK ? check_short(data, size) : check(data, size);
}
#endif
