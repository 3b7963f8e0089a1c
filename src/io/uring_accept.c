/* Accepting: a standing order, by which the kernel accepts whoever comes, be it thousands at once.
 *
 * To greet each costs much more than that, and others wait meanwhile. So a turn admits only some; the rest wait in
 * the lobby, in the order in which they came, whichever listener they came to. */
#include "io/uring.h"

#include "base/memory.h"

#include <errno.h>
#include <unistd.h>

enum { ADMITTED_MAX = 64 };

struct swale__uring_guest {
    struct swale__channel *listener; /* NULL: it has closed meanwhile */
    int fd;
};

static void order(struct swale__uring *uring, struct swale__channel *channel)
{
    struct io_uring_sqe *sqe = swale__uring_order(uring);
    if (!sqe)
        return;
    io_uring_prep_multishot_accept(sqe, channel->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    swale__uring_mark(sqe, channel, SWALE__ORDER_ACCEPT);
    channel->armed |= SWALE__ACCEPT;
}

int swale__uring_accept(struct swale__backend *base, struct swale__channel *channel, bool on)
{
    struct swale__uring *uring = swale__uring_of(base);
    channel->wants = on ? SWALE__ACCEPT : 0;
    if (on && !(channel->armed & SWALE__ACCEPT)) {
        order(uring, channel);
        return channel->armed ? 0 : -ENOMEM;
    }
    if (!on && (channel->armed & SWALE__ACCEPT))
        swale__uring_cancel_standing(uring, channel, SWALE__ORDER_ACCEPT);
    return 0;
}

/* ---- The lobby ---------------------------------------------------------------------------------------- */

static void admit_some(struct swale__work *work)
{
    struct swale__uring *uring = SWALE__LIST_OWNER(work, struct swale__uring, lobby.admit);
    struct swale__uring_lobby *lobby = &uring->lobby;
    while (lobby->first < lobby->end && lobby->admitted < ADMITTED_MAX) {
        struct swale__uring_guest guest = lobby->guests[lobby->first++];
        if (!guest.listener)
            continue;
        lobby->admitted++;
        guest.listener->user->accepted(guest.listener, guest.fd);
    }
    if (lobby->first < lobby->end)
        swale__loop_at_next(uring->loop, &lobby->admit);
    else
        lobby->first = lobby->end = 0;
}

static bool make_room(struct swale__uring *uring)
{
    struct swale__uring_lobby *lobby = &uring->lobby;
    if (lobby->end < lobby->room)
        return true;
    size_t room = lobby->room ? 2 * lobby->room : 64;
    struct swale__uring_guest *grown =
        swale__resize(uring->loop->allocator, lobby->guests, lobby->room * sizeof *grown, room * sizeof *grown);
    if (!grown)
        return false;
    lobby->guests = grown;
    lobby->room = room;
    return true;
}

static void seat(struct swale__uring *uring, struct swale__channel *channel, int fd)
{
    struct swale__uring_lobby *lobby = &uring->lobby;
    if (!make_room(uring)) {
        close(fd);
        return;
    }
    lobby->guests[lobby->end++] = (struct swale__uring_guest){ .listener = channel, .fd = fd };
    lobby->admit.run = admit_some;
    swale__loop_at_next(uring->loop, &lobby->admit);
}

void swale__uring_turn_away(struct swale__uring *uring, const struct swale__channel *channel)
{
    struct swale__uring_lobby *lobby = &uring->lobby;
    for (size_t i = lobby->first; i < lobby->end; i++) {
        if (lobby->guests[i].listener != channel)
            continue;
        close(lobby->guests[i].fd);
        lobby->guests[i].listener = NULL;
    }
}

void swale__uring_lobby_free(struct swale__uring *uring)
{
    struct swale__uring_lobby *lobby = &uring->lobby;
    swale__loop_forget(uring->loop, &lobby->admit);
    if (lobby->guests)
        swale__free(uring->loop->allocator, lobby->guests, lobby->room * sizeof *lobby->guests);
}

/* ---- What the kernel answers ---------------------------------------------------------------------------- */

static void admit(struct swale__uring *uring, struct swale__channel *channel, int result)
{
    struct swale__uring_lobby *lobby = &uring->lobby;
    if (result == -ECANCELED || result == -EAGAIN || result == -EINTR)
        return; /* that says nothing about anybody */
    if (result >= 0 && (lobby->first < lobby->end || lobby->admitted == ADMITTED_MAX)) {
        seat(uring, channel, result);
        return;
    }
    lobby->admitted++;
    channel->user->accepted(channel, result);
}

/* What has been accepted by the time that the kernel is told to stop is admitted nevertheless: these peers are
 * connected. */
void swale__uring_accepted(struct swale__uring *uring, struct swale__channel *channel,
                           const struct io_uring_cqe *answer)
{
    if (!(answer->flags & IORING_CQE_F_MORE))
        channel->armed &= (uint8_t) ~(SWALE__ACCEPT | SWALE__CANCEL);
    if (!channel->closed)
        admit(uring, channel, answer->res);
    else if (answer->res >= 0)
        close(answer->res);
    if (!channel->closed && (channel->wants & SWALE__ACCEPT) && !(channel->armed & SWALE__ACCEPT))
        order(uring, channel);
}
