#include "peers.h"

#include "load.h"
#include "script.h"

#include <stdlib.h>

struct peer *peers;
static const struct turns *turns;
static void (*on_answer)(struct peer *peer, size_t done);

static bool is_publisher(const struct peer *peer)
{
    return plan.mode == LOAD_FAN_OUT && peer == &peers[0];
}

int peers_count(void)
{
    return plan.connections + (plan.mode == LOAD_FAN_OUT);
}

void peers_make(void (*answered)(struct peer *peer, size_t done))
{
    on_answer = answered;
    peers = calloc((size_t)peers_count(), sizeof *peers);
    if (!peers)
        refuse("out of memory");
    script_make();
}

int peers_open_some(int first)
{
    enum { SOME = 64 };
    static struct opening some[SOME];
    int count = peers_count() - first < SOME ? peers_count() - first : SOME;
    for (int n = 0; n < count; n++)
        opening_begin(&some[n], is_publisher(&peers[first + n]) ? plan.publisher : plan.path);
    for (int n = 0; n < count; n++) {
        opening_finish(&some[n]);
        peers[first + n].link = some[n].link;
    }
    return count;
}

void peers_open(void)
{
    for (int opened = 0; opened < peers_count();)
        opened += peers_open_some(opened);
    turns = plan.uring && !plan.tls ? &turns_uring : &turns_epoll;
    turns->open(peers, peers_count());
}

void peers_ask(struct peer *peer, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        peer->to_send += script.messages[peer->request].size;
        peer->request = (peer->request + 1) % script.count;
    }
    turns->push(peer);
}

void peers_turn(bool wait)
{
    turns->turn(wait);
}

void peers_close(void)
{
    for (int n = 0; n < peers_count(); n++)
        link_reset(&peers[n].link);
}

/* ---- For those who move bytes ------------------------------------------------------------------------ */

void peer_hears(struct peer *peer, const char *data, size_t size)
{
    if (is_publisher(peer))
        return; /* what the server tells a publisher is of no interest */
    size_t done = answers_take(&peer->answers, data, size);
    if (done > 0)
        on_answer(peer, done);
}

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
