/* head.h - what requests and responses share: the scanner of a head, and the framing of a body. */
#ifndef SWALE_PROTO_HEAD_H
#define SWALE_PROTO_HEAD_H

#include <swale/proto.h>

enum swale__head_kind { SWALE__REQUEST, SWALE__RESPONSE };

/* Judges the bytes that were not judged yet. Returns the length of the head when it is complete (the fields are
 * then spans into data), 0 when more bytes are needed, or SWALE_ERR_HTTP_*. */
ptrdiff_t swale__head_scan(struct swale_head_parser *parser, const struct swale_head_room *room,
                           enum swale__head_kind kind, const char *data, size_t size);

/* Content-Length and Transfer-Encoding of the fields (RFC 9112 section 6). 0 or SWALE_ERR_HTTP_*. */
int swale__body_framing(const struct swale_field *fields, uint32_t count, struct swale_body_framing *body);

/* True when the comma list of that name has this element, without regard to case. */
bool swale__list_has(const struct swale_field *fields, uint32_t count, const char *name, const char *element);

/* The one field of that name. 1 when it is there once, 0 when it is missing, -1 when it is repeated. */
int swale__field_single(const struct swale_field *fields, uint32_t count, const char *name, struct swale_span *value);

#endif
