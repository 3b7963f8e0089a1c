/* escape.c - what others sent, made harmless for logs and terminals, and JSON laid out.
 *
 * Input: one byte of options, then the bytes. Each form must hold nothing but what it may hold, and what was there
 * must be found in it again: quoted text and JSON strings are decoded, lines of the log are parsed, hexadecimal is
 * read back; and what is shown on a terminal is what a model makes of it, character by character. */
#include "app/connect/escape.h"
#include "app/connect/json.h"
#include "app/serve/log.h"
#include "app/text.h"
#include "reference.h"

#include <jansson.h>

enum { ROOM = 8 * TEXT_FIELD_MAX };

static bool printable(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return false;
    return true;
}

/* ---- Quoted, and as JSON ------------------------------------------------------------------------------------ */

static void require_quoted(struct swale_span bytes)
{
    char out[ROOM], *at = out;
    struct text text;
    size_t size = bytes.size < TEXT_FIELD_MAX ? bytes.size : TEXT_FIELD_MAX;
    text_init(&text, out, sizeof out);
    text_put_quoted(&text, bytes);
    require(!text.full && text.size == strlen(out) && printable(out) && *at++ == '"');
    for (size_t i = 0; i < size; i++) {
        unsigned byte = (unsigned char)*at++;
        require(byte != '"');
        if (byte == '\\') {
            static const char letters[] = "nrt\"\\", means[] = "\n\r\t\"\\";
            const char *letter = strchr(letters, *at);
            if (*at == 'x')
                require(sscanf(at, "x%2x", &byte) == 1);
            else
                byte = (unsigned char)means[letter - letters];
            at += *at == 'x' ? 3 : 1;
        }
        require(byte == (unsigned char)bytes.data[i]);
    }
    require(strcmp(at, size < bytes.size ? "\"..." : "\"") == 0);
}

static void require_same_text(const char *data, size_t size, struct swale_span bytes)
{
    const uint8_t *in = (const uint8_t *)bytes.data, *out = (const uint8_t *)data, *end = out + size;
    size_t left = bytes.size < TEXT_FIELD_MAX ? bytes.size : TEXT_FIELD_MAX;
    while (left > 0) {
        size_t length = reference_character(in, left, NULL);
        if (length > 0)
            require(end - out >= (ptrdiff_t)length && memcmp(in, out, length) == 0);
        else
            require(end - out >= 3 && memcmp(out, "\xef\xbf\xbd", 3) == 0);
        out += length ? length : 3;
        in += length ? length : 1;
        left -= length ? length : 1;
    }
    size_t more = bytes.size > TEXT_FIELD_MAX ? 3 : 0;
    require(end - out == (ptrdiff_t)more && memcmp(out, "...", more) == 0);
}

static void require_json(struct swale_span bytes)
{
    char out[ROOM];
    struct text text;
    text_init(&text, out, sizeof out);
    text_put_json(&text, bytes);
    require(!text.full && printable(out));
    json_t *value = json_loads(out, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    require(value && json_is_string(value));
    require_same_text(json_string_value(value), json_string_length(value), bytes);
    json_decref(value);
}

/* Without room: whole pieces, and never past the end. */
static void require_cut(struct swale_span bytes, size_t capacity)
{
    char *out = malloc(capacity);
    struct text text;
    require(out != NULL);
    text_init(&text, out, capacity);
    text_put_quoted(&text, bytes);
    text_put_json(&text, bytes);
    require(text.size < capacity && strlen(out) == text.size);
    free(out);
}

/* ---- The log -------------------------------------------------------------------------------------------------- */

static void require_path(const json_t *line, struct swale_span target)
{
    const json_t *path = json_object_get(line, "path");
    const char *query = target.size ? memchr(target.data, '?', target.size) : NULL;
    require((json_object_get(line, "query") != NULL) == (query != NULL));
    size_t size = query ? (size_t)(query - target.data) : target.size;
    require((path != NULL) == (size > 0));
    if (path)
        require_same_text(json_string_value(path), json_string_length(path), swale_span(target.data, size));
}

static void require_log(struct swale_span bytes, unsigned kind)
{
    static char out[LOG_LINE_MAX];
    static const struct timespec now = { .tv_sec = 784111777 };
    struct swale_span first = swale_span(bytes.data, bytes.size / 2);
    struct swale_span second = swale_span(bytes.data + first.size, bytes.size - first.size);
    struct swale_record record = { .kind = (enum swale_record_kind)(kind % 8),
                                   .reason = kind & 8 ? SWALE_ERR_UTF8 : 0,
                                   .id = kind,
                                   .address = kind & 16 ? swale_text("::1") : swale_text("192.0.2.1"),
                                   .port = 80,
                                   .method = second,
                                   .target = first,
                                   .host = second,
                                   .origin = bytes,
                                   .user_agent = first,
                                   .text = second };
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        size_t size = log_line((enum log_format)format, &record, &now, out);
        require(size == strlen(out) && size > 0 && out[size - 1] == '\n');
        out[size - 1] = '\0';
        require(printable(out));
    }
    json_t *line = json_loads(out, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    require(line && json_is_object(line));
    require_path(line, first);
    const json_t *agent = json_object_get(line, "agent");
    require((agent != NULL) == (first.size > 0));
    if (agent)
        require_same_text(json_string_value(agent), json_string_length(agent), first);
    json_decref(line);
}

/* ---- The terminal --------------------------------------------------------------------------------------------- */

/* ISO 6429's controls, and what Unicode lets change lines or directions. */
static bool acts(uint32_t point)
{
    static const uint32_t known[] = { 0x7f,   0x61c,  0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
                                      0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069 };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i] == point)
            return true;
    return point < 32 || (point >= 128 && point < 160);
}

static void model_character(uint32_t point, const char *indent, char *out)
{
    if (indent && (point == '\n' || point == '\t'))
        sprintf(out, "%c%s", (int)point, point == '\n' ? indent : "");
    else if (point == '\n' || point == '\r' || point == '\t')
        sprintf(out, "\\%c", point == '\n' ? 'n' : point == '\r' ? 'r' : 't');
    else
        sprintf(out, point < 128 ? "\\x%02x" : "\\u%04x", (unsigned)point);
}

static void require_shown(struct swale_span bytes, const char *indent)
{
    struct buffer out = { 0 };
    if (indent)
        escape_message(bytes, indent, &out);
    else
        escape_line(bytes, &out);
    size_t at = 0;
    for (size_t i = 0; i < bytes.size;) {
        char piece[32];
        uint32_t point;
        const uint8_t *in = (const uint8_t *)bytes.data + i;
        size_t length = reference_character(in, bytes.size - i, &point);
        if (length == 0)
            sprintf(piece, "\\x%02x", *in);
        else if (acts(point))
            model_character(point, indent, piece);
        else
            sprintf(piece, "%.*s", (int)length, (const char *)in);
        require(out.size - at >= strlen(piece) && memcmp(out.data + at, piece, strlen(piece)) == 0);
        at += strlen(piece);
        i += length ? length : 1;
    }
    require(at == out.size && !out.failed);
    buffer_done(&out);
}

static void require_hexdump(struct swale_span bytes)
{
    struct buffer out = { 0 };
    escape_hexdump(bytes, "> ", &out);
    buffer_put(&out, swale_span("", 1));
    require(!out.failed);
    size_t shown = bytes.size < HEXDUMP_MAX ? bytes.size : HEXDUMP_MAX;
    char *rest = out.data;
    for (size_t at = 0; at < shown; at += 16) {
        char *row = strsep(&rest, "\n"), *ascii = row + strlen(row);
        unsigned offset, byte;
        int used = 0;
        row += at > 0 ? 2 : 0;
        require(printable(row) && sscanf(row, "%x%n", &offset, &used) == 1 && offset == at);
        size_t count = shown - at < 16 ? shown - at : 16;
        ascii -= count;
        for (size_t i = 0; i < count; i++) {
            row += used;
            require(sscanf(row, "%2x%n", &byte, &used) == 1 && byte == (unsigned char)bytes.data[at + i]);
            require(ascii[i] == (byte >= 0x20 && byte < 0x7f ? (char)byte : '.'));
        }
    }
    require((rest != NULL) == (shown < bytes.size));
    buffer_done(&out);
}

/* ---- JSON laid out ----------------------------------------------------------------------------------------------
 */

/* Without the white space between its tokens. */
static char *dense(struct swale_span text)
{
    char *out = malloc(text.size + 1), *to = out;
    require(out != NULL);
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!inside && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            continue;
        *to++ = c;
        if (inside && c == '\\')
            *to++ = text.data[++i];
        inside = c == '"' ? !inside : inside;
    }
    *to = '\0';
    return out;
}

static void require_laid_out(struct swale_span text)
{
    struct buffer out = { 0 }, again = { 0 };
    json_t *value = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool done = json_pretty(text, &out);
    require(done == (value != NULL) && (done || out.size == 0));
    if (done) {
        struct swale_span laid = buffer_span(&out);
        char *a = dense(text), *b = dense(laid);
        require(strcmp(a, b) == 0);
        require(json_pretty(laid, &again) && swale_span_equal(buffer_span(&again), laid));
        free(a);
        free(b);
    }
    json_decref(value);
    buffer_done(&out);
    buffer_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    char *block = fuzz_copy(data + 1, size - 1);
    struct swale_span bytes = swale_span(block, size - 1);
    require_quoted(bytes);
    require_json(bytes);
    require_cut(bytes, 1 + data[0]);
    require_log(bytes, data[0]);
    require_shown(bytes, NULL);
    require_shown(bytes, "   ");
    require_hexdump(bytes);
    require_laid_out(bytes);
    free(block);
    return 0;
}
