/* writer.h - text into a bounded buffer. What does not fit is counted, not written. */
#ifndef SWALE_PROTO_WRITER_H
#define SWALE_PROTO_WRITER_H

#include <swale/proto.h>

/* Zero all but `out` and `capacity`. */
struct swale__writer {
    char *out;
    size_t capacity;
    size_t size; /* of everything that was put, written or not */
};

void swale__put(struct swale__writer *writer, struct swale_span text);
void swale__put_text(struct swale__writer *writer, const char *text);
void swale__put_number(struct swale__writer *writer, uint64_t number);
void swale__put_field(struct swale__writer *writer, const char *name, struct swale_span value);
void swale__put_fields(struct swale__writer *writer, const struct swale_field *fields, size_t count);

/* The size of the text, or SWALE_ERR_TOO_SMALL. */
ptrdiff_t swale__writer_end(const struct swale__writer *writer);

/* May these fields be written? Names must be tokens, values without control bytes, and no name one of
 * `reserved` (ends with NULL): those that only Swale itself may write. */
bool swale__fields_writable(const struct swale_field *fields, size_t count, const char *const *reserved);

#endif
