/* log.h - what the server reports, as lines: text for people or JSON for machines, one line an event. */
#ifndef SWALE_APP_LOG_H
#define SWALE_APP_LOG_H

#include "app/sink.h"

#include <swale/server.h>
#include <time.h>

enum log_format { LOG_TEXT, LOG_JSON, LOG_OFF };

struct log {
    enum log_format format;
    struct sink *sink; /* NULL when off */
};

/* A swale_server_options.log whose context is a struct log. */
void log_record(void *context, const struct swale_record *record);

/* An event of the program itself; a reason of 0 is a success. */
void log_event(struct log *log, enum swale_record_kind kind, int reason, const char *text);

/* One line with its newline, at most LOG_LINE_MAX bytes with the terminator. What peers sent is escaped and cut,
 * and of a target only the path is shown: queries carry tokens. Returns its length. */
enum { LOG_LINE_MAX = 16384 };
size_t log_line(enum log_format format, const struct swale_record *record, const struct timespec *now, char *out);

#endif
