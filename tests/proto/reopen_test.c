#include "test.h"

#include "codecs.h"
#include "proto/reopen.h"

#include <libdeflate.h>
#include <zlib.h>

/* A final stream of libdeflate's, in a block that ends at a guard page, with `spare` bytes of room. */
static struct codecs_bytes end_stream(int level, struct swale_span data, size_t spare)
{
    size_t room = data.size + data.size / 8 + 100;
    char *packed = calloc(1, room);
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    size_t size = libdeflate_deflate_compress(compressor, data.data, data.size, packed, room);
    assert_true(size > 0);
    libdeflate_free_compressor(compressor);
    struct codecs_bytes bytes = { guard_copy(packed, size + spare), size };
    free(packed);
    return bytes;
}

/* Two messages in a row are inflated as one stream: nothing is final, and the second begins where it should. */
static void check_twice(struct swale_span payload, struct swale_span expected)
{
    static unsigned char tail[] = { 0x00, 0x00, 0xff, 0xff };
    unsigned char *out = malloc(expected.size + 1);
    z_stream stream = { 0 };
    assert_int_equal(inflateInit2(&stream, -15), Z_OK);
    for (int i = 0; i < 2; i++) {
        stream.next_out = out;
        stream.avail_out = (unsigned)expected.size + 1;
        stream.next_in = (unsigned char *)(uintptr_t)payload.data;
        stream.avail_in = (unsigned)payload.size;
        assert_int_equal(inflate(&stream, Z_NO_FLUSH), Z_OK);
        assert_int_equal(stream.avail_in, 0);
        stream.next_in = tail;
        stream.avail_in = sizeof tail;
        inflate(&stream, Z_SYNC_FLUSH);
        assert_int_equal(stream.avail_in, 0);
        assert_int_equal(stream.avail_out, 1);
        assert_memory_equal(out, expected.data, expected.size);
    }
    inflateEnd(&stream);
    free(out);
}

/* Every level, texture and position of the end within a byte. */
static void test_ends_anywhere(void **state)
{
    (void)state;
    size_t kept = 0, grown = 0;
    for (size_t i = 0; i < 600; i++) {
        size_t size = 600 + i * 7;
        char *data = codecs_make(i % 3 ? CODECS_TEXT : CODECS_NOISE, size, (uint32_t)i + 1);
        for (size_t j = 0; i % 3 == 0 && j < size; j++)
            data[j] = (char)('a' + (data[j] & 15));
        struct swale_span message = swale_span(data, size);
        struct codecs_bytes packed = end_stream((int)(i % 12) + 1, message, 1);
        size_t before = packed.size;
        size_t after = swale__deflate_reopen(packed.data, before, before + 1);
        if (after > 0) {
            assert_true(after == before || (after == before + 1 && packed.data[before] == 0));
            kept += after == before;
            grown += after > before;
            check_twice(swale_span(packed.data, after), message);
        }
        guard_free(packed.data, before + 1);
        free(data);
    }
    assert_true(kept > 200 && grown > 100); /* nearly all: five ends of eight leave room for the header */
}

/* Without room for the byte that may be needed, nothing is written. */
static void test_no_room(void **state)
{
    (void)state;
    size_t refused = 0;
    for (size_t i = 0; i < 40; i++) {
        char *data = codecs_make(CODECS_TEXT, 3000 + i, (uint32_t)i + 1);
        struct codecs_bytes packed = end_stream(1, swale_span(data, 3000 + i), 0);
        char *before = malloc(packed.size);
        memcpy(before, packed.data, packed.size);
        if (swale__deflate_reopen(packed.data, packed.size, packed.size) == 0) {
            assert_memory_equal(packed.data, before, packed.size);
            refused++;
        } else {
            check_twice(swale_span(packed.data, packed.size), swale_span(data, 3000 + i));
        }
        guard_free(packed.data, packed.size);
        free(before);
        free(data);
    }
    assert_true(refused > 5 && refused < 35);
}

/* Fixed codes, stored blocks, and several blocks are somebody else's. */
static void test_other_streams(void **state)
{
    (void)state;
    char *noise = codecs_make(CODECS_NOISE, 5000, 1);
    char *text = codecs_make(CODECS_TEXT, 400000, 1);
    const struct swale_span messages[] = {
        swale_text("Hello, Hello, Hello, Hello, Hello"),
        { noise, 5000 },
        { text, 400000 },
    };
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct codecs_bytes packed = end_stream(6, messages[i], 1);
        char first = packed.data[0];
        assert_int_equal(swale__deflate_reopen(packed.data, packed.size, packed.size + 1), 0);
        assert_int_equal(packed.data[0], first);
        guard_free(packed.data, packed.size + 1);
    }
    free(noise);
    free(text);
}

/* It is made for what libdeflate makes, but whatever it is given, it reads and writes nothing beyond. */
static void test_broken_streams(void **state)
{
    (void)state;
    uint32_t seed = 1;
    char *data = codecs_make(CODECS_TEXT, 2500, 9);
    struct codecs_bytes packed = end_stream(1, swale_span(data, 2500), 0);
    for (size_t i = 0; i < 4 * packed.size; i++) {
        size_t size = i < packed.size ? i : packed.size; /* every prefix, then changed bytes */
        char *broken = guard_copy(packed.data, size);
        if (i >= packed.size)
            broken[i / 2 % 120] ^= (char)(1 << codecs_random(&seed) % 8);
        size_t made = swale__deflate_reopen(broken, size, size);
        assert_true(made == 0 || made == size);
        guard_free(broken, size);
    }
    guard_free(packed.data, packed.size);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_anywhere),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_other_streams),
        cmocka_unit_test(test_broken_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
