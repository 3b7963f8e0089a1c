/* utf8_tables.h - what the SIMD kernels look up (the method of Keiser and Lemire, "Validating UTF-8 in less than
 * one instruction per byte", 2021).
 *
 * Nearly every fault shows in two neighbouring bytes, and there in three nibbles: both of the first byte and the
 * high one of the second. Each fault below has a bit. For each nibble a table tells the faults that this nibble
 * does not rule out; a bit that survives all three tables is a fault found.
 *
 *     e0 9f ..      FIRST_HIGH[e] & FIRST_LOW[0] & SECOND_HIGH[9] = OVERLONG_3
 *
 * FOLLOWS is no fault in itself: a continuation behind a continuation is right exactly when a lead byte two or
 * three places back asks for it. The kernels compare that separately. */
#ifndef SWALE_BASE_UTF8_TABLES_H
#define SWALE_BASE_UTF8_TABLES_H

enum {
    CUT_SHORT = 0x01,  /* a lead byte, then no continuation */
    STRAY = 0x02,      /* an ASCII byte, then a continuation */
    OVERLONG_2 = 0x04, /* c0, c1 */
    OVERLONG_3 = 0x08, /* e0 80 to e0 9f */
    SURROGATE = 0x10,  /* ed a0 to ed bf */
    BEYOND = 0x20,     /* f4 90 to f4 bf, f5 90 and above: behind U+10FFFF */
    EDGE_4 = 0x40,     /* f0 80 to f0 8f: over-long; f5 80 to ff 8f: behind U+10FFFF */
    FOLLOWS = 0x80,    /* two continuations */
};

/* These do not depend on the low nibble of the first byte. */
#define ANY_LOW (CUT_SHORT | STRAY | FOLLOWS)

#define FIRST_HIGH                                                                                                   \
    STRAY, STRAY, STRAY, STRAY, STRAY, STRAY, STRAY, STRAY, /* 0 to 7 */                                             \
        FOLLOWS, FOLLOWS, FOLLOWS, FOLLOWS,                 /* 8 to b */                                             \
        CUT_SHORT | OVERLONG_2, CUT_SHORT,                  /* c, d */                                               \
        CUT_SHORT | OVERLONG_3 | SURROGATE, CUT_SHORT | BEYOND | EDGE_4

#define PAST_4 (ANY_LOW | BEYOND | EDGE_4)

#define FIRST_LOW                                                                                                    \
    ANY_LOW | OVERLONG_2 | OVERLONG_3 | EDGE_4, ANY_LOW | OVERLONG_2, ANY_LOW, ANY_LOW, /* 0 to 3 */                 \
        ANY_LOW | BEYOND, PAST_4, PAST_4, PAST_4,                                       /* 4 to 7 */                 \
        PAST_4, PAST_4, PAST_4, PAST_4,                                                 /* 8 to b */                 \
        PAST_4, PAST_4 | SURROGATE, PAST_4, PAST_4                                      /* c to f */

#define CONTINUATION (STRAY | FOLLOWS | OVERLONG_2)

#define SECOND_HIGH                                                                                                  \
    CUT_SHORT, CUT_SHORT, CUT_SHORT, CUT_SHORT, CUT_SHORT, CUT_SHORT, CUT_SHORT, CUT_SHORT, /* 0 to 7 */             \
        CONTINUATION | OVERLONG_3 | EDGE_4, CONTINUATION | OVERLONG_3 | BEYOND,             /* 8, 9 */               \
        CONTINUATION | SURROGATE | BEYOND, CONTINUATION | SURROGATE | BEYOND,               /* a, b */               \
        CUT_SHORT, CUT_SHORT, CUT_SHORT, CUT_SHORT                                          /* c to f */

#endif
