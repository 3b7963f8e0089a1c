/* turn_epoll.c - moves bytes by epoll: one recv and one send for each readiness event. */
#include "load.h"
#include "peer.h"

#include <stdint.h>
#include <sys/epoll.h>

enum { RECEIVE = 1 << 20, EVENTS = 128, PATIENCE_MS = 100 };

static int epoll;
static char received[RECEIVE];

static void watch(struct peer *peer, int operation)
{
    struct epoll_event event = { .events = EPOLLIN | (peer->blocked ? EPOLLOUT : 0), .data.ptr = peer };
    if (epoll_ctl(epoll, operation, peer->link.fd, &event) != 0)
        fail("epoll_ctl");
}

static void open_peers(struct peer *peers, int count)
{
    epoll = epoll_create1(0);
    for (int n = 0; n < count; n++)
        watch(&peers[n], EPOLL_CTL_ADD);
}

static void push(struct peer *peer)
{
    bool was_blocked = peer->blocked;
    const char *data;
    size_t size;
    peer->blocked = false;
    while (!peer->blocked && (size = peer_unsent(peer, &data)) > 0) {
        ssize_t sent = link_send(&peer->link, data, size);
        peer->blocked = sent < 0;
        if (sent > 0)
            peer_sent(peer, (size_t)sent);
    }
    if (peer->blocked != was_blocked)
        watch(peer, EPOLL_CTL_MOD);
}

static void hear(struct peer *peer)
{
    do {
        ssize_t size = link_receive(&peer->link, received, sizeof received);
        if (size < 0)
            return;
        peer_hears(peer, received, (size_t)size);
    } while (link_has_more(&peer->link));
}

static void turn(bool wait)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, wait ? PATIENCE_MS : 0);
    for (int i = 0; i < count; i++) {
        if (events[i].events & EPOLLOUT)
            push(events[i].data.ptr);
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            hear(events[i].data.ptr);
    }
}

const struct turns turns_epoll = { open_peers, push, turn };
