#include "test.h"

#include "app/connect/framing.h"
#include "guard.h"

#include <string.h>

/* The messages of a stream, each in brackets, when the bytes come in pieces of `step`; "cut" at the end when the last
 * message is cut off. */
static void read_all(enum framing framing, struct swale_span stream, size_t step, struct buffer *log)
{
    size_t begin = 0, end = 0, scanned = 0;
    while (end < stream.size) {
        end = end + step < stream.size ? end + step : stream.size;
        struct swale_span message;
        size_t size;
        while ((size = framing_take(framing, swale_span(stream.data + begin, end - begin), &scanned, &message)) > 0) {
            buffer_putf(log, "[%.*s]", (int)message.size, message.data);
            begin += size;
        }
    }
    struct swale_span last;
    int left = framing_last(framing, swale_span(stream.data + begin, end - begin), &last);
    if (left > 0)
        buffer_putf(log, "[%.*s]", (int)last.size, last.data);
    if (left < 0)
        buffer_puts(log, "cut");
}

static void reads_at_every_split(void **state)
{
    (void)state;
    static const struct {
        enum framing framing;
        struct swale_span stream;
        const char *log;
    } cases[] = {
        { FRAMING_LINES, { "one\ntwo\n", 8 }, "[one][two]" },
        { FRAMING_LINES, { "one\n\nlast", 9 }, "[one][][last]" },
        { FRAMING_LINES, { "", 0 }, "" },
        { FRAMING_NULL, { "one\ntwo\0x\0y", 11 }, "[one\ntwo][x][y]" },
        { FRAMING_LENGTH, { "\0\0\0\3one\0\0\0\0\0\0\0\1\n", 16 }, "[one][][\n]" },
        { FRAMING_LENGTH, { "\0\0\0\1a\0\0\0\2b", 10 }, "[a]cut" },
        { FRAMING_LENGTH, { "\0\0\0", 3 }, "cut" },
        { FRAMING_LENGTH, { "\xff\xff\xff\xff", 4 }, "cut" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t step = 1; step <= cases[i].stream.size + 1; step++) {
            struct buffer log = { 0 };
            read_all(cases[i].framing, cases[i].stream, step, &log);
            buffer_put(&log, swale_span("", 1));
            assert_string_equal(log.data, cases[i].log);
            buffer_done(&log);
        }
    }
}

static void reads_no_byte_too_many(void **state)
{
    (void)state;
    static const char stream[] = "\0\0\0\5hello";
    for (size_t size = 0; size < sizeof stream; size++) {
        char *bytes = guard_copy(stream, size);
        for (int framing = FRAMING_LINES; framing <= FRAMING_LENGTH; framing++) {
            struct swale_span message;
            size_t scanned = 0;
            framing_take((enum framing)framing, swale_span(bytes, size), &scanned, &message);
        }
        guard_free(bytes, size);
    }
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    for (int framing = FRAMING_LINES; framing <= FRAMING_LENGTH; framing++) {
        struct buffer out = { 0 }, log = { 0 };
        assert_true(framing_put((enum framing)framing, swale_text("one"), &out));
        assert_true(framing_put((enum framing)framing, swale_span(NULL, 0), &out));
        assert_true(framing_put((enum framing)framing, swale_text("three"), &out));
        read_all((enum framing)framing, buffer_span(&out), 1, &log);
        buffer_put(&log, swale_span("", 1));
        assert_string_equal(log.data, "[one][][three]");
        buffer_done(&out);
        buffer_done(&log);
    }
}

static void writes_lengths_big_endian(void **state)
{
    (void)state;
    struct buffer out = { 0 };
    static const char message[0x1234];
    assert_true(framing_put(FRAMING_LENGTH, swale_span(message, sizeof message), &out));
    assert_int_equal(out.size, 4 + sizeof message);
    assert_memory_equal(out.data, "\0\0\x12\x34", 4);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_at_every_split),
        cmocka_unit_test(reads_no_byte_too_many),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(writes_lengths_big_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
