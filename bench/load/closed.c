/* closed.c - messages in a closed loop: echo and fan-out; and connections that then do nothing more. */
#include "closed.h"

#include "load.h"
#include "peer.h"
#include "script.h"

#include <stdio.h>
#include <stdlib.h>

enum { WARM_UP_MS = 300 };

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

static int open_peers(void)
{
    int count = plan.connections + (plan.mode == LOAD_FAN_OUT);
    peers = calloc((size_t)count, sizeof *peers);
    if (!peers)
        refuse("out of memory");
    for (int n = 0; n < count; n++)
        peers[n].link = link_open(plan.mode == LOAD_FAN_OUT && n == 0 ? plan.publisher : plan.path);
    turns = plan.uring && !plan.tls ? &turns_uring : &turns_epoll;
    turns->open(peers, count);
    return count;
}

static void close_peers(int count)
{
    for (int n = 0; n < count; n++)
        link_reset(&peers[n].link);
}

void closed_run(void)
{
    script_make();
    int count = open_peers();
    if (plan.mode == LOAD_FAN_OUT)
        start_fan_out();
    for (int n = 0; n < count && plan.mode == LOAD_ECHO; n++)
        ask(&peers[n], (size_t)plan.depth);
    run_until(now() + WARM_UP_MS / 1e3);
    measure(run_until);
    close_peers(count);
}

/* One message on each connection first: a server may get ready for it only then. */
void closed_idle(void)
{
    script_make();
    int count = open_peers();
    for (int n = 0; n < count; n++)
        for (ask(&peers[n], 1); finished == (unsigned long long)n;)
            turns->once();
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    close_peers(count);
}
