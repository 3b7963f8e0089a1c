/* bare_uring.c - the bare server on io_uring: see bare.h. One enter for each turn, in which all sends of the turn go
 * out and everything that came since is received; connections are known by the ring alone, without descriptors;
 * receives are multishot, and fill provided buffers bit by bit where the kernel can do that (6.12), so that many
 * short messages share one buffer and a long one has room in one piece. */
#include "bare.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Newer than Debian 12's liburing. */
enum { PBUF_RING_INC = 2 };  /* IOU_PBUF_RING_INC */
enum { BUF_MORE = 1U << 4 }; /* IORING_CQE_F_BUF_MORE: there is more of this buffer to be filled */

enum { SUBMISSIONS = 4096, COMPLETIONS = 32768, ANSWER = 1 << 20, GROUP = 1 };
enum { ACCEPT, RECEIVE, SEND, CLOSE, END };

static struct bare bare;
static struct io_uring ring;
static char answer[ANSWER];
static int highest = -1; /* connection so far */

/* By the number that the ring has given the connection: bytes that came and are not answered yet, and that are owed.
 */
static struct connection {
    size_t came, owed;
    bool open, sending, leaving, listed;
} state[BARE_CONNECTIONS];

/* Connections to which something is owed, and nothing is being sent. */
static int due[BARE_CONNECTIONS], due_count;

/* ---- Buffers ------------------------------------------------------------------------------------------ */

static struct {
    struct io_uring_buf_ring *ring;
    char *memory;
    unsigned count, size; /* of each */
    bool bit_by_bit;
} buffers;

static int register_buffers(unsigned count, unsigned size, unsigned flags)
{
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)buffers.ring, .ring_entries = count, .bgid = GROUP };
    reg.pad = (uint16_t)flags; /* later kernels' `flags` */
    buffers.count = count;
    buffers.size = size;
    return io_uring_register_buf_ring(&ring, &reg, 0);
}

static void give_back(unsigned id)
{
    io_uring_buf_ring_add(buffers.ring, buffers.memory + (size_t)id * buffers.size, buffers.size, (uint16_t)id,
                          io_uring_buf_ring_mask(buffers.count), 0);
    io_uring_buf_ring_advance(buffers.ring, 1);
}

/* 2 MiB either way: it should stay in the cache. */
static void provide_buffers(void)
{
    enum { LARGE = 8, FEW = 256 << 10, MANY = 32, SMALL = 64 << 10 };
    buffers.ring = aligned_alloc(4096, 4096);
    buffers.memory = aligned_alloc(4096, (size_t)LARGE * FEW);
    if (!buffers.ring || !buffers.memory)
        bare_fail("memory");
    memset(buffers.ring, 0, 4096);
    memset(buffers.memory, 0, (size_t)LARGE * FEW);
    buffers.bit_by_bit = register_buffers(LARGE, FEW, PBUF_RING_INC) == 0;
    if (!buffers.bit_by_bit && register_buffers(MANY, SMALL, 0) != 0)
        bare_fail("provided buffers");
    io_uring_buf_ring_init(buffers.ring);
    for (unsigned id = 0; id < buffers.count; id++)
        give_back(id);
}

/* ---- Operations --------------------------------------------------------------------------------------- */

static struct io_uring_sqe *next_entry(void)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    while (!entry) {
        io_uring_submit(&ring);
        entry = io_uring_get_sqe(&ring);
    }
    return entry;
}

static void mark(struct io_uring_sqe *entry, unsigned operation, int connection)
{
    io_uring_sqe_set_data64(entry, (uint64_t)operation << 32 | (uint32_t)connection);
}

static void start_accept(void)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_multishot_accept_direct(entry, bare.listener, NULL, NULL, 0);
    mark(entry, ACCEPT, 0);
}

static void start_receive(int connection)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_recv_multishot(entry, connection, NULL, 0, 0);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    entry->buf_group = GROUP;
    mark(entry, RECEIVE, connection);
}

static void start_send(int connection)
{
    struct io_uring_sqe *entry = next_entry();
    size_t size = state[connection].owed < ANSWER ? state[connection].owed : ANSWER;
    io_uring_prep_send(entry, connection, answer, size, MSG_NOSIGNAL | MSG_WAITALL);
    entry->flags |= IOSQE_FIXED_FILE;
    mark(entry, SEND, connection);
    state[connection].sending = true;
}

static void start_close(int connection)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_close_direct(entry, (unsigned)connection);
    mark(entry, CLOSE, connection);
    state[connection].open = false;
}

/* ---- What came of them -------------------------------------------------------------------------------- */

static void accepted(const struct io_uring_cqe *done)
{
    int connection = done->res;
    if (connection >= 0) {
        memset(&state[connection], 0, sizeof state[connection]);
        state[connection].open = true;
        highest = connection > highest ? connection : highest;
        start_receive(connection);
    }
    if (!(done->flags & IORING_CQE_F_MORE))
        start_accept();
}

static void leave(int connection)
{
    if (state[connection].sending)
        state[connection].leaving = true;
    else
        start_close(connection);
}

static void owe(int connection, size_t bytes)
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
    for (int n = 0; n < due_count; n++) {
        state[due[n]].listed = false;
        if (state[due[n]].open && !state[due[n]].sending)
            start_send(due[n]);
    }
    due_count = 0;
}

static void answer_to(int connection, size_t size)
{
    size_t came = state[connection].came + size, bytes = came / bare.bytes_in * bare.bytes_out;
    state[connection].came = came % bare.bytes_in;
    if (!bare.fan_out)
        owe(connection, bytes);
    for (int other = 0; bare.fan_out && bytes > 0 && other <= highest; other++)
        if (state[other].open && other != connection)
            owe(other, bytes);
}

static void received(int connection, const struct io_uring_cqe *done)
{
    if ((done->flags & IORING_CQE_F_BUFFER) && !(buffers.bit_by_bit && (done->flags & BUF_MORE)))
        give_back(done->flags >> IORING_CQE_BUFFER_SHIFT);
    if (done->res > 0)
        answer_to(connection, (size_t)done->res);
    if (done->flags & IORING_CQE_F_MORE)
        return;
    if (done->res > 0 || done->res == -ENOBUFS)
        start_receive(connection);
    else
        leave(connection);
}

static void sent(int connection, const struct io_uring_cqe *done)
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
    int connection = (int)(uint32_t)done->user_data;
    switch (done->user_data >> 32) {
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

static void start_ring(void)
{
    struct rlimit files;
    struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                               IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
                                      .cq_entries = COMPLETIONS };
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        bare_fail("getrlimit");
    unsigned most = files.rlim_cur < BARE_CONNECTIONS ? (unsigned)files.rlim_cur : BARE_CONNECTIONS;
    if (io_uring_queue_init_params(SUBMISSIONS, &ring, &params) < 0 || io_uring_register_ring_fd(&ring) < 0 ||
        io_uring_register_files_sparse(&ring, most) < 0)
        bare_fail("io_uring");
    provide_buffers();
}

int main(int argc, char **argv)
{
    bare = bare_start(argc, argv);
    memset(answer, 'x', sizeof answer);
    start_ring();
    start_accept();
    struct io_uring_sqe *end = next_entry();
    io_uring_prep_poll_add(end, STDIN_FILENO, POLLIN);
    mark(end, END, 0);
    for (;;) {
        struct io_uring_cqe *done;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, done)
        {
            if (!handle(done))
                return 0;
            count++;
        }
        io_uring_cq_advance(&ring, count);
        pay_all();
    }
}
