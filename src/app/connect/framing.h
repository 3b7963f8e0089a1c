/* framing.h - how messages lie in standard input and output, one behind the other:
 *
 *     lines     message \n  message \n
 *     null      message \0  message \0
 *     length    size message  size message        size: 4 bytes, big-endian
 *
 * In the first two the last message may lack its terminator. Lines and NULs are for messages that hold none
 * themselves; length-prefixed, any message goes through unchanged.
 */
#ifndef SWALE_APP_CONNECT_FRAMING_H
#define SWALE_APP_CONNECT_FRAMING_H

#include "app/buffer.h"

enum framing { FRAMING_LINES, FRAMING_NULL, FRAMING_LENGTH };

enum { FRAMING_LENGTH_SIZE = 4 };

/* Takes the first message from the bytes. Returns how many bytes it lies in, its framing included, or 0 when it is
 * not there as a whole. `*scanned` is 0 for the first bytes of a message, and remembers what was searched for calls
 * with the same bytes and more. */
size_t framing_take(enum framing framing, struct swale_span bytes, size_t *scanned, struct swale_span *message);

/* What is left when no more bytes come: 1 and a message, 0 when nothing is, or -1 when a message is cut off. */
int framing_last(enum framing framing, struct swale_span bytes, struct swale_span *message);

/* Puts a message as one that can be taken. False when it is too long for its length to be written. */
bool framing_put(enum framing framing, struct swale_span message, struct buffer *out);

#endif
