/* blocking.c - a client without callbacks: connect, say something, wait a second for the answer, close.
 *
 *     blocking [URL]        ws://127.0.0.1:8080/ by default */
#include <stdio.h>
#include <swale/blocking.h>

int main(int argc, char **argv)
{
    char fault[SWALE_CLIENT_MESSAGE_MAX];
    struct swale_blocking *socket;
    struct swale_blocking_message *message;
    if (swale_blocking_connect(&socket, argc > 1 ? argv[1] : "ws://127.0.0.1:8080/", NULL, fault) != 0) {
        fprintf(stderr, "blocking: %s\n", fault);
        return 1;
    }
    swale_blocking_send(socket, SWALE_TEXT, "hello", 5, -1);
    if (swale_blocking_receive(socket, &message, 1000) == 0) {
        puts(message->data);
        swale_blocking_message_free(message);
    }
    return swale_blocking_close(socket, 1000, NULL) != 0;
}
