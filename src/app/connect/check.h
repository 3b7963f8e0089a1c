/* check.h - `swale connect --check`: tries a server in several ways, and says in plain words what it does right and
 * wrong. It uses nothing that a browser or another client would not do. */
#ifndef SWALE_APP_CONNECT_CHECK_H
#define SWALE_APP_CONNECT_CHECK_H

#include "app/connect/connect_options.h"

/* Prints one line for each finding. 0 when nothing is wrong, CONNECT_FAILED when something is, CONNECT_USAGE. */
int check_run(const struct connect_options *options, struct swale_loop *loop, struct swale_tls *tls);

#endif
