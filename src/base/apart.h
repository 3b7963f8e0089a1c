/* apart.h - functions that are kept out of line. */
#ifndef SWALE_BASE_APART_H
#define SWALE_BASE_APART_H

/* For what is done seldom within what is done for each message: inlined, it would have the registers saved that it
 * needs, and its caller's short way would pay for them every time. */
#define SWALE__APART __attribute__((noinline))

#endif
