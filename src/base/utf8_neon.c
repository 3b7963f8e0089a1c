/* utf8_neon.c - UTF-8 in blocks of 16 bytes; see utf8_tables.h for the method. */
#include "base/utf8.h"

#if defined(__aarch64__)
#include "base/utf8_tables.h"

#include <arm_neon.h>

static const unsigned char first_high[16] = { FIRST_HIGH };
static const unsigned char first_low[16] = { FIRST_LOW };
static const unsigned char second_high[16] = { SECOND_HIGH };

/* Not zero where one of these 16 bytes makes a fault with those before it. */
static inline uint8x16_t faults(uint8x16_t before, uint8x16_t block)
{
    /* The block moved by one, two and three bytes, with the end of the one before shifted in. */
    uint8x16_t back1 = vextq_u8(before, block, 15);
    uint8x16_t back2 = vextq_u8(before, block, 14);
    uint8x16_t back3 = vextq_u8(before, block, 13);

    uint8x16_t pair = vandq_u8(vqtbl1q_u8(vld1q_u8(first_high), vshrq_n_u8(back1, 4)),
                               vqtbl1q_u8(vld1q_u8(first_low), vandq_u8(back1, vdupq_n_u8(0x0f))));
    pair = vandq_u8(pair, vqtbl1q_u8(vld1q_u8(second_high), vshrq_n_u8(block, 4)));

    /* The high bit is set where a lead byte two or three back asks for a continuation here: FOLLOWS. */
    uint8x16_t third = vcgeq_u8(back2, vdupq_n_u8(0xe0));
    uint8x16_t fourth = vcgeq_u8(back3, vdupq_n_u8(0xf0));
    uint8x16_t asked = vandq_u8(vorrq_u8(third, fourth), vdupq_n_u8(FOLLOWS));
    return veorq_u8(pair, asked);
}

bool swale__utf8_blocks_neon(const char *data, size_t size)
{
    uint8x16_t before = vdupq_n_u8(0);
    uint8x16_t found = vdupq_n_u8(0);
    for (size_t i = 0; i < size; i += 16) {
        uint8x16_t block = vld1q_u8((const unsigned char *)data + i);
        found = vorrq_u8(found, faults(before, block));
        before = block;
    }
    return vmaxvq_u8(found) == 0;
}
#endif
