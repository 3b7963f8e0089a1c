#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct swale_deflate_params modes[] = {
    { .server_max_window_bits = 15, .client_max_window_bits = 15 },
    { .server_max_window_bits = 9, .client_max_window_bits = 12 },
    { .server_no_context_takeover = true, .server_max_window_bits = 10, .client_max_window_bits = 15 },
    { .client_no_context_takeover = true, .server_max_window_bits = 15, .client_max_window_bits = 9 },
    { .server_no_context_takeover = true,
      .client_no_context_takeover = true,
      .server_max_window_bits = 15,
      .client_max_window_bits = 15 },
    { .server_max_window_bits = 8, .client_max_window_bits = 8 },
};

/* Text with some sense in it, different for each n. */
static char *prose(size_t size, int n)
{
    char *text = noise(size);
    for (size_t i = 0; i < size; i++)
        text[i] = "etaoin shrdlu etaoin shrdlu et on"[((unsigned)text[i] + (unsigned)n + i / 7) & 31];
    return text;
}

static void expect(char *log, const char *kind, const char *data, size_t size)
{
    if (size <= 40)
        sprintf(log + strlen(log), "%s%.*s ", kind, (int)size, data);
    else
        sprintf(log + strlen(log), "%s[%zu]%08x ", kind, size, (unsigned)checksum(data, size));
}

/* All sizes, both directions, every mode: what is sent is what arrives, compressed where that is possible. */
static void test_both_directions(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 1023, 1024, 5000, 65535, 150000 };
    for (size_t mode = 0; mode < COUNT_OF(modes); mode++) {
        struct harness h;
        char expected[4000] = "open ";
        harness_init(&h, &(struct harness_options){ .deflate = &modes[mode],
                                                    .limits = { .high_water = 1 << 20 },
                                                    .pair = { .in_flight = mode & 1 } });
        for (size_t i = 0; i < 3 * COUNT_OF(sizes); i++) {
            size_t size = sizes[i % COUNT_OF(sizes)];
            bool text = i & 1;
            char *data = prose(size, (int)i);
            enum swale_kind kind = text ? SWALE_TEXT : SWALE_BINARY;
            assert_true(swale_conn_send(h.server.conn, kind, data, size) >= 0);
            assert_true(swale_conn_send(h.client.conn, kind, data, size) >= 0);
            test_loop_settle(&h.loop);
            bool compressed = size >= 1024 && modes[mode].server_max_window_bits > 8;
            expect(expected, compressed ? text ? "ztext:" : "zbin:" : text ? "text:" : "bin:", data, size);
            assert_string_equal(h.client.log, expected);
            assert_string_equal(h.server.log, expected);
            free(data);
        }
        if (modes[mode].server_max_window_bits > 8)
            assert_true(counter(&h.counters[SWALE_SERVER].wire_out) <
                        counter(&h.counters[SWALE_SERVER].bytes_out) * 3 / 4);
        harness_done(&h);
    }
}

static void test_threshold_and_flag(void **state)
{
    (void)state;
    struct harness h;
    char *text = prose(500, 0);
    harness_init(&h, &(struct harness_options){ .deflate = &modes[4], .limits = { .compress_threshold = 400 } });
    swale_conn_send(h.server.conn, SWALE_TEXT, text, 399);
    swale_conn_send(h.server.conn, SWALE_TEXT, text, 400);
    swale_conn_send_with(h.server.conn, SWALE_TEXT, text, 400, SWALE_SEND_PLAIN);
    test_loop_settle(&h.loop);
    char expected[200] = "open ";
    expect(expected, "text:", text, 399);
    expect(expected, "ztext:", text, 400);
    expect(expected, "text:", text, 400);
    assert_string_equal(h.client.log, expected);
    harness_done(&h);

    harness_init(&h,
                 &(struct harness_options){ .deflate = &modes[4], .limits = { .compress_threshold = SWALE_OFF } });
    swale_conn_send(h.server.conn, SWALE_TEXT, "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", 28);
    swale_conn_send(h.server.conn, SWALE_TEXT, "a", 1);
    test_loop_settle(&h.loop);
    assert_string_equal(h.client.log, "open ztext:aaaaaaaaaaaaaaaaaaaaaaaaaaaa text:a ");
    harness_done(&h);
    free(text);
}

/* Without context a message that does not get smaller goes as it is; with context it goes compressed. */
static void test_incompressible(void **state)
{
    (void)state;
    char *data = noise(100000);
    for (size_t mode = 0; mode < 5; mode += 4) {
        struct harness h;
        char expected[300] = "open ";
        harness_init(&h, &(struct harness_options){ .deflate = &modes[mode] });
        for (size_t size = 2000; size <= 100000; size += 98000) {
            swale_conn_send(h.server.conn, SWALE_BINARY, data, size);
            test_loop_settle(&h.loop);
            expect(expected, mode == 0 ? "zbin:" : "bin:", data, size);
        }
        assert_string_equal(h.client.log, expected);
        harness_done(&h);
    }
    free(data);
}

/* How many messages the log has behind `start`; each must be one of the two. */
static size_t check_messages(const char *start, const char *one, const char *other)
{
    char words[2][40];
    size_t count = 0;
    snprintf(words[0], sizeof words[0], "[9000]%08x ", (unsigned)checksum(one, 9000));
    snprintf(words[1], sizeof words[1], "[9000]%08x ", (unsigned)checksum(other, 9000));
    while ((start = strchr(start, '['))) {
        assert_true(strncmp(start, words[0], 15) == 0 || strncmp(start, words[1], 15) == 0);
        start++;
        count++;
    }
    return count;
}

/* Whatever happens in between, the two windows of a kept context agree: a refusal, plain and shared messages, memory
 * that runs out. */
static void test_context_survives(void **state)
{
    (void)state;
    for (uint64_t fail_at = 0; fail_at < 8; fail_at++) {
        struct harness h;
        struct swale_shared *shared;
        harness_init(&h, &(struct harness_options){ .deflate = &modes[0],
                                                    .limits = { .max_queue = 30000, .high_water = 20000 } });
        size_t delivered = 0;
        for (int i = 0; i < 24; i++) {
            char *text = prose(9000, i % 3);
            char *other = prose(9000, i % 3 + 5);
            assert_int_equal(swale_shared_new(&shared, NULL, SWALE_TEXT, other, 9000), 0);
            size_t log_size = h.client.log_size, before = delivered;
            /* The client does not read just now: some of these are refused. */
            if (i % 4 == 0)
                swale_conn_pause(h.client.conn);
            if (fail_at > 0 && i == 12)
                h.loop.memory.fail_at = h.loop.memory.allocations + fail_at;
            for (int n = 0; n < 12; n++) {
                int result = n % 3 == 2 ? swale_conn_send_shared(h.server.conn, shared)
                                        : swale_conn_send(h.server.conn, SWALE_TEXT, text, 9000);
                assert_true(result >= 0 || result == SWALE_ERR_QUEUE_FULL || result == -ENOMEM);
                delivered += result >= 0;
            }
            h.loop.memory.fail_at = 0;
            swale_conn_resume(h.client.conn);
            test_loop_settle(&h.loop);
            assert_int_equal(check_messages(h.client.log + log_size, text, other), delivered - before);
            swale_shared_unref(shared);
            free(other);
            free(text);
            assert_int_equal(h.client.calls[ON_CLOSE], 0);
            assert_int_equal(h.client.calls[ON_MESSAGE], delivered);
        }
        assert_int_equal(h.client.received, 9000 * delivered);
        harness_done(&h);
    }
}

static uint64_t wire_of(struct harness *h, const char *data, size_t size)
{
    uint64_t before = counter(&h->counters[SWALE_SERVER].wire_out);
    assert_true(swale_conn_send(h->server.conn, SWALE_BINARY, data, size) >= 0);
    test_loop_settle(&h->loop);
    return counter(&h->counters[SWALE_SERVER].wire_out) - before;
}

/* Windows are as large as the messages, within what was agreed: a message is made of the one before, whatever came
 * earlier, where the window can hold it. */
static void test_windows_grow(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1024, 2048, 2100, 8000, 1500, 12000, 16384 };
    for (size_t mode = 0; mode < 2; mode++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .deflate = &modes[mode], .limits = { .high_water = 1 << 20 } });
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            char *data = noise(sizes[i]);
            data[i] ^= 0x55; /* other than those before */
            for (size_t j = 0; j < sizes[i]; j++)
                data[j] = (char)(data[j] + (int)i);
            size_t bytes = h.loop.memory.bytes;
            assert_true(wire_of(&h, data, sizes[i]) > 64);
            /* The largest window alone has 256 KiB at the sender's end. */
            assert_true(i > 0 || h.loop.memory.bytes - bytes < 200 * 1024);
            uint64_t again = wire_of(&h, data, sizes[i]);
            size_t window = (size_t)1 << modes[mode].server_max_window_bits;
            assert_true((again < sizes[i] / 8) == (sizes[i] < window));
            free(data);
        }
        assert_int_equal(h.client.calls[ON_MESSAGE], 2 * COUNT_OF(sizes));
        assert_int_equal(h.client.calls[ON_CLOSE], 0);
        harness_done(&h);
    }
}

/* Echoing what was inflated into the group's buffer compresses it again, which must not overwrite it. */
static void test_echo(void **state)
{
    (void)state;
    for (size_t mode = 0; mode < COUNT_OF(modes); mode++) {
        struct harness h;
        char expected[3000] = "open ";
        harness_init(&h, &(struct harness_options){ .deflate = &modes[mode], .echo = true });
        for (int i = 0; i < 20; i++) {
            char *text = prose(3000 * (size_t)(i + 1), i);
            swale_conn_send(h.client.conn, SWALE_TEXT, text, 3000 * (size_t)(i + 1));
            test_loop_settle(&h.loop);
            expect(expected, modes[mode].server_max_window_bits > 8 ? "ztext:" : "text:", text,
                   3000 * (size_t)(i + 1));
            free(text);
        }
        assert_string_equal(h.client.log, expected);
        harness_done(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions), cmocka_unit_test(test_threshold_and_flag),
        cmocka_unit_test(test_incompressible),  cmocka_unit_test(test_context_survives),
        cmocka_unit_test(test_windows_grow),    cmocka_unit_test(test_echo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
