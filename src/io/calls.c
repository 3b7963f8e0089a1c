#include "io/calls.h"

#include <errno.h>
#include <sys/socket.h>

/* One part is the usual case, and send needs no message to be copied into the kernel. */
static ssize_t send_once(int fd, const struct iovec *parts, int count)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (count == 1)
        return send(fd, parts[0].iov_base, parts[0].iov_len, flags);
    struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count };
    return sendmsg(fd, &message, flags);
}

ptrdiff_t swale__call_send(int fd, const struct iovec *parts, int count)
{
    ssize_t sent;
    do
        sent = send_once(fd, parts, count);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN ? 0 : -errno;
}

ptrdiff_t swale__call_receive(int fd, char *buffer, size_t size)
{
    ssize_t received;
    do
        received = recv(fd, buffer, size, MSG_DONTWAIT);
    while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : received;
}

int swale__call_connected(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return -error;
}
