/* client.c - the life of a client: tries, waits, and the end.
 *
 * A call of the application only sets the state and asks for `step`, which carries it out in the next turn and tells
 * of it. */
#include "client/state.h"

#include "client/retry.h"
#include "proto/close.h"

#include <stdio.h>

/* ---- States ----------------------------------------------------------------------------------------- */

void swale__client_announce(struct swale_client *client)
{
    if (client->told == client->state)
        return;
    client->told = client->state;
    if (client->handler->on_state)
        client->handler->on_state(client, (enum swale_client_state)client->state);
}

/* From a call: it is told later. */
static void turn_to(struct swale_client *client, enum swale_client_state state)
{
    client->state = (uint8_t)state;
    swale__loop_at_next(client->loop, &client->work);
}

void swale__client_move_on(struct swale_client *client, int64_t delay_ms)
{
    if (delay_ms < 0) {
        client->state = SWALE_CLIENT_ENDED;
        return;
    }
    uint64_t now = swale__client_now(client), delay = (uint64_t)delay_ms;
    client->state = SWALE_CLIENT_WAITING;
    swale_timer_start(client->loop, &client->retry, delay < UINT64_MAX - now ? now + delay : UINT64_MAX - 1);
}

/* ---- Failing and ending ----------------------------------------------------------------------------- */

/* What the application has asked for goes before any policy. */
static bool settled(struct swale_client *client, int64_t *delay_ms)
{
    bool closing = client->state == SWALE_CLIENT_CLOSING;
    bool hurry = client->hurry;
    client->hurry = false;
    *delay_ms = closing ? SWALE_CLIENT_STOP : 0;
    return closing || hurry;
}

int64_t swale__client_decide(struct swale_client *client, struct swale_client_retry *retry)
{
    int64_t delay_ms;
    uint64_t random;
    if (settled(client, &delay_ms))
        return delay_ms;
    swale__commons_random(client->commons, &random, sizeof random);
    retry->failures = client->failures;
    retry->was_open = client->was_open;
    retry->delay_ms = swale__retry_delay(&client->plan.config->options.reconnect, retry,
                                         swale__client_now(client) - client->gap_ms, random);
    if (!client->handler->on_retry)
        return retry->delay_ms;
    client->deciding = true;
    int64_t wanted = client->handler->on_retry(client, retry);
    client->deciding = false;
    if (settled(client, &delay_ms))
        return delay_ms;
    return wanted < 0 ? SWALE_CLIENT_STOP : wanted;
}

void swale__client_end(struct swale_client *client, int reason)
{
    struct swale__news refused;
    if (client->freed || client->state != SWALE_CLIENT_ENDED)
        return;
    swale__client_refuse(client, &refused);
    swale__client_tell(client, &refused);
    if (!client->freed && client->state == SWALE_CLIENT_ENDED && client->handler->on_end)
        client->handler->on_end(client, reason);
}

void swale__client_failed(struct swale_client *client, struct swale_client_failure *failure, int64_t retry_after_ms)
{
    struct swale_client_retry retry = {
        .reason = failure->reason,
        .phase = failure->phase,
        .status = failure->response ? failure->response->status : 0,
        .retry_after_ms = retry_after_ms,
    };
    client->failures += client->failures < UINT32_MAX;
    failure->retry_ms = swale__client_decide(client, &retry);
    if (client->freed)
        return;
    swale__client_move_on(client, failure->retry_ms);
    swale__client_announce(client);
    if (!client->freed && client->handler->on_fail)
        client->handler->on_fail(client, failure);
    swale__client_end(client, failure->reason);
}

/* ---- Trying ----------------------------------------------------------------------------------------- */

void swale__client_trace(void *context, const struct swale_trace *trace)
{
    struct swale_client *client = context;
    if (client->freed)
        return;
    client->tracing = true;
    client->handler->on_trace(client, trace);
    client->tracing = false;
}

/* A try that was given up may still fail before it is cancelled. */
static void on_fail(void *context, struct swale_client_failure *failure, int64_t retry_after_ms)
{
    struct swale_client *client = context;
    client->attempt = NULL;
    if (!client->freed && client->state == SWALE_CLIENT_CONNECTING)
        swale__client_failed(client, failure, retry_after_ms);
}

/* No try and no connection goes by the old one any more. */
static void adopt_plan(struct swale_client *client)
{
    if (!client->next_plan.config)
        return;
    swale__client_config_free(client->plan.config);
    client->plan = client->next_plan;
    client->next_plan = (struct swale__client_plan){ .config = NULL };
}

static void try_now(struct swale_client *client)
{
    adopt_plan(client);
    struct swale__attempt_options options = {
        .loop = client->loop,
        .config = client->plan.config,
        .resolver = client->plan.resolver,
        .tls = client->plan.tls,
        .proxy_tls = client->plan.proxy_tls,
        .jar = client->plan.config->options.no_cookies ? NULL : client->jar,
        .random = swale__commons_random,
        .random_context = client->commons,
        .on_open = swale__client_opened,
        .on_fail = on_fail,
        .on_trace = client->handler->on_trace ? swale__client_trace : NULL,
        .context = client,
    };
    client->tries += client->tries < UINT32_MAX;
    int error = swale__attempt_new(&client->attempt, &options);
    if (error) {
        struct swale_client_failure failure = { .reason = error, .text = swale_strerror(error) };
        client->attempt = NULL;
        swale__client_failed(client, &failure, -1);
    }
}

static void give_up(struct swale_client *client)
{
    if (client->attempt)
        swale__attempt_cancel(client->attempt);
    client->attempt = NULL;
    client->state = SWALE_CLIENT_ENDED;
    swale__client_announce(client);
    swale__client_end(client, SWALE_ERR_LOCAL_CLOSED);
}

/* What calls of the application have set going. */
static void step(struct swale__work *work)
{
    struct swale_client *client = SWALE__LIST_OWNER(work, struct swale_client, work);
    swale__client_announce(client);
    if (client->freed)
        return;
    if (client->state == SWALE_CLIENT_CONNECTING && !client->attempt)
        try_now(client);
    else if (client->state == SWALE_CLIENT_CLOSING && !client->conn)
        give_up(client);
}

static void wait_is_over(struct swale_timer *timer)
{
    struct swale_client *client = timer->context;
    client->state = SWALE_CLIENT_CONNECTING;
    step(&client->work);
}

/* ---- Making and freeing ----------------------------------------------------------------------------- */

/* For wss, and wherever a redirect or the proxy may lead. */
static int take_trust(struct swale__commons *commons, struct swale__client_plan *plan, char *message)
{
    const struct swale_client_options *options = &plan->config->options;
    bool wanted = plan->config->url.secure || options->max_redirects > 0;
    int error = 0;
    plan->tls = options->tls;
    plan->proxy_tls = options->proxy_tls;
    if (!plan->tls && wanted)
        error = swale__commons_trust(commons, &plan->tls, message);
    if (!error && !plan->proxy_tls && plan->config->proxy.kind == SWALE__PROXY_HTTPS)
        error = swale__commons_trust(commons, &plan->proxy_tls, message);
    return error;
}

static int take_shared(struct swale__commons *commons, struct swale__client_plan *plan, char *message)
{
    int error = swale__commons_resolver(commons, plan->config->options.dns_servers, &plan->resolver);
    if (error == SWALE_ERR_ADDRESS && message)
        snprintf(message, SWALE_CLIENT_MESSAGE_MAX, "dns_servers: not a list of addresses");
    if (!error)
        error = swale__commons_group(commons, &plan->config->limits, &plan->group);
    return error ? error : take_trust(commons, plan, message);
}

/* Where nothing more exact has been said. */
static int explain(char *message, int error)
{
    if (error && message && message[0] == '\0')
        snprintf(message, SWALE_CLIENT_MESSAGE_MAX, "%s", swale_strerror(error));
    return error;
}

static int make_plan(struct swale_client *client, const struct swale_client_options *options,
                     struct swale__client_plan *plan, char *message)
{
    int error = swale__client_config_new(&plan->config, client->allocator, options, message);
    if (!error && !client->jar && !options->no_cookies)
        error = swale__jar_new(&client->jar, client->allocator);
    if (!error)
        error = take_shared(client->commons, plan, message);
    return explain(message, error);
}

static void release(struct swale_client *client)
{
    struct swale__letter *letter;
    if (client->attempt)
        swale__attempt_cancel(client->attempt);
    while ((letter = swale__outbox_pop(&client->box)))
        swale__letter_free(&client->box, letter);
    swale__ledger_done(&client->ledger);
    if (client->jar)
        swale__jar_free(client->jar);
    swale__client_config_free(client->plan.config);
    swale__client_config_free(client->next_plan.config);
    if (client->commons)
        swale__commons_release(client->commons);
    swale__free(client->allocator, client, sizeof *client);
}

/* At the end of a turn. */
static void run_release(struct swale__work *work)
{
    release(SWALE__LIST_OWNER(work, struct swale_client, work));
}

static void init(struct swale_client *client)
{
    const struct swale_client_options *options = &client->plan.config->options;
    client->handler = options->handler;
    client->user = options->user;
    client->box.allocator = client->ledger.allocator = client->allocator;
    client->retry = (struct swale_timer){ .fire = wait_is_over, .context = client };
    client->probe = (struct swale_timer){ .fire = swale__client_probe_fired, .context = client };
    client->work.run = step;
    client->gap_ms = swale_loop_now(client->loop);
    client->told = SWALE__NOTHING_TOLD;
    client->plain = options->max_pending == 0 && !client->handler->on_trace;
}

int swale_client_new(struct swale_client **client, struct swale_loop *loop,
                     const struct swale_client_options *options, char *message)
{
    const struct swale_allocator *allocator = swale__loop_allocator(loop);
    if (message)
        message[0] = '\0';
    struct swale_client *made = swale__alloc_zeroed(allocator, sizeof *made);
    if (!made)
        return explain(message, -ENOMEM);
    made->loop = loop;
    made->allocator = allocator;
    int error = explain(message, swale__commons_take(&made->commons, loop));
    if (!error)
        error = make_plan(made, options, &made->plan, message);
    if (error) {
        release(made);
        return error;
    }
    init(made);
    turn_to(made, SWALE_CLIENT_CONNECTING);
    *client = made;
    return 0;
}

int swale_client_configure(struct swale_client *client, const struct swale_client_options *options, char *message)
{
    struct swale_client_options same = { .url = NULL };
    struct swale__client_plan plan = { .config = NULL };
    if (options)
        same = *options;
    same.handler = client->handler;
    same.max_pending = client->plan.config->options.max_pending;
    same.max_pending_messages = client->plan.config->options.max_pending_messages;
    int error = make_plan(client, &same, &plan, message);
    if (error) {
        swale__client_config_free(plan.config);
        return error;
    }
    swale__client_config_free(client->next_plan.config);
    client->next_plan = plan;
    return 0;
}

/* Within a turn the memory has to last until its end: there may be callbacks of this client's above. Outside of any
 * there is none but on_trace. */
void swale_client_free(struct swale_client *client)
{
    if (!client || client->freed)
        return;
    client->freed = true;
    swale__client_unlink(client);
    swale_timer_stop(client->loop, &client->retry);
    swale__loop_forget(client->loop, &client->work);
    if (!swale__loop_here(client->loop) && !client->tracing) {
        release(client);
        return;
    }
    client->work.run = run_release;
    swale__loop_at_end(client->loop, &client->work);
}

/* ---- Closing and coming back ------------------------------------------------------------------------ */

/* It may be ending already, which is as good. */
void swale__client_close_conn(struct swale_client *client, int code, const char *text)
{
    if (client->finishing)
        swale_conn_finish(client->conn, code, text);
    else
        swale_conn_close(client->conn, code, text);
}

/* Behind what is queued, and behind what is pending. */
static void close_conn(struct swale_client *client, int code, const char *text)
{
    swale_timer_stop(client->loop, &client->probe);
    client->close_waits = client->box.waiting != NULL;
    if (!client->close_waits) {
        swale__client_close_conn(client, code, text);
        return;
    }
    snprintf(client->close_text, sizeof client->close_text, "%s", text ? text : "");
    swale__client_watch_close(client);
}

static int close_client(struct swale_client *client, int code, const char *text, bool finishing)
{
    char payload[2 + SWALE_REASON_MAX];
    if (client->tracing)
        return SWALE_ERR_STATE;
    if (client->state == SWALE_CLIENT_CLOSING || client->state == SWALE_CLIENT_ENDED)
        return SWALE_ERR_CLOSED;
    int size = swale__close_write(code, swale_text(text), payload);
    if (size < 0)
        return size;
    client->finishing = finishing;
    client->close_code = code;
    if (client->state == SWALE_CLIENT_OPEN && !client->deciding) /* of a policy the connection has ended */
        close_conn(client, code, text);
    swale_timer_stop(client->loop, &client->retry);
    turn_to(client, SWALE_CLIENT_CLOSING);
    return 0;
}

int swale_client_close(struct swale_client *client, int code, const char *text)
{
    return close_client(client, code, text, false);
}

int swale_client_finish(struct swale_client *client, int code, const char *text)
{
    return close_client(client, code, text, true);
}

int swale_client_reconnect(struct swale_client *client)
{
    if (client->tracing)
        return SWALE_ERR_STATE;
    switch ((enum swale_client_state)client->state) {
    case SWALE_CLIENT_CLOSING:
        return SWALE_ERR_CLOSED;
    case SWALE_CLIENT_OPEN:
        swale_conn_fail(client->conn, SWALE_ERR_ABORTED);
        client->hurry = true;
        break;
    case SWALE_CLIENT_CONNECTING:
        client->hurry = client->deciding;
        break;
    case SWALE_CLIENT_ENDED:
        client->failures = client->tries = 0;
        client->gap_ms = swale__client_now(client);
        turn_to(client, SWALE_CLIENT_CONNECTING);
        break;
    case SWALE_CLIENT_WAITING:
        swale_timer_stop(client->loop, &client->retry);
        turn_to(client, SWALE_CLIENT_CONNECTING);
        break;
    }
    return 0;
}

static void shorten_wait(struct swale_client *client)
{
    uint64_t random;
    swale__commons_random(client->commons, &random, sizeof random);
    uint64_t most = client->plan.config->options.reconnect.first_ms;
    uint64_t due = swale__client_now(client) + random % (most + 1); /* a whole network may have changed */
    if (due < client->retry.due_ms)
        swale_timer_start(client->loop, &client->retry, due);
}

void swale_client_network_changed(struct swale_client *client, uint32_t probe_ms)
{
    enum { PROBE_MS = 5000 };
    if (client->state == SWALE_CLIENT_WAITING)
        shorten_wait(client);
    if (client->state != SWALE_CLIENT_OPEN || client->deciding || client->tracing ||
        swale_timer_running(&client->probe))
        return;
    client->heard = false;
    client->probed_ms = swale__client_now(client);
    swale_timer_start(client->loop, &client->probe, client->probed_ms + (probe_ms ? probe_ms : PROBE_MS));
    swale_conn_ping(client->conn, swale_span(NULL, 0)); /* a queue that is full has to move instead */
}

/* ---- What is known ---------------------------------------------------------------------------------- */

enum swale_client_state swale_client_state(const struct swale_client *client)
{
    return (enum swale_client_state)client->state;
}

struct swale_loop *swale_client_loop(const struct swale_client *client)
{
    return client->loop;
}

void *swale_client_user(const struct swale_client *client)
{
    return client->user;
}

void swale_client_set_user(struct swale_client *client, void *user)
{
    client->user = user;
    if (client->conn)
        swale_conn_set_user(client->conn, user);
}

struct swale_conn *swale_client_conn(const struct swale_client *client)
{
    return client->conn;
}

int64_t swale_client_retry_in(const struct swale_client *client)
{
    if (client->state != SWALE_CLIENT_WAITING)
        return -1;
    uint64_t now = swale__client_now(client);
    return client->retry.due_ms > now ? (int64_t)(client->retry.due_ms - now) : 0;
}
