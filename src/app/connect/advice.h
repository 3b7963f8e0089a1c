/* advice.h - what is probably wrong when a server does not open a WebSocket, and what to do about it, in plain
 * words: one piece of advice a line. */
#ifndef SWALE_APP_CONNECT_ADVICE_H
#define SWALE_APP_CONNECT_ADVICE_H

#include "app/buffer.h"

#include <swale/client.h>

/* Puts lines, each with its newline; none when nothing more can be said. `secure`: the URL is wss. */
void advice_put(const struct swale_client_failure *failure, bool secure, struct buffer *out);

#endif
