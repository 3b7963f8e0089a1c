/* terminal.h - a prompt at which lines are typed, while other lines appear above it.
 *
 * libedit reads a line and waits for each key. Here it waits by turning the loop, so that everything else goes on;
 * and what is printed meanwhile takes the place of the prompt, which is then drawn again with what was typed. One at
 * a time in a process.
 */
#ifndef SWALE_APP_CONNECT_TERMINAL_H
#define SWALE_APP_CONNECT_TERMINAL_H

#include <swale/loop.h>

struct terminal;

struct terminal_options {
    struct swale_loop *loop;
    const char *history; /* the file, or NULL */
    bool colours;
};

/* Standard input and output are a terminal on which this works. */
bool terminal_possible(void);

/* NULL when memory is out or the terminal refuses. */
struct terminal *terminal_open(const struct terminal_options *options);

/* The next line, without its end, valid until the next call. NULL when there is none: after Ctrl-D or Ctrl-C on an
 * empty line, and after terminal_leave, which also ends a call under way (from a callback of the loop). */
const char *terminal_read(struct terminal *terminal);
void terminal_leave(struct terminal *terminal);

/* Prints whole lines, above the prompt if there is one. */
void terminal_print(struct terminal *terminal, struct swale_span lines);

/* What is to be done when these signals come: Ctrl-C; a new size; Ctrl-Z. For a loop that receives them as events. */
void terminal_interrupt(struct terminal *terminal);
void terminal_resize(struct terminal *terminal);
void terminal_suspend(struct terminal *terminal);

void terminal_close(struct terminal *terminal);

#endif
