/* completion.h - `swale completion bash|zsh`: a script that makes a shell complete the program's command lines.
 *
 * Made of the tables that --help shows, so that it never lags behind. By the name of its argument an option offers
 * files (FILE), directories (DIR), a few words ("text|json|off"), or nothing.
 */
#ifndef SWALE_APP_COMPLETION_H
#define SWALE_APP_COMPLETION_H

#include "app/options.h"

extern const struct option_table completion_command_line;

int completion_run(int count, char **arguments);

/* Print the scripts. */
void completion_bash(FILE *out);
void completion_zsh(FILE *out);

#endif
