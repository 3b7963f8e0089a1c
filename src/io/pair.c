/* A pair of streams joined in memory.
 *
 *      end 0 --write--> [ ends[1].inbox ] --on_data--> end 1        and the same the other way
 *
 * An end acts once per turn at most, in the phase for what was put off to this turn (act), so that two ends that
 * answer each other cannot keep a turn from ending. It behaves as a socket does: an end that is paused hears
 * neither of the other's end nor of its reset until it is resumed or writes, and what is written to an end that
 * has been closed in order is lost without a word.
 *
 * Both ends and the inboxes are freed when the second end has been closed, at the end of that turn; so a
 * callback may close either end, or both. */
#include "io/loop.h"

#include "base/memory.h"

#include <errno.h>

enum { DEFAULT_CAPACITY = 65536 };

enum fate { ALIVE, SHUT, RESET };

/* Bytes under way to an end: memory[start .. start + size). */
struct inbox {
    char *memory;
    size_t start, size, room;
};

struct end {
    struct swale__stream stream;
    struct pair *pair;
    struct swale__work work;
    struct inbox inbox;
    enum fate peers_fate; /* what the other end has done to this one */
    bool reading, closed, dead;
    bool shut;       /* we have ended our direction */
    bool full;       /* on_written(0) is owed */
    bool peer_ended; /* on_end has been called */
    /* The write in flight: parts[first .. count), when in_flight is not 0. */
    size_t in_flight;
    int first, count;
    struct iovec parts[SWALE__IOV_MAX];
};

struct pair {
    struct swale__work release;
    struct swale__pair_options options;
    struct end ends[2];
};

static struct end *as_end(struct swale__stream *stream)
{
    return (struct end *)stream;
}

static struct end *peer_of(struct end *end)
{
    return end == &end->pair->ends[0] ? &end->pair->ends[1] : &end->pair->ends[0];
}

static void act_soon(struct end *end)
{
    if (!end->closed)
        swale__loop_at_next(end->stream.loop, &end->work);
}

/* ---- Bytes under way -------------------------------------------------------------------------------- */

/* Makes room for `more` bytes behind those that are there. */
static bool make_room(struct inbox *inbox, const struct swale_allocator *allocator, size_t more)
{
    if (inbox->room - inbox->start - inbox->size >= more)
        return true;
    if (inbox->start > 0) {
        memmove(inbox->memory, inbox->memory + inbox->start, inbox->size);
        inbox->start = 0;
    }
    size_t needed = inbox->size + more;
    if (needed <= inbox->room)
        return true;
    size_t room = needed > 2 * inbox->room ? needed : 2 * inbox->room;
    char *memory = swale__resize(allocator, inbox->memory, inbox->room, room);
    if (!memory)
        return false;
    inbox->memory = memory;
    inbox->room = room;
    return true;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t total_of(const struct iovec *parts, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    return total;
}

/* Appends the first `size` bytes of the parts, for which there is room. */
static void put(struct inbox *inbox, const struct iovec *parts, size_t size)
{
    for (; size > 0; parts++) {
        size_t run = smaller(parts->iov_len, size);
        if (run > 0)
            memcpy(inbox->memory + inbox->start + inbox->size, parts->iov_base, run);
        inbox->size += run;
        size -= run;
    }
}

static void take_from_inbox(struct inbox *inbox, char *out, size_t size)
{
    memcpy(out, inbox->memory + inbox->start, size);
    inbox->start += size;
    inbox->size -= size;
    if (inbox->size == 0)
        inbox->start = 0;
}

static size_t room_towards(const struct end *peer)
{
    return peer->closed ? SIZE_MAX : peer->pair->options.capacity - peer->inbox.size;
}

/* Hands the peer what it has room for. How many bytes, or -ENOMEM. */
static ptrdiff_t send_on(struct end *end, const struct iovec *parts, int count)
{
    struct end *peer = peer_of(end);
    size_t size = smaller(total_of(parts, count), room_towards(peer));
    if (size == 0 || peer->closed)
        return (ptrdiff_t)size;
    if (!make_room(&peer->inbox, end->stream.loop->allocator, size))
        return -ENOMEM;
    put(&peer->inbox, parts, size);
    act_soon(peer);
    return (ptrdiff_t)size;
}

/* ---- What an end does in its turn ------------------------------------------------------------------- */

static void die(struct end *end, int error)
{
    end->dead = true;
    end->stream.user->on_fail(end->stream.context, error);
}

/* Moves on the write in flight as far as there is room. */
static void carry_on(struct end *end)
{
    if (end->peers_fate == RESET) {
        die(end, -ECONNRESET);
        return;
    }
    ptrdiff_t moved = send_on(end, end->parts + end->first, end->count - end->first);
    if (moved < 0) {
        die(end, (int)moved);
        return;
    }
    if (moved == 0)
        return; /* the peer tells us when it has taken something */
    end->in_flight -= (size_t)moved;
    for (size_t left = (size_t)moved; left > 0;) {
        struct iovec *part = &end->parts[end->first];
        size_t size = smaller(part->iov_len, left);
        if (size > 0)
            part->iov_base = (char *)part->iov_base + size;
        part->iov_len -= size;
        left -= size;
        end->first += part->iov_len == 0;
    }
    end->stream.user->on_written(end->stream.context, (size_t)moved);
}

static void hand_out(struct end *end)
{
    struct swale_loop *loop = end->stream.loop;
    size_t chunk = end->pair->options.chunk;
    size_t size = smaller(end->inbox.size, loop->receive_size);
    if (chunk > 0)
        size = smaller(size, chunk);
    take_from_inbox(&end->inbox, loop->receive_buffer, size);
    struct end *peer = peer_of(end);
    if (peer->full || peer->in_flight > 0)
        act_soon(peer);
    act_soon(end); /* for what is left, or for what comes behind it */
    end->stream.user->on_data(end->stream.context, loop->receive_buffer, size);
}

static void read_once(struct end *end)
{
    if (end->peers_fate == RESET) {
        die(end, -ECONNRESET);
    } else if (end->inbox.size > 0) {
        hand_out(end);
    } else if (end->peers_fate == SHUT && peer_of(end)->in_flight == 0 && !end->peer_ended) {
        end->peer_ended = true;
        end->stream.user->on_end(end->stream.context);
    }
}

static void act(struct swale__work *work)
{
    struct end *end = (struct end *)((char *)work - offsetof(struct end, work));
    struct end *peer = peer_of(end);
    if (end->in_flight > 0 && !end->dead)
        carry_on(end);
    if (!end->closed && !end->dead && end->full && room_towards(peer) > 0) {
        end->full = false;
        end->stream.user->on_written(end->stream.context, 0);
    }
    if (!end->closed && !end->dead && end->reading)
        read_once(end);
}

/* ---- What its user asks of it ----------------------------------------------------------------------- */

static void resume_end(struct swale__stream *stream)
{
    as_end(stream)->reading = true;
    act_soon(as_end(stream));
}

static void pause_end(struct swale__stream *stream)
{
    as_end(stream)->reading = false;
}

static ptrdiff_t begin_flight(struct end *end, const struct iovec *parts, int count)
{
    end->in_flight = total_of(parts, count);
    if (end->in_flight == 0)
        return 0;
    end->first = 0;
    end->count = count;
    memcpy(end->parts, parts, (size_t)count * sizeof *parts);
    act_soon(end);
    return SWALE__IN_FLIGHT;
}

static ptrdiff_t write_end(struct swale__stream *stream, const struct iovec *parts, int count)
{
    struct end *end = as_end(stream);
    if (end->dead || end->shut || end->peers_fate == RESET) {
        end->dead = true;
        return end->peers_fate == RESET ? -ECONNRESET : -EPIPE;
    }
    if (end->pair->options.in_flight)
        return begin_flight(end, parts, count);
    ptrdiff_t written = send_on(end, parts, count);
    if (written < 0)
        end->dead = true;
    else
        end->full = (size_t)written < total_of(parts, count);
    return written;
}

static void shut_end(struct swale__stream *stream)
{
    struct end *peer = peer_of(as_end(stream));
    as_end(stream)->shut = true;
    if (peer->peers_fate == ALIVE)
        peer->peers_fate = SHUT;
    act_soon(peer);
}

static void release(struct swale__work *work)
{
    struct pair *pair = (struct pair *)work; /* its first member */
    const struct swale_allocator *allocator = pair->ends[0].stream.loop->allocator;
    for (int i = 0; i < 2; i++)
        swale__free(allocator, pair->ends[i].inbox.memory, pair->ends[i].inbox.room);
    swale__free(allocator, pair, sizeof *pair);
}

static void close_end(struct swale__stream *stream, bool abort)
{
    struct end *end = as_end(stream);
    struct end *peer = peer_of(end);
    end->closed = true;
    end->in_flight = 0; /* its memory is the user's again */
    swale__loop_forget(stream->loop, &end->work);
    if (peer->closed) {
        swale__loop_at_end(stream->loop, &end->pair->release);
        return;
    }
    peer->peers_fate = abort ? RESET : SHUT;
    act_soon(peer);
}

static void describe_end(struct swale__stream *stream, struct swale_peer *peer, char *text)
{
    (void)text;
    (void)stream;
    *peer = (struct swale_peer){ .address = swale_text("memory") };
}

/* By whether writes stay in flight. */
static const struct swale__stream_ops end_ops[2] = {
    {
        .resume = resume_end,
        .pause = pause_end,
        .write = write_end,
        .shutdown = shut_end,
        .close = close_end,
        .describe = describe_end,
        .prompt = true,
    },
    {
        .resume = resume_end,
        .pause = pause_end,
        .write = write_end,
        .shutdown = shut_end,
        .close = close_end,
        .describe = describe_end,
    },
};

int swale__pair(struct swale__stream *ends[2], struct swale_loop *loop, const struct swale__pair_options *options)
{
    struct pair *pair = swale__alloc_zeroed(loop->allocator, sizeof *pair);
    if (!pair)
        return -ENOMEM;
    if (options)
        pair->options = *options;
    if (pair->options.capacity == 0)
        pair->options.capacity = DEFAULT_CAPACITY;
    pair->release.run = release;
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];
        end->stream.ops = &end_ops[pair->options.in_flight];
        end->stream.loop = loop;
        end->pair = pair;
        end->work.run = act;
        ends[i] = &end->stream;
    }
    return 0;
}
