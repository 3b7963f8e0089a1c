#include "broken.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct broken_page *_Atomic broken_page;

__attribute__((constructor)) static void open_page(void)
{
    const char *path = getenv("SWALE_BROKEN");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct broken_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        broken_page = mapped;
}

/* splitmix64 of a counter: no state but that, so that threads do not disturb each other. */
static uint64_t draw(void)
{
    static _Atomic uint64_t counter;
    uint64_t value = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed) * UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

bool broken_breaks(enum broken_place place)
{
    struct broken_page *page = broken_page;
    uint64_t permyriad = page ? atomic_load_explicit(&page->permyriad[place], memory_order_relaxed) : 0;
    if (permyriad == 0 || draw() % 10000 >= permyriad)
        return false;
    atomic_fetch_add_explicit(&page->failed[place], 1, memory_order_relaxed);
    errno = (int)atomic_load_explicit(&page->error[place], memory_order_relaxed);
    return true;
}
