#include "test.h"

#include "app/bench/bench_options.h"

#include <string.h>

static struct bench_options options;
static char fault[OPTIONS_FAULT_MAX];

static int parse(const char *line)
{
    static char copy[256];
    static char *arguments[24];
    int count = 0;
    bench_options_done(&options);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        arguments[count++] = word;
    return bench_options_parse(&options, count, arguments, fault);
}

static int tear_down(void **state)
{
    (void)state;
    bench_options_done(&options);
    return 0;
}

static void fills_in_the_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse("ws://x/"), 0);
    assert_string_equal(options.url, "ws://x/");
    assert_int_equal(options.mode, BENCH_ECHO);
    assert_int_equal(options.connections, 10);
    assert_int_equal(options.threads, 1);
    assert_int_equal(options.duration_ms, 10000);
    assert_int_equal(options.warm_up_ms, 1000);
    assert_int_equal(options.depth, 1);
    assert_int_equal(options.size, 64);
    assert_int_equal(options.timeout_ms, 10000);
    assert_int_equal(options.opening, 100);
}

static void defaults_depend_on_the_kind_of_load(void **state)
{
    (void)state;
    assert_int_equal(parse("ws://x/ --rate 100 --warm-up off"), 0);
    assert_int_equal(options.depth, UINT32_MAX);
    assert_int_equal(options.warm_up_ms, 0);
    assert_int_equal(parse("ws://x/ --rate 100 --depth 3"), 0);
    assert_int_equal(options.depth, 3);
    assert_int_equal(parse("ws://x/ -n 5"), 0);
    assert_int_equal(options.warm_up_ms, 0);
    assert_int_equal(parse("ws://x/ --cert a --key b"), 0);
    assert_string_equal(options.key, "b");
    assert_int_equal(parse("ws://x/ --mode idle"), 0);
    assert_int_equal(options.warm_up_ms, 0);
    assert_int_equal(parse("ws://x/ --mode fan-out --subscribers 7"), 0);
    assert_int_equal(options.subscribers, 7);
    assert_int_equal(options.publishers, 1);
    assert_int_equal(options.connections, 8);
    assert_int_equal(options.size, 100);
    assert_string_equal(bench_mode_name(options.mode), "fan-out");
}

static void reads_short_forms(void **state)
{
    (void)state;
    assert_int_equal(parse("-c 5 -s1k -r 1000 -d 2m -t 3 -H A:b -H C:d ws://x/"), 0);
    assert_int_equal(options.connections, 5);
    assert_int_equal(options.size, 1024);
    assert_int_equal(options.rate, 1000);
    assert_int_equal(options.duration_ms, 120000);
    assert_int_equal(options.threads, 3);
    assert_int_equal(options.headers.count, 2);
}

static void finds_contradictions(void **state)
{
    (void)state;
    static const struct {
        const char *line, *fault;
    } examples[] = {
        { "", "the URL is missing; see swale bench --help" },
        { "ws://x/ --count 5 --duration 5s", "--count instead of --duration and --warm-up, not with them" },
        { "ws://x/ --cert a", "--cert without --key" },
        { "ws://x/ --key a", "--key without --cert" },
        { "ws://x/ --insecure --cacert a", "--insecure with --cacert: what is not verified needs no authorities" },
        { "ws://x/ --mode fan-out -c 5", "--connections with --mode fan-out: give --subscribers and --publishers" },
        { "ws://x/ --subscribers 5", "--subscribers and --publishers are for --mode fan-out" },
        { "ws://x/ --publishers 5", "--subscribers and --publishers are for --mode fan-out" },
        { "ws://x/ --count 5 --warm-up 5s", "--count instead of --duration and --warm-up, not with them" },
        { "ws://x/ --mode storm --binary",
          "--size, --binary, --verify and --depth are for modes with messages: echo and fan-out" },
        { "ws://x/ --mode storm --depth 5",
          "--size, --binary, --verify and --depth are for modes with messages: echo and fan-out" },
        { "ws://x/ --mode idle --warm-up 5s", "--count and --warm-up do not go with --mode idle" },
        { "ws://x/ --mode storm --size 5",
          "--size, --binary, --verify and --depth are for modes with messages: echo and fan-out" },
        { "ws://x/ --mode idle --verify",
          "--size, --binary, --verify and --depth are for modes with messages: echo and fan-out" },
        { "ws://x/ --mode fan-out --size 32",
          "--size: at least 33 for fan-out, whose messages carry their time and number" },
        { "ws://x/ --mode idle --count 5", "--count and --warm-up do not go with --mode idle" },
        { "ws://x/ --mode dance", "--mode: \"dance\": not echo, fan-out, storm or idle" },
        { "ws://x/ --rate 0", "--rate: \"0\": not a number from 1 to 1000000000" },
        { "ws://x/ -H nothing", "--header: \"nothing\": not \"Name: value\"" },
        { "ws://x/ ws://y/", "one argument too many: \"ws://y/\"; see swale bench --help" },
    };
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        assert_int_equal(parse(examples[i].line), -1);
        assert_string_equal(fault, examples[i].fault);
    }
}

static void help_needs_no_url(void **state)
{
    (void)state;
    assert_int_equal(parse("--help"), 0);
    assert_true(options.help);
    assert_int_equal(parse("--version --cert x"), 0);
    assert_true(options.version);
}

static void reads_fields(void **state)
{
    (void)state;
    struct swale_field field;
    assert_true(bench_options_field("Name: \t value ", &field));
    assert_true(swale_span_equal(field.name, swale_text("Name")));
    assert_true(swale_span_equal(field.value, swale_text("value ")));
    assert_true(bench_options_field("Empty:", &field));
    assert_int_equal(field.value.size, 0);
    assert_false(bench_options_field(": value", &field));
    assert_false(bench_options_field("Name", &field));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(fills_in_the_defaults, tear_down),
        cmocka_unit_test_teardown(defaults_depend_on_the_kind_of_load, tear_down),
        cmocka_unit_test_teardown(reads_short_forms, tear_down),
        cmocka_unit_test_teardown(finds_contradictions, tear_down),
        cmocka_unit_test_teardown(help_needs_no_url, tear_down),
        cmocka_unit_test(reads_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
