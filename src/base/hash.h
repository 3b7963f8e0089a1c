/* hash.h - a keyed hash (SipHash-1-3): whoever does not know the key cannot make strings collide, so that a
 * table of names chosen by peers cannot be turned into a list. Not for signatures. */
#ifndef SWALE_BASE_HASH_H
#define SWALE_BASE_HASH_H

#include <swale/base.h>

uint64_t swale__hash(const unsigned char key[16], struct swale_span data);

#endif
