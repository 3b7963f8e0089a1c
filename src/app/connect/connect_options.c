/* connect_options.c - the options of `swale connect`, and what a client is made of them. */
#include "app/connect/connect_options.h"

#include <stdlib.h>
#include <string.h>

/* ---- Values ----------------------------------------------------------------------------------------- */

/* "Name: value"; whether the name and the value are well-formed is for the library to say. */
static const char *parse_header(const struct option *option, const char *value, void *options)
{
    const char *colon = strchr(value, ':');
    return colon && colon != value ? option_list(option, value, options) : option->expects;
}

static const char *parse_message(const struct option *option, const char *value, void *options)
{
    return swale_utf8_valid(value, strlen(value)) ? option_list(option, value, options) : option->expects;
}

static const char *parse_wait(const struct option *option, const char *value, void *options)
{
    ((struct connect_options *)options)->wait = true;
    return value ? option_duration(option, value, options) : NULL;
}

/* ---- The table -------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct connect_options, member)

/* Windows that are kept between messages, as browsers offer it: a single connection can afford them, and some servers
 * do not confirm that they will do without (RFC 7692 section 7.1.1.1). */
static const char *parse_deflate(const struct option *option, const char *value, void *options)
{
    return option_deflate(option, value ? value : "context", options);
}

static const struct option table[] = {
    { .help = "Request" },
    { "header", "FIELD", "a further field, \"Name: value\"; repeatable", parse_header, "not \"Name: value\"",
      .offset = AT(headers), .letter = 'H' },
    { "origin", "ORIGIN", "as a page of this origin would", option_text, "empty", .offset = AT(origin) },
    { "subprotocol", "NAME", "offer this; repeatable", option_list, "empty", .offset = AT(subprotocols),
      .letter = 's' },
    { "user", "NAME:PASSWORD", "Basic credentials", option_text, "empty", .offset = AT(user), .letter = 'u' },
    { "deflate", "[=context|shared]", "offer compression", parse_deflate, "not context or shared",
      .offset = AT(deflate) },
    { "follow-redirects", "N", "so many at most (none)", option_count_32, A_COUNT " to 100",
      .offset = AT(max_redirects), .max = 100 },
    { .help = "Way" },
    { "cacert", "FILE", "trust these authorities (the system's)", option_text, "empty", .offset = AT(ca) },
    { "cert", "FILE", "show this certificate to the server", option_text, "empty", .offset = AT(certificate) },
    { "key", "FILE", "its key (in the same file)", option_text, "empty", .offset = AT(key) },
    { "pin", "PIN", "want this public key, sha256/...; repeatable", option_list, "empty", .offset = AT(pins) },
    { "insecure", NULL, "do NOT verify who the server is", option_flag, .offset = AT(insecure), .letter = 'k' },
    { "proxy", "URL", "http, https or socks5; \"none\" (environment)", option_text, "empty", .offset = AT(proxy),
      .letter = 'x' },
    { "connect-to", "HOST:PORT", "go there, whatever the URL says", option_text, "empty", .offset = AT(connect_to) },
    { "dns-servers", "LIST", "ask these, separated by commas", option_text, "empty", .offset = AT(dns_servers) },
    { "connect-timeout", "TIME", "until it is open (10s)", option_duration, A_DURATION, .offset = AT(connect_ms) },
    { .help = "Messages" },
    { "binary", NULL, "send binary messages (text)", option_flag, .offset = AT(binary) },
    { "null", NULL, "each ends in a NUL, both ways (a newline)", option_flag, .offset = AT(null), .letter = '0' },
    { "length-prefixed", NULL, "each behind its length, 4 bytes big-endian", option_flag,
      .offset = AT(length_prefixed) },
    { "max-message-size", "SIZE", "of one that comes, inflated (64m)", option_size_64, A_SIZE,
      .offset = AT(max_message), .may_be_off = true },
    { "json", NULL, "lay out messages that are JSON", option_flag, .offset = AT(json) },
    { "raw", NULL, "do not escape what comes, on a terminal", option_flag, .offset = AT(raw) },
    { "on-connect", "MESSAGE", "send this first, each time; repeatable", parse_message, "empty, or not UTF-8",
      .offset = AT(on_connect) },
    { .help = "How long" },
    { "wait", "[=TIME]", "stay when standard input is at its end", parse_wait, A_DURATION, .offset = AT(wait_ms) },
    { "max-messages", "N", "stay until so many have come, then end", option_count_64, A_COUNT,
      .offset = AT(max_messages) },
    { "timeout", "TIME", "for all of it; then it is a failure", option_duration, A_DURATION,
      .offset = AT(timeout_ms) },
    { "ping-interval", "TIME", "of silence, then a ping (25s)", option_duration, A_DURATION, .offset = AT(ping_ms),
      .may_be_off = true },
    { "reconnect", NULL, "come back when the connection is lost", option_flag, .offset = AT(reconnect) },
    { "exit-on-close", NULL, "... but end when the server closes it", option_flag, .offset = AT(exit_on_close) },
    { .help = "What is shown" },
    { "check", NULL, "explain what the server does right and wrong", option_flag, .offset = AT(check) },
    { "verbose", NULL, "the handshake and each frame", option_flag, .offset = AT(verbose), .letter = 'v' },
    { "quiet", NULL, "messages and the last error, nothing else", option_flag, .offset = AT(quiet), .letter = 'q' },
    { "show-control", NULL, "pings, pongs and closes", option_flag, .offset = AT(show_control) },
    { "slash", NULL, "at the prompt, /ping, /close and /help", option_flag, .offset = AT(slash) },
    { "no-color", NULL, "no colours; also by NO_COLOR", option_flag, .offset = AT(no_color) },
    { "no-history", NULL, "neither read nor write the history", option_flag, .offset = AT(no_history) },
    { "help", NULL, "what you are reading", option_flag, .offset = AT(help) },
    { "version", NULL, "the version", option_flag, .offset = AT(version) },
};

const struct option_table connect_command_line = {
    .command = "swale connect",
    .operand = "URL",
    .operand_offset = AT(url),
    .rows = table,
    .count = sizeof table / sizeof table[0],
};

/* ---- Contradictions --------------------------------------------------------------------------------- */

static const char *contradiction(const struct connect_options *options)
{
    if (!options->url)
        return "no URL; see swale connect --help";
    if (options->null && options->length_prefixed)
        return "--null with --length-prefixed";
    if (options->key && !options->certificate)
        return "--key without --cert";
    if (options->json && (options->null || options->length_prefixed))
        return "--json is for lines: not with --null or --length-prefixed";
    if (options->verbose && options->quiet)
        return "--verbose with --quiet";
    return NULL;
}

/* ---- All of it -------------------------------------------------------------------------------------- */

/* Without a scheme, ws is meant. */
static int make_url(struct connect_options *options)
{
    if (strstr(options->url, "://") || strncmp(options->url, "ws+unix:", 8) == 0)
        return 0;
    size_t size = strlen(options->url) + sizeof "ws://";
    options->made_url = malloc(size);
    if (!options->made_url)
        return -1;
    snprintf(options->made_url, size, "ws://%s", options->url);
    options->url = options->made_url;
    return 0;
}

static struct swale_span trim(struct swale_span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = swale_span(text.data + 1, text.size - 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static int make_fields(struct connect_options *options)
{
    options->fields = calloc(options->headers.count + 1, sizeof *options->fields);
    if (!options->fields)
        return -1;
    for (size_t n = 0; n < options->headers.count; n++) {
        const char *field = options->headers.items[n];
        const char *colon = strchr(field, ':');
        options->fields[n] =
            (struct swale_field){ swale_span(field, (size_t)(colon - field)), trim(swale_text(colon + 1)) };
    }
    return 0;
}

int connect_options_parse(struct connect_options *options, int count, char **arguments, char *fault)
{
    *options = (struct connect_options){ 0 };
    if (options_parse(&connect_command_line, options, count, arguments, fault) < 0)
        return -1;
    if (options->help || options->version)
        return 0;
    const char *wrong = contradiction(options);
    if (!wrong && (make_url(options) < 0 || make_fields(options) < 0))
        wrong = "out of memory";
    if (wrong)
        snprintf(fault, OPTIONS_FAULT_MAX, "%s", wrong);
    options->framing = options->null ? FRAMING_NULL : options->length_prefixed ? FRAMING_LENGTH : FRAMING_LINES;
    if (options->max_messages > 0)
        options->wait = true;
    return wrong ? -1 : 0;
}

void connect_options_done(struct connect_options *options)
{
    option_list_done(&options->headers);
    option_list_done(&options->subprotocols);
    option_list_done(&options->pins);
    option_list_done(&options->on_connect);
    free(options->made_url);
    free(options->fields);
    *options = (struct connect_options){ 0 };
}

bool connect_options_have_tls(const struct connect_options *options)
{
    return options->ca || options->certificate || options->pins.count > 0 || options->insecure;
}

void connect_options_client(const struct connect_options *options, struct swale_client_options *client,
                            struct swale_limits *limits)
{
    enum { CLOSE_WAIT_MS = 3000 };
    static const uint64_t largest = 64 * 1024 * 1024;
    *limits = (struct swale_limits){
        .max_message = options->max_message ? options->max_message : largest,
        .handshake_ms = options->connect_ms,
        .ping_after_ms = options->ping_ms,
        .close_wait_ms = CLOSE_WAIT_MS,
    };
    *client = (struct swale_client_options){
        .url = options->url,
        .fields = options->fields,
        .field_count = options->headers.count,
        .origin = options->origin,
        .credentials = options->user,
        .subprotocols = options->subprotocols.items,
        .subprotocol_count = options->subprotocols.count,
        .deflate = options->deflate,
        .proxy_tls = options->proxy_tls,
        .limits = limits,
        .max_redirects = options->max_redirects,
        .connect_to = options->connect_to,
        .dns_servers = options->dns_servers,
        .proxy = options->proxy && strcmp(options->proxy, "none") == 0 ? "" : options->proxy,
        .reconnect.off = !options->reconnect,
    };
}
