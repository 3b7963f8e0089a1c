#include "storm.h"

#include "link.h"
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>

enum { EVENTS = 128, WARM_UP_MS = 300 };

static int epoll;
static unsigned long long opened, resumed;

static void begin(struct opening *slot)
{
    opening_begin(slot, plan.path);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = slot };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, slot->link.fd, &event) != 0)
        fail("epoll_ctl");
}

static void go_on(struct opening *slot)
{
    if (!opening_advance(slot))
        return;
    opened++;
    if (plan.tls && SSL_session_reused(slot->link.tls))
        resumed++;
    link_reset(&slot->link);
    begin(slot);
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
    struct opening *slots = calloc((size_t)plan.connections, sizeof *slots);
    epoll = epoll_create1(0);
    if (!slots || epoll < 0)
        fail("memory, epoll");
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
