/* dispatch.c - from a request to whoever answers it: framing rules, route, then upgrade, hook or file. Each step
 * returns the reason for which the request is refused, or 0. */
#include "server/exchange.h"
#include "server/files.h"

/* RFC 9112 section 6.3: a body would have to be read before the next request. None is wanted by anything here, so the
 * request is refused and the connection ends, and no byte of a body is ever taken for a request or a frame. */
static int check_body(const struct swale_request *request)
{
    if (request->body.chunked || request->body.length > 0)
        return SWALE_ERR_HTTP_BODY;
    /* RFC 9110 section 10.1.1: 100-continue without a body has nothing to continue with, and may be ignored. */
    const struct swale_field *expect = swale_field_find(request->fields, request->field_count, "Expect", NULL);
    if (expect && !swale_name_equal(expect->value, "100-continue"))
        return SWALE_ERR_HTTP_EXPECTATION;
    return 0;
}

/* The decoded segments joined again, and those that the pattern names. */
static int copy_path(struct swale_exchange *exchange, const struct swale__match *match)
{
    struct swale_span raw = exchange->request.path;
    char *path = swale__arena_alloc(&exchange->arena, raw.size);
    exchange->params = swale__arena_alloc(&exchange->arena, match->param_count * sizeof *exchange->params);
    if (!path || !exchange->params)
        return SWALE_ERR_NO_MEMORY;
    /* Neither fails: the segments have been decoded one by one, and no escape has a slash in it. */
    ptrdiff_t size = swale_percent_decode(raw, false, path, raw.size);
    exchange->path = swale_span(path, (size_t)size);
    memcpy(exchange->params, match->params, match->param_count * sizeof *exchange->params);
    if (!match->wildcard)
        return 0;
    char *rest = swale__arena_alloc(&exchange->arena, match->rest.size);
    if (!rest)
        return SWALE_ERR_NO_MEMORY;
    size = swale_percent_decode(match->rest, false, rest, match->rest.size);
    exchange->rest = swale_span(rest, (size_t)size);
    return 0;
}

static int find_route(struct swale_exchange *exchange, struct swale__path *path, struct swale__match *match)
{
    const struct swale_server *server = exchange->worker->server;
    char *room = swale__arena_alloc(&exchange->arena, exchange->request.path.size);
    if (!room)
        return SWALE_ERR_NO_MEMORY;
    int error = swale__path_split(path, exchange->request.path, room);
    if (error)
        return error;
    if (!swale__router_find(&server->router, path, match) && !swale__router_find(&server->mounts, path, match))
        return SWALE_ERR_NOT_FOUND;
    exchange->route = server->routes[match->route];
    exchange->user = exchange->route->options.user;
    return copy_path(exchange, match);
}

/* RFC 6455 section 4.2. The form of the handshake is judged before its origin. */
static int check_upgrade(struct swale_exchange *exchange)
{
    const struct swale__route *route = exchange->route;
    int error = swale_upgrade_check(&exchange->request, &route->deflate, &exchange->upgrade);
    if (!error)
        error = swale__origin_check(&exchange->request, route->options.origins, route->options.origin_count);
    return error;
}

static int upgrade(struct swale_exchange *exchange, struct swale_span early)
{
    const struct swale_route *route = &exchange->route->options;
    exchange->upgrading = true;
    int error = check_upgrade(exchange);
    if (error)
        return error;
    enum swale_verdict verdict = SWALE_ACCEPT;
    if (route->on_upgrade) {
        exchange->calling = true;
        verdict = route->on_upgrade(exchange);
        exchange->calling = false;
    }
    if (exchange->answered)
        return 0;
    if (verdict == SWALE_ACCEPT || (verdict == SWALE_LATER && exchange->accepted))
        return swale__exchange_open(exchange, early);
    if (verdict != SWALE_LATER)
        return SWALE_ERR_REFUSED;
    swale__session_put_off(exchange->session, exchange);
    return 0;
}

static bool method_allowed(const struct swale__route *route, struct swale_span method)
{
    const char *at = route->allow;
    while (*at) {
        size_t size = strcspn(at, ", ");
        if (swale_span_equal(method, swale_span(at, size)))
            return true;
        at += size;
        at += strspn(at, ", ");
    }
    return false;
}

static int answer_plain(struct swale_exchange *exchange)
{
    const struct swale_route *route = &exchange->route->options;
    if (!method_allowed(exchange->route, exchange->request.method))
        return SWALE_ERR_HTTP_METHOD;
    if (!route->on_request)
        return SWALE_ERR_UPGRADE_REQUIRED;
    exchange->calling = true;
    route->on_request(exchange);
    exchange->calling = false;
    if (!exchange->answered)
        swale__session_put_off(exchange->session, exchange);
    return 0;
}

static int serve(struct swale_exchange *exchange, struct swale_span early)
{
    struct swale__path path;
    struct swale__match match;
    int error = check_body(&exchange->request);
    if (!error)
        error = find_route(exchange, &path, &match);
    if (!error && exchange->worker->draining)
        error = SWALE_ERR_DRAINING;
    if (error)
        return error;
    if (exchange->route->options.handler && swale_upgrade_wanted(&exchange->request))
        return upgrade(exchange, early);
    if (exchange->route->directory < 0)
        return answer_plain(exchange);
    if (!method_allowed(exchange->route, exchange->request.method))
        return SWALE_ERR_HTTP_METHOD;
    return swale__files_answer(exchange, &path, match.depth);
}

void swale__dispatch(struct swale__session *session, const struct swale_request *request, struct swale_span head,
                     struct swale_span early)
{
    swale__count(&session->worker->tally.requests, 1);
    struct swale_exchange *exchange = swale__exchange_new(session, request, head);
    if (!exchange) {
        swale__session_refuse(session, request, SWALE_ERR_NO_MEMORY);
        return;
    }
    int reason = serve(exchange, early);
    if (reason && !exchange->answered)
        swale__exchange_refuse(exchange, reason);
    if (exchange->answered)
        swale__exchange_free(exchange);
}
