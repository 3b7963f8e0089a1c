/* connect.h - `swale connect`. */
#ifndef SWALE_APP_CONNECT_CONNECT_H
#define SWALE_APP_CONNECT_CONNECT_H

/* Returns the exit status: see status.h. */
int connect_run(int count, char **arguments);

#endif
