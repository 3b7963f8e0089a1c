/* seeded.h - the library's chance, in the programs that link seeded.c, comes from a seed: RAND_bytes is theirs. */
#ifndef SWALE_CHAOS_SEEDED_H
#define SWALE_CHAOS_SEEDED_H

#include <stdint.h>

void seeded_begin(uint64_t seed);

#endif
