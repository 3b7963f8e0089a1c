/* serve_options.c - one table says what each option is called, what it takes, where that goes, and what --help
 * shows; a few checks at the end find contradictions. */
#include "serve_options.h"

#include "text.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

struct option {
    const char *name;
    const char *argument; /* as shown; NULL: a flag; in brackets: optional, and then only behind '=' */
    const char *help;
    /* Puts the value where it belongs; false when it is not what `expects` says. */
    bool (*parse)(const struct option *option, const char *value, struct serve_options *options);
    const char *expects;
    size_t offset; /* of what it sets in struct serve_options */
    uint64_t max;
    bool may_be_off; /* "off" and "unlimited" are values too */
};

/* ---- Values ----------------------------------------------------------------------------------------- */

static void *place(const struct option *option, struct serve_options *options)
{
    return (char *)options + option->offset;
}

static bool says_off(const struct option *option, const char *value)
{
    return option->may_be_off && (strcmp(value, "off") == 0 || strcmp(value, "unlimited") == 0);
}

/* What reads a number: units_count and its like. */
typedef bool reader(const char *text, uint64_t *out);

/* In the library 0 means the default, so it cannot be asked for here. */
static bool set_64(const struct option *option, const char *value, reader *read, struct serve_options *options)
{
    uint64_t number = SWALE_UNLIMITED;
    if (!says_off(option, value) && (!read(value, &number) || number == 0 || number == SWALE_UNLIMITED))
        return false;
    *(uint64_t *)place(option, options) = number;
    return true;
}

static bool set_32(const struct option *option, const char *value, reader *read, struct serve_options *options)
{
    uint64_t number = SWALE_OFF;
    uint64_t max = option->max ? option->max : SWALE_OFF - 1;
    if (!says_off(option, value) && (!read(value, &number) || number == 0 || number > max))
        return false;
    *(uint32_t *)place(option, options) = (uint32_t)number;
    return true;
}

static bool parse_size_64(const struct option *option, const char *value, struct serve_options *options)
{
    return set_64(option, value, units_size, options);
}

static bool parse_size_32(const struct option *option, const char *value, struct serve_options *options)
{
    return set_32(option, value, units_size, options);
}

static bool parse_count_64(const struct option *option, const char *value, struct serve_options *options)
{
    return set_64(option, value, units_count, options);
}

static bool parse_count_32(const struct option *option, const char *value, struct serve_options *options)
{
    return set_32(option, value, units_count, options);
}

static bool parse_duration(const struct option *option, const char *value, struct serve_options *options)
{
    return set_32(option, value, units_duration, options);
}

static bool parse_gone(const struct option *option, const char *value, struct serve_options *options)
{
    options->gone_given = true;
    return parse_duration(option, value, options);
}

static bool parse_compress_threshold(const struct option *option, const char *value, struct serve_options *options)
{
    options->compress_threshold_given = true;
    return parse_size_32(option, value, options);
}

static bool parse_flag(const struct option *option, const char *value, struct serve_options *options)
{
    (void)value;
    *(bool *)place(option, options) = true;
    return true;
}

static bool parse_text(const struct option *option, const char *value, struct serve_options *options)
{
    *(const char **)place(option, options) = value;
    return *value != 0;
}

/* The lists have room for every argument that there is. */
static bool parse_list(const struct option *option, const char *value, struct serve_options *options)
{
    struct option_list *list = place(option, options);
    list->items[list->count++] = value;
    return *value != 0;
}

static bool parse_origin(const struct option *option, const char *value, struct serve_options *options)
{
    const char *host = strstr(value, "://");
    bool good = host && host != value && host[3] != 0 && !strchr(host + 3, '/');
    bool special = strcmp(value, "*") == 0 || strcmp(value, "null") == 0;
    return (good || special) && parse_list(option, value, options);
}

static bool parse_log(const struct option *option, const char *value, struct serve_options *options)
{
    static const char *const formats[] = { [LOG_TEXT] = "text", [LOG_JSON] = "json", [LOG_OFF] = "off" };
    (void)option;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(value, formats[i]) != 0)
            continue;
        options->log = (enum log_format)i;
        return true;
    }
    return false;
}

static bool parse_backend(const struct option *option, const char *value, struct serve_options *options)
{
    (void)option;
    options->server.backend = strcmp(value, "epoll") == 0 ? SWALE_BACKEND_EPOLL : SWALE_BACKEND_AUTO;
    return strcmp(value, "epoll") == 0 || strcmp(value, "auto") == 0;
}

static bool parse_deflate(const struct option *option, const char *value, struct serve_options *options)
{
    (void)option;
    bool context = value && strcmp(value, "context") == 0;
    options->server.deflate.enabled = true;
    options->server.deflate.server_context_takeover = context;
    options->server.deflate.client_context_takeover = context;
    return !value || context || strcmp(value, "shared") == 0;
}

/* ---- The table -------------------------------------------------------------------------------------- */

#define A_COUNT    "not a number from 1"
#define A_SIZE     "not a size such as 4096, 64k or 1m"
#define A_DURATION "not a duration such as 500ms, 10s or 2m"
#define AT(member) offsetof(struct serve_options, member)

/* A line without a name heads a group. */
static const struct option table[] = {
    { .help = "Where" },
    { "listen", "ADDRESS", "HOST:PORT, unix:PATH; repeatable (127.0.0.1:8080)", parse_list, "empty", AT(listen), 0,
      false },
    { "backlog", "N", "connections that may wait to be accepted (4096)", parse_count_32, A_COUNT " to 65535",
      AT(backlog), 65535, false },
    { "threads", "N", "one event loop each (one for each core)", parse_count_32, A_COUNT " to 256",
      AT(server.threads), 256, false },
    { "backend", "NAME", "auto or epoll (auto)", parse_backend, "not auto or epoll", 0, 0, false },
    { "tls-cert", "FILE", "PEM chain; repeatable with --tls-key, one a name", parse_list, "empty", AT(certificates),
      0, false },
    { "tls-key", "FILE", "PEM key of the certificate", parse_list, "empty", AT(keys), 0, false },
    { "tls-client-ca", "FILE", "ask clients for a certificate of these", parse_text, "empty", AT(client_ca), 0,
      false },
    { "tls-client-optional", NULL, "... and also let in clients that have none", parse_flag, NULL,
      AT(client_optional), 0, false },
    { .help = "What" },
    { "root", "DIR", "serve the files below this directory", parse_text, "empty", AT(root), 0, false },
    { "demo", NULL, "pages, /echo, /topic/NAME and so on; see the manual", parse_flag, NULL, AT(demo), 0, false },
    { "metrics", NULL, "figures for Prometheus at /metrics", parse_flag, NULL, AT(metrics), 0, false },
    { "log", "FORMAT", "text, json or off; to standard error (text)", parse_log, "not text, json or off", 0, 0,
      false },
    { "origin", "ORIGIN", "pages that may connect; repeatable (the same host)", parse_origin,
      "not an origin such as https://example.com", AT(origins), 0, false },
    { "deflate", "[=KIND]", "compress, with shared or context windows (off)", parse_deflate, "not shared or context",
      0, 0, false },
    { "compress-threshold", "SIZE", "do not compress what is shorter (1k)", parse_compress_threshold, A_SIZE,
      AT(server.limits.compress_threshold), 0, true },
    { .help = "Limits: numbers, sizes such as 64k, or off" },
    { "max-connections", "N", "of all clients (100000)", parse_count_64, A_COUNT, AT(server.max_connections), 0,
      true },
    { "max-connections-per-address", "N", "of one (1000)", parse_count_64, A_COUNT,
      AT(server.max_connections_per_address), 0, true },
    { "max-message", "SIZE", "of one message, inflated (1m)", parse_size_64, A_SIZE, AT(server.limits.max_message), 0,
      true },
    { "max-fragments", "N", "of one message (4096)", parse_count_32, A_COUNT, AT(server.limits.max_fragments), 0,
      true },
    { "max-inflate-ratio", "N", "inflated to compressed size (1000)", parse_count_32, A_COUNT,
      AT(server.limits.max_inflate_ratio), 0, true },
    { "max-rate", "N", "messages a second from one connection (off)", parse_count_32, A_COUNT,
      AT(server.limits.max_message_rate), 0, true },
    { "max-head", "SIZE", "of an HTTP head (16k)", parse_size_32, A_SIZE " up to 1m", AT(server.max_head),
      1024 * 1024, false },
    { "max-fields", "N", "in an HTTP head (100)", parse_count_32, A_COUNT " to 10000", AT(server.max_fields), 10000,
      false },
    { "high-water", "SIZE", "stop reading from one with so much unsent (64k)", parse_size_64, A_SIZE,
      AT(server.limits.high_water), 0, true },
    { "max-queue", "SIZE", "unsent for one connection (1m)", parse_size_64, A_SIZE, AT(server.limits.max_queue), 0,
      true },
    { .help = "Deadlines: durations such as 500ms, 10s, 2m, or off" },
    { "handshake-timeout", "TIME", "from accepting to the open WebSocket (10s)", parse_duration, A_DURATION,
      AT(server.limits.handshake_ms), 0, true },
    { "ping", "TIME", "of silence, then a ping (25s)", parse_duration, A_DURATION, AT(server.limits.ping_after_ms), 0,
      true },
    { "gone", "TIME", "of further silence, then it is gone (10s)", parse_gone, A_DURATION,
      AT(server.limits.gone_after_ms), 0, true },
    { "idle", "TIME", "without a message (off)", parse_duration, A_DURATION, AT(server.limits.idle_ms), 0, true },
    { "close-wait", "TIME", "for the peer's part of closing (5s)", parse_duration, A_DURATION,
      AT(server.limits.close_wait_ms), 0, true },
    { "drain", "TIME", "for connections to end after SIGTERM (10s)", parse_duration, A_DURATION, AT(server.drain_ms),
      0, true },
    { .help = "Else" },
    { "help", NULL, "what you are reading", parse_flag, NULL, AT(help), 0, false },
    { "version", NULL, "the version", parse_flag, NULL, AT(version), 0, false },
};

enum { TABLE_SIZE = sizeof table / sizeof table[0], HELP_COLUMN = 26 };

void serve_options_help(FILE *out)
{
    fputs("usage: swale serve [OPTION...]\n", out);
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        const struct option *option = &table[i];
        char left[64];
        if (!option->name) {
            fprintf(out, "%s\n", option->help);
            continue;
        }
        const char *argument = option->argument ? option->argument : "";
        snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument && *argument != '[' ? " " : "",
                 argument);
        if (strlen(left) >= HELP_COLUMN)
            fprintf(out, "  %s\n  %*s%s\n", left, HELP_COLUMN, "", option->help);
        else
            fprintf(out, "  %-*s%s\n", HELP_COLUMN, left, option->help);
    }
}

/* ---- Reading the command line ----------------------------------------------------------------------- */

struct parse {
    struct serve_options *options;
    int count;
    char **arguments;
    int at;
    struct text fault;
};

static const struct option *find(struct swale_span name)
{
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if (table[i].name && swale_span_equal(name, swale_text(table[i].name)))
            return &table[i];
    return NULL;
}

static int put_value(struct parse *parse, const struct option *option, const char *value)
{
    if (option->parse(option, value, parse->options))
        return 0;
    text_putf(&parse->fault, "--%s: ", option->name);
    text_put_quoted(&parse->fault, swale_text(value));
    text_putf(&parse->fault, ": %s", option->expects);
    return -1;
}

static int fault_about(struct parse *parse, const char *before, const char *argument, const char *after)
{
    text_put(&parse->fault, before);
    text_put_quoted(&parse->fault, swale_text(argument));
    text_put(&parse->fault, after);
    return -1;
}

static int parse_option(struct parse *parse, const char *argument)
{
    const char *name = argument + 2;
    const char *value = strchr(name, '=');
    size_t size = value ? (size_t)(value - name) : strlen(name);
    const struct option *option = find(swale_span(name, size));
    if (!option)
        return fault_about(parse, "unknown option ", argument, "; see swale serve --help");
    bool optional = option->argument && option->argument[0] == '[';
    if (value && !option->argument)
        return fault_about(parse, "", argument, ": the option takes no value");
    if (value || !option->argument || optional)
        return put_value(parse, option, value ? value + 1 : NULL);
    if (parse->at == parse->count)
        return fault_about(parse, "", argument, ": the value is missing");
    return put_value(parse, option, parse->arguments[parse->at++]);
}

static int parse_argument(struct parse *parse, const char *argument)
{
    if (strcmp(argument, "-h") == 0)
        argument = "--help";
    if (strncmp(argument, "--", 2) != 0)
        return fault_about(parse, "unexpected argument ", argument, "; see swale serve --help");
    return parse_option(parse, argument);
}

/* ---- Contradictions --------------------------------------------------------------------------------- */

/* What is contradictory, or NULL. The limits are compared as they will be, with their defaults. */
static const char *contradiction(const struct serve_options *options)
{
    struct swale_limits limits = swale_limits_resolve(&options->server.limits);
    if (options->keys.count > options->certificates.count)
        return "--tls-key without --tls-cert";
    if (options->certificates.count > options->keys.count)
        return "--tls-cert without --tls-key";
    if (options->client_ca && options->certificates.count == 0)
        return "--tls-client-ca without --tls-cert";
    if (options->client_optional && !options->client_ca)
        return "--tls-client-optional without --tls-client-ca";
    if (options->compress_threshold_given && !options->server.deflate.enabled)
        return "--compress-threshold without --deflate";
    if (options->gone_given && limits.ping_after_ms == SWALE_OFF)
        return "--gone with --ping off: who is never asked cannot fail to answer";
    if (limits.high_water > limits.max_queue)
        return "--high-water (64k unless given) is above --max-queue (1m unless given)";
    return NULL;
}

static int check(struct parse *parse)
{
    if (parse->options->help || parse->options->version)
        return 0;
    const char *fault = contradiction(parse->options);
    if (!fault)
        return 0;
    text_put(&parse->fault, fault);
    return -1;
}

/* ---- All of it -------------------------------------------------------------------------------------- */

enum { LISTS = 4 };

static struct option_list *list_at(struct serve_options *options, int n)
{
    struct option_list *const lists[LISTS] = { &options->listen, &options->certificates, &options->keys,
                                               &options->origins };
    return lists[n];
}

static int make_lists(struct serve_options *options, int arguments)
{
    for (int n = 0; n < LISTS; n++) {
        list_at(options, n)->items = calloc((size_t)arguments + 1, sizeof(char *));
        if (!list_at(options, n)->items)
            return -1;
    }
    return 0;
}

void serve_options_done(struct serve_options *options)
{
    for (int n = 0; n < LISTS; n++)
        free(list_at(options, n)->items);
    *options = (struct serve_options){ 0 };
}

static void apply_defaults(struct serve_options *options)
{
    if (options->listen.count == 0)
        options->listen.items[options->listen.count++] = "127.0.0.1:8080";
    options->server.origins = options->origins.count ? options->origins.items : NULL;
    options->server.origin_count = options->origins.count;
    if (options->demo)
        options->metrics = true;
}

int serve_options_parse(struct serve_options *options, int count, char **arguments, char *fault)
{
    *options = (struct serve_options){ 0 };
    struct parse parse = { .options = options, .count = count, .arguments = arguments };
    text_init(&parse.fault, fault, OPTIONS_FAULT_MAX);
    if (make_lists(options, count) < 0) {
        text_put(&parse.fault, "out of memory");
        return -1;
    }
    while (parse.at < count)
        if (parse_argument(&parse, arguments[parse.at++]) < 0)
            return -1;
    apply_defaults(options);
    return check(&parse);
}
