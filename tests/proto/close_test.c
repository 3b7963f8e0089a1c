#include "test.h"

#include "guard.h"
#include "proto/close.h"

#include <string.h>

/* RFC 6455 section 7.4 and the IANA registry, code by code. */
static bool allowed(int code)
{
    static const int codes[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014 };
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (codes[i] == code)
            return true;
    return code / 1000 == 3 || code / 1000 == 4;
}

static void every_code(void **state)
{
    (void)state;
    for (int code = -1; code <= 70000; code++)
        assert_int_equal(swale_close_code_valid(code), allowed(code));
}

static int write_reason(int code, const char *reason, size_t size, char payload[125])
{
    memset(payload, '-', 125);
    return swale__close_write(code, swale_span(reason, size), payload);
}

static void writing(void **state)
{
    (void)state;
    char payload[125], reason[124];
    memset(reason, 'r', sizeof reason);
    assert_int_equal(write_reason(1000, "bye", 3, payload), 5);
    assert_memory_equal(payload, "\x03\xe8\x62ye-", 6);
    assert_int_equal(write_reason(4999, NULL, 0, payload), 2);
    assert_memory_equal(payload, "\x13\x87-", 3);
    assert_int_equal(write_reason(0, NULL, 0, payload), 0);
    assert_int_equal(write_reason(1000, reason, 123, payload), 125);
    /* Refused. */
    assert_int_equal(write_reason(1000, reason, 124, payload), SWALE_ERR_INVALID);
    assert_int_equal(write_reason(0, "r", 1, payload), SWALE_ERR_INVALID);
    assert_int_equal(write_reason(1005, NULL, 0, payload), SWALE_ERR_INVALID);
    assert_int_equal(write_reason(1006, NULL, 0, payload), SWALE_ERR_INVALID);
    assert_int_equal(write_reason(66536, NULL, 0, payload), SWALE_ERR_INVALID); /* 1000 in 16 bits */
    assert_int_equal(write_reason(-1, NULL, 0, payload), SWALE_ERR_INVALID);
    assert_int_equal(write_reason(1000, "\xff", 1, payload), SWALE_ERR_INVALID);
    assert_int_equal(write_reason(1000, "\xce", 1, payload), SWALE_ERR_INVALID);
}

static int read_payload(const char *bytes, size_t size, int *code, char reason[125])
{
    char *edge = guard_copy(bytes, size);
    struct swale_span span;
    int error = swale__close_read(swale_span(edge, size), code, &span);
    memset(reason, 0, 125);
    if (span.size > 0)
        memcpy(reason, span.data, span.size);
    guard_free(edge, size);
    return error;
}

static void reading(void **state)
{
    (void)state;
    int code;
    char reason[125];
    assert_int_equal(read_payload("", 0, &code, reason), 0);
    assert_int_equal(code, 1005);
    assert_string_equal(reason, "");
    assert_int_equal(read_payload("\x03\xe8", 2, &code, reason), 0);
    assert_int_equal(code, 1000);
    assert_string_equal(reason, "");
    assert_int_equal(read_payload("\x0f\xa0\xce\xba!", 5, &code, reason), 0);
    assert_int_equal(code, 4000);
    assert_string_equal(reason, "\xce\xba!");
    assert_int_equal(read_payload("\x03", 1, &code, reason), SWALE_ERR_CLOSE_PAYLOAD);
    assert_int_equal(read_payload("\x03\xe8\xce", 3, &code, reason), SWALE_ERR_UTF8);
    assert_int_equal(read_payload("\x03\xed\xce", 3, &code, reason), SWALE_ERR_CLOSE_CODE);
}

static void every_code_is_read(void **state)
{
    (void)state;
    for (int value = 0; value < 65536; value++) {
        char payload[2] = { (char)(value >> 8), (char)value };
        struct swale_span reason;
        int code;
        int error = swale__close_read(swale_span(payload, 2), &code, &reason);
        assert_int_equal(code, value);
        assert_int_equal(error, allowed(value) ? 0 : SWALE_ERR_CLOSE_CODE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code),
        cmocka_unit_test(writing),
        cmocka_unit_test(reading),
        cmocka_unit_test(every_code_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
