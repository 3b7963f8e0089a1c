/* The links of the network: two streams, and what is on its way between them.
 *
 * An end acts once per turn of its loop at most, as that of a pair does. What it writes is put behind what is on its
 * way to the other end, marked with the time when it will arrive. */
#include "network_link.h"

#include "io/address.h"
#include "io/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_CAPACITY = 65536 };

void network_breach(const struct network *network, const char *text)
{
    if (network->breach) {
        network->breach(network->context, text);
        return;
    }
    fprintf(stderr, "network: %s\n", text);
    abort();
}

static void expect(const struct network_end *end, bool kept, const char *text)
{
    if (!kept)
        network_breach(end->link->network, text);
}

static void *grown(void *block, size_t size)
{
    void *bigger = realloc(block, size);
    if (!bigger)
        abort();
    return bigger;
}

static struct network_end *as_end(struct swale__stream *stream)
{
    return (struct network_end *)stream;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void act_soon(struct network_end *end)
{
    if (!end->closed && !end->severed && end->stream.user)
        swale__loop_at_next(end->stream.loop, &end->work);
}

/* ---- On the way --------------------------------------------------------------------------------------- */

static size_t capacity_of(const struct network_end *end)
{
    return end->shape.options.capacity > 0 ? end->shape.options.capacity : DEFAULT_CAPACITY;
}

/* What is sent into the void, or to nobody, needs no room. */
static size_t room_towards(const struct network_end *end)
{
    if (end->void_behind || end->closed)
        return SIZE_MAX;
    return end->size < capacity_of(end) ? capacity_of(end) - end->size : 0;
}

static void put_mark(struct network_end *to, enum network_what what, size_t size)
{
    struct network *network = to->link->network;
    uint64_t due = network_now(network) + to->shape.delay_ms;
    if (to->shape.jitter_ms > 0)
        due += dice_roll(&network->dice, to->shape.jitter_ms + 1);
    if (to->mark_count > 0 && due < to->marks[to->mark_count - 1].due_ms)
        due = to->marks[to->mark_count - 1].due_ms;
    if (to->mark_count == to->mark_room) {
        to->mark_room = to->mark_room ? 2 * to->mark_room : 8;
        to->marks = grown(to->marks, to->mark_room * sizeof *to->marks);
    }
    to->marks[to->mark_count++] = (struct network_mark){ .due_ms = due, .size = size, .what = what };
    network_arrive(to);
}

void network_send_mark(struct network_end *to, enum network_what what)
{
    if (to->void_behind)
        return;
    put_mark(to, what, 0);
    to->void_behind = what == MARK_RESET || what == MARK_END;
}

void network_cut(struct network_end *to, enum network_what what)
{
    size_t on_way = to->size - to->arrived;
    size_t lost = on_way > 0 ? dice_roll(&to->link->network->dice, (uint32_t)on_way + 1) : 0;
    if (to->reset || (to->mark_count > 0 && to->marks[to->mark_count - 1].what == MARK_RESET))
        return; /* nothing worse can come */
    while (to->mark_count > 0 && (lost > 0 || to->marks[to->mark_count - 1].what != MARK_DATA)) {
        struct network_mark *last = &to->marks[to->mark_count - 1];
        if (last->what == MARK_MET)
            break;
        size_t less = smaller(last->size, lost);
        last->size -= less;
        to->size -= less;
        lost -= less;
        if (last->size > 0)
            break;
        to->mark_count--;
    }
    to->void_behind = false;
    network_send_mark(to, what);
}

/* The kernel of a closed end answers what comes with a reset (RFC 9293 section 3.5.2). */
static void turn_away(struct network_end *end, size_t size)
{
    end->size -= size;
    end->start = end->size > 0 ? end->start + size : 0;
    if (!end->severed)
        network_cut(network_peer(end), MARK_RESET);
}

static void take_mark(struct network_end *end, const struct network_mark *mark)
{
    switch (mark->what) {
    case MARK_DATA:
        if (end->closed)
            turn_away(end, mark->size);
        else
            end->arrived += mark->size;
        break;
    case MARK_MET:
        end->met = true;
        network_met(end->link);
        break;
    case MARK_END:
        end->ended = true;
        break;
    case MARK_RESET:
        end->reset = true;
        if (dice_roll(&end->link->network->dice, 2)) /* a kernel may drop what nobody has read */
            end->size = end->arrived = 0;
        break;
    }
}

void network_arrive(struct network_end *end)
{
    struct network *network = end->link->network;
    uint64_t now = network_now(network);
    bool any = false;
    swale_timer_stop(network->ether, &end->arrival);
    while (end->mark_count > 0 && end->marks[0].due_ms <= now && !end->silenced && !end->stalled &&
           !network->frozen) {
        struct network_mark mark = end->marks[0];
        memmove(end->marks, end->marks + 1, --end->mark_count * sizeof mark);
        take_mark(end, &mark);
        any = true;
    }
    if (end->mark_count > 0 && end->marks[0].due_ms > now)
        swale_timer_start(network->ether, &end->arrival, end->marks[0].due_ms);
    if (any)
        act_soon(end);
}

static void on_arrival(struct swale_timer *timer)
{
    network_arrive(timer->context);
}

/* ---- Sending ------------------------------------------------------------------------------------------- */

static void append(struct network_end *to, const char *data, size_t size)
{
    if (to->start > 0 && to->start + to->size + size > to->room) {
        memmove(to->bytes, to->bytes + to->start, to->size);
        to->start = 0;
    }
    if (to->size + size > to->room) {
        to->room = 2 * (to->size + size);
        to->bytes = grown(to->bytes, to->room);
    }
    memcpy(to->bytes + to->start + to->size, data, size);
    to->size += size;
}

static size_t total_of(const struct iovec *parts, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    return total;
}

static bool begins_message(const char *data)
{
    return (data[0] & 0x7f) == 2;
}

/* Of TLS: application data. */
static bool begins_record(const char *data)
{
    return data[0] == 0x17;
}

/* With what was sent before it, when that is a message too and still on its way. */
static void swap_with_last(struct network_end *to, const char *copy, size_t size)
{
    struct network_mark *last = to->mark_count > 0 ? &to->marks[to->mark_count - 1] : NULL;
    char *data = to->bytes + to->start + to->size - size;
    if (!last || last->what != MARK_DATA || !begins_message(data - last->size))
        return;
    memmove(data - last->size + size, data - last->size, last->size);
    memcpy(data - last->size, copy, size);
}

/* Makes of what was just put there what must not be. It lies at the end, and is not marked yet. */
static size_t play_trick(struct network_end *to, size_t size)
{
    struct network *network = to->link->network;
    char *data = to->bytes + to->start + to->size - size;
    bool wanted = network->trick == TRICK_TAMPER ? begins_record(data) : begins_message(data);
    bool apt = to == &to->link->ends[NETWORK_SERVER] && wanted && size < 2000;
    if (network->trick == TRICK_NONE || !apt || dice_roll(&network->dice, 16) != 0)
        return size;
    char copy[2000];
    memcpy(copy, data, size);
    switch (network->trick) {
    case TRICK_DOUBLE:
        append(to, copy, size);
        return 2 * size;
    case TRICK_FLIP:
    case TRICK_TAMPER:
        data[size - 1] ^= 1;
        return size;
    case TRICK_BREAK:
        data[0] |= 0x10;
        return size;
    case TRICK_SWAP:
        swap_with_last(to, copy, size);
        return size;
    case TRICK_LOSE:
        to->size -= size;
        return 0;
    default:
        return size;
    }
}

/* Lets them go as far as there is room; how many bytes that is. */
static size_t send_on(struct network_end *end, const struct iovec *parts, int count)
{
    struct network_end *to = network_peer(end);
    size_t taken = smaller(total_of(parts, count), room_towards(to));
    if (taken > 0)
        end->wrote_ms = swale_loop_now(end->stream.loop);
    if (taken == 0 || to->void_behind)
        return taken;
    for (size_t left = taken; left > 0; parts++) {
        size_t run = smaller(parts->iov_len, left);
        if (run > 0)
            append(to, parts->iov_base, run);
        left -= run;
    }
    size_t sent = play_trick(to, taken);
    if (sent > 0)
        put_mark(to, MARK_DATA, sent);
    return taken;
}

/* ---- What an end does in its turn ----------------------------------------------------------------------- */

static uint64_t sum_of(const struct iovec *parts, int count)
{
    uint64_t sum = 0xcbf29ce484222325;
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < parts[i].iov_len; at++)
            sum = (sum ^ ((const unsigned char *)parts[i].iov_base)[at]) * 0x100000001b3;
    return sum;
}

static void die(struct network_end *end)
{
    end->dead = true;
    end->stream.user->on_fail(end->stream.context, -ECONNRESET);
}

/* Moves on what is in flight, and counts it off. */
static void carry_on(struct network_end *end)
{
    if (end->reset) {
        die(end);
        return;
    }
    size_t moved = send_on(end, end->parts + end->first, end->count - end->first);
    if (moved == 0) {
        end->pressed = true;
        return; /* there will be room */
    }
    expect(end, sum_of(end->flight, end->count) == end->flight_sum, "bytes in flight were changed");
    end->in_flight -= moved;
    for (size_t left = moved; left > 0;) {
        struct iovec *part = &end->parts[end->first];
        size_t size = smaller(part->iov_len, left);
        part->iov_base = (char *)part->iov_base + size;
        part->iov_len -= size;
        left -= size;
        end->first += part->iov_len == 0;
    }
    if (end->in_flight > 0) { /* what has been counted off may go: only the rest has to lie still */
        end->pressed = true;
        memcpy(end->flight, end->parts, sizeof end->flight);
        memmove(end->flight, end->flight + end->first, (size_t)(end->count - end->first) * sizeof *end->flight);
        memmove(end->parts, end->parts + end->first, (size_t)(end->count - end->first) * sizeof *end->parts);
        end->count -= end->first;
        end->first = 0;
        end->flight_sum = sum_of(end->flight, end->count);
    }
    end->stream.user->on_written(end->stream.context, moved);
}

static void hand_out(struct network_end *end)
{
    struct swale_loop *loop = end->stream.loop;
    size_t size = smaller(end->arrived, loop->receive_size);
    if (end->shape.options.chunk > 0)
        size = smaller(size, end->shape.options.chunk);
    memcpy(loop->receive_buffer, end->bytes + end->start, size);
    end->start += size;
    end->size -= size;
    end->arrived -= size;
    if (end->size == 0)
        end->start = 0;
    struct network_end *writer = network_peer(end);
    if (writer->full || writer->in_flight > 0)
        act_soon(writer);
    act_soon(end); /* for what is left, or for what comes behind it */
    end->heard_ms = swale_loop_now(loop);
    end->pressed = end->full;
    end->stream.user->on_data(end->stream.context, loop->receive_buffer, size);
}

static void read_once(struct network_end *end)
{
    if (end->arrived > 0) {
        hand_out(end);
    } else if (end->reset) {
        die(end);
    } else if (end->ended && !end->told_end) {
        end->told_end = true;
        end->stream.user->on_end(end->stream.context);
    }
}

static void act(struct swale__work *work)
{
    struct network_end *end = SWALE__LIST_OWNER(work, struct network_end, work);
    bool room = room_towards(network_peer(end)) > 0 && end->link->network->trick != TRICK_FORGET;
    if (end->in_flight > 0 && !end->dead)
        carry_on(end);
    if (!end->closed && !end->dead && end->full && (room || end->reset)) {
        end->full = false;
        end->stream.user->on_written(end->stream.context, 0);
    }
    if (!end->closed && !end->dead && end->reading)
        read_once(end);
}

/* ---- What its user asks of it --------------------------------------------------------------------------- */

static void resume_end(struct swale__stream *stream)
{
    as_end(stream)->reading = true;
    act_soon(as_end(stream));
}

static void pause_end(struct swale__stream *stream)
{
    as_end(stream)->reading = false;
}

static ptrdiff_t begin_flight(struct network_end *end, const struct iovec *parts, int count)
{
    end->in_flight = total_of(parts, count);
    if (end->in_flight == 0)
        return 0;
    end->first = 0;
    end->count = count;
    memcpy(end->parts, parts, (size_t)count * sizeof *parts);
    memcpy(end->flight, parts, (size_t)count * sizeof *parts);
    end->flight_sum = sum_of(end->flight, count);
    end->pressed = true;
    act_soon(end);
    return SWALE__IN_FLIGHT;
}

static ptrdiff_t write_end(struct swale__stream *stream, const struct iovec *parts, int count)
{
    struct network_end *end = as_end(stream);
    expect(end, count > 0 && count <= SWALE__IOV_MAX, "a write of too many parts, or of none");
    expect(end, !end->full, "a write to a stream that is full");
    expect(end, end->in_flight == 0, "a write while one is in flight");
    expect(end, !end->shut, "a write behind the end");
    expect(end, !end->dead, "a write to a stream that is dead");
    if (end->severed)
        return (ptrdiff_t)total_of(parts, count);
    if (end->reset) {
        end->dead = true;
        return -ECONNRESET;
    }
    if (end->shape.options.in_flight)
        return begin_flight(end, parts, count);
    size_t written = send_on(end, parts, count);
    end->full = written < total_of(parts, count);
    end->pressed |= end->full;
    return (ptrdiff_t)written;
}

static void shut_end(struct swale__stream *stream)
{
    struct network_end *end = as_end(stream);
    expect(end, !end->shut, "a second end");
    expect(end, end->in_flight == 0 && !end->full, "an end before what is to be written");
    end->shut = true;
    if (!end->severed)
        network_send_mark(network_peer(end), MARK_END);
}

/* Unread bytes turn the end into a reset (RFC 9112 section 9.6). */
static void close_end(struct swale__stream *stream, bool abort)
{
    struct network_end *end = as_end(stream);
    struct network_end *peer = network_peer(end);
    expect(end, !end->closed, "a second close");
    end->closed = true;
    end->in_flight = 0; /* its memory is the user's again */
    swale__loop_forget(stream->loop, &end->work);
    if (!end->severed && (abort || end->arrived > 0))
        network_cut(peer, MARK_RESET);
    else if (!end->severed)
        network_send_mark(peer, MARK_END);
    end->size -= end->arrived;
    end->start += end->arrived;
    end->arrived = 0;
    act_soon(peer); /* there is room now, without end */
    network_link_check(end->link);
}

static void describe_end(struct swale__stream *stream, struct swale_peer *peer, char *text)
{
    (void)text;
    const struct network_link *link = as_end(stream)->link;
    *peer = (struct swale_peer){ .address = swale_text(link->address), .port = link->number };
}

static bool address_of_end(const struct swale__stream *stream, unsigned char ip[16])
{
    struct in6_addr parsed;
    const struct network_link *link = ((const struct network_end *)stream)->link;
    if (!swale__address_parse_ip(swale_text(link->address), &parsed))
        return false;
    memcpy(ip, &parsed, sizeof parsed);
    return true;
}

static const struct swale__stream_ops ops = {
    .resume = resume_end,
    .pause = pause_end,
    .write = write_end,
    .shutdown = shut_end,
    .close = close_end,
    .describe = describe_end,
    .address = address_of_end,
};

/* ---- Life ----------------------------------------------------------------------------------------------- */

static void release(struct swale__work *work)
{
    network_link_free(SWALE__LIST_OWNER(work, struct network_link, release));
}

void network_link_check(struct network_link *link)
{
    if (link->ends[NETWORK_CLIENT].closed && link->ends[NETWORK_SERVER].closed)
        swale__loop_at_end(link->network->ether, &link->release);
}

void network_link_free(struct network_link *link)
{
    struct network *network = link->network;
    struct network_link *last = network->links[--network->link_count];
    network->links[link->index] = last;
    last->index = link->index;
    swale__loop_forget(network->ether, &link->release);
    swale__loop_forget(link->ends[NETWORK_SERVER].stream.loop, &link->accept);
    for (int i = 0; i < 2; i++) {
        swale_timer_stop(network->ether, &link->ends[i].arrival);
        free(link->ends[i].bytes);
        free(link->ends[i].marks);
    }
    free(link);
}

static void init_end(struct network_link *link, enum network_side side, struct swale_loop *loop,
                     const struct network_shape *shape)
{
    struct network_end *end = &link->ends[side];
    end->stream.ops = &ops;
    end->stream.loop = loop;
    end->link = link;
    end->shape = *shape;
    end->work.run = act;
    end->arrival.fire = on_arrival;
    end->arrival.context = end;
}

struct network_link *network_link_new(struct network *network, struct swale_loop *client, struct swale_loop *server)
{
    struct network_link *link = grown(NULL, sizeof *link);
    struct network_shape shapes[2] = { { 0 }, { 0 } };
    memset(link, 0, sizeof *link);
    if (network->shape)
        network->shape(network->context, shapes);
    link->network = network;
    init_end(link, NETWORK_CLIENT, client, &shapes[NETWORK_CLIENT]);
    init_end(link, NETWORK_SERVER, server, &shapes[NETWORK_SERVER]);
    link->release.run = release;
    link->number = (uint16_t)++network->numbers;
    if (network->numbers > UINT16_MAX)
        abort();
    snprintf(link->address, sizeof link->address, "10.0.%u.%u", network->numbers >> 8, network->numbers & 255);
    if (network->link_count == network->link_room) {
        network->link_room = network->link_room ? 2 * network->link_room : 16;
        network->links = grown(network->links, network->link_room * sizeof *network->links);
    }
    link->index = network->link_count;
    network->links[network->link_count++] = link;
    return link;
}
