#include "app/options.h"

#include "app/text.h"
#include "app/units.h"

#include <stdlib.h>
#include <string.h>
#include <swale/conn.h>

void *option_place(const struct option *option, void *options)
{
    return (char *)options + option->offset;
}

/* ---- Values ----------------------------------------------------------------------------------------- */

static bool says_off(const struct option *option, const char *value)
{
    return option->may_be_off && (strcmp(value, "off") == 0 || strcmp(value, "unlimited") == 0);
}

/* What reads a number: units_count and its like. */
typedef bool reader(const char *text, uint64_t *out);

static const char *set_64(const struct option *option, const char *value, reader *read, void *options)
{
    uint64_t number = SWALE_UNLIMITED;
    uint64_t max = option->max ? option->max : SWALE_UNLIMITED - 1;
    if (!says_off(option, value) && (!read(value, &number) || number == 0 || number > max))
        return option->expects;
    *(uint64_t *)option_place(option, options) = number;
    return NULL;
}

static const char *set_32(const struct option *option, const char *value, reader *read, void *options)
{
    uint64_t number = SWALE_OFF;
    uint64_t max = option->max ? option->max : SWALE_OFF - 1;
    if (!says_off(option, value) && (!read(value, &number) || number == 0 || number > max))
        return option->expects;
    *(uint32_t *)option_place(option, options) = (uint32_t)number;
    return NULL;
}

const char *option_size_64(const struct option *option, const char *value, void *options)
{
    return set_64(option, value, units_size, options);
}

const char *option_size_32(const struct option *option, const char *value, void *options)
{
    return set_32(option, value, units_size, options);
}

const char *option_count_64(const struct option *option, const char *value, void *options)
{
    return set_64(option, value, units_count, options);
}

const char *option_count_32(const struct option *option, const char *value, void *options)
{
    return set_32(option, value, units_count, options);
}

const char *option_duration(const struct option *option, const char *value, void *options)
{
    return set_32(option, value, units_duration, options);
}

const char *option_flag(const struct option *option, const char *value, void *options)
{
    (void)value;
    *(bool *)option_place(option, options) = true;
    return NULL;
}

const char *option_text(const struct option *option, const char *value, void *options)
{
    *(const char **)option_place(option, options) = value;
    return *value ? NULL : option->expects;
}

const char *option_list(const struct option *option, const char *value, void *options)
{
    struct option_list *list = option_place(option, options);
    if (!*value)
        return option->expects;
    const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return "out of memory";
    list->items = items;
    list->items[list->count++] = value;
    return NULL;
}

void option_list_done(struct option_list *list)
{
    free(list->items);
    *list = (struct option_list){ 0 };
}

const char *option_deflate(const struct option *option, const char *value, void *options)
{
    struct swale_deflate_policy *deflate = option_place(option, options);
    bool context = value && strcmp(value, "context") == 0;
    deflate->enabled = true;
    deflate->server_context_takeover = context;
    deflate->client_context_takeover = context;
    return !value || context || strcmp(value, "shared") == 0 ? NULL : option->expects;
}

/* ---- Help ------------------------------------------------------------------------------------------- */

enum { HELP_COLUMN = 26 };

static void print_row(const struct option *option, FILE *out)
{
    char buffer[64];
    struct text left;
    text_init(&left, buffer, sizeof buffer);
    if (option->letter)
        text_putf(&left, "-%c, ", option->letter);
    text_putf(&left, "--%s", option->name);
    if (option->argument)
        text_putf(&left, "%s%s", *option->argument != '[' ? " " : "", option->argument);
    if (left.size >= HELP_COLUMN)
        fprintf(out, "  %s\n  %*s%s\n", buffer, HELP_COLUMN, "", option->help);
    else
        fprintf(out, "  %-*s%s\n", HELP_COLUMN, buffer, option->help);
}

void options_help(const struct option_table *table, FILE *out)
{
    fprintf(out, "usage: %s [OPTION...]%s%s\n", table->command, table->operand ? " " : "",
            table->operand ? table->operand : "");
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].name)
            print_row(&table->rows[i], out);
        else
            fprintf(out, "%s\n", table->rows[i].help);
}

/* ---- Reading the command line ----------------------------------------------------------------------- */

struct parse {
    const struct option_table *table;
    void *options;
    int count;
    char **arguments;
    int at;
    struct text fault;
};

static const struct option *find(const struct option_table *table, struct swale_span name)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].name && swale_span_equal(name, swale_text(table->rows[i].name)))
            return &table->rows[i];
    return NULL;
}

static const struct option *find_letter(const struct option_table *table, char letter)
{
    for (size_t i = 0; i < table->count; i++)
        if (letter && table->rows[i].letter == letter)
            return &table->rows[i];
    return NULL;
}

static int put_value(struct parse *parse, const struct option *option, const char *value)
{
    const char *wrong = option->parse(option, value, parse->options);
    if (!wrong)
        return 0;
    text_putf(&parse->fault, "--%s: ", option->name);
    text_put_quoted(&parse->fault, swale_text(value));
    text_putf(&parse->fault, ": %s", wrong);
    return -1;
}

static int fault_about(struct parse *parse, const char *before, const char *argument, const char *after)
{
    text_put(&parse->fault, before);
    text_put_quoted(&parse->fault, swale_text(argument));
    text_put(&parse->fault, after);
    return -1;
}

static int not_known(struct parse *parse, const char *what, const char *argument)
{
    fault_about(parse, what, argument, "");
    text_putf(&parse->fault, "; see %s --help", parse->table->command);
    return -1;
}

/* `value` is what the argument itself brought along, or NULL. */
static int parse_value(struct parse *parse, const struct option *option, const char *argument, const char *value)
{
    bool optional = option->argument && option->argument[0] == '[';
    if (value && !option->argument)
        return fault_about(parse, "", argument, ": the option takes no value");
    if (value || !option->argument || optional)
        return put_value(parse, option, value);
    if (parse->at == parse->count)
        return fault_about(parse, "", argument, ": the value is missing");
    return put_value(parse, option, parse->arguments[parse->at++]);
}

static int parse_long(struct parse *parse, const char *argument)
{
    const char *name = argument + 2;
    const char *value = strchr(name, '=');
    size_t size = value ? (size_t)(value - name) : strlen(name);
    const struct option *option = find(parse->table, swale_span(name, size));
    return option ? parse_value(parse, option, argument, value ? value + 1 : NULL)
                  : not_known(parse, "unknown option ", argument);
}

static int parse_operand(struct parse *parse, const char *argument)
{
    if (!parse->table->operand)
        return not_known(parse, "unexpected argument ", argument);
    const char **place = (const char **)(void *)((char *)parse->options + parse->table->operand_offset);
    if (*place)
        return not_known(parse, "one argument too many: ", argument);
    *place = argument;
    return 0;
}

static int parse_argument(struct parse *parse, const char *argument)
{
    if (strcmp(argument, "-h") == 0)
        argument = "--help";
    if (strncmp(argument, "--", 2) == 0)
        return parse_long(parse, argument);
    if (argument[0] != '-' || !argument[1])
        return parse_operand(parse, argument);
    const struct option *option = find_letter(parse->table, argument[1]);
    return option ? parse_value(parse, option, argument, argument[2] ? argument + 2 : NULL)
                  : not_known(parse, "unexpected argument ", argument);
}

int options_parse(const struct option_table *table, void *options, int count, char **arguments, char *fault)
{
    struct parse parse = { .table = table, .options = options, .count = count, .arguments = arguments };
    text_init(&parse.fault, fault, OPTIONS_FAULT_MAX);
    while (parse.at < count)
        if (parse_argument(&parse, arguments[parse.at++]) < 0)
            return -1;
    return 0;
}
