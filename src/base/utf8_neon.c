/* utf8_neon.c - UTF-8 in vectors of 16 bytes, on arm64. */
#include "base/utf8.h"

#if SWALE__UTF8_NEON
#include <arm_neon.h>

#define TARGET

enum { BLOCK = 16 };
typedef uint8x16_t vec;

static inline vec load(const char *from)
{
    return vld1q_u8((const unsigned char *)from);
}

static inline vec splat(int byte)
{
    return vdupq_n_u8((unsigned char)byte);
}

static inline vec both(vec a, vec b)
{
    return vandq_u8(a, b);
}

static inline vec either(vec a, vec b)
{
    return vorrq_u8(a, b);
}

static inline vec differ(vec a, vec b)
{
    return veorq_u8(a, b);
}

static inline vec less(vec a, vec b)
{
    return vqsubq_u8(a, b);
}

static inline vec low_nibbles(vec bytes)
{
    return both(bytes, splat(0x0f));
}

static inline vec high_nibbles(vec bytes)
{
    return vshrq_n_u8(bytes, 4);
}

static inline vec look_up(const unsigned char table[16], vec nibbles)
{
    return vqtbl1q_u8(vld1q_u8(table), nibbles);
}

#define BACK(block, n) vextq_u8(splat(0), block, 16 - (n))

static inline vec join(uint64_t front, uint64_t back)
{
    return vcombine_u8(vcreate_u8(front), vcreate_u8(back));
}

static inline bool is_zero(vec bytes)
{
    return vmaxvq_u8(bytes) == 0;
}

static inline bool is_ascii(vec bytes)
{
    return vmaxvq_u8(bytes) < 0x80;
}

#include "base/utf8_blocks.h"
#include "base/utf8_short.h"

bool swale__utf8_neon(const char *data, size_t size)
{
    return size < BLOCK ? check_short(data, size) : check(data, size);
}
#endif
