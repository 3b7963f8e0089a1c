/* chat.c - rooms: what one says, everyone in the room hears, on whichever thread they are.
 *
 *     chat [ADDRESS]        then connect several clients to ws://ADDRESS/room/NAME
 *
 * A hub spans the server's threads. Each connection joins the topic that its path names, and is taken out of
 * it by itself when it goes. */
#include <stdio.h>
#include <stdlib.h>
#include <swale/swale.h>

static struct swale_hub *hub;

/* What a connection knows: the name of its room. */
struct guest {
    size_t size;
    char room[256];
};

static enum swale_verdict enter(struct swale_exchange *exchange)
{
    struct swale_span room = swale_exchange_param(exchange, "name");
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest || room.size == 0 || room.size > sizeof guest->room) {
        free(guest);
        swale_exchange_reply(exchange, 404, NULL, swale_text("There is no such room.\n"));
        return SWALE_REFUSE;
    }
    guest->size = room.size;
    memcpy(guest->room, room.data, room.size);
    swale_exchange_set_user(exchange, guest);
    return SWALE_ACCEPT;
}

static void joined(struct swale_conn *conn)
{
    struct guest *guest = swale_conn_user(conn);
    if (swale_hub_join(hub, swale_span(guest->room, guest->size), swale_conn_subscriber(conn)) < 0)
        swale_conn_fail(conn, SWALE_ERR_INTERNAL);
}

static void said(struct swale_conn *conn, const struct swale_message *message)
{
    struct guest *guest = swale_conn_user(conn);
    swale_hub_publish(hub, &(struct swale_publish){ .topic = swale_span(guest->room, guest->size),
                                                    .kind = message->kind,
                                                    .data = message->data });
}

static void left(struct swale_conn *conn, const struct swale_close *close)
{
    (void)close;
    free(swale_conn_user(conn));
}

static const struct swale_handler handler = { .on_open = joined, .on_message = said, .on_close = left };

static int serve(struct swale_server *server, const char *address)
{
    int error = swale_hub_new(&hub, NULL);
    for (size_t n = 0; !error && n < swale_server_loop_count(server); n++)
        error = swale_hub_attach(hub, swale_server_loop(server, n));
    if (!error)
        error =
            swale_server_route(server, "/room/{name}",
                               &(struct swale_route){ .handler = &handler, .on_upgrade = enter, .free_user = free });
    if (!error)
        error = swale_server_listen(server, &(struct swale_listen){ .address = address });
    if (error)
        return error;
    printf("listening on ws://%s/room/NAME\n", swale_server_address(server, 0));
    fflush(stdout);
    return swale_server_run(server);
}

int main(int argc, char **argv)
{
    struct swale_server *server;
    int error = swale_server_new(&server, NULL);
    if (!error)
        error = serve(server, argc > 1 ? argv[1] : "127.0.0.1:8080");
    if (error)
        fprintf(stderr, "chat: %s\n", swale_strerror(error));
    return error != 0;
}
