/* fault.h - what the program says when something fails: one line on standard error. */
#ifndef SWALE_APP_FAULT_H
#define SWALE_APP_FAULT_H

/* What is common to the exit statuses of all subcommands. */
enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* Prints "COMMAND: " and the text as a line; returns `status`, for the caller to return in turn. */
int fault_print(int status, const char *command, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As the error's own text, without the capital with which the system's begins. One thread at a time. */
const char *fault_text(int error);

#endif
