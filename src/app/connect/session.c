#include "app/connect/session.h"

#include "app/connect/status.h"
#include "app/connect/terminal.h"
#include "app/connect/verbose.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* After a failure, so long for the close and for what waits to be written. */
enum { GRACE_MS = 3000 };

/* ---- The end ---------------------------------------------------------------------------------------- */

/* The first failure stays; one may come even after a clean close, when standard output fails. */
static void decide(struct session *session, int status, const char *fault)
{
    if (session->decided && (session->status != CONNECT_OK || status == CONNECT_OK))
        return;
    session->decided = true;
    session->status = status;
    if (status != CONNECT_OK)
        session->fault = strdup(fault);
}

void session_end(struct session *session, int status, const char *format, ...)
{
    enum { FAULT_MAX = 512 };
    char fault[FAULT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault, sizeof fault, format, arguments);
    va_end(arguments);
    decide(session, status, fault);
    swale_timer_start(session->loop, &session->timeout, swale_loop_now(session->loop) + GRACE_MS);
    if (session_close(session, 1000, NULL) == SWALE_ERR_CLOSED) /* since before: who has not answered yet may never */
        session_quit(session);
}

/* Everything has been said; what the server still says to it is heard. */
static void finish(struct session *session)
{
    input_stop(&session->input);
    if (session->client)
        swale_client_finish(session->client, 1000, NULL);
}

/* No more messages are delivered; so the answer can be read even though standard output is blocked. */
int session_close(struct session *session, int code, const char *text)
{
    struct swale_conn *conn = session->client ? swale_client_conn(session->client) : NULL;
    int error = session->client ? swale_client_close(session->client, code, text) : SWALE_ERR_CLOSED;
    if (error < 0)
        return error;
    session->closing = true;
    input_stop(&session->input);
    if (conn)
        swale_conn_resume(conn);
    return 0;
}

static void end(struct session *session)
{
    session->ended = true;
    if (session->terminal)
        terminal_leave(session->terminal);
}

void session_quit(struct session *session)
{
    end(session);
    output_done(&session->output);
}

/* How the last try or connection ended decides, unless something else did. */
static void decide_by(struct session *session, int status, struct buffer *line)
{
    buffer_put(line, swale_span("", 1));
    decide(session, status, line->failed ? "out of memory" : line->data);
}

static void on_timeout(struct swale_timer *timer)
{
    struct session *session = timer->context;
    session->hurried = true;
    if (session->status != CONNECT_OK)
        session_quit(session);
    else
        session_end(session, CONNECT_TIMEOUT, "no end within %.3g s (--timeout)",
                    session->options->timeout_ms / 1000.0);
}

static void on_stay_over(struct swale_timer *timer)
{
    finish(timer->context);
}

/* ---- From standard input ---------------------------------------------------------------------------- */

int session_send(struct session *session, struct swale_span message)
{
    enum swale_kind kind = session->options->binary ? SWALE_BINARY : SWALE_TEXT;
    return swale_client_send(session->client, kind, message.data, message.size, NULL);
}

static bool on_input(void *context, struct swale_span message, uint64_t number)
{
    struct session *session = context;
    if (!session->options->binary && !swale_utf8_valid(message.data, message.size)) {
        session_end(session, CONNECT_INPUT, "standard input: message %llu is not UTF-8 (--binary sends it as it is)",
                    (unsigned long long)number);
        return false;
    }
    int error = session_send(session, message);
    if (error < 0)
        session_end(session, CONNECT_FAILED, "message %llu cannot be sent: %s", (unsigned long long)number,
                    fault_text(error));
    return error == 0;
}

static void on_input_end(void *context, int error)
{
    struct session *session = context;
    session->input_over = true;
    if (error == INPUT_TRUNCATED)
        session_end(session, CONNECT_INPUT, "standard input ends within a message");
    else if (error == INPUT_TOO_LONG)
        session_end(session, CONNECT_INPUT, "standard input: a message of more than %zu bytes", INPUT_MESSAGE_MAX);
    else if (error < 0)
        session_end(session, CONNECT_IO, "standard input: %s", fault_text(error));
    else if (!session->options->wait)
        finish(session);
    else if (session->options->wait_ms > 0)
        swale_timer_start(session->loop, &session->stay, swale_loop_now(session->loop) + session->options->wait_ms);
}

/* ---- To standard output ----------------------------------------------------------------------------- */

static void on_blocked(void *context, bool blocked)
{
    struct session *session = context;
    struct swale_conn *conn = session->client ? swale_client_conn(session->client) : NULL;
    if (conn && blocked && !session->closing)
        swale_conn_pause(conn);
    else if (conn)
        swale_conn_resume(conn);
}

static void on_output_error(void *context, int error)
{
    session_end(context, CONNECT_IO, "standard output: %s", fault_text(error));
}

static void print_message(struct session *session, const struct swale_message *message)
{
    struct buffer line = { 0 };
    bool good = show_message(&session->show, message, &line);
    if (good && !line.failed)
        terminal_print(session->terminal, buffer_span(&line));
    buffer_done(&line);
    if (line.failed)
        session_end(session, CONNECT_FAILED, "out of memory");
}

static void write_message(struct session *session, const struct swale_message *message)
{
    if (!show_message(&session->show, message, output_buffer(&session->output)))
        session_end(session, CONNECT_FAILED, "a message is too long for --length-prefixed");
    if (output_is_much(&session->output))
        output_flush(&session->output);
}

/* ---- What the client tells -------------------------------------------------------------------------- */

static void say_opened(struct session *session, const struct swale_client_opening *opening)
{
    struct swale_conn *conn = swale_client_conn(session->client);
    struct swale_span subprotocol = swale_conn_subprotocol(conn);
    struct buffer line = { 0 };
    buffer_puts(&line, opening->first ? "connected" : "connected again");
    if (!opening->first)
        buffer_putf(&line, " after %.1f s", (double)opening->gap_ms / 1000);
    if (subprotocol.size > 0)
        buffer_putf(&line, ", subprotocol %.*s", (int)subprotocol.size, subprotocol.data);
    if (swale_conn_deflate(conn))
        buffer_puts(&line, ", compressed");
    if (!line.failed)
        say_note(&session->say, "%.*s", (int)line.size, line.data);
    buffer_done(&line);
}

/* On the connection itself, so that nothing that waited for it goes before. */
static void send_first(struct session *session, struct swale_conn *conn)
{
    enum swale_kind kind = session->options->binary ? SWALE_BINARY : SWALE_TEXT;
    for (size_t n = 0; n < session->options->on_connect.count; n++) {
        struct swale_span message = swale_text(session->options->on_connect.items[n]);
        int error = swale_conn_send(conn, kind, message.data, message.size);
        if (error < 0)
            session_end(session, CONNECT_FAILED, "--on-connect cannot be sent: %s", fault_text(error));
    }
}

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct session *session = swale_client_user(client);
    session->opened = true;
    if (session->terminal || session->options->reconnect)
        say_opened(session, opening);
    if (session->output.blocked)
        swale_conn_pause(swale_client_conn(client));
    send_first(session, swale_client_conn(client));
    if (!session->terminal)
        input_start(&session->input);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct session *session = swale_client_user(client);
    uint64_t max = session->options->max_messages;
    if (max > 0 && session->received >= max) /* closing waits behind what is sent */
        return;
    if (session->terminal)
        print_message(session, message);
    else
        write_message(session, message);
    session->received++;
    if (session->received == max)
        session_close(session, 1000, NULL);
}

static void on_drain(struct swale_client *client)
{
    struct session *session = swale_client_user(client);
    if (!session->terminal && !session->closing)
        input_start(&session->input);
}

static void say_control(struct session *session, const char *name, struct swale_span payload)
{
    struct buffer line = { 0 };
    show_control(name, payload, &line);
    if (session->ping_ms > 0 && name[1] == 'o')
        buffer_putf(&line, ", after %llu ms", (unsigned long long)(swale_loop_now(session->loop) - session->ping_ms));
    if (!line.failed)
        say_line(&session->say, COLOUR_DIM, buffer_span(&line));
    buffer_done(&line);
}

static void on_ping(struct swale_client *client, struct swale_span payload)
{
    struct session *session = swale_client_user(client);
    if (session->options->show_control)
        say_control(session, "ping", payload);
}

/* One that /ping asked for is shown in any case. */
static void on_pong(struct swale_client *client, struct swale_span payload)
{
    struct session *session = swale_client_user(client);
    if (session->options->show_control || session->ping_ms > 0)
        say_control(session, "pong", payload);
    session->ping_ms = 0;
}

/* The line about an end that is not the last one, or that is no failure. */
static void say_end(struct session *session, struct buffer *line, int64_t retry_ms)
{
    if (retry_ms >= 0)
        buffer_putf(line, "; trying again in %.1f s", (double)retry_ms / 1000);
    if (!line->failed)
        say_note(&session->say, "%.*s", (int)line->size, line->data);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct session *session = swale_client_user(client);
    struct buffer line = { 0 };
    int status = status_of_close(&closing->close);
    input_stop(&session->input);
    show_close(&closing->close, &line);
    bool local = closing->close.reason == SWALE_ERR_LOCAL_CLOSED;
    bool wanted = session->options->show_control || (session->terminal && !local);
    if (closing->retry_ms >= 0 || (status == CONNECT_OK && wanted))
        say_end(session, &line, closing->retry_ms);
    if (closing->retry_ms < 0)
        decide_by(session, status, &line);
    buffer_done(&line);
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct session *session = swale_client_user(client);
    struct buffer line = { 0 };
    show_failure(failure, &line);
    if (failure->retry_ms >= 0)
        say_end(session, &line, failure->retry_ms);
    else if (failure->reason != SWALE_ERR_LOCAL_CLOSED)
        decide_by(session, status_of_failure(failure), &line);
    buffer_done(&line);
}

static void on_end(struct swale_client *client, int reason)
{
    struct session *session = swale_client_user(client);
    bool left = session->terminal && reason == SWALE_ERR_LOCAL_CLOSED;
    if (!session->decided)
        decide(session, left ? CONNECT_OK : CONNECT_DROPPED, "there was no connection to close");
    end(session);
}

static int64_t on_retry(struct swale_client *client, const struct swale_client_retry *retry)
{
    struct session *session = swale_client_user(client);
    bool closed = retry->phase == SWALE_PHASE_OPEN && retry->reason == SWALE_ERR_PEER_CLOSED;
    return closed && session->options->exit_on_close ? SWALE_CLIENT_STOP : retry->delay_ms;
}

static void on_trace(struct swale_client *client, const struct swale_trace *trace)
{
    struct session *session = swale_client_user(client);
    struct buffer lines = { 0 };
    verbose_put(trace, swale_loop_now(session->loop) - session->began_ms, &lines);
    if (lines.size > 0 && lines.data[lines.size - 1] == '\n' && !lines.failed)
        say_line(&session->say, COLOUR_DIM, swale_span(lines.data, lines.size - 1));
    buffer_done(&lines);
}

/* ---- The beginning ---------------------------------------------------------------------------------- */

static void set_up(struct session *session)
{
    session->handler = (struct swale_client_handler){
        .on_open = on_open,
        .on_message = on_message,
        .on_drain = on_drain,
        .on_ping = on_ping,
        .on_pong = on_pong,
        .on_close = on_close,
        .on_fail = on_fail,
        .on_end = on_end,
        .on_retry = on_retry,
        .on_trace = session->options->verbose ? on_trace : NULL,
    };
    session->input = (struct input){
        .loop = session->loop,
        .fd = STDIN_FILENO,
        .framing = session->options->framing,
        .on_message = on_input,
        .on_end = on_input_end,
        .context = session,
    };
    session->output = (struct output){
        .loop = session->loop,
        .fd = STDOUT_FILENO,
        .on_blocked = on_blocked,
        .on_error = on_output_error,
        .context = session,
    };
    session->timeout = (struct swale_timer){ .fire = on_timeout, .context = session };
    session->stay = (struct swale_timer){ .fire = on_stay_over, .context = session };
    session->began_ms = swale_loop_now(session->loop);
}

/* What the caller got wrong is usage; TLS that cannot be set up is TLS. */
static int status_of_new(int error)
{
    switch (error) {
    case SWALE_ERR_URL:
    case SWALE_ERR_PROXY_URL:
    case SWALE_ERR_ADDRESS:
    case SWALE_ERR_INVALID:
        return CONNECT_USAGE;
    case SWALE_ERR_TLS_CA:
        return CONNECT_TLS;
    default:
        return CONNECT_FAILED;
    }
}

int session_begin(struct session *session)
{
    struct swale_client_options options;
    struct swale_limits limits;
    char message[SWALE_CLIENT_MESSAGE_MAX];
    set_up(session);
    connect_options_client(session->options, &options, &limits);
    options.handler = &session->handler;
    options.user = session;
    options.tls = session->tls;
    options.max_pending = session->options->reconnect ? SWALE_UNLIMITED : 0; /* input stands still meanwhile */
    int error = swale_client_new(&session->client, session->loop, &options, message);
    if (error < 0)
        return fault_print(status_of_new(error), "swale connect", "%s", message);
    if (session->options->timeout_ms > 0)
        swale_timer_start(session->loop, &session->timeout, session->began_ms + session->options->timeout_ms);
    return CONNECT_OK;
}

void session_step(struct session *session)
{
    int error = swale_loop_step(session->loop, -1);
    if (error < 0) {
        decide(session, CONNECT_FAILED, fault_text(error));
        session_quit(session);
    }
    if (!session->terminal && !output_empty(&session->output))
        output_flush(&session->output);
}

bool session_done(const struct session *session)
{
    return session->ended && (session->hurried || output_empty(&session->output));
}

void session_free(struct session *session)
{
    swale_timer_stop(session->loop, &session->timeout);
    swale_timer_stop(session->loop, &session->stay);
    input_done(&session->input);
    output_done(&session->output);
    swale_client_free(session->client);
    free(session->fault);
}
