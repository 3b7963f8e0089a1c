/* serve.h - `swale serve`. */
#ifndef SWALE_APP_SERVE_H
#define SWALE_APP_SERVE_H

/* Returns the exit status: 0 after a stop that was asked for, 2 for wrong usage, 1 for whatever else fails. */
int serve_run(int count, char **arguments);

#endif
