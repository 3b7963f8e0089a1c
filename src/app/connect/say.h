/* say.h - lines for people: on standard error, or above the prompt of a terminal. What peers sent is escaped before
 * it comes here. */
#ifndef SWALE_APP_CONNECT_SAY_H
#define SWALE_APP_CONNECT_SAY_H

#include "app/buffer.h"

struct terminal;

enum colour { COLOUR_NONE, COLOUR_DIM, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_CYAN };

struct say {
    struct terminal *terminal; /* NULL: standard error */
    bool quiet;
    bool colours; /* where the lines go */
};

/* "swale connect: TEXT" (without the name above a prompt), whatever the options. */
void say_fault(const struct say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Likewise, but not when quiet. */
void say_note(const struct say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line as it is, whether quiet or not. */
void say_line(const struct say *say, enum colour colour, struct swale_span line);

/* The sequences before and behind coloured text; empty without colours. */
const char *colour_begin(bool colours, enum colour colour);
const char *colour_end(bool colours, enum colour colour);

/* Colours are wanted on this descriptor: a terminal that is not "dumb", and no NO_COLOR (no-color.org). */
bool colours_wanted(int fd);

#endif
