/* exit.c - the end of the program in a coverage build.
 *
 * Counts are written at exit(), but not at _exit(), by which the workers of `swale bench` leave: linked with
 * --wrap=_exit. And what writes them does not bear it that memory is out, so tests/app/torture.c ends before. */
#include <dlfcn.h>
#include <gcov.h>

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

/* Destructors without a priority run before gcov's. */
__attribute__((destructor)) static void end_torture(void)
{
    void (*torture_end)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "torture_end");
    if (torture_end)
        torture_end();
}

_Noreturn void __wrap__exit(int status)
{
    end_torture();
    __gcov_dump();
    __real__exit(status);
}
