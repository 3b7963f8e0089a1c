#include "uring.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Newer than Debian 12's liburing: IOU_PBUF_RING_INC (a buffer is filled bit by bit; 6.12) and IORING_CQE_F_BUF_MORE
 * (it is not full yet). Many short messages then share one buffer, and a long one has room in one piece. */
enum { PBUF_RING_INC = 2 };
enum { BUF_MORE = 1U << 4 };

enum { SUBMISSIONS = 4096, COMPLETIONS = 32768, GROUP = 1 };

/* 2 MiB either way: it should stay in the cache. */
enum { MEMORY = 2 << 20, LARGE = 8, SMALL = 32 };

struct io_uring uring;

static struct {
    struct io_uring_buf_ring *ring;
    char *memory;
    unsigned count, size; /* of each */
    size_t used[SMALL];   /* of each */
    bool bit_by_bit;
} buffers;

static bool register_buffers(unsigned count, unsigned flags)
{
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)buffers.ring, .ring_entries = count, .bgid = GROUP };
    reg.pad = (uint16_t)flags; /* later kernels' `flags` */
    buffers.count = count;
    buffers.size = MEMORY / count;
    return io_uring_register_buf_ring(&uring, &reg, 0) == 0;
}

static void give_back(unsigned id)
{
    buffers.used[id] = 0;
    io_uring_buf_ring_add(buffers.ring, buffers.memory + (size_t)id * buffers.size, buffers.size, (uint16_t)id,
                          io_uring_buf_ring_mask(buffers.count), 0);
    io_uring_buf_ring_advance(buffers.ring, 1);
}

static bool provide_buffers(void)
{
    enum { PAGE = 4096 };
    buffers.ring = aligned_alloc(PAGE, PAGE);
    buffers.memory = aligned_alloc(PAGE, MEMORY);
    if (!buffers.ring || !buffers.memory)
        return false;
    memset(buffers.ring, 0, PAGE);
    memset(buffers.memory, 0, MEMORY);
    buffers.bit_by_bit = register_buffers(LARGE, PBUF_RING_INC);
    if (!buffers.bit_by_bit && !register_buffers(SMALL, 0))
        return false;
    io_uring_buf_ring_init(buffers.ring);
    for (unsigned id = 0; id < buffers.count; id++)
        give_back(id);
    return true;
}

bool uring_start(unsigned files)
{
    struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                               IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
                                      .cq_entries = COMPLETIONS };
    int error = io_uring_queue_init_params(SUBMISSIONS, &uring, &params);
    if (error < 0) {
        errno = -error;
        return false;
    }
    return io_uring_register_ring_fd(&uring) >= 0 && io_uring_register_files_sparse(&uring, files) >= 0 &&
           provide_buffers();
}

struct io_uring_sqe *uring_entry(void)
{
    struct io_uring_sqe *entry;
    while (!(entry = io_uring_get_sqe(&uring)))
        io_uring_submit(&uring);
    return entry;
}

void uring_mark(struct io_uring_sqe *entry, unsigned operation, unsigned file)
{
    entry->user_data = (uint64_t)operation << 32 | file;
}

unsigned uring_operation(const struct io_uring_cqe *done)
{
    return (unsigned)(done->user_data >> 32);
}

unsigned uring_file(const struct io_uring_cqe *done)
{
    return (unsigned)done->user_data;
}

void uring_receive(unsigned operation, unsigned file)
{
    struct io_uring_sqe *entry = uring_entry();
    io_uring_prep_recv_multishot(entry, (int)file, NULL, 0, 0);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    entry->buf_group = GROUP;
    uring_mark(entry, operation, file);
}

void uring_send(unsigned operation, unsigned file, const char *data, size_t size)
{
    struct io_uring_sqe *entry = uring_entry();
    io_uring_prep_send(entry, (int)file, data, size, MSG_NOSIGNAL | MSG_WAITALL);
    entry->flags |= IOSQE_FIXED_FILE;
    uring_mark(entry, operation, file);
}

const char *uring_bytes(const struct io_uring_cqe *done)
{
    if (!(done->flags & IORING_CQE_F_BUFFER))
        return NULL;
    unsigned id = done->flags >> IORING_CQE_BUFFER_SHIFT;
    const char *bytes = buffers.memory + (size_t)id * buffers.size + buffers.used[id];
    buffers.used[id] += (size_t)(done->res > 0 ? done->res : 0);
    if (!buffers.bit_by_bit || !(done->flags & BUF_MORE))
        give_back(id);
    return bytes;
}
