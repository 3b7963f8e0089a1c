/* The memory that the kernel receives into: a ring of large buffers, given to it beforehand.
 *
 * Each buffer is used up from its front by one receive after another, of whichever connections (incremental
 * consumption, Linux 6.12), so that many small reads share a few cache lines, and a frame of 16 KiB seldom falls on
 * the end of a buffer:
 *
 *     | done with | done with, or lent | this answer's bytes | not yet received |
 *
 * The kernel goes round through all that it has, so it is given few of them, which stay in the cache, until they do
 * not suffice; then it gets the others, too.
 *
 * What is sent on as it was received (an echo) need not be copied: it is lent to the send, and its buffer goes back
 * to the kernel when the sends of the turn are settled.
 *
 * Older kernels use a buffer for one receive, whatever its size, and then it comes back: there are more of them then,
 * of a size that still takes such a frame whole. */
#include "io/uring.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/mman.h>

enum { LARGE_COUNT = 8, LARGE_FIRST = 2, LARGE_SIZE = 256 * 1024 };
enum { WHOLE_COUNT = SWALE__BUFFERS_MAX, WHOLE_SIZE = 32 * 1024 };

/* Of Linux 6.12; Debian 12's header does not know them yet. (The tests have one that no kernel knows, for older
 * ones.) */
#ifndef PBUF_RING_INC
#define PBUF_RING_INC 2
#endif
enum { CQE_F_BUF_MORE = 1 << 4 };

/* As the kernel has it since 6.4 (the header's has no flags). */
struct registration {
    uint64_t ring_addr;
    uint32_t ring_entries;
    uint16_t bgid;
    uint16_t flags;
    uint64_t resv[3];
};
_Static_assert(sizeof(struct registration) == sizeof(struct io_uring_buf_reg), "one kernel interface");

static const size_t ring_size = SWALE__BUFFERS_MAX * sizeof(struct io_uring_buf);

static void give(struct swale__uring_buffers *buffers, unsigned id)
{
    buffers->used[id] = 0;
    io_uring_buf_ring_add(buffers->ring, buffers->memory[id], (unsigned)buffers->size, (unsigned short)id,
                          io_uring_buf_ring_mask(buffers->count), 0);
    io_uring_buf_ring_advance(buffers->ring, 1);
}

static int enlist(struct swale__uring *uring, unsigned count, uint16_t flags)
{
    struct registration registration = {
        .ring_addr = (uint64_t)(uintptr_t)uring->buffers.ring,
        .ring_entries = count,
        .bgid = SWALE__BUFFER_GROUP,
        .flags = flags,
    };
    uring->buffers.count = count;
    return swale__uring_register(uring, IORING_REGISTER_PBUF_RING, &registration, 1);
}

static bool add(struct swale__uring *uring)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    char *memory = swale__alloc(uring->loop->allocator, buffers->size);
    if (!memory)
        return false;
    buffers->memory[buffers->given] = memory;
    give(buffers, buffers->given++);
    return true;
}

int swale__uring_buffers_create(struct swale__uring *uring)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    void *ring = mmap(NULL, ring_size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (ring == MAP_FAILED)
        return -ENOMEM;
    buffers->ring = ring;
    io_uring_buf_ring_init(buffers->ring);
    buffers->size = LARGE_SIZE;
    int error = enlist(uring, LARGE_COUNT, PBUF_RING_INC);
    if (error == -EINVAL) {
        uring->base.second_best = true;
        buffers->size = WHOLE_SIZE;
        error = enlist(uring, WHOLE_COUNT, 0);
    }
    if (error)
        return error;
    while (buffers->given < (uring->base.second_best ? WHOLE_COUNT : LARGE_FIRST))
        if (!add(uring))
            return -ENOMEM;
    return 0;
}

bool swale__uring_buffers_add(struct swale__uring *uring)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    unsigned before = buffers->given;
    while (buffers->given < buffers->count && add(uring))
        continue;
    return buffers->given > before;
}

/* Only when the kernel receives no more. */
void swale__uring_buffers_free(struct swale__uring *uring)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    for (unsigned id = 0; id < buffers->given; id++)
        swale__free(uring->loop->allocator, buffers->memory[id], buffers->size);
    if (buffers->ring)
        munmap(buffers->ring, ring_size);
}

static unsigned id_of(const struct io_uring_cqe *answer)
{
    return answer->flags >> IORING_CQE_BUFFER_SHIFT;
}

static uint32_t bit(unsigned id)
{
    return (uint32_t)1 << id;
}

char *swale__uring_buffers_find(struct swale__uring *uring, const struct io_uring_cqe *answer)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    unsigned id = id_of(answer);
    char *data = buffers->memory[id] + buffers->used[id];
    buffers->handed = swale_span(data, (size_t)answer->res);
    buffers->handed_id = id;
    return data;
}

void swale__uring_buffers_return(struct swale__uring *uring, const struct io_uring_cqe *answer)
{
    if (!(answer->flags & IORING_CQE_F_BUFFER))
        return;
    struct swale__uring_buffers *buffers = &uring->buffers;
    unsigned id = id_of(answer);
    buffers->handed.size = 0;
    if (answer->flags & CQE_F_BUF_MORE)
        buffers->used[id] += (uint32_t)answer->res;
    else if (buffers->lent & bit(id))
        buffers->due |= bit(id);
    else
        give(buffers, id);
}

/* ---- Lent to a send ----------------------------------------------------------------------------------- */

/* Half of them at most: the kernel goes on receiving in the system call that sends. */
static bool may_lend(const struct swale__uring_buffers *buffers)
{
    uint32_t lent = buffers->lent | bit(buffers->handed_id);
    return (unsigned)__builtin_popcount(lent) <= buffers->given / 2;
}

bool swale__uring_buffers_lend(struct swale__uring *uring, const struct iovec *part, uint32_t *place)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    uintptr_t at = (uintptr_t)part->iov_base - (uintptr_t)buffers->handed.data;
    bool handed = at < buffers->handed.size && part->iov_len <= buffers->handed.size - at;
    if (!handed || !(may_lend(buffers) || (swale__uring_buffers_add(uring) && may_lend(buffers))))
        return false;
    buffers->lent |= bit(buffers->handed_id);
    *place = (uint32_t)(buffers->handed_id * buffers->size +
                        (size_t)((const char *)part->iov_base - buffers->memory[buffers->handed_id]));
    return true;
}

const char *swale__uring_buffers_at(const struct swale__uring *uring, uint32_t place)
{
    const struct swale__uring_buffers *buffers = &uring->buffers;
    return buffers->memory[place / buffers->size] + place % buffers->size;
}

void swale__uring_buffers_settle(struct swale__uring *uring)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    uint32_t due = buffers->due;
    buffers->lent = buffers->due = 0;
    for (; due; due &= due - 1)
        give(buffers, (unsigned)__builtin_ctz(due));
}
