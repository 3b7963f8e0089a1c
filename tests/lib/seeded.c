/* OpenSSL's own chance can be replaced only in a way that is to be given up. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "seeded.h"

#include "dice.h"

#include <openssl/rand.h>
#include <sys/random.h>

static struct dice dice;

int RAND_bytes(unsigned char *out, int size)
{
    for (int i = 0; i < size; i++)
        out[i] = (unsigned char)dice_next(&dice);
    return 1;
}

static int always(void)
{
    return 1;
}

void seeded_begin(uint64_t seed)
{
    static const RAND_METHOD of_openssl = { .bytes = RAND_bytes, .pseudorand = RAND_bytes, .status = always };
    RAND_set_rand_method(&of_openssl);
    dice.state = seed;
}

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)dice_next(&dice);
    return (ssize_t)size;
}
