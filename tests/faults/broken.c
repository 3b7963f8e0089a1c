/* broken.c - a machine on which things fail, for a program that is started with this library in LD_PRELOAD.
 *
 * The C library's allocator and some system calls go through here. How they fail is read from a page that the program
 * shares with the test, the file that SWALE_BROKEN names (the layout is that of `struct page`, and of broken.py), so
 * that the test changes it while the program runs. Without the file everything works, and nothing is counted.
 *
 * What is counted besides: live blocks and their bytes, so that a leak of one block shows, however much the allocator
 * keeps for itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Where it can break. */
enum place { ALLOCATE, ACCEPT, RECEIVE, SEND, EPOLL_ADD, EPOLL_WAIT, PLACES };

struct page {
    /* Written by the test. */
    _Atomic uint64_t nth; /* the allocation of this number fails, counted from `allocations`' start; 0: none */
    _Atomic uint64_t permyriad[PLACES]; /* of 10 000 calls, by chance */
    _Atomic uint64_t error[PLACES];     /* errno; 0: where it applies, the call does less than it could */
    _Atomic int64_t clock_shift;        /* seconds that the wall clock is off by */
    /* Written here. */
    _Atomic uint64_t allocations; /* so far; the test may set it */
    _Atomic uint64_t failed[PLACES];
    _Atomic int64_t blocks, bytes; /* live */
};

static struct page *_Atomic page;

__attribute__((constructor)) static void open_page(void)
{
    const char *path = getenv("SWALE_BROKEN");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        page = mapped;
}

/* ---- Chance ----------------------------------------------------------------------------------------- */

/* splitmix64 of a counter: no state but that, so that threads do not disturb each other. */
static uint64_t draw(void)
{
    static _Atomic uint64_t counter;
    uint64_t value = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed) * UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static bool breaks(enum place place)
{
    struct page *now = page;
    uint64_t permyriad = now ? atomic_load_explicit(&now->permyriad[place], memory_order_relaxed) : 0;
    if (permyriad == 0 || draw() % 10000 >= permyriad)
        return false;
    atomic_fetch_add_explicit(&now->failed[place], 1, memory_order_relaxed);
    errno = (int)atomic_load_explicit(&now->error[place], memory_order_relaxed);
    return true;
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

/* The C library's own, under the names by which it leaves them to its replacements. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static bool refuses(void)
{
    struct page *now = page;
    if (!now)
        return false;
    uint64_t number = atomic_fetch_add_explicit(&now->allocations, 1, memory_order_relaxed) + 1;
    if (number == atomic_load_explicit(&now->nth, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&now->failed[ALLOCATE], 1, memory_order_relaxed);
        errno = ENOMEM;
        return true;
    }
    return breaks(ALLOCATE);
}

static void count(int blocks, int64_t bytes)
{
    struct page *now = page;
    if (!now)
        return;
    atomic_fetch_add_explicit(&now->blocks, blocks, memory_order_relaxed);
    atomic_fetch_add_explicit(&now->bytes, bytes, memory_order_relaxed);
}

static void *counted(void *block)
{
    if (block)
        count(1, (int64_t)malloc_usable_size(block));
    return block;
}

void *malloc(size_t size)
{
    return refuses() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return refuses() ? NULL : counted(__libc_calloc(number, size));
}

void *realloc(void *block, size_t size)
{
    if (!block)
        return malloc(size);
    if (size > 0 && refuses())
        return NULL;
    int64_t before = (int64_t)malloc_usable_size(block);
    void *moved = __libc_realloc(block, size);
    if (moved)
        count(0, (int64_t)malloc_usable_size(moved) - before);
    else if (size == 0)
        count(-1, -before);
    return moved;
}

void *memalign(size_t alignment, size_t size)
{
    return refuses() ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    int saved = errno;
    void *made = memalign(alignment, size);
    errno = saved;
    if (!made)
        return ENOMEM;
    *block = made;
    return 0;
}

void free(void *block)
{
    if (!block)
        return;
    count(-1, -(int64_t)malloc_usable_size(block));
    __libc_free(block);
}

/* ---- System calls: what they do by chance instead ---------------------------------------------------- */

/* A connection that fails to be accepted is still lost or kept as the kernel would have it: ECONNABORTED takes it out
 * of the queue, the others leave it there. */
int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    if (breaks(ACCEPT)) {
        int error = errno;
        if (error == ECONNABORTED) {
            int lost = (int)syscall(SYS_accept4, fd, address, size, flags);
            if (lost < 0)
                return -1;
            close(lost);
        }
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address, size, flags);
}

/* Without an error: one byte. */
static size_t less(size_t size)
{
    return size > 1 ? 1 : size;
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    if (breaks(RECEIVE)) {
        if (errno != 0)
            return -1;
        size = less(size);
    }
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    if (breaks(SEND)) {
        if (errno != 0)
            return -1;
        size = less(size);
    }
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (breaks(SEND)) {
        if (errno != 0)
            return -1;
        const struct iovec *first = message->msg_iov;
        return message->msg_iovlen == 0
                   ? 0
                   : syscall(SYS_sendto, fd, first->iov_base, less(first->iov_len), flags, NULL, 0);
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && breaks(EPOLL_ADD))
        return -1;
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* Not with EINTR alone: a wait that comes back with nothing is as good. */
int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms)
{
    if (breaks(EPOLL_WAIT)) {
        if (errno != 0)
            return -1;
        room = 1;
    }
    return (int)syscall(SYS_epoll_pwait, epoll, events, room, timeout_ms, NULL, 0);
}

int clock_gettime(clockid_t clock, struct timespec *when)
{
    struct page *now = page;
    if (syscall(SYS_clock_gettime, clock, when) != 0)
        return -1;
    if (clock == CLOCK_REALTIME && now)
        when->tv_sec += atomic_load_explicit(&now->clock_shift, memory_order_relaxed);
    return 0;
}
