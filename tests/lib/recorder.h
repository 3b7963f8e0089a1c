/* recorder.h - a user of a stream that writes down what it hears, sends what it is told to, and breaks the test
 * when the stream breaks its contract.
 *
 *     struct recorder user;
 *     recorder_begin(&user, stream);       from now on it listens
 *     recorder_send(&user, data, size);    as far as there is room, then as room comes
 *     ... turns ...
 *     user.heard[0 .. user.size), user.ends, user.failure
 *     recorder_end(&user);                 closes the stream if nobody has, and frees what was heard
 */
#ifndef SWALE_TEST_RECORDER_H
#define SWALE_TEST_RECORDER_H

#include "io/stream.h"

struct recorder {
    struct swale__stream *stream; /* NULL when it has been closed */
    char *heard;
    size_t size, room;
    size_t largest; /* of one on_data */
    int runs, ends, failure;
    int writes;
    bool pause_on_data; /* once */
    /* To be closed on the next callback; they may include this one. */
    struct recorder **close;
    size_t close_count;
    const char *out; /* what is still to be sent: the caller's memory */
    size_t out_size, in_flight;
    bool full;
    bool stuck; /* do not write, also when there is room */
};

void recorder_begin(struct recorder *recorder, struct swale__stream *stream);

/* `data` must stay until it has been sent; nothing else may be on its way. A write that fails sets `failure`. */
void recorder_send(struct recorder *recorder, const void *data, size_t size);
void recorder_close(struct recorder *recorder, bool abort);
void recorder_end(struct recorder *recorder);

#endif
