/* small.h - a small message in one block of deflate (RFC 1951).
 *
 *     message --matches.c--> tokens --small.c--> counts --huffman.c--> code lengths, codes --small.c--> bits
 *
 * The libraries are made for large ones: libdeflate empties 192 KiB of tables before each, and zlib fills its window
 * and goes through states. Everything here fits into the first cache, and all of a message is seen before the
 * first bit is written: so its exact size is known then, and nothing is checked while writing.
 */
#ifndef SWALE_PROTO_SMALL_H
#define SWALE_PROTO_SMALL_H

#include <stddef.h>
#include <stdint.h>
#include <swale/base.h>

/* Matches may reach back to the beginning of the message, so that the window must hold it. Positions have 16 bits. */
enum { SWALE__SMALL_MAX = 4096 };

/* ---- Matches (matches.c) ---------------------------------------------------------------------------- */

enum { SWALE__MATCH_HASH_BITS = 11 };

/* A literal, or so many bytes as they stood so far back. */
struct swale__token {
    uint16_t distance; /* 0 for a literal */
    uint16_t value;    /* the literal, or the length, 4 to 258 */
};

/* Where four bytes of a hash were last seen, and for each position where those of its hash were before; each plus
 * one, so that zero is nowhere. */
struct swale__matcher {
    uint16_t latest[1 << SWALE__MATCH_HASH_BITS];
    uint16_t before[SWALE__SMALL_MAX];
};

/* Writes the tokens of a message of up to SWALE__SMALL_MAX bytes, and returns how many: at most one for each byte. */
size_t swale__find_matches(struct swale__matcher *matcher, struct swale_span message, struct swale__token *tokens);

/* ---- Codes (huffman.c) ------------------------------------------------------------------------------ */

enum { SWALE__CODE_SYMBOLS_MAX = 288, SWALE__CODE_BITS_MAX = 15 };

/* The lengths of the codes of an alphabet of 2 to SWALE__CODE_SYMBOLS_MAX symbols, none above `most`, for symbols
 * that come so often; 0 for those that do not come, but never fewer than two codes: there are receivers that bear no
 * less. The counts sum up to 65535 at most. */
void swale__code_lengths(const uint16_t *counts, unsigned symbols, unsigned most, uint8_t *lengths);

/* The codes of these lengths (RFC 1951 section 3.2.2), first bit lowest, as they are written. */
void swale__codes(const uint8_t *lengths, unsigned symbols, uint16_t *codes);

/* ---- Blocks (small.c) ------------------------------------------------------------------------------- */

/* What one message at a time needs. Not initialized. */
struct swale__small {
    struct swale__matcher matcher;
    struct swale__token tokens[SWALE__SMALL_MAX];
};

/* Compresses a message of 1 to SWALE__SMALL_MAX bytes: as a sync flush would, whose last four bytes, 00 00 ff ff, are
 * taken off (RFC 7692 section 7.2.1). Returns the size, or SWALE_ERR_TOO_SMALL and writes nothing. */
ptrdiff_t swale__deflate_small(struct swale__small *small, struct swale_span message, char *out, size_t capacity);

#endif
