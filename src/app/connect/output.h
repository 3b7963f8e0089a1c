/* output.h - standard output of the loop's: what is put is written as fast as the reader takes it, without ever
 * making the loop wait, and without changing the descriptor, which may be shared with other processes.
 *
 * Zero it, set the first part. */
#ifndef SWALE_APP_CONNECT_OUTPUT_H
#define SWALE_APP_CONNECT_OUTPUT_H

#include "app/buffer.h"

#include <swale/loop.h>

struct output {
    struct swale_loop *loop;
    int fd;
    void (*on_blocked)(void *context, bool blocked); /* more waits than should / everything is written */
    void (*on_error)(void *context, int error);      /* -errno, once; what is put from then on is dropped */
    void *context;

    /* Private. */
    struct swale_watch watch;
    struct buffer waiting;
    size_t written; /* of `waiting` */
    bool blocked, failed;
};

/* Where to put bytes; to be followed by output_flush, which writes what can be written. Both may be called from
 * on_blocked. */
struct buffer *output_buffer(struct output *output);
void output_flush(struct output *output);

/* Nothing waits to be written any more. */
bool output_empty(const struct output *output);

/* When so much waits, it is time to flush. */
enum { OUTPUT_MUCH = 64 * 1024 };
bool output_is_much(const struct output *output);

void output_done(struct output *output);

#endif
