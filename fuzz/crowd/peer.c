/* peer.c - a peer: a client whose engine and inflater judge what the server sends. */
#include "crowd.h"

#include <stdio.h>

/* ---- What a peer hears ------------------------------------------------------------------------------ */

static void check_message(struct peer *peer, const char *data, size_t size)
{
    if (peer->route >= WILD) {
        require(size >= MARK);
        uint32_t sequence = crowd_sequence(data), *next = &peer->next[(unsigned char)data[0]];
        require(crowd_matches(data, size, data[0], sequence));
        require(data[0] == 'd' ? sequence == *next : sequence >= *next);
        *next = sequence + 1;
    } else if (peer->good) {
        require(peer->heard != peer->sent && size == peer->owed[peer->heard % OWED]);
        require(crowd_matches(data, size, 'e', peer->heard));
        peer->heard++;
    }
}

static void inflate(struct peer *peer, struct swale_span in, bool last)
{
    char out[4096];
    ptrdiff_t size;
    require(peer->inflater || swale_inflater_new(&peer->inflater, NULL, 15, true) == 0);
    do {
        size = swale_inflater_step(peer->inflater, &in, last, out, sizeof out);
        require(size >= 0);
        crowd_append(&peer->message, &peer->message_size, out, (size_t)size);
    } while (in.size > 0 || size == sizeof out);
}

static void on_event(struct peer *peer, const struct swale_event *event)
{
    require(event->type != SWALE_EVENT_FAIL);
    if (event->type == SWALE_EVENT_PING && peer->pongs)
        crowd_say(peer, event->reply, event->reply_size);
    if (event->type == SWALE_EVENT_CLOSE && peer->pongs) {
        crowd_say(peer, event->reply, event->reply_size);
        peer->shut = true;
    }
    if (event->type != SWALE_EVENT_PART)
        return;
    require(!event->compressed || peer->deflate);
    if (event->compressed)
        inflate(peer, event->payload, event->last);
    else
        crowd_append(&peer->message, &peer->message_size, event->payload.data, event->payload.size);
    if (!event->last)
        return;
    check_message(peer, peer->message, peer->message_size);
    peer->message_size = 0;
}

/* The head of the answer: frames follow a 101, and anything else is not looked at. */
static size_t hear_head(struct peer *peer)
{
    const char *end = peer->in_size > 0 ? memmem(peer->in, peer->in_size, "\r\n\r\n", 4) : NULL;
    if (!end)
        return 0;
    size_t size = (size_t)(end - peer->in) + 4;
    peer->frames = memcmp(peer->in, "HTTP/1.1 101 ", 13) == 0;
    peer->mute = !peer->frames;
    peer->deflate = memmem(peer->in, size, "permessage-deflate", 18) != NULL;
    peer->takeover = memmem(peer->in, size, "client_no_context_takeover", 26) == NULL;
    swale_engine_open(&peer->engine, peer->deflate, 0);
    return size;
}

static void hear(void *context, char *data, size_t size)
{
    struct peer *peer = context;
    if (peer->mute)
        return;
    crowd_append(&peer->in, &peer->in_size, data, size);
    size_t used = peer->frames ? 0 : hear_head(peer);
    while (peer->frames) {
        struct swale_event event;
        used += swale_engine_receive(&peer->engine, peer->in + used, peer->in_size - used, 0, &event);
        if (event.type == SWALE_EVENT_NONE)
            break;
        on_event(peer, &event);
    }
    memmove(peer->in, peer->in + used, peer->in_size - used);
    peer->in_size -= used;
    require(!peer->frames || swale_engine_phase(&peer->engine) != SWALE_CLOSED || peer->in_size == 0);
}

/* ---- What a peer does ------------------------------------------------------------------------------- */

static void push(struct peer *peer)
{
    if (!peer->stream || peer->over || peer->in_flight > 0 || peer->full || peer->out_size == 0)
        return;
    free(peer->flight);
    peer->flight = crowd_copy(peer->out, peer->out_size);
    struct iovec part = { .iov_base = peer->flight, .iov_len = peer->out_size };
    ptrdiff_t written = swale__stream_write(peer->stream, &part, 1);
    if (written < 0 && written != SWALE__IN_FLIGHT) {
        peer->over = true;
        return;
    }
    size_t gone = written == SWALE__IN_FLIGHT ? peer->out_size : (size_t)written;
    peer->in_flight = written == SWALE__IN_FLIGHT ? gone : 0;
    peer->full = gone < peer->out_size;
    memmove(peer->out, peer->out + gone, peer->out_size - gone);
    peer->out_size -= gone;
}

void crowd_say(struct peer *peer, const void *data, size_t size)
{
    if (!peer->stream || peer->shut || peer->out_size > 200000)
        return;
    crowd_append(&peer->out, &peer->out_size, data, size);
    push(peer);
}

static void on_written(void *context, size_t size)
{
    struct peer *peer = context;
    peer->in_flight -= size;
    peer->full = false;
    push(peer);
}

static void on_end(void *context)
{
    ((struct peer *)context)->over = true;
}

static void on_fail(void *context, int error)
{
    (void)error;
    ((struct peer *)context)->over = true;
}

static void predictable(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, 0x35, size);
}

void crowd_leave(struct peer *peer, bool reset)
{
    if (!peer->stream)
        return;
    swale__stream_close(peer->stream, reset);
    free(peer->out);
    free(peer->flight);
    free(peer->in);
    free(peer->message);
    if (peer->inflater)
        swale_inflater_free(peer->inflater);
    if (peer->deflater)
        swale_deflater_free(peer->deflater);
    *peer = (struct peer){ .world = peer->world };
}

void crowd_connect(struct world *world, struct peer *peer, unsigned how)
{
    static const struct swale__stream_user user = { hear, on_written, on_end, on_fail };
    static const struct swale_engine_config config = {
        .role = SWALE_CLIENT, .max_message = UINT64_MAX, .max_fragments = UINT32_MAX, .random = predictable
    };
    struct swale__pair_options options = { .in_flight = how & 1, .chunk = how & 2 ? 1 + how % 97 : 0 };
    struct swale__stream *ends[2];
    options.capacity = how & 4 ? 20 + how : CAPACITY_MAX;
    crowd_leave(peer, false);
    *peer = (struct peer){ .world = world, .good = true, .pongs = !(how & 8), .reading = true };
    if (swale__pair(ends, world->loop, &options) < 0)
        return;
    swale_engine_init(&peer->engine, &config, 0);
    peer->stream = ends[0];
    swale__stream_use(ends[0], &user, peer);
    swale__stream_resume(ends[0]);
    world->connected++;
    swale__worker_arrive(world->server->workers[0], ends[1], false);
}

void crowd_ask(struct peer *peer, const char *target, const char *fields)
{
    char request[512];
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);
    crowd_say(peer, request, (size_t)size);
}

void crowd_upgrade(struct peer *peer, enum route route)
{
    if (peer->asked)
        peer->good = false; /* a second one is taken for frames */
    else
        peer->route = route;
    peer->asked = true;
    crowd_ask(peer, crowd_paths[route],
              "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
}

void crowd_say_frame(struct peer *peer, unsigned byte0, const char *data, size_t size)
{
    static const unsigned char mask[4] = { 0x12, 0xfe, 0x55, 0x80 };
    char header[14];
    char *masked = crowd_copy(data, size);
    size_t at = 2;
    header[0] = (char)byte0;
    header[1] = (char)(0x80 | (size < 126 ? size : 126));
    if (size >= 126) {
        header[at++] = (char)(size >> 8);
        header[at++] = (char)size;
    }
    memcpy(header + at, mask, 4);
    swale_mask(masked, size, mask, 0);
    crowd_say(peer, header, at + 4);
    crowd_say(peer, masked, size);
    free(masked);
}

void crowd_say_message(struct peer *peer, size_t size, unsigned how)
{
    char packed[MAX_MESSAGE + 100];
    struct swale_span data = swale_span(crowd_payload, size);
    if (peer->sent - peer->heard == OWED || peer->out_size > 100000 || peer->shut || !peer->frames)
        return;
    crowd_fill(crowd_payload, 'e', peer->sent, 0, size);
    unsigned byte0 = how & 1 ? SWALE_TEXT : SWALE_BINARY;
    if (peer->deflate && (how & 2)) {
        require(peer->deflater || swale_deflater_new(&peer->deflater, NULL, 15, true, 0) == 0);
        ptrdiff_t packed_size = swale_deflater_step(peer->deflater, &data, true, packed, sizeof packed);
        require(packed_size > 0 && data.size == 0);
        if (!peer->takeover)
            swale_deflater_reset(peer->deflater);
        data = swale_span(packed, (size_t)packed_size);
        byte0 |= 0x40;
    }
    size_t first = how & 4 ? data.size / 3 : data.size;
    crowd_say_frame(peer, byte0 | (first == data.size ? 0x80 : 0), data.data, first);
    if (first < data.size)
        crowd_say_frame(peer, 0x80, data.data + first, data.size - first);
    peer->owed[peer->sent++ % OWED] = (uint32_t)size;
}
