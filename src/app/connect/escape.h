/* escape.h - what a peer sent, made harmless for a terminal: a control sequence could move the cursor, rewrite what
 * stands above, or make the terminal answer as if somebody typed.
 *
 * Escaped are the control characters of ASCII and ISO 6429 (C0, DEL, C1), bytes that are no UTF-8, and what turns the
 * direction of writing or breaks lines unseen (U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069): as \xNN
 * for bytes and ASCII, as \uNNNN for the others. Backslashes stay as they are: the escapes are for eyes, not for
 * machines.
 */
#ifndef SWALE_APP_CONNECT_ESCAPE_H
#define SWALE_APP_CONNECT_ESCAPE_H

#include "app/buffer.h"

/* Everything in one line: line ends and tabs become \n, \r and \t. */
void escape_line(struct swale_span text, struct buffer *out);

/* Keeps newlines and tabs. After each newline, `indent` is put, so that no line of a message can pass for something
 * else. */
void escape_message(struct swale_span text, const char *indent, struct buffer *out);

/* Sixteen bytes a line: offset, hexadecimal, ASCII. At most HEXDUMP_MAX bytes are shown, and then how many more there
 * are. Every line but the first begins with `indent`; the last has no newline. */
enum { HEXDUMP_MAX = 1024 };
void escape_hexdump(struct swale_span bytes, const char *indent, struct buffer *out);

#endif
