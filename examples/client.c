/* client.c - what is typed goes to a server, what it says is shown: try it with the chat of chat.c.
 *
 *     client [URL]        ws://127.0.0.1:8080/room/lobby by default; ends with standard input
 *
 * The terminal is watched by the client's own loop. What is typed while there is no connection waits for the next
 * one, and no line is lost without a word: on_fate. */
#include <inttypes.h>
#include <stdio.h>
#include <swale/swale.h>
#include <unistd.h>

static struct swale_loop *loop;

/* A terminal gives a line at a time. */
static void typed(struct swale_watch *input, unsigned events)
{
    struct swale_client *client = input->context;
    char line[1024];
    uint64_t number;
    (void)events;
    ssize_t size = read(input->fd, line, sizeof line);
    if (size <= 0) {
        swale_watch_stop(loop, input);
        swale_client_close(client, 1000, "bye");
        return;
    }
    if (line[size - 1] == '\n')
        size--;
    int error = swale_client_send(client, SWALE_TEXT, line, (size_t)size, &number);
    if (error < 0)
        printf("(not taken: %s)\n", swale_strerror(error));
    else if (swale_client_state(client) != SWALE_CLIENT_OPEN)
        printf("(%" PRIu64 " waits)\n", number);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    (void)client;
    printf("%.*s\n", (int)message->data.size, message->data.data);
}

static void on_fate(struct swale_client *client, uint64_t number, enum swale_fate fate)
{
    (void)client;
    if (fate != SWALE_FATE_WRITTEN)
        printf("(%" PRIu64 ": %s)\n", number, swale_fate_name(fate));
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    (void)client;
    printf("(%s)\n", failure->text);
}

static void on_end(struct swale_client *client, int reason)
{
    (void)client;
    printf("(%s)\n", swale_strerror(reason));
    swale_loop_stop(loop);
}

static const struct swale_client_handler handler = {
    .on_message = on_message, .on_fate = on_fate, .on_fail = on_fail, .on_end = on_end
};

int main(int argc, char **argv)
{
    struct swale_client_options options = { .url = argc > 1 ? argv[1] : "ws://127.0.0.1:8080/room/lobby",
                                            .handler = &handler,
                                            .max_pending = 64 * 1024 };
    struct swale_client *client = NULL;
    char fault[SWALE_CLIENT_MESSAGE_MAX] = "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    int error = swale_loop_new(&loop, NULL);
    if (!error)
        error = swale_client_new(&client, loop, &options, fault);
    struct swale_watch input = { .fd = STDIN_FILENO, .ready = typed, .context = client };
    if (!error)
        error = swale_watch_start(loop, &input, SWALE_READABLE);
    if (!error)
        error = swale_loop_run(loop);
    if (error)
        fprintf(stderr, "client: %s\n", *fault ? fault : swale_strerror(error));
    swale_watch_stop(loop, &input);
    swale_client_free(client);
    swale_loop_free(loop);
    return error != 0;
}
