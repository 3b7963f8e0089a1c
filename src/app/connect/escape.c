#include "app/connect/escape.h"

#include "app/utf8.h"

static bool is_hidden(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c || character == 0x200e ||
           character == 0x200f || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

static void put_escape(uint32_t character, struct buffer *out)
{
    if (character == '\n')
        buffer_puts(out, "\\n");
    else if (character == '\r')
        buffer_puts(out, "\\r");
    else if (character == '\t')
        buffer_puts(out, "\\t");
    else
        buffer_putf(out, character < 0x80 ? "\\x%02x" : "\\u%04x", character);
}

/* How long the run of harmless characters at the beginning is. */
static size_t harmless(struct swale_span text)
{
    size_t at = 0;
    while (at < text.size) {
        uint32_t character;
        size_t length = utf8_decode(swale_span(text.data + at, text.size - at), &character);
        if (length == 0 || is_hidden(character))
            break;
        at += length;
    }
    return at;
}

/* Puts the character at the beginning, which is not harmless, and returns its length. */
static size_t put_harmful(struct swale_span text, const char *indent, struct buffer *out)
{
    uint32_t character;
    size_t length = utf8_decode(text, &character);
    if (length == 0) {
        buffer_putf(out, "\\x%02x", (unsigned char)text.data[0]);
        return 1;
    }
    if (indent && character == '\n') {
        buffer_puts(out, "\n");
        buffer_puts(out, indent);
    } else if (indent && character == '\t') {
        buffer_puts(out, "\t");
    } else {
        put_escape(character, out);
    }
    return length;
}

static void escape(struct swale_span text, const char *indent, struct buffer *out)
{
    while (text.size > 0) {
        size_t length = harmless(text);
        if (length > 0)
            buffer_put(out, swale_span(text.data, length));
        else
            length = put_harmful(text, indent, out);
        text = swale_span(text.data + length, text.size - length);
    }
}

void escape_line(struct swale_span text, struct buffer *out)
{
    escape(text, NULL, out);
}

void escape_message(struct swale_span text, const char *indent, struct buffer *out)
{
    escape(text, indent, out);
}

/* ---- Bytes ------------------------------------------------------------------------------------------ */

enum { ROW = 16 };

static void put_row(struct swale_span row, size_t offset, struct buffer *out)
{
    buffer_putf(out, "%04zx  ", offset);
    for (size_t i = 0; i < ROW; i++) {
        if (i < row.size)
            buffer_putf(out, "%02x ", (unsigned char)row.data[i]);
        else
            buffer_puts(out, "   ");
        if (i == ROW / 2 - 1)
            buffer_puts(out, " ");
    }
    buffer_puts(out, " ");
    for (size_t i = 0; i < row.size; i++)
        buffer_putf(out, "%c", row.data[i] >= 0x20 && row.data[i] < 0x7f ? row.data[i] : '.');
}

void escape_hexdump(struct swale_span bytes, const char *indent, struct buffer *out)
{
    size_t shown = bytes.size < HEXDUMP_MAX ? bytes.size : HEXDUMP_MAX;
    for (size_t at = 0; at < shown; at += ROW) {
        if (at > 0)
            buffer_putf(out, "\n%s", indent);
        put_row(swale_span(bytes.data + at, shown - at < ROW ? shown - at : ROW), at, out);
    }
    if (shown < bytes.size)
        buffer_putf(out, "\n%s... and %zu bytes more", indent, bytes.size - shown);
}
