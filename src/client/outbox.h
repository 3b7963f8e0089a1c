/* outbox.h - the messages of which something is still to be known: in the order in which they were sent.
 *
 *     given to the connection, not yet handed to its transport | waiting for a connection
 *     [ 40..120 ] [ 120..180 ] [ 180..900 ]                       [ ] [ ]
 *
 * The numbers are positions in what the connection has been given (conn/conn.h). Whatever may have to be given to
 * another connection is kept here as a copy; of the rest there is only the note.
 */
#ifndef SWALE_CLIENT_OUTBOX_H
#define SWALE_CLIENT_OUTBOX_H

#include <swale/client.h>

struct swale__letter {
    struct swale__letter *next;
    uint64_t number;     /* 0: nobody asked for one */
    uint64_t begin, end; /* where it lies, once it has been given */
    enum swale_kind kind;
    bool kept; /* the bytes are here */
    size_t size;
    char data[];
};

/* Zeroed, but for the allocator: empty. */
struct swale__outbox {
    const struct swale_allocator *allocator;
    struct swale__letter *head, *tail;
    struct swale__letter *waiting; /* the first that has not been given; NULL when all have */
    uint64_t pending;              /* bytes of those that wait */
    uint64_t waiting_count;
};

/* Not in any box yet. NULL when memory is out. */
struct swale__letter *swale__letter_new(struct swale__outbox *box, enum swale_kind kind, struct swale_span data,
                                        bool kept);
void swale__letter_free(struct swale__outbox *box, struct swale__letter *letter);

/* At the end: it waits, or has been given with these positions (nothing may be waiting then). */
void swale__outbox_wait(struct swale__outbox *box, struct swale__letter *letter);
void swale__outbox_given(struct swale__outbox *box, struct swale__letter *letter, uint64_t begin, uint64_t end);

/* The first that waits has been given. */
void swale__outbox_give(struct swale__outbox *box, uint64_t begin, uint64_t end);

/* Takes out the first if it was given and ends at or before this position; else NULL. */
struct swale__letter *swale__outbox_handed(struct swale__outbox *box, uint64_t position);

/* Takes out the first of those that were given: if it begins before the position, or is not kept. */
struct swale__letter *swale__outbox_lost(struct swale__outbox *box, uint64_t position);

/* Where the first of those that were given begins that does not begin before the position; UINT64_MAX for none. */
uint64_t swale__outbox_first_behind(const struct swale__outbox *box, uint64_t position);

/* Those that were given, all of them kept, wait again, in front of the others. */
void swale__outbox_return(struct swale__outbox *box);

/* Takes out the first, whichever it is. NULL when there is none. */
struct swale__letter *swale__outbox_pop(struct swale__outbox *box);

#endif
