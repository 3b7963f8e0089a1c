/* commands.h - the subcommands of the program. */
#ifndef SWALE_APP_COMMANDS_H
#define SWALE_APP_COMMANDS_H

#include "app/options.h"

struct command {
    const char *name;
    int (*run)(int count, char **arguments); /* of what stands behind the name; returns the exit status */
    const char *help;
    const struct option_table *options;
};

extern const struct command commands[];
extern const size_t command_count;

#endif
