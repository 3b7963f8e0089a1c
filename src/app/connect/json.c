/* json.c - jansson says whether it is JSON; then the text is walked token by token. */
#include "app/connect/json.h"

#include <jansson.h>
#include <string.h>

/* Deeper levels are not indented any further: each line would cost what its depth says, and a peer could make a small
 * message fill the screen with white space. */
enum { INDENT = 2, DEEPEST = 40 };

static bool is_json(struct swale_span text)
{
    json_error_t error;
    json_t *value = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    json_decref(value);
    return value != NULL;
}

static void new_line(size_t depth, struct buffer *out)
{
    buffer_putf(out, "\n%*s", (int)(depth < DEEPEST ? depth : DEEPEST) * INDENT, "");
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static size_t string_length(struct swale_span text)
{
    size_t at = 1;
    while (text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* Of a string, a number or a word. */
static size_t token_length(struct swale_span text)
{
    if (text.data[0] == '"')
        return string_length(text);
    size_t at = 0;
    while (at < text.size && !strchr("[]{},:\" \t\r\n", text.data[at]))
        at++;
    return at;
}

static size_t skip_space(struct swale_span text, size_t at)
{
    while (at < text.size && is_space(text.data[at]))
        at++;
    return at;
}

struct layout {
    struct swale_span text;
    size_t at, depth;
    struct buffer *out;
};

/* Empty ones stay in one line. */
static void put_opening(struct layout *layout)
{
    char opening = layout->text.data[layout->at];
    size_t next = skip_space(layout->text, layout->at + 1);
    char closing = opening == '[' ? ']' : '}';
    buffer_put(layout->out, swale_span(&opening, 1));
    if (layout->text.data[next] == closing) {
        buffer_put(layout->out, swale_span(&closing, 1));
        layout->at = next + 1;
        return;
    }
    new_line(++layout->depth, layout->out);
    layout->at++;
}

static void put_punctuation(struct layout *layout, char byte)
{
    if (byte == ']' || byte == '}')
        new_line(--layout->depth, layout->out);
    buffer_put(layout->out, swale_span(&byte, 1));
    if (byte == ',')
        new_line(layout->depth, layout->out);
    if (byte == ':')
        buffer_puts(layout->out, " ");
    layout->at++;
}

bool json_pretty(struct swale_span text, struct buffer *out)
{
    if (!is_json(text))
        return false;
    struct layout layout = { .text = text, .out = out };
    while ((layout.at = skip_space(text, layout.at)) < text.size) {
        char byte = text.data[layout.at];
        if (byte == '[' || byte == '{') {
            put_opening(&layout);
        } else if (strchr("]},:", byte)) {
            put_punctuation(&layout, byte);
        } else {
            size_t length = token_length(swale_span(text.data + layout.at, text.size - layout.at));
            buffer_put(out, swale_span(text.data + layout.at, length));
            layout.at += length;
        }
    }
    return true;
}
