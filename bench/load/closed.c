/* closed.c - messages in a closed loop: echo and fan-out; and connections that then do nothing more. */
#include "closed.h"

#include "load.h"
#include "peers.h"
#include "script.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARM_UP_MS = 300, PATIENCE_MS = 10000, SILENCE_MS = 8000 };

static unsigned long long finished;

static unsigned long long run_until(double end)
{
    while (now() < end)
        peers_turn(true);
    return finished;
}

/* What has been asked stays under way; everything from now on is measured. */
static void run(void)
{
    run_until(now() + WARM_UP_MS / 1e3);
    measure(run_until);
    peers_close();
}

/* ---- Echo: each answer is followed by the next request ------------------------------------------------ */

static void ask_again(struct peer *peer, size_t done)
{
    finished += done;
    peers_ask(peer, done);
}

void closed_echo(void)
{
    peers_make(ask_again);
    peers_open();
    for (int n = 0; n < peers_count(); n++)
        peers_ask(&peers[n], (size_t)plan.depth);
    run();
}

/* ---- Fan-out: what has reached all subscribers is followed by the next publish ----------------------- */

static unsigned *missing; /* subscribers that don't have a message yet, by its number modulo the depth */
static size_t published_done;

static void take_deliveries(struct peer *peer, size_t done)
{
    size_t depth = (size_t)plan.depth, before = published_done;
    finished += done;
    for (; done > 0; done--, peer->heard++)
        missing[peer->heard % depth]--;
    for (; missing[published_done % depth] == 0; published_done++)
        missing[published_done % depth] = (unsigned)plan.connections;
    if (published_done > before)
        peers_ask(&peers[0], published_done - before);
}

void closed_fan_out(void)
{
    peers_make(take_deliveries);
    peers_open();
    missing = calloc((size_t)plan.depth, sizeof *missing);
    if (!missing)
        refuse("out of memory");
    for (int n = 0; n < plan.depth; n++)
        missing[n] = (unsigned)plan.connections;
    peers_ask(&peers[0], (size_t)plan.depth);
    run();
}

/* ---- Idle -------------------------------------------------------------------------------------------- */

static void count_answers(struct peer *peer, size_t done)
{
    (void)peer;
    finished += done;
}

/* Waits for one answer. */
static void await(struct peer *peer)
{
    static char received[1 << 16];
    struct pollfd wait = { .fd = peer->link.fd, .events = POLLIN };
    for (unsigned long long before = finished; finished == before;) {
        ssize_t size = link_receive(&peer->link, received, sizeof received);
        if (size > 0)
            peer_hears(peer, received, (size_t)size);
        else if (poll(&wait, 1, PATIENCE_MS) == 0)
            refuse("a message was not answered");
    }
}

static void exchange(int first, int count)
{
    for (struct peer *peer = peers + first; peer < peers + first + count; peer++) {
        const struct message *message = &script.messages[0];
        if (link_send(&peer->link, script.requests + message->at, message->size) != (ssize_t)message->size)
            refuse("a message cannot be sent");
        peer->answers.next = 0;
    }
    for (int n = 0; n < count; n++)
        await(&peers[first + n]);
}

/* One message on each connection: a server may get ready for it only then. And now and then on all: a server asks, or
 * ends, those that are silent while the others are opened. */
void closed_idle(void)
{
    peers_make(count_answers);
    double heard = now();
    for (int opened = 0; opened < peers_count();) {
        int count = peers_open_some(opened);
        exchange(opened, count);
        opened += count;
        if (now() > heard + SILENCE_MS / 1e3) {
            exchange(0, opened);
            heard = now();
        }
    }
    printf("ready\n");
    fflush(stdout);
    wait_for_end();
    peers_close();
}
