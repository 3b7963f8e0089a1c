/* query.c - what an exchange tells about its request, and what can be set on it before it is answered. */
#include "server/exchange.h"

#include <errno.h>

/* Some questions can only be answered by filling something in on the way: an exchange is never const itself, only
 * the look at it is. */
static struct swale_exchange *behind(const struct swale_exchange *exchange)
{
    return (struct swale_exchange *)exchange;
}

static struct swale_span nothing(void)
{
    return swale_span(NULL, 0);
}

struct swale_span swale_exchange_method(const struct swale_exchange *exchange)
{
    return exchange->request.method;
}

struct swale_span swale_exchange_target(const struct swale_exchange *exchange)
{
    return exchange->request.target;
}

struct swale_span swale_exchange_path(const struct swale_exchange *exchange)
{
    return exchange->path;
}

struct swale_span swale_exchange_header(const struct swale_exchange *exchange, const char *name)
{
    const struct swale_request *request = &exchange->request;
    const struct swale_field *field = swale_field_find(request->fields, request->field_count, name, NULL);
    return field ? field->value : nothing();
}

struct swale_span swale_exchange_cookie(const struct swale_exchange *exchange, const char *name)
{
    struct swale_span value;
    return swale_cookie_find(&exchange->request, name, &value) ? value : nothing();
}

struct swale_span swale_exchange_param(const struct swale_exchange *exchange, const char *name)
{
    if (strcmp(name, "*") == 0)
        return exchange->rest;
    int n = swale__pattern_param(exchange->route->pattern, name);
    return n < 0 ? nothing() : exchange->params[n];
}

struct swale_span swale_exchange_query(const struct swale_exchange *exchange, const char *name)
{
    struct swale_span value;
    if (!swale_query_find(exchange->request.query, name, &value) || value.size == 0)
        return nothing();
    char *room = swale__arena_alloc(&behind(exchange)->arena, value.size);
    ptrdiff_t size = room ? swale_percent_decode(value, true, room, value.size) : 0;
    return size > 0 ? swale_span(room, (size_t)size) : nothing();
}

const struct swale_request *swale_exchange_request(const struct swale_exchange *exchange)
{
    return &exchange->request;
}

static bool copy_span(struct swale__arena *arena, struct swale_span *span)
{
    span->data = swale__arena_copy(arena, *span);
    return span->data != NULL;
}

/* Copied, because the stream may go while the application still thinks. When there is no memory for that, nothing is
 * said about the peer: an identity that is missing is the safe answer. */
static void describe(struct swale_exchange *exchange)
{
    struct swale_peer peer = { .port = 0 };
    struct swale_span *spans[] = { &peer.address,         &peer.tls_version, &peer.tls_alpn,
                                   &peer.tls_server_name, &peer.tls_subject, &peer.tls_common_name,
                                   &peer.tls_fingerprint, &peer.tls_error };
    swale__stream_describe(exchange->session->stream, &peer);
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        if (!copy_span(&exchange->arena, spans[i]))
            return;
    exchange->peer = peer;
    exchange->described = true;
}

void swale_exchange_peer(const struct swale_exchange *exchange, struct swale_peer *peer)
{
    if (!exchange->described && exchange->session)
        describe(behind(exchange));
    *peer = exchange->peer;
}

struct swale_loop *swale_exchange_loop(const struct swale_exchange *exchange)
{
    return exchange->worker->loop;
}

struct swale_server *swale_exchange_server(const struct swale_exchange *exchange)
{
    return exchange->worker->server;
}

void *swale_exchange_route_user(const struct swale_exchange *exchange)
{
    return exchange->route->options.user;
}

/* ---- What is set ------------------------------------------------------------------------------------ */

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (const char *c = text; *c; c++) {
        bool alphanumeric = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!alphanumeric && !strchr(others, *c))
            return false;
    }
    return *text != '\0';
}

/* RFC 9110 section 5.5. */
static bool is_field_value(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
            return false;
    return true;
}

/* Fields that decide how the answer is read are the server's own. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = { "Content-Length", "Transfer-Encoding", "Connection", "Upgrade" };
    static const char websocket[] = "Sec-WebSocket-";
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (swale_name_equal(swale_text(name), reserved[i]))
            return true;
    size_t size = strlen(name);
    size_t prefix = sizeof websocket - 1;
    return size >= prefix && swale_name_equal(swale_span(name, prefix), websocket);
}

static bool grow_fields(struct swale_exchange *exchange)
{
    if (exchange->field_count < exchange->field_capacity)
        return true;
    size_t capacity = exchange->field_capacity ? exchange->field_capacity * 2 : 4;
    struct swale_field *fields = swale__arena_alloc(&exchange->arena, capacity * sizeof *fields);
    if (!fields)
        return false;
    if (exchange->field_count)
        memcpy(fields, exchange->fields, exchange->field_count * sizeof *fields);
    exchange->fields = fields;
    exchange->field_capacity = capacity;
    return true;
}

int swale_exchange_add_field(struct swale_exchange *exchange, const char *name, const char *value)
{
    if (!name || !value || !is_token(name) || !is_field_value(value) || is_reserved(name))
        return SWALE_ERR_INVALID;
    if (exchange->answered)
        return SWALE_ERR_STATE;
    const char *name_copy = swale__arena_copy(&exchange->arena, swale_text(name));
    const char *value_copy = swale__arena_copy(&exchange->arena, swale_text(value));
    if (!name_copy || !value_copy || !grow_fields(exchange))
        return -ENOMEM;
    exchange->fields[exchange->field_count++] = (struct swale_field){ swale_text(name_copy), swale_text(value_copy) };
    return 0;
}

int swale_exchange_subprotocol(struct swale_exchange *exchange, struct swale_span name)
{
    if (!exchange->upgrading || !name.size || !swale_subprotocol_offered(&exchange->request, name))
        return SWALE_ERR_INVALID;
    const char *copy = swale__arena_copy(&exchange->arena, name);
    if (!copy)
        return -ENOMEM;
    exchange->subprotocol = swale_span(copy, name.size);
    return 0;
}

void swale_exchange_set_user(struct swale_exchange *exchange, void *user)
{
    exchange->user = user;
    exchange->user_set = true;
}
