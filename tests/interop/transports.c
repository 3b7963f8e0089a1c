/* transports.c - a server that speaks, by hand, as much of two other protocols as their own clients need for an echo:
 * Engine.IO 4 with the packets of Socket.IO 5, and SockJS, each by its WebSocket transport. What a connection says
 * comes back; every BEAT_MS it is asked whether it is there, as those protocols do it. For matrix_test.py (see
 * peers.py):
 *
 *     interop_transports PORT DIRECTORY [CERTIFICATE KEY]
 *
 * says "listening PORT", and "closed CODE REASON" of each connection that ends. SIGTERM ends it. */
#include <swale/swale.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { BEAT_MS = 50, MESSAGE_MAX = 4 << 20, QUEUE_MAX = 64 << 20 };

/* A connection, and what it is sent now and then. */
struct visitor {
    struct swale_conn *conn;
    const char *beat;
    struct swale_timer timer;
};

static void must(int error, const char *what)
{
    if (error < 0) {
        printf("%s: %s\n", what, swale_strerror(error));
        exit(EXIT_FAILURE);
    }
}

static void send_text(struct swale_conn *conn, const char *text, size_t size)
{
    must(swale_conn_send(conn, SWALE_TEXT, text, size), "sending");
}

/* Sends it with `prefix` instead of its first `skipped` bytes. */
static void answer(struct swale_conn *conn, const char *prefix, struct swale_span message, size_t skipped)
{
    const size_t size = strlen(prefix), rest = message.size - skipped;
    char *text = malloc(size + rest);
    if (!text)
        abort();
    memcpy(text, prefix, size);
    memcpy(text + size, message.data + skipped, rest);
    send_text(conn, text, size + rest);
    free(text);
}

static bool begins(struct swale_span message, const char *text)
{
    const size_t size = strlen(text);
    return message.size >= size && memcmp(message.data, text, size) == 0;
}

/* ---- Every connection ------------------------------------------------------------------------------- */

static void start_timer(struct visitor *visitor)
{
    struct swale_loop *loop = swale_conn_loop(visitor->conn);
    swale_timer_start(loop, &visitor->timer, swale_loop_now(loop) + BEAT_MS);
}

static void send_beat(struct swale_timer *timer)
{
    struct visitor *visitor = timer->context;
    if (swale_conn_send_text(visitor->conn, visitor->beat) != SWALE_ERR_CLOSED)
        start_timer(visitor);
}

static void welcome(struct swale_conn *conn, const char *greeting, const char *beat)
{
    struct visitor *visitor = malloc(sizeof *visitor);
    if (!visitor)
        abort();
    *visitor = (struct visitor){ .conn = conn, .beat = beat };
    visitor->timer = (struct swale_timer){ .fire = send_beat, .context = visitor };
    swale_conn_set_user(conn, visitor);
    send_text(conn, greeting, strlen(greeting));
    start_timer(visitor);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    struct visitor *visitor = swale_conn_user(conn);
    swale_timer_stop(swale_conn_loop(conn), &visitor->timer);
    free(visitor);
    printf("closed %d %s\n", close->code, swale_error_name(close->reason));
}

/* ---- Socket.IO: https://socket.io/docs/v4/socket-io-protocol ---------------------------------------- */

static void on_engine_open(struct swale_conn *conn)
{
    welcome(conn,
            "0{\"sid\":\"engine\",\"upgrades\":[],\"pingInterval\":50,\"pingTimeout\":20000,\"maxPayload\":4194304}",
            "2");
}

/* An event goes back as it came, with what is attached to it; one that carries a number is acknowledged by it. */
static void on_packet(struct swale_conn *conn, const struct swale_message *message)
{
    const struct swale_span data = message->data;
    if (message->kind == SWALE_BINARY)
        must(swale_conn_send(conn, SWALE_BINARY, data.data, data.size), "sending");
    else if (begins(data, "40"))
        send_text(conn, "40{\"sid\":\"socket\"}", 18);
    else if (begins(data, "42[") || begins(data, "451-["))
        send_text(conn, data.data, data.size);
    else if (begins(data, "42"))
        answer(conn, "43", data, 2);
    else if (!begins(data, "3") && !begins(data, "41")) /* a pong; a farewell, after which it closes */
        swale_conn_close(conn, 4000, "an unknown packet");
}

static const struct swale_handler engine = { .on_open = on_engine_open,
                                             .on_message = on_packet,
                                             .on_close = on_close };

/* ---- SockJS: https://sockjs.github.io/sockjs-protocol ----------------------------------------------- */

/* What a client asks for before it chooses a transport. */
static void tell(struct swale_exchange *exchange)
{
    swale_exchange_reply(
        exchange, 200, "application/json",
        swale_text("{\"websocket\":true,\"origins\":[\"*:*\"],\"cookie_needed\":false,\"entropy\":4}"));
}

static void on_sock_open(struct swale_conn *conn)
{
    welcome(conn, "o", "h");
}

/* Messages come and go in lists, and ours begin with an "a". */
static void on_list(struct swale_conn *conn, const struct swale_message *message)
{
    if (message->kind == SWALE_BINARY || !begins(message->data, "[\"")) {
        swale_conn_close(conn, 4000, "not a list of texts");
    } else if (begins(message->data, "[\"swale:close\"")) {
        send_text(conn, "c[4001,\"again\"]", 15);
        swale_conn_close(conn, 1000, NULL);
    } else {
        answer(conn, "a", message->data, 0);
    }
}

static const struct swale_handler sock = { .on_open = on_sock_open, .on_message = on_list, .on_close = on_close };

/* ---- The server ------------------------------------------------------------------------------------- */

static struct swale_server *server;

static void stop(int signal)
{
    (void)signal;
    swale_server_stop(server);
}

static void listen_at(const char *port, char **files)
{
    char address[32], why[SWALE_TLS_MESSAGE_MAX];
    struct swale_tls *tls = NULL;
    if (files[0]) {
        const struct swale_tls_certificate certificate = { .certificate_file = files[0], .key_file = files[1] };
        must(swale_tls_server(
                 &tls, &(struct swale_tls_options){ .certificates = &certificate, .certificate_count = 1 }, why),
             why);
    }
    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    must(swale_server_listen(server, &(struct swale_listen){ .address = address, .tls = tls }), address);
    swale_tls_unref(tls);
    printf("listening %s\n", strrchr(swale_server_address(server, 0), ':') + 1);
}

int main(int count, char **arguments)
{
    if (count != 3 && count != 5)
        return EXIT_FAILURE;
    setvbuf(stdout, NULL, _IOLBF, 0);
    const struct swale_server_options options = {
        .threads = 1,
        .limits = { .max_message = MESSAGE_MAX, .max_queue = QUEUE_MAX, .compress_threshold = 16 },
        .deflate = { .enabled = true, .server_context_takeover = true, .client_context_takeover = true },
    };
    must(swale_server_new(&server, &options), "the server");
    must(swale_server_route(server, "/socket.io/", &(struct swale_route){ .handler = &engine }), "Socket.IO");
    must(swale_server_route(server, "/sockjs/info", &(struct swale_route){ .on_request = tell }), "SockJS");
    must(
        swale_server_route(server, "/sockjs/{server}/{session}/websocket", &(struct swale_route){ .handler = &sock }),
        "SockJS");
    signal(SIGTERM, stop);
    listen_at(arguments[1], arguments + 3);
    must(swale_server_run(server), "running");
    swale_server_free(server);
    return EXIT_SUCCESS;
}
