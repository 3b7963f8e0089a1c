#include "app/bench/report.h"

#include <stdarg.h>
#include <string.h>

typedef unsigned long long wide; /* what %llu takes */

const struct report_quantile report_quantiles[] = {
    { "p50", 500000 }, { "p75", 750000 },   { "p90", 900000 },
    { "p99", 990000 }, { "p99.9", 999000 }, { "p99.99", 999900 },
};
const size_t report_quantile_count = sizeof report_quantiles / sizeof report_quantiles[0];

uint64_t report_expected(const struct report *report)
{
    bool fan_out = report->plan->options->mode == BENCH_FAN_OUT;
    return report->total->sent * (fan_out ? report->total->subscribers : 1);
}

double report_rate(const struct report *report, uint64_t count)
{
    return report->seconds > 0 ? (double)count / report->seconds : 0;
}

/* ---- Warnings --------------------------------------------------------------------------------------- */

static void warn(struct report_warnings *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct report_warnings *warnings, const char *format, ...)
{
    va_list arguments;
    if (warnings->count == REPORT_WARNINGS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(warnings->lines[warnings->count++], REPORT_WARNING_MAX, format, arguments);
    va_end(arguments);
}

/* A generator whose thread has no time left measures itself. */
#define BUSY_TOO_MUCH 0.9

/* So much less than asked is more than the edges of the time that is measured. */
#define BEHIND_TOO_MUCH 0.99

static void warn_of_load(const struct report *report, struct report_warnings *warnings)
{
    const struct tally *total = report->total;
    if (report->busiest > BUSY_TOO_MUCH)
        warn(warnings, "a thread of the generator was busy %.0f%% of the time: it may be what limits; more --threads",
             report->busiest * 100);
    if (total->sent < total->asked)
        warn(warnings, "%llu of %llu messages could not be sent in time: %s", (wide)(total->asked - total->sent),
             (wide)total->asked, total->lost > 0 ? "connections were lost" : "the rate asked for is too high");
    else if (report->plan->options->rate &&
             (double)total->arrived < BEHIND_TOO_MUCH * (double)report_expected(report))
        warn(warnings, "answers came slower than messages were sent: the latencies are those of a growing queue");
}

static void warn_of_losses(const struct report *report, struct report_warnings *warnings)
{
    const struct tally *total = report->total;
    uint64_t expected = report_expected(report);
    bool storm = report->plan->options->mode == BENCH_STORM;
    if (total->differed > 0)
        warn(warnings, "%llu messages differed from what they should have been", (wide)total->differed);
    if (!storm && total->received < expected)
        warn(warnings, "%llu of %llu messages never came, and are not in the latencies",
             (wide)(expected - total->received), (wide)expected);
    if (total->unexpected > 0)
        warn(warnings, "%llu messages came that nobody had asked for", (wide)total->unexpected);
    if (report->dead > 0)
        warn(warnings, "%u processes ended without results", report->dead);
}

void report_warnings(const struct report *report, struct report_warnings *warnings)
{
    warnings->count = 0;
    warn_of_load(report, warnings);
    warn_of_losses(report, warnings);
}

/* ---- The table -------------------------------------------------------------------------------------- */

enum { CELL = 32 };

/* Three significant digits, which is what a histogram knows. */
static const char *put_time(double ns, char *out)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
    size_t n = 0;
    while (n + 1 < sizeof units / sizeof units[0] && ns >= units[n + 1].ns)
        n++;
    double value = ns / units[n].ns;
    snprintf(out, CELL, "%.*f %s", value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, units[n].name);
    return out;
}

static const char *put_bytes(double bytes, char *out)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t n = 0;
    for (; n + 1 < sizeof units / sizeof units[0] && bytes >= 1024; n++)
        bytes /= 1024;
    snprintf(out, CELL, "%.*f %s", n == 0 || bytes >= 99.95 ? 0 : 1, bytes, units[n]);
    return out;
}

/* Thousands are set apart, since such numbers are compared by eye. */
static const char *put_count(uint64_t count, char *out)
{
    char digits[CELL];
    int length = snprintf(digits, sizeof digits, "%llu", (wide)count);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ' ';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

static const char *put_rate(double rate, char *out)
{
    if (rate >= 100)
        return put_count((uint64_t)(rate + 0.5), out);
    snprintf(out, CELL, "%.3g", rate);
    return out;
}

static void print_histogram(const char *name, const struct histogram *histogram, FILE *out)
{
    char cell[CELL];
    if (histogram->count == 0)
        return;
    fprintf(out, "%-12s", name);
    for (size_t i = 0; i < report_quantile_count; i++)
        fprintf(out, "%10s", put_time((double)histogram_quantile(histogram, report_quantiles[i].millionths), cell));
    fprintf(out, "%10s", put_time((double)histogram->max, cell));
    fprintf(out, "%10s\n", put_time(histogram_mean(histogram), cell));
}

static void print_histograms(const struct report *report, FILE *out)
{
    const struct tally *total = report->total;
    fprintf(out, "\n%-12s", "");
    for (size_t i = 0; i < report_quantile_count; i++)
        fprintf(out, "%10s", report_quantiles[i].name);
    fprintf(out, "%10s%10s\n", "max", "mean");
    print_histogram("latency", &total->latency, out);
    print_histogram("sent late", &total->lateness, out);
    if (report->plan->options->mode != BENCH_STORM)
        print_histogram("opening", &total->opening, out);
}

static void print_connections(const struct report *report, FILE *out)
{
    const struct tally *total = report->total;
    char cell[4][CELL];
    fprintf(out, "connections   %s opened, %s failed, %s lost", put_count(total->opened, cell[0]),
            put_count(total->failed, cell[1]), put_count(total->lost, cell[2]));
    if (report->plan->options->mode == BENCH_IDLE)
        fprintf(out, ", %s open at the end", put_count(total->open, cell[3]));
    fputc('\n', out);
}

static void print_messages(const struct report *report, FILE *out)
{
    const struct tally *total = report->total;
    bool fan_out = report->plan->options->mode == BENCH_FAN_OUT;
    char cell[3][CELL];
    fprintf(out, "messages      %s sent, %s %s", put_count(total->sent, cell[0]), put_count(total->received, cell[1]),
            fan_out ? "delivered" : "answered");
    if (report->plan->options->verify)
        fprintf(out, ", %s verified", put_count(total->verified, cell[2]));
    fprintf(out, "\nthroughput    %s %s/s", put_rate(report_rate(report, total->arrived), cell[0]),
            fan_out ? "deliveries" : "messages");
    fprintf(out, ", %s/s out, %s/s in (payload)\n", put_bytes(report_rate(report, total->bytes_sent), cell[1]),
            put_bytes(report_rate(report, total->bytes_received), cell[2]));
}

static void print_handshakes(const struct report *report, FILE *out)
{
    const struct tally *total = report->total;
    char cell[2][CELL];
    fprintf(out, "handshakes    %s in the time measured, %s/s\n", put_count(total->received, cell[0]),
            put_rate(report_rate(report, total->arrived), cell[1]));
}

/* Of fan-out, a message is done when all subscribers have it: each delivery is a part of that. */
static void print_pace(const struct report *report, FILE *out)
{
    const struct tally *total = report->total;
    bool fan_out = report->plan->options->mode == BENCH_FAN_OUT;
    double parts = fan_out && total->subscribers > 0 ? (double)total->subscribers : 1;
    char cell[3][CELL];
    if (report->plan->options->rate && report->plan->options->mode != BENCH_IDLE)
        fprintf(out, "rate          asked %s/s, sent %s/s, done %s/s\n",
                put_rate(report_rate(report, total->asked), cell[0]),
                put_rate(report_rate(report, total->sent), cell[1]),
                put_rate(report_rate(report, total->arrived) / parts, cell[2]));
}

static void print_errors(const struct tally *total, FILE *out)
{
    char name[TALLY_NAME_MAX];
    char cell[CELL];
    for (uint32_t i = 0; i < total->error_count; i++) {
        tally_error_name(&total->errors[i], name);
        fprintf(out, "%-14s%s  %s\n", i == 0 ? "errors" : "", put_count(total->errors[i].count, cell), name);
    }
    if (total->other_errors > 0)
        fprintf(out, "%-14s%s  others\n", "", put_count(total->other_errors, cell));
    if (total->fault[0])
        fprintf(out, "%-14s%s\n", "the first", total->fault);
}

static double part_of(uint64_t used, uint64_t whole)
{
    return whole > 0 ? (double)used / (double)whole : 0;
}

static const char *noun(enum bench_mode mode)
{
    return mode == BENCH_STORM ? "handshake" : mode == BENCH_FAN_OUT ? "delivery" : "message";
}

static void print_generator(const struct report *report, FILE *out)
{
    const struct tally *total = report->total;
    char cell[CELL];
    fprintf(out, "generator     %u thread%s, busy %.0f%% (user %.0f%%, system %.0f%%)", report->plan->workers,
            report->plan->workers == 1 ? "" : "s", 100 * part_of(total->user_us + total->system_us, total->wall_us),
            100 * part_of(total->user_us, total->wall_us), 100 * part_of(total->system_us, total->wall_us));
    if (report->plan->workers > 1)
        fprintf(out, ", the busiest %.0f%%", 100 * report->busiest);
    if (total->received > 0)
        fprintf(out, ", %.2f us for each %s", part_of(total->user_us + total->system_us, total->received),
                noun(report->plan->options->mode));
    if (report->plan->options->mode == BENCH_IDLE && total->opened > 0)
        fprintf(out, ", %s for each connection", put_bytes(part_of(total->memory, total->opened), cell));
    fputc('\n', out);
}

static void print_heading(const struct report *report, FILE *out)
{
    const struct bench_options *options = report->plan->options;
    const char *loop = options->rate ? ", open loop" : ", closed loop";
    fprintf(out, "%s: %s%s, %.3g s measured%s\n", options->url, bench_mode_name(options->mode),
            options->mode == BENCH_IDLE ? "" : loop, report->seconds, report->interrupted ? " (interrupted)" : "");
}

void report_table(const struct report *report, FILE *out)
{
    enum bench_mode mode = report->plan->options->mode;
    struct report_warnings warnings;
    print_heading(report, out);
    print_connections(report, out);
    if (mode == BENCH_STORM)
        print_handshakes(report, out);
    else if (mode != BENCH_IDLE)
        print_messages(report, out);
    print_pace(report, out);
    print_errors(report->total, out);
    print_generator(report, out);
    print_histograms(report, out);
    report_warnings(report, &warnings);
    for (size_t i = 0; i < warnings.count; i++)
        fprintf(out, "%swarning: %s\n", i == 0 ? "\n" : "", warnings.lines[i]);
}
