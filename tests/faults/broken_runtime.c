#include "broken_runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- The beginning of the process ------------------------------------------------------------------- */

/* Most of it is the C++ library's, which keeps 72 KiB for exceptions. */
enum { EARLY_SIZE = 1 << 20, ALIGNMENT = 16 };

static _Alignas(ALIGNMENT) char early[EARLY_SIZE];
static size_t early_size;

/* Initial-exec: looking it up must not allocate. */
static _Thread_local __attribute__((tls_model("initial-exec"))) bool runs;
static bool begun;

/* The sanitizer's library, which this one is linked with, has begun by now. */
__attribute__((constructor)) static void begin(void)
{
    begun = runs = true;
}

bool broken_runtime_done(void)
{
    return runs;
}

bool broken_is_early(void)
{
    return !begun;
}

void *broken_early_block(size_t size)
{
    size_t at = (early_size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > EARLY_SIZE - at)
        abort();
    early_size = at + size;
    return early + at;
}

bool broken_was_early(const void *block)
{
    return (const char *)block >= early && (const char *)block < early + EARLY_SIZE;
}

/* A block does not know its size: behind it come others. */
void broken_early_copy(void *to, const void *block, size_t size)
{
    size_t left = (size_t)(early + EARLY_SIZE - (const char *)block);
    memcpy(to, block, size < left ? size : left);
}

/* ---- The beginning of a thread ---------------------------------------------------------------------- */

int __interceptor_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                                 void *argument);

struct thread {
    void *(*run)(void *argument);
    void *argument;
};

static void *run_thread(void *argument)
{
    struct thread thread = *(struct thread *)argument;
    BROKEN_REAL(free)(argument);
    runs = true;
    void *result = thread.run(thread.argument);
    runs = false;
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    struct thread *kept = BROKEN_REAL(malloc)(sizeof *kept);
    if (!kept)
        return EAGAIN;
    *kept = (struct thread){ run, argument };
    int error = __interceptor_pthread_create(thread, attributes, run_thread, kept);
    if (error)
        BROKEN_REAL(free)(kept);
    return error;
}
