#include "io/wheel.h"

static void init_list(struct swale__timers *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

static void append(struct swale__timers *list, struct swale_timer *timer)
{
    timer->next = NULL;
    timer->link = list->tail;
    *list->tail = timer;
    list->tail = &timer->next;
}

void swale__wheel_init(struct swale__wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->time = now;
    init_list(&wheel->late);
    init_list(&wheel->firing);
}

/* The timer is due after wheel->time. */
static void put_in_slot(struct swale__wheel *wheel, struct swale_timer *timer)
{
    uint64_t differing = timer->due_ms ^ wheel->time;
    int level = (63 - __builtin_clzll(differing)) / SWALE__WHEEL_BITS;
    unsigned slot = (timer->due_ms >> (level * SWALE__WHEEL_BITS)) % SWALE__WHEEL_SLOTS;
    struct swale_timer **head = &wheel->slots[level][slot];
    timer->next = *head;
    timer->link = head;
    if (*head)
        (*head)->link = &timer->next;
    *head = timer;
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

/* `link` pointed to a timer that was the last of its list, and is NULL now. */
static void note_empty_slot(struct swale__wheel *wheel, struct swale_timer **link)
{
    uintptr_t offset = (uintptr_t)link - (uintptr_t)wheel->slots;
    if (offset >= sizeof wheel->slots)
        return; /* a link within a list */
    size_t index = offset / sizeof *link;
    wheel->occupied[index / SWALE__WHEEL_SLOTS] &= ~(UINT64_C(1) << index % SWALE__WHEEL_SLOTS);
}

/* Out of the list that it is in, whichever that is. */
static void unlink_timer(struct swale__wheel *wheel, struct swale_timer *timer)
{
    struct swale_timer **link = timer->link;
    *link = timer->next;
    timer->link = NULL;
    if (timer->next)
        timer->next->link = link;
    else if (wheel->late.tail == &timer->next)
        wheel->late.tail = link;
    else if (wheel->firing.tail == &timer->next)
        wheel->firing.tail = link;
    else
        note_empty_slot(wheel, link);
}

void swale__wheel_stop(struct swale__wheel *wheel, struct swale_timer *timer)
{
    if (!timer->link)
        return;
    unlink_timer(wheel, timer);
    wheel->running--;
}

void swale__wheel_start(struct swale__wheel *wheel, struct swale_timer *timer, uint64_t due_ms)
{
    swale__wheel_stop(wheel, timer);
    timer->due_ms = due_ms;
    wheel->running++;
    if (due_ms <= wheel->time)
        append(&wheel->late, timer);
    else
        put_in_slot(wheel, timer);
}

/* The slot that comes next and the instant when it begins; UINT64_MAX when all are empty. */
static uint64_t next_slot(const struct swale__wheel *wheel, int *level, unsigned *slot)
{
    for (int at = 0; at < SWALE__WHEEL_LEVELS; at++) {
        if (wheel->occupied[at] == 0)
            continue;
        int shift = at * SWALE__WHEEL_BITS;
        int above = shift + SWALE__WHEEL_BITS;
        uint64_t base = above < 64 ? wheel->time >> above << above : 0;
        *level = at;
        *slot = (unsigned)__builtin_ctzll(wheel->occupied[at]);
        return base | (uint64_t)*slot << shift;
    }
    return UINT64_MAX;
}

uint64_t swale__wheel_next(const struct swale__wheel *wheel)
{
    int level;
    unsigned slot;
    return wheel->late.head ? 0 : next_slot(wheel, &level, &slot);
}

/* wheel->time has reached the slot: its timers are due, or belong on a lower level. */
static void empty_slot(struct swale__wheel *wheel, int level, unsigned slot)
{
    struct swale_timer *timer = wheel->slots[level][slot];
    wheel->slots[level][slot] = NULL;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    while (timer) {
        struct swale_timer *next = timer->next;
        if (timer->due_ms <= wheel->time)
            append(&wheel->firing, timer);
        else
            put_in_slot(wheel, timer);
        timer = next;
    }
}

static void collect_due(struct swale__wheel *wheel, uint64_t now)
{
    while (wheel->late.head) {
        struct swale_timer *timer = wheel->late.head;
        unlink_timer(wheel, timer);
        append(&wheel->firing, timer);
    }
    int level;
    unsigned slot;
    uint64_t begins;
    while ((begins = next_slot(wheel, &level, &slot)) <= now && begins != UINT64_MAX) {
        wheel->time = begins;
        empty_slot(wheel, level, slot);
    }
    if (now > wheel->time)
        wheel->time = now;
}

int swale__wheel_fire(struct swale__wheel *wheel, uint64_t now)
{
    collect_due(wheel, now);
    int fired = 0;
    while (wheel->firing.head) {
        struct swale_timer *timer = wheel->firing.head;
        swale__wheel_stop(wheel, timer);
        timer->fire(timer);
        fired++;
    }
    return fired;
}
