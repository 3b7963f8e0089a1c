/* open.c - messages in an open loop.
 *
 * Number k of all is meant to leave k seconds divided by the rate after the start, on the connections in turn. Its
 * latency counts from then, whenever it did leave. Nothing sleeps between them: a timer that wakes the process costs
 * more than a message, and comes later than the latencies that are to be told apart. How late messages left all the
 * same is told, too. */
#include "open.h"

#include "load.h"
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>

/* What is due in the first quarter of a second does not count. */
enum { WARM_UP_MS = 250, PATIENCE_MS = 20000 };

static struct samples {
    double *seconds;
    size_t count, room;
} latencies, lateness;

static double start, counts_from;
static unsigned long long asked, answered;

static void add(struct samples *samples, double seconds)
{
    if (samples->count < samples->room)
        samples->seconds[samples->count++] = seconds;
}

static void make_room(struct samples *samples)
{
    samples->room = (size_t)(plan.rate * plan.seconds) + 1;
    samples->seconds = calloc(samples->room, sizeof *samples->seconds);
    if (!samples->seconds)
        refuse("out of memory");
}

static double due(unsigned long long number)
{
    return start + (double)number / plan.rate;
}

/* The nth answer on a connection is that to the nth message on it, whose number follows from the turns. */
static void take_answers(struct peer *peer, size_t done)
{
    double at = now();
    for (; done > 0; done--, peer->heard++, answered++) {
        double meant = due(peer->heard * (size_t)plan.connections + (size_t)(peer - peers));
        if (meant >= counts_from)
            add(&latencies, at - meant);
    }
}

static void ask_due(double until)
{
    double at = now();
    for (; due(asked) <= until; asked++) {
        if (due(asked) >= counts_from)
            add(&lateness, at - due(asked));
        peers_ask(&peers[asked % (unsigned)plan.connections], 1);
    }
}

/* Returns how many answers had come by its end. */
static unsigned long long run(void)
{
    start = now();
    counts_from = start + WARM_UP_MS / 1e3;
    double end = counts_from + plan.seconds, at;
    unsigned long long before = 0;
    while ((at = now()) < end) {
        if (at < counts_from)
            before = answered;
        ask_due(at);
        peers_turn(false);
    }
    unsigned long long in_time = answered - before;
    ask_due(end);
    for (end += PATIENCE_MS / 1e3; answered < asked;) {
        peers_turn(true);
        if (now() > end)
            refuse("messages were not answered in time");
    }
    return in_time;
}

/* ---- What it says ------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

/* The least that is not exceeded by this part of them, in microseconds. */
static double percentile(const struct samples *samples, double percent)
{
    double part = percent / 100 * (double)samples->count;
    size_t rank = (size_t)part + ((double)(size_t)part < part); /* the next whole number */
    return rank > 0 ? 1e6 * samples->seconds[rank - 1] : 0;
}

static void sort(struct samples *samples)
{
    qsort(samples->seconds, samples->count, sizeof *samples->seconds, compare);
}

static void say(unsigned long long in_time)
{
    static const char *const percents[] = { "50", "90", "99", "99.9", "99.99" };
    sort(&latencies);
    sort(&lateness);
    printf("{\"units\": %llu, \"seconds\": %.6f, \"latency_us\": {", in_time, plan.seconds);
    for (size_t n = 0; n < sizeof percents / sizeof *percents; n++)
        printf("\"p%s\": %.3f, ", percents[n], percentile(&latencies, atof(percents[n])));
    printf("\"max\": %.3f}, \"late_p99_us\": %.3f}\n", percentile(&latencies, 100), percentile(&lateness, 99));
    fflush(stdout);
}

void open_run(void)
{
    make_room(&latencies);
    make_room(&lateness);
    peers_make(take_answers);
    peers_open();
    if (!wait_for_start())
        return;
    say(run());
    wait_for_end();
    peers_close();
}
