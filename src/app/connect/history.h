/* history.h - the lines that were typed, in a file: plain text, one a line, readable by its owner only. Several
 * programs may add to it at a time. */
#ifndef SWALE_APP_CONNECT_HISTORY_H
#define SWALE_APP_CONNECT_HISTORY_H

#include <histedit.h>
#include <stdbool.h>
#include <stddef.h>

/* So many lines are remembered. */
enum { HISTORY_LINES = 1000, HISTORY_PATH_MAX = 4096 };

/* $XDG_STATE_HOME/swale/history, or ~/.local/state/swale/history (XDG Base Directory Specification). False when the
 * environment names no place. */
bool history_path(char *path, size_t size);

/* Reads the file into an editor's history. One that has grown long is made short. Faults leave the history as it is.
 */
void history_load(History *list, const char *path);

/* Adds a line to the file, which is made if need be with its directory. 0 or -errno. */
int history_add(const char *path, const char *line);

#endif
