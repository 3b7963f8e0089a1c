#include "test.h"

#include "app/connect/connect_options.h"

#include <string.h>

static struct connect_options options;
static char fault[OPTIONS_FAULT_MAX];

/* The command line, split at '|'. */
static int parse(const char *line)
{
    static char copy[1024];
    static char *arguments[64];
    int count = 0;
    connect_options_done(&options);
    strcpy(copy, line);
    for (char *word = strtok(copy, "|"); word; word = strtok(NULL, "|"))
        arguments[count++] = word;
    return connect_options_parse(&options, count, arguments, fault);
}

static int tear_down(void **state)
{
    (void)state;
    connect_options_done(&options);
    return 0;
}

static void has_defaults(void **state)
{
    (void)state;
    struct swale_client_options client;
    struct swale_limits limits;
    assert_int_equal(parse("ws://a/"), 0);
    connect_options_client(&options, &client, &limits);
    assert_string_equal(client.url, "ws://a/");
    assert_true(client.reconnect.off);
    assert_false(client.deflate.enabled);
    assert_null(client.proxy);
    assert_int_equal(client.field_count, 0);
    assert_int_equal(limits.max_message, 64 * 1024 * 1024);
    assert_int_equal(options.framing, FRAMING_LINES);
    assert_false(options.wait || connect_options_have_tls(&options));
}

static void reads_every_option(void **state)
{
    (void)state;
    struct swale_client_options client;
    struct swale_limits limits;
    assert_int_equal(parse("-H|A: b : c |--header|Empty:|--origin|https://o|-s|one|--subprotocol=two|-u|me:secret|"
                           "--deflate=context|--follow-redirects|3|--cacert|ca|--cert|c|--key|k|--pin|sha256/x|-k|"
                           "-x|socks5://p|--connect-to|h:1|--dns-servers|1.1.1.1|--connect-timeout|2s|--binary|-0|"
                           "--max-message-size|off|--raw|--on-connect|hi|--wait=5s|--max-messages|7|"
                           "--timeout|9s|--ping-interval|off|--reconnect|--exit-on-close|--check|-v|--show-control|"
                           "--slash|--no-color|--no-history|wss://a/"),
                     0);
    connect_options_client(&options, &client, &limits);
    assert_int_equal(client.field_count, 2);
    assert_true(swale_span_equal(client.fields[0].name, swale_text("A")));
    assert_true(swale_span_equal(client.fields[0].value, swale_text("b : c")));
    assert_int_equal(client.fields[1].value.size, 0);
    assert_string_equal(client.origin, "https://o");
    assert_int_equal(client.subprotocol_count, 2);
    assert_string_equal(client.subprotocols[1], "two");
    assert_string_equal(client.credentials, "me:secret");
    assert_true(client.deflate.enabled && client.deflate.client_context_takeover);
    assert_int_equal(client.max_redirects, 3);
    assert_string_equal(client.proxy, "socks5://p");
    assert_string_equal(client.connect_to, "h:1");
    assert_string_equal(client.dns_servers, "1.1.1.1");
    assert_false(client.reconnect.off);
    assert_true(limits.max_message == SWALE_UNLIMITED);
    assert_int_equal(limits.handshake_ms, 2000);
    assert_true(limits.ping_after_ms == SWALE_OFF);
    assert_true(connect_options_have_tls(&options));
    assert_string_equal(options.pins.items[0], "sha256/x");
    assert_true(options.binary && options.raw && options.wait && options.reconnect && options.exit_on_close);
    assert_int_equal(options.framing, FRAMING_NULL);
    assert_int_equal(options.wait_ms, 5000);
    assert_int_equal(options.timeout_ms, 9000);
    assert_int_equal(options.max_messages, 7);
    assert_true(options.check && options.verbose && options.show_control && options.slash);
    assert_true(options.no_color && options.no_history);
}

static void takes_a_bare_host_for_ws(void **state)
{
    (void)state;
    assert_int_equal(parse("localhost:8080/x"), 0);
    assert_string_equal(options.url, "ws://localhost:8080/x");
    assert_int_equal(parse("ws+unix:/run/x"), 0);
    assert_string_equal(options.url, "ws+unix:/run/x");
}

static void trims_fields(void **state)
{
    (void)state;
    struct swale_client_options client;
    struct swale_limits limits;
    assert_int_equal(parse("-H|A:\t b \t|-H|C: \t|ws://a"), 0);
    connect_options_client(&options, &client, &limits);
    assert_true(swale_span_equal(client.fields[0].value, swale_text("b")));
    assert_int_equal(client.fields[1].value.size, 0);
}

static void waits_for_messages_that_are_counted(void **state)
{
    (void)state;
    assert_int_equal(parse("--max-messages|1|ws://a"), 0);
    assert_true(options.wait);
    assert_int_equal(options.wait_ms, 0);
}

static void goes_through_no_proxy(void **state)
{
    (void)state;
    struct swale_client_options client;
    struct swale_limits limits;
    assert_int_equal(parse("--proxy|none|ws://a"), 0);
    connect_options_client(&options, &client, &limits);
    assert_string_equal(client.proxy, "");
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line, *fault;
    } wrong[] = {
        { "--wait", "no URL; see swale connect --help" },
        { "a|b", "one argument too many: \"b\"; see swale connect --help" },
        { "-H|novalue|a", "--header: \"novalue\": not \"Name: value\"" },
        { "-H|: x|a", "--header: \": x\": not \"Name: value\"" },
        { "--null|--length-prefixed|a", "--null with --length-prefixed" },
        { "--key|k|a", "--key without --cert" },
        { "--json|--null|a", "--json is for lines: not with --null or --length-prefixed" },
        { "--json|--length-prefixed|a", "--json is for lines: not with --null or --length-prefixed" },
        { "-v|-q|a", "--verbose with --quiet" },
        { "--on-connect|\xff|a", "--on-connect: \"\\xff\": empty, or not UTF-8" },
        { "--wait=5|a", "--wait: \"5\": not a duration such as 500ms, 10s or 2m" },
        { "--max-messages|0|a", "--max-messages: \"0\": not a number from 1" },
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(parse(wrong[i].line), -1);
        assert_string_equal(fault, wrong[i].fault);
    }
}

static void checks_nothing_when_help_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(parse("--help"), 0);
    assert_true(options.help);
    assert_int_equal(parse("--version"), 0);
    assert_true(options.version);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(has_defaults),
        TEST(reads_every_option),
        TEST(takes_a_bare_host_for_ws),
        TEST(trims_fields),
        TEST(waits_for_messages_that_are_counted),
        TEST(goes_through_no_proxy),
        TEST(says_what_is_wrong),
        TEST(checks_nothing_when_help_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
