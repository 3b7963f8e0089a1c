#include "guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t pages_for(size_t size, size_t page)
{
    return (size + page - 1) / page * page;
}

char *guard_copy(const void *data, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = pages_for(size, page);
    char *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
        abort();
    char *copy = base + room - size;
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
