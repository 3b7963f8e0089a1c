/* torture.c - the nth allocation of a program fails, when it is started with this library in LD_PRELOAD and n in
 * SWALE_TORTURE; the file that SWALE_TORTURE_DONE names appears when it has come to that.
 *
 * Only what the program's own code asks for is counted and fails, libswale's in it included: not what OpenSSL,
 * libedit or the C library ask for, whose ways of bearing it are not ours to test. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static uintptr_t begin, end; /* of the program's code */
static unsigned long fail_at;
static atomic_ulong asked;

static int find_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        begin = info->dlpi_addr + part->p_vaddr;
        end = begin + part->p_memsz;
    }
    return 1; /* the first is the program */
}

__attribute__((constructor)) static void prepare(void)
{
    const char *n = getenv("SWALE_TORTURE");
    dl_iterate_phdr(find_program, NULL);
    fail_at = n ? strtoul(n, NULL, 10) : 0;
}

/* For tests/coverage/exit.c. */
void torture_end(void);

void torture_end(void)
{
    fail_at = 0;
}

static bool fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    if (fail_at == 0 || at < begin || at >= end || atomic_fetch_add(&asked, 1) + 1 != fail_at)
        return false;
    const char *done = getenv("SWALE_TORTURE_DONE");
    int fd = done ? open(done, O_WRONLY | O_CREAT, 0600) : -1;
    if (fd >= 0)
        close(fd);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}
