#include "client/outbox.h"

#include "base/memory.h"

struct swale__letter *swale__letter_new(struct swale__outbox *box, enum swale_kind kind, struct swale_span data,
                                        bool kept)
{
    size_t room = kept ? data.size : 0;
    if (room > SIZE_MAX - sizeof(struct swale__letter))
        return NULL;
    struct swale__letter *letter = swale__alloc(box->allocator, sizeof *letter + room);
    if (!letter)
        return NULL;
    *letter = (struct swale__letter){ .kind = kind, .kept = kept, .size = data.size };
    if (room > 0)
        memcpy(letter->data, data.data, room);
    return letter;
}

void swale__letter_free(struct swale__outbox *box, struct swale__letter *letter)
{
    swale__free(box->allocator, letter, sizeof *letter + (letter->kept ? letter->size : 0));
}

static void append(struct swale__outbox *box, struct swale__letter *letter)
{
    if (box->tail)
        box->tail->next = letter;
    else
        box->head = letter;
    box->tail = letter;
}

void swale__outbox_wait(struct swale__outbox *box, struct swale__letter *letter)
{
    append(box, letter);
    if (!box->waiting)
        box->waiting = letter;
    box->pending += letter->size;
    box->waiting_count++;
}

void swale__outbox_given(struct swale__outbox *box, struct swale__letter *letter, uint64_t begin, uint64_t end)
{
    letter->begin = begin;
    letter->end = end;
    append(box, letter);
}

void swale__outbox_give(struct swale__outbox *box, uint64_t begin, uint64_t end)
{
    struct swale__letter *letter = box->waiting;
    letter->begin = begin;
    letter->end = end;
    box->waiting = letter->next;
    box->pending -= letter->size;
    box->waiting_count--;
}

struct swale__letter *swale__outbox_pop(struct swale__outbox *box)
{
    struct swale__letter *letter = box->head;
    if (!letter)
        return NULL;
    if (letter == box->waiting) {
        box->waiting = letter->next;
        box->pending -= letter->size;
        box->waiting_count--;
    }
    box->head = letter->next;
    if (!box->head)
        box->tail = NULL;
    return letter;
}

struct swale__letter *swale__outbox_handed(struct swale__outbox *box, uint64_t position)
{
    bool handed = box->head && box->head != box->waiting && box->head->end <= position;
    return handed ? swale__outbox_pop(box) : NULL;
}

struct swale__letter *swale__outbox_lost(struct swale__outbox *box, uint64_t position)
{
    bool given = box->head && box->head != box->waiting;
    return given && (box->head->begin < position || !box->head->kept) ? swale__outbox_pop(box) : NULL;
}

uint64_t swale__outbox_first_behind(const struct swale__outbox *box, uint64_t position)
{
    const struct swale__letter *letter = box->head;
    while (letter != box->waiting && letter->begin < position)
        letter = letter->next;
    return letter != box->waiting ? letter->begin : UINT64_MAX;
}

void swale__outbox_return(struct swale__outbox *box)
{
    for (struct swale__letter *letter = box->head; letter != box->waiting; letter = letter->next) {
        box->pending += letter->size;
        box->waiting_count++;
    }
    box->waiting = box->head;
}
