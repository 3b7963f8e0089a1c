#include "storm.h"

#include "link.h"
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128, WARM_UP_MS = 300, ANSWER_MAX = 1024 };

struct slot {
    struct link link;
    size_t got;
    bool asked;
    char answer[ANSWER_MAX];
};

static int epoll;
static unsigned long long opened, resumed;
static char request[ANSWER_MAX];
static size_t request_size;

static void ask(struct slot *slot)
{
    if (link_send(&slot->link, request, request_size) != (ssize_t)request_size)
        refuse("the handshake cannot be sent");
    slot->asked = true;
    bytes_sent += request_size;
}

static void begin(struct slot *slot)
{
    *slot = (struct slot){ .link.fd = link_dial() };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = slot };
    if (plan.tls && fcntl(slot->link.fd, F_SETFL, O_NONBLOCK) != 0)
        fail("fcntl");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, slot->link.fd, &event) != 0)
        fail("epoll_ctl");
    if (!plan.tls) {
        ask(slot);
        return;
    }
    slot->link.tls = link_tls(slot->link.fd);
    SSL_do_handshake(slot->link.tls); /* sends the first flight */
}

static void finish(struct slot *slot)
{
    opened++;
    if (plan.tls && SSL_session_reused(slot->link.tls))
        resumed++;
    link_reset(&slot->link);
    begin(slot);
}

/* True once TLS is ready. */
static bool secure(struct slot *slot)
{
    int result = SSL_do_handshake(slot->link.tls);
    if (result == 1)
        return true;
    if (SSL_get_error(slot->link.tls, result) != SSL_ERROR_WANT_READ)
        refuse("no TLS");
    return false;
}

static void go_on(struct slot *slot)
{
    if (!slot->asked && !secure(slot))
        return;
    if (!slot->asked)
        ask(slot);
    do {
        ssize_t size = link_receive(&slot->link, slot->answer + slot->got, sizeof slot->answer - 1 - slot->got);
        if (size < 0)
            return;
        slot->got += (size_t)size;
        bytes_received += (size_t)size;
        if (link_opened(slot->answer, slot->got)) {
            finish(slot);
            return;
        }
        if (slot->got == sizeof slot->answer - 1)
            refuse("too long an answer to the handshake");
    } while (link_has_more(&slot->link));
}

static void turn(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, 100);
    for (int i = 0; i < count; i++)
        go_on(events[i].data.ptr);
}

static unsigned long long run_until(double end)
{
    while (now() < end)
        turn();
    return opened;
}

void storm_run(void)
{
    struct slot *slots = calloc((size_t)plan.connections, sizeof *slots);
    epoll = epoll_create1(0);
    if (!slots || epoll < 0)
        fail("memory, epoll");
    request_size = link_request(request, sizeof request, plan.path);
    begin(&slots[0]); /* whose session the others resume */
    while (plan.resume && !link_session)
        turn();
    for (int n = 1; n < plan.connections; n++)
        begin(&slots[n]);
    run_until(now() + WARM_UP_MS / 1e3);
    measure(run_until);
    if (plan.resume && resumed < opened / 100 * 99)
        refuse("the server does not resume sessions");
    if (!plan.resume && resumed > 0)
        refuse("sessions were resumed");
}
