/* reopen.h - from the end of a deflate stream to a place where it goes on. */
#ifndef SWALE_PROTO_REOPEN_H
#define SWALE_PROTO_REOPEN_H

#include <stddef.h>

/* Takes a whole deflate stream (RFC 1951) of one block with dynamic codes, and makes it end like a sync flush whose
 * last four bytes, 00 00 ff ff, were taken off: what RFC 7692 section 7.2.1 wants of a message. Returns its new size,
 * `size` or `size` + 1, or 0 for a stream of another kind, or one that there is no room for; that is unchanged. */
size_t swale__deflate_reopen(char *data, size_t size, size_t capacity);

#endif
