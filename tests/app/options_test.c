#include "test.h"

#include "app/options.h"

#include <stdlib.h>
#include <string.h>
#include <swale/conn.h>

struct settings {
    const char *where, *name;
    struct option_list fields;
    uint64_t big;
    uint32_t wait;
    bool quiet;
    struct swale_deflate_policy deflate;
};

#define AT(member) offsetof(struct settings, member)
static const struct option rows[] = {
    { .help = "All" },
    { "header", "FIELD", "another field", option_list, "empty", .offset = AT(fields), .letter = 'H' },
    { "name", "NAME", "a name", option_text, "empty", .offset = AT(name) },
    { "big", "SIZE", "a size", option_size_64, A_SIZE, .offset = AT(big), .may_be_off = true },
    { "a-name-that-is-rather-long", "TIME", "a time", option_duration, A_DURATION, .offset = AT(wait) },
    { "quiet", NULL, "say nothing", option_flag, .offset = AT(quiet), .letter = 'q' },
    { "deflate", "[=KIND]", "compress", option_deflate, "not shared or context", .offset = AT(deflate) },
    { "help", NULL, "what you are reading", option_flag, .offset = AT(quiet) },
};
static const struct option_table with_operand = { "swale try", "URL", AT(where), rows, COUNT_OF(rows) };
static const struct option_table without = { "swale try", NULL, 0, rows, COUNT_OF(rows) };

static struct settings settings;
static char fault[OPTIONS_FAULT_MAX];

static int parse(const struct option_table *table, const char *line)
{
    static char copy[256];
    static char *arguments[16];
    int count = 0;
    option_list_done(&settings.fields);
    settings = (struct settings){ 0 };
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        arguments[count++] = word;
    return options_parse(table, &settings, count, arguments, fault);
}

static int tear_down(void **state)
{
    (void)state;
    option_list_done(&settings.fields);
    return 0;
}

static void reads_both_forms(void **state)
{
    (void)state;
    assert_int_equal(parse(&with_operand, "-H a:1 ws://x -Hb:2 --header=c:3 --header d:4 -q --name=--x"), 0);
    static const char *const fields[] = { "a:1", "b:2", "c:3", "d:4" };
    assert_int_equal(settings.fields.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(settings.fields.items[i], fields[i]);
    assert_string_equal(settings.where, "ws://x");
    assert_string_equal(settings.name, "--x");
    assert_true(settings.quiet);
}

static void takes_a_dash_for_an_operand(void **state)
{
    (void)state;
    assert_int_equal(parse(&with_operand, "-"), 0);
    assert_string_equal(settings.where, "-");
}

static void takes_h_for_help(void **state)
{
    (void)state;
    assert_int_equal(parse(&without, "-h"), 0);
    assert_true(settings.quiet);
}

static void reads_values(void **state)
{
    (void)state;
    assert_int_equal(parse(&without, "--big 2k --a-name-that-is-rather-long 3s --deflate"), 0);
    assert_int_equal(settings.big, 2048);
    assert_int_equal(settings.wait, 3000);
    assert_true(settings.deflate.enabled && !settings.deflate.client_context_takeover);
    assert_int_equal(parse(&without, "--big off --deflate=context"), 0);
    assert_true(settings.big == SWALE_UNLIMITED);
    assert_true(settings.deflate.client_context_takeover && settings.deflate.server_context_takeover);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const struct option_table *table;
        const char *line, *fault;
    } wrong[] = {
        { &with_operand, "-x", "unexpected argument \"-x\"; see swale try --help" },
        { &with_operand, "a b", "one argument too many: \"b\"; see swale try --help" },
        { &without, "a", "unexpected argument \"a\"; see swale try --help" },
        { &without, "-H", "\"-H\": the value is missing" },
        { &without, "-qx", "\"-qx\": the option takes no value" },
        { &without, "--header=", "--header: \"\": empty" },
        { &without, "--big 0", "--big: \"0\": not a size such as 4096, 64k or 1m" },
        { &without, "--big 18446744073709551615",
          "--big: \"18446744073709551615\": not a size such as 4096, 64k or 1m" },
        { &without, "--a-name-that-is-rather-long off",
          "--a-name-that-is-rather-long: \"off\": not a duration such as 500ms, 10s or 2m" },
        { &without, "--deflate=no", "--deflate: \"no\": not shared or context" },
        { &without, "--head x", "unknown option \"--head\"; see swale try --help" },
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(parse(wrong[i].table, wrong[i].line), -1);
        assert_string_equal(fault, wrong[i].fault);
    }
}

static void prints_help(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    options_help(&with_operand, out);
    fclose(out);
    assert_string_equal(text, "usage: swale try [OPTION...] URL\n"
                              "All\n"
                              "  -H, --header FIELD        another field\n"
                              "  --name NAME               a name\n"
                              "  --big SIZE                a size\n"
                              "  --a-name-that-is-rather-long TIME\n"
                              "                            a time\n"
                              "  -q, --quiet               say nothing\n"
                              "  --deflate[=KIND]          compress\n"
                              "  --help                    what you are reading\n");
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_both_forms), TEST(takes_a_dash_for_an_operand), TEST(takes_h_for_help),
        TEST(reads_values),     TEST(says_what_is_wrong),          TEST(prints_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
