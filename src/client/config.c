/* config.c - a client's options, checked and copied.
 *
 *     check      every option, with a message that names it
 *     copy       once to measure, once into the block: the same code, so that the two cannot disagree
 *     resolve    what the copies are taken apart into: the URL, the proxy, addresses
 */
#include "client/config.h"

#include "base/memory.h"
#include "proto/authority.h"
#include "proto/token.h"
#include "proto/writer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Heads and bodies that no machine could bear are a mistake of the caller's. */
enum { HEAD_MAX = 1 << 30, FIELDS_MAX = 1 << 20, COUNT_MAX = 1 << 20 };

/* What is wrong, as one line; returns the error. */
__attribute__((format(printf, 3, 4))) static int wrong(char *message, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (message)
        vsnprintf(message, SWALE_CLIENT_MESSAGE_MAX, format, arguments);
    va_end(arguments);
    return error;
}

/* ---- The URL ---------------------------------------------------------------------------------------- */

static const char *byte_fault(char byte)
{
    if (byte == '#')
        return "a fragment is not allowed in a WebSocket URL";
    if (byte == ' ')
        return "a space has to be written as %20";
    if ((unsigned char)byte >= 0x80)
        return "a byte beyond ASCII has to be percent-encoded";
    return (unsigned char)byte < 0x20 || byte == 0x7f ? "a control byte" : NULL;
}

/* swale_url_parse says where it stumbled; this says why. */
static const char *url_fault(struct swale_span url, size_t at)
{
    const char *fault = at < url.size ? byte_fault(url.data[at]) : NULL;
    if (fault)
        return fault;
    if (at == 0)
        return "it has to begin with ws://, wss://, ws+unix:, http:// or https://";
    if (at == url.size)
        return "it ends too early: a host or a port is missing";
    return url.data[at] == ':' || swale__is(url.data[at], SWALE__DIGIT)
               ? "the port is not a number between 1 and 65535"
               : "not a host name, address or port";
}

/* Basic credentials hold no control bytes (RFC 7617 section 2). */
static bool clean(struct swale_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

/* A colon ends the user (RFC 7617 section 2): one that is escaped within it would come to stand elsewhere. */
static bool is_login(struct swale_span userinfo, char *decoded, size_t room)
{
    ptrdiff_t size = swale_percent_decode(userinfo, false, decoded, room);
    if (size < 0 || !clean(swale_span(decoded, (size_t)size)))
        return false;
    const char *colon = memchr(userinfo.data, ':', userinfo.size);
    struct swale_span user = swale__slice(userinfo, 0, colon ? (size_t)(colon - userinfo.data) : userinfo.size);
    size = swale_percent_decode(user, false, decoded, room);
    return size <= 0 || !memchr(decoded, ':', (size_t)size);
}

static int check_userinfo(const struct swale_url *url, const struct swale_allocator *allocator, char *message)
{
    size_t size = url->userinfo.size;
    if (size == 0)
        return 0;
    char *decoded = swale__alloc(allocator, size);
    if (!decoded)
        return -ENOMEM;
    bool good = is_login(url->userinfo, decoded, size);
    swale__free(allocator, decoded, size);
    return good ? 0 : wrong(message, SWALE_ERR_URL, "url: the user and password are not well-formed");
}

static int check_url(const char *text, struct swale_url *url, const struct swale_allocator *allocator, char *message)
{
    size_t at = 0;
    if (!text)
        return wrong(message, SWALE_ERR_URL, "url: there is none");
    int error = swale_url_parse(swale_text(text), url, &at);
    if (error)
        return wrong(message, error, "url: %s (at byte %zu)", url_fault(swale_text(text), at), at);
    if (url->unix_socket && url->host.size >= sizeof((struct sockaddr_un *)0)->sun_path)
        return wrong(message, SWALE_ERR_URL, "url: the path of the socket is too long");
    return check_userinfo(url, allocator, message);
}

/* ---- The request ------------------------------------------------------------------------------------ */

/* RFC 6455 section 4.1: these the handshake writes itself. */
static const char *const reserved[] = { "connection",
                                        "upgrade",
                                        "content-length",
                                        "transfer-encoding",
                                        "sec-websocket-key",
                                        "sec-websocket-version",
                                        "sec-websocket-protocol",
                                        "sec-websocket-extensions",
                                        NULL };

static bool is_reserved(struct swale_span name)
{
    for (size_t i = 0; reserved[i]; i++)
        if (swale_name_equal(name, reserved[i]))
            return true;
    return false;
}

static int check_field(const struct swale_client_options *options, size_t index, char *message)
{
    static const char *const nothing[] = { NULL };
    const struct swale_field *field = &options->fields[index];
    int size = (int)(field->name.size < 64 ? field->name.size : 64);
    struct swale__authority authority;
    size_t at;
    if (!swale__fields_writable(field, 1, nothing))
        return wrong(message, SWALE_ERR_INVALID, "fields[%zu]: not a well-formed field", index);
    if (is_reserved(field->name))
        return wrong(message, SWALE_ERR_INVALID, "fields[%zu]: %.*s is written by the handshake itself", index, size,
                     field->name.data);
    if (swale_name_equal(field->name, "host") && !swale__authority_parse(field->value, &authority, &at))
        return wrong(message, SWALE_ERR_INVALID, "fields[%zu]: Host is not a host with or without a port", index);
    return 0;
}

static size_t count_fields(const struct swale_client_options *options, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < options->field_count; i++)
        count += swale_name_equal(options->fields[i].name, name);
    return count;
}

/* What would be sent twice. */
static int check_repeated(const struct swale_client_options *options, const struct swale_url *url, char *message)
{
    bool credentials = options->credentials || url->userinfo.size > 0;
    if (count_fields(options, "host") > 1)
        return wrong(message, SWALE_ERR_INVALID, "fields: Host is there twice");
    if (count_fields(options, "origin") + (options->origin != NULL) > 1)
        return wrong(message, SWALE_ERR_INVALID, "fields: Origin is there twice, or beside the option origin");
    if (count_fields(options, "authorization") + credentials > 1)
        return wrong(message, SWALE_ERR_INVALID,
                     "fields: Authorization is there twice, or beside credentials or those in the URL");
    return 0;
}

static int check_fields(const struct swale_client_options *options, const struct swale_url *url, char *message)
{
    if (options->field_count > COUNT_MAX || (!options->fields && options->field_count > 0))
        return wrong(message, SWALE_ERR_INVALID, "fields: field_count is not their number");
    for (size_t i = 0; i < options->field_count; i++) {
        int error = check_field(options, i, message);
        if (error)
            return error;
    }
    return check_repeated(options, url, message);
}

/* RFC 6455 section 4.1 (10): tokens, each once. */
static int check_subprotocols(const struct swale_client_options *options, char *message)
{
    if (options->subprotocol_count > COUNT_MAX || (!options->subprotocols && options->subprotocol_count > 0))
        return wrong(message, SWALE_ERR_INVALID, "subprotocols: subprotocol_count is not their number");
    for (size_t i = 0; i < options->subprotocol_count; i++) {
        const char *name = options->subprotocols[i];
        if (!name || !swale__all(swale_text(name), SWALE__TOKEN))
            return wrong(message, SWALE_ERR_INVALID, "subprotocols[%zu]: not a token", i);
        for (size_t k = 0; k < i; k++)
            if (strcmp(options->subprotocols[k], name) == 0)
                return wrong(message, SWALE_ERR_INVALID, "subprotocols[%zu]: %.64s is there twice", i, name);
    }
    if (options->require_subprotocol && options->subprotocol_count == 0)
        return wrong(message, SWALE_ERR_INVALID, "require_subprotocol: none is offered");
    return 0;
}

/* An Origin is a field's value; what it means is for the server to judge. */
static int check_texts(const struct swale_client_options *options, char *message)
{
    struct swale_span origin = swale_text(options->origin), credentials = swale_text(options->credentials);
    if (options->origin && !swale__all(origin, SWALE__TARGET))
        return wrong(message, SWALE_ERR_INVALID, "origin: empty, or a byte in it that may not be there");
    if (options->credentials && (!memchr(credentials.data, ':', credentials.size) || !clean(credentials)))
        return wrong(message, SWALE_ERR_INVALID, "credentials: not \"user:password\"");
    if (options->tls_server_name && !swale__all(swale_text(options->tls_server_name), SWALE__REGNAME) &&
        inet_pton(AF_INET6, options->tls_server_name, &(struct in6_addr){ 0 }) != 1)
        return wrong(message, SWALE_ERR_INVALID, "tls_server_name: not a host name or address");
    return 0;
}

/* ---- The way there ---------------------------------------------------------------------------------- */

static int check_way(const struct swale_client_options *options, const struct swale_url *url, char *message)
{
    bool proxy = options->proxy && options->proxy[0] != '\0';
    if (url->unix_socket && (options->connect_to || options->local_address || proxy))
        return wrong(message, SWALE_ERR_INVALID, "%s: a socket in the file system is reached in one way only",
                     options->connect_to      ? "connect_to"
                     : options->local_address ? "local_address"
                                              : "proxy");
    return 0;
}

static int check_numbers(const struct swale_client_options *options, char *message)
{
    const struct swale_reconnect *reconnect = &options->reconnect;
    if (options->max_head > HEAD_MAX)
        return wrong(message, SWALE_ERR_INVALID, "max_head: more than 1 GiB");
    if (options->max_fields > FIELDS_MAX)
        return wrong(message, SWALE_ERR_INVALID, "max_fields: more than a million");
    if (options->max_refusal > HEAD_MAX)
        return wrong(message, SWALE_ERR_INVALID, "max_refusal: more than 1 GiB");
    if (reconnect->final_code_count > COUNT_MAX || (!reconnect->final_codes && reconnect->final_code_count > 0))
        return wrong(message, SWALE_ERR_INVALID, "reconnect.final_codes: final_code_count is not their number");
    return 0;
}

static int check(const struct swale_client_options *options, struct swale_url *url,
                 const struct swale_allocator *allocator, char *message)
{
    if (!options)
        return wrong(message, SWALE_ERR_INVALID, "options: there are none");
    if (!options->handler)
        return wrong(message, SWALE_ERR_INVALID, "handler: there is none");
    int error = check_url(options->url, url, allocator, message);
    if (!error)
        error = check_fields(options, url, message);
    if (!error)
        error = check_subprotocols(options, message);
    if (!error)
        error = check_texts(options, message);
    if (!error)
        error = check_way(options, url, message);
    return error ? error : check_numbers(options, message);
}

/* ---- Copying ---------------------------------------------------------------------------------------- */

/* Puts things one behind the other; without memory it only measures. */
struct copier {
    char *memory;
    size_t used;
};

static void *put(struct copier *copier, const void *data, size_t size)
{
    size_t place = (copier->used + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    copier->used = place + size;
    if (!copier->memory)
        return NULL;
    if (size > 0)
        memcpy(copier->memory + place, data, size);
    return copier->memory + place;
}

static const char *put_string(struct copier *copier, const char *text)
{
    return text ? put(copier, text, strlen(text) + 1) : NULL;
}

static struct swale_span put_span(struct copier *copier, struct swale_span span)
{
    return swale_span(put(copier, span.data, span.size), span.size);
}

static void put_fields(struct copier *copier, struct swale_client_options *to,
                       const struct swale_client_options *from)
{
    struct swale_field *fields = put(copier, from->fields, from->field_count * sizeof *fields);
    for (size_t i = 0; i < from->field_count; i++) {
        struct swale_span name = put_span(copier, from->fields[i].name);
        struct swale_span value = put_span(copier, from->fields[i].value);
        if (fields)
            fields[i] = (struct swale_field){ .name = name, .value = value };
    }
    to->fields = fields;
}

static void put_subprotocols(struct copier *copier, struct swale_client_options *to,
                             const struct swale_client_options *from)
{
    const char **names = put(copier, from->subprotocols, from->subprotocol_count * sizeof *names);
    for (size_t i = 0; i < from->subprotocol_count; i++) {
        const char *name = put_string(copier, from->subprotocols[i]);
        if (names)
            names[i] = name;
    }
    to->subprotocols = names;
}

/* `to` has the plain values already. */
static void copy(struct copier *copier, struct swale_client_options *to, const struct swale_client_options *from,
                 const char *proxy)
{
    const struct swale_reconnect *reconnect = &from->reconnect;
    to->url = put_string(copier, from->url);
    put_fields(copier, to, from);
    to->origin = put_string(copier, from->origin);
    to->credentials = put_string(copier, from->credentials);
    put_subprotocols(copier, to, from);
    to->tls_server_name = put_string(copier, from->tls_server_name);
    to->connect_to = put_string(copier, from->connect_to);
    to->local_address = put_string(copier, from->local_address);
    to->dns_servers = put_string(copier, from->dns_servers);
    to->proxy = put_string(copier, proxy);
    to->reconnect.final_codes =
        put(copier, reconnect->final_codes, reconnect->final_code_count * sizeof *reconnect->final_codes);
}

/* ---- Defaults, and what is taken apart --------------------------------------------------------------- */

static void fill(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_defaults(struct swale__client_config *config)
{
    struct swale_client_options *options = &config->options;
    struct swale_reconnect *reconnect = &options->reconnect;
    config->limits = swale_limits_resolve(options->limits);
    options->limits = &config->limits;
    fill(&options->max_head, 16 * 1024);
    fill(&options->max_fields, 100);
    fill(&options->max_refusal, 64 * 1024);
    fill(&options->max_pending_messages, 64 * 1024);
    fill(&reconnect->first_ms, 500);
    fill(&reconnect->max_ms, 30000);
    fill(&reconnect->healthy_ms, 60000);
    fill(&reconnect->max_retry_after_ms, 600000);
    fill(&reconnect->max_failures, SWALE_OFF);
    fill(&reconnect->max_gap_ms, SWALE_OFF);
}

static int resolve_local(struct swale__client_config *config, char *message)
{
    const char *text = config->options.local_address;
    struct swale__address *local = &config->local;
    if (!text)
        return 0;
    if (inet_pton(AF_INET, text, &local->v4.sin_addr) == 1) {
        local->v4.sin_family = AF_INET;
        local->size = sizeof local->v4;
    } else if (inet_pton(AF_INET6, text, &local->v6.sin6_addr) == 1) {
        local->v6.sin6_family = AF_INET6;
        local->size = sizeof local->v6;
    } else {
        return wrong(message, SWALE_ERR_ADDRESS, "local_address: not a numeric address without a port");
    }
    return 0;
}

static int resolve_connect_to(struct swale__client_config *config, char *message)
{
    struct swale__authority authority;
    size_t at = 0;
    if (!config->options.connect_to)
        return 0;
    if (!swale__authority_parse(swale_text(config->options.connect_to), &authority, &at))
        return wrong(message, SWALE_ERR_ADDRESS, "connect_to: not \"host:port\" (at byte %zu)", at);
    if (!authority.has_port || authority.port == 0)
        return wrong(message, SWALE_ERR_ADDRESS, "connect_to: a port is missing");
    config->connect_host = authority.host;
    config->connect_port = authority.port;
    return 0;
}

static int resolve_proxy(struct swale__client_config *config, bool from_environment, char *message)
{
    int error = swale__proxy_parse(&config->proxy, swale_text(config->options.proxy));
    return error ? wrong(message, error, "proxy%s: not the URL of an http, https or socks5 proxy",
                         from_environment ? " (of the environment)" : "")
                 : 0;
}

static int resolve(struct swale__client_config *config, bool from_environment, char *message)
{
    set_defaults(config);
    swale_url_parse(swale_text(config->options.url), &config->url, NULL); /* it was good before */
    int error = resolve_local(config, message);
    if (!error)
        error = resolve_connect_to(config, message);
    return error ? error : resolve_proxy(config, from_environment, message);
}

/* ---- Making ----------------------------------------------------------------------------------------- */

static struct swale__client_config *allocate(const struct swale_allocator *allocator,
                                             const struct swale_client_options *options, const char *proxy)
{
    struct copier copier = { .used = sizeof(struct swale__client_config) };
    struct swale_client_options measured;
    copy(&copier, &measured, options, proxy);
    size_t size = copier.used;
    struct swale__client_config *made = swale__alloc_zeroed(allocator, size);
    if (!made)
        return NULL;
    made->allocator = allocator;
    made->block_size = size;
    made->options = *options;
    copier = (struct copier){ .memory = (char *)made, .used = sizeof *made };
    copy(&copier, &made->options, options, proxy);
    return made;
}

int swale__client_config_new(struct swale__client_config **config, const struct swale_allocator *allocator,
                             const struct swale_client_options *options, char *message)
{
    struct swale_url url = { 0 };
    if (message)
        message[0] = '\0';
    int error = check(options, &url, allocator, message);
    if (error)
        return error == -ENOMEM ? wrong(message, error, "out of memory") : error;
    bool from_environment = !options->proxy && !url.unix_socket;
    const char *proxy = options->proxy ? options->proxy : "";
    if (from_environment)
        proxy = swale__proxy_environment(&url);
    struct swale__client_config *made = allocate(allocator, options, proxy);
    if (!made)
        return wrong(message, -ENOMEM, "out of memory");
    error = resolve(made, from_environment, message);
    if (error) {
        swale__free(allocator, made, made->block_size);
        return error;
    }
    if (made->options.tls)
        swale_tls_ref(made->options.tls);
    if (made->options.proxy_tls)
        swale_tls_ref(made->options.proxy_tls);
    *config = made;
    return 0;
}

void swale__client_config_free(struct swale__client_config *config)
{
    if (!config)
        return;
    swale_tls_unref(config->options.tls);
    swale_tls_unref(config->options.proxy_tls);
    swale__free(config->allocator, config, config->block_size);
}
