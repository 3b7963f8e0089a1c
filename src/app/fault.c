#include "app/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <swale/base.h>

int fault_print(int status, const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", command);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
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
