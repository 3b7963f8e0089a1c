/* bare_echo.c - the bare server on epoll: one epoll_wait, one recv and one send per readiness event. See bare.h. */
#include "bare.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, EVENTS = 128 };

static char received[BUFFER];
static char answer[BUFFER];
static struct bare bare;
static int epoll;
static int highest; /* descriptor of a connection so far */

/* Per connection: bytes that came and are not answered yet, and bytes that are owed. */
static struct {
    size_t came, owed;
    bool open, blocked;
} state[BARE_CONNECTIONS];

static void watch(int fd, uint32_t events, int operation)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(epoll, operation, fd, &event) != 0)
        bare_fail("epoll_ctl");
}

static void accept_all(void)
{
    for (;;) {
        int fd = accept4(bare.listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (fd >= BARE_CONNECTIONS) {
            close(fd);
            continue;
        }
        memset(&state[fd], 0, sizeof state[fd]);
        state[fd].open = true;
        highest = fd > highest ? fd : highest;
        watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void leave(int fd)
{
    state[fd].open = false;
    close(fd);
}

static void set_blocked(int fd, bool blocked)
{
    if (state[fd].blocked == blocked)
        return;
    state[fd].blocked = blocked;
    watch(fd, blocked ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
}

/* Sends what is owed; asks for EPOLLOUT while the kernel takes no more. */
static void pay(int fd)
{
    while (state[fd].owed > 0) {
        size_t size = state[fd].owed < BUFFER ? state[fd].owed : BUFFER;
        ssize_t sent = send(fd, answer, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            set_blocked(fd, true);
            return;
        }
        if (sent < 0) {
            leave(fd);
            return;
        }
        state[fd].owed -= (size_t)sent;
    }
    set_blocked(fd, false);
}

static void publish(int from, size_t bytes)
{
    for (int fd = 0; fd <= highest; fd++)
        if (state[fd].open && fd != from) {
            state[fd].owed += bytes;
            pay(fd);
        }
}

static void serve(int fd)
{
    ssize_t size = recv(fd, received, sizeof received, 0);
    if (size <= 0) {
        leave(fd);
        return;
    }
    size_t came = state[fd].came + (size_t)size, bytes = came / bare.bytes_in * bare.bytes_out;
    state[fd].came = came % bare.bytes_in;
    if (bare.fan_out) {
        publish(fd, bytes);
        return;
    }
    state[fd].owed += bytes;
    pay(fd);
}

int main(int argc, char **argv)
{
    bare = bare_start(argc, argv);
    memset(answer, 'x', sizeof answer);
    epoll = epoll_create1(0);
    watch(bare.listener, EPOLLIN, EPOLL_CTL_ADD);
    watch(STDIN_FILENO, EPOLLIN, EPOLL_CTL_ADD);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == bare.listener)
                accept_all();
            else if (events[i].events & EPOLLOUT)
                pay(fd);
            else
                serve(fd);
        }
    }
}
