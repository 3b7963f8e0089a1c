#include "app/connect/say.h"

#include "app/connect/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 1024 };

const char *colour_begin(bool colours, enum colour colour)
{
    static const char *const sequences[] = { "", "\033[2m", "\033[31m", "\033[32m", "\033[33m", "\033[36m" };
    return colours ? sequences[colour] : "";
}

const char *colour_end(bool colours, enum colour colour)
{
    return colours && colour != COLOUR_NONE ? "\033[0m" : "";
}

bool colours_wanted(int fd)
{
    const char *refused = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(fd) && (!refused || !*refused) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

void say_line(const struct say *say, enum colour colour, struct swale_span line)
{
    struct buffer out = { 0 };
    buffer_puts(&out, colour_begin(say->colours, colour));
    buffer_put(&out, line);
    buffer_puts(&out, colour_end(say->colours, colour));
    buffer_puts(&out, "\n");
    if (!out.failed && say->terminal)
        terminal_print(say->terminal, buffer_span(&out));
    else if (!out.failed)
        fwrite(out.data, 1, out.size, stderr);
    buffer_done(&out);
}

static void say_text(const struct say *say, enum colour colour, const char *format, va_list arguments)
{
    char line[LINE_MAX_SIZE];
    const char *name = say->terminal ? "" : "swale connect: ";
    int size = snprintf(line, sizeof line, "%s", name);
    vsnprintf(line + size, sizeof line - (size_t)size, format, arguments);
    say_line(say, colour, swale_text(line));
}

void say_fault(const struct say *say, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_text(say, COLOUR_RED, format, arguments);
    va_end(arguments);
}

void say_note(const struct say *say, const char *format, ...)
{
    va_list arguments;
    if (say->quiet)
        return;
    va_start(arguments, format);
    say_text(say, COLOUR_DIM, format, arguments);
    va_end(arguments);
}
