/* backends.c - names the backends that work on this machine, a line each. The last is the one that a loop gets when
 * nobody asks for another. */
#include <swale/loop.h>

#include <stdio.h>
#include <stdlib.h>

static bool works(enum swale_backend backend)
{
    struct swale_loop *loop = NULL;
    bool made = swale_loop_new(&loop, &(struct swale_loop_options){ .backend = backend }) == 0;
    swale_loop_free(loop);
    return made;
}

int main(void)
{
    static const char *const names[] = { [SWALE_BACKEND_EPOLL] = "epoll", [SWALE_BACKEND_IO_URING] = "io_uring" };
    struct swale_loop *loop;
    unsetenv("SWALE_BACKEND");
    if (swale_loop_new(&loop, NULL) != 0)
        return EXIT_FAILURE;
    enum swale_backend usual = swale_loop_backend(loop, NULL);
    swale_loop_free(loop);
    for (enum swale_backend backend = SWALE_BACKEND_EPOLL; backend <= SWALE_BACKEND_IO_URING; backend++)
        if (backend != usual && works(backend))
            puts(names[backend]);
    puts(names[usual]);
    return EXIT_SUCCESS;
}
