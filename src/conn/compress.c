/* compress.c - messages compressed on their way out (RFC 7692 section 7.2.1).
 *
 * Without context the group's deflater serves all connections, and the result is used only if it is smaller. With
 * context each connection has a deflater of its own, whose window must at every moment hold what the peer's inflater
 * has seen: so what was compressed is sent, smaller or not (deflate adds a few bytes at worst); and when it could not
 * be sent, or something else compressed was, the window is emptied. That is always right: a window that starts empty
 * refers only to what comes after, which the peer has seen too.
 *
 * A window is no larger than the messages call for, whatever was agreed, since that only bounds it: what costs most
 * in it is memory that no cache holds. Of 100 connections in turn, with messages of 1 KiB of JSON, one of 4 KiB takes
 * a quarter of the time that one of 32 KiB takes, and the result is 4 % larger. */
#include "conn/state.h"

bool swale__compress_wanted(const struct swale_conn *conn, size_t size)
{
    uint32_t threshold = conn->group->limits.compress_threshold;
    if (!conn->terms || conn->terms->send_bits == 0 || size == 0)
        return false;
    return threshold == SWALE_OFF || size >= threshold;
}

/* Room for `capacity` bytes: the loop's scratch buffer if they fit into it. */
static char *room_for(struct swale__conn_group *group, size_t capacity, struct swale__packed *packed)
{
    *packed = (struct swale__packed){ .block = NULL };
    if (capacity <= SWALE__SCRATCH_SIZE)
        return swale__loop_scratch(group->loop);
    packed->block_size = capacity;
    packed->block = swale__alloc(group->allocator, capacity);
    return packed->block;
}

void swale__packed_free(struct swale__conn_group *group, struct swale__packed *packed)
{
    swale__free(group->allocator, packed->block, packed->block_size);
    packed->block = NULL;
}

/* A failure of any kind means: plain. */
int swale__compress_alone(struct swale__conn_group *group, int window_bits, struct swale_span message,
                          struct swale__packed *packed)
{
    struct swale_deflater *deflater = swale__group_deflater(group, window_bits);
    if (!deflater || message.size < 2)
        return 0;
    size_t capacity = message.size - 1;
    char *out = room_for(group, capacity, packed);
    if (!out)
        return 0;
    ptrdiff_t size = swale_deflater_whole(deflater, message, out, capacity);
    if (size < 0) {
        swale__packed_free(group, packed);
        return 0;
    }
    packed->data = swale_span(out, (size_t)size);
    return 1;
}

enum {
    CONTEXT_BITS_MIN = 12,
    CONTEXT_MESSAGES = 4, /* a window holds so many of the first message */
    CONTEXT_OUTGROWN = 2  /* and grows when it holds fewer: the last one has to be there, to see what changed */
};

/* Do so many messages fit into a window? */
static bool fit(size_t size, size_t messages, int window_bits)
{
    return size <= ((size_t)1 << window_bits) / messages;
}

static int window_for(const struct swale__terms *terms, size_t size)
{
    int bits = CONTEXT_BITS_MIN;
    while (bits < terms->send_bits && !fit(size, CONTEXT_MESSAGES, bits))
        bits++;
    return bits < terms->send_bits ? bits : terms->send_bits;
}

static struct swale_deflater *own_deflater(struct swale_conn *conn, size_t size)
{
    struct swale__terms *terms = conn->terms;
    bool outgrown = terms->window_bits < terms->send_bits && !fit(size, CONTEXT_OUTGROWN, terms->window_bits);
    if (terms->deflater && !outgrown)
        return terms->deflater;
    swale_deflater_free(terms->deflater);
    terms->deflater = NULL;
    terms->window_bits = (uint8_t)window_for(terms, size);
    if (swale_deflater_new(&terms->deflater, conn->group->allocator, terms->window_bits, true, 0) < 0)
        terms->deflater = NULL;
    return terms->deflater;
}

static int compress_in_context(struct swale_conn *conn, struct swale_span message, struct swale__packed *packed)
{
    struct swale_deflater *deflater = own_deflater(conn, message.size);
    size_t capacity = swale_deflater_bound(message.size) + 1; /* less than the capacity: complete */
    char *out = deflater ? room_for(conn->group, capacity, packed) : NULL;
    if (!out)
        return 0;
    ptrdiff_t size = swale_deflater_step(deflater, &message, true, out, capacity);
    if (size < 0 || (size_t)size == capacity || message.size > 0) {
        swale_deflater_reset(deflater);
        swale__packed_free(conn->group, packed);
        return 0;
    }
    packed->data = swale_span(out, (size_t)size);
    return 1;
}

int swale__compress(struct swale_conn *conn, struct swale_span message, struct swale__packed *packed)
{
    if (conn->terms->send_takeover)
        return compress_in_context(conn, message, packed);
    return swale__compress_alone(conn->group, conn->terms->send_bits, message, packed);
}

void swale__compress_forget(struct swale_conn *conn)
{
    if (conn->terms && conn->terms->deflater)
        swale_deflater_reset(conn->terms->deflater);
}
