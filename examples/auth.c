/* auth.c - who may connect: a session cookie, the Origin, and a decision that takes its time.
 *
 *     auth [ADDRESS]        ws://ADDRESS/private wants "Cookie: session=open-sesame"
 *
 * Pages of other sites cannot connect: by default an Origin must name the host that was asked (cross-site hijacking,
 * RFC 6455 section 10.2). The session is looked up asynchronously, as one would in a database: the hook answers
 * LATER, and a timer stands for the database. What the peer sends meanwhile is kept. */
#include <stdio.h>
#include <stdlib.h>
#include <swale/swale.h>

enum { LOOKUP_MS = 20 };

struct lookup {
    struct swale_timer timer;
    struct swale_exchange *exchange;
    bool known;
};

static void found(struct swale_timer *timer)
{
    struct lookup *lookup = timer->context;
    /* Either call may report that the peer has gone in the meantime: then there is nothing left to do. */
    if (lookup->known)
        swale_exchange_accept(lookup->exchange);
    else
        swale_exchange_refuse(lookup->exchange, 401, swale_text("Log in first.\n"));
    free(lookup);
}

static enum swale_verdict check(struct swale_exchange *exchange)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return SWALE_REFUSE;
    struct swale_span session = swale_exchange_cookie(exchange, "session");
    lookup->known = swale_span_equal(session, swale_text("open-sesame"));
    lookup->exchange = exchange;
    lookup->timer.fire = found;
    lookup->timer.context = lookup;
    struct swale_loop *loop = swale_exchange_loop(exchange);
    swale_timer_start(loop, &lookup->timer, swale_loop_now(loop) + LOOKUP_MS);
    return SWALE_LATER;
}

static void greet(struct swale_conn *conn)
{
    swale_conn_send_text(conn, "welcome");
}

static void echo(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static const struct swale_handler handler = { .on_open = greet, .on_message = echo };

int main(int argc, char **argv)
{
    struct swale_server *server;
    int error = swale_server_new(&server, NULL);
    if (!error)
        error =
            swale_server_route(server, "/private", &(struct swale_route){ .handler = &handler, .on_upgrade = check });
    if (!error)
        error =
            swale_server_listen(server, &(struct swale_listen){ .address = argc > 1 ? argv[1] : "127.0.0.1:8080" });
    if (!error) {
        printf("listening on ws://%s/private\n", swale_server_address(server, 0));
        fflush(stdout);
        error = swale_server_run(server);
    }
    if (error)
        fprintf(stderr, "auth: %s\n", swale_strerror(error));
    return error != 0;
}
