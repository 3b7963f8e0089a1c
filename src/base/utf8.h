/* utf8.h - checking UTF-8 as it arrives (RFC 3629, RFC 6455 section 8.1).
 *
 * The state between two runs of bytes is a small number: SWALE__UTF8_BOUNDARY when the text so far is whole,
 * SWALE__UTF8_INVALID when it cannot be mended any more, anything else inside a character. */
#ifndef SWALE_BASE_UTF8_H
#define SWALE_BASE_UTF8_H

#include <swale/base.h>

enum { SWALE__UTF8_BOUNDARY = 0, SWALE__UTF8_INVALID = 48 };

/* Goes on with `size` more bytes. False once the text is invalid; the state then stays so. */
bool swale__utf8_feed(uint32_t *state, const char *data, size_t size);

/* How many of the bytes can begin a valid text, from `state` on: `size`, or the position of the byte that breaks
 * it. Byte by byte: for finding the place of a fault. */
size_t swale__utf8_prefix(uint32_t state, const char *data, size_t size);

/* Is this ASCII? For short runs of any length, without a call. */
enum { SWALE__UTF8_SHORT = 64 };
static inline bool swale__utf8_is_ascii(const char *data, size_t size)
{
    typedef uint64_t block16 __attribute__((vector_size(16)));
    uint64_t all = 0, word;
    uint32_t front, back;
    if (size >= sizeof(block16)) {
        block16 any, block;
        memcpy(&any, data + size - sizeof any, sizeof any); /* together with some that are seen again */
        for (size_t i = 0; size - i > sizeof block; i += sizeof block) {
            memcpy(&block, data + i, sizeof block);
            any |= block;
        }
        all = any[0] | any[1];
    } else if (size >= sizeof word) {
        memcpy(&all, data, sizeof all);
        memcpy(&word, data + size - sizeof word, sizeof word);
        all |= word;
    } else if (size >= sizeof front) {
        memcpy(&front, data, sizeof front);
        memcpy(&back, data + size - sizeof back, sizeof back);
        all = front | back;
    } else if (size > 0) {
        all = (unsigned char)(data[0] | data[size / 2] | data[size - 1]);
    }
    return (all & 0x8080808080808080) == 0;
}

/* ---- Kernels ---------------------------------------------------------------------------------------- */

/* The automaton alone, for machines without any: the state behind a text that begins at a boundary. */
uint32_t swale__utf8_plain(const char *data, size_t size);

/* One for each instruction set, in a file of its own. Each checks data[0..size), which begins at a boundary and is no
 * shorter than this. A character that goes on behind the end is not judged, nor a lead byte there. */
#if defined(__x86_64__)
enum { SWALE__UTF8_SSSE3_MIN = 4, SWALE__UTF8_AVX2_MIN = 32, SWALE__UTF8_AVX512_MIN = 1 };
bool swale__utf8_ssse3(const char *data, size_t size);
bool swale__utf8_avx2(const char *data, size_t size);
bool swale__utf8_avx512(const char *data, size_t size); /* AVX512F, AVX512BW */
#elif defined(__AARCH64EL__)
#define SWALE__UTF8_NEON 1
enum { SWALE__UTF8_NEON_MIN = 4 };
bool swale__utf8_neon(const char *data, size_t size);
#endif

#endif
