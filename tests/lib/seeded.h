/* seeded.h - the library's chance, in the programs that call this, comes from a seed: RAND_bytes and getrandom are
 * theirs, and OpenSSL's own. For one thread. */
#ifndef SWALE_TEST_SEEDED_H
#define SWALE_TEST_SEEDED_H

#include <stdint.h>

void seeded_begin(uint64_t seed);

#endif
