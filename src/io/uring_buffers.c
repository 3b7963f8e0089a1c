/* The memory that the kernel receives into: a ring of large buffers, given to it beforehand.
 *
 * Each buffer is used up from its front by one receive after another, of whichever connections (incremental
 * consumption, Linux 6.12), so that many small reads share a few cache lines, and a frame of 16 KiB seldom falls on
 * the end of a buffer. Answers come in the order in which the buffer was filled, and so
 *
 *     | headroom | done with | done with | this answer's bytes | not yet received |
 *
 * whatever stands before the bytes of an answer is done with, and is the headroom that their user may overwrite.
 *
 * Older kernels use a buffer for one receive, whatever its size, and then it comes back: there are more of them then,
 * of a size that still takes such a frame whole. */
#include "io/uring.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/mman.h>

enum { LARGE_COUNT = 8, LARGE_SIZE = 64 * 1024 };
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

static size_t stride(const struct swale__uring_buffers *buffers)
{
    return SWALE__HEADROOM + buffers->size;
}

static char *start_of(const struct swale__uring_buffers *buffers, unsigned id)
{
    return buffers->memory + id * stride(buffers) + SWALE__HEADROOM;
}

static void give(struct swale__uring_buffers *buffers, unsigned id)
{
    buffers->used[id] = 0;
    io_uring_buf_ring_add(buffers->ring, start_of(buffers, id), (unsigned)buffers->size, (unsigned short)id,
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
    buffers->memory = swale__alloc(uring->loop->allocator, buffers->count * stride(buffers));
    if (!buffers->memory)
        return -ENOMEM;
    for (unsigned id = 0; id < buffers->count; id++)
        give(buffers, id);
    return 0;
}

/* Only when the kernel receives no more. */
void swale__uring_buffers_free(struct swale__uring *uring)
{
    struct swale__uring_buffers *buffers = &uring->buffers;
    if (buffers->memory)
        swale__free(uring->loop->allocator, buffers->memory, buffers->count * stride(buffers));
    if (buffers->ring)
        munmap(buffers->ring, ring_size);
}

static unsigned id_of(const struct io_uring_cqe *answer)
{
    return answer->flags >> IORING_CQE_BUFFER_SHIFT;
}

char *swale__uring_buffers_find(struct swale__uring *uring, const struct io_uring_cqe *answer)
{
    unsigned id = id_of(answer);
    return start_of(&uring->buffers, id) + uring->buffers.used[id];
}

void swale__uring_buffers_return(struct swale__uring *uring, const struct io_uring_cqe *answer)
{
    if (!(answer->flags & IORING_CQE_F_BUFFER))
        return;
    unsigned id = id_of(answer);
    if (answer->flags & CQE_F_BUF_MORE)
        uring->buffers.used[id] += (uint32_t)answer->res;
    else
        give(&uring->buffers, id);
}
