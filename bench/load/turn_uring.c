/* turn_uring.c - moves bytes by io_uring: one enter for a turn, in which all requests of the turn go out. Short
 * messages take an eighth to a fifth less CPU than by epoll, so that the load is less often the limit. Plain TCP
 * only. */
#include "load.h"
#include "peer.h"

#include "../uring.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { RECEIVE, SEND };

static struct peer *all;
static struct peer **due; /* something is to be sent, and nothing is being sent */
static size_t due_count;

static unsigned number(const struct peer *peer)
{
    return (unsigned)(peer - all);
}

static void open_peers(struct peer *peers, int count)
{
    all = peers;
    due = calloc((size_t)count, sizeof(struct peer *));
    if (!due || !uring_start((unsigned)count))
        fail("io_uring");
    for (int n = 0; n < count; n++) {
        if (io_uring_register_files_update(&uring, (unsigned)n, &peers[n].link.fd, 1) != 1)
            refuse("a descriptor cannot be registered");
        uring_receive(RECEIVE, (unsigned)n);
    }
}

static void push(struct peer *peer)
{
    if (peer->due || peer->blocked)
        return;
    peer->due = true;
    due[due_count++] = peer;
}

static void send_due(void)
{
    for (size_t n = 0; n < due_count; n++) {
        struct peer *peer = due[n];
        const char *data;
        size_t size = peer_unsent(peer, &data);
        peer->due = false;
        peer->blocked = size > 0;
        if (size > 0)
            uring_send(SEND, number(peer), data, size);
    }
    due_count = 0;
}

static void received(struct peer *peer, const struct io_uring_cqe *done)
{
    const char *data = uring_bytes(done);
    if (done->res == 0)
        refuse("the server closed a connection");
    if (done->res < 0 && done->res != -ENOBUFS) {
        errno = -done->res;
        fail("recv");
    }
    if (done->res > 0)
        peer_hears(peer, data, (size_t)done->res);
    if (!(done->flags & IORING_CQE_F_MORE))
        uring_receive(RECEIVE, number(peer));
}

static void sent(struct peer *peer, const struct io_uring_cqe *done)
{
    if (done->res < 0) {
        errno = -done->res;
        fail("send");
    }
    peer->blocked = false;
    peer_sent(peer, (size_t)done->res);
    if (peer->to_send > 0)
        push(peer);
}

static void enter(bool wait)
{
    struct __kernel_timespec patience = { .tv_nsec = 100000000 };
    struct io_uring_cqe *done;
    if (wait)
        io_uring_submit_and_wait_timeout(&uring, &done, 1, &patience, NULL);
    else
        io_uring_submit_and_get_events(&uring);
}

static void turn(bool wait)
{
    struct io_uring_cqe *done;
    unsigned head, count = 0;
    send_due();
    enter(wait);
    io_uring_for_each_cqe(&uring, head, done)
    {
        struct peer *peer = &all[uring_file(done)];
        if (uring_operation(done) == RECEIVE)
            received(peer, done);
        else
            sent(peer, done);
        count++;
    }
    io_uring_cq_advance(&uring, count);
}

const struct turns turns_uring = { open_peers, push, turn };
