/* Watches: descriptors of the caller's on the loop.
 *
 * The entry stands between the caller's memory and the backend: a watch may be stopped, and its memory gone, while
 * the kernel (or the batch of events that is being gone through) still knows the entry. It goes when it is released.
 *
 * What the backend cannot wait for (a regular file) is ready in every turn: its entry puts itself off from one turn
 * to the next, so that such a loop never sleeps, as poll(2) would not. */
#include "io/loop.h"

#include "base/memory.h"

#include <errno.h>

struct entry {
    struct swale__channel channel;
    struct swale_loop *loop;
    struct swale_watch *watch;
    bool always;
    unsigned events; /* of one that is always ready */
    struct swale__work again;
    struct swale__list file; /* in the loop's */
};

static struct entry *of_channel(struct swale__channel *channel)
{
    return (struct entry *)((char *)channel - offsetof(struct entry, channel));
}

static void ready(struct swale__channel *channel, unsigned events)
{
    struct swale_watch *watch = of_channel(channel)->watch;
    watch->ready(watch, events);
}

static void released(struct swale__channel *channel)
{
    struct entry *entry = of_channel(channel);
    swale__free(entry->loop->allocator, entry, sizeof *entry);
}

static const struct swale__channel_user channel_user = { .ready = ready, .released = released };

/* ---- Always ready ------------------------------------------------------------------------------------- */

static void run_again(struct swale__work *work)
{
    struct entry *entry = SWALE__LIST_OWNER(work, struct entry, again);
    swale__loop_at_next(entry->loop, &entry->again); /* first: the callback may stop it */
    entry->watch->ready(entry->watch, entry->events);
}

static void release_file(struct swale__work *work)
{
    released(SWALE__LIST_OWNER(work, struct swale__channel, release));
}

/* Nobody but us could tell that it is watched already. */
static bool is_watched_file(const struct swale_loop *loop, int fd)
{
    for (const struct swale__list *node = loop->files.next; node != &loop->files; node = node->next)
        if (SWALE__LIST_OWNER(node, const struct entry, file)->channel.fd == fd)
            return true;
    return false;
}

static int watch_file(struct entry *entry, unsigned events)
{
    struct swale_loop *loop = entry->loop;
    if (!entry->always && is_watched_file(loop, entry->channel.fd))
        return -EEXIST;
    if (!entry->always) {
        entry->always = true;
        entry->again.run = run_again;
        swale__list_append(&loop->files, &entry->file);
        swale__loop_at_next(loop, &entry->again);
    }
    entry->events = events;
    return 0;
}

/* ---- The calls ---------------------------------------------------------------------------------------- */

static int ask(struct entry *entry, unsigned events)
{
    struct swale__backend *backend = entry->loop->backend;
    int error = entry->always ? -EPERM : backend->ops->watch(backend, &entry->channel, events);
    return error == -EPERM ? watch_file(entry, events) : error;
}

int swale_watch_start(struct swale_loop *loop, struct swale_watch *watch, unsigned events)
{
    if (events == 0 || (events & ~(unsigned)(SWALE_READABLE | SWALE_WRITABLE)))
        return SWALE_ERR_INVALID;
    if (watch->entry)
        return ask(watch->entry, events);
    struct entry *entry = swale__alloc_zeroed(loop->allocator, sizeof *entry);
    if (!entry)
        return -ENOMEM;
    entry->channel.user = &channel_user;
    entry->channel.fd = watch->fd;
    entry->loop = loop;
    entry->watch = watch;
    int error = ask(entry, events);
    if (error) {
        swale__free(loop->allocator, entry, sizeof *entry);
        return error;
    }
    watch->entry = entry;
    return 0;
}

void swale_watch_stop(struct swale_loop *loop, struct swale_watch *watch)
{
    struct entry *entry = watch->entry;
    if (!entry)
        return;
    watch->entry = NULL;
    if (!entry->always) {
        loop->backend->ops->close(loop->backend, &entry->channel);
        return;
    }
    swale__loop_forget(loop, &entry->again);
    swale__list_remove(&entry->file);
    entry->channel.release.run = release_file;
    swale__loop_at_end(loop, &entry->channel.release);
}
