/* echo.c - the smallest server: what comes is sent back.
 *
 *     echo [ADDRESS]        127.0.0.1:8080 by default */
#include <stdio.h>
#include <swale/swale.h>

static void echo(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static const struct swale_handler handler = { .on_message = echo };

int main(int argc, char **argv)
{
    struct swale_server *server;
    int error = swale_server_new(&server, NULL);
    if (!error)
        error = swale_server_route(server, "/", &(struct swale_route){ .handler = &handler });
    if (!error)
        error =
            swale_server_listen(server, &(struct swale_listen){ .address = argc > 1 ? argv[1] : "127.0.0.1:8080" });
    if (!error) {
        printf("listening on ws://%s/\n", swale_server_address(server, 0));
        fflush(stdout);
        error = swale_server_run(server);
    }
    if (error)
        fprintf(stderr, "echo: %s\n", swale_strerror(error));
    return error != 0;
}
