/* key.h - Sec-WebSocket-Key, which both sides of the opening handshake check. */
#ifndef SWALE_PROTO_KEY_H
#define SWALE_PROTO_KEY_H

#include <swale/proto.h>

/* 24 characters that are base64 of 16 bytes (RFC 6455 section 4.1). The last character before the padding may
 * carry bits that are not used: RFC 4648 section 3.5 leaves it to the decoder, and the key is never decoded. */
bool swale__key_valid(struct swale_span key);

#endif
