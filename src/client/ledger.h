/* ledger.h - the fates of numbered messages, as runs of neighbours that fared alike.
 *
 *     number   1 ........ 90 91 ... 95 96 .. 120 121 ...
 *     fate     WRITTEN       UNKNOWN   WRITTEN   QUEUED
 *
 * At most SWALE_FATES_MAX runs: for one more the oldest is forgotten, and sooner when memory is out.
 */
#ifndef SWALE_CLIENT_LEDGER_H
#define SWALE_CLIENT_LEDGER_H

#include <swale/client.h>

struct swale__run {
    uint64_t first; /* it goes on until the next run begins */
    enum swale_fate fate;
};

/* Zeroed, but for the allocator: empty. */
struct swale__ledger {
    const struct swale_allocator *allocator;
    struct swale__run *runs;
    size_t count, capacity;
    uint64_t last; /* number that was given */
};

void swale__ledger_done(struct swale__ledger *ledger);

/* Makes sure that the next number can be given. -ENOMEM. */
int swale__ledger_prepare(struct swale__ledger *ledger);

/* The next number, with fate QUEUED. Behind a prepare that was good. */
uint64_t swale__ledger_add(struct swale__ledger *ledger);

/* Numbers first to last, both of which have been given. */
void swale__ledger_set(struct swale__ledger *ledger, uint64_t first, uint64_t last, enum swale_fate fate);
enum swale_fate swale__ledger_get(const struct swale__ledger *ledger, uint64_t number);

#endif
