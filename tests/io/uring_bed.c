#include "uring_bed.h"

#include "test.h"

#include "io/socket.h"

#include <stdio.h>
#include <sys/socket.h>

struct test_memory memory;
struct swale_loop *loop;

static struct swale_allocator allocator;

int uring_set_up(void **state)
{
    (void)state;
    memory = (struct test_memory){ 0 };
    allocator = test_allocator(&memory);
    struct swale_loop_options options = { .allocator = &allocator, .backend = SWALE_BACKEND_IO_URING };
    return swale_loop_new(&loop, &options);
}

int uring_tear_down(void **state)
{
    (void)state;
    swale_loop_free(loop);
    return memory.blocks == 0 ? 0 : -1;
}

bool uring_is_there(void)
{
    struct swale_loop_options options = { .backend = SWALE_BACKEND_IO_URING };
    struct swale_loop *trial = NULL;
    bool there = swale_loop_new(&trial, &options) == 0;
    swale_loop_free(trial);
    if (!there)
        puts("SKIPPED: there is no io_uring here");
    return there;
}

int open_one(struct swale__stream **stream)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(swale__socket_open(stream, loop, fds[0]), 0);
    return fds[1];
}

ptrdiff_t write_to(struct swale__stream *stream, const void *data, size_t size)
{
    struct iovec part = { .iov_base = (void *)data, .iov_len = size };
    return swale__stream_write(stream, &part, 1);
}

size_t read_all(int fd, char *data, size_t size)
{
    size_t count = 0;
    for (ssize_t more; (more = recv(fd, data + count, size - count, 0)) > 0;)
        count += (size_t)more;
    return count;
}

void settle(void)
{
    for (int i = 0; i < 10; i++)
        assert_true(swale_loop_step(loop, 0) >= 0);
}
