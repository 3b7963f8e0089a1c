#include "test.h"

#include "app/bench/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct bench_options options;
static struct plan plan;
static struct tally total;
static struct report report;
static char *text;

/* Two seconds of echo at 1000 messages a second, of which all were answered. */
static int set_up(void **state)
{
    (void)state;
    options = (struct bench_options){ .url = "ws://127.0.0.1/echo", .rate = 1000, .size = 10 };
    plan = (struct plan){ .options = &options, .workers = 2, .senders = 2 };
    memset(&total, 0, sizeof total);
    total.opened = 12345;
    total.asked = total.sent = total.received = total.arrived = 2000;
    total.bytes_sent = total.bytes_received = 20480;
    total.user_us = 1000000;
    total.system_us = 200000;
    total.wall_us = 4000000;
    for (uint64_t i = 1; i <= 2000; i++)
        histogram_record(&total.latency, i * 1000);
    report = (struct report){ .plan = &plan, .total = &total, .seconds = 2, .busiest = 0.5 };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    return 0;
}

static const char *table(void)
{
    size_t size;
    free(text);
    FILE *file = open_memstream(&text, &size);
    report_table(&report, file);
    fclose(file);
    return text;
}

static json_t *parsed(void)
{
    size_t size;
    json_error_t error;
    free(text);
    FILE *file = open_memstream(&text, &size);
    assert_int_equal(report_json(&report, file), 0);
    fclose(file);
    json_t *object = json_loads(text, 0, &error);
    assert_non_null(object);
    return object;
}

static void assert_has(const char *part)
{
    if (!strstr(table(), part))
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void shows_what_was_asked_and_achieved(void **state)
{
    (void)state;
    assert_has("ws://127.0.0.1/echo: echo, open loop, 2 s measured\n");
    assert_has("connections   12 345 opened, 0 failed, 0 lost\n");
    assert_has("messages      2 000 sent, 2 000 answered\n");
    assert_has("throughput    1 000 messages/s, 10.0 KiB/s out, 10.0 KiB/s in (payload)\n");
    assert_has("rate          asked 1 000/s, sent 1 000/s, done 1 000/s\n");
    assert_has(
        "generator     2 threads, busy 30% (user 25%, system 5%), the busiest 50%, 600.00 us for each message\n");
    assert_has("latency        1.00 ms   1.50 ms   1.80 ms   1.98 ms   2.00 ms   2.00 ms   2.00 ms   1.00 ms\n");
    assert_null(strstr(table(), "warning"));
}

static void other_modes_show_what_they_have(void **state)
{
    (void)state;
    options.mode = BENCH_STORM;
    assert_has("handshakes    2 000 in the time measured, 1 000/s\n");
    assert_has("for each handshake\n");
    options.mode = BENCH_IDLE;
    total.open = 12340;
    total.memory = 12345 * 1024;
    assert_has("0 lost, 12 340 open at the end\n");
    assert_has(", 1.0 KiB for each connection\n");
    assert_has("ws://127.0.0.1/echo: idle, 2 s measured\n");
    options.mode = BENCH_FAN_OUT;
    total.subscribers = 4;
    total.received = total.arrived = 8000;
    options.verify = true;
    total.verified = 7999;
    assert_has("messages      2 000 sent, 8 000 delivered, 7 999 verified\n");
    assert_has("throughput    4 000 deliveries/s");
    assert_has("done 1 000/s\n");
}

static void shows_errors_by_name(void **state)
{
    (void)state;
    tally_error(&total, SWALE_PHASE_CONNECT, -ECONNREFUSED, 0);
    tally_error(&total, SWALE_PHASE_OPEN, SWALE_ERR_PEER_CLOSED, 1001);
    total.other_errors = 9;
    strcpy(total.fault, "it said no");
    assert_has("errors        1  connect ECONNREFUSED\n"
               "              1  open peer-closed 1001\n"
               "              9  others\n"
               "the first     it said no\n");
}

static void warns_of_what_spoils_the_figures(void **state)
{
    (void)state;
    struct report_warnings warnings;
    report_warnings(&report, &warnings);
    assert_int_equal(warnings.count, 0);
    report.busiest = 0.95;
    total.received = total.arrived = 1900;
    total.asked = 2100;
    total.differed = 3;
    total.unexpected = 4;
    report.dead = 1;
    report_warnings(&report, &warnings);
    assert_int_equal(warnings.count, 6);
    assert_non_null(strstr(warnings.lines[0], "busy 95% of the time"));
    assert_non_null(strstr(warnings.lines[1], "100 of 2100 messages could not be sent"));
    assert_non_null(strstr(warnings.lines[2], "3 messages differed"));
    assert_non_null(strstr(warnings.lines[3], "100 of 2000 messages never came"));
    assert_non_null(strstr(warnings.lines[4], "4 messages came that nobody had asked for"));
    assert_non_null(strstr(warnings.lines[5], "1 processes ended without results"));
    assert_has("\nwarning: a thread");
}

static void warns_of_a_queue_that_grows(void **state)
{
    (void)state;
    total.arrived = 1500;
    assert_has("warning: answers came slower than messages were sent");
    options.rate = 0; /* a closed loop waits: there is no such thing */
    assert_null(strstr(table(), "warning"));
}

static void numbers_keep_three_digits(void **state)
{
    (void)state;
    memset(&total.latency, 0, sizeof total.latency);
    histogram_record(&total.latency, 999);
    assert_has("latency         999 ns");
    memset(&total.latency, 0, sizeof total.latency);
    histogram_record(&total.latency, 12345678901);
    assert_has("latency         12.3 s");
    report.seconds = 0;
    assert_has("throughput    0 messages/s, 0 B/s out");
}

static void json_has_every_field(void **state)
{
    (void)state;
    tally_error(&total, SWALE_PHASE_CONNECT, -ECONNREFUSED, 0);
    json_t *object = parsed();
    json_int_t opened, asked, expected, received, sent, threads, errors;
    double p50, max, seconds, per_second, busiest;
    const char *mode;
    int interrupted;
    assert_int_equal(json_unpack(object,
                                 "{s:s, s:f, s:b, s:{s:I}, s:{s:I, s:I, s:I, s:F}, s:{s:I}, s:{s:F, s:F}, s:{s:I}, "
                                 "s:{s:I, s:F}}",
                                 "mode", &mode, "seconds", &seconds, "interrupted", &interrupted, "connections",
                                 "opened", &opened, "messages", "asked", &asked, "expected", &expected, "received",
                                 &received, "per_second", &per_second, "bytes", "sent", &sent, "latency_us", "p50",
                                 &p50, "max", &max, "errors", "connect ECONNREFUSED", &errors, "generator", "threads",
                                 &threads, "busiest", &busiest),
                     0);
    assert_string_equal(mode, "echo");
    assert_int_equal(opened, 12345);
    assert_int_equal(expected, 2000);
    assert_int_equal(sent, 20480);
    assert_int_equal(threads, 2);
    assert_int_equal(errors, 1);
    assert_true(seconds == 2 && per_second == 1000 && busiest == 0.5 && max == 2000);
    assert_true(p50 >= 1000 && p50 <= 1001);
    assert_false(interrupted);
    assert_non_null(json_object_get(json_object_get(object, "latency_us"), "p99.99"));
    assert_int_equal(json_array_size(json_object_get(object, "warnings")), 0);
    json_decref(object);
}

static void json_of_a_url_that_is_no_text(void **state)
{
    (void)state;
    options.url = "ws://\xff/";
    options.rate = 0;
    json_t *object = parsed();
    assert_true(json_is_null(json_object_get(object, "url")));
    assert_true(json_is_null(json_object_get(object, "rate")));
    json_decref(object);
}

static void json_says_when_it_cannot_be_written(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(report_json(&report, full), -EIO);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_what_was_asked_and_achieved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_modes_show_what_they_have, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shows_errors_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warns_of_what_spoils_the_figures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warns_of_a_queue_that_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_keep_three_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_has_every_field, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_of_a_url_that_is_no_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_says_when_it_cannot_be_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
