#include "server/exchange.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

/* Refusals behind which the connection can go on: the request was well-formed, and only its subject was not to be
 * had. */
static bool survives(int reason)
{
    return reason == SWALE_ERR_NOT_FOUND || reason == SWALE_ERR_HTTP_METHOD || reason == SWALE_ERR_UPGRADE_REQUIRED;
}

/* ---- Making a copy ---------------------------------------------------------------------------------- */

/* What does not point into the head (the "/" of an absolute-form target without a path) is static and stays. */
static void move_span(struct swale_span *span, struct swale_span from, const char *to)
{
    uintptr_t offset = (uintptr_t)span->data - (uintptr_t)from.data;
    if (span->data && offset <= from.size)
        span->data = to + offset;
}

static bool copy_request(struct swale_exchange *exchange, const struct swale_request *request, struct swale_span head)
{
    struct swale_request *copy = &exchange->request;
    struct swale_field *fields = swale__arena_alloc(&exchange->arena, request->field_count * sizeof *fields);
    const char *bytes = swale__arena_copy(&exchange->arena, head);
    if (!fields || !bytes)
        return false;
    *copy = *request;
    move_span(&copy->method, head, bytes);
    move_span(&copy->target, head, bytes);
    move_span(&copy->path, head, bytes);
    move_span(&copy->query, head, bytes);
    move_span(&copy->host, head, bytes);
    for (uint32_t i = 0; i < request->field_count; i++) {
        fields[i] = request->fields[i];
        move_span(&fields[i].name, head, bytes);
        move_span(&fields[i].value, head, bytes);
    }
    copy->fields = fields;
    return true;
}

struct swale_exchange *swale__exchange_new(struct swale__session *session, const struct swale_request *request,
                                           struct swale_span head)
{
    const struct swale_allocator *allocator = session->worker->server->options.allocator;
    struct swale_exchange *exchange = swale__alloc_zeroed(allocator, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->arena.allocator = allocator;
    exchange->session = session;
    exchange->worker = session->worker;
    exchange->since_ms = swale_loop_now(session->worker->loop);
    /* RFC 9110 section 7.8: an Upgrade that is not heeded. Something between may believe otherwise, so the connection
     * is not used for another request. */
    exchange->keep_alive =
        request->keep_alive && !swale_field_find(request->fields, request->field_count, "Upgrade", NULL);
    swale__list_append(&session->worker->exchanges, &exchange->link);
    if (!copy_request(exchange, request, head)) {
        swale__exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

void swale__exchange_free(struct swale_exchange *exchange)
{
    const struct swale_allocator *allocator = exchange->arena.allocator;
    swale__list_remove(&exchange->link);
    if (exchange->user_set && exchange->route->options.free_user)
        exchange->route->options.free_user(exchange->user);
    if (exchange->session && exchange->session->exchange == exchange)
        exchange->session->exchange = NULL;
    swale__arena_done(&exchange->arena);
    swale__free(allocator, exchange, sizeof *exchange);
}

/* ---- Answering -------------------------------------------------------------------------------------- */

/* The answer's own fields, then those that the hook added. NULL when memory is out. */
static struct swale_field *join_fields(struct swale_exchange *exchange, const struct swale__answer *answer)
{
    size_t count = answer->field_count + exchange->field_count;
    struct swale_field *fields = swale__arena_alloc(&exchange->arena, count * sizeof *fields);
    if (!fields)
        return NULL;
    if (answer->field_count)
        memcpy(fields, answer->fields, answer->field_count * sizeof *fields);
    if (exchange->field_count)
        memcpy(fields + answer->field_count, exchange->fields, exchange->field_count * sizeof *fields);
    return fields;
}

static void log_answer(struct swale_exchange *exchange, int reason, int status, struct swale__stream *stream)
{
    struct swale__about about = { &exchange->request, stream };
    if (reason) {
        swale__refused(exchange->worker, reason, status, about);
        return;
    }
    struct swale_record record = {
        .kind = SWALE_RECORD_REQUEST,
        .status = status,
        .duration_ms = swale_loop_now(exchange->worker->loop) - exchange->since_ms,
    };
    swale__log(exchange->worker, &record, about);
}

int swale__exchange_answer(struct swale_exchange *exchange, const struct swale__answer *answer, int reason)
{
    struct swale__session *session = exchange->session;
    assert(session); /* whoever answers has looked whether the peer is still there */
    struct swale__answer full = *answer;
    full.fields = join_fields(exchange, answer);
    full.field_count += exchange->field_count;
    full.head_only = swale_span_equal(exchange->request.method, swale_text("HEAD"));
    full.keep_alive = exchange->keep_alive && !exchange->upgrading && (reason == 0 || survives(reason));
    int error = full.fields ? swale__session_answer(session, &full) : -ENOMEM;
    if (error == SWALE_ERR_INVALID || error == SWALE_ERR_TOO_SMALL)
        return error;
    exchange->answered = true;
    if (error) {
        log_answer(exchange, SWALE_ERR_NO_MEMORY, 0, session->stream);
        swale__session_end(session, true);
    } else {
        log_answer(exchange, reason, answer->status, session->stream);
    }
    exchange->session = NULL;
    return error;
}

void swale__exchange_refuse(struct swale_exchange *exchange, int reason)
{
    struct swale__refusal refusal;
    swale__refusal_init(&refusal, reason);
    if (reason == SWALE_ERR_HTTP_METHOD)
        refusal.fields[refusal.answer.field_count++] =
            (struct swale_field){ swale_text("Allow"), swale_text(exchange->route->allow) };
    swale__exchange_answer(exchange, &refusal.answer, reason);
    if (exchange->answered)
        return;
    exchange->field_count = 0; /* the hook's fields made the head too large */
    swale__exchange_answer(exchange, &refusal.answer, reason);
}

/* The application is done with it. Inside a hook the dispatcher frees it, when the hook has returned. */
static void finish(struct swale_exchange *exchange)
{
    struct swale__worker *worker = exchange->worker;
    if (exchange->calling)
        return;
    swale__exchange_free(exchange);
    swale__worker_check(worker);
}

int swale_exchange_reply(struct swale_exchange *exchange, int status, const char *type, struct swale_span body)
{
    if (status < 200 || status > 599)
        return SWALE_ERR_INVALID;
    if (exchange->answered)
        return SWALE_ERR_STATE;
    if (!exchange->session) {
        finish(exchange);
        return SWALE_ERR_CLOSED;
    }
    struct swale_field field = { swale_text("Content-Type"), swale_text(type ? type : "text/plain") };
    struct swale__answer answer = {
        .status = status,
        .fields = &field,
        .field_count = 1,
        .body = body,
        .body_size = body.size,
        .file = -1,
    };
    int error = swale__exchange_answer(exchange, &answer, exchange->upgrading ? SWALE_ERR_REFUSED : 0);
    if (exchange->answered)
        finish(exchange);
    return error;
}

/* ---- Upgrading -------------------------------------------------------------------------------------- */

/* RFC 6455 section 4.2.2 (5.4): the hook's choice, or the first of the route's that the peer offers. */
static int choose_subprotocol(struct swale_exchange *exchange)
{
    const struct swale_route *route = &exchange->route->options;
    if (exchange->subprotocol.size)
        return 0;
    exchange->subprotocol =
        swale_text(swale_subprotocol_select(&exchange->request, route->subprotocols, route->subprotocol_count));
    return route->require_subprotocol && !exchange->subprotocol.size ? SWALE_ERR_UPGRADE_SUBPROTOCOL : 0;
}

static void log_open(struct swale_exchange *exchange, struct swale_conn *conn, struct swale__stream *stream)
{
    struct swale_record record = { .kind = SWALE_RECORD_OPEN, .status = 101, .id = swale_conn_id(conn) };
    swale__log(exchange->worker, &record, (struct swale__about){ &exchange->request, stream });
}

/* Hands the stream over. From here on the connection answers for it, and the session is gone. */
static int make_conn(struct swale_exchange *exchange, struct swale_span answer, struct swale_span early)
{
    struct swale__worker *worker = exchange->worker;
    struct swale__conn_group *group = worker->groups[exchange->route->group];
    struct swale_engine engine;
    swale_engine_init(&engine, swale__conn_group_config(group), swale_loop_now(worker->loop));
    struct swale__guest *guest;
    bool reading = exchange->session->reading;
    struct swale__stream *stream = swale__session_hand_over(exchange->session, &guest);
    exchange->session = NULL;
    exchange->answered = true;
    struct swale_conn *conn;
    struct swale__conn_open open = {
        .stream = stream,
        .engine = &engine,
        .handler = exchange->route->options.handler,
        .user = exchange->user,
        .owner = guest,
        .subprotocol = exchange->subprotocol,
        .deflate = exchange->upgrade.deflate,
        .deflate_params = exchange->upgrade.deflate_params,
        .early = early,
        .answer = answer,
        .reading = reading,
    };
    if (swale__conn_new(&conn, group, &open) == 0) {
        exchange->user_set = false; /* on_close has it from now on */
        log_open(exchange, conn, stream);
        return 0;
    }
    swale__refused(worker, SWALE_ERR_NO_MEMORY, 0, (struct swale__about){ &exchange->request, NULL });
    swale__worker_leave(worker, guest);
    return SWALE_ERR_NO_MEMORY;
}

int swale__exchange_open(struct swale_exchange *exchange, struct swale_span early)
{
    enum { ANSWER_MAX = 65536 };
    int error = choose_subprotocol(exchange);
    if (error)
        return error;
    char small[1024];
    char *answer = small;
    ptrdiff_t size = swale_upgrade_answer(&exchange->upgrade, exchange->subprotocol, exchange->fields,
                                          exchange->field_count, answer, sizeof small);
    if (size == SWALE_ERR_TOO_SMALL) {
        answer = swale__arena_alloc(&exchange->arena, ANSWER_MAX);
        if (!answer)
            return SWALE_ERR_NO_MEMORY;
        size = swale_upgrade_answer(&exchange->upgrade, exchange->subprotocol, exchange->fields,
                                    exchange->field_count, answer, ANSWER_MAX);
    }
    if (size < 0)
        return SWALE_ERR_INTERNAL;
    return make_conn(exchange, swale_span(answer, (size_t)size), early);
}

int swale_exchange_accept(struct swale_exchange *exchange)
{
    if (!exchange->upgrading || exchange->answered)
        return SWALE_ERR_STATE;
    if (exchange->calling) {
        exchange->accepted = true;
        return 0;
    }
    struct swale__session *session = exchange->session;
    if (!session) {
        finish(exchange);
        return SWALE_ERR_CLOSED;
    }
    int error = swale__exchange_open(exchange, swale_span(session->kept, session->kept_size));
    if (error && !exchange->answered)
        swale__exchange_refuse(exchange, error);
    finish(exchange);
    return error;
}

int swale_exchange_refuse(struct swale_exchange *exchange, int status, struct swale_span body)
{
    if (!exchange->upgrading)
        return SWALE_ERR_STATE;
    return swale_exchange_reply(exchange, status ? status : swale_error_http_status(SWALE_ERR_REFUSED), NULL, body);
}
