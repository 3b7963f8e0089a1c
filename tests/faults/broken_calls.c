/* System calls, and what they do by chance instead. */
#include "broken.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A connection that fails to be accepted is still lost or kept as the kernel would have it: ECONNABORTED takes it out
 * of the queue, the others leave it there. */
int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    if (broken_breaks(BROKEN_ACCEPT)) {
        int error = errno;
        if (error == ECONNABORTED) {
            int lost = (int)syscall(SYS_accept4, fd, address, size, flags);
            if (lost < 0)
                return -1;
            close(lost);
        }
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address, size, flags);
}

/* Without an error: one byte. */
static size_t less(size_t size)
{
    return size > 1 ? 1 : size;
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    if (broken_breaks(BROKEN_RECEIVE)) {
        if (errno != 0)
            return -1;
        size = less(size);
    }
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    if (broken_breaks(BROKEN_SEND)) {
        if (errno != 0)
            return -1;
        size = less(size);
    }
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (broken_breaks(BROKEN_SEND)) {
        if (errno != 0)
            return -1;
        const struct iovec *first = message->msg_iov;
        return message->msg_iovlen == 0
                   ? 0
                   : syscall(SYS_sendto, fd, first->iov_base, less(first->iov_len), flags, NULL, 0);
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && broken_breaks(BROKEN_EPOLL_ADD))
        return -1;
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* Not with EINTR alone: a wait that comes back with nothing is as good. */
int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms)
{
    if (broken_breaks(BROKEN_EPOLL_WAIT)) {
        if (errno != 0)
            return -1;
        room = 1;
    }
    return (int)syscall(SYS_epoll_pwait, epoll, events, room, timeout_ms, NULL, 0);
}

int clock_gettime(clockid_t clock, struct timespec *when)
{
    struct broken_page *now = broken_page;
    if (syscall(SYS_clock_gettime, clock, when) != 0)
        return -1;
    if (clock == CLOCK_REALTIME && now)
        when->tv_sec += atomic_load_explicit(&now->clock_shift, memory_order_relaxed);
    return 0;
}

int eventfd(unsigned count, int flags)
{
    return broken_breaks(BROKEN_EVENTFD) ? -1 : (int)syscall(SYS_eventfd2, count, flags);
}
