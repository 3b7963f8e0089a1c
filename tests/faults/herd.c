/* herd.c - clients of the library by the hundred, which talk to an echo and come back whenever they are cut off.
 *
 *     herd URL COUNT CA        CA: a file of certificates to trust, or "-"
 *
 * Each says who it is and counts, one message at a time, 20 ms after the last answer; what comes back must be what
 * was said on that connection. A byte on standard input is answered by one line of figures:
 *
 *     open OPENINGS ECHOES WRONG LOST
 *
 * now open; ever opened; answers that were right; that were wrong; clients that gave up. At the end of the input all
 * close with 1000, and the same line ends the output. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <swale/swale.h>

enum { PAUSE_MS = 20, WORDS = 64 };

struct sheep {
    struct swale_client *client;
    struct swale_timer pause;
    unsigned id;
    uint64_t count;
    bool ended;
};

static struct {
    struct swale_loop *loop;
    struct sheep *all;
    unsigned size, ended;
    uint64_t open, openings, echoes, wrong, lost;
    bool closing;
} herd;

static void fail(const char *what)
{
    fprintf(stderr, "herd: %s\n", what);
    exit(1);
}

static size_t words_of(const struct sheep *sheep, char *words)
{
    return (size_t)snprintf(words, WORDS, "sheep %u says %" PRIu64, sheep->id, sheep->count);
}

static void speak(struct swale_timer *timer)
{
    struct sheep *sheep = timer->context;
    char words[WORDS];
    sheep->count++;
    swale_client_send(sheep->client, SWALE_TEXT, words, words_of(sheep, words), NULL);
}

static void speak_soon(struct sheep *sheep)
{
    swale_timer_start(herd.loop, &sheep->pause, swale_loop_now(herd.loop) + PAUSE_MS);
}

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    (void)opening;
    herd.open++;
    herd.openings++;
    speak_soon(swale_client_user(client));
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct sheep *sheep = swale_client_user(client);
    char words[WORDS];
    size_t size = words_of(sheep, words);
    bool right = message->data.size == size && memcmp(message->data.data, words, size) == 0;
    herd.echoes += right;
    herd.wrong += !right;
    speak_soon(sheep);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct sheep *sheep = swale_client_user(client);
    (void)closing;
    herd.open--;
    swale_timer_stop(herd.loop, &sheep->pause);
}

static void note_end(struct sheep *sheep)
{
    herd.lost += !herd.closing;
    herd.ended += !sheep->ended;
    sheep->ended = true;
    if (herd.closing && herd.ended == herd.size)
        swale_loop_stop(herd.loop);
}

static void on_end(struct swale_client *client, int reason)
{
    (void)reason;
    note_end(swale_client_user(client));
}

static const struct swale_client_handler handler = {
    .on_open = on_open, .on_message = on_message, .on_close = on_close, .on_end = on_end
};

static void report(void)
{
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", herd.open, herd.openings, herd.echoes,
           herd.wrong, herd.lost);
    fflush(stdout);
}

static void close_all(void)
{
    herd.closing = true;
    for (unsigned i = 0; i < herd.size; i++)
        swale_client_close(herd.all[i].client, 1000, "");
    if (herd.ended == herd.size)
        swale_loop_stop(herd.loop);
}

static void asked(struct swale_watch *input, unsigned events)
{
    char byte;
    (void)events;
    if (read(input->fd, &byte, 1) == 1) {
        report();
        return;
    }
    swale_watch_stop(herd.loop, input);
    close_all();
}

static void gather(const struct swale_client_options *options)
{
    herd.all = calloc(herd.size, sizeof *herd.all);
    if (!herd.all)
        fail("no memory");
    for (unsigned i = 0; i < herd.size; i++) {
        struct sheep *sheep = &herd.all[i];
        struct swale_client_options own = *options;
        char from[32], fault[SWALE_CLIENT_MESSAGE_MAX];
        /* Several hundred from each address, as a server may allow no more. */
        snprintf(from, sizeof from, "127.0.2.%u", 1 + i / 500);
        *sheep = (struct sheep){ .id = i, .pause = { .fire = speak, .context = sheep } };
        own.user = sheep;
        own.local_address = from;
        if (swale_client_new(&sheep->client, herd.loop, &own, fault) < 0)
            fail(fault);
    }
}

int main(int count, char **arguments)
{
    struct rlimit limit;
    char fault[SWALE_TLS_MESSAGE_MAX];
    if (count != 4)
        fail("herd URL COUNT CA");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct swale_client_options options = { .url = arguments[1],
                                            .handler = &handler,
                                            .proxy = "",
                                            .reconnect = { .first_ms = 100, .max_ms = 1000, .healthy_ms = 1000 } };
    struct swale_tls_options trust = { .ca_file = arguments[3] };
    herd.size = (unsigned)atoi(arguments[2]);
    if (swale_loop_new(&herd.loop, NULL) < 0)
        fail("no loop");
    if (strcmp(arguments[3], "-") != 0 && swale_tls_client(&options.tls, &trust, fault) < 0)
        fail(fault);
    gather(&options);
    struct swale_watch input = { .fd = STDIN_FILENO, .ready = asked };
    if (swale_watch_start(herd.loop, &input, SWALE_READABLE) < 0 || swale_loop_run(herd.loop) < 0)
        fail("the loop");
    report();
    for (unsigned i = 0; i < herd.size; i++)
        swale_client_free(herd.all[i].client);
    free(herd.all);
    swale_tls_unref(options.tls);
    swale_loop_free(herd.loop);
    return 0;
}
