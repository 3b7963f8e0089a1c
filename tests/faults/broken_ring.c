/* io_uring. What the program asks liburing to hand over is changed before: an order that is to fail becomes one that
 * does nothing and is answered by that error (IORING_NOP_INJECT_RESULT, Linux 6.10), so that the answer comes from
 * the kernel, when and as its own would. */
#include "broken.h"

#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The one of the library that is behind this. */
#define NEXT(call) ((__typeof__(&(call)))dlsym(RTLD_NEXT, #call))

/* Debian 12's header does not know them yet. */
enum { NOP_INJECT_RESULT = 1, PBUF_RING_INC = 2 };

/* ---- Orders ------------------------------------------------------------------------------------------- */

static void answer_by(struct io_uring_sqe *sqe, int error)
{
    struct io_uring_sqe nop = {
        .opcode = IORING_OP_NOP,
        .flags = sqe->flags & IOSQE_CQE_SKIP_SUCCESS,
        .fd = -1,
        .rw_flags = NOP_INJECT_RESULT,
        .len = (uint32_t)-error,
        .user_data = sqe->user_data,
    };
    *sqe = nop;
}

static void end_with_first_answer(struct io_uring_sqe *sqe)
{
    if (sqe->opcode == IORING_OP_RECV)
        sqe->ioprio &= (uint16_t)~IORING_RECV_MULTISHOT;
    else if (sqe->opcode == IORING_OP_ACCEPT)
        sqe->ioprio &= (uint16_t)~IORING_ACCEPT_MULTISHOT;
    else if (sqe->opcode == IORING_OP_POLL_ADD)
        sqe->len &= ~(uint32_t)IORING_POLL_ADD_MULTI;
}

/* Which is all of it, for the kernel, and so the answer has to be asked for. */
static void send_one_byte(struct io_uring_sqe *sqe)
{
    if (sqe->opcode == IORING_OP_SENDMSG) {
        const struct msghdr *message = (const void *)(uintptr_t)sqe->addr;
        sqe->opcode = IORING_OP_SEND;
        sqe->addr = (uint64_t)(uintptr_t)message->msg_iov[0].iov_base;
    }
    sqe->len = 1;
    sqe->flags &= (uint8_t)~IOSQE_CQE_SKIP_SUCCESS;
}

static enum broken_place place_of(const struct io_uring_sqe *sqe)
{
    switch (sqe->opcode) {
    case IORING_OP_RECV:
        return BROKEN_RING_RECEIVE;
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
        return BROKEN_RING_SEND;
    case IORING_OP_ACCEPT:
        return BROKEN_RING_ACCEPT;
    case IORING_OP_POLL_ADD:
        return BROKEN_RING_POLL;
    default:
        return BROKEN_PLACES;
    }
}

static bool is_spared(const struct broken_page *page, const struct io_uring_sqe *sqe)
{
    enum broken_place place = place_of(sqe);
    return (place == BROKEN_RING_RECEIVE || place == BROKEN_RING_SEND) &&
           (uint64_t)sqe->fd < atomic_load_explicit(&page->spared, memory_order_relaxed);
}

static void change(const struct broken_page *page, struct io_uring_sqe *sqe)
{
    enum broken_place place = place_of(sqe);
    if (place == BROKEN_PLACES || is_spared(page, sqe) ||
        atomic_load_explicit(&page->permyriad[place], memory_order_relaxed) == 0)
        return;
    end_with_first_answer(sqe); /* so that the next one has its chance soon */
    if (!broken_breaks(place))
        return;
    if (errno != 0)
        answer_by(sqe, errno);
    else if (place == BROKEN_RING_SEND)
        send_one_byte(sqe);
}

/* Those that liburing has not shown to the kernel yet. */
static void change_orders(struct io_uring *ring)
{
    const struct broken_page *page = broken_page;
    for (unsigned at = ring->sq.sqe_head; page && at != ring->sq.sqe_tail; at++)
        change(page, &ring->sq.sqes[at & ring->sq.ring_mask]);
}

/* ---- Handing over, and waiting -------------------------------------------------------------------------- */

static int before_entering(struct io_uring *ring)
{
    int saved = errno;
    int error = broken_breaks(BROKEN_RING_ENTER) ? -errno : 0;
    if (!error)
        change_orders(ring);
    errno = saved;
    return error;
}

int io_uring_submit(struct io_uring *ring)
{
    int error = before_entering(ring);
    return error ? error : NEXT(io_uring_submit)(ring);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
    int error = before_entering(ring);
    return error ? error : NEXT(io_uring_submit_and_get_events)(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    int error = before_entering(ring);
    return error ? error : NEXT(io_uring_submit_and_wait)(ring, count);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **answer, unsigned count,
                                     struct __kernel_timespec *timeout, sigset_t *signals)
{
    int error = before_entering(ring);
    return error ? error : NEXT(io_uring_submit_and_wait_timeout)(ring, answer, count, timeout, signals);
}

/* ---- Making one ----------------------------------------------------------------------------------------- */

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
    if (broken_breaks(BROKEN_RING_SETUP)) {
        if (errno != 0)
            return -errno;
        entries = 4;
        params->cq_entries = 4;
    }
    return NEXT(io_uring_queue_init_params)(entries, ring, params);
}

static bool refuses_buffers(const struct io_uring_buf_reg *registration)
{
    if (!broken_breaks(BROKEN_RING_REGISTER))
        return false;
    if (errno != 0)
        return true;
    errno = EINVAL;
    return (registration->pad & PBUF_RING_INC) != 0; /* "flags" since then */
}

long syscall(long number, ...)
{
    va_list list;
    long argument[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        argument[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_io_uring_register && argument[1] == IORING_REGISTER_PBUF_RING &&
        refuses_buffers((const void *)argument[2]))
        return -1;
    return NEXT(syscall)(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}
