/* text.h - writing text into a buffer of fixed size, with what others sent made harmless on the way. */
#ifndef SWALE_APP_TEXT_H
#define SWALE_APP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <swale/base.h>

/* What does not fit is left out, whole pieces at a time, and `full` says so. Always terminated. */
struct text {
    char *data;
    size_t size, capacity;
    bool full;
};

/* The buffer is the caller's; its capacity is at least 1. */
void text_init(struct text *text, char *buffer, size_t capacity);

void text_put(struct text *text, const char *string);
void text_putf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Between double quotes, in ASCII: what is not printable, and quotes and backslashes, become \xNN and the like.
 * Cut at TEXT_FIELD_MAX bytes, with "..." behind the quotes of one that was. */
enum { TEXT_FIELD_MAX = 256 };
void text_put_quoted(struct text *text, struct swale_span bytes);

/* A JSON string in ASCII: other characters become \uNNNN, and bytes that are not UTF-8 become U+FFFD. Cut likewise,
 * with "..." at its end. */
void text_put_json(struct text *text, struct swale_span bytes);

#endif
