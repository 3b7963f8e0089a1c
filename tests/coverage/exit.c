/* exit.c - a coverage build writes its counts at exit(), but not at _exit(), by which the workers of `swale bench` leave.
 * Linked with --wrap=_exit. */
#include <gcov.h>

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
