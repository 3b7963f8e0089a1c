/* status.h - the exit statuses of `swale connect`, which scripts rely on: numbers do not change their meaning. */
#ifndef SWALE_APP_CONNECT_STATUS_H
#define SWALE_APP_CONNECT_STATUS_H

#include "app/fault.h"

#include <stdio.h>
#include <swale/client.h>

/* X(number, NAME, "what happened"). 0, 1 and 2 are those of all subcommands. */
#define CONNECT_STATUSES(X)                                                                                          \
    X(0, OK, "closed cleanly, with 1000 or 1001")                                                                    \
    X(1, FAILED, "something else failed; --check found something wrong")                                             \
    X(2, USAGE, "the command line is wrong")                                                                         \
    X(3, RESOLVE, "a name cannot be resolved")                                                                       \
    X(4, CONNECT, "no connection to the server")                                                                     \
    X(5, PROXY, "the proxy does not let through")                                                                    \
    X(6, TLS, "TLS failed, or the certificate is not trusted")                                                       \
    X(7, REFUSED, "the server answered with a status other than 101")                                                \
    X(8, ANSWER, "the answer is no WebSocket's, or none came")                                                       \
    X(9, TIMEOUT, "no connection within --connect-timeout, no end within --timeout")                                 \
    X(10, CLOSED, "closed by the server, with another code or none")                                                 \
    X(11, DROPPED, "the connection ended without a close")                                                           \
    X(12, PROTOCOL, "the server broke the protocol, or a limit")                                                     \
    X(13, IO, "standard input or output failed")                                                                     \
    X(14, INPUT, "standard input holds what cannot be sent")

#define CONNECT_STATUS_ENUM(number, name, text) CONNECT_##name = (number),
enum connect_status { CONNECT_STATUSES(CONNECT_STATUS_ENUM) };
#undef CONNECT_STATUS_ENUM

/* What the end of the last try, or of the last connection, comes to. */
int status_of_failure(const struct swale_client_failure *failure);
int status_of_close(const struct swale_close *close);

/* The table, as --help shows it. */
void status_help(FILE *out);

#endif
