/* verbose.h - what --verbose shows of the wire: heads as curl -v shows them, and a line for each frame. */
#ifndef SWALE_APP_CONNECT_VERBOSE_H
#define SWALE_APP_CONNECT_VERBOSE_H

#include "app/buffer.h"

#include <swale/client.h>

/* Puts the lines for a trace, each with its newline: "* " notes and frames, "> " what is sent, "< " what comes.
 * Credentials are left out, since such lines are made to be shown to others. `ms` is the time since the beginning. */
void verbose_put(const struct swale_trace *trace, uint64_t ms, struct buffer *out);

#endif
