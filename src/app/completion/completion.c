#include "app/completion/completion.h"

#include "app/fault.h"

#include <string.h>

struct completion_options {
    const char *shell;
    bool help;
};

static const struct option table[] = {
    { "help", NULL, "what you are reading", option_flag, .offset = offsetof(struct completion_options, help) },
};

const struct option_table completion_command_line = {
    .command = "swale completion",
    .operand = "bash|zsh",
    .operand_offset = offsetof(struct completion_options, shell),
    .rows = table,
    .count = sizeof table / sizeof table[0],
};

/* A script that is cut short is worse than none. */
static int finish(void)
{
    return fflush(stdout) == 0 ? STATUS_OK
                               : fault_print(STATUS_FAILED, "swale completion", "standard output cannot be written");
}

int completion_run(int count, char **arguments)
{
    struct completion_options options = { 0 };
    char fault[OPTIONS_FAULT_MAX];
    if (options_parse(&completion_command_line, &options, count, arguments, fault) < 0)
        return fault_print(STATUS_USAGE, "swale completion", "%s", fault);
    if (options.help)
        options_help(&completion_command_line, stdout);
    else if (options.shell && strcmp(options.shell, "bash") == 0)
        completion_bash(stdout);
    else if (options.shell && strcmp(options.shell, "zsh") == 0)
        completion_zsh(stdout);
    else
        return fault_print(STATUS_USAGE, "swale completion", "for which shell? bash or zsh");
    return finish();
}
