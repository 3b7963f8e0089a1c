/* client.c - a client of Swale, to be judged: told its URLs by lines of standard input, it echoes on each connection
 * until that ends, and says so (client_role.py has the whole of it).
 *
 *     ws://127.0.0.1:4711/17 offer=permessage-deflate;client_max_window_bits=10 subprotocols=chat,superchat
 *
 * Its limit of message size is 64 MiB: judge.py --limit 64m. Its argument, if there is one, is a file with the
 * certificate that it trusts. */
#include <swale/swale.h>

#include <stdio.h>
#include <stdlib.h>

enum { LINE_SIZE = 16384, SUBPROTOCOLS_MAX = 16 };

struct visit {
    struct swale_loop *loop;
    int reason;
};

static const struct swale_limits limits = {
    .handshake_ms = 60000, /* an answer byte by byte takes its time under a sanitizer, on a machine with other work */
    .max_message = 64 << 20,
    .max_queue = 256 << 20,
    .max_inflate_ratio = 2000, /* zeros shrink to a thousandth */
    .compress_threshold = SWALE_OFF,
};

static void echo(struct swale_client *client, const struct swale_message *message)
{
    swale_client_send(client, message->kind, message->data.data, message->data.size, NULL);
}

static void note_end(struct swale_client *client, int reason)
{
    struct visit *visit = swale_client_user(client);
    visit->reason = reason;
    swale_loop_stop(visit->loop);
}

/* The number behind `name` in the offer; 0 where there is none. */
static uint8_t bits_of(const char *offer, const char *name)
{
    const char *found = strstr(offer, name);
    return found && found[strlen(name)] == '=' ? (uint8_t)atoi(found + strlen(name) + 1) : 0;
}

static struct swale_deflate_policy policy_of(const char *offer)
{
    return (struct swale_deflate_policy){
        .enabled = strncmp(offer, "permessage-deflate", strlen("permessage-deflate")) == 0,
        .server_context_takeover = !strstr(offer, "server_no_context_takeover"),
        .client_context_takeover = !strstr(offer, "client_no_context_takeover"),
        .server_max_window_bits = bits_of(offer, "server_max_window_bits"),
        .client_max_window_bits = bits_of(offer, "client_max_window_bits"),
    };
}

/* Splits the list where it stands. How many there are. */
static size_t split(char *list, const char *names[SUBPROTOCOLS_MAX])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *name = strtok_r(list, ",", &rest); name && count < SUBPROTOCOLS_MAX; name = strtok_r(NULL, ",", &rest))
        names[count++] = name;
    return count;
}

/* One connection from its beginning to its end. How it ended. */
static int visit_url(struct swale_loop *loop, struct swale_tls *tls, char *line)
{
    static const struct swale_client_handler handler = { .on_message = echo, .on_end = note_end };
    const char *subprotocols[SUBPROTOCOLS_MAX];
    struct visit visit = { .loop = loop };
    char *rest = NULL;
    struct swale_client_options options = {
        .url = strtok_r(line, " \n", &rest),
        .handler = &handler,
        .user = &visit,
        .limits = &limits,
        .tls = tls,
        .proxy = "",
        .reconnect = { .off = true },
        .subprotocols = subprotocols,
    };
    for (char *word = strtok_r(NULL, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (strncmp(word, "offer=", strlen("offer=")) == 0)
            options.deflate = policy_of(word + strlen("offer="));
        if (strncmp(word, "subprotocols=", strlen("subprotocols=")) == 0)
            options.subprotocol_count = split(word + strlen("subprotocols="), subprotocols);
    }
    struct swale_client *client;
    int error = swale_client_new(&client, loop, &options, NULL);
    if (error)
        return error;
    error = swale_loop_run(loop);
    swale_client_free(client);
    return error ? error : visit.reason;
}

int main(int count, char **arguments)
{
    struct swale_loop *loop;
    struct swale_tls *tls = NULL;
    if (swale_loop_new(&loop, NULL))
        return EXIT_FAILURE;
    if (count > 1 && swale_tls_client(&tls, &(struct swale_tls_options){ .ca_file = arguments[1] }, NULL))
        return EXIT_FAILURE;
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, stdin)) {
        printf("%s\n", swale_error_name(visit_url(loop, tls, line)));
        fflush(stdout);
    }
    swale_loop_free(loop);
    swale_tls_unref(tls);
    return EXIT_SUCCESS;
}
