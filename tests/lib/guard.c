#include "guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t pages_for(size_t size, size_t page)
{
    return (size + page - 1) / page * page;
}

/* Pages in a row, of which the one at `forbidden` must not be touched. */
static char *map_pages(size_t size, size_t forbidden, size_t page)
{
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + forbidden, page, PROT_NONE) != 0)
        abort();
    return base;
}

char *guard_copy(const void *data, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = pages_for(size, page);
    char *copy = map_pages(room + page, room, page) + room - size;
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void guard_free(char *copy, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = pages_for(size, page);
    munmap(copy - (room - size), room + page);
}

char *guard_copy_behind(const void *data, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *copy = map_pages(page + pages_for(size, page), 0, page) + page;
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void guard_free_behind(char *copy, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(copy - page, page + pages_for(size, page));
}
