/* serve_options.c - the options of `swale serve`; a few checks at the end find contradictions. */
#include "app/serve/serve_options.h"

#include <string.h>

/* ---- Values ----------------------------------------------------------------------------------------- */

static const char *parse_gone(const struct option *option, const char *value, void *options)
{
    ((struct serve_options *)options)->gone_given = true;
    return option_duration(option, value, options);
}

static const char *parse_compress_threshold(const struct option *option, const char *value, void *options)
{
    ((struct serve_options *)options)->compress_threshold_given = true;
    return option_size_32(option, value, options);
}

static const char *parse_origin(const struct option *option, const char *value, void *options)
{
    const char *host = strstr(value, "://");
    bool good = host && host != value && host[3] != 0 && !strchr(host + 3, '/');
    bool special = strcmp(value, "*") == 0 || strcmp(value, "null") == 0;
    return good || special ? option_list(option, value, options) : option->expects;
}

static const char *parse_log(const struct option *option, const char *value, void *options)
{
    static const char *const formats[] = { [LOG_TEXT] = "text", [LOG_JSON] = "json", [LOG_OFF] = "off" };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(value, formats[i]) != 0)
            continue;
        *(enum log_format *)option_place(option, options) = (enum log_format)i;
        return NULL;
    }
    return option->expects;
}

static const char *parse_backend(const struct option *option, const char *value, void *options)
{
    static const char *const names[] = {
        [SWALE_BACKEND_AUTO] = "auto", [SWALE_BACKEND_EPOLL] = "epoll", [SWALE_BACKEND_IO_URING] = "io_uring"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) != 0)
            continue;
        *(enum swale_backend *)option_place(option, options) = (enum swale_backend)i;
        return NULL;
    }
    return option->expects;
}

/* ---- The table -------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct serve_options, member)

static const struct option table[] = {
    { .help = "Where" },
    { "listen", "ADDRESS", "HOST:PORT, unix:PATH; repeatable (127.0.0.1:8080)", option_list, "empty",
      .offset = AT(listen) },
    { "backlog", "N", "connections that may wait to be accepted (4096)", option_count_32, A_COUNT " to 65535",
      .offset = AT(backlog), .max = 65535 },
    { "threads", "N", "one event loop each (one for each core)", option_count_32, A_COUNT " to 256",
      .offset = AT(server.threads), .max = 256 },
    { "backend", "auto|epoll|io_uring", "how to wait for the kernel (auto)", parse_backend,
      "not auto, epoll or io_uring", .offset = AT(server.backend) },
    { "tls-cert", "FILE", "PEM chain; repeatable with --tls-key, one a name", option_list, "empty",
      .offset = AT(certificates) },
    { "tls-key", "FILE", "PEM key of the certificate", option_list, "empty", .offset = AT(keys) },
    { "tls-client-ca", "FILE", "ask clients for a certificate of these", option_text, "empty",
      .offset = AT(client_ca) },
    { "tls-client-optional", NULL, "... and also let in clients that have none", option_flag,
      .offset = AT(client_optional) },
    { .help = "What" },
    { "root", "DIR", "serve the files below this directory", option_text, "empty", .offset = AT(root) },
    { "demo", NULL, "pages, /echo, /topic/NAME and so on; see the manual", option_flag, .offset = AT(demo) },
    { "metrics", NULL, "figures for Prometheus at /metrics", option_flag, .offset = AT(metrics) },
    { "log", "text|json|off", "to standard error (text)", parse_log, "not text, json or off", .offset = AT(log) },
    { "origin", "ORIGIN", "pages that may connect; repeatable (the same host)", parse_origin,
      "not an origin such as https://example.com", .offset = AT(origins) },
    { "deflate", "[=shared|context]", "compress, with windows of this kind (off)", option_deflate,
      "not shared or context", .offset = AT(server.deflate) },
    { "compress-threshold", "SIZE", "do not compress what is shorter (1k)", parse_compress_threshold, A_SIZE,
      .offset = AT(server.limits.compress_threshold), .may_be_off = true },
    { .help = "Limits: numbers, sizes such as 64k, or off" },
    { "max-connections", "N", "of all clients (100000)", option_count_64, A_COUNT,
      .offset = AT(server.max_connections), .may_be_off = true },
    { "max-connections-per-address", "N", "of one (1000)", option_count_64, A_COUNT,
      .offset = AT(server.max_connections_per_address), .may_be_off = true },
    { "max-message", "SIZE", "of one message, inflated (1m)", option_size_64, A_SIZE,
      .offset = AT(server.limits.max_message), .may_be_off = true },
    { "max-fragments", "N", "of one message (4096)", option_count_32, A_COUNT,
      .offset = AT(server.limits.max_fragments), .may_be_off = true },
    { "max-inflate-ratio", "N", "inflated to compressed size (1000)", option_count_32, A_COUNT,
      .offset = AT(server.limits.max_inflate_ratio), .may_be_off = true },
    { "max-rate", "N", "messages a second from one connection (off)", option_count_32, A_COUNT,
      .offset = AT(server.limits.max_message_rate), .may_be_off = true },
    { "max-head", "SIZE", "of an HTTP head (16k)", option_size_32, A_SIZE " up to 1m", .offset = AT(server.max_head),
      .max = 1024 * 1024 },
    { "max-fields", "N", "in an HTTP head (100)", option_count_32, A_COUNT " to 10000",
      .offset = AT(server.max_fields), .max = 10000 },
    { "high-water", "SIZE", "stop reading from one with so much unsent (64k)", option_size_64, A_SIZE,
      .offset = AT(server.limits.high_water), .may_be_off = true },
    { "max-queue", "SIZE", "unsent for one connection (1m)", option_size_64, A_SIZE,
      .offset = AT(server.limits.max_queue), .may_be_off = true },
    { .help = "Deadlines: durations such as 500ms, 10s, 2m, or off" },
    { "handshake-timeout", "TIME", "from accepting to the open WebSocket (10s)", option_duration, A_DURATION,
      .offset = AT(server.limits.handshake_ms), .may_be_off = true },
    { "ping", "TIME", "of silence, then a ping (25s)", option_duration, A_DURATION,
      .offset = AT(server.limits.ping_after_ms), .may_be_off = true },
    { "gone", "TIME", "of further silence, then it is gone (10s)", parse_gone, A_DURATION,
      .offset = AT(server.limits.gone_after_ms), .may_be_off = true },
    { "idle", "TIME", "without a message (off)", option_duration, A_DURATION, .offset = AT(server.limits.idle_ms),
      .may_be_off = true },
    { "close-wait", "TIME", "for the peer's part of closing (5s)", option_duration, A_DURATION,
      .offset = AT(server.limits.close_wait_ms), .may_be_off = true },
    { "drain", "TIME", "for connections to end after SIGTERM (10s)", option_duration, A_DURATION,
      .offset = AT(server.drain_ms), .may_be_off = true },
    { .help = "Else" },
    { "help", NULL, "what you are reading", option_flag, .offset = AT(help) },
    { "version", NULL, "the version", option_flag, .offset = AT(version) },
};

const struct option_table serve_command_line = {
    .command = "swale serve",
    .rows = table,
    .count = sizeof table / sizeof table[0],
};

void serve_options_help(FILE *out)
{
    options_help(&serve_command_line, out);
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

/* ---- All of it -------------------------------------------------------------------------------------- */

void serve_options_done(struct serve_options *options)
{
    option_list_done(&options->listen);
    option_list_done(&options->certificates);
    option_list_done(&options->keys);
    option_list_done(&options->origins);
    *options = (struct serve_options){ 0 };
}

static const char *apply_defaults(struct serve_options *options)
{
    static const struct option listen = { .offset = AT(listen) };
    options->server.origins = options->origins.items;
    options->server.origin_count = options->origins.count;
    if (options->demo)
        options->metrics = true;
    return options->listen.count == 0 ? option_list(&listen, "127.0.0.1:8080", options) : NULL;
}

int serve_options_parse(struct serve_options *options, int count, char **arguments, char *fault)
{
    *options = (struct serve_options){ 0 };
    if (options_parse(&serve_command_line, options, count, arguments, fault) < 0)
        return -1;
    const char *wrong = apply_defaults(options);
    if (!wrong && !options->help && !options->version)
        wrong = contradiction(options);
    if (wrong)
        snprintf(fault, OPTIONS_FAULT_MAX, "%s", wrong);
    return wrong ? -1 : 0;
}
