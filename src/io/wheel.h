/* wheel.h - a hierarchical timer wheel with ticks of one millisecond.
 *
 * Level L has 64 slots of 64^L ms each. A timer stands on the level of the highest base-64 digit in which its
 * due time differs from the wheel's time, in the slot of that digit:
 *
 *     time  ... 3 17 05        due ... 3 17 42   level 0, slot 42     due exactly when slot 42 comes
 *                              due ... 3 20 11   level 1, slot 20     looked at again when slot 20 comes
 *                              due ... 9 00 00   level 2, slot  9
 *
 * Invariants: all digits above a timer's level are those of `time`, and its slot lies ahead of time's digit.
 * Slots therefore never wrap, the first occupied slot of the lowest occupied level is what comes next, and a
 * jump of the clock of any size costs only the occupied slots that it passes. Each timer moves down at most
 * once per level. Eleven levels cover all 64 bits, so that no due time needs a special case.
 */
#ifndef SWALE_IO_WHEEL_H
#define SWALE_IO_WHEEL_H

#include <swale/loop.h>

enum { SWALE__WHEEL_BITS = 6, SWALE__WHEEL_SLOTS = 1 << SWALE__WHEEL_BITS, SWALE__WHEEL_LEVELS = 11 };

struct swale__timers {
    struct swale_timer *head;
    struct swale_timer **tail; /* the pointer that a new last one goes to */
};

/* Must stay where it is. */
struct swale__wheel {
    uint64_t time;                          /* every timer that is due by then has been taken out of the slots */
    uint64_t running;                       /* timers in it */
    struct swale__timers late;              /* started when they were due already: the next fire has them */
    struct swale__timers firing;            /* taken out by the fire under way, not yet fired */
    uint64_t occupied[SWALE__WHEEL_LEVELS]; /* a bit for each slot that is not empty */
    struct swale_timer *slots[SWALE__WHEEL_LEVELS][SWALE__WHEEL_SLOTS];
};

void swale__wheel_init(struct swale__wheel *wheel, uint64_t now);
void swale__wheel_start(struct swale__wheel *wheel, struct swale_timer *timer, uint64_t due_ms);
void swale__wheel_stop(struct swale__wheel *wheel, struct swale_timer *timer);

/* When swale__wheel_fire should next be called: never later than the first timer is due, and earlier only where
 * a slot of a higher level must be looked at. 0 for at once, UINT64_MAX for no timer. */
uint64_t swale__wheel_next(const struct swale__wheel *wheel);

/* Fires what is due at `now`, in the order of the due times (of equal ones in any order), and returns how many
 * that were. A timer that is started from within never fires in the same call. */
int swale__wheel_fire(struct swale__wheel *wheel, uint64_t now);

#endif
