#include "app/serve/metrics.h"

typedef unsigned long long wide; /* what %llu prints */

static const char *reason_name(int slot)
{
    return slot == 0 ? "system" : swale_error_name(swale_error_at(slot));
}

/* Only these end connections or refuse requests; slot 0 is for faults of the system. */
static bool can_be_reason(int slot)
{
    return slot == 0 || swale_error_at(slot) < -2000;
}

/* ---- Prometheus ------------------------------------------------------------------------------------- */

static void put_head(struct text *out, const char *name, const char *type, const char *help)
{
    text_putf(out, "# HELP swale_%s %s\n# TYPE swale_%s %s\n", name, help, name, type);
}

static void put_one(struct text *out, const char *name, const char *type, const char *help, uint64_t value)
{
    put_head(out, name, type, help);
    text_putf(out, "swale_%s %llu\n", name, (wide)value);
}

/* A metric with one label that has two values. */
struct pair {
    const char *name, *type, *help, *label;
    const char *first, *second;
    uint64_t a, b;
};

static void put_pair(struct text *out, const struct pair *pair)
{
    put_head(out, pair->name, pair->type, pair->help);
    text_putf(out, "swale_%s{%s=\"%s\"} %llu\n", pair->name, pair->label, pair->first, (wide)pair->a);
    text_putf(out, "swale_%s{%s=\"%s\"} %llu\n", pair->name, pair->label, pair->second, (wide)pair->b);
}

static void put_seconds(struct text *out, const char *name, const char *type, const char *help, uint64_t us)
{
    put_head(out, name, type, help);
    text_putf(out, "swale_%s %llu.%06llu\n", name, (wide)(us / 1000000), (wide)(us % 1000000));
}

static void put_reasons(struct text *out, const char *name, const char *help, const uint64_t *counters)
{
    put_head(out, name, "counter", help);
    for (int slot = 0; slot < SWALE_ERROR_SLOTS; slot++)
        if (can_be_reason(slot))
            text_putf(out, "swale_%s{reason=\"%s\"} %llu\n", name, reason_name(slot), (wide)counters[slot]);
}

static void put_process(const struct metrics *metrics, struct text *out)
{
    put_head(out, "info", "gauge", "The version of the program.");
    text_putf(out, "swale_info{version=\"%s\"} 1\n", swale_version());
    text_putf(out,
              "# HELP process_start_time_seconds When the process started, in seconds since 1970.\n"
              "# TYPE process_start_time_seconds gauge\n"
              "process_start_time_seconds %lld.%03ld\n",
              (long long)metrics->started.tv_sec, metrics->started.tv_nsec / 1000000);
    put_one(out, "log_lines_dropped_total", "counter", "Log lines that could not be written.",
            metrics->log ? sink_dropped(metrics->log) : 0);
}

static void put_connections(const struct swale_server_stats *stats, struct text *out)
{
    const struct pair states = {
        "connections", "gauge",       "Connections now, by state.", "state",
        "open",        "handshaking", stats->connections_open,      stats->connections_handshaking
    };
    put_pair(out, &states);
    put_one(out, "connections_opened_total", "counter", "WebSocket connections that were opened.",
            stats->connections_opened);
    put_one(out, "accepted_total", "counter", "Transport connections that were accepted.", stats->accepted);
    put_one(out, "accept_errors_total", "counter", "Failures to accept.", stats->accept_errors);
    put_one(out, "requests_total", "counter", "HTTP requests, upgrades included.", stats->requests);
    put_reasons(out, "closed_total", "WebSocket connections that ended, by reason.", stats->closed);
    put_reasons(out, "refused_total", "Requests and connections that were refused, by reason.", stats->refused);
}

static void put_traffic(const struct swale_server_stats *stats, struct text *out)
{
    const struct pair pairs[] = {
        { "messages_total", "counter", "Messages.", "direction", "in", "out", stats->messages_in,
          stats->messages_out },
        { "message_bytes_total", "counter", "Payload of messages, in bytes.", "direction", "in", "out",
          stats->bytes_in, stats->bytes_out },
        { "wire_bytes_total", "counter", "WebSocket frames as they travel, in bytes, TLS apart.", "direction", "in",
          "out", stats->wire_in, stats->wire_out },
        { "heartbeats_total", "counter", "Control frames received, by kind.", "kind", "ping", "pong", stats->pings_in,
          stats->pongs_in },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        put_pair(out, &pairs[i]);
    put_one(out, "queued_bytes", "gauge", "Bytes waiting in the out-queues of all connections.", stats->queued);
}

static void put_loops(const struct swale_loop_stats *loops, struct text *out)
{
    put_one(out, "loop_turns_total", "counter", "Turns of all event loops.", loops->turns);
    put_one(out, "loop_events_total", "counter", "Events handled by all event loops.", loops->events);
    put_seconds(out, "loop_busy_seconds_total", "counter", "Time that the loops spent outside the kernel's wait.",
                loops->busy_us);
    put_one(out, "loop_timers", "gauge", "Timers that run.", loops->timers);
    put_seconds(out, "loop_lag_seconds", "gauge", "The latest turn, of the slowest loop.", loops->lag_last_us);
    put_seconds(out, "loop_lag_max_seconds", "gauge", "The longest turn so far.", loops->lag_max_us);
}

/* Deliveries are counted so that the totals never go down: one that is dropped later stays a delivery. */
static void put_hub(const struct swale_hub_stats *hub, struct text *out)
{
    uint64_t all = hub->delivered + hub->dropped + hub->closed + hub->failed;
    put_one(out, "topics", "gauge", "Topics now.", hub->topics);
    put_one(out, "subscriptions", "gauge", "Subscriptions now.", hub->subscriptions);
    put_one(out, "published_total", "counter", "Messages published on topics.", hub->published);
    put_one(out, "deliveries_total", "counter", "Published messages times their subscribers.", all);
    put_head(out, "deliveries_lost_total", "counter", "Deliveries that did not take place, by what happened.");
    text_putf(out, "swale_deliveries_lost_total{outcome=\"dropped\"} %llu\n", (wide)hub->dropped);
    text_putf(out, "swale_deliveries_lost_total{outcome=\"closed\"} %llu\n", (wide)hub->closed);
    text_putf(out, "swale_deliveries_lost_total{outcome=\"failed\"} %llu\n", (wide)hub->failed);
}

void metrics_prometheus(const struct metrics *metrics, struct text *out)
{
    struct swale_server_stats stats;
    struct swale_hub_stats hub;
    swale_server_stats(metrics->server, &stats);
    swale_hub_stats(metrics->hub, &hub);
    put_process(metrics, out);
    put_connections(&stats, out);
    put_traffic(&stats, out);
    put_loops(&stats.loops, out);
    put_hub(&hub, out);
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

static uint64_t steady_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void put_json_reasons(struct text *out, const char *name, const uint64_t *counters)
{
    const char *comma = "";
    text_putf(out, ",\"%s\":{", name);
    for (int slot = 0; slot < SWALE_ERROR_SLOTS; slot++) {
        if (counters[slot] == 0)
            continue;
        text_putf(out, "%s\"%s\":%llu", comma, reason_name(slot), (wide)counters[slot]);
        comma = ",";
    }
    text_put(out, "}");
}

/* The loops only know their longest turn ever. When that has grown, it was the longest since the last snapshot;
 * otherwise the latest turn stands for the second, as a sample. */
static uint64_t window_lag(const struct swale_loop_stats *loops, uint64_t *lag_max_us)
{
    bool grown = loops->lag_max_us > *lag_max_us;
    *lag_max_us = loops->lag_max_us;
    return grown ? loops->lag_max_us : loops->lag_last_us;
}

void metrics_snapshot(const struct metrics *metrics, uint64_t *lag_max_us, struct text *out)
{
    struct swale_server_stats stats;
    struct swale_hub_stats hub;
    swale_server_stats(metrics->server, &stats);
    swale_hub_stats(metrics->hub, &hub);
    text_putf(out, "{\"time_ms\":%llu,\"connections\":{\"open\":%llu,\"handshaking\":%llu,\"opened\":%llu}",
              (wide)steady_ms(), (wide)stats.connections_open, (wide)stats.connections_handshaking,
              (wide)stats.connections_opened);
    text_putf(out, ",\"messages\":{\"in\":%llu,\"out\":%llu},\"bytes\":{\"in\":%llu,\"out\":%llu},\"queued\":%llu",
              (wide)stats.messages_in, (wide)stats.messages_out, (wide)stats.bytes_in, (wide)stats.bytes_out,
              (wide)stats.queued);
    text_putf(out, ",\"lag_us\":{\"last\":%llu,\"max\":%llu}", (wide)stats.loops.lag_last_us,
              (wide)window_lag(&stats.loops, lag_max_us));
    put_json_reasons(out, "closed", stats.closed);
    put_json_reasons(out, "refused", stats.refused);
    text_putf(out, ",\"topics\":%llu,\"subscriptions\":%llu,\"delivered\":%llu,\"dropped\":%llu}", (wide)hub.topics,
              (wide)hub.subscriptions, (wide)hub.delivered, (wide)hub.dropped);
}
