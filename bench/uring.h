/* uring.h - io_uring for the benchmarks, as fast as it goes: a ring of one thread that does its work when it is
 * entered, registered files, multishot receives into provided buffers. The library has a backend of its own, and
 * takes nothing from here. */
#ifndef BENCH_URING_H
#define BENCH_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

extern struct io_uring uring;

/* Files are registered ones, known by their numbers below `files`. False, with errno: the kernel does not do it. */
bool uring_start(unsigned files);

/* An entry to be filled in, which goes out at the next enter; and what its completion tells, for which it is marked.
 */
struct io_uring_sqe *uring_entry(void);
void uring_mark(struct io_uring_sqe *entry, unsigned operation, unsigned file);
unsigned uring_operation(const struct io_uring_cqe *done);
unsigned uring_file(const struct io_uring_cqe *done);

/* The first goes on for as long as IORING_CQE_F_MORE is set; -ENOBUFS is no error, it wants to be started again. */
void uring_receive(unsigned operation, unsigned file);
void uring_send(unsigned operation, unsigned file, const char *data, size_t size);

/* The bytes of a receive, which are there until the ring is entered again. */
const char *uring_bytes(const struct io_uring_cqe *done);

#endif
