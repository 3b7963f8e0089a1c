#include "test.h"

#include "app/serve/log.h"
#include "app/text.h"

#include <errno.h>
#include <string.h>

/* 2026-11-22 15:40:01.007 UTC */
static const struct timespec moment = { .tv_sec = 1795362001, .tv_nsec = 7999999 };

static const struct swale_record refusal = {
    .kind = SWALE_RECORD_REFUSE,
    .reason = SWALE_ERR_ORIGIN,
    .status = 403,
    .id = 12,
    .method = { "GET", 3 },
    .target = { "/topic/x?token=secret", 21 },
    .origin = { "https://evil.example", 20 },
    .user_agent = { "a\r\n\"b\x1b", 6 },
    .address = { "192.0.2.1", 9 },
    .port = 4711,
};

static const char *format(enum log_format log_format, const struct swale_record *record)
{
    static char line[LOG_LINE_MAX];
    size_t size = log_line(log_format, record, &moment, line);
    assert_int_equal(strlen(line), size);
    assert_ptr_equal(strchr(line, '\n'), line + size - 1);
    return line;
}

static void writes_text(void **state)
{
    (void)state;
    assert_string_equal(format(LOG_TEXT, &refusal),
                        "2026-11-22T15:40:01.007Z refuse id=12 peer=\"192.0.2.1:4711\" method=\"GET\" "
                        "path=\"/topic/x\" query=hidden status=403 reason=origin "
                        "fault=\"the Origin is not allowed\" origin=\"https://evil.example\" "
                        "agent=\"a\\r\\n\\\"b\\x1b\"\n");
}

static void writes_json(void **state)
{
    (void)state;
    assert_string_equal(format(LOG_JSON, &refusal),
                        "{\"time\":\"2026-11-22T15:40:01.007Z\",\"event\":\"refuse\",\"id\":12,"
                        "\"peer\":\"192.0.2.1:4711\",\"method\":\"GET\",\"path\":\"/topic/x\",\"query\":\"hidden\","
                        "\"status\":403,\"reason\":\"origin\",\"fault\":\"the Origin is not allowed\","
                        "\"origin\":\"https://evil.example\",\"agent\":\"a\\r\\n\\\"b\\u001b\"}\n");
}

static void names_addresses_and_faults_of_the_system(void **state)
{
    (void)state;
    struct swale_record record = {
        .kind = SWALE_RECORD_ACCEPT, .reason = -EMFILE, .address = { "2001:db8::1", 11 }, .port = 80
    };
    assert_string_equal(format(LOG_TEXT, &record), "2026-11-22T15:40:01.007Z accept peer=\"[2001:db8::1]:80\" "
                                                   "reason=system fault=\"Too many open files\"\n");
    record = (struct swale_record){ .kind = SWALE_RECORD_LISTEN, .address = { "unix:/run/s", 11 } };
    assert_string_equal(format(LOG_TEXT, &record), "2026-11-22T15:40:01.007Z listen address=\"unix:/run/s\"\n");
}

/* Every field of a peer at its worst: the line still fits, whole, and on one line. */
static void has_room_for_the_worst(void **state)
{
    (void)state;
    static char bytes[1024 * 1024];
    memset(bytes, 1, sizeof bytes);
    struct swale_span worst = swale_span(bytes, sizeof bytes);
    struct swale_record record = {
        .kind = SWALE_RECORD_CLOSE,
        .reason = SWALE_ERR_MESSAGE_SIZE,
        .status = 999,
        .code = 4999,
        .id = UINT64_MAX,
        .duration_ms = UINT64_MAX,
        .connections = UINT64_MAX,
        .method = worst,
        .target = worst,
        .host = worst,
        .origin = worst,
        .user_agent = worst,
        .address = worst,
        .text = worst,
    };
    for (enum log_format log_format = LOG_TEXT; log_format <= LOG_JSON; log_format++) {
        const char *line = format(log_format, &record);
        assert_non_null(strstr(line, "text"));
        assert_true(strlen(line) < LOG_LINE_MAX - 1024);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_text),
        cmocka_unit_test(writes_json),
        cmocka_unit_test(names_addresses_and_faults_of_the_system),
        cmocka_unit_test(has_room_for_the_worst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
