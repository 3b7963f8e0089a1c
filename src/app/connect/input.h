/* input.h - standard input as messages: read no faster than they are taken.
 *
 * Zero it, set the first part. */
#ifndef SWALE_APP_CONNECT_INPUT_H
#define SWALE_APP_CONNECT_INPUT_H

#include "app/connect/framing.h"

#include <swale/loop.h>

/* A message of standard input may not be longer. */
#define INPUT_MESSAGE_MAX ((size_t)1 << 30)

struct input {
    struct swale_loop *loop;
    int fd;
    enum framing framing;
    /* Takes a message, the first being number 1; false when no more can be taken until input_start is called again.
     * It may call input_stop, for an end without on_end. */
    bool (*on_message)(void *context, struct swale_span message, uint64_t number);
    /* There is no more, once: 0 at the end of input, -errno, or one of those below. */
    void (*on_end)(void *context, int error);
    void *context;

    /* Private. */
    struct swale_watch watch;
    struct buffer buffer;
    size_t taken; /* of the buffer */
    size_t scanned;
    uint64_t count;
    bool started, ended;
};

enum { INPUT_TRUNCATED = -3001, INPUT_TOO_LONG = -3002 };

/* Goes on, or begins: messages come from within this call already. */
void input_start(struct input *input);

/* Stops reading. input_start goes on where it was. */
void input_stop(struct input *input);

void input_done(struct input *input);

#endif
