/* ticker.c - follows a feed for as long as it takes, through restarts of its server and failures of the network.
 *
 *     ticker [URL]        ws://127.0.0.1:8080/ by default; ends with Ctrl-C
 *
 * The feed numbers its messages: "17 EUR/USD 1.0843". The client comes back by itself, and shows that it is away and
 * for how long; what was missed meanwhile shows in the numbers. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <swale/swale.h>

static struct swale_loop *loop;
static unsigned long latest; /* number */

static void on_state(struct swale_client *client, enum swale_client_state state)
{
    printf("(%s", swale_client_state_name(state));
    if (state == SWALE_CLIENT_WAITING)
        printf(" for %" PRId64 " ms", swale_client_retry_in(client));
    puts(")");
}

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    (void)client;
    if (!opening->first)
        printf("back after %" PRIu64 " ms and %" PRIu32 " tries\n", opening->gap_ms, opening->tries);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    char line[256]; /* a message is not terminated */
    (void)client;
    snprintf(line, sizeof line, "%.*s", (int)message->data.size, message->data.data);
    unsigned long number = strtoul(line, NULL, 10);
    if (latest != 0 && number > latest + 1)
        printf("missed %lu: %lu to %lu\n", number - latest - 1, latest + 1, number - 1);
    latest = number;
    puts(line);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    (void)client;
    printf("closed with %d: %s\n", closing->close.code, swale_strerror(closing->close.reason));
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    (void)client;
    puts(failure->text);
}

/* It will not come back: it was told not to, by us or by the server. */
static void on_end(struct swale_client *client, int reason)
{
    (void)client;
    (void)reason;
    swale_loop_stop(loop);
}

static const struct swale_client_handler handler = {
    .on_state = on_state,
    .on_open = on_open,
    .on_message = on_message,
    .on_close = on_close,
    .on_fail = on_fail,
    .on_end = on_end,
};

static void stop(int number)
{
    (void)number;
    /* A handler may call it. NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c) */
    swale_loop_stop(loop);
}

int main(int argc, char **argv)
{
    struct swale_client_options options = { .url = argc > 1 ? argv[1] : "ws://127.0.0.1:8080/", .handler = &handler };
    char fault[SWALE_CLIENT_MESSAGE_MAX];
    struct swale_client *client;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (swale_loop_new(&loop, NULL) != 0)
        return 1;
    if (swale_client_new(&client, loop, &options, fault) != 0) {
        fprintf(stderr, "ticker: %s\n", fault);
        return 1;
    }
    signal(SIGINT, stop);
    swale_loop_run(loop);
    if (swale_client_close(client, 1000, NULL) == 0) /* Ctrl-C: there is still a connection to close, or a wait */
        swale_loop_run(loop);
    swale_client_free(client);
    swale_loop_free(loop);
    return 0;
}
