#include "seeded.h"

#include "dice.h"

#include <openssl/rand.h>
#include <sys/random.h>

static struct dice dice;

void seeded_begin(uint64_t seed)
{
    dice.state = seed;
}

int RAND_bytes(unsigned char *out, int size)
{
    for (int i = 0; i < size; i++)
        out[i] = (unsigned char)dice_next(&dice);
    return 1;
}

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)dice_next(&dice);
    return (ssize_t)size;
}
