#include "test.h"

#include "codecs.h"
#include "memory.h"

#include <errno.h>
#include <sys/mman.h>

#define BYTES(text)       swale_span(text, sizeof(text) - 1)
#define HELLO             "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_FINAL       "\xf3\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_BY_LOOKBACK "\xf2\x00\x11\x00\x00"

static struct swale_inflater *open_inflater(int window_bits, bool context_takeover)
{
    struct swale_inflater *inflater;
    assert_int_equal(swale_inflater_new(&inflater, NULL, window_bits, context_takeover), 0);
    return inflater;
}

/* Inflates one message in pieces and compares; `expected` NULL stands for SWALE_ERR_DEFLATE_DATA. */
static void check_steps(struct swale_inflater *inflater, struct swale_span payload, const char *expected,
                        size_t piece, size_t capacity)
{
    struct codecs_bytes result;
    char *copy = guard_copy(payload.data, payload.size);
    int error = codecs_run(codecs_inflate_step, inflater, swale_span(copy, payload.size), piece, capacity, &result);
    assert_int_equal(error, expected ? 0 : SWALE_ERR_DEFLATE_DATA);
    if (expected) {
        assert_int_equal(result.size, strlen(expected));
        assert_memory_equal(result.data, expected, result.size);
    } else {
        swale_inflater_reset(inflater);
    }
    free(result.data);
    guard_free(copy, payload.size);
}

static void check_whole(struct swale_inflater *inflater, struct swale_span payload, const char *expected)
{
    size_t size = expected ? strlen(expected) : 64;
    char *room = calloc(1, size + 1);
    char *out = guard_copy(room, size);
    char *copy = guard_copy(payload.data, payload.size);
    ptrdiff_t result = swale_inflater_whole(inflater, swale_span(copy, payload.size), out, size);
    assert_int_equal(result, expected ? (ptrdiff_t)size : SWALE_ERR_DEFLATE_DATA);
    if (expected)
        assert_memory_equal(out, expected, size);
    else
        swale_inflater_reset(inflater);
    guard_free(copy, payload.size);
    guard_free(out, size);
    free(room);
}

/* The examples of RFC 7692 section 7.2.3, and their neighbours. */
static const struct {
    struct swale_span payload;
    const char *expected;
} messages[] = {
    { { HELLO, 7 }, "Hello" },
    { { "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11 }, "Hello" },         /* stored */
    { { HELLO_FINAL "\x00", 8 }, "Hello" },                                      /* BFINAL */
    { { HELLO_FINAL, 7 }, "Hello" },                                             /* its 00 forgotten */
    { { "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13 }, "Hello" }, /* two blocks */
    { { HELLO_FINAL HELLO_FINAL "\x00", 15 }, "HelloHello" },                    /* two streams */
    { { HELLO_FINAL HELLO_BY_LOOKBACK, 12 }, "HelloHello" },                     /* looking back over the end */
    { { "\x03\x00\x03\x00\x03\x00\x00", 7 }, "" },                               /* streams of nothing */
    { { "\x00\x00\x00\xff\xff\x00", 6 }, "" },                                   /* blocks of nothing */
    { { "\x00", 1 }, "" },                                                       /* the empty message */
    { { "", 0 }, "" },                                                           /* not even that */
    { { "\xf2\x48\xcd\xc9", 4 }, NULL },                                         /* cut off in a block */
    { { "\xf2\x48\xcd\xc9\xc9\x07", 6 }, NULL },                                 /* its last byte is missing */
    { { "\xf3\x48\xcd\xc9\xc9", 5 }, NULL },                                     /* cut off in a final block */
    { { "\x00\x05\x00\xfa\xff\x48\x65", 7 }, NULL },                             /* cut off in a stored block */
    { { "\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00", 11 }, NULL },            /* wrong complement */
    { { "\x07", 1 }, NULL },                                                     /* reserved block type */
    { { HELLO_BY_LOOKBACK, 5 }, NULL },                                          /* before the beginning */
    { { HELLO "\x00\x00\xff\xff", 11 }, NULL },                                  /* its tail not taken off */
    { { HELLO_FINAL "junk", 11 }, NULL },
    { { "\xff\xff\xff\xff", 4 }, NULL },
};

static void test_examples_at_every_split(void **state)
{
    (void)state;
    for (int takeover = 0; takeover <= 1; takeover++) {
        struct swale_inflater *inflater = open_inflater(15, takeover);
        for (size_t i = 0; i < COUNT_OF(messages); i++)
            for (size_t piece = 1; piece <= messages[i].payload.size + 1; piece++)
                for (size_t capacity = 1; capacity <= 12; capacity++) {
                    check_steps(inflater, messages[i].payload, messages[i].expected, piece, capacity);
                    swale_inflater_reset(inflater);
                }
        swale_inflater_free(inflater);
    }
}

static void test_examples_whole(void **state)
{
    (void)state;
    struct swale_inflater *inflater = open_inflater(15, false);
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        check_whole(inflater, messages[i].payload, messages[i].expected);
        /* Whatever the message was, the next one is read as ever. */
        check_whole(inflater, BYTES(HELLO), "Hello");
        check_steps(inflater, BYTES(HELLO), "Hello", 7, 64);
    }
    swale_inflater_free(inflater);
}

/* A final block ends a message's stream, not the connection's (the peers that get this wrong are named in
 * deflater.c). */
static void test_context_is_kept_or_dropped(void **state)
{
    (void)state;
    static const struct swale_span firsts[] = { { HELLO, 7 }, { HELLO_FINAL "\x00", 8 }, { HELLO_FINAL, 7 } };
    for (size_t i = 0; i < COUNT_OF(firsts); i++)
        for (size_t capacity = 1; capacity <= 8; capacity++) {
            struct swale_inflater *keeps = open_inflater(15, true);
            struct swale_inflater *drops = open_inflater(15, false);
            check_steps(keeps, firsts[i], "Hello", 3, capacity);
            check_steps(keeps, BYTES(HELLO_BY_LOOKBACK), "Hello", 1, capacity);
            check_steps(keeps, BYTES("\x00"), "", 1, capacity);
            check_steps(keeps, BYTES(""), "", 1, capacity);
            check_steps(keeps, BYTES(HELLO_BY_LOOKBACK), "Hello", 5, capacity);
            check_steps(drops, firsts[i], "Hello", 3, capacity);
            check_steps(drops, BYTES(HELLO_BY_LOOKBACK), NULL, 1, capacity);
            check_steps(drops, firsts[i], "Hello", 3, capacity);
            swale_inflater_free(keeps);
            swale_inflater_free(drops);
        }
}

static void test_reset_forgets(void **state)
{
    (void)state;
    struct swale_inflater *inflater = open_inflater(15, true);
    char out[2];
    struct swale_span in = BYTES(HELLO);
    assert_int_equal(swale_inflater_step(inflater, &in, true, out, sizeof out), 2);
    swale_inflater_reset(inflater);
    check_steps(inflater, BYTES(HELLO), "Hello", 7, 64);
    swale_inflater_reset(inflater);
    check_steps(inflater, BYTES(HELLO_BY_LOOKBACK), NULL, 7, 64);
    swale_inflater_free(inflater);
}

static void test_whole_has_its_limits(void **state)
{
    (void)state;
    char out[8];
    struct swale_inflater *keeps = open_inflater(15, true);
    assert_int_equal(swale_inflater_whole(keeps, BYTES(HELLO), out, sizeof out), SWALE_ERR_STATE);
    swale_inflater_free(keeps);

    struct swale_inflater *inflater = open_inflater(15, false);
    static const struct swale_span payloads[] = { { HELLO, 7 }, { HELLO_FINAL HELLO_FINAL, 14 } };
    for (size_t i = 0; i < COUNT_OF(payloads); i++)
        for (size_t capacity = 0; capacity < 5; capacity++) {
            assert_int_equal(swale_inflater_whole(inflater, payloads[i], out, capacity), SWALE_ERR_TOO_SMALL);
            /* Nothing is lost: it can be had in steps. */
            check_steps(inflater, payloads[i], i == 0 ? "Hello" : "HelloHello", 9, 3);
        }
    struct swale_span in = BYTES(HELLO);
    assert_int_equal(swale_inflater_step(inflater, &in, true, out, 2), 2);
    assert_int_equal(swale_inflater_whole(inflater, BYTES(HELLO), out, sizeof out), SWALE_ERR_STATE);
    swale_inflater_reset(inflater);

    /* The scratch buffer grows to 64 KiB and no further. */
    char *large = calloc(1, 65536);
    for (size_t size = 60000; size <= 65536; size += 5536) {
        ptrdiff_t result = swale_inflater_whole(inflater, swale_span(large, size), out, sizeof out);
        assert_int_equal(result, size < 65536 ? SWALE_ERR_DEFLATE_DATA : SWALE_ERR_TOO_SMALL);
        swale_inflater_reset(inflater);
    }
    free(large);
    swale_inflater_free(inflater);
}

/* What lies behind a final block is read in steps, and has the same limits. */
static void test_whole_behind_a_final_block(void **state)
{
    (void)state;
    char out[16];
    struct swale_inflater *inflater = open_inflater(15, false);
    struct swale_span two = BYTES(HELLO_FINAL HELLO_FINAL);
    for (size_t capacity = 5; capacity < 10; capacity++)
        assert_int_equal(swale_inflater_whole(inflater, two, out, capacity), SWALE_ERR_TOO_SMALL);
    assert_int_equal(swale_inflater_whole(inflater, two, out, 10), 10);
    assert_memory_equal(out, "HelloHello", 10);

    struct swale_span garbage = BYTES(HELLO_FINAL "\xff\xff"); /* no such type of block */
    for (size_t capacity = 5; capacity < 8; capacity++) {
        assert_int_equal(swale_inflater_whole(inflater, garbage, out, capacity), SWALE_ERR_DEFLATE_DATA);
        swale_inflater_reset(inflater);
    }
    swale_inflater_free(inflater);
}

/* zlib counts room in 32 bits. None of this memory is touched but its first page. */
static void test_room_past_four_gigabytes(void **state)
{
    (void)state;
    if (SIZE_MAX <= UINT32_MAX)
        skip();
    size_t room = (size_t)5 << 30;
    char *out = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (out == MAP_FAILED)
        skip();
    struct swale_inflater *inflater = open_inflater(15, true);
    struct swale_span in = BYTES(HELLO);
    assert_int_equal(swale_inflater_step(inflater, &in, true, out, room), 5);
    assert_memory_equal(out, "Hello", 5);
    swale_inflater_free(inflater);
    munmap(out, room);
}

/* A message of one repeated unit: nothing comes out, and the time is that of its size. */
static void check_nothing_from(const char *unit, size_t unit_size, size_t size)
{
    struct swale_inflater *inflater = open_inflater(15, true);
    char *payload = calloc(1, size + 1);
    for (size_t i = 0; i + unit_size <= size; i += unit_size)
        memcpy(payload + i, unit, unit_size);
    size_t used = size / unit_size * unit_size;
    struct swale_span in = swale_span(payload, used + 1); /* and one 00 */
    char out[16];
    assert_int_equal(swale_inflater_step(inflater, &in, true, out, sizeof out), 0);
    assert_int_equal(in.size, 0);
    check_steps(inflater, BYTES(HELLO), "Hello", 7, 64);
    free(payload);
    swale_inflater_free(inflater);
}

static void test_a_megabyte_of_nothing(void **state)
{
    (void)state;
    check_nothing_from("\x00\x00\x00\xff\xff", 5, 1 << 20);
    check_nothing_from("\x03\x00", 2, 1 << 20);
}

/* 1 GiB of zeros in about 1 MiB: a step gives no more than it is asked for, whatever is behind it. */
static void test_a_bomb_is_bounded(void **state)
{
    (void)state;
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_inflater *inflater;
    assert_int_equal(swale_inflater_new(&inflater, &allocator, 15, false), 0);
    /* One zero, then matches of 258 of them: fixed codes, of 8 and of 13 bits. */
    size_t size = 1 << 20;
    unsigned char *bomb = calloc(1, size);
    uint64_t bits = 0x2 | (0x0c << 3); /* fixed block; literal 0 is 00110000, high bit first */
    size_t bit = 11;
    bomb[0] = (unsigned char)bits;
    for (; bit + 13 < size * 8; bit += 13)
        for (size_t i = 0; i < 8; i++) /* length 258 is code 11000101; distance 1 is 00000 */
            bomb[(bit + i) / 8] |= (unsigned char)(((0xc5u >> (7 - i)) & 1) << ((bit + i) % 8));
    struct swale_span in = swale_span(bomb, size);
    char out[4096];
    uint64_t total = 0;
    while (total < 64 << 20) {
        ptrdiff_t made = swale_inflater_step(inflater, &in, true, out, sizeof out);
        assert_int_equal(made, sizeof out);
        total += (uint64_t)made;
    }
    assert_true(memory.peak < 64 * 1024);
    assert_true(in.size > size / 2);
    swale_inflater_reset(inflater);
    assert_int_equal(swale_inflater_whole(inflater, swale_span(bomb, 4096), out, sizeof out), SWALE_ERR_TOO_SMALL);
    check_steps(inflater, BYTES(HELLO), "Hello", 7, 64);
    free(bomb);
    swale_inflater_free(inflater);
    assert_int_equal(memory.blocks, 0);
}

static void test_window_bits(void **state)
{
    (void)state;
    struct swale_inflater *inflater = NULL;
    for (int bits = 8; bits <= 15; bits++) {
        inflater = open_inflater(bits, true);
        check_steps(inflater, BYTES(HELLO), "Hello", 2, 2);
        check_steps(inflater, BYTES(HELLO_BY_LOOKBACK), "Hello", 2, 2);
        swale_inflater_free(inflater);
    }
    assert_int_equal(swale_inflater_new(&inflater, NULL, 7, true), SWALE_ERR_INVALID);
    assert_int_equal(swale_inflater_new(&inflater, NULL, 16, true), SWALE_ERR_INVALID);
    swale_inflater_free(NULL);
}

/* A message in steps and one whole, with the nth allocation failing. Returns how many were asked for. */
static uint64_t exercise(uint64_t fail_at, bool takeover)
{
    struct test_memory memory = { .fail_at = fail_at };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_inflater *inflater;
    int error = swale_inflater_new(&inflater, &allocator, 15, takeover);
    if (!error) {
        char out[64];
        struct swale_span in = BYTES(HELLO);
        ptrdiff_t made = swale_inflater_step(inflater, &in, true, out, sizeof out);
        if (made < 0) {
            assert_int_equal(made, -ENOMEM);
            swale_inflater_reset(inflater);
        }
        made = takeover ? 5 : swale_inflater_whole(inflater, BYTES(HELLO), out, sizeof out);
        assert_true(made == 5 || made == -ENOMEM);
        /* What failed once works when there is memory again. */
        check_steps(inflater, BYTES(HELLO), "Hello", 7, 64);
        if (!takeover)
            check_whole(inflater, BYTES(HELLO), "Hello");
        swale_inflater_free(inflater);
    } else {
        assert_int_equal(error, -ENOMEM);
    }
    assert_int_equal(memory.blocks, 0);
    return memory.allocations;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    for (int takeover = 0; takeover <= 1; takeover++) {
        uint64_t count = exercise(0, takeover);
        assert_true(count >= 3);
        for (uint64_t n = 1; n <= count; n++)
            exercise(n, takeover);
    }
}

static void test_no_allocation_once_warm(void **state)
{
    (void)state;
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_inflater *inflater;
    assert_int_equal(swale_inflater_new(&inflater, &allocator, 15, false), 0);
    uint64_t warm = 0;
    for (int i = 0; i < 100; i++) {
        check_steps(inflater, BYTES(HELLO), "Hello", 7, 64);
        check_whole(inflater, BYTES(HELLO), "Hello");
        if (i == 0)
            warm = memory.allocations;
    }
    assert_int_equal(memory.allocations, warm);
    swale_inflater_free(inflater);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_at_every_split),    cmocka_unit_test(test_examples_whole),
        cmocka_unit_test(test_context_is_kept_or_dropped), cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_whole_has_its_limits),       cmocka_unit_test(test_whole_behind_a_final_block),
        cmocka_unit_test(test_room_past_four_gigabytes),   cmocka_unit_test(test_a_megabyte_of_nothing),
        cmocka_unit_test(test_a_bomb_is_bounded),          cmocka_unit_test(test_window_bits),
        cmocka_unit_test(test_failing_allocations),        cmocka_unit_test(test_no_allocation_once_warm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
