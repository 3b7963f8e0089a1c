/* sink.h - where log lines go: a thread that writes them to a descriptor, behind a buffer that never makes anyone
 * wait. When the buffer is full, because a pipe is blocked or a disk is slow, lines are dropped and counted. */
#ifndef SWALE_APP_SINK_H
#define SWALE_APP_SINK_H

#include <stddef.h>
#include <stdint.h>

struct sink;

/* Writes to fd, which stays the caller's. NULL when memory or threads are out. */
struct sink *sink_open(int fd);

/* Gives what is still buffered `grace_ms` to leave, and frees the sink. */
void sink_close(struct sink *sink, unsigned grace_ms);

/* Takes one line, which ends in a newline. Any thread; never waits for the descriptor. */
void sink_put(struct sink *sink, const char *line, size_t size);

/* Lines that were dropped, or could not be written. Any thread. */
uint64_t sink_dropped(const struct sink *sink);

#endif
