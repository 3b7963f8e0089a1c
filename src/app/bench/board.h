/* board.h - the memory that the processes of a load share: each worker writes at a seat of its own.
 *
 * The atomic fields may be read at any time. The tally is the worker's own until it has ended.
 */
#ifndef SWALE_APP_BOARD_H
#define SWALE_APP_BOARD_H

#include "app/bench/tally.h"

#include <stdatomic.h>

/* In this order. */
enum board_stage {
    BOARD_OPENING,
    BOARD_READY,   /* every connection is open or has failed; waits for the start */
    BOARD_RUNNING, /* warming up, or measuring */
    BOARD_SENT,    /* sends no more, waits for what is still to come */
    BOARD_DONE
};

struct board_seat {
    _Atomic int stage;
    _Atomic uint64_t opened, failed, lost, arrived; /* so far, for the progress */
    _Atomic uint64_t sent;                          /* in the whole run; complete from BOARD_SENT on */
    struct tally tally;
};

struct board {
    uint32_t workers;
    size_t size;
    _Atomic uint64_t start; /* when the load begins, ns; 0 while that is not known */
    struct board_seat seats[];
};

/* Zeroed. NULL when there is no memory. */
struct board *board_new(uint32_t workers);
void board_free(struct board *board);

#endif
