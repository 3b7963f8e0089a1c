/* poll.c - a server inside a program that has an event loop of its own, here a plain poll().
 *
 *     poll [ADDRESS]        echoes; each line typed at the terminal goes to every connection; ends with standard
 * input
 *
 * The program waits on its own descriptors and on swale_loop_fd, no longer than swale_loop_wait_ms, and
 * calls swale_loop_step. No thread is started. */
#include <poll.h>
#include <stdio.h>
#include <swale/swale.h>
#include <unistd.h>

static struct swale_hub *everyone;

static void joined(struct swale_conn *conn)
{
    swale_hub_join(everyone, swale_text("everyone"), swale_conn_subscriber(conn));
}

static void echo(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static const struct swale_handler handler = { .on_open = joined, .on_message = echo };

/* False at the end of standard input. */
static bool announce(void)
{
    char line[1024];
    ssize_t size = read(STDIN_FILENO, line, sizeof line);
    if (size > 0)
        swale_hub_publish(everyone, &(struct swale_publish){ .topic = swale_text("everyone"),
                                                             .kind = SWALE_BINARY,
                                                             .data = swale_span(line, (size_t)size) });
    return size > 0;
}

static void run(struct swale_server *server, struct swale_loop *loop)
{
    struct pollfd watched[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                                { .fd = swale_loop_fd(loop), .events = POLLIN } };
    bool open = true;
    while (swale_server_wait(server) == SWALE_ERR_STATE) { /* until it has drained */
        poll(watched, 2, swale_loop_wait_ms(loop));
        if (open && watched[0].revents && !announce()) {
            open = false;
            watched[0].fd = -1;
            swale_server_stop(server);
        }
        swale_loop_step(loop, 0);
    }
}

static int serve(struct swale_server *server, struct swale_loop *loop, const char *address)
{
    int error = swale_server_attach(server, loop);
    if (!error)
        error = swale_hub_attach(everyone, loop);
    if (!error)
        error = swale_server_route(server, "/", &(struct swale_route){ .handler = &handler });
    if (!error)
        error = swale_server_listen(server, &(struct swale_listen){ .address = address });
    if (!error)
        error = swale_server_start(server);
    if (error)
        return error;
    printf("listening on ws://%s/\n", swale_server_address(server, 0));
    fflush(stdout);
    run(server, loop);
    return 0;
}

int main(int argc, char **argv)
{
    struct swale_loop *loop = NULL;
    struct swale_server *server = NULL;
    int error = swale_loop_new(&loop, NULL);
    if (!error)
        error = swale_hub_new(&everyone, NULL);
    if (!error)
        error = swale_server_new(&server, NULL);
    if (!error)
        error = serve(server, loop, argc > 1 ? argv[1] : "127.0.0.1:8080");
    if (error)
        fprintf(stderr, "poll: %s\n", swale_strerror(error));
    swale_server_free(server);
    swale_hub_free(everyone);
    swale_loop_free(loop);
    return error != 0;
}
