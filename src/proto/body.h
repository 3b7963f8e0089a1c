/* body.h - the body of an HTTP message, out of its framing (RFC 9112 sections 6 and 7), without I/O.
 *
 * Reads what swale_response_parse or swale_request_parse said would follow the head. Strict: CRLF only, chunk sizes
 * of at most 16 digits, chunk extensions and trailers bounded and ignored.
 */
#ifndef SWALE_PROTO_BODY_H
#define SWALE_PROTO_BODY_H

#include <swale/proto.h>

enum { SWALE__BODY_EXTRA_MAX = 16384 }; /* bytes of chunk extensions and trailers in one body */

struct swale__body {
    struct swale_body_framing framing;
    uint64_t left;  /* of the run under way */
    uint32_t extra; /* bytes of extensions and trailers so far */
    uint8_t state;
    uint8_t digits;
};

/* `until_end`: neither chunked nor with a length, it goes up to the end of the connection. */
void swale__body_init(struct swale__body *body, struct swale_body_framing framing, bool until_end);

/* Takes bytes; *used of them were read, and *payload (within them) is what the body has for them, maybe empty. Call
 * again while bytes are left and it returns 0. 1 when the body is complete (it may be at once, with no bytes), 0 when
 * more is needed, SWALE_ERR_ANSWER_BODY. */
int swale__body_read(struct swale__body *body, struct swale_span data, size_t *used, struct swale_span *payload);

#endif
