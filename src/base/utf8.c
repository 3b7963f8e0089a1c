/* utf8.c - the UTF-8 checker: a finite automaton, which carries the state, and vectors, where the machine has them.
 *
 *     feed:  rest of a character | as many as there are | a character that goes on behind the end
 *            automaton             kernel                 automaton
 *
 * Without a kernel the automaton does all of it, but for runs of ASCII.
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
uint32_t swale__utf8_plain(const char *data, size_t size)
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

/* ---- Kernels ---------------------------------------------------------------------------------------- */

/* What the machine is able to do is found out by the compiler's run-time library before the program begins, and only
 * read here. 4 bytes or more; false where there is nothing but the automaton. */
#if defined(__x86_64__)
static bool check_blocks(const char *data, size_t size, bool *valid)
{
    enum { ONE_SSE = 16 };
    /* Processors of the time before VBMI become slower as a whole where they use these. */
    if (size > ONE_SSE && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw"))
        *valid = swale__utf8_avx512(data, size);
    else if (size >= SWALE__UTF8_AVX2_MIN && __builtin_cpu_supports("avx2"))
        *valid = swale__utf8_avx2(data, size);
    else if (__builtin_cpu_supports("ssse3"))
        *valid = swale__utf8_ssse3(data, size);
    else
        return false;
    return true;
}
#elif defined(SWALE__UTF8_NEON)
static bool check_blocks(const char *data, size_t size, bool *valid)
{
    *valid = swale__utf8_neon(data, size);
    return true;
}
#else
static bool check_blocks(const char *data, size_t size, bool *valid)
{
    (void)data, (void)size, (void)valid;
    return false;
}
#endif

/* How many bytes at the end of a text that is valid so far belong to a character that goes on behind it. */
static size_t unfinished(const char *data, size_t size)
{
    const unsigned char *end = (const unsigned char *)data + size;
    if (end[-1] < 0x80)
        return 0;
    if (end[-1] >= 0xc0)
        return 1;
    if (end[-2] >= 0xe0)
        return 2;
    return end[-3] >= 0xf0 ? 3 : 0;
}

/* The state behind a text that begins at a boundary. */
static uint32_t check_text(const char *data, size_t size)
{
    enum { WORTH_BLOCKS = 4 };
    bool valid;
    if (size < WORTH_BLOCKS)
        return walk(START, data, size);
    if (!check_blocks(data, size, &valid))
        return swale__utf8_plain(data, size);
    if (!valid)
        return INVALID;
    size_t open = unfinished(data, size);
    return walk(START, data + size - open, open);
}

bool swale__utf8_feed(uint32_t *state, const char *data, size_t size)
{
    for (; size > 0 && *state != START; data++, size--) {
        *state = walk(*state, data, 1);
        if (*state == INVALID)
            return false;
    }
    if (size > 0)
        *state = check_text(data, size);
    return *state != INVALID;
}
