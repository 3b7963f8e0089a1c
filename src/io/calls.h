/* calls.h - the system calls on a socket that both backends make. */
#ifndef SWALE_IO_CALLS_H
#define SWALE_IO_CALLS_H

#include <stddef.h>
#include <sys/uio.h>

/* Sends what there is room for, without waiting, and raises no SIGPIPE. How much has left (0: there is no room), or
 * -errno. */
ptrdiff_t swale__call_send(int fd, const struct iovec *parts, int count);

/* How much came (0: the peer has ended its direction), or -errno; -EAGAIN when there is nothing. */
ptrdiff_t swale__call_receive(int fd, char *buffer, size_t size);

/* Full receive buffers taken from one channel in one turn: with the usual buffer, 1 MiB and what frames it. What a
 * large message is put together in, and answered from, then stays in the cache, instead of being pushed out of it by
 * the other channels' large messages. */
enum { SWALE__RECEIVES_MAX = 5 };

/* What became of a connect that was in progress: 0, or -errno. */
int swale__call_connected(int fd);

#endif
