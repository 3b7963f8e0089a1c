#include "app/connect/verbose.h"

#include "app/connect/escape.h"

#include <stdio.h>
#include <string.h>

static const char *opcode_name(uint8_t opcode)
{
    static const char *const names[16] = {
        [0] = "continuation", [1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong"
    };
    return opcode < 16 && names[opcode] ? names[opcode] : "reserved opcode";
}

static void put_frame(const struct swale_trace *trace, uint64_t ms, struct buffer *out)
{
    bool in = trace->kind == SWALE_TRACE_FRAME_IN;
    buffer_putf(out, "%c %llu.%03llu s: %s", in ? '<' : '>', (unsigned long long)(ms / 1000),
                (unsigned long long)(ms % 1000), opcode_name(trace->opcode));
    if (trace->fin)
        buffer_puts(out, ", fin");
    for (unsigned bit = 4, n = 1; bit > 0; bit >>= 1, n++)
        if (trace->rsv & bit)
            buffer_putf(out, ", rsv%u", n);
    if (trace->masked)
        buffer_puts(out, ", masked");
    buffer_putf(out, ", %llu bytes\n", (unsigned long long)trace->length);
}

static void put_line(const char *mark, struct swale_span line, const char *end, struct buffer *out)
{
    buffer_puts(out, mark);
    escape_line(line, out);
    buffer_puts(out, end);
}

/* The scheme stays (RFC 9110 section 11.4), what follows it is hidden. Cookies are hidden whole. */
static bool put_secret(const char *mark, struct swale_span line, struct buffer *out)
{
    static const char *const secret[] = { "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie" };
    const char *colon = memchr(line.data, ':', line.size);
    if (!colon)
        return false;
    struct swale_span name = swale_span(line.data, (size_t)(colon - line.data));
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        if (!swale_name_equal(name, secret[i]))
            continue;
        const char *value = colon + 1;
        const char *end = line.data + line.size;
        while (value < end && *value == ' ')
            value++;
        const char *space = i < 2 ? memchr(value, ' ', (size_t)(end - value)) : NULL;
        put_line(mark, swale_span(line.data, (size_t)((space ? space + 1 : value) - line.data)), "(hidden)\n", out);
        return true;
    }
    return false;
}

static struct swale_span next_line(struct swale_span *text)
{
    const char *end = memchr(text->data, '\n', text->size);
    size_t size = end ? (size_t)(end - text->data) : text->size;
    struct swale_span line = swale_span(text->data, size);
    *text = end ? swale_span(end + 1, text->size - size - 1) : swale_span(NULL, 0);
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

static void put_head(const char *mark, struct swale_span head, struct buffer *out)
{
    while (head.size > 0) {
        struct swale_span line = next_line(&head);
        if (line.size == 0 || !put_secret(mark, line, out))
            put_line(mark, line, "\n", out);
    }
}

void verbose_put(const struct swale_trace *trace, uint64_t ms, struct buffer *out)
{
    switch (trace->kind) {
    case SWALE_TRACE_NOTE:
        put_line("* ", trace->text, "\n", out);
        break;
    case SWALE_TRACE_REQUEST:
        put_head("> ", trace->text, out);
        break;
    case SWALE_TRACE_RESPONSE:
        put_head("< ", trace->text, out);
        break;
    case SWALE_TRACE_FRAME_IN:
    case SWALE_TRACE_FRAME_OUT:
        put_frame(trace, ms, out);
        break;
    }
}
