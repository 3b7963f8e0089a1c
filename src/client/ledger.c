#include "client/ledger.h"

#include "base/memory.h"

#include <errno.h>

/* A change in the middle of a run makes two more of it, before the oldest are forgotten again. */
enum { FIRST_CAPACITY = 8, SPLITS = 2, CAPACITY_MAX = SWALE_FATES_MAX + SPLITS };

void swale__ledger_done(struct swale__ledger *ledger)
{
    swale__free(ledger->allocator, ledger->runs, ledger->capacity * sizeof *ledger->runs);
    ledger->runs = NULL;
    ledger->count = ledger->capacity = 0;
}

static int grow(struct swale__ledger *ledger)
{
    size_t capacity = ledger->capacity > 0 ? 2 * ledger->capacity : FIRST_CAPACITY;
    if (capacity > CAPACITY_MAX)
        capacity = CAPACITY_MAX;
    struct swale__run *runs =
        swale__resize(ledger->allocator, ledger->runs, ledger->capacity * sizeof *runs, capacity * sizeof *runs);
    if (!runs)
        return -ENOMEM;
    ledger->runs = runs;
    ledger->capacity = capacity;
    return 0;
}

static void forget(struct swale__ledger *ledger, size_t count)
{
    ledger->count -= count;
    memmove(ledger->runs, ledger->runs + count, ledger->count * sizeof *ledger->runs);
}

/* There is room for two more runs, at the price of the oldest ones if need be. */
static void make_room(struct swale__ledger *ledger)
{
    if (ledger->count + SPLITS > ledger->capacity && ledger->capacity < CAPACITY_MAX)
        grow(ledger);
    if (ledger->count + SPLITS > ledger->capacity)
        forget(ledger, ledger->count + SPLITS - ledger->capacity);
}

int swale__ledger_prepare(struct swale__ledger *ledger)
{
    return ledger->capacity > 0 ? 0 : grow(ledger);
}

/* How many runs begin before this number or with it. */
static size_t count_until(const struct swale__ledger *ledger, uint64_t number)
{
    size_t low = 0, high = ledger->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ledger->runs[middle].first <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The index of the run that begins at `number`, which is made so if it does not; the number of runs if it is behind
 * them all. */
static size_t split(struct swale__ledger *ledger, uint64_t number)
{
    size_t index = count_until(ledger, number);
    if (number > ledger->last)
        return ledger->count;
    if (index > 0 && ledger->runs[index - 1].first == number)
        return index - 1;
    struct swale__run *place = ledger->runs + index;
    memmove(place + 1, place, (ledger->count - index) * sizeof *place);
    *place = (struct swale__run){ .first = number, .fate = place[-1].fate };
    ledger->count++;
    return index;
}

static void remove_runs(struct swale__ledger *ledger, size_t index, size_t count)
{
    struct swale__run *place = ledger->runs + index;
    ledger->count -= count;
    memmove(place, place + count, (ledger->count - index) * sizeof *place);
}

/* Makes one run of this one and the one before, where they are alike. */
static void merge(struct swale__ledger *ledger, size_t index)
{
    if (index > 0 && index < ledger->count && ledger->runs[index - 1].fate == ledger->runs[index].fate)
        remove_runs(ledger, index, 1);
}

void swale__ledger_set(struct swale__ledger *ledger, uint64_t first, uint64_t last, enum swale_fate fate)
{
    make_room(ledger);
    if (first < ledger->runs[0].first) /* forgotten */
        first = ledger->runs[0].first;
    if (first > last)
        return;
    size_t begin = split(ledger, first);
    size_t end = split(ledger, last + 1);
    ledger->runs[begin].fate = fate;
    remove_runs(ledger, begin + 1, end - begin - 1);
    merge(ledger, begin + 1);
    merge(ledger, begin);
    if (ledger->count > SWALE_FATES_MAX)
        forget(ledger, ledger->count - SWALE_FATES_MAX);
}

uint64_t swale__ledger_add(struct swale__ledger *ledger)
{
    make_room(ledger);
    uint64_t number = ++ledger->last;
    if (ledger->count == 0 || ledger->runs[ledger->count - 1].fate != SWALE_FATE_QUEUED)
        ledger->runs[ledger->count++] = (struct swale__run){ .first = number, .fate = SWALE_FATE_QUEUED };
    return number;
}

enum swale_fate swale__ledger_get(const struct swale__ledger *ledger, uint64_t number)
{
    size_t index = count_until(ledger, number);
    if (index == 0 || number > ledger->last)
        return SWALE_FATE_FORGOTTEN;
    return ledger->runs[index - 1].fate;
}
