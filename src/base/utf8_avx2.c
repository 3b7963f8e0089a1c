/* utf8_avx2.c - UTF-8 in blocks of 32 bytes; see utf8_tables.h for the method. */
#include "base/utf8.h"

#if defined(__x86_64__)
#include "base/utf8_tables.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2"))) static inline

static const unsigned char first_high[16] = { FIRST_HIGH };
static const unsigned char first_low[16] = { FIRST_LOW };
static const unsigned char second_high[16] = { SECOND_HIGH };

AVX2 __m256i look_up(const unsigned char table[16], __m256i nibbles)
{
    __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
    return _mm256_shuffle_epi8(both, nibbles);
}

AVX2 __m256i low_nibbles(__m256i bytes)
{
    return _mm256_and_si256(bytes, _mm256_set1_epi8(0x0f));
}

AVX2 __m256i high_nibbles(__m256i bytes)
{
    return low_nibbles(_mm256_srli_epi16(bytes, 4));
}

/* Not zero where one of these 32 bytes makes a fault with those before it. */
AVX2 __m256i faults(__m256i before, __m256i block)
{
    /* The block moved by one, two and three bytes, with the end of the one before shifted in. */
    __m256i seam = _mm256_permute2x128_si256(before, block, 0x21);
    __m256i back1 = _mm256_alignr_epi8(block, seam, 15);
    __m256i back2 = _mm256_alignr_epi8(block, seam, 14);
    __m256i back3 = _mm256_alignr_epi8(block, seam, 13);

    __m256i pair = _mm256_and_si256(look_up(first_high, high_nibbles(back1)), look_up(first_low, low_nibbles(back1)));
    pair = _mm256_and_si256(pair, look_up(second_high, high_nibbles(block)));

    /* The high bit is set where a lead byte two or three back asks for a continuation here: FOLLOWS. */
    __m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8(0xe0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8(0xf0 - 0x80));
    __m256i asked = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)FOLLOWS));
    return _mm256_xor_si256(pair, asked);
}

__attribute__((target("avx2"))) bool swale__utf8_blocks_avx2(const char *data, size_t size)
{
    __m256i before = _mm256_setzero_si256();
    __m256i found = _mm256_setzero_si256();
    for (size_t i = 0; i < size; i += SWALE__UTF8_BLOCK) {
        __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)(data + i));
        found = _mm256_or_si256(found, faults(before, block));
        before = block;
    }
    return _mm256_testz_si256(found, found);
}
#endif
