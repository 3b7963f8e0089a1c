#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static const unsigned char mask[4] = { 9, 8, 7, 6 };

static const struct swale_deflate_params no_context = { .server_no_context_takeover = true,
                                                        .client_no_context_takeover = true,
                                                        .server_max_window_bits = 15,
                                                        .client_max_window_bits = 15 };
static const struct swale_deflate_params context = { .server_max_window_bits = 15, .client_max_window_bits = 15 };

static struct harness_options raw(const struct swale_deflate_params *params)
{
    return (struct harness_options){ .raw_client = true, .deflate = params };
}

/* Compresses a message whole; free it. */
static char *deflated(const void *data, size_t size, size_t *out_size)
{
    struct swale_deflater *deflater;
    size_t bound = swale_deflater_bound(size);
    char *out = malloc(bound);
    assert_int_equal(swale_deflater_new(&deflater, NULL, 15, false, 9), 0);
    ptrdiff_t n = swale_deflater_whole(deflater, swale_span(data, size), out, bound);
    assert_true(n > 0);
    swale_deflater_free(deflater);
    *out_size = (size_t)n;
    return out;
}

/* One message in frames of `step` bytes. */
static void send_compressed(struct harness *h, int opcode, const char *data, size_t size, size_t step)
{
    size_t at = 0;
    do {
        size_t n = size - at < step ? size - at : step;
        int byte0 = (at == 0 ? opcode | 0x40 : 0) | (at + n == size ? 0x80 : 0);
        harness_frame(h, byte0, data + at, n);
        at += n;
    } while (at < size);
}

/* RFC 7692 section 7.2.3, and what peers in the field send. */
static void test_examples(void **state)
{
    (void)state;
    const struct swale_deflate_params *modes[] = { &no_context, &context };
    static const struct {
        const char *bytes;
        size_t size;
        const char *log;
    } examples[] = {
        { "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "ztext:Hello " },
        { "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "ztext:Hello " },
        { "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "ztext:Hello " },
        { "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "ztext:Hello " },
        { "\x00", 1, "ztext: " },
        { "", 0, "ztext: " },
    };
    for (size_t mode = 0; mode < 2; mode++) {
        for (size_t i = 0; i < COUNT_OF(examples); i++) {
            for (size_t step = 1; step <= 13; step += 3) {
                struct harness h;
                struct harness_options options = raw(modes[mode]);
                char expected[100] = "open ";
                harness_init(&h, &options);
                for (int twice = 0; twice < 2; twice++) {
                    send_compressed(&h, 1, examples[i].bytes, examples[i].size, step);
                    harness_frame(&h, 0x81, "plain", 5);
                    strcat(strcat(expected, examples[i].log), "text:plain ");
                }
                assert_string_equal(h.server.log, expected);
                harness_done(&h);
            }
        }
    }
}

static void test_context_is_kept_over_messages(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw(&context);
    harness_init(&h, &options);
    send_compressed(&h, 1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, 100);
    send_compressed(&h, 1, "\xf2\x00\x11\x00\x00", 5, 2);
    assert_string_equal(h.server.log, "open ztext:Hello ztext:Hello ");
    harness_done(&h);

    options = raw(&no_context);
    harness_init(&h, &options);
    send_compressed(&h, 1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, 100);
    send_compressed(&h, 1, "\xf2\x00\x11\x00\x00", 5, 100);
    assert_string_equal(h.server.log, "open ztext:Hello close:deflate-data:1006: ");
    assert_string_equal(harness_heard(&h), "close:1007:deflate-data ");
    harness_done(&h);
}

/* Every size and shape comes out as it went in, in every mode, in one frame, in many, and cut anywhere. */
static void test_sizes(void **state)
{
    (void)state;
    const struct swale_deflate_params *modes[] = { &no_context, &context };
    static const size_t sizes[] = { 1, 1000, 65535, 65536, 65537, 131072, 400000 }, chunks[] = { 0, 777 };
    char *data = noise(400000);
    for (size_t i = 0; i < 400000; i += 3) /* compressible, but not by much */
        data[i] = 'a';
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t size;
        char *small = deflated(data, sizes[i], &size);
        for (size_t n = 0; n < 8; n++) {
            struct harness h;
            struct harness_options options = raw(modes[n & 1]);
            options.pair.chunk = chunks[n >> 1 & 1];
            options.parts = n >> 2;
            harness_init(&h, &options);
            send_compressed(&h, 2, small, size, 100000);
            send_compressed(&h, 2, small, size, 1000000);
            send_compressed(&h, 2, small, size, size / 5 + 1);
            assert_int_equal(h.server.received, 3 * sizes[i]);
            assert_int_equal(h.server.calls[ON_CLOSE], 0);
            if (!options.parts) {
                char word[60];
                snprintf(word, sizeof word, "zbin:[%zu]%08x ", sizes[i], (unsigned)checksum(data, sizes[i]));
                assert_true(sizes[i] <= 40 || strstr(h.server.log, word));
                assert_int_equal(h.server.calls[ON_MESSAGE], 3);
            }
            assert_int_equal(counter(&h.counters[SWALE_SERVER].messages_in), 3);
            harness_done(&h);
        }
        free(small);
    }
    free(data);
}

/* Messages of several connections may be under way at once, though they share an inflater. */
static void test_messages_under_way_do_not_mix(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw(&no_context);
    struct observer other;
    struct recorder far = { 0 };
    char frame[1100], text[1000];
    size_t size;
    char *data = noise(sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (data[i] & 15));
    free(data);
    char *small = deflated(text, sizeof text, &size);
    harness_init(&h, &options);
    recorder_begin(&far, harness_another(&h, &other, false, &no_context));
    for (int round = 0; round < 3; round++) {
        harness_frame(&h, 0x41, small, 50);
        size_t n = put_frame(frame, 0x41, small, 70, mask);
        recorder_send(&far, frame, n);
        test_loop_settle(&h.loop);
        harness_frame(&h, 0x80, small + 50, size - 50);
        harness_frame(&h, 0xc1, small, size); /* whole, while the other has its on lease */
        n = put_frame(frame, 0x80, small + 70, size - 70, mask);
        recorder_send(&far, frame, n);
        test_loop_settle(&h.loop);
    }
    assert_int_equal(h.server.received, 6 * sizeof text);
    assert_int_equal(other.received, 3 * sizeof text);
    free(small);
    recorder_end(&far);
    test_loop_settle(&h.loop);
    observer_done(&other);
    harness_done(&h);
}

/* ---- Bombs ------------------------------------------------------------------------------------------ */

static void test_bombs(void **state)
{
    (void)state;
    const struct swale_deflate_params *modes[] = { &no_context, &context };
    size_t size;
    char *zeros = calloc(1, 64 << 20);
    char *bomb = deflated(zeros, 64 << 20, &size);
    for (size_t n = 0; n < 8; n++) {
        struct harness h;
        struct harness_options options = raw(modes[n & 1]);
        options.parts = n >> 1 & 1;
        size_t step = n >> 2 ? 500 : size;
        harness_init(&h, &options);
        for (size_t at = 0; at < size && h.server.calls[ON_CLOSE] == 0; at += step)
            harness_frame(&h, at == 0 ? 0x42 : 0x00, bomb + at, size - at < step ? size - at : step);
        int reason = h.server.close.reason;
        assert_true(reason == SWALE_ERR_MESSAGE_SIZE || reason == SWALE_ERR_DEFLATE_RATIO);
        assert_non_null(strstr(harness_heard(&h), "close:1009:"));
        assert_true(h.loop.memory.peak < 4 << 20);
        assert_true(h.server.received <= (1 << 20) + 65536);
        harness_done(&h);
    }
    free(zeros);
    free(bomb);
}

static void test_ratio(void **state)
{
    (void)state;
    size_t size;
    char *zeros = calloc(1, 4 << 20);
    char *bomb = deflated(zeros, 4 << 20, &size);
    for (int off = 0; off < 2; off++) {
        struct harness h;
        struct harness_options options = raw(&no_context);
        options.limits.max_message = SWALE_UNLIMITED;
        options.limits.max_inflate_ratio = off ? SWALE_OFF : 500;
        harness_init(&h, &options);
        send_compressed(&h, 2, bomb, size, size);
        if (off) {
            assert_int_equal(h.server.received, 4 << 20);
        } else {
            assert_string_equal(h.server.log, "open close:deflate-ratio:1006: ");
            assert_string_equal(harness_heard(&h), "close:1009:deflate-ratio ");
        }
        harness_done(&h);
    }
    free(zeros);
    free(bomb);
}

/* A small limit holds for what is inflated at once, too. */
static void test_small_limit(void **state)
{
    (void)state;
    const struct swale_deflate_params *modes[] = { &no_context, &context };
    for (size_t mode = 0; mode < 2; mode++) {
        struct harness h;
        struct harness_options options = raw(modes[mode]);
        char text[101] = { 0 };
        size_t size;
        options.limits.max_message = 100;
        harness_init(&h, &options);
        char *fits = deflated(text, 100, &size);
        send_compressed(&h, 2, fits, size, size);
        free(fits);
        assert_int_equal(h.server.received, 100);
        char *over = deflated(text, 101, &size);
        send_compressed(&h, 2, over, size, size);
        free(over);
        assert_int_equal(h.server.close.reason, SWALE_ERR_MESSAGE_SIZE);
        harness_done(&h);
    }
}

/* A MiB of empty stored blocks: nothing comes of it, and nothing stands still. */
static void test_empty_blocks(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw(&no_context);
    size_t size = 1000000;
    char *blocks = malloc(size + 1);
    for (size_t i = 0; i < size; i += 5)
        memcpy(blocks + i, "\x00\x00\x00\xff\xff", 5);
    blocks[size++] = 0;
    harness_init(&h, &options);
    send_compressed(&h, 2, blocks, size, size);
    send_compressed(&h, 2, blocks, size, 50000);
    assert_string_equal(h.server.log, "open zbin: zbin: ");
    free(blocks);
    harness_done(&h);
}

/* ---- Bad data --------------------------------------------------------------------------------------- */

static void test_bad_text(void **state)
{
    (void)state;
    const struct swale_deflate_params *modes[] = { &no_context, &context };
    static const char *const texts[] = { "bad \xff", "cut off \xe2\x82", "\xed\xa0\x80" };
    for (size_t n = 0; n < 4 * COUNT_OF(texts); n++) {
        struct harness h;
        struct harness_options options = raw(modes[n & 1]);
        const char *text = texts[n >> 2];
        size_t size;
        options.parts = n >> 1 & 1;
        char *small = deflated(text, strlen(text), &size);
        harness_init(&h, &options);
        send_compressed(&h, 2, small, size, size); /* binary may be anything */
        assert_int_equal(h.server.calls[ON_CLOSE], 0);
        if (n & 1) {
            free(small); /* the second message of a context: stored */
            small = malloc(100);
            size = strlen(text) + 6;
            memcpy(small, "\x00\x00\x00\xff\xff", 5);
            small[1] = (char)strlen(text);
            small[3] = (char)~strlen(text);
            memcpy(small + 5, text, strlen(text));
            small[size - 1] = 0;
        }
        send_compressed(&h, 1, small, size, size);
        assert_int_equal(h.server.close.reason, SWALE_ERR_UTF8);
        assert_string_equal(harness_heard(&h), "close:1007:utf8 ");
        free(small);
        harness_done(&h);
    }
}

/* A character may be split over the runs of an inflated message. */
static void test_text_over_runs(void **state)
{
    (void)state;
    for (int parts = 0; parts < 2; parts++) {
        struct harness h;
        struct harness_options options = raw(&context);
        size_t size, length = 3 * 60000;
        char *text = malloc(length);
        for (size_t i = 0; i < length; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        text[0] = 'a'; /* 65536 is a third of nothing, but be sure of an odd place */
        text[1] = 'b';
        text[2] = 'c';
        char *small = deflated(text, length, &size);
        options.parts = parts;
        options.limits.max_inflate_ratio = SWALE_OFF;
        harness_init(&h, &options);
        send_compressed(&h, 1, small, size, size);
        assert_int_equal(h.server.received, length);
        assert_int_equal(h.server.calls[ON_CLOSE], 0);
        free(text);
        free(small);
        harness_done(&h);
    }
}

static void test_garbage(void **state)
{
    (void)state;
    const struct swale_deflate_params *modes[] = { &no_context, &context };
    char *garbage = noise(3000);
    garbage[0] = (char)0xff; /* a reserved block type */
    for (size_t n = 0; n < 4; n++) {
        struct harness h;
        struct harness_options options = raw(modes[n & 1]);
        options.parts = n >> 1;
        harness_init(&h, &options);
        send_compressed(&h, 2, garbage, 3000, 1000 + 2000 * (n & 1));
        assert_int_equal(h.server.close.reason, SWALE_ERR_DEFLATE_DATA);
        assert_string_equal(harness_heard(&h), "close:1007:deflate-data ");
        harness_done(&h);
    }
    free(garbage);
}

/* ---- Pauses ----------------------------------------------------------------------------------------- */

static void pause(struct observer *observer)
{
    swale_conn_pause(observer->conn);
}

/* A frame that inflates to many runs: each run waits for the end of the pause behind the one before. */
static void test_pause_between_runs(void **state)
{
    (void)state;
    const struct swale_deflate_params *modes[] = { &no_context, &context };
    char *data = calloc(1, 300000);
    size_t size;
    char *small = deflated(data, 300000, &size);
    for (size_t mode = 0; mode < 2; mode++) {
        struct harness h;
        struct harness_options options = raw(modes[mode]);
        options.parts = true;
        options.act[ON_PART] = pause;
        options.limits.max_inflate_ratio = SWALE_OFF;
        harness_init(&h, &options);
        char script[2000];
        size_t n = put_frame(script, 0x42, small, size, mask);
        n += put_frame(script + n, 0x80, "\x00\x00\xff\xff\x00", 5, mask); /* one more empty block */
        n += put_frame(script + n, 0x81, "behind", 6, mask);
        harness_send(&h, script, n);
        unsigned rounds = 0;
        while (h.server.received < 300006) {
            assert_int_equal(h.server.calls[ON_PART], ++rounds);
            swale_conn_resume(h.server.conn);
            test_loop_settle(&h.loop);
            assert_true(rounds < 20);
        }
        assert_true(rounds >= 5);
        assert_non_null(strstr(h.server.log, "<text>:behind "));
        harness_done(&h);
    }
    free(data);
    free(small);
}

static void pause_once(struct observer *observer)
{
    swale_conn_pause(observer->conn);
    swale_conn_close(observer->conn, 1000, NULL);
}

static void test_close_between_runs(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw(&context);
    size_t size;
    char *data = calloc(1, 300000);
    char *small = deflated(data, 300000, &size);
    options.parts = true;
    options.act[ON_PART] = pause_once;
    harness_init(&h, &options);
    harness_frame(&h, 0xc2, small, size);
    assert_int_equal(h.server.calls[ON_PART], 1);
    harness_frame(&h, 0x88, "\x03\xe8", 2);
    assert_int_equal(h.server.calls[ON_PART], 1);
    assert_true(h.server.close.clean);
    free(data);
    free(small);
    harness_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_context_is_kept_over_messages),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_messages_under_way_do_not_mix),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_small_limit),
        cmocka_unit_test(test_empty_blocks),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_text_over_runs),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_pause_between_runs),
        cmocka_unit_test(test_close_between_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
