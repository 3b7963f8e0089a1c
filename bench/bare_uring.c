/* bare_uring.c - the bare server on io_uring: see bare.h. One enter for each turn, in which all sends of the turn go
 * out and everything that came since is received; connections are known by the ring alone, without descriptors. */
#include "bare.h"
#include "uring.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER = 1 << 20 };
enum { ACCEPT, RECEIVE, SEND, CLOSE, END };

static struct bare bare;
static char answer[ANSWER];
static unsigned connections; /* the highest number of one so far, and one */

/* By the number that the ring has given the connection: bytes that came and are not answered yet, and that are owed.
 */
static struct connection {
    size_t came, owed;
    bool open, sending, leaving, listed;
} state[BARE_CONNECTIONS];

/* Connections to which something is owed, and nothing is being sent. */
static unsigned due[BARE_CONNECTIONS], due_count;

static void start_accept(void)
{
    struct io_uring_sqe *entry = uring_entry();
    io_uring_prep_multishot_accept_direct(entry, bare.listener, NULL, NULL, 0);
    uring_mark(entry, ACCEPT, 0);
}

static void start_send(unsigned connection)
{
    size_t size = state[connection].owed < ANSWER ? state[connection].owed : ANSWER;
    uring_send(SEND, connection, answer, size);
    state[connection].sending = true;
}

static void start_close(unsigned connection)
{
    struct io_uring_sqe *entry = uring_entry();
    io_uring_prep_close_direct(entry, connection);
    uring_mark(entry, CLOSE, connection);
    state[connection].open = false;
}

static void accepted(const struct io_uring_cqe *done)
{
    if (done->res >= 0) {
        unsigned connection = (unsigned)done->res;
        memset(&state[connection], 0, sizeof state[connection]);
        state[connection].open = true;
        connections = connection < connections ? connections : connection + 1;
        uring_receive(RECEIVE, connection);
    }
    if (!(done->flags & IORING_CQE_F_MORE))
        start_accept();
}

static void leave(unsigned connection)
{
    if (state[connection].sending)
        state[connection].leaving = true;
    else
        start_close(connection);
}

static void owe(unsigned connection, size_t bytes)
{
    struct connection *c = &state[connection];
    c->owed += bytes;
    if (c->owed > 0 && !c->sending && !c->listed) {
        c->listed = true;
        due[due_count++] = connection;
    }
}

static void pay_all(void)
{
    for (unsigned n = 0; n < due_count; n++) {
        state[due[n]].listed = false;
        if (state[due[n]].open && !state[due[n]].sending)
            start_send(due[n]);
    }
    due_count = 0;
}

static void answer_to(unsigned connection, size_t size)
{
    size_t came = state[connection].came + size, bytes = came / bare.bytes_in * bare.bytes_out;
    state[connection].came = came % bare.bytes_in;
    if (!bare.fan_out)
        owe(connection, bytes);
    for (unsigned other = 0; bare.fan_out && bytes > 0 && other < connections; other++)
        if (state[other].open && other != connection)
            owe(other, bytes);
}

static void received(unsigned connection, const struct io_uring_cqe *done)
{
    uring_bytes(done);
    if (done->res > 0)
        answer_to(connection, (size_t)done->res);
    if (done->flags & IORING_CQE_F_MORE)
        return;
    if (done->res > 0 || done->res == -ENOBUFS)
        uring_receive(RECEIVE, connection);
    else
        leave(connection);
}

static void sent(unsigned connection, const struct io_uring_cqe *done)
{
    struct connection *c = &state[connection];
    c->sending = false;
    if (c->leaving || done->res <= 0) {
        if (c->leaving)
            start_close(connection);
        return; /* that it failed shows when receiving, too */
    }
    c->owed -= (size_t)done->res;
    owe(connection, 0);
}

static bool handle(const struct io_uring_cqe *done)
{
    unsigned connection = uring_file(done);
    switch (uring_operation(done)) {
    case ACCEPT:
        accepted(done);
        break;
    case RECEIVE:
        received(connection, done);
        break;
    case SEND:
        sent(connection, done);
        break;
    case END:
        return false;
    default:
        break;
    }
    return true;
}

static void start(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        bare_fail("getrlimit");
    if (!uring_start(files.rlim_cur < BARE_CONNECTIONS ? (unsigned)files.rlim_cur : BARE_CONNECTIONS))
        bare_fail("io_uring");
    start_accept();
    struct io_uring_sqe *end = uring_entry();
    io_uring_prep_poll_add(end, STDIN_FILENO, POLLIN);
    uring_mark(end, END, 0);
}

int main(int argc, char **argv)
{
    bare = bare_start(argc, argv);
    memset(answer, 'x', sizeof answer);
    start();
    for (;;) {
        struct io_uring_cqe *done;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&uring, 1);
        io_uring_for_each_cqe(&uring, head, done)
        {
            if (!handle(done))
                return 0;
            count++;
        }
        io_uring_cq_advance(&uring, count);
        pay_all();
    }
}
