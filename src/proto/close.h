/* close.h - what a close frame carries (RFC 6455 sections 5.5.1 and 7.4). */
#ifndef SWALE_PROTO_CLOSE_H
#define SWALE_PROTO_CLOSE_H

#include <swale/proto.h>

/* Codes that stand for the lack of one; never on the wire. */
enum { SWALE__CLOSE_NO_CODE = 1005, SWALE__CLOSE_ABNORMAL = 1006 };

/* Writes the payload of a close frame: nothing for code 0. Returns its size, or SWALE_ERR_INVALID for a code that
 * may not be sent, a reason without a code, or one that is too long or not UTF-8. */
int swale__close_write(int code, struct swale_span reason, char payload[2 + SWALE_REASON_MAX]);

/* Reads it. 0 and *code (1005 when there is none) and *reason, which points into `payload`; or the error that the
 * peer made: SWALE_ERR_CLOSE_PAYLOAD, SWALE_ERR_CLOSE_CODE or SWALE_ERR_UTF8, in this order. */
int swale__close_read(struct swale_span payload, int *code, struct swale_span *reason);

#endif
