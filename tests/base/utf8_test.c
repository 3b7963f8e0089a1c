/* The checker against a reference that knows no tables: it asks of each byte whether the code points that can
 * still come of the character are allowed at all. */
#include "test.h"

#include "base/utf8.h"
#include "guard.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- The reference ---------------------------------------------------------------------------------- */

static size_t length_by_lead(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc0)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
}

/* Whether any code point from `low` to `high` may be written in `length` bytes (RFC 3629 section 3). */
static bool any_allowed(size_t length, uint32_t low, uint32_t high)
{
    switch (length) {
    case 1:
        return true;
    case 2:
        return high >= 0x80;
    case 3:
        return high >= 0x800 && !(low >= 0xd800 && high <= 0xdfff);
    default:
        return high >= 0x10000 && low <= 0x10ffff;
    }
}

/* Whether `seen` bytes can begin a character, one of `length` bytes. */
static bool can_begin(const unsigned char *bytes, size_t seen, size_t length)
{
    if (length == 0)
        return false;
    uint32_t low = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length), high = low;
    for (size_t i = 1; i < length; i++) {
        if (i < seen && (bytes[i] & 0xc0) != 0x80)
            return false;
        low = low << 6 | (i < seen ? bytes[i] & 0x3fu : 0);
        high = high << 6 | (i < seen ? bytes[i] & 0x3fu : 0x3f);
    }
    return any_allowed(length, low, high);
}

struct verdict {
    size_t good;   /* the position of the breaking byte, or the size */
    bool complete; /* valid, and whole characters only */
};

static struct verdict judge(const char *data, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t begin = 0;
    while (begin < size) {
        size_t length = length_by_lead(bytes[begin]), seen = 1;
        while (can_begin(bytes + begin, seen, length) && seen < length && begin + seen < size)
            seen++;
        if (!can_begin(bytes + begin, seen, length))
            return (struct verdict){ begin + seen - 1, false };
        if (seen < length)
            return (struct verdict){ size, false };
        begin += length;
    }
    return (struct verdict){ size, true };
}

/* ---- The kernels ------------------------------------------------------------------------------------ */

struct kernel {
    const char *name;
    bool (*check)(const char *data, size_t size);
    size_t least; /* bytes that it takes */
    bool there;   /* this machine can run it */
};

static struct kernel kernels[] = {
#if defined(__x86_64__)
    { "SSSE3", swale__utf8_ssse3, SWALE__UTF8_SSSE3_MIN, false },
    { "AVX2", swale__utf8_avx2, SWALE__UTF8_AVX2_MIN, false },
    { "AVX-512", swale__utf8_avx512, SWALE__UTF8_AVX512_MIN, false },
#elif defined(SWALE__UTF8_NEON)
    { "NEON", swale__utf8_neon, SWALE__UTF8_NEON_MIN, true },
#endif
    { NULL, NULL, SIZE_MAX, false },
};

static void find_kernels(void)
{
#if defined(__x86_64__)
    kernels[0].there = __builtin_cpu_supports("ssse3");
    kernels[1].there = __builtin_cpu_supports("avx2");
    kernels[2].there = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
#endif
    for (const struct kernel *kernel = kernels; kernel->name; kernel++)
        if (!kernel->there)
            print_message("[          ] this machine has no %s: its kernel is not tested\n", kernel->name);
}

/* The name of one that errs, or NULL. A lead byte at the end is not for them to judge. */
static const char *kernel_that_errs(const char *data, size_t size, size_t good)
{
    bool valid = good == size;
    if (good + 1 == size && (unsigned char)data[good] >= 0xc0)
        return NULL;
    for (const struct kernel *kernel = kernels; kernel->name; kernel++)
        if (kernel->there && size >= kernel->least && kernel->check(data, size) != valid)
            return kernel->name;
    return NULL;
}

/* ---- Comparing -------------------------------------------------------------------------------------- */

static void assert_feed(uint32_t *state, const char *data, size_t size, struct verdict expected)
{
    bool valid = swale__utf8_feed(state, data, size);
    assert_int_equal(valid, expected.good == size);
    assert_int_equal(*state == SWALE__UTF8_INVALID, !valid);
    assert_int_equal(*state == SWALE__UTF8_BOUNDARY, expected.complete);
}

/* One assertion for all, as there are many millions of texts. */
static void check_whole(const char *data, size_t size)
{
    struct verdict expected = judge(data, size);
    uint32_t state = 0;
    bool valid = swale__utf8_feed(&state, data, size);
    bool agrees = valid == (expected.good == size) && valid == (state != SWALE__UTF8_INVALID) &&
                  expected.complete == (state == SWALE__UTF8_BOUNDARY) &&
                  expected.good == swale__utf8_prefix(0, data, size) && state == swale__utf8_plain(data, size);
    if (!agrees)
        fail_msg("differs at %zu of %zu bytes", expected.good, size);
    const char *errs = kernel_that_errs(data, size, expected.good);
    if (errs)
        fail_msg("%s errs about %zu of %zu bytes", errs, expected.good, size);
}

static void check_split(const char *data, size_t size, size_t at)
{
    uint32_t state = 0;
    struct verdict head = judge(data, at);
    assert_feed(&state, data, at, head);
    struct verdict all = judge(data, size);
    if (head.good < at) { /* once invalid, always so */
        assert_false(swale__utf8_feed(&state, data + at, size - at));
        assert_int_equal(state, SWALE__UTF8_INVALID);
        return;
    }
    assert_int_equal(swale__utf8_prefix(state, data + at, size - at), all.good - at);
    bool valid = swale__utf8_feed(&state, data + at, size - at);
    assert_int_equal(valid, all.good == size);
    assert_int_equal(state == SWALE__UTF8_BOUNDARY, all.complete);
}

static void check_everywhere(const char *data, size_t size)
{
    char *edge = guard_copy(data, size);
    check_whole(edge, size);
    for (size_t at = 0; at <= size; at++)
        check_split(edge, size, at);
    guard_free(edge, size);
}

/* ---- All short strings ------------------------------------------------------------------------------ */

static void every_string_up_to_three_bytes(void **state)
{
    (void)state;
    char text[3];
    for (unsigned a = 0; a < 256; a++) {
        text[0] = (char)a;
        check_whole(text, 1);
        for (unsigned b = 0; b < 256; b++) {
            text[1] = (char)b;
            check_whole(text, 2);
            /* Behind a broken pair the third byte cannot matter: a few will do. */
            unsigned stride = judge(text, 2).good == 2 ? 1 : 37;
            for (unsigned c = 0; c < 256; c += stride) {
                text[2] = (char)c;
                check_whole(text, 3);
            }
        }
    }
}

/* One byte from each class that the rules tell apart, and its neighbours. */
static const unsigned char corners[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
                                         0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff };

static void every_corner_of_four_bytes(void **state)
{
    (void)state;
    enum { N = COUNT_OF(corners) };
    for (size_t i = 0; i < (size_t)N * N * N * N; i++) {
        char text[4] = { (char)corners[i % N], (char)corners[i / N % N], (char)corners[i / N / N % N],
                         (char)corners[i / N / N / N] };
        check_whole(text, 4);
    }
}

/* ---- Long runs: the kernels ------------------------------------------------------------------------- */

/* Every pair of bytes and every four corners inside a long text, at a place that moves over a block's seam. */
static void every_pair_inside_a_block(void **state)
{
    (void)state;
    char text[128];
    for (unsigned pair = 0; pair < 65536; pair++) {
        size_t at = 26 + pair % 8;
        memset(text, 'a', sizeof text);
        text[0] = (char)0xc3; /* so that the ASCII run ends at once */
        text[1] = (char)0xa9;
        text[at] = (char)(pair >> 8);
        text[at + 1] = (char)pair;
        check_whole(text, sizeof text);
    }
}

static void every_corner_inside_a_block(void **state)
{
    (void)state;
    enum { N = COUNT_OF(corners) };
    char text[96];
    for (size_t i = 0; i < (size_t)N * N * N * N; i++) {
        size_t at = 27 + i % 7;
        memset(text, 'a', sizeof text);
        text[0] = (char)0xc3;
        text[1] = (char)0xa9;
        for (size_t k = 0, rest = i; k < 4; k++, rest /= N)
            text[at + k] = (char)corners[rest % N];
        check_whole(text, sizeof text);
    }
}

static const char *const samples[] = {
    "The quick brown fox jumps over the lazy dog, and then some more ASCII to fill the words. ",
    "\xc3\x9c ber gr\xc3\xb6\xc3\x9f en \xe2\x82\xac 12,50 na\xc3\xafve ",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe3\x83\x86\xe3\x82\xad\xe3\x82\xb9\xe3\x83\x88",
    "\xf0\x9f\x98\x80\xf0\x9f\x8e\x89\xf4\x8f\xbf\xbf\xf0\x90\x80\x80",
    "\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xe0\xa0\x80\xdf\xbf\xc2\x80",
};

static void fill(char *text, size_t size, const char *sample)
{
    size_t length = strlen(sample);
    for (size_t i = 0; i < size; i++)
        text[i] = sample[i % length];
}

static void samples_at_every_split_and_alignment(void **state)
{
    (void)state;
    char text[200];
    for (size_t s = 0; s < COUNT_OF(samples); s++) {
        fill(text, sizeof text, samples[s]);
        for (size_t size = sizeof text - 70; size <= sizeof text; size++)
            check_whole(text, size);
        for (size_t shift = 0; shift < 33; shift++) /* begins inside characters too */
            check_everywhere(text + shift, sizeof text - shift);
    }
}

/* Between pages that must not be touched; the lengths and places take all alignments. */
static void kernels_at_every_length_and_alignment(void **state)
{
    (void)state;
    enum { SIZE = 300, ALIGNMENTS = 65 };
    char text[SIZE + ALIGNMENTS];
    for (size_t s = 0; s < COUNT_OF(samples); s++) {
        fill(text, sizeof text, samples[s]);
        char *low = guard_copy_behind(text, sizeof text), *high = guard_copy(text, sizeof text);
        for (size_t size = 0; size <= SIZE; size++) {
            check_whole(low, size);
            check_whole(high + sizeof text - size, size);
            for (size_t shift = size % 4; shift < ALIGNMENTS; shift += 4)
                check_whole(low + shift, size);
        }
        guard_free_behind(low, sizeof text);
        guard_free(high, sizeof text);
    }
}

static void one_bad_byte_is_found_anywhere(void **state)
{
    (void)state;
    static const unsigned char bad[] = { 0x80, 0xc0, 0xe0, 0xf5, 0xff, 'a' };
    char text[330]; /* a stride of the largest blocks, and more */
    for (size_t s = 0; s < COUNT_OF(samples); s++)
        for (size_t at = 0; at < sizeof text; at++)
            for (size_t b = 0; b < sizeof bad; b++) {
                fill(text, sizeof text, samples[s]);
                text[at] = (char)bad[b];
                check_whole(text, sizeof text);
                check_split(text, sizeof text, sizeof text / 2);
            }
}

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

static size_t append_random(char *text, uint32_t *random)
{
    static const char *const pieces[] = {
        "a",    "0123456789abcdef", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xe6\x97",
        "\x80", "\xed\xa0",         "\xf4\x90", "\xff"
    };
    uint32_t r = next_random(random);
    /* Mostly whole characters, so that faults come late. */
    const char *piece = pieces[r % 64 == 0 ? 5 + r / 64 % 5 : r % 5];
    memcpy(text, piece, strlen(piece));
    return strlen(piece);
}

static void random_mixes(void **state)
{
    (void)state;
    uint32_t random = 1;
    char text[512];
    for (int round = 0; round < 150; round++) {
        size_t goal = next_random(&random) % 480, size = 0;
        while (size < goal)
            size += append_random(text + size, &random);
        check_everywhere(text, size);
    }
}

static void short_ascii_at_every_length(void **state)
{
    (void)state;
    char text[2 * SWALE__UTF8_SHORT];
    memset(text, 0x7f, sizeof text);
    for (size_t size = 0; size <= sizeof text; size++) {
        char *high = guard_copy(text, size), *low = guard_copy_behind(text, size);
        assert_true(swale__utf8_is_ascii(high, size) && swale__utf8_is_ascii(low, size));
        for (size_t at = 0; at < size; at++) {
            high[at] = low[at] = (char)0x80;
            assert_false(swale__utf8_is_ascii(high, size) || swale__utf8_is_ascii(low, size));
            high[at] = low[at] = 0x7f;
        }
        guard_free(high, size);
        guard_free_behind(low, size);
    }
}

static void null_is_an_empty_run(void **state)
{
    (void)state;
    uint32_t check = 0;
    assert_true(swale__utf8_feed(&check, NULL, 0));
    assert_int_equal(swale__utf8_prefix(check, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_string_up_to_three_bytes),
        cmocka_unit_test(every_corner_of_four_bytes),
        cmocka_unit_test(every_pair_inside_a_block),
        cmocka_unit_test(every_corner_inside_a_block),
        cmocka_unit_test(samples_at_every_split_and_alignment),
        cmocka_unit_test(kernels_at_every_length_and_alignment),
        cmocka_unit_test(one_bad_byte_is_found_anywhere),
        cmocka_unit_test(random_mixes),
        cmocka_unit_test(short_ascii_at_every_length),
        cmocka_unit_test(null_is_an_empty_run),
    };
    find_kernels();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
