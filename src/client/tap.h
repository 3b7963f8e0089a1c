/* tap.h - a stream that looks at the frames which pass through it (RFC 6455 section 5.2), for traces.
 *
 *     stream (TCP, TLS ...) <--> tap <--> connection
 *                                 |
 *                                 +--> SWALE_TRACE_FRAME_IN, SWALE_TRACE_FRAME_OUT
 *
 * It sees headers only, wherever they are split, and changes nothing. What is no frame is for the engine to say: the
 * tap takes every header for what its bytes say.
 */
#ifndef SWALE_CLIENT_TAP_H
#define SWALE_CLIENT_TAP_H

#include "io/stream.h"

#include <swale/client.h>

/* Puts a tap over `lower`, which it takes over, also on failure (when it is closed). Reading goes on as it was; the
 * new stream wants a user before the call that handed out `lower` returns. `on_trace` must not close the stream; it
 * is called from within swale__stream_write, too. -ENOMEM. */
int swale__tap_new(struct swale__stream **stream, struct swale__stream *lower,
                   const struct swale_allocator *allocator,
                   void (*on_trace)(void *context, const struct swale_trace *trace), void *context);

/* Looks at bytes that came before the tap was there: those behind the answer. Before any other bytes pass. */
void swale__tap_early(struct swale__stream *tap, struct swale_span early);

/* It tells nothing any more: for a context that does not last as long as the stream. */
void swale__tap_mute(struct swale__stream *tap);

#endif
