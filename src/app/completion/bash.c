/* bash.c - one function that looks at the word before the cursor and the one before that.
 *
 * Bash hands over the command line cut at '=', so that --name=value comes as three words; the function joins the
 * first two again ("--name="). The options themselves are patterns of one `case`, the first that fits wins:
 *
 *     command:option | command:option=)   what its value may be
 *     command:*)                          all options of the command
 */
#include "app/commands.h"
#include "app/completion/completion.h"

#include <string.h>

static const char head[] =
    "# Completes the command lines of swale in bash; made by `swale completion bash`.\n"
    "_swale()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words= kind=words\n"
    "    if [[ $word == = ]]; then\n"
    "        word= before+==\n"
    "    elif [[ $before == = ]]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}=\n"
    "    fi\n"
    "    before=${COMP_WORDS[1]}:$before\n"
    "    ((COMP_CWORD > 1)) || before=command\n"
    "    case $before in\n";

static const char tail[] = "    esac\n"
                           "    case $kind in\n"
                           "    words) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\") ;;\n"
                           "    *)\n"
                           "        compopt -o filenames 2>/dev/null\n"
                           "        mapfile -t COMPREPLY < <(compgen -A \"$kind\" -- \"$word\")\n"
                           "        ;;\n"
                           "    esac\n"
                           "}\n"
                           "complete -F _swale swale\n";

/* Sets what is offered where `argument` is to stand. */
static void print_values(const char *argument, FILE *out)
{
    size_t size = strcspn(argument, "]");
    if (strcmp(argument, "FILE") == 0 || strcmp(argument, "DIR") == 0) {
        fprintf(out, "kind=%s", *argument == 'F' ? "file" : "directory");
        return;
    }
    fputs("words='", out);
    for (size_t i = 0; i < size && strchr(argument, '|'); i++)
        fputc(argument[i] == '|' ? ' ' : argument[i], out);
    fputs("'", out);
}

/* The value of one that is optional can only stand behind '='. */
static void print_option_values(const struct command *command, const struct option *option, FILE *out)
{
    bool optional = option->argument[0] == '[';
    fputs("    ", out);
    if (option->letter)
        fprintf(out, "%s:-%c | ", command->name, option->letter);
    if (!optional)
        fprintf(out, "%s:--%s | ", command->name, option->name);
    fprintf(out, "%s:--%s=) ", command->name, option->name);
    print_values(option->argument + (optional ? strlen("[=") : 0), out);
    fputs(" ;;\n", out);
}

static void print_command(const struct command *command, FILE *out)
{
    const struct option_table *table = command->options;
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].name && table->rows[i].argument)
            print_option_values(command, &table->rows[i], out);
    fprintf(out, "    %s:*)\n        ", command->name);
    print_values(table->operand ? table->operand : "", out);
    fputs("\n", out);
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].name)
            fprintf(out, "        words+=' --%s'\n", table->rows[i].name);
    fputs("        ;;\n", out);
}

void completion_bash(FILE *out)
{
    fputs(head, out);
    for (size_t i = 0; i < command_count; i++)
        print_command(&commands[i], out);
    fputs("    command) words='", out);
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "%s ", commands[i].name);
    fputs("--help --version' ;;\n", out);
    fputs(tail, out);
}
