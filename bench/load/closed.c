/* closed.c - messages in a closed loop: echo and fan-out; and connections that then do nothing more. */
#include "closed.h"

#include "load.h"
#include "peer.h"
#include "script.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARM_UP_MS = 300, PATIENCE_MS = 10000, SILENCE_MS = 8000 };

static struct peer *peers; /* in a fan-out the publisher is the first */
static const struct turns *turns;
static unsigned long long finished;

size_t peer_unsent(const struct peer *peer, const char **data)
{
    size_t run = script.room - peer->sent;
    *data = script.requests + peer->sent;
    return run < peer->to_send ? run : peer->to_send;
}

void peer_sent(struct peer *peer, size_t size)
{
    peer->to_send -= size;
    peer->sent = (peer->sent + size) % script.round_size;
    bytes_sent += size;
}

static void ask(struct peer *peer, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        peer->to_send += script.messages[peer->request].size;
        peer->request = (peer->request + 1) % script.count;
    }
    turns->push(peer);
}

/* ---- Fan-out: what has reached all subscribers is followed by the next publish ----------------------- */

static unsigned *missing; /* subscribers that don't have a message yet, by its number modulo the depth */
static size_t published_done;

static void take_deliveries(struct peer *peer, size_t done)
{
    size_t depth = (size_t)plan.depth, before = published_done;
    for (; done > 0; done--, peer->heard++)
        missing[peer->heard % depth]--;
    for (; missing[published_done % depth] == 0; published_done++)
        missing[published_done % depth] = (unsigned)plan.connections;
    if (published_done > before)
        ask(&peers[0], published_done - before);
}

static void start_fan_out(void)
{
    missing = calloc((size_t)plan.depth, sizeof *missing);
    if (!missing)
        refuse("out of memory");
    for (int n = 0; n < plan.depth; n++)
        missing[n] = (unsigned)plan.connections;
    ask(&peers[0], (size_t)plan.depth);
}

/* ---- Both -------------------------------------------------------------------------------------------- */

/* In an echo each answer is followed by the next request. */
void peer_hears(struct peer *peer, const char *data, size_t size)
{
    if (plan.mode == LOAD_FAN_OUT && peer == &peers[0])
        return; /* what the server tells a publisher is of no interest */
    size_t done = answers_take(&peer->answers, data, size);
    finished += done;
    if (plan.mode == LOAD_FAN_OUT)
        take_deliveries(peer, done);
    else if (plan.mode == LOAD_ECHO && done > 0)
        ask(peer, done);
}

static unsigned long long run_until(double end)
{
    turns->run(end);
    return finished;
}

static int count_peers(void)
{
    return plan.connections + (plan.mode == LOAD_FAN_OUT);
}

static void make_peers(void)
{
    peers = calloc((size_t)count_peers(), sizeof *peers);
    if (!peers)
        refuse("out of memory");
    script_make();
}

/* Opens the next ones, all at a time, and returns how many. */
static int open_some(int first)
{
    enum { SOME = 64 };
    static struct opening some[SOME];
    int count = count_peers() - first < SOME ? count_peers() - first : SOME;
    for (int n = 0; n < count; n++)
        opening_begin(&some[n], plan.mode == LOAD_FAN_OUT && first + n == 0 ? plan.publisher : plan.path);
    for (int n = 0; n < count; n++) {
        opening_finish(&some[n]);
        peers[first + n].link = some[n].link;
    }
    return count;
}

static void close_peers(void)
{
    for (int n = 0; n < count_peers(); n++)
        link_reset(&peers[n].link);
}

void closed_run(void)
{
    make_peers();
    for (int opened = 0; opened < count_peers();)
        opened += open_some(opened);
    turns = plan.uring && !plan.tls ? &turns_uring : &turns_epoll;
    turns->open(peers, count_peers());
    if (plan.mode == LOAD_FAN_OUT)
        start_fan_out();
    for (int n = 0; n < count_peers() && plan.mode == LOAD_ECHO; n++)
        ask(&peers[n], (size_t)plan.depth);
    run_until(now() + WARM_UP_MS / 1e3);
    measure(run_until);
    close_peers();
}

/* ---- Idle -------------------------------------------------------------------------------------------- */

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
    make_peers();
    double heard = now();
    for (int opened = 0; opened < count_peers();) {
        int count = open_some(opened);
        exchange(opened, count);
        opened += count;
        if (now() > heard + SILENCE_MS / 1e3) {
            exchange(0, opened);
            heard = now();
        }
    }
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    close_peers();
}
