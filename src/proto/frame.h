/* frame.h - frames as bytes (RFC 6455 section 5.2), and the control frames that an engine makes.
 *
 *     byte 0: FIN RSV1 RSV2 RSV3 opcode(4)    byte 1: MASK length(7)
 *     length 126: 2 more bytes, 127: 8 more; then 4 bytes of masking key with MASK; then the payload */
#ifndef SWALE_PROTO_FRAME_H
#define SWALE_PROTO_FRAME_H

#include <swale/proto.h>

enum {
    SWALE__FIN = 0x80,
    SWALE__RSV1 = 0x40,
    SWALE__RSV = 0x70, /* all three */
    SWALE__OPCODE = 0x0f,
    SWALE__CONTROL = 0x08, /* the bit that every control opcode has */
    SWALE__MASK = 0x80,    /* in byte 1 */
    SWALE__LENGTH = 0x7f,
    SWALE__LENGTH_16 = 126,
    SWALE__LENGTH_64 = 127,
    SWALE__CONTROL_PAYLOAD = 125, /* RFC 6455 section 5.5 */
};

/* The opcodes apart from those of enum swale_kind. */
enum { SWALE__CONTINUATION = 0, SWALE__CLOSE = 8, SWALE__PING = 9, SWALE__PONG = 10 };

/* The largest length that a header can tell: 63 bits. */
#define SWALE__LENGTH_MAX ((uint64_t)INT64_MAX)

/* Writes byte 0, byte 1 and the length in its shortest form, without a key; `mask` is SWALE__MASK or 0. Returns the
 * number of bytes: 2, 4 or 10. `size` is at most SWALE__LENGTH_MAX. */
int swale__frame_put(char *header, int byte0, int mask, uint64_t size);

/* The length that data[0..size) announces, and how many bytes of the header tell it (the key not counted): 2, 4 or
 * 10. 0 while they are not all there, SWALE_ERR_FRAME_LENGTH for a length that is not in its shortest form, or
 * exceeds 63 bits. */
int swale__frame_length(const char *data, size_t size, uint64_t *length);

/* How many bytes of a frame that begins with data[0..size) are read at once: its header, or all of a control frame.
 * As far as these bytes tell: more than `size` while more are needed. */
size_t swale__frame_lead(const char *data, size_t size);

/* Makes a whole control frame, masked when `engine` is a client's. Returns its length. */
int swale__frame_control(const struct swale_engine *engine, int opcode, struct swale_span payload,
                         char frame[SWALE_CONTROL_MAX]);

#endif
