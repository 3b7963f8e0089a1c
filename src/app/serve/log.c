#include "app/serve/log.h"

#include "app/text.h"

#include <string.h>

struct line {
    enum log_format format;
    struct text text;
};

static const char *event_name(enum swale_record_kind kind)
{
    switch (kind) {
    case SWALE_RECORD_LISTEN:
        return "listen";
    case SWALE_RECORD_OPEN:
        return "open";
    case SWALE_RECORD_CLOSE:
        return "close";
    case SWALE_RECORD_REQUEST:
        return "request";
    case SWALE_RECORD_REFUSE:
        return "refuse";
    case SWALE_RECORD_ACCEPT:
        return "accept";
    case SWALE_RECORD_TLS:
        return "tls";
    case SWALE_RECORD_DRAIN:
        return "drain";
    case SWALE_RECORD_BACKEND:
        return "backend";
    }
    return "event";
}

/* ---- Fields; those that are empty or 0 are left out ------------------------------------------------- */

static void put_key(struct line *line, const char *key)
{
    text_putf(&line->text, line->format == LOG_JSON ? ",\"%s\":" : " %s=", key);
}

static void put_number(struct line *line, const char *key, uint64_t number)
{
    if (number == 0)
        return;
    put_key(line, key);
    text_putf(&line->text, "%llu", (unsigned long long)number);
}

static void put_bytes(struct line *line, const char *key, struct swale_span bytes)
{
    if (bytes.size == 0)
        return;
    put_key(line, key);
    if (line->format == LOG_JSON)
        text_put_json(&line->text, bytes);
    else
        text_put_quoted(&line->text, bytes);
}

/* For our own short words. */
static void put_word(struct line *line, const char *key, const char *word)
{
    put_key(line, key);
    text_putf(&line->text, line->format == LOG_JSON ? "\"%s\"" : "%s", word);
}

static void put_target(struct line *line, struct swale_span target)
{
    const char *query = target.size > 0 ? memchr(target.data, '?', target.size) : NULL;
    if (query)
        target.size = (size_t)(query - target.data);
    put_bytes(line, "path", target);
    if (query)
        put_word(line, "query", "hidden");
}

static void put_address(struct line *line, const struct swale_record *record)
{
    const char *key = record->kind == SWALE_RECORD_LISTEN ? "address" : "peer";
    struct swale_span address = record->address;
    if (record->port == 0) {
        put_bytes(line, key, address);
        return;
    }
    char buffer[128];
    struct text whole;
    text_init(&whole, buffer, sizeof buffer);
    bool ipv6 = address.size > 0 && memchr(address.data, ':', address.size) != NULL;
    text_putf(&whole, ipv6 ? "[%.*s]:%u" : "%.*s:%u", (int)address.size, address.data, record->port);
    put_bytes(line, key, swale_span(whole.data, whole.size));
}

static void put_reason(struct line *line, int reason)
{
    if (reason == 0)
        return;
    put_word(line, "reason", swale_error_name(reason));
    put_bytes(line, "fault", swale_text(swale_strerror(reason)));
}

static void put_fields(struct line *line, const struct swale_record *record)
{
    put_number(line, "id", record->id);
    put_address(line, record);
    put_bytes(line, "method", record->method);
    put_target(line, record->target);
    put_number(line, "status", (uint64_t)record->status);
    put_reason(line, record->reason);
    put_number(line, "code", (uint64_t)record->code);
    put_number(line, "ms", record->duration_ms);
    put_number(line, "connections", record->connections);
    put_bytes(line, "host", record->host);
    put_bytes(line, "origin", record->origin);
    put_bytes(line, "agent", record->user_agent);
    put_bytes(line, "text", record->text);
}

/* ---- Lines ------------------------------------------------------------------------------------------ */

size_t log_line(enum log_format format, const struct swale_record *record, const struct timespec *now, char *out)
{
    struct line line = { .format = format };
    struct tm utc;
    char date[32];
    gmtime_r(&now->tv_sec, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    text_init(&line.text, out, LOG_LINE_MAX);
    text_putf(&line.text, format == LOG_JSON ? "{\"time\":\"%s.%03ldZ\",\"event\":\"%s\"" : "%s.%03ldZ %s", date,
              now->tv_nsec / 1000000, event_name(record->kind));
    put_fields(&line, record);
    text_put(&line.text, format == LOG_JSON ? "}\n" : "\n");
    return line.text.size;
}

void log_record(void *context, const struct swale_record *record)
{
    struct log *log = context;
    if (!log->sink)
        return;
    struct timespec now;
    char line[LOG_LINE_MAX];
    clock_gettime(CLOCK_REALTIME, &now);
    sink_put(log->sink, line, log_line(log->format, record, &now, line));
}

void log_event(struct log *log, enum swale_record_kind kind, int reason, const char *text)
{
    log_record(log, &(struct swale_record){ .kind = kind, .reason = reason, .text = swale_text(text) });
}
