#include "test.h"

#include "app/serve/serve_options.h"

#include <stdlib.h>
#include <string.h>

static struct serve_options options;
static char fault[OPTIONS_FAULT_MAX];

/* The command line, split at spaces; "" stands for an empty argument. */
static int parse(const char *line)
{
    static char copy[1024], empty[1];
    static char *arguments[32];
    int count = 0;
    serve_options_done(&options);
    assert_true(strlen(line) < sizeof copy);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        arguments[count++] = strcmp(word, "\"\"") == 0 ? empty : word;
    return serve_options_parse(&options, count, arguments, fault);
}

static int tear_down(void **state)
{
    (void)state;
    serve_options_done(&options);
    return 0;
}

static void has_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(options.listen.count, 1);
    assert_string_equal(options.listen.items[0], "127.0.0.1:8080");
    assert_int_equal(options.log, LOG_TEXT);
    assert_false(options.demo || options.metrics || options.help || options.version);
    assert_null(options.server.origins);
    assert_false(options.server.deflate.enabled);
    static const struct swale_limits nothing_said;
    assert_memory_equal(&options.server.limits, &nothing_said, sizeof nothing_said);
}

static void reads_every_option(void **state)
{
    (void)state;
    assert_int_equal(parse("--listen :1 --listen=unix:/s --backlog 9 --threads 3 --backend io_uring --tls-cert c1 "
                           "--tls-key k1 --tls-cert c2 --tls-key k2 --tls-client-ca ca --tls-client-optional"),
                     0);
    assert_int_equal(options.listen.count, 2);
    assert_string_equal(options.listen.items[1], "unix:/s");
    assert_int_equal(options.backlog, 9);
    assert_int_equal(options.server.threads, 3);
    assert_int_equal(options.server.backend, SWALE_BACKEND_IO_URING);
    assert_string_equal(options.certificates.items[1], "c2");
    assert_string_equal(options.keys.items[1], "k2");
    assert_string_equal(options.client_ca, "ca");
    assert_true(options.client_optional);

    assert_int_equal(
        parse("--root r --demo --log json --origin https://a --origin http://b:81 --origin null --deflate=context "
              "--compress-threshold 2k"),
        0);
    assert_string_equal(options.root, "r");
    assert_true(options.demo && options.metrics);
    assert_int_equal(options.log, LOG_JSON);
    assert_int_equal(options.server.origin_count, 3);
    assert_string_equal(options.server.origins[1], "http://b:81");
    assert_string_equal(options.server.origins[2], "null");
    assert_true(options.server.deflate.enabled && options.server.deflate.server_context_takeover);
    assert_int_equal(options.server.limits.compress_threshold, 2048);

    assert_int_equal(parse("--max-connections 5 --max-connections-per-address 6 --max-message 7k --max-fragments 8 "
                           "--max-inflate-ratio 9 --max-rate 10 --max-head 11k --max-fields 12 --high-water 13k "
                           "--max-queue 14m"),
                     0);
    assert_int_equal(options.server.max_connections, 5);
    assert_int_equal(options.server.max_connections_per_address, 6);
    assert_int_equal(options.server.limits.max_message, 7 * 1024);
    assert_int_equal(options.server.limits.max_fragments, 8);
    assert_int_equal(options.server.limits.max_inflate_ratio, 9);
    assert_int_equal(options.server.limits.max_message_rate, 10);
    assert_int_equal(options.server.max_head, 11 * 1024);
    assert_int_equal(options.server.max_fields, 12);
    assert_int_equal(options.server.limits.high_water, 13 * 1024);
    assert_int_equal(options.server.limits.max_queue, 14 * 1024 * 1024);

    assert_int_equal(parse("--handshake-timeout 1s --ping 2s --gone 3s --idle 4m --close-wait 5ms --drain 1h "
                           "--metrics"),
                     0);
    assert_int_equal(options.server.limits.handshake_ms, 1000);
    assert_int_equal(options.server.limits.ping_after_ms, 2000);
    assert_int_equal(options.server.limits.gone_after_ms, 3000);
    assert_int_equal(options.server.limits.idle_ms, 4 * 60 * 1000);
    assert_int_equal(options.server.limits.close_wait_ms, 5);
    assert_int_equal(options.server.drain_ms, 60 * 60 * 1000);
    assert_true(options.metrics && !options.demo);
}

static void switches_limits_off(void **state)
{
    (void)state;
    assert_int_equal(parse("--drain off"), 0);
    assert_int_equal(options.server.drain_ms, SWALE_OFF);
    assert_int_equal(parse("--max-message off --max-connections unlimited --ping off --max-fragments unlimited"), 0);
    assert_true(options.server.limits.max_message == SWALE_UNLIMITED);
    assert_true(options.server.max_connections == SWALE_UNLIMITED);
    assert_true(options.server.limits.ping_after_ms == SWALE_OFF);
    assert_true(options.server.limits.max_fragments == SWALE_OFF);
}

static void takes_deflate_without_a_value(void **state)
{
    (void)state;
    assert_int_equal(parse("--deflate --demo"), 0);
    assert_true(options.server.deflate.enabled && options.demo);
    assert_false(options.server.deflate.server_context_takeover);
}

static void checks_nothing_when_help_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(parse("--tls-key k --help"), 0);
    assert_true(options.help);
    assert_int_equal(parse("-h"), 0);
    assert_true(options.help);
    assert_int_equal(parse("--tls-key k --version"), 0);
    assert_true(options.version);
}

static const struct {
    const char *line, *fault;
} wrong[] = {
    { "--wat", "unknown option \"--wat\"; see swale serve --help" },
    { "--max-mess 1k", "unknown option \"--max-mess\"; see swale serve --help" },
    { "-x", "unexpected argument \"-x\"; see swale serve --help" },
    { "8080", "unexpected argument \"8080\"; see swale serve --help" },
    { "--demo=yes", "\"--demo=yes\": the option takes no value" },
    { "--root", "\"--root\": the value is missing" },
    { "--root \"\"", "--root: \"\": empty" },
    { "--listen=", "--listen: \"\": empty" },
    { "--max-message 1x", "--max-message: \"1x\": not a size such as 4096, 64k or 1m" },
    { "--max-message 0", "--max-message: \"0\": not a size such as 4096, 64k or 1m" },
    { "--max-message 18446744073709551615",
      "--max-message: \"18446744073709551615\": not a size such as 4096, 64k or 1m" },
    { "--max-head off", "--max-head: \"off\": not a size such as 4096, 64k or 1m up to 1m" },
    { "--max-head 2m", "--max-head: \"2m\": not a size such as 4096, 64k or 1m up to 1m" },
    { "--threads 0", "--threads: \"0\": not a number from 1 to 256" },
    { "--threads 257", "--threads: \"257\": not a number from 1 to 256" },
    { "--max-fragments 4294967295", "--max-fragments: \"4294967295\": not a number from 1" },
    { "--idle 10", "--idle: \"10\": not a duration such as 500ms, 10s or 2m" },
    { "--idle -1s", "--idle: \"-1s\": not a duration such as 500ms, 10s or 2m" },
    { "--drain 0s", "--drain: \"0s\": not a duration such as 500ms, 10s or 2m" },
    { "--log xml", "--log: \"xml\": not text, json or off" },
    { "--backend kqueue", "--backend: \"kqueue\": not auto, epoll or io_uring" },
    { "--deflate=max", "--deflate: \"max\": not shared or context" },
    { "--origin example.com", "--origin: \"example.com\": not an origin such as https://example.com" },
    { "--origin https://example.com/",
      "--origin: \"https://example.com/\": not an origin such as https://example.com" },
    { "--origin https://", "--origin: \"https://\": not an origin such as https://example.com" },
    { "--wat\x1b[2J", "unknown option \"--wat\\x1b[2J\"; see swale serve --help" },
    { "--tls-key k", "--tls-key without --tls-cert" },
    { "--tls-cert c", "--tls-cert without --tls-key" },
    { "--tls-client-ca c", "--tls-client-ca without --tls-cert" },
    { "--tls-cert c --tls-key k --tls-client-optional", "--tls-client-optional without --tls-client-ca" },
    { "--compress-threshold 1k", "--compress-threshold without --deflate" },
    { "--ping off --gone 5s", "--gone with --ping off: who is never asked cannot fail to answer" },
    { "--high-water 2m", "--high-water (64k unless given) is above --max-queue (1m unless given)" },
};

static void says_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(parse(wrong[i].line), -1);
        assert_string_equal(fault, wrong[i].fault);
    }
}

static void bears_very_long_values(void **state)
{
    (void)state;
    static char line[900] = "--log ";
    memset(line + 6, 'x', sizeof line - 7);
    assert_int_equal(parse(line), -1);
    assert_true(strlen(fault) < 400);
    assert_non_null(strstr(fault, "xxx\"...: not text, json or off"));
}

/* It fits a screen. */
static void helps_briefly(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    serve_options_help(out);
    fclose(out);
    size_t lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strlen(line) > 80)
            fail_msg("too wide: %s", line);
        lines++;
    }
    assert_in_range(lines, 35, 42);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(has_defaults),
        TEST(reads_every_option),
        TEST(switches_limits_off),
        TEST(takes_deflate_without_a_value),
        TEST(checks_nothing_when_help_is_wanted),
        TEST(says_what_is_wrong),
        TEST(bears_very_long_values),
        TEST(helps_briefly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
