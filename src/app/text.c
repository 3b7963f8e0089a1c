#include "app/text.h"

#include "app/utf8.h"

#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *text, char *buffer, size_t capacity)
{
    *text = (struct text){ .data = buffer, .capacity = capacity };
    buffer[0] = 0;
}

void text_putf(struct text *text, const char *format, ...)
{
    size_t room = text->capacity - text->size;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->data + text->size, room, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < room) {
        text->size += (size_t)length;
    } else {
        text->full = true;
        text->data[text->size] = 0;
    }
}

void text_put(struct text *text, const char *string)
{
    text_putf(text, "%s", string);
}

static struct swale_span cut(struct swale_span bytes)
{
    return bytes.size > TEXT_FIELD_MAX ? swale_span(bytes.data, TEXT_FIELD_MAX) : bytes;
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* The run of bytes at the beginning that need no escape goes in one piece: most fields are nothing else. */
static size_t put_plain_run(struct text *text, struct swale_span bytes)
{
    size_t run = 0;
    while (run < bytes.size && is_plain((unsigned char)bytes.data[run]))
        run++;
    if (run > 0)
        text_putf(text, "%.*s", (int)run, bytes.data);
    return run;
}

static void put_escape(struct text *text, unsigned char byte, const char *numeric)
{
    if (byte == '"' || byte == '\\')
        text_putf(text, "\\%c", byte);
    else if (byte == '\n')
        text_put(text, "\\n");
    else if (byte == '\r')
        text_put(text, "\\r");
    else if (byte == '\t')
        text_put(text, "\\t");
    else
        text_putf(text, numeric, byte);
}

void text_put_quoted(struct text *text, struct swale_span bytes)
{
    struct swale_span kept = cut(bytes);
    text_put(text, "\"");
    for (size_t i = 0; i < kept.size;) {
        size_t run = put_plain_run(text, swale_span(kept.data + i, kept.size - i));
        i += run;
        if (run == 0)
            put_escape(text, (unsigned char)kept.data[i++], "\\x%02x");
    }
    text_put(text, kept.size < bytes.size ? "\"..." : "\"");
}

static size_t put_json_character(struct text *text, struct swale_span bytes)
{
    uint32_t character;
    size_t length = utf8_decode(bytes, &character);
    if (length == 0) {
        text_put(text, "\\ufffd");
        return 1;
    }
    if (length == 1)
        put_escape(text, (unsigned char)character, "\\u%04x");
    else if (character < 0x10000)
        text_putf(text, "\\u%04x", character);
    else
        text_putf(text, "\\u%04x\\u%04x", 0xd800 + ((character - 0x10000) >> 10),
                  0xdc00 + ((character - 0x10000) & 0x3ff));
    return length;
}

void text_put_json(struct text *text, struct swale_span bytes)
{
    struct swale_span kept = cut(bytes);
    text_put(text, "\"");
    for (size_t i = 0; i < kept.size;) {
        struct swale_span rest = swale_span(kept.data + i, kept.size - i);
        size_t run = put_plain_run(text, rest);
        i += run ? run : put_json_character(text, rest);
    }
    text_put(text, kept.size < bytes.size ? "...\"" : "\"");
}
