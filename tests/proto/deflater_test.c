#include "test.h"

#include "codecs.h"
#include "memory.h"

#include <errno.h>
#include <zlib.h>

static struct swale_deflater *open_deflater(int window_bits, bool context_takeover, int level)
{
    struct swale_deflater *deflater;
    assert_int_equal(swale_deflater_new(&deflater, NULL, window_bits, context_takeover, level), 0);
    return deflater;
}

/* What every receiver must be able to do: put the tail back, and inflate with a window of the agreed size. The
 * stream is the receiver's; no final block may appear in it. */
static void check_with_zlib(z_stream *stream, struct swale_span payload, struct swale_span expected)
{
    static const char tail[] = { 0x00, 0x00, (char)0xff, (char)0xff };
    unsigned char *in = malloc(payload.size + sizeof tail);
    unsigned char *out = malloc(expected.size + 1);
    memcpy(in, payload.data, payload.size);
    memcpy(in + payload.size, tail, sizeof tail);
    stream->next_in = in;
    stream->avail_in = (unsigned)(payload.size + sizeof tail);
    stream->next_out = out;
    stream->avail_out = (unsigned)expected.size + 1;
    assert_int_equal(inflate(stream, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(stream->avail_in, 0);
    assert_int_equal(stream->avail_out, 1);
    assert_memory_equal(out, expected.data ? expected.data : "", expected.size);
    free(in);
    free(out);
}

static const size_t sizes[] = { 0, 1, 2, 5, 63, 64, 500, 1019, 1020, 1021, 1024, 1500, 5000, 70000 };

/* Many messages in a row over one connection: every window, with and without context. */
static void test_round_trips(void **state)
{
    (void)state;
    static const size_t capacities[] = { 1, 2, 3, 4, 5, 7, 64, 1024, 100000 };
    uint32_t seed = 1;
    for (int bits = 9; bits <= 15; bits++)
        for (int takeover = 0; takeover <= 1; takeover++) {
            struct swale_deflater *deflater = open_deflater(bits, takeover, (int)(seed % 10));
            struct swale_inflater *inflater;
            assert_int_equal(swale_inflater_new(&inflater, NULL, bits, takeover), 0);
            z_stream reference = { 0 };
            assert_int_equal(inflateInit2(&reference, -bits), Z_OK);
            for (size_t i = 0; i < COUNT_OF(sizes) * 3; i++) {
                size_t size = sizes[i % COUNT_OF(sizes)];
                size_t capacity = capacities[codecs_random(&seed) % COUNT_OF(capacities)];
                size_t piece = codecs_random(&seed) % (size + 2) + 1;
                char *data = codecs_make((enum codecs_texture)(i / COUNT_OF(sizes)), size, seed);
                struct codecs_bytes packed;
                struct codecs_bytes back;
                struct swale_span message = swale_span(data, size);
                assert_int_equal(codecs_run(codecs_deflate_step, deflater, message, piece, capacity, &packed), 0);
                struct swale_span payload = swale_span(packed.data, packed.size);
                assert_true(packed.size > 0 && packed.size <= swale_deflater_bound(size));
                check_with_zlib(&reference, payload, message);
                assert_int_equal(codecs_run(codecs_inflate_step, inflater, payload, piece, capacity, &back), 0);
                assert_int_equal(back.size, size);
                assert_memory_equal(back.data, data, size);
                if (!takeover)
                    inflateReset(&reference);
                free(packed.data);
                free(back.data);
                free(data);
            }
            inflateEnd(&reference);
            swale_inflater_free(inflater);
            swale_deflater_free(deflater);
        }
}

/* How the output is cut must not show in it. */
static void test_capacity_does_not_change_the_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *data = codecs_make(CODECS_TEXT, sizes[i], 7);
        struct swale_span message = swale_span(data, sizes[i]);
        struct swale_deflater *deflater = open_deflater(15, false, 0);
        struct codecs_bytes first;
        assert_int_equal(codecs_run(codecs_deflate_step, deflater, message, sizes[i] + 1, 1 << 20, &first), 0);
        for (size_t capacity = 1; capacity <= 9; capacity++) {
            struct codecs_bytes other;
            assert_int_equal(codecs_run(codecs_deflate_step, deflater, message, sizes[i] + 1, capacity, &other), 0);
            assert_int_equal(other.size, first.size);
            assert_memory_equal(other.data, first.data, first.size);
            free(other.data);
        }
        free(first.data);
        swale_deflater_free(deflater);
        free(data);
    }
}

static void test_the_rfc_examples(void **state)
{
    (void)state;
    struct swale_deflater *deflater = open_deflater(15, true, 0);
    struct codecs_bytes packed;
    assert_int_equal(codecs_run(codecs_deflate_step, deflater, swale_text("Hello"), 5, 64, &packed), 0);
    assert_int_equal(packed.size, 7);
    assert_memory_equal(packed.data, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    free(packed.data);
    assert_int_equal(codecs_run(codecs_deflate_step, deflater, swale_text("Hello"), 5, 64, &packed), 0);
    assert_int_equal(packed.size, 5);
    assert_memory_equal(packed.data, "\xf2\x00\x11\x00\x00", 5);
    free(packed.data);
    swale_deflater_free(deflater);
}

/* RFC 7692 section 7.2.3.6; zlib alone would give nothing at all the second time. */
static void test_empty_messages(void **state)
{
    (void)state;
    for (int takeover = 0; takeover <= 1; takeover++) {
        struct swale_deflater *deflater = open_deflater(15, takeover, 0);
        for (int i = 0; i < 6; i++) {
            struct codecs_bytes packed;
            const char *text = i == 2 || i == 4 ? "Hello" : "";
            assert_int_equal(codecs_run(codecs_deflate_step, deflater, swale_text(text), 5, 1, &packed), 0);
            if (*text == '\0') {
                assert_int_equal(packed.size, 1);
                assert_int_equal(packed.data[0], 0);
            }
            free(packed.data);
        }
        swale_deflater_free(deflater);
    }
}

static void test_context_is_kept_or_dropped(void **state)
{
    (void)state;
    char *data = codecs_make(CODECS_NOISE, 400, 3);
    for (int takeover = 0; takeover <= 1; takeover++) {
        struct swale_deflater *deflater = open_deflater(15, takeover, 0);
        struct codecs_bytes packed[2];
        for (int i = 0; i < 2; i++)
            assert_int_equal(codecs_run(codecs_deflate_step, deflater, swale_span(data, 400), 400, 64, &packed[i]),
                             0);
        if (takeover)
            assert_true(packed[1].size < 20);
        else
            assert_int_equal(packed[1].size, packed[0].size);
        free(packed[0].data);
        free(packed[1].data);
        swale_deflater_free(deflater);
    }
    free(data);
}

static void test_reset_forgets(void **state)
{
    (void)state;
    struct swale_deflater *deflater = open_deflater(15, true, 0);
    struct swale_span in = swale_text("Hello");
    char out[64];
    assert_int_equal(swale_deflater_step(deflater, &in, true, out, 3), 3);
    swale_deflater_reset(deflater);
    in = swale_text("Hello");
    assert_int_equal(swale_deflater_step(deflater, &in, true, out, sizeof out), 7);
    assert_memory_equal(out, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    swale_deflater_free(deflater);
}

/* Compresses whole, into a buffer of exactly `capacity` bytes, and checks what came out. */
static ptrdiff_t check_whole(struct swale_deflater *deflater, int bits, struct swale_span message, size_t capacity)
{
    char *room = calloc(1, capacity + 1);
    char *out = guard_copy(room, capacity);
    ptrdiff_t size = swale_deflater_whole(deflater, message, out, capacity);
    if (size >= 0) {
        z_stream reference = { 0 };
        assert_int_equal(inflateInit2(&reference, -bits), Z_OK);
        check_with_zlib(&reference, swale_span(out, (size_t)size), message);
        inflateEnd(&reference);
    } else {
        assert_int_equal(size, SWALE_ERR_TOO_SMALL);
    }
    guard_free(out, capacity);
    free(room);
    return size;
}

static void test_bound_suffices(void **state)
{
    (void)state;
    for (int bits = 9; bits <= 15; bits++)
        for (int level = 0; level <= 9; level += 3) {
            struct swale_deflater *deflater = open_deflater(bits, false, level);
            for (size_t i = 0; i < COUNT_OF(sizes); i++) {
                char *data = codecs_make(CODECS_NOISE, sizes[i], (uint32_t)bits);
                struct swale_span message = swale_span(data, sizes[i]);
                assert_true(check_whole(deflater, bits, message, swale_deflater_bound(sizes[i])) > 0);
                free(data);
            }
            swale_deflater_free(deflater);
        }
}

/* From one capacity on it fits, and every size that fits is the same. */
static void test_whole_at_every_capacity(void **state)
{
    (void)state;
    struct swale_deflater *deflater = open_deflater(15, false, 0);
    for (size_t i = 0; i < 8; i++) {
        char *data = codecs_make(CODECS_TEXT, sizes[i], 5);
        struct swale_span message = swale_span(data, sizes[i]);
        ptrdiff_t full = check_whole(deflater, 15, message, swale_deflater_bound(sizes[i]));
        for (size_t capacity = 0; capacity < (size_t)full + 8; capacity++) {
            ptrdiff_t size = check_whole(deflater, 15, message, capacity);
            if (capacity < (size_t)full)
                assert_int_equal(size, SWALE_ERR_TOO_SMALL);
            else
                assert_int_equal(size, full);
        }
        free(data);
    }
    swale_deflater_free(deflater);
}

/* Whichever engine does it: the receiver's window suffices, and nothing is final. */
static void test_whole_of_every_kind(void **state)
{
    (void)state;
    static const size_t lengths[] = { 1, 300, 2047, 2048, 2049, 4096, 5000, 32768, 32769, 65536, 70000, 100000 };
    for (int bits = 9; bits <= 15; bits++) {
        struct swale_deflater *deflater = open_deflater(bits, false, bits % 3);
        for (size_t i = 0; i < 3 * COUNT_OF(lengths); i++) {
            size_t size = lengths[i / 3];
            char *data = codecs_make((enum codecs_texture)(i % 3), size, (uint32_t)i);
            ptrdiff_t packed = check_whole(deflater, bits, swale_span(data, size), swale_deflater_bound(size));
            assert_true(packed > 0);
            if (i % 3 != CODECS_NOISE && size > 2000)
                assert_true((size_t)packed < size * 2 / 3);
            free(data);
        }
        swale_deflater_free(deflater);
    }
}

/* libdeflate's results too fit from one capacity on, which is at most 16 bytes more than they have. */
static void test_large_at_capacities(void **state)
{
    (void)state;
    static const size_t lengths[] = { 3000, 40000 };
    struct swale_deflater *deflater = open_deflater(15, false, 0);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        char *data = codecs_make(CODECS_TEXT, lengths[i], 5);
        struct swale_span message = swale_span(data, lengths[i]);
        size_t full = (size_t)check_whole(deflater, 15, message, swale_deflater_bound(lengths[i]));
        bool fits = false;
        for (size_t capacity = full - 20; capacity <= full + 16; capacity++) {
            ptrdiff_t size = check_whole(deflater, 15, message, capacity);
            assert_true(size == SWALE_ERR_TOO_SMALL ? !fits && capacity < full + 16 : size == (ptrdiff_t)full);
            fits = fits || size > 0;
        }
        assert_int_equal(check_whole(deflater, 15, message, 0), SWALE_ERR_TOO_SMALL);
        free(data);
    }
    swale_deflater_free(deflater);
}

static void test_wrong_use(void **state)
{
    (void)state;
    struct swale_deflater *deflater = NULL;
    static const int bad[][2] = { { 8, 0 }, { 16, 0 }, { 15, -1 }, { 15, 10 } };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(swale_deflater_new(&deflater, NULL, bad[i][0], true, bad[i][1]), SWALE_ERR_INVALID);
    char out[64];
    deflater = open_deflater(15, true, 0);
    assert_int_equal(swale_deflater_whole(deflater, swale_text("Hello"), out, sizeof out), SWALE_ERR_STATE);
    swale_deflater_free(deflater);
    deflater = open_deflater(15, false, 0);
    struct swale_span in = swale_text("Hello");
    assert_int_equal(swale_deflater_step(deflater, &in, false, out, sizeof out), 0);
    assert_int_equal(swale_deflater_whole(deflater, swale_text("Hello"), out, sizeof out), SWALE_ERR_STATE);
    swale_deflater_free(deflater);
    swale_deflater_free(NULL);
}

static uint64_t exercise(uint64_t fail_at)
{
    struct test_memory memory = { .fail_at = fail_at };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_deflater *deflater;
    int error = swale_deflater_new(&deflater, &allocator, 12, false, 0);
    assert_int_equal(error, fail_at ? -ENOMEM : 0);
    if (!error) {
        uint64_t made = memory.allocations;
        for (int i = 0; i < 10; i++)
            check_whole(deflater, 12, swale_text("Hello, Hello"), 64);
        assert_int_equal(memory.allocations, made);
        swale_deflater_free(deflater);
    }
    assert_int_equal(memory.blocks, 0);
    return memory.allocations;
}

/* All of its memory is taken at the start. */
static void test_failing_allocations(void **state)
{
    (void)state;
    uint64_t count = exercise(0);
    assert_true(count > 1);
    for (uint64_t n = 1; n <= count; n++)
        exercise(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_capacity_does_not_change_the_bytes),
        cmocka_unit_test(test_the_rfc_examples),
        cmocka_unit_test(test_empty_messages),
        cmocka_unit_test(test_context_is_kept_or_dropped),
        cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_bound_suffices),
        cmocka_unit_test(test_whole_at_every_capacity),
        cmocka_unit_test(test_whole_of_every_kind),
        cmocka_unit_test(test_large_at_capacities),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
