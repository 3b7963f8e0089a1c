/* The out-queue: see outq.h for its shape.
 *
 * Chunks are arenas: `used` only grows, and a chunk is freed when none of its segments lives any more. Only
 * the queue's newest chunk is added to. The last run can grow in place as long as nothing was placed behind it, also
 * when a write of its front is in flight: the bytes in flight are not touched. */
#include "conn/outq.h"

#include "base/apart.h"
#include "conn/common.h"
#include "conn/segment.h"
#include "io/turn.h"

#include <swale/proto.h>

#include <errno.h>

struct swale__chunk {
    uint32_t used; /* bytes from the beginning of the chunk */
    uint32_t live; /* segments in it */
};

/* Segments lie at multiples of 8, behind the chunk's own 8 bytes. */
enum { ALIGNMENT = 8 };
_Static_assert(sizeof(struct swale__chunk) % ALIGNMENT == 0 && sizeof(struct swale__segment) % ALIGNMENT == 0,
               "segments are aligned");

/* The most that one segment of a fresh chunk holds. */
enum { RUN_MAX = SWALE__CHUNK_SIZE - (int)sizeof(struct swale__chunk) - (int)sizeof(struct swale__segment) };

/* What is larger than so many runs gets a block of its own: a message of 16 KiB still goes without allocating. */
enum { SPLIT_MAX = 5 * RUN_MAX };

/* Shared frames up to this size that are in the queue for good are copied: cheaper than counting references across
 * threads. */
enum { COPY_MAX = 512 };

/* ---- Segments --------------------------------------------------------------------------------------- */

static size_t chunk_room(const struct swale__chunk *chunk)
{
    size_t start = (chunk->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return start + sizeof(struct swale__segment) > SWALE__CHUNK_SIZE
               ? 0
               : SWALE__CHUNK_SIZE - start - sizeof(struct swale__segment);
}

/* Places a segment with `size` bytes behind its head; the chunk has room for it. */
static struct swale__segment *place(struct swale__chunk *chunk, size_t size)
{
    size_t start = (chunk->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct swale__segment *segment = (struct swale__segment *)(void *)((char *)chunk + start);
    *segment = (struct swale__segment){ .data = (char *)(segment + 1), .size = size, .chunk = chunk };
    chunk->used = (uint32_t)(start + sizeof *segment + size);
    chunk->live++;
    return segment;
}

static struct swale__chunk *new_chunk(struct swale__outq *queue, struct swale_loop *loop)
{
    struct swale__chunk *chunk = swale__loop_chunk(loop);
    if (!chunk)
        return NULL;
    *chunk = (struct swale__chunk){ .used = sizeof *chunk };
    queue->held += SWALE__CHUNK_SIZE;
    return chunk;
}

/* A segment in the newest chunk, or in a new one, which then is the newest. */
static struct swale__segment *new_segment(struct swale__outq *queue, struct swale_loop *loop, size_t size)
{
    struct swale__chunk *chunk = queue->chunk;
    if (!chunk || chunk_room(chunk) < size + (size == 0)) {
        chunk = new_chunk(queue, loop);
        if (!chunk)
            return NULL;
        queue->chunk = chunk;
    }
    return place(chunk, size);
}

static struct swale__segment *new_block(struct swale__outq *queue, struct swale_loop *loop, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct swale__segment))
        return NULL;
    size_t block_size;
    struct swale__segment *segment = swale__loop_block(loop, sizeof *segment + size, &block_size);
    if (!segment)
        return NULL;
    *segment = (struct swale__segment){ .data = (char *)(segment + 1), .size = size, .block_size = block_size };
    queue->held += block_size;
    return segment;
}

static void free_segment(struct swale__outq *queue, struct swale_loop *loop, struct swale__segment *segment)
{
    struct swale__chunk *chunk = segment->chunk;
    if (segment->shared)
        swale_shared_unref(segment->shared);
    if (chunk && segment->common)
        swale__common_release(segment->common);
    if (!chunk) {
        queue->held -= segment->block_size;
        swale__loop_block_free(loop, segment, segment->block_size);
        return;
    }
    if (--chunk->live > 0)
        return;
    if (queue->chunk == chunk)
        queue->chunk = NULL;
    queue->held -= SWALE__CHUNK_SIZE;
    swale__loop_chunk_free(loop, chunk);
}

static void free_list(struct swale__outq *queue, struct swale_loop *loop, struct swale__segment *first)
{
    while (first) {
        struct swale__segment *next = first->next;
        free_segment(queue, loop, first);
        first = next;
    }
}

static void link_at_tail(struct swale__outq *queue, struct swale__segment *first, struct swale__segment *last)
{
    if (queue->tail)
        queue->tail->next = first;
    else
        queue->head = first;
    queue->tail = last;
}

/* ---- A queue that is a common segment --------------------------------------------------------------- */

/* The node that is the whole queue, or NULL. What the queue lacks of the node's size has left, from its front. */
static struct swale__common_node *common_of(const struct swale__outq *queue)
{
    bool common = queue->head && (queue->head->flags & SWALE__COMMON);
    return common ? (struct swale__common_node *)(void *)queue->head : NULL;
}

static void set_common(struct swale__outq *queue, struct swale__common_node *node)
{
    queue->head = queue->tail = node ? &node->segment : NULL;
}

static void drop_common(struct swale__outq *queue, struct swale__common_node *node)
{
    set_common(queue, NULL);
    queue->size = 0;
    swale__common_release(node);
}

/* Shortens the node to where the frame ends that holds its byte number `size`, counted from 1. */
static void shorten_common(struct swale__outq *queue, struct swale__common_node *node, size_t size)
{
    size_t gone = node->segment.size - queue->size;
    while (node->before && node->before->segment.size >= size)
        node = node->before;
    set_common(queue, node);
    queue->size = node->segment.size - gone;
}

/* A segment of the queue's own for what is in flight, which must stay where it is. */
static int borrow_common(struct swale__outq *queue, struct swale_loop *loop, struct swale__common_node *node)
{
    struct swale__segment *segment = new_segment(queue, loop, 0);
    if (!segment)
        return -ENOMEM;
    segment->data = node->segment.data + node->segment.size - queue->size;
    segment->size = queue->size;
    segment->common = node;
    segment->flags = SWALE__STARTS_FRAME | SWALE__BEGUN;
    queue->head = queue->tail = segment;
    return 0;
}

/* A segment for the last message of the node, but for the bytes before `from`. */
static struct swale__segment *refer_to_last(struct swale__outq *queue, struct swale_loop *loop,
                                            const struct swale__common_node *node, size_t from)
{
    size_t start = node->segment.size - node->frame.size;
    size_t gone = from > start ? from - start : 0;
    struct swale__segment *segment = new_segment(queue, loop, 0);
    if (!segment)
        return NULL;
    segment->data = (char *)node->frame.data + gone;
    segment->size = node->frame.size - gone;
    segment->shared = swale_shared_ref(node->segment.shared);
    segment->tag = node->segment.tag;
    segment->flags = SWALE__STARTS_FRAME | (gone > 0 ? SWALE__BEGUN : 0);
    return segment;
}

/* A segment for each of the node's messages that has not left. */
static int split_common(struct swale__outq *queue, struct swale_loop *loop, struct swale__common_node *whole)
{
    size_t gone = whole->segment.size - queue->size;
    struct swale__segment *first = NULL, *last = NULL;
    for (struct swale__common_node *node = whole; node && node->segment.size > gone; node = node->before) {
        struct swale__segment *segment = refer_to_last(queue, loop, node, gone);
        if (!segment)
            goto out_of_memory;
        segment->next = first;
        first = segment;
        last = last ? last : segment;
    }
    queue->head = first;
    queue->tail = last;
    swale__common_release(whole);
    return 0;
out_of_memory:
    free_list(queue, loop, first);
    return -ENOMEM;
}

/* Makes segments of the queue's own of a common one. -ENOMEM, and then nothing has changed. */
static int own_segments(struct swale__outq *queue, struct swale_loop *loop)
{
    struct swale__common_node *node = common_of(queue);
    if (!node)
        return 0;
    return queue->in_flight > 0 ? borrow_common(queue, loop, node) : split_common(queue, loop, node);
}

/* ---- Appending copies ------------------------------------------------------------------------------- */

/* Bytes to be copied: a, and behind it b, masked if there is a mask. */
struct unit {
    struct swale_span a, b;
    const unsigned char *mask;
};

/* Copies `size` bytes of the unit, from `offset` on. (Inlined, the compiler knows a bound of the size, and copies by
 * `rep movs` instead of the C library's vectors.) */
SWALE__APART static void copy_unit(const struct unit *unit, size_t offset, char *out, size_t size)
{
    if (offset < unit->a.size) {
        size_t n = unit->a.size - offset < size ? unit->a.size - offset : size;
        memcpy(out, unit->a.data + offset, n);
        out += n;
        offset += n;
        size -= n;
    }
    if (size == 0)
        return;
    offset -= unit->a.size;
    if (unit->mask)
        swale_mask_copy(out, unit->b.data + offset, size, unit->mask, offset);
    else
        memcpy(out, unit->b.data + offset, size);
}

/* Room for `size` bytes right behind the last run, if it may be extended by so many. */
static char *extend(struct swale__outq *queue, size_t size)
{
    struct swale__segment *tail = queue->tail;
    struct swale__chunk *chunk = queue->chunk;
    if (!tail || !chunk || tail->chunk != chunk || tail->shared)
        return NULL;
    char *end = tail->data + tail->size;
    if (end != (char *)chunk + chunk->used || SWALE__CHUNK_SIZE - chunk->used < size)
        return NULL;
    tail->size += size;
    chunk->used += (uint32_t)size;
    return end;
}

/* Several runs, each but the last in a chunk that it fills. */
static int append_split(struct swale__outq *queue, struct swale_loop *loop, const struct unit *unit, size_t size)
{
    struct swale__segment *first = NULL, *last = NULL;
    for (size_t offset = 0; offset < size;) {
        size_t n = size - offset < RUN_MAX ? size - offset : RUN_MAX;
        struct swale__segment *segment = new_segment(queue, loop, n);
        if (!segment)
            goto out_of_memory;
        copy_unit(unit, offset, segment->data, n);
        if (last)
            last->next = segment;
        else
            first = segment;
        last = segment;
        offset += n;
    }
    first->flags = SWALE__STARTS_FRAME;
    link_at_tail(queue, first, last);
    return 0;
out_of_memory:
    free_list(queue, loop, first);
    return -ENOMEM;
}

static int append_block(struct swale__outq *queue, struct swale_loop *loop, const struct unit *unit, size_t size)
{
    struct swale__segment *segment = new_block(queue, loop, size);
    if (!segment)
        return -ENOMEM;
    copy_unit(unit, 0, segment->data, size);
    segment->flags = SWALE__STARTS_FRAME;
    link_at_tail(queue, segment, segment);
    return 0;
}

static int append_unit(struct swale__outq *queue, struct swale_loop *loop, const struct unit *unit)
{
    if (unit->b.size > SIZE_MAX - unit->a.size)
        return -ENOMEM;
    size_t size = unit->a.size + unit->b.size;
    if (size == 0)
        return 0;
    int error = own_segments(queue, loop);
    if (error < 0)
        return error;
    char *room = extend(queue, size);
    if (room)
        copy_unit(unit, 0, room, size);
    else if (size <= SPLIT_MAX)
        error = append_split(queue, loop, unit, size);
    else
        error = append_block(queue, loop, unit, size);
    if (error == 0)
        queue->size += size;
    return error;
}

int swale__outq_append(struct swale__outq *queue, struct swale_loop *loop, struct swale_span a, struct swale_span b)
{
    return append_unit(queue, loop, &(struct unit){ .a = a, .b = b });
}

int swale__outq_append_masked(struct swale__outq *queue, struct swale_loop *loop, struct swale_span header,
                              struct swale_span payload, const unsigned char mask[4])
{
    return append_unit(queue, loop, &(struct unit){ .a = header, .b = payload, .mask = mask });
}

/* A run of its own, in a chunk. */
SWALE__APART static char *begin_run(struct swale__outq *queue, struct swale_loop *loop, size_t size)
{
    struct swale__segment *segment = own_segments(queue, loop) == 0 ? new_segment(queue, loop, size) : NULL;
    if (!segment)
        return NULL;
    segment->flags = SWALE__STARTS_FRAME;
    link_at_tail(queue, segment, segment);
    queue->size += size;
    return segment->data;
}

char *swale__outq_room(struct swale__outq *queue, struct swale_loop *loop, size_t size)
{
    char *room = extend(queue, size); /* never of what is common: that lies in no chunk */
    if (!room)
        return begin_run(queue, loop, size);
    queue->size += size;
    return room;
}

/* ---- Appending references --------------------------------------------------------------------------- */

/* Only a queue that is soon to be written, and has nothing else in it: so a common segment is short-lived but for
 * what the stream does not take. */
static bool may_step(const struct swale__outq *queue, const struct swale__common_node *node)
{
    return !queue->full && queue->in_flight == 0 && queue->size == (node ? node->segment.size : 0);
}

bool swale__outq_follow(struct swale__outq *queue, const struct swale__common *common, const char *frame,
                        uintptr_t tag)
{
    struct swale__common_node *node = common_of(queue);
    struct swale__common_node *child = node ? node->child : common->child;
    if (!may_step(queue, node) || !swale__common_leads_to(child, frame, tag))
        return false;
    if (!node)
        swale__common_hold(child);
    set_common(queue, child);
    queue->size = child->segment.size;
    return true;
}

static bool step_in_common(struct swale__outq *queue, struct swale__common *common,
                           const struct swale__common_message *message)
{
    struct swale__common_node *node = common_of(queue);
    if (!may_step(queue, node))
        return false;
    node = swale__common_step(common, node, message);
    if (!node)
        return false;
    set_common(queue, node);
    queue->size = node->segment.size;
    return true;
}

int swale__outq_append_shared(struct swale__outq *queue, struct swale_loop *loop, struct swale__common *common,
                              const struct swale__common_message *message)
{
    if (step_in_common(queue, common, message))
        return 0;
    if (message->tag == 0 && message->frame.size <= COPY_MAX)
        return swale__outq_append(queue, loop, message->frame, swale_span(NULL, 0));
    struct swale__segment *segment = own_segments(queue, loop) == 0 ? new_segment(queue, loop, 0) : NULL;
    if (!segment)
        return -ENOMEM;
    segment->data = (char *)message->frame.data; /* never written to */
    segment->size = message->frame.size;
    segment->shared = swale_shared_ref(message->shared);
    segment->tag = message->tag;
    segment->flags = SWALE__STARTS_FRAME;
    link_at_tail(queue, segment, segment);
    queue->size += message->frame.size;
    return 0;
}

/* ---- Taking back ------------------------------------------------------------------------------------ */

/* Takes the segment behind `previous` (NULL: the head) out of the list, and frees it. */
static void remove_behind(struct swale__outq *queue, struct swale_loop *loop, struct swale__segment *previous)
{
    struct swale__segment *segment = previous ? previous->next : queue->head;
    if (previous)
        previous->next = segment->next;
    else
        queue->head = segment->next;
    if (queue->tail == segment)
        queue->tail = previous;
    queue->size -= segment->size;
    free_segment(queue, loop, segment);
}

/* Without the memory that it takes to tell a common segment's messages apart, none is taken back. */
size_t swale__outq_drop(struct swale__outq *queue, struct swale_loop *loop, uintptr_t tag, bool all)
{
    size_t dropped = 0;
    if (own_segments(queue, loop) < 0)
        return 0;
    struct swale__segment *previous = NULL;
    struct swale__segment *segment = queue->head;
    while (segment && (all || dropped == 0)) {
        struct swale__segment *next = segment->next;
        if (segment->shared && segment->tag == tag && tag != 0 && !(segment->flags & SWALE__BEGUN)) {
            remove_behind(queue, loop, previous);
            dropped++;
        } else {
            previous = segment;
        }
        segment = next;
    }
    return dropped;
}

/* The last segment of what has begun to leave, up to the next frame boundary; NULL when nothing has. */
static struct swale__segment *begun_end(const struct swale__outq *queue)
{
    struct swale__segment *previous = NULL;
    struct swale__segment *segment = queue->head;
    while (segment && ((segment->flags & SWALE__BEGUN) || !(segment->flags & SWALE__STARTS_FRAME))) {
        previous = segment;
        segment = segment->next;
    }
    return previous;
}

static void cut_common(struct swale__outq *queue, struct swale__common_node *node)
{
    size_t gone = node->segment.size - queue->size;
    if (queue->in_flight > 0)
        return;
    if (gone > 0)
        shorten_common(queue, node, gone + 1);
    else
        drop_common(queue, node);
}

void swale__outq_cut(struct swale__outq *queue, struct swale_loop *loop)
{
    struct swale__common_node *node = common_of(queue);
    if (node) {
        cut_common(queue, node);
        return;
    }
    struct swale__segment *previous = begun_end(queue);
    while (previous ? previous->next : queue->head)
        remove_behind(queue, loop, previous);
}

/* The room that a run loses at its end is not used again: the next bytes begin a run of their own. */
void swale__outq_keep(struct swale__outq *queue, struct swale_loop *loop, size_t size)
{
    struct swale__common_node *node = common_of(queue);
    if (node && size > 0 && size < queue->size) {
        shorten_common(queue, node, node->segment.size - queue->size + size);
        return;
    }
    if (node && size == 0)
        drop_common(queue, node);
    if (node)
        return;
    struct swale__segment *last = NULL;
    struct swale__segment *next = queue->head;
    for (size_t kept = 0; next && kept < size; next = next->next) {
        if (next->size > size - kept) {
            queue->size -= next->size - (size - kept);
            next->size = size - kept;
        }
        kept += next->size;
        last = next;
    }
    while (last ? last->next : queue->head)
        remove_behind(queue, loop, last);
}

/* ---- Leaving ---------------------------------------------------------------------------------------- */

bool swale__outq_ready(const struct swale__outq *queue)
{
    return queue->head && !queue->full && queue->in_flight == 0;
}

/* The first segments, at most `max`. */
static int gather(const struct swale__outq *queue, struct iovec *parts, int max, size_t *total)
{
    int count = 0;
    *total = queue->size;
    if (common_of(queue)) {
        const struct swale__segment *all = queue->head;
        parts[0] = (struct iovec){ .iov_base = all->data + (all->size - queue->size), .iov_len = queue->size };
        return 1;
    }
    *total = 0;
    for (struct swale__segment *at = queue->head; at && count < max; at = at->next) {
        parts[count++] = (struct iovec){ .iov_base = at->data, .iov_len = at->size };
        *total += at->size;
    }
    return count;
}

static void mark_begun(struct swale__outq *queue, int count)
{
    struct swale__segment *segment = queue->head;
    for (int i = 0; i < count && !(segment->flags & SWALE__COMMON); i++) {
        segment->flags |= SWALE__BEGUN;
        segment = segment->next;
    }
}

/* Takes `size` bytes that have left off the front. */
static void consume(struct swale__outq *queue, struct swale_loop *loop, size_t size)
{
    struct swale__common_node *node = common_of(queue);
    if (node) {
        queue->size -= size;
        if (queue->size == 0)
            drop_common(queue, node);
        return;
    }
    while (size > 0 && size >= queue->head->size) {
        size -= queue->head->size;
        remove_behind(queue, loop, NULL);
    }
    if (size == 0)
        return;
    struct swale__segment *head = queue->head;
    head->data += size;
    head->size -= size;
    head->flags |= SWALE__BEGUN;
    queue->size -= size;
}

/* A slow queue is not to hold what others have in common. Without memory for its own it does, and nothing is lost. */
static int leave_common(struct swale__outq *queue, struct swale_loop *loop)
{
    if (queue->head && queue->in_flight == 0)
        own_segments(queue, loop);
    return queue->head ? 1 : 0;
}

int swale__outq_flush(struct swale__outq *queue, struct swale__stream *stream, size_t *left)
{
    *left = 0;
    while (swale__outq_ready(queue)) {
        struct iovec parts[SWALE__IOV_MAX];
        size_t total;
        int count = gather(queue, parts, SWALE__IOV_MAX, &total);
        ptrdiff_t n = swale__stream_write(stream, parts, count);
        if (n == SWALE__IN_FLIGHT) {
            queue->in_flight = total;
            mark_begun(queue, count);
            break;
        }
        if (n < 0)
            return (int)n;
        consume(queue, stream->loop, (size_t)n);
        *left += (size_t)n;
        queue->full = (size_t)n < total;
    }
    return leave_common(queue, stream->loop);
}

/* A unit of which the first `taken` bytes have left. */
static void append_rest(struct swale__outq *queue, struct swale__segment *block, const struct unit *unit,
                        size_t taken)
{
    block->size = unit->a.size + unit->b.size - taken;
    copy_unit(unit, taken, block->data, block->size);
    block->flags = taken > 0 ? SWALE__BEGUN : SWALE__STARTS_FRAME;
    link_at_tail(queue, block, block);
    queue->size += block->size;
}

int swale__outq_write(struct swale__outq *queue, struct swale__stream *stream, struct swale_span a,
                      struct swale_span b, size_t *left)
{
    struct iovec parts[SWALE__IOV_MAX];
    struct unit unit = { .a = a, .b = b };
    size_t waiting;
    *left = 0;
    if (b.size > SIZE_MAX - a.size || own_segments(queue, stream->loop) < 0)
        return SWALE_ERR_NO_MEMORY;
    int count = gather(queue, parts, SWALE__IOV_MAX - 2, &waiting);
    if (queue->full || queue->in_flight > 0 || waiting < queue->size || !swale__stream_is_prompt(stream))
        return append_unit(queue, stream->loop, &unit) < 0 ? SWALE_ERR_NO_MEMORY : 1;
    /* The place for the rest first: once a part has left it would be too late to be out of memory. */
    struct swale__segment *block = new_block(queue, stream->loop, a.size + b.size);
    if (!block)
        return SWALE_ERR_NO_MEMORY;
    parts[count++] = (struct iovec){ .iov_base = (char *)a.data, .iov_len = a.size };
    if (b.size > 0)
        parts[count++] = (struct iovec){ .iov_base = (char *)b.data, .iov_len = b.size };
    ptrdiff_t n = swale__stream_write(stream, parts, count);
    *left = n < 0 ? 0 : (size_t)n;
    size_t of_queue = *left < waiting ? *left : waiting;
    consume(queue, stream->loop, of_queue);
    queue->full = n >= 0 && *left < waiting + block->size;
    if (queue->full)
        append_rest(queue, block, &unit, *left - of_queue);
    else
        free_segment(queue, stream->loop, block);
    return n < 0 ? (int)n : queue->full;
}

void swale__outq_written(struct swale__outq *queue, struct swale_loop *loop, size_t size)
{
    queue->full = false;
    queue->in_flight -= size;
    consume(queue, loop, size);
}

void swale__outq_clear(struct swale__outq *queue, struct swale_loop *loop)
{
    struct swale__common_node *node = common_of(queue);
    if (node)
        drop_common(queue, node);
    while (queue->head)
        remove_behind(queue, loop, NULL);
    queue->in_flight = 0;
}
