/* reference.h - the frame rules once more, from RFC 6455, RFC 7692 section 6 and RFC 3629 alone: byte by byte, with
 * the whole input at hand and nothing of the engine's, so plain that reading it is enough to believe it. */
#ifndef SWALE_FUZZ_REFERENCE_H
#define SWALE_FUZZ_REFERENCE_H

#include "fuzz.h"

/* ---- UTF-8 (RFC 3629) ------------------------------------------------------------------------------------ */

/* The length of the character at the front of the text, by its code point, which goes to *point (not when NULL); 0
 * when it is wrong, or not all there. The text is not empty. */
size_t reference_character(const uint8_t *text, size_t size, uint32_t *point);

/* Whether it consists of whole characters; whether something could be put behind it so that it does. */
bool reference_text(const uint8_t *text, size_t size);
bool reference_text_begins(const uint8_t *text, size_t size);

/* ---- Frames ---------------------------------------------------------------------------------------------- */

/* What can be wrong with a byte. It may be several things. */
enum {
    REFERENCE_RESERVED = 1,
    REFERENCE_OPCODE = 2,
    REFERENCE_CONTROL = 4, /* a control frame that is fragmented, or too long */
    REFERENCE_SEQUENCE = 8,
    REFERENCE_COUNT = 16,
    REFERENCE_MASK = 32,
    REFERENCE_LENGTH = 64,
    REFERENCE_SIZE = 128,
    REFERENCE_UTF8 = 256,
    REFERENCE_CLOSE_PAYLOAD = 512,
    REFERENCE_CLOSE_CODE = 1024,
};

/* One frame, as far as its bytes are there. */
struct reference_frame {
    unsigned opcode, reserved; /* reserved: RSV1 is 4, RSV2 2, RSV3 1 */
    bool final, masked;
    uint64_t length;
    uint8_t key[4];
    size_t length_end, header; /* where the length ends, and the header; 0 when that is not there yet */
};
void reference_frame(struct reference_frame *frame, const uint8_t *bytes, size_t size);

/* One end of a connection, which reads. Its user fills in the rules, and frees the log. */
struct reference {
    bool server, deflate, close_sent;
    uint64_t max_message;
    uint32_t max_fragments;
    uint8_t mask; /* of what a client says: each byte of its key */

    /* What it makes of the bytes. Of a message: 'm', its opcode, 1 if it is compressed, payload, 'e'; of a control
     * frame: 'c', its opcode, the close code (2 bytes), payload, and the frame that answers it. */
    uint8_t *log;
    size_t log_size, log_room;
    bool closed;     /* by a close frame */
    unsigned faults; /* of the first byte with any; nothing behind it counts */
};
void reference_read(struct reference *reference, const uint8_t *bytes, size_t size);

#endif
