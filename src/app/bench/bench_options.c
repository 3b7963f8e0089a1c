#include "app/bench/bench_options.h"

#include "app/bench/pace.h"

#include <string.h>

/* ---- Values ----------------------------------------------------------------------------------------- */

static const char *const modes[] = {
    [BENCH_ECHO] = "echo", [BENCH_FAN_OUT] = "fan-out", [BENCH_STORM] = "storm", [BENCH_IDLE] = "idle"
};

const char *bench_mode_name(enum bench_mode mode)
{
    return modes[mode];
}

static const char *parse_mode(const struct option *option, const char *value, void *options)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(value, modes[i]) != 0)
            continue;
        *(enum bench_mode *)option_place(option, options) = (enum bench_mode)i;
        return NULL;
    }
    return option->expects;
}

bool bench_options_field(const char *header, struct swale_field *field)
{
    const char *colon = strchr(header, ':');
    if (!colon || colon == header)
        return false;
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    field->name = swale_span(header, (size_t)(colon - header));
    field->value = swale_text(value);
    return true;
}

static const char *parse_header(const struct option *option, const char *value, void *options)
{
    struct swale_field field;
    return bench_options_field(value, &field) ? option_list(option, value, options) : option->expects;
}

/* ---- The table -------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct bench_options, member)

static const struct option rows[] = {
    { .help = "What" },
    { "mode", "echo|fan-out|storm|idle", "the kind of load; see the manual (echo)", parse_mode,
      "not echo, fan-out, storm or idle", .offset = AT(mode) },
    { "connections", "N", "of all processes; of a storm: at a time (10)", option_count_32, A_COUNT " to 10000000",
      .offset = AT(connections), .max = 10000000, .letter = 'c' },
    { "subscribers", "N", "fan-out: connections that listen (100)", option_count_32, A_COUNT " to 1000000",
      .offset = AT(subscribers), .max = 1000000 },
    { "publishers", "N", "fan-out: connections that send (1)", option_count_32, A_COUNT " to 10000",
      .offset = AT(publishers), .max = 10000 },
    { "size", "SIZE", "of a message (64; fan-out: 100)", option_size_32, A_SIZE " up to 1g", .offset = AT(size),
      .max = 1024 * 1024 * 1024, .letter = 's' },
    { "binary", NULL, "binary messages of noise, instead of text", option_flag, .offset = AT(binary) },
    { "verify", NULL, "compare every message that comes", option_flag, .offset = AT(verify) },
    { .help = "How fast, how long" },
    { "depth", "N", "in flight for each sender (1; with --rate: any)", option_count_32, A_COUNT " to 1000000",
      .offset = AT(depth), .max = 1000000 },
    { "rate", "N", "open loop: so many a second in all, at fixed times", option_count_64, A_COUNT " to 1000000000",
      .offset = AT(rate), .max = PACE_RATE_MAX, .letter = 'r' },
    { "duration", "TIME", "of measuring, or holding (10s)", option_duration, A_DURATION, .offset = AT(duration_ms),
      .letter = 'd' },
    { "warm-up", "TIME", "before it, not counted; may be off (1s)", option_duration, A_DURATION,
      .offset = AT(warm_up_ms), .may_be_off = true },
    { "count", "N", "instead: end after so many messages or handshakes", option_count_64, A_COUNT,
      .offset = AT(count), .letter = 'n' },
    { "threads", "N", "processes that make the load, of a thread each (1)", option_count_32, A_COUNT " to 256",
      .offset = AT(threads), .max = 256, .letter = 't' },
    { .help = "Connecting" },
    { "header", "FIELD", "\"Name: value\" in the request; repeatable", parse_header, "not \"Name: value\"",
      .offset = AT(headers), .letter = 'H' },
    { "origin", "ORIGIN", "in the request", option_text, "empty", .offset = AT(origin) },
    { "subprotocol", "NAME", "to offer; repeatable", option_list, "empty", .offset = AT(subprotocols) },
    { "deflate", "[=shared|context]", "offer compression, with windows of this kind (off)", option_deflate,
      "not shared or context", .offset = AT(deflate) },
    { "cacert", "FILE", "trust these authorities (the system's)", option_text, "empty", .offset = AT(ca) },
    { "cert", "FILE", "own certificate, PEM", option_text, "empty", .offset = AT(certificate) },
    { "key", "FILE", "its key, PEM", option_text, "empty", .offset = AT(key) },
    { "insecure", NULL, "accept any certificate", option_flag, .offset = AT(insecure) },
    { "resume", NULL, "resume TLS sessions, instead of whole handshakes", option_flag, .offset = AT(resume) },
    { "local-address", "IP", "come from there; repeatable, taken in turns", option_list, "empty",
      .offset = AT(local_addresses) },
    { "opening", "N", "at most so many at a time, in each process (100)", option_count_32, A_COUNT " to 100000",
      .offset = AT(opening), .max = 100000 },
    { "timeout", "TIME", "for a connection to open, an answer to come (10s)", option_duration, A_DURATION,
      .offset = AT(timeout_ms) },
    { .help = "Else" },
    { "json", NULL, "the results as JSON", option_flag, .offset = AT(json) },
    { "help", NULL, "what you are reading", option_flag, .offset = AT(help) },
    { "version", NULL, "the version", option_flag, .offset = AT(version) },
};

const struct option_table bench_command_line = {
    .command = "swale bench",
    .operand = "URL",
    .operand_offset = AT(url),
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
};

void bench_options_help(FILE *out)
{
    options_help(&bench_command_line, out);
}

/* ---- Contradictions --------------------------------------------------------------------------------- */

static const char *contradiction_of_mode(const struct bench_options *options)
{
    bool messages = options->mode == BENCH_ECHO || options->mode == BENCH_FAN_OUT;
    if (options->mode == BENCH_FAN_OUT && options->connections)
        return "--connections with --mode fan-out: give --subscribers and --publishers";
    if (options->mode != BENCH_FAN_OUT && (options->subscribers || options->publishers))
        return "--subscribers and --publishers are for --mode fan-out";
    if (!messages && (options->size || options->binary || options->verify || options->depth))
        return "--size, --binary, --verify and --depth are for modes with messages: echo and fan-out";
    if (options->mode == BENCH_FAN_OUT && options->size && options->size < BENCH_FAN_OUT_SIZE_MIN)
        return "--size: at least 33 for fan-out, whose messages carry their time and number";
    if (options->mode == BENCH_IDLE && (options->count || options->warm_up_ms))
        return "--count and --warm-up do not go with --mode idle";
    return NULL;
}

/* What is contradictory, or NULL. */
static const char *contradiction(const struct bench_options *options)
{
    if (!options->url)
        return "the URL is missing; see swale bench --help";
    if (options->count && (options->duration_ms || options->warm_up_ms))
        return "--count instead of --duration and --warm-up, not with them";
    if (options->certificate && !options->key)
        return "--cert without --key";
    if (options->key && !options->certificate)
        return "--key without --cert";
    if (options->insecure && options->ca)
        return "--insecure with --cacert: what is not verified needs no authorities";
    return contradiction_of_mode(options);
}

/* ---- All of it -------------------------------------------------------------------------------------- */

static void set_default(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void apply_defaults(struct bench_options *options)
{
    bool warm = !options->count && options->mode != BENCH_IDLE;
    if (options->mode == BENCH_FAN_OUT) {
        set_default(&options->subscribers, 100);
        set_default(&options->publishers, 1);
        options->connections = options->subscribers + options->publishers;
    }
    set_default(&options->connections, 10);
    set_default(&options->threads, 1);
    set_default(&options->duration_ms, 10000);
    set_default(&options->warm_up_ms, warm ? 1000 : SWALE_OFF);
    if (options->warm_up_ms == SWALE_OFF)
        options->warm_up_ms = 0;
    set_default(&options->depth, options->rate ? UINT32_MAX : 1);
    set_default(&options->size, options->mode == BENCH_FAN_OUT ? 100 : 64);
    set_default(&options->timeout_ms, 10000);
    set_default(&options->opening, 100);
}

void bench_options_done(struct bench_options *options)
{
    option_list_done(&options->headers);
    option_list_done(&options->subprotocols);
    option_list_done(&options->local_addresses);
    *options = (struct bench_options){ 0 };
}

int bench_options_parse(struct bench_options *options, int count, char **arguments, char *fault)
{
    *options = (struct bench_options){ 0 };
    if (options_parse(&bench_command_line, options, count, arguments, fault) < 0)
        return -1;
    const char *wrong = options->help || options->version ? NULL : contradiction(options);
    if (wrong)
        snprintf(fault, OPTIONS_FAULT_MAX, "%s", wrong);
    else
        apply_defaults(options);
    return wrong ? -1 : 0;
}
