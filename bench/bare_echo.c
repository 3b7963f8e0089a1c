/* bare_echo.c - the ceiling: a TCP server that moves the bytes of a WebSocket echo and does nothing else.
 *
 *     bare_echo PORT BYTES_IN BYTES_OUT
 *
 * For every BYTES_IN bytes that a connection brings it gets BYTES_OUT back: one epoll_wait, one recv and one send per
 * readiness event, one thread, no parsing, no limits, no timers. Ends with its standard input. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, EVENTS = 128, MAX_FD = 65536 };

static char received[BUFFER];
static char answer[BUFFER];
static size_t bytes_in, bytes_out;

/* Per connection: bytes that came and are not answered yet, and bytes that are owed. */
static struct {
    size_t came, owed;
} state[MAX_FD];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int epoll, int fd, uint32_t events, int operation)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(epoll, operation, fd, &event) != 0)
        fail("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        state[fd].came = state[fd].owed = 0;
        watch(epoll, fd, EPOLLIN, EPOLL_CTL_ADD);
    }
}

/* Sends what is owed; asks for EPOLLOUT while the kernel takes no more. */
static void pay(int epoll, int fd, int was_blocked)
{
    while (state[fd].owed > 0) {
        size_t size = state[fd].owed < BUFFER ? state[fd].owed : BUFFER;
        ssize_t sent = send(fd, answer, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (!was_blocked)
                watch(epoll, fd, EPOLLOUT, EPOLL_CTL_MOD);
            return;
        }
        if (sent < 0) {
            close(fd);
            return;
        }
        state[fd].owed -= (size_t)sent;
    }
    if (was_blocked)
        watch(epoll, fd, EPOLLIN, EPOLL_CTL_MOD);
}

static void serve(int epoll, int fd)
{
    ssize_t size = recv(fd, received, sizeof received, 0);
    if (size <= 0) {
        close(fd);
        return;
    }
    size_t came = state[fd].came + (size_t)size;
    state[fd].owed += came / bytes_in * bytes_out;
    state[fd].came = came % bytes_in;
    pay(epoll, fd, 0);
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0)
        fail("listen");
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4 || atol(argv[2]) <= 0 || atol(argv[3]) <= 0) {
        fprintf(stderr, "usage: bare_echo PORT BYTES_IN BYTES_OUT\n");
        return 2;
    }
    bytes_in = (size_t)atol(argv[2]);
    bytes_out = (size_t)atol(argv[3]);
    memset(answer, 'x', sizeof answer);
    int epoll = epoll_create1(0), listener = listen_on(atoi(argv[1]));
    watch(epoll, listener, EPOLLIN, EPOLL_CTL_ADD);
    watch(epoll, STDIN_FILENO, EPOLLIN, EPOLL_CTL_ADD);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == listener)
                accept_all(epoll, listener);
            else if (events[i].events & EPOLLOUT)
                pay(epoll, fd, 1);
            else
                serve(epoll, fd);
        }
    }
}
