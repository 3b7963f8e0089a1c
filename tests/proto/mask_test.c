#include "test.h"

#include "guard.h"
#include "proto/mask.h"

#include <stdlib.h>
#include <string.h>
#include <swale/proto.h>

static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };

/* RFC 6455 section 5.3, as it stands there. */
static void reference(char *to, const char *from, size_t size, size_t offset)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(from[i] ^ key[(offset + i) % 4]);
}

static void fill(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 151 + 7);
}

enum { MAX = 700, ROOM = 64, FENCE = 0x6e };

/* `shift` moves the run against any alignment; what stands around it must stay. */
static void check_in_place(size_t size, size_t offset, size_t shift)
{
    char data[MAX], expected[MAX], buffer[MAX + 2 * ROOM];
    fill(data, size);
    reference(expected, data, size, offset);
    memset(buffer, FENCE, sizeof buffer);
    memcpy(buffer + shift, data, size);
    swale_mask(buffer + shift, size, key, offset);
    assert_memory_equal(buffer + shift, expected, size);
    for (size_t i = 0; i < shift; i++)
        assert_int_equal(buffer[i], FENCE);
    for (size_t i = shift + size; i < sizeof buffer; i++)
        assert_int_equal(buffer[i], FENCE);
}

static void in_place(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 300; size++)
        for (size_t offset = 0; offset < 8; offset++)
            check_in_place(size, offset, 1 + (size + offset) % 33);
    for (size_t size = 0; size <= 80; size++)
        for (size_t shift = 0; shift < 32; shift++)
            check_in_place(size, 3, shift);
    for (size_t size = 300; size <= MAX; size++)
        check_in_place(size, size % 5, size % 37);
}

static void copying(void **state)
{
    (void)state;
    char data[MAX], expected[MAX], buffer[MAX + ROOM];
    for (size_t size = 0; size <= MAX; size++)
        for (size_t offset = 0; offset < 4; offset++) {
            size_t shift = (size * 3 + offset) % 33;
            fill(data, size);
            reference(expected, data, size, offset);
            memset(buffer, FENCE, sizeof buffer);
            swale_mask_copy(buffer + shift, data, size, key, offset);
            assert_memory_equal(buffer + shift, expected, size);
            assert_int_equal(buffer[shift + size], FENCE);
        }
}

static void in_pieces(void **state)
{
    (void)state;
    char data[100], expected[100], pieces[100];
    fill(data, sizeof data);
    reference(expected, data, sizeof data, 0);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        memcpy(pieces, data, sizeof data);
        swale_mask(pieces, cut, key, 0);
        swale_mask(pieces + cut, sizeof data - cut, key, cut);
        assert_memory_equal(pieces, expected, sizeof data);
    }
}

static void stays_inside(void **state)
{
    (void)state;
    char data[MAX], expected[MAX], copy[MAX];
    fill(data, sizeof data);
    for (size_t size = 0; size <= MAX; size += size < 300 ? 1 : 17) {
        reference(expected, data, size, 0);
        char *edge = guard_copy(data, size);
        swale_mask_copy(copy, edge, size, key, 0);
        assert_memory_equal(copy, expected, size);
        swale_mask(edge, size, key, 0);
        assert_memory_equal(edge, expected, size);
        guard_free(edge, size);
    }
}

/* ---- Each of the ways ------------------------------------------------------------------------------- */

static void any_way(char *to, const char *from, size_t size, uint32_t turned)
{
    unsigned char bytes[4];
    memcpy(bytes, &turned, sizeof bytes);
    swale_mask_copy(to, from, size, bytes, 0);
}

static void short_way(char *to, const char *from, size_t size, uint32_t turned)
{
    uint64_t all = swale__mask_short(to, from, size, turned), expected = 0;
    for (size_t i = 0; i < size; i++)
        expected |= (unsigned char)to[i] & 0x80;
    assert_int_equal((all & SWALE__NOT_ASCII) != 0, expected != 0);
}

static const struct way {
    void (*mask)(char *to, const char *from, size_t size, uint32_t key);
    size_t least;
} ways[] = { { any_way, 0 }, { short_way, 0 }, { swale__mask_plain, 16 } };

enum { LENGTHS = 300, ALIGNMENTS = 32 };

/* Bytes that are ASCII behind the mask, but for one at most. */
static void fill_masked(char *data, size_t size, size_t other)
{
    char plain[LENGTHS + ALIGNMENTS];
    memset(plain, 'x', sizeof plain);
    if (other < sizeof plain)
        plain[other] = (char)0xe4;
    reference(data, plain, size, 0);
}

/* In place and copying, between pages that must not be touched. */
static void check_way(const struct way *way, size_t size, size_t shift)
{
    static char data[LENGTHS + ALIGNMENTS], expected[LENGTHS + ALIGNMENTS];
    size_t all = size + shift;
    uint32_t turned = swale__mask_turn(swale__mask_key(key), shift);
    fill_masked(data, all, size % 3 == 0 ? SIZE_MAX : shift + size / 2);
    reference(expected, data, all, 0);
    char *low = guard_copy_behind(data, all), *high = guard_copy(data, all);
    way->mask(low, high + shift, size, turned); /* one end of each */
    assert_memory_equal(low, expected + shift, size);
    way->mask(high + shift, high + shift, size, turned);
    assert_memory_equal(high, data, shift);
    assert_memory_equal(high + shift, expected + shift, size);
    memcpy(low, data, all);
    way->mask(low, low, size, turned); /* turned wrongly: undone below */
    way->mask(low, low, size, turned);
    assert_memory_equal(low, data, all);
    guard_free_behind(low, all);
    guard_free(high, all);
}

static void every_way_at_every_length_and_alignment(void **state)
{
    (void)state;
    for (size_t w = 0; w < COUNT_OF(ways); w++)
        for (size_t size = ways[w].least; size <= LENGTHS; size++)
            for (size_t shift = size % 3; shift < ALIGNMENTS; shift += size < 70 ? 1 : 5)
                check_way(&ways[w], size, shift);
}

/* Where the first step goes over bytes of others. */
static void long_runs_at_every_alignment(void **state)
{
    (void)state;
    enum { LONG = 5000, ROUND = 64 };
    static char data[LONG + ROUND], expected[LONG + ROUND], copy[LONG + 2 * ROUND];
    fill(data, sizeof data);
    reference(expected, data, sizeof data, 0);
    for (size_t shift = 0; shift < ROUND; shift++)
        for (size_t size = LONG; size < LONG + ROUND; size += 7) {
            memset(copy, FENCE, sizeof copy);
            swale_mask_copy(copy + shift, data, size, key, 0);
            assert_memory_equal(copy + shift, expected, size);
            assert_int_equal(copy[shift + size], FENCE);
            swale_mask(copy + shift, size, key, 0);
            assert_memory_equal(copy + shift, data, size);
            assert_true(shift == 0 || copy[shift - 1] == FENCE);
        }
}

static void offsets_may_be_large(void **state)
{
    (void)state;
    char data[] = "0123456789abcdefghij", expected[sizeof data];
    reference(expected, data, sizeof data, SIZE_MAX % 4);
    swale_mask(data, sizeof data, key, SIZE_MAX);
    assert_memory_equal(data, expected, sizeof data);
}

static void null_is_an_empty_run(void **state)
{
    (void)state;
    swale_mask(NULL, 0, key, 1);
    swale_mask_copy(NULL, NULL, 0, key, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_place),
        cmocka_unit_test(copying),
        cmocka_unit_test(in_pieces),
        cmocka_unit_test(stays_inside),
        cmocka_unit_test(every_way_at_every_length_and_alignment),
        cmocka_unit_test(long_runs_at_every_alignment),
        cmocka_unit_test(offsets_may_be_large),
        cmocka_unit_test(null_is_an_empty_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
