#include "test.h"

#include "codecs.h"
#include "proto/small.h"

#include <stdio.h>
#include <zlib.h>

static struct swale__small small;

/* What zlib makes of it: put the tail back, and inflate with a window that is no larger than the message needs. */
static void check_inflates(const char *packed, size_t size, struct swale_span message)
{
    unsigned char in[2 * SWALE__SMALL_MAX], out[SWALE__SMALL_MAX + 1];
    int bits = 9;
    while ((size_t)1 << bits < message.size)
        bits++;
    z_stream stream = { .next_in = in, .avail_in = (unsigned)size + 4, .next_out = out, .avail_out = sizeof out };
    memcpy(in, packed, size);
    memcpy(in + size, "\x00\x00\xff\xff", 4);
    assert_int_equal(inflateInit2(&stream, -bits), Z_OK);
    assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK); /* and not Z_STREAM_END */
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(sizeof out - stream.avail_out, message.size);
    assert_memory_equal(out, message.data, message.size);
    inflateEnd(&stream);
}

/* Compresses a message that ends at a guard page, and begins at one too where that is of use, into exactly the room
 * that it takes. The size. */
static size_t check(const char *data, size_t size)
{
    char packed[2 * SWALE__SMALL_MAX];
    char *block = guard_copy(data, size);
    struct swale_span message = swale_span(block, size);
    ptrdiff_t made = swale__deflate_small(&small, message, packed, swale_deflater_bound(size));
    assert_true(made > 0);
    check_inflates(packed, (size_t)made, message);
    char *out = guard_copy(packed, (size_t)made);
    memset(out, 0x55, (size_t)made);
    assert_int_equal(swale__deflate_small(&small, message, out, (size_t)made - 1), SWALE_ERR_TOO_SMALL);
    for (ptrdiff_t i = 0; i < made; i++)
        assert_int_equal(out[i], 0x55); /* nothing was written */
    assert_int_equal(swale__deflate_small(&small, message, out, (size_t)made), made);
    assert_memory_equal(out, packed, (size_t)made);
    guard_free(out, (size_t)made);
    guard_free(block, size);
    return (size_t)made;
}

static void test_every_size(void **state)
{
    (void)state;
    for (int texture = CODECS_ZEROS; texture <= CODECS_NOISE; texture++)
        for (size_t size = 1; size <= SWALE__SMALL_MAX; size += size < 600 ? 1 : 97) {
            char *data = codecs_make((enum codecs_texture)texture, size, (uint32_t)size);
            check(data, size);
            free(data);
        }
    char *data = codecs_make(CODECS_TEXT, SWALE__SMALL_MAX, 1);
    check(data, SWALE__SMALL_MAX);
    free(data);
}

/* Alphabets of any size, with any number of repetitions. */
static void test_alphabets(void **state)
{
    (void)state;
    uint32_t seed = 1;
    char data[SWALE__SMALL_MAX];
    for (unsigned letters = 1; letters <= 256; letters += letters < 32 ? 1 : 7)
        for (unsigned round = 0; round < 6; round++) {
            size_t size = codecs_random(&seed) % SWALE__SMALL_MAX + 1;
            for (size_t i = 0; i < size; i++) {
                uint32_t random = codecs_random(&seed);
                size_t back = random >> 8 & 1023;
                bool repeats = round > 2 && random % 8 > 0 && i > back;
                data[i] = (char)(random % letters);
                if (repeats)
                    data[i] = data[i - back - 1];
            }
            check(data, size);
        }
}

/* Every length that a match can have, and distances up to the whole message. */
static void test_matches_of_every_length_and_distance(void **state)
{
    (void)state;
    char data[SWALE__SMALL_MAX];
    for (size_t length = 3; length <= 262; length++) {
        size_t distance = length + length * length % (SWALE__SMALL_MAX - 2 * 262);
        char *noise = codecs_make(CODECS_NOISE, distance + length, (uint32_t)length);
        memcpy(data, noise, distance);
        memcpy(data + distance, noise, length);
        size_t size = check(data, distance + length);
        assert_true(size <= check(data, distance) + 12 || length < 5);
        free(noise);
    }
}

/* Longer codes than an alphabet may have: counts like Fibonacci's numbers make the deepest trees. */
static void test_lengths_are_limited(void **state)
{
    (void)state;
    uint16_t counts[SWALE__CODE_SYMBOLS_MAX] = { 1, 1 };
    uint8_t lengths[SWALE__CODE_SYMBOLS_MAX];
    for (unsigned symbols = 2; symbols <= 22; symbols++) {
        if (symbols > 2)
            counts[symbols - 1] = (uint16_t)(counts[symbols - 2] + counts[symbols - 3]);
        for (unsigned most = 5; most <= SWALE__CODE_BITS_MAX; most++) {
            unsigned room = 0;
            swale__code_lengths(counts, symbols, most, lengths);
            for (unsigned i = 0; i < symbols; i++) {
                assert_in_range(lengths[i], 1, most);
                assert_true(i == 0 || lengths[i] <= lengths[i - 1]);
                room += 1u << (most - lengths[i]);
            }
            assert_int_equal(room, 1u << most); /* no code is missing, and none is there twice */
        }
    }
}

static void test_two_codes_at_least(void **state)
{
    (void)state;
    for (unsigned only = 0; only <= 30; only++) {
        uint16_t counts[30] = { 0 };
        uint8_t lengths[30];
        if (only < 30)
            counts[only] = 7;
        swale__code_lengths(counts, 30, SWALE__CODE_BITS_MAX, lengths);
        unsigned sum = 0;
        for (unsigned i = 0; i < 30; i++)
            sum += lengths[i];
        assert_int_equal(sum, 2);
        assert_true(only == 30 || lengths[only] == 1);
    }
}

/* RFC 1951 section 3.2.2 has this alphabet, and these codes; here their first bit is the lowest. */
static void test_the_rfc_codes(void **state)
{
    (void)state;
    static const uint8_t lengths[] = { 3, 3, 3, 3, 3, 2, 4, 4 };
    static const uint16_t expected[] = { 2, 6, 1, 5, 3, 0, 7, 15 };
    uint16_t codes[COUNT_OF(lengths)];
    swale__codes(lengths, COUNT_OF(lengths), codes);
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        assert_int_equal(codes[i], expected[i]);
}

static char *make_json(size_t size, uint32_t seed)
{
    static const char *const words[] = { "amber", "basalt", "cedar", "delta", "ember", "fjord", "gravel", "harbour" };
    char *data = malloc(size + 128);
    for (size_t at = 0; at < size;) {
        uint32_t a = codecs_random(&seed), b = codecs_random(&seed);
        at += (size_t)snprintf(data + at, 128, "{\"id\":%u,\"name\":\"%s\",\"price\":%u.%02u,\"tags\":[\"%s\"]},",
                               a >> 12, words[a & 7], b & 1023, b >> 10 & 63, words[b >> 29]);
    }
    return data;
}

/* As small as zlib's, which is what it replaces. */
static void test_is_small(void **state)
{
    (void)state;
    for (size_t size = 64; size <= SWALE__SMALL_MAX; size *= 2) {
        char *data = make_json(size, (uint32_t)size);
        unsigned char out[2 * SWALE__SMALL_MAX];
        z_stream stream = { 0 };
        assert_int_equal(deflateInit2(&stream, 5, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        stream.next_in = (unsigned char *)data;
        stream.avail_in = (unsigned)size;
        stream.next_out = out;
        stream.avail_out = sizeof out;
        assert_int_equal(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
        assert_true(check(data, size) <= stream.total_out - 4 + 1);
        deflateEnd(&stream);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_alphabets),
        cmocka_unit_test(test_matches_of_every_length_and_distance),
        cmocka_unit_test(test_lengths_are_limited),
        cmocka_unit_test(test_two_codes_at_least),
        cmocka_unit_test(test_the_rfc_codes),
        cmocka_unit_test(test_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
