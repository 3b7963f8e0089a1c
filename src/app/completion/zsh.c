/* zsh.c - one list of specifications for _arguments (zshcompsys(1)) for each subcommand:
 *
 *     '*--log=[text, json or off]:text|json|off:(text json off)'
 *      |   |   what is shown      the value      what it may be
 *      |   its value is the next word or stands behind '='; "=-": only the latter; a letter has '+'
 *      may be repeated, as all options may
 */
#include "app/commands.h"
#include "app/completion/completion.h"

#include <string.h>

static const char head[] = "#compdef swale\n"
                           "# Completes the command lines of swale in zsh; made by `swale completion zsh`.\n"
                           "_swale() {\n"
                           "    local curcontext=$curcontext state line\n"
                           "    local -a commands=(\n";

static const char middle[] =
    "    )\n"
    "    _arguments -C '--help[list the commands]' '--version[show the version]' '1:command:->command' "
    "'*::argument:->argument'\n"
    "    case $state:$words[1] in\n"
    "    command:*) _describe -t commands command commands ;;\n";

/* A file that the shell has loaded by itself is the function; one that was read by `source` is not. */
static const char tail[] = "    esac\n"
                           "}\n"
                           "if [[ $funcstack[1] == _swale ]]; then\n"
                           "    _swale \"$@\"\n"
                           "else\n"
                           "    compdef _swale swale\n"
                           "fi\n";

/* Between single quotes; a backslash takes the meaning from what ends a description or a message. */
static void print_text(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", out);
        else if (strchr("[]:\\", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void print_values(const char *argument, FILE *out)
{
    size_t size = strcspn(argument, "]");
    fprintf(out, ":%.*s:", (int)size, argument);
    if (strcmp(argument, "FILE") == 0)
        fputs("_files", out);
    else if (strcmp(argument, "DIR") == 0)
        fputs("_files -/", out);
    else if (!strchr(argument, '|'))
        fputs(" ", out);
    else {
        fputs("(", out);
        for (size_t i = 0; i < size; i++)
            fputc(argument[i] == '|' ? ' ' : argument[i], out);
        fputs(")", out);
    }
}

/* `suffix` says where its value stands. */
static void print_option(const struct option *option, const char *suffix, FILE *out)
{
    fprintf(out, "%s[", suffix);
    print_text(option->help, out);
    fputs("]", out);
    if (option->argument && option->argument[0] == '[') {
        fputs(":", out); /* it may be left out */
        print_values(option->argument + strlen("[="), out);
    } else if (option->argument) {
        print_values(option->argument, out);
    }
    fputs("'", out);
}

static void print_forms(const struct option *option, FILE *out)
{
    const char *argument = option->argument;
    if (option->letter) {
        fprintf(out, " \\\n        '*-%c", option->letter);
        print_option(option, argument ? "+" : "", out);
    }
    fprintf(out, " \\\n        '*--%s", option->name);
    print_option(option, !argument ? "" : *argument == '[' ? "=-" : "=", out);
}

static void print_command(const struct command *command, FILE *out)
{
    const struct option_table *table = command->options;
    fprintf(out, "    argument:%s) _arguments", command->name);
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].name)
            print_forms(&table->rows[i], out);
    if (table->operand) {
        fputs(" \\\n        '1", out);
        print_values(table->operand, out);
        fputs("'", out);
    }
    fputs(" ;;\n", out);
}

void completion_zsh(FILE *out)
{
    fputs(head, out);
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "        '%s:%s'\n", commands[i].name, commands[i].help);
    fputs(middle, out);
    for (size_t i = 0; i < command_count; i++)
        print_command(&commands[i], out);
    fputs(tail, out);
}
