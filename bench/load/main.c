/* main.c - a load generator for servers on loopback, of one thread and with raw frames, so that it costs less than
 * what it measures. Every byte that a WebSocket server sends back is compared with what must come back; of bare TCP
 * the bytes are counted.
 *
 *     load MODE PORT [OPTION VALUE]...
 *
 * Modes: echo, fan-out, storm (handshakes) say "start" when they are warm, wait for a line on standard input, run,
 * and then say in one line of JSON what they did: "units" (messages, deliveries, handshakes), "seconds", and "sent"
 * and "received", bytes of frames. They hold still until standard input ends, so that their accounts can be read.
 * open does the same, and tells of latencies instead of bytes.
 * idle says "ready", and holds its connections until then. CPU time is for the caller to read from the system's
 * accounts. */
#include "load.h"

#include "closed.h"
#include "link.h"
#include "open.h"
#include "storm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PATIENCE = 10 }; /* seconds */

struct plan plan = { .connections = 100, .size = 20, .depth = 1, .seconds = 3, .rate = 10000 };
unsigned long long bytes_sent, bytes_received;

void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

void refuse(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool wait_for_start(void)
{
    printf("start\n");
    fflush(stdout);
    return getchar() != EOF;
}

void wait_for_end(void)
{
    while (getchar() != EOF)
        continue;
}

void measure(unsigned long long (*run)(double end))
{
    if (!wait_for_start())
        return;
    unsigned long long sent = bytes_sent, received = bytes_received, before = run(0);
    double start = now();
    unsigned long long units = run(start + plan.seconds) - before;
    while (units == 0 && now() < start + plan.seconds + PATIENCE) /* TCP may be about to send again what was lost */
        units = run(now() + 1) - before;
    printf("{\"units\": %llu, \"seconds\": %.6f, \"sent\": %llu, \"received\": %llu}\n", units, now() - start,
           bytes_sent - sent, bytes_received - received);
    fflush(stdout);
    wait_for_end();
}

/* ---- The command line --------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: load echo|fan-out|storm|open|idle PORT [OPTION VALUE]...\n"
    "  --path PATH          of the WebSocket; without it the server is bare TCP\n"
    "  --publisher PATH     of a fan-out's publisher; that of the others by default\n"
    "  --connections N      100 by default; of a fan-out, subscribers; of a storm, how many at a time\n"
    "  --size BYTES         of a message; 20 by default\n"
    "  --depth N            messages in flight, for each connection of an echo; 1 by default\n"
    "  --seconds S          3 by default\n"
    "  --rate N             of an open loop: messages a second, 10000 by default\n"
    "  --payload KIND       binary (the default), ascii, cjk, json\n"
    "  --deflate KIND       shared or dedicated\n"
    "  --tls full|resumed   TLS; in a storm, with whole handshakes or resumed sessions\n"
    "  --backend NAME       epoll (the default) or io_uring, of echo, fan-out and open without TLS\n";

static _Noreturn void refuse_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

static int choose(const char *text, const char *const *names)
{
    for (int n = 0; names[n]; n++)
        if (strcmp(text, names[n]) == 0)
            return n;
    refuse_usage();
}

static void read_option(const char *name, const char *value)
{
    static const char *const payloads[] = { "binary", "ascii", "cjk", "json", NULL };
    static const char *const deflates[] = { "none", "shared", "dedicated", NULL };
    static const char *const backends[] = { "epoll", "io_uring", NULL };
    static const char *const tls[] = { "none", "full", "resumed", NULL };
    if (strcmp(name, "--path") == 0)
        plan.path = value;
    else if (strcmp(name, "--publisher") == 0)
        plan.publisher = value;
    else if (strcmp(name, "--connections") == 0)
        plan.connections = atoi(value);
    else if (strcmp(name, "--size") == 0)
        plan.size = (size_t)atol(value);
    else if (strcmp(name, "--depth") == 0)
        plan.depth = atoi(value);
    else if (strcmp(name, "--seconds") == 0)
        plan.seconds = atof(value);
    else if (strcmp(name, "--rate") == 0)
        plan.rate = atof(value);
    else if (strcmp(name, "--payload") == 0)
        plan.payload = (enum load_payload)choose(value, payloads);
    else if (strcmp(name, "--deflate") == 0)
        plan.deflate = (enum load_deflate)choose(value, deflates);
    else if (strcmp(name, "--backend") == 0)
        plan.uring = choose(value, backends) > 0;
    else if (strcmp(name, "--tls") == 0) {
        int kind = choose(value, tls);
        plan.tls = kind > 0;
        plan.resume = kind > 1;
    } else
        refuse_usage();
}

static void read_plan(int argc, char **argv)
{
    static const char *const modes[] = { "echo", "fan-out", "idle", "storm", "open", NULL };
    if (argc < 3 || argc % 2 == 0)
        refuse_usage();
    plan.mode = (enum load_mode)choose(argv[1], modes);
    plan.port = atoi(argv[2]);
    for (int n = 3; n < argc; n += 2)
        read_option(argv[n], argv[n + 1]);
    if (!plan.publisher)
        plan.publisher = plan.path;
    bool compressed_json = plan.deflate == LOAD_PLAIN || (plan.payload == LOAD_JSON && plan.path);
    if (plan.port <= 0 || plan.connections <= 0 || plan.size == 0 || plan.depth <= 0 || !(plan.rate > 0) ||
        !compressed_json)
        refuse_usage();
}

int main(int argc, char **argv)
{
    read_plan(argc, argv);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL knows no MSG_NOSIGNAL */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    link_setup();
    switch (plan.mode) {
    case LOAD_ECHO:
        closed_echo();
        break;
    case LOAD_FAN_OUT:
        closed_fan_out();
        break;
    case LOAD_OPEN:
        open_run();
        break;
    case LOAD_IDLE:
        closed_idle();
        break;
    case LOAD_STORM:
        storm_run();
        break;
    }
    return 0;
}
