/* closed.c - messages in a closed loop: echo and fan-out; and connections that then do nothing more. */
#include "closed.h"

#include "answers.h"
#include "link.h"
#include "load.h"
#include "script.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { RECEIVE = 1 << 20, EVENTS = 128, WARM_UP_MS = 300 };

struct peer {
    struct link link;
    struct answers answers;
    size_t sent;    /* position in the round of requests */
    size_t to_send; /* bytes that the kernel has not taken yet */
    size_t request; /* the next message of the script to ask for */
    size_t heard;   /* messages, in a fan-out */
    bool blocked;   /* waits until the kernel takes more */
};

static struct peer *peers; /* in a fan-out the publisher is the first */
static int epoll;
static unsigned long long finished;
static char received[RECEIVE];

/* ---- Sending ------------------------------------------------------------------------------------------ */

static void watch(struct peer *peer, int operation)
{
    struct epoll_event event = { .events = EPOLLIN | (peer->blocked ? EPOLLOUT : 0), .data.ptr = peer };
    if (epoll_ctl(epoll, operation, peer->link.fd, &event) != 0)
        fail("epoll_ctl");
}

/* Sends what the kernel takes of what is to be sent. */
static void push(struct peer *peer)
{
    bool was_blocked = peer->blocked;
    peer->blocked = false;
    while (peer->to_send > 0 && !peer->blocked) {
        size_t run = script.room - peer->sent;
        ssize_t size =
            link_send(&peer->link, script.requests + peer->sent, run < peer->to_send ? run : peer->to_send);
        peer->blocked = size < 0;
        if (size < 0)
            continue;
        peer->to_send -= (size_t)size;
        peer->sent = (peer->sent + (size_t)size) % script.round_size;
        bytes_sent += (size_t)size;
    }
    if (peer->blocked != was_blocked)
        watch(peer, EPOLL_CTL_MOD);
}

static void ask(struct peer *peer, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        peer->to_send += script.messages[peer->request].size;
        peer->request = (peer->request + 1) % script.count;
    }
    push(peer);
}

/* ---- Echo: each answer is followed by the next request -------------------------------------------------- */

static void take_echoes(struct peer *peer, size_t done)
{
    finished += done;
    if (done > 0)
        ask(peer, done);
}

/* ---- Fan-out: what has reached all subscribers is followed by the next publish -------------------------- */

static unsigned *missing; /* subscribers that don't have a message yet, by its number modulo the depth */
static size_t published_done;

static void take_deliveries(struct peer *peer, size_t done)
{
    size_t depth = (size_t)plan.depth, before = published_done;
    if (peer == &peers[0]) /* what the server tells a publisher is of no interest */
        return;
    finished += done;
    for (; done > 0; done--, peer->heard++)
        missing[peer->heard % depth]--;
    for (; missing[published_done % depth] == 0; published_done++)
        missing[published_done % depth] = (unsigned)plan.connections;
    if (published_done > before)
        ask(&peers[0], published_done - before);
}

static void make_missing(void)
{
    missing = calloc((size_t)plan.depth, sizeof *missing);
    for (int n = 0; missing && n < plan.depth; n++)
        missing[n] = (unsigned)plan.connections;
}

/* ---- Both --------------------------------------------------------------------------------------------- */

static void hear(struct peer *peer)
{
    bool deaf = plan.mode == LOAD_FAN_OUT && peer == &peers[0];
    size_t done = 0;
    do {
        ssize_t size = link_receive(&peer->link, received, sizeof received);
        if (size < 0)
            break;
        if (!deaf)
            done += answers_take(&peer->answers, received, (size_t)size);
    } while (link_has_more(&peer->link));
    if (plan.mode == LOAD_FAN_OUT)
        take_deliveries(peer, done);
    else
        take_echoes(peer, done);
}

static unsigned long long run_until(double end)
{
    while (now() < end) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                push(peer);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                hear(peer);
        }
    }
    return finished;
}

static int open_peers(void)
{
    int count = plan.connections + (plan.mode == LOAD_FAN_OUT);
    peers = calloc((size_t)count, sizeof *peers);
    epoll = epoll_create1(0);
    if (!peers || epoll < 0)
        fail("memory, epoll");
    for (int n = 0; n < count; n++) {
        peers[n].link = link_open(plan.mode == LOAD_FAN_OUT && n == 0 ? plan.publisher : plan.path);
        watch(&peers[n], EPOLL_CTL_ADD);
    }
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
    if (plan.mode == LOAD_FAN_OUT) {
        make_missing();
        ask(&peers[0], (size_t)plan.depth);
    } else {
        for (int n = 0; n < count; n++)
            ask(&peers[n], (size_t)plan.depth);
    }
    run_until(now() + WARM_UP_MS / 1e3);
    measure(run_until);
    close_peers(count);
}

/* One message on each connection first: a server may get ready for it only then. */
void closed_idle(void)
{
    script_make();
    int count = open_peers();
    for (int n = 0; n < count; n++) {
        ask(&peers[n], 1);
        for (unsigned long long before = finished; finished == before;) {
            struct epoll_event event;
            if (epoll_wait(epoll, &event, 1, -1) > 0) {
                ssize_t size = link_receive(&((struct peer *)event.data.ptr)->link, received, sizeof received);
                if (size > 0)
                    finished += answers_take(&((struct peer *)event.data.ptr)->answers, received, (size_t)size);
            }
        }
    }
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    close_peers(count);
}
