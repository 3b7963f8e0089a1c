/* options.c - command lines of the three subcommands, and the numbers in them.
 *
 * Input: one byte that chooses the subcommand, then the arguments, a line each. A number must be what a model reads;
 * the same command line with every value joined to its name must come to the same; what was set must be what the last
 * of each option says; and a fault is one printable line. Each line is also read as a number by itself. */
#include "app/bench/bench_options.h"
#include "app/connect/connect_options.h"
#include "app/serve/serve_options.h"
#include "app/units.h"
#include "fuzz.h"

#include <errno.h>
#include <swale/conn.h>

enum { ARGUMENTS = 64, LINE = 512 };

/* ---- Numbers ------------------------------------------------------------------------------------------------ */

static bool model_units(const char *text, const char *const *names, const uint64_t *factors, uint64_t *out)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno == ERANGE)
        return false;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(end, names[i]) == 0)
            return !__builtin_mul_overflow(value, factors[i], out);
    return false;
}

static bool model_count(const char *text, uint64_t *out)
{
    return model_units(text, (const char *const[]){ "", NULL }, (const uint64_t[]){ 1 }, out);
}

static bool model_size(const char *text, uint64_t *out)
{
    static const char *const names[] = { "", "k", "K", "m", "M", "g", "G", NULL };
    static const uint64_t factors[] = { 1, 1 << 10, 1 << 10, 1 << 20, 1 << 20, 1 << 30, 1 << 30 };
    return model_units(text, names, factors, out);
}

static bool model_duration(const char *text, uint64_t *out)
{
    static const char *const names[] = { "ms", "s", "m", "h", NULL };
    static const uint64_t factors[] = { 1, 1000, 60000, 3600000 };
    return model_units(text, names, factors, out);
}

static void try_numbers(const char *text)
{
    static const struct {
        bool (*read)(const char *text, uint64_t *out), (*model)(const char *text, uint64_t *out);
    } kinds[] = { { units_count, model_count }, { units_size, model_size }, { units_duration, model_duration } };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint64_t value = 7, expected = 7;
        bool good = kinds[i].read(text, &value);
        require(good == kinds[i].model(text, &expected) && value == (good ? expected : 7));
    }
}

/* ---- Subcommands -------------------------------------------------------------------------------------------- */

union options {
    struct serve_options serve;
    struct connect_options connect;
    struct bench_options bench;
};

static const struct option_table *const tables[] = { &serve_command_line, &connect_command_line,
                                                     &bench_command_line };
enum { TABLES = sizeof tables / sizeof tables[0] };

static int parse(unsigned which, union options *options, int count, char **arguments, char *fault)
{
    if (which == 0)
        return serve_options_parse(&options->serve, count, arguments, fault);
    if (which == 1)
        return connect_options_parse(&options->connect, count, arguments, fault);
    return bench_options_parse(&options->bench, count, arguments, fault);
}

static void done(unsigned which, union options *options)
{
    if (which == 0)
        serve_options_done(&options->serve);
    else if (which == 1)
        connect_options_done(&options->connect);
    else
        bench_options_done(&options->bench);
}

/* ---- Command lines ------------------------------------------------------------------------------------------ */

struct command_line {
    char *arguments[ARGUMENTS + 1];
    int count;
};

static void put(struct command_line *line, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 4;
    char *text = malloc(size);
    require(text != NULL);
    snprintf(text, size, *name ? "--%s=%s" : "%s%s", name, value);
    line->arguments[line->count++] = text;
}

static void free_line(struct command_line *line)
{
    for (int i = 0; i < line->count; i++)
        free(line->arguments[i]);
}

/* The row that an argument names all by itself, and the value that it brings along (NULL for none). */
static const struct option *row_of(const struct option_table *table, const char *argument, const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < table->count && argument[0] == '-'; i++) {
        const struct option *row = &table->rows[i];
        if (row->name && argument[1] == '-' && strcmp(argument + 2, row->name) == 0)
            return row;
        if (row->letter && argument[1] == row->letter) {
            *value = argument[2] ? argument + 2 : NULL;
            return row;
        }
    }
    return NULL;
}

static void join(const struct option_table *table, const struct command_line *from, struct command_line *to)
{
    for (int i = 0; i < from->count; i++) {
        const char *argument = from->arguments[i], *value;
        const struct option *row = row_of(table, argument, &value);
        bool takes = row && row->argument && row->argument[0] != '[';
        if (takes && !value && i + 1 < from->count)
            value = from->arguments[++i];
        if (takes && value)
            put(to, row->name, value);
        else
            put(to, "", argument);
    }
}

/* ---- What must have been set --------------------------------------------------------------------------------- */

/* The value of the last argument that gives this option, joined; NULL when none does. */
static const char *last_value(const struct command_line *line, const char *name)
{
    const char *found = NULL;
    size_t size = strlen(name);
    for (int i = 0; i < line->count; i++) {
        const char *argument = line->arguments[i];
        if (strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, name, size) == 0 && argument[2 + size] == '=')
            found = argument + 3 + size;
    }
    return found;
}

static uint64_t expected_number(const struct option *row, const char *value,
                                bool (*model)(const char *text, uint64_t *out), uint64_t off)
{
    uint64_t number;
    if (row->may_be_off && (strcmp(value, "off") == 0 || strcmp(value, "unlimited") == 0))
        return off;
    require(model(value, &number) && number > 0 && number < off && (row->max == 0 || number <= row->max));
    return number;
}

static void require_value(const struct option *row, const void *place, const char *value)
{
    if (row->parse == option_count_64)
        require(*(const uint64_t *)place == expected_number(row, value, model_count, SWALE_UNLIMITED));
    if (row->parse == option_size_64)
        require(*(const uint64_t *)place == expected_number(row, value, model_size, SWALE_UNLIMITED));
    if (row->parse == option_count_32)
        require(*(const uint32_t *)place == expected_number(row, value, model_count, SWALE_OFF));
    if (row->parse == option_size_32)
        require(*(const uint32_t *)place == expected_number(row, value, model_size, SWALE_OFF));
    if (row->parse == option_text)
        require(strcmp(*(const char *const *)place, value) == 0 && *value);
    if (row->parse == option_list) {
        const struct option_list *list = place;
        require(list->count > 0 && strcmp(list->items[list->count - 1], value) == 0);
    }
    /* "--warm-up off" is told from its default by then. */
    if (row->parse == option_duration && strcmp(row->name, "warm-up") != 0)
        require(*(const uint32_t *)place == expected_number(row, value, model_duration, SWALE_OFF));
}

static void require_set(const struct option_table *table, union options *options, const struct command_line *joined)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option *row = &table->rows[i];
        const char *value = row->name ? last_value(joined, row->name) : NULL;
        if (value && row->argument && row->argument[0] != '[')
            require_value(row, option_place(row, options), value);
    }
}

static void require_fault(const char *fault)
{
    require(*fault && strlen(fault) < OPTIONS_FAULT_MAX);
    for (; *fault; fault++)
        require(*fault >= 0x20 && *fault < 0x7f);
}

static void try_line(unsigned which, struct command_line *line)
{
    char fault[OPTIONS_FAULT_MAX], fault_joined[OPTIONS_FAULT_MAX];
    union options options;
    struct command_line joined = { .count = 0 };
    join(tables[which], line, &joined);
    int result = parse(which, &options, line->count, line->arguments, fault);
    done(which, &options);
    require(result == 0 || result == -1);
    if (result < 0)
        require_fault(fault);
    require(parse(which, &options, joined.count, joined.arguments, fault_joined) == result);
    if (result == 0)
        require_set(tables[which], &options, &joined);
    done(which, &options);
    free_line(&joined);
}

/* A value that may be left out stands behind '=' or nowhere: the next argument is none. */
static void try_optional(unsigned which)
{
    for (size_t i = 0; i < tables[which]->count; i++) {
        const struct option *row = &tables[which]->rows[i];
        char fault[OPTIONS_FAULT_MAX], name[64], help[] = "--help", *arguments[] = { name, help };
        union options options;
        if (!row->argument || row->argument[0] != '[')
            continue;
        snprintf(name, sizeof name, "--%s", row->name);
        require(parse(which, &options, 2, arguments, fault) == 0);
        require(which == 0 ? options.serve.help : which == 1 ? options.connect.help : options.bench.help);
        done(which, &options);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, data + size };
    unsigned which = fuzz_byte(&input) % TABLES;
    struct command_line line = { .count = 0 };
    while (input.at < input.end && line.count < ARGUMENTS) {
        const uint8_t *newline = memchr(input.at, '\n', (size_t)(input.end - input.at));
        size_t length = (size_t)((newline ? newline : input.end) - input.at);
        struct swale_span text = fuzz_span(&input, length < LINE ? length : LINE);
        input.at += newline && input.at == newline;
        line.arguments[line.count++] = fuzz_string(text.data, text.size);
        try_numbers(line.arguments[line.count - 1]);
    }
    try_line(which, &line);
    try_optional(which);
    free_line(&line);
    return 0;
}
