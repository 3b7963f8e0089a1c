/* utf8.c - the UTF-8 checker: a finite automaton for every byte, with short cuts for runs.
 *
 *     feed:  rest of a character | ASCII, 32 bytes at a time | SIMD blocks | what is left
 *            automaton             words                       kernel        automaton and words
 *
 * Only the automaton carries state; the short cuts begin and end between characters.
 *
 * A state is what may come next, and its number is a shift: each byte has one 64-bit row which holds, at the shift
 * of every state, the state that follows. A step is then one load that does not depend on the step before, and
 * one shift that does. */
#include "base/utf8.h"

enum {
    START = SWALE__UTF8_BOUNDARY,
    ONE = 6,       /* one continuation, 80 to bf */
    TWO = 12,      /* two of them */
    THREE = 18,    /* three */
    AFTER_E0 = 24, /* a0 to bf, then ONE: no over-long form */
    AFTER_ED = 30, /* 80 to 9f, then ONE: no surrogate */
    AFTER_F0 = 36, /* 90 to bf, then TWO: no over-long form */
    AFTER_F4 = 42, /* 80 to 8f, then TWO: nothing above U+10FFFF */
    INVALID = SWALE__UTF8_INVALID,
};

/* A row in which every state leads to INVALID, and the change to it that makes `from` lead to `to`. */
#define AT(from, state) ((uint64_t)(state) << (from))
#define NOWHERE                                                                                                      \
    (AT(START, INVALID) | AT(ONE, INVALID) | AT(TWO, INVALID) | AT(THREE, INVALID) | AT(AFTER_E0, INVALID) |         \
     AT(AFTER_ED, INVALID) | AT(AFTER_F0, INVALID) | AT(AFTER_F4, INVALID) | AT(INVALID, INVALID))
#define GO(from, to) AT(from, INVALID ^ (to))
#define LEAD(to)     (NOWHERE ^ GO(START, to))
#define CONTINUES    (NOWHERE ^ GO(ONE, START) ^ GO(TWO, ONE) ^ GO(THREE, TWO))

static const uint64_t rows[256] = {
    [0x00 ... 0x7f] = LEAD(START),
    [0x80 ... 0x8f] = CONTINUES ^ GO(AFTER_ED, ONE) ^ GO(AFTER_F4, TWO),
    [0x90 ... 0x9f] = CONTINUES ^ GO(AFTER_ED, ONE) ^ GO(AFTER_F0, TWO),
    [0xa0 ... 0xbf] = CONTINUES ^ GO(AFTER_E0, ONE) ^ GO(AFTER_F0, TWO),
    [0xc0 ... 0xc1] = NOWHERE,
    [0xc2 ... 0xdf] = LEAD(ONE),
    [0xe0] = LEAD(AFTER_E0),
    [0xe1 ... 0xec] = LEAD(TWO),
    [0xed] = LEAD(AFTER_ED),
    [0xee ... 0xef] = LEAD(TWO),
    [0xf0] = LEAD(AFTER_F0),
    [0xf1 ... 0xf3] = LEAD(THREE),
    [0xf4] = LEAD(AFTER_F4),
    [0xf5 ... 0xff] = NOWHERE,
};

static uint64_t step(uint64_t state, char byte)
{
    return rows[(unsigned char)byte] >> (state & 63);
}

static uint32_t walk(uint32_t from, const char *data, size_t size)
{
    uint64_t state = from;
    for (size_t i = 0; i < size; i++)
        state = step(state, data[i]);
    return state & 63;
}

size_t swale__utf8_prefix(uint32_t state, const char *data, size_t size)
{
    size_t good = 0;
    while (good < size && (state = walk(state, data + good, 1)) != INVALID)
        good++;
    return good;
}

/* ---- ASCII ------------------------------------------------------------------------------------------ */

static uint64_t word_at(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

static bool any_high_bit(uint64_t word)
{
    return (word & 0x8080808080808080) != 0;
}

/* How many bytes at the front are known to be ASCII: all, or a multiple of eight. */
static size_t ascii_run(const char *data, size_t size)
{
    size_t i = 0;
    for (; size - i >= 32; i += 32)
        if (any_high_bit(word_at(data + i) | word_at(data + i + 8) | word_at(data + i + 16) | word_at(data + i + 24)))
            break;
    for (; size - i >= 8; i += 8)
        if (any_high_bit(word_at(data + i)))
            return i;
    if (size >= 8) /* the last bytes, together with some that were seen already */
        return any_high_bit(word_at(data + size - 8)) ? i : size;
    return i;
}

/* ---- Runs ------------------------------------------------------------------------------------------- */

/* The automaton, a stride at a time; after a stride that ended between characters, a look for more ASCII. */
static uint32_t check_run(const char *data, size_t size)
{
    enum { STRIDE = 24 };
    uint32_t state = START;
    for (size_t i = 0; i < size;) {
        if (state == START)
            i += ascii_run(data + i, size - i);
        size_t count = size - i < STRIDE ? size - i : STRIDE;
        state = walk(state, data + i, count);
        if (state == INVALID)
            break;
        i += count;
    }
    return state;
}

#if defined(__x86_64__)
static bool check_blocks(const char *data, size_t size, bool *valid)
{
    if (!__builtin_cpu_supports("avx2"))
        return false;
    *valid = swale__utf8_blocks_avx2(data, size);
    return true;
}
#elif defined(__aarch64__)
static bool check_blocks(const char *data, size_t size, bool *valid)
{
    *valid = swale__utf8_blocks_neon(data, size);
    return true;
}
#else
static bool check_blocks(const char *data, size_t size, bool *valid)
{
    (void)data, (void)size, (void)valid;
    return false;
}
#endif

/* How many bytes at the end belong to a character that goes on behind it. */
static size_t unfinished(const char *data, size_t size)
{
    const unsigned char *end = (const unsigned char *)data + size;
    if (end[-1] >= 0xc0)
        return 1;
    if (end[-2] >= 0xe0)
        return 2;
    return end[-3] >= 0xf0 ? 3 : 0;
}

bool swale__utf8_feed(uint32_t *state, const char *data, size_t size)
{
    enum { WORTH_SIMD = 2 * SWALE__UTF8_BLOCK };
    size_t i = 0;
    if (size == 0)
        return *state != INVALID;
    while (i < size && *state != START) {
        *state = walk(*state, data + i++, 1);
        if (*state == INVALID)
            return false;
    }
    i += ascii_run(data + i, size - i);
    size_t run = (size - i) / SWALE__UTF8_BLOCK * SWALE__UTF8_BLOCK;
    bool valid;
    if (run >= WORTH_SIMD && check_blocks(data + i, run, &valid)) {
        if (!valid) {
            *state = INVALID;
            return false;
        }
        i += run - unfinished(data + i, run);
    }
    if (i < size)
        *state = check_run(data + i, size - i);
    return *state != INVALID;
}
