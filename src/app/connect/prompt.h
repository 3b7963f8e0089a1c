/* prompt.h - what a line does that was typed at the prompt. */
#ifndef SWALE_APP_CONNECT_PROMPT_H
#define SWALE_APP_CONNECT_PROMPT_H

#include "app/connect/session.h"

/* Sends it, unless it is empty. With --slash, one that begins with '/' is a command, and one that begins with "//" is
 * sent without the first. */
void prompt_line(struct session *session, const char *line);

#endif
