#include "app/bench/report.h"

#include <errno.h>
#include <jansson.h>

/* jansson's setters take over what they are given, and do not mind NULL; what ran out of memory on the way shows as
 * a failure of one of them, and `whole` remembers it. */
struct builder {
    bool whole;
};

static void put(struct builder *builder, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) < 0)
        builder->whole = false;
}

static void put_count(struct builder *builder, json_t *object, const char *name, uint64_t count)
{
    put(builder, object, name, json_integer((json_int_t)count));
}

static void put_number(struct builder *builder, json_t *object, const char *name, double number)
{
    put(builder, object, name, json_real(number));
}

static json_t *histogram_json(struct builder *builder, const struct histogram *histogram)
{
    json_t *object = json_object();
    put_count(builder, object, "count", histogram->count);
    put_number(builder, object, "min", (double)histogram->min / 1e3);
    put_number(builder, object, "mean", histogram_mean(histogram) / 1e3);
    for (size_t i = 0; i < report_quantile_count; i++)
        put_number(builder, object, report_quantiles[i].name,
                   (double)histogram_quantile(histogram, report_quantiles[i].millionths) / 1e3);
    put_number(builder, object, "max", (double)histogram->max / 1e3);
    return object;
}

static json_t *connections_json(struct builder *builder, const struct report *report)
{
    json_t *object = json_object();
    put_count(builder, object, "opened", report->total->opened);
    put_count(builder, object, "failed", report->total->failed);
    put_count(builder, object, "lost", report->total->lost);
    put_count(builder, object, "open", report->total->open);
    return object;
}

static json_t *messages_json(struct builder *builder, const struct report *report)
{
    const struct tally *total = report->total;
    json_t *object = json_object();
    put_count(builder, object, "asked", total->asked);
    put_count(builder, object, "sent", total->sent);
    put_count(builder, object, "expected", report_expected(report));
    put_count(builder, object, "received", total->received);
    put_count(builder, object, "verified", total->verified);
    put_count(builder, object, "differed", total->differed);
    put_count(builder, object, "unexpected", total->unexpected);
    put_number(builder, object, "per_second", report_rate(report, total->arrived));
    put_number(builder, object, "sent_per_second", report_rate(report, total->sent));
    return object;
}

static json_t *bytes_json(struct builder *builder, const struct report *report)
{
    json_t *object = json_object();
    put_count(builder, object, "sent", report->total->bytes_sent);
    put_count(builder, object, "received", report->total->bytes_received);
    return object;
}

static json_t *errors_json(struct builder *builder, const struct tally *total)
{
    char name[TALLY_NAME_MAX];
    json_t *object = json_object();
    for (uint32_t i = 0; i < total->error_count; i++) {
        tally_error_name(&total->errors[i], name);
        put_count(builder, object, name, total->errors[i].count);
    }
    if (total->other_errors > 0)
        put_count(builder, object, "others", total->other_errors);
    return object;
}

static json_t *generator_json(struct builder *builder, const struct report *report)
{
    const struct tally *total = report->total;
    json_t *object = json_object();
    put_count(builder, object, "threads", report->plan->workers);
    put_number(builder, object, "user_seconds", (double)total->user_us / 1e6);
    put_number(builder, object, "system_seconds", (double)total->system_us / 1e6);
    put_number(builder, object, "busiest", report->busiest);
    put_count(builder, object, "connection_bytes", total->opened > 0 ? total->memory / total->opened : 0);
    return object;
}

static json_t *warnings_json(struct builder *builder, const struct report *report)
{
    struct report_warnings warnings;
    json_t *array = json_array();
    report_warnings(report, &warnings);
    for (size_t i = 0; i < warnings.count; i++)
        if (json_array_append_new(array, json_string(warnings.lines[i])) < 0)
            builder->whole = false;
    return array;
}

static json_t *rate_json(const struct bench_options *options)
{
    return options->rate ? json_integer((json_int_t)options->rate) : json_null();
}

/* A URL from the command line need not be UTF-8, and jansson takes no other. */
static json_t *url_json(const struct bench_options *options)
{
    json_t *url = json_string(options->url);
    return url ? url : json_null();
}

static json_t *whole_json(struct builder *builder, const struct report *report)
{
    const struct bench_options *options = report->plan->options;
    const struct tally *total = report->total;
    json_t *object = json_object();
    put(builder, object, "version", json_string(swale_version()));
    put(builder, object, "url", url_json(options));
    put(builder, object, "mode", json_string(bench_mode_name(options->mode)));
    put(builder, object, "rate", rate_json(options));
    put_number(builder, object, "seconds", report->seconds);
    put(builder, object, "interrupted", json_boolean(report->interrupted));
    put(builder, object, "connections", connections_json(builder, report));
    put(builder, object, "messages", messages_json(builder, report));
    put(builder, object, "bytes", bytes_json(builder, report));
    put(builder, object, "latency_us", histogram_json(builder, &total->latency));
    put(builder, object, "lateness_us", histogram_json(builder, &total->lateness));
    put(builder, object, "opening_us", histogram_json(builder, &total->opening));
    put(builder, object, "errors", errors_json(builder, total));
    put(builder, object, "generator", generator_json(builder, report));
    put(builder, object, "warnings", warnings_json(builder, report));
    return object;
}

int report_json(const struct report *report, FILE *out)
{
    struct builder builder = { .whole = true };
    json_t *object = whole_json(&builder, report);
    int error = builder.whole ? 0 : -ENOMEM;
    if (error == 0 &&
        (json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) < 0 || fputc('\n', out) == EOF))
        error = -EIO;
    json_decref(object);
    return error;
}
