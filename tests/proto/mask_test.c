#include "test.h"

#include "guard.h"

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
        cmocka_unit_test(offsets_may_be_large),
        cmocka_unit_test(null_is_an_empty_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
