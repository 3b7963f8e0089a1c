/* show.h - how what came is shown: messages, and in words how tries and connections ended. */
#ifndef SWALE_APP_CONNECT_SHOW_H
#define SWALE_APP_CONNECT_SHOW_H

#include "app/connect/framing.h"

#include <swale/client.h>

struct show {
    enum framing framing;
    bool terminal; /* somebody looks: escape, and dump what is binary */
    bool prompt;   /* ... at a prompt: mark what came */
    bool raw, json, colours;
};

/* Puts a message as it is written. False when it cannot be (see framing_put). */
bool show_message(const struct show *show, const struct swale_message *message, struct buffer *out);

/* "ping "payload"": a line, without a newline. */
void show_control(const char *name, struct swale_span payload, struct buffer *out);

/* Why a try failed, with the status of a server that refused, and why a connection ended: a line, without a newline.
 */
void show_failure(const struct swale_client_failure *failure, struct buffer *out);
void show_close(const struct swale_close *close, struct buffer *out);

#endif
