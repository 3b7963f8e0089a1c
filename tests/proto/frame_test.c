#include "test.h"

#include "guard.h"
#include "proto/frame.h"

#include <string.h>

/* ---- Headers ---------------------------------------------------------------------------------------- */

struct encoded {
    uint64_t size;
    int length;
    unsigned char header[10];
};

/* RFC 6455 section 5.2: the shortest form of every length. */
static const struct encoded forms[] = {
    { 0, 2, { 0x82, 0 } },
    { 1, 2, { 0x82, 1 } },
    { 125, 2, { 0x82, 125 } },
    { 126, 4, { 0x82, 126, 0, 126 } },
    { 256, 4, { 0x82, 126, 1, 0 } },
    { 65535, 4, { 0x82, 126, 0xff, 0xff } },
    { 65536, 10, { 0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0 } },
    { UINT64_C(0x100000005), 10, { 0x82, 127, 0, 0, 0, 1, 0, 0, 0, 5 } },
    { INT64_MAX, 10, { 0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
};

static void headers_take_the_shortest_form(void **state)
{
    (void)state;
    char header[SWALE_HEADER_MAX];
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        assert_int_equal(swale_frame_header(SWALE_BINARY, false, forms[i].size, header), forms[i].length);
        assert_memory_equal(header, forms[i].header, (size_t)forms[i].length);
        assert_int_equal(swale__frame_put(header, 0x82, SWALE__MASK, forms[i].size), forms[i].length);
        assert_int_equal((unsigned char)header[1], forms[i].header[1] | 0x80);
    }
}

static void headers_tell_kind_and_compression(void **state)
{
    (void)state;
    char header[SWALE_HEADER_MAX];
    assert_int_equal(swale_frame_header(SWALE_TEXT, false, 5, header), 2);
    assert_memory_equal(header, "\x81\x05", 2);
    assert_int_equal(swale_frame_header(SWALE_TEXT, true, 5, header), 2);
    assert_memory_equal(header, "\xc1\x05", 2);
    assert_int_equal(swale_frame_header(SWALE_BINARY, true, 5, header), 2);
    assert_memory_equal(header, "\xc2\x05", 2);
}

static void header_arguments_are_checked(void **state)
{
    (void)state;
    char header[SWALE_HEADER_MAX];
    assert_int_equal(swale_frame_header((enum swale_kind)0, false, 5, header), SWALE_ERR_INVALID);
    assert_int_equal(swale_frame_header((enum swale_kind)8, false, 5, header), SWALE_ERR_INVALID);
    assert_int_equal(swale_frame_header(SWALE_TEXT, false, (uint64_t)INT64_MAX + 1, header), SWALE_ERR_INVALID);
}

static void lengths_are_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        uint64_t length = 1234;
        for (size_t size = 2; size < (size_t)forms[i].length; size++) {
            char *edge = guard_copy(forms[i].header, size);
            assert_int_equal(swale__frame_length(edge, size, &length), 0);
            guard_free(edge, size);
        }
        char *edge = guard_copy(forms[i].header, (size_t)forms[i].length);
        assert_int_equal(swale__frame_length(edge, (size_t)forms[i].length, &length), forms[i].length);
        assert_true(length == forms[i].size);
        guard_free(edge, (size_t)forms[i].length);
    }
}

static void long_forms_of_short_lengths_are_refused(void **state)
{
    (void)state;
    static const unsigned char bad[][10] = {
        { 0x82, 126, 0, 0 },
        { 0x82, 126, 0, 125 },
        { 0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0 },
        { 0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff },
        { 0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0 },
        { 0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
    };
    uint64_t length;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(swale__frame_length((const char *)bad[i], 10, &length), SWALE_ERR_FRAME_LENGTH);
}

/* ---- Control frames --------------------------------------------------------------------------------- */

static void count_up(void *context, void *out, size_t size)
{
    unsigned char *next = context, *bytes = out;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (*next)++;
}

static void control_frames_of_a_server(void **state)
{
    (void)state;
    struct swale_engine_config config = { .role = SWALE_SERVER };
    struct swale_engine engine;
    char frame[SWALE_CONTROL_MAX], payload[125];
    swale_engine_init(&engine, &config, 0);
    assert_int_equal(swale__frame_control(&engine, SWALE__PONG, swale_text("Hello"), frame), 7);
    assert_memory_equal(frame, "\x8a\x05Hello", 7);
    assert_int_equal(swale__frame_control(&engine, SWALE__CLOSE, swale_span(NULL, 0), frame), 2);
    assert_memory_equal(frame, "\x88\x00", 2);
    memset(payload, 'x', sizeof payload);
    assert_int_equal(swale__frame_control(&engine, SWALE__PING, swale_span(payload, 125), frame), 127);
    assert_memory_equal(frame, "\x89\x7dxxx", 5);
}

/* RFC 6455 section 5.3: each frame has a key of its own. */
static void control_frames_of_a_client(void **state)
{
    (void)state;
    unsigned char next = 1;
    struct swale_engine_config config = { .role = SWALE_CLIENT, .random = count_up, .random_context = &next };
    struct swale_engine engine;
    char frame[SWALE_CONTROL_MAX], payload[125];
    swale_engine_init(&engine, &config, 0);
    assert_int_equal(swale__frame_control(&engine, SWALE__PING, swale_text("abcde"), frame), 11);
    assert_memory_equal(frame, "\x89\x85\x01\x02\x03\x04\x60\x60\x60\x60\x64", 11);
    assert_int_equal(swale__frame_control(&engine, SWALE__PING, swale_span(NULL, 0), frame), 6);
    assert_memory_equal(frame, "\x89\x80\x05\x06\x07\x08", 6);
    memset(payload, 'x', sizeof payload);
    assert_int_equal(swale__frame_control(&engine, SWALE__PING, swale_span(payload, 125), frame), SWALE_CONTROL_MAX);
}

/* ---- What is read at once ----------------------------------------------------------------------------- */

struct lead {
    const char *frame;
    size_t size, lead;
};

static void the_lead_is_a_header_or_a_control_frame(void **state)
{
    (void)state;
    static const struct lead leads[] = {
        { "", 0, 2 },           { "\x82", 1, 2 },
        { "\x82\x05", 2, 2 },   { "\x82\x85", 2, 6 },
        { "\x82\xfe", 2, 8 },   { "\x82\xff", 2, 14 },
        { "\x82\x7f", 2, 10 },  { "\x89\x85", 2, 11 },
        { "\x88\x7d", 2, 127 }, { "\x89\xfd\1\2\3\4rest", 10, 131 },
        { "\x89\xfe", 2, 8 }, /* RFC 6455 section 5.5: too long, as its header says */
    };
    for (size_t i = 0; i < COUNT_OF(leads); i++) {
        char *frame = guard_copy(leads[i].frame, leads[i].size);
        assert_int_equal(swale__frame_lead(frame, leads[i].size), leads[i].lead);
        guard_free(frame, leads[i].size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lead_is_a_header_or_a_control_frame),
        cmocka_unit_test(headers_take_the_shortest_form),
        cmocka_unit_test(headers_tell_kind_and_compression),
        cmocka_unit_test(header_arguments_are_checked),
        cmocka_unit_test(lengths_are_read_back),
        cmocka_unit_test(long_forms_of_short_lengths_are_refused),
        cmocka_unit_test(control_frames_of_a_server),
        cmocka_unit_test(control_frames_of_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
