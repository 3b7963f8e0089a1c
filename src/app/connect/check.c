/* check.c - the tries, one behind the other, each with a client of its own:
 *
 *     as asked        the way there, TLS, the handshake, a ping, the closing handshake
 *     unverified      the same again, when the certificate is not trusted, to learn of the rest
 *     foreign origin  what a page of another site would get
 */
#include "app/connect/check.h"

#include "app/connect/advice.h"
#include "app/connect/escape.h"
#include "app/connect/say.h"
#include "app/connect/show.h"
#include "app/connect/status.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum mark { MARK_OK, MARK_WARNING, MARK_WRONG, MARKS };

/* How long an answer to a ping may take. */
enum { PONG_MS = 3000 };

#define PING_PAYLOAD   "swale-check"
#define FOREIGN_ORIGIN "https://foreign.invalid"

struct check {
    const struct connect_options *options;
    struct swale_loop *loop;
    struct swale_tls *tls;
    bool colours;
    size_t marks[MARKS];

    /* Of the try under way. */
    struct swale_client *client;
    struct swale_timer patience;
    uint64_t began_ms, pinged_ms;
    uint64_t messages;
    struct buffer notes; /* about the way, one a line */
    bool foreign, unverified;
    bool opened, answered, ended, untrusted, refused;
};

/* ---- Findings --------------------------------------------------------------------------------------- */

static void print_line(const struct check *check, enum mark mark, const char *text)
{
    static const char *const names[] = { "ok", "warning", "wrong" };
    static const enum colour colours[] = { COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED };
    printf("%s%-8s%s %s\n", colour_begin(check->colours, colours[mark]), names[mark],
           colour_end(check->colours, colours[mark]), text);
    fflush(stdout);
}

static void report(struct check *check, enum mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void report(struct check *check, enum mark mark, const char *format, ...)
{
    enum { LINE = 1024 };
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    check->marks[mark]++;
    print_line(check, mark, line);
}

/* Reports with what a peer sent behind the text. */
static void report_with(struct check *check, enum mark mark, const char *text, struct swale_span theirs)
{
    struct buffer line = { 0 };
    escape_line(theirs, &line);
    report(check, mark, "%s%.*s", text, (int)line.size, line.data ? line.data : "");
    buffer_done(&line);
}

/* Takes the first line, without its newline. */
static struct swale_span take_line(struct swale_span *lines)
{
    const char *end = memchr(lines->data, '\n', lines->size);
    struct swale_span line = swale_span(lines->data, end ? (size_t)(end - lines->data) : lines->size);
    *lines = end ? swale_span(end + 1, lines->size - line.size - 1) : swale_span(NULL, 0);
    return line;
}

static void print_advice(struct swale_span lines)
{
    while (lines.size > 0) {
        struct swale_span line = take_line(&lines);
        printf("         %.*s\n", (int)line.size, line.data);
    }
}

static bool is_secure(const struct check *check)
{
    struct swale_url url;
    return swale_url_parse(swale_text(check->options->url), &url, NULL) == 0 && url.secure;
}

/* ---- What an open connection shows ------------------------------------------------------------------ */

static bool is_here(struct swale_span address)
{
    return swale_span_equal(address, swale_text("unix")) || swale_span_equal(address, swale_text("::1")) ||
           (address.size >= 4 && memcmp(address.data, "127.", 4) == 0);
}

static bool begins(struct swale_span text, const char *words)
{
    size_t size = strlen(words);
    return text.size >= size && memcmp(text.data, words, size) == 0;
}

/* Redirects, and addresses that did not answer while another one did: whoever tries those first waits. */
static void report_detours(struct check *check, const struct swale_peer *peer)
{
    struct swale_span notes = buffer_span(&check->notes);
    while (notes.size > 0) {
        struct swale_span note = take_line(&notes);
        if (begins(note, "redirected to "))
            report(check, MARK_OK, "%.*s", (int)note.size, note.data);
        else if (begins(note, "connect to "))
            report(check, is_here(peer->address) ? MARK_OK : MARK_WARNING, "has another address: %.*s",
                   (int)note.size, note.data);
    }
}

static void report_way(struct check *check, const struct swale_peer *peer)
{
    unsigned long long ms = swale_loop_now(check->loop) - check->began_ms;
    report(check, MARK_OK, "connected to %.*s port %u; the handshake was done after %llu ms", (int)peer->address.size,
           peer->address.data, peer->port, ms);
}

static void report_tls(struct check *check, const struct swale_peer *peer)
{
    if (!peer->tls && is_here(peer->address)) {
        report(check, MARK_OK, "no TLS, which nobody needs within a machine");
        return;
    }
    if (!peer->tls) {
        report(check, MARK_WARNING, "no TLS: whoever is on the way can read and change everything (wss:// has it)");
        return;
    }
    report(check, MARK_OK, "%.*s with %.*s", (int)peer->tls_version.size, peer->tls_version.data,
           (int)peer->tls_cipher.size, peer->tls_cipher.data);
    if (check->unverified || check->options->insecure)
        report(check, MARK_WARNING, "the certificate was not verified; anybody can have made it");
    else
        report_with(check, MARK_OK, "the certificate is trusted, and for this name: ", peer->tls_subject);
}

static void report_handshake(struct check *check, const struct swale_response *response)
{
    report(check, MARK_OK, "answers 101, with Upgrade, Connection and the right Sec-WebSocket-Accept");
    const struct swale_field *server = swale_field_find(response->fields, response->field_count, "Server", NULL);
    if (server)
        report_with(check, MARK_OK, "says that it is ", server->value);
}

static void report_subprotocol(struct check *check, struct swale_conn *conn)
{
    struct swale_span chosen = swale_conn_subprotocol(conn);
    if (check->options->subprotocols.count == 0)
        return;
    if (chosen.size > 0)
        report_with(check, MARK_OK, "chose the subprotocol ", chosen);
    else
        report(check, MARK_WARNING, "chose none of the subprotocols offered; browsers then fail the connection");
}

static void report_deflate(struct check *check, struct swale_conn *conn, const struct swale_response *response)
{
    const struct swale_field *chosen =
        swale_field_find(response->fields, response->field_count, "Sec-WebSocket-Extensions", NULL);
    if (swale_conn_deflate(conn) && chosen)
        report_with(check, MARK_OK, "compresses: ", chosen->value);
    else
        report(check, MARK_OK, "does not compress (permessage-deflate was offered and not chosen)");
}

static void send_ping(struct check *check, struct swale_conn *conn)
{
    check->pinged_ms = swale_loop_now(check->loop);
    swale_conn_ping(conn, swale_text(PING_PAYLOAD));
    swale_timer_start(check->loop, &check->patience, check->pinged_ms + PONG_MS);
}

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct check *check = swale_client_user(client);
    struct swale_conn *conn = swale_client_conn(client);
    struct swale_peer peer;
    swale_conn_peer(conn, &peer);
    check->opened = true;
    if (!check->foreign) {
        report_detours(check, &peer);
        report_way(check, &peer);
        report_tls(check, &peer);
        report_handshake(check, opening->response);
        report_subprotocol(check, conn);
        report_deflate(check, conn, opening->response);
    }
    send_ping(check, conn);
}

static void on_trace(struct swale_client *client, const struct swale_trace *trace)
{
    struct check *check = swale_client_user(client);
    if (trace->kind != SWALE_TRACE_NOTE)
        return;
    escape_line(trace->text, &check->notes);
    buffer_puts(&check->notes, "\n");
}

/* ---- Its ping and its close ------------------------------------------------------------------------- */

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    (void)message;
    ((struct check *)swale_client_user(client))->messages++;
}

static void on_pong(struct swale_client *client, struct swale_span payload)
{
    struct check *check = swale_client_user(client);
    if (check->answered)
        return;
    check->answered = true;
    swale_timer_stop(check->loop, &check->patience);
    if (!check->foreign && swale_span_equal(payload, swale_text(PING_PAYLOAD)))
        report(check, MARK_OK, "answers a ping, after %llu ms",
               (unsigned long long)(swale_loop_now(check->loop) - check->pinged_ms));
    else if (!check->foreign)
        report(check, MARK_WRONG, "answers a ping with another payload (RFC 6455 section 5.5.3)");
    swale_client_close(client, 1000, NULL);
}

static void on_patience_over(struct swale_timer *timer)
{
    struct check *check = timer->context;
    if (!check->foreign)
        report(check, MARK_WRONG, "does not answer a ping within %d s (RFC 6455 section 5.5.2)", PONG_MS / 1000);
    swale_client_close(check->client, 1000, NULL);
}

/* How it answers a close of 1000. */
static void report_answer(struct check *check, const struct swale_close *close)
{
    if (!close->clean)
        report(check, MARK_WRONG, "does not answer a close (RFC 6455 section 5.5.1)");
    else if (close->code == 1000 || close->code == 1005)
        report(check, MARK_OK, "closes cleanly");
    else
        report(check, MARK_WARNING, "answers a close of 1000 with %d", close->code);
}

static void report_close(struct check *check, const struct swale_close *close)
{
    struct buffer line = { 0 };
    int status = status_of_close(close);
    show_close(close, &line);
    if (line.failed)
        report(check, MARK_WRONG, "out of memory");
    else if (close->reason == SWALE_ERR_LOCAL_CLOSED || close->reason == SWALE_ERR_CLOSE_TIMEOUT)
        report_answer(check, close);
    else if (close->reason == SWALE_ERR_PEER_CLOSED)
        report(check, MARK_WARNING, "at once %.*s; it may want credentials or a first message", (int)line.size,
               line.data);
    else
        report(check, MARK_WRONG, "%.*s%s", (int)line.size, line.data,
               status == CONNECT_PROTOCOL ? "; browsers fail the connection, too" : "");
    buffer_done(&line);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct check *check = swale_client_user(client);
    swale_timer_stop(check->loop, &check->patience);
    check->refused = !check->answered && closing->close.reason == SWALE_ERR_PEER_CLOSED;
    if (check->foreign)
        return;
    if (check->messages > 0)
        report(check, MARK_OK, "sends by itself: %llu messages so far", (unsigned long long)check->messages);
    report_close(check, &closing->close);
}

/* ---- When it does not open -------------------------------------------------------------------------- */

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct check *check = swale_client_user(client);
    int status = failure->response ? failure->response->status : 0;
    check->refused = status == 401 || status == 403;
    check->untrusted = failure->reason == SWALE_ERR_TLS_UNTRUSTED;
    if (check->foreign)
        return;
    struct buffer line = { 0 }, advice = { 0 };
    show_failure(failure, &line);
    advice_put(failure, is_secure(check), &advice);
    report(check, MARK_WRONG, "%.*s", (int)line.size, line.failed ? "" : line.data);
    print_advice(buffer_span(&advice));
    buffer_done(&line);
    buffer_done(&advice);
}

static void on_end(struct swale_client *client, int reason)
{
    (void)reason;
    ((struct check *)swale_client_user(client))->ended = true;
}

/* ---- Tries ------------------------------------------------------------------------------------------ */

static const struct swale_client_handler handler = {
    .on_open = on_open,
    .on_message = on_message,
    .on_pong = on_pong,
    .on_close = on_close,
    .on_fail = on_fail,
    .on_end = on_end,
    .on_trace = on_trace,
};

static void forget_last(struct check *check)
{
    check->patience = (struct swale_timer){ .fire = on_patience_over, .context = check };
    check->began_ms = swale_loop_now(check->loop);
    check->messages = 0;
    check->notes.size = 0;
    check->opened = check->answered = check->ended = check->untrusted = check->refused = false;
}

/* One client, from its beginning to its end. 0, or an exit status after a fault. */
static int try(struct check *check, struct swale_tls *tls)
{
    struct swale_client_options options;
    struct swale_limits limits;
    char message[SWALE_CLIENT_MESSAGE_MAX];
    forget_last(check);
    connect_options_client(check->options, &options, &limits);
    options.handler = &handler;
    options.user = check;
    options.tls = tls;
    /* As browsers offer it. Demanding more would blame servers for what no browser asks of them (Tornado does not
     * confirm server_no_context_takeover). */
    options.deflate = (struct swale_deflate_policy){ .enabled = true,
                                                     .server_context_takeover = true,
                                                     .client_context_takeover = true };
    options.reconnect.off = true;
    if (check->foreign)
        options.origin = FOREIGN_ORIGIN;
    int error = swale_client_new(&check->client, check->loop, &options, message);
    if (error < 0)
        return fault_print(CONNECT_USAGE, "swale connect", "%s", message);
    while (!check->ended && error >= 0)
        error = swale_loop_step(check->loop, -1);
    swale_timer_stop(check->loop, &check->patience);
    swale_client_free(check->client);
    return error < 0 ? fault_print(CONNECT_FAILED, "swale connect", "%s", fault_text(error)) : CONNECT_OK;
}

static int try_unverified(struct check *check)
{
    struct swale_tls *tls;
    int error = swale_tls_client(&tls, &(struct swale_tls_options){ .insecure_skip_verification = true }, NULL);
    if (error < 0)
        return fault_print(CONNECT_TLS, "swale connect", "%s", fault_text(error));
    printf("         Going on without verification, to see the rest:\n");
    check->unverified = true;
    int status = try(check, tls);
    swale_tls_unref(check->tls);
    check->tls = tls; /* for what follows */
    return status;
}

static int try_foreign(struct check *check)
{
    check->foreign = true;
    int status = try(check, check->tls);
    if (status != CONNECT_OK)
        return status;
    if (check->refused)
        report(check, MARK_OK, "refuses pages of a foreign origin (tried " FOREIGN_ORIGIN ")");
    else if (check->answered)
        report(check, MARK_WARNING,
               "lets in pages of any origin: if it knows users by cookies, any site can act as its visitors "
               "(cross-site WebSocket hijacking)");
    else
        report(check, MARK_WARNING, "what it does about pages of a foreign origin could not be seen");
    return CONNECT_OK;
}

static void print_summary(const struct check *check)
{
    if (check->marks[MARK_WRONG] > 0)
        printf("\n%zu wrong, %zu to think about.\n", check->marks[MARK_WRONG], check->marks[MARK_WARNING]);
    else if (check->marks[MARK_WARNING] > 0)
        printf("\nNothing is wrong; %zu to think about.\n", check->marks[MARK_WARNING]);
    else
        printf("\nNothing is wrong.\n");
}

int check_run(const struct connect_options *options, struct swale_loop *loop, struct swale_tls *tls)
{
    struct check check = {
        .options = options,
        .loop = loop,
        .tls = tls ? swale_tls_ref(tls) : NULL,
        .colours = !options->no_color && colours_wanted(STDOUT_FILENO),
    };
    int status = try(&check, tls);
    if (status == CONNECT_OK && check.untrusted)
        status = try_unverified(&check);
    if (status == CONNECT_OK && check.opened)
        status = try_foreign(&check);
    if (status == CONNECT_OK)
        print_summary(&check);
    swale_tls_unref(check.tls);
    buffer_done(&check.notes);
    if (status != CONNECT_OK)
        return status;
    return check.marks[MARK_WRONG] > 0 ? CONNECT_FAILED : CONNECT_OK;
}
