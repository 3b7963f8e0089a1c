#include "app/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <swale/base.h>

enum { FAULT_MAX = 8192 };

/* Made whole first, so that it is one write: a log may be writing to the same place. */
int fault_print(int status, const char *command, const char *format, ...)
{
    char text[FAULT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s\n", command, text);
    return status;
}

const char *fault_text(int error)
{
    static char text[128];
    if (error <= -1000 || error >= 0)
        return swale_strerror(error);
    snprintf(text, sizeof text, "%s", swale_strerror(error));
    if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a')
        text[0] = (char)(text[0] - 'A' + 'a');
    return text;
}
