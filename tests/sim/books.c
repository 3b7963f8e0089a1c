/* books.c - what must have happened, and what has.
 *
 * A member numbers what it says. Its connections are told apart by their ports. On each one the service must see a
 * run of these messages in order, of which none is missing but those that went another way or nowhere; no message
 * twice, whatever became of the connections; and none of which the client has said that it never left. What the
 * service acknowledges must come back in the order in which it has seen it, so that behind an acknowledgement nothing
 * is missing. What is published must come in order, to everybody who has joined before. */
#include "sim.h"

#include <stdlib.h>

/* Bytes of pings and pongs that may be on their way at any time. */
enum { CONTROLS = 256 };

/* ---- Letters ---------------------------------------------------------------------------------------------- */

/* What follows from a number is a piece of this. */
static const unsigned char *pattern(uint32_t number)
{
    static unsigned char bytes[PAYLOAD_MAX + 256];
    for (unsigned i = 0; bytes[0] == 0 && i < sizeof bytes; i++)
        bytes[sizeof bytes - 1 - i] = (unsigned char)(1 + i % 255 * 7 % 255 + i / 255 % 2);
    return bytes + number % 256;
}

void letter_write(char *out, const struct letter *letter)
{
    memcpy(out, letter, LETTER_SIZE);
    if (letter->size > LETTER_SIZE)
        memcpy(out + LETTER_SIZE, pattern(letter->number), letter->size - LETTER_SIZE);
}

bool letter_read(struct letter *letter, struct swale_span data)
{
    if (data.size < LETTER_SIZE || data.size > PAYLOAD_MAX)
        return false;
    memcpy(letter, data.data, LETTER_SIZE);
    return letter->size == data.size &&
           memcmp(data.data + LETTER_SIZE, pattern(letter->number), data.size - LETTER_SIZE) == 0;
}

struct book *book_of(struct sim *sim, uint16_t port)
{
    if (port >= sim->book_count) {
        size_t count = port + 64u;
        sim->books = realloc(sim->books, count * sizeof *sim->books);
        if (!sim->books)
            abort();
        memset(sim->books + sim->book_count, 0, (count - sim->book_count) * sizeof *sim->books);
        sim->book_count = count;
    }
    sim->books[port].used = true;
    return &sim->books[port];
}

/* ---- As it happens ---------------------------------------------------------------------------------------- */

/* Nobody may expect it on this connection. */
static bool went_elsewhere(const struct message *message, uint16_t port)
{
    if (message->seen || message->orphan || message->fate == SWALE_FATE_REFUSED)
        return true;
    return message->fate != SWALE_FATE_QUEUED && message->port != port;
}

void books_seen(struct sim *sim, const struct seat *seat, const struct letter *letter)
{
    struct member *member = &sim->members[seat->member];
    struct book *book = book_of(sim, seat->port);
    claim(sim, "content", letter->member == seat->member && letter->number < member->count);
    if (sim->broken)
        return;
    struct message *message = &member->messages[letter->number];
    claim(sim, "content", letter->size == message->size);
    claim(sim, "doubled", !message->seen);
    claim(sim, "order", letter->number >= book->next);
    claim(sim, "fates", message->fate != SWALE_FATE_REFUSED);
    claim(sim, "fates", message->fate == SWALE_FATE_QUEUED || message->orphan || message->port == seat->port);
    for (uint32_t i = book->next; i < letter->number; i++)
        claim(sim, "order", went_elsewhere(&member->messages[i], seat->port));
    message->seen = true;
    book->next = letter->number + 1;
    if (book->seen_count == book->seen_room) {
        book->seen_room = book->seen_room ? 2 * book->seen_room : 16;
        book->seen = realloc(book->seen, book->seen_room * sizeof *book->seen);
        if (!book->seen)
            abort();
    }
    book->seen[book->seen_count++] = letter->number;
}

void books_acknowledged(struct sim *sim, const struct member *member, const struct letter *letter)
{
    struct book *book = book_of(sim, member->port);
    claim(sim, "acknowledgements", letter->member == member->id);
    claim(sim, "acknowledgements",
          book->acknowledged < book->seen_count && book->seen[book->acknowledged] == letter->number);
    book->acknowledged++;
    sim->acknowledged++;
}

/* A topic whose policy drops nothing has no gaps; and whoever has joined misses nothing that comes later. */
void books_heard(struct sim *sim, const struct member *member, const struct letter *letter)
{
    struct book *book = book_of(sim, member->port);
    unsigned worker = letter->worker, topic = letter->topic;
    claim(sim, "topics", worker < sim->plan.workers && topic < TOPICS && letter->life == book->life);
    if (sim->broken)
        return;
    uint32_t *heard = &book->heard[worker][topic];
    claim(sim, "topics", book->joined[topic] && letter->number > *heard);
    if (sim_has(sim, MEMORY_SHORT)) /* the hub counts what could not be given to somebody as failed */
        (void)0;
    else if (topic == SWALE_SLOW_CLOSE && *heard > 0)
        claim(sim, "topics", letter->number == *heard + 1);
    else if (topic == SWALE_SLOW_CLOSE)
        claim(sim, "topics", letter->number <= book->joined_at[worker][topic] + 1);
    *heard = letter->number;
}

/* A fate goes one way only; and a message is UNKNOWN because its connection has ended, not before. */
void books_fate(struct sim *sim, struct member *member, uint32_t number, enum swale_fate fate)
{
    struct message *message = &member->messages[number];
    claim(sim, "fates", number < member->count && number >= member->first);
    if (sim->broken)
        return;
    if (fate == SWALE_FATE_WRITTEN)
        claim(sim, "fates", message->fate == SWALE_FATE_QUEUED && member->port != 0);
    else if (fate == SWALE_FATE_UNKNOWN)
        claim(sim, "fates",
              !member->open && (message->fate == SWALE_FATE_QUEUED ||
                                (message->fate == SWALE_FATE_WRITTEN && message->port == member->port)));
    else
        claim(sim, "fates", fate == SWALE_FATE_REFUSED && message->fate == SWALE_FATE_QUEUED && !message->seen);
    message->fate = (uint8_t)fate;
    message->port = member->port;
}

/* ---- When all is quiet ------------------------------------------------------------------------------------ */

/* All that has been published there since it joined. */
static bool has_heard(const struct sim *sim, const struct book *book, unsigned worker, unsigned topic)
{
    uint32_t published = sim->service.published[worker][topic];
    return published == book->joined_at[worker][topic] || book->heard[worker][topic] == published;
}

static bool member_content(const struct sim *sim, const struct member *member)
{
    if (!member->open || member->full || !member->client)
        return false;
    for (uint32_t i = member->floor; i < member->count; i++)
        if (member->messages[i].fate == SWALE_FATE_QUEUED)
            return false;
    const struct book *book = &sim->books[member->port];
    if (book->life != sim->service.life || book->server_closed_ms > 0) /* it has not noticed yet */
        return false;
    for (uint32_t i = book->next; i < member->count; i++)
        if (!went_elsewhere(&member->messages[i], member->port))
            return false;
    for (unsigned worker = 0; worker < sim->plan.workers; worker++)
        if (!has_heard(sim, book, worker, SWALE_SLOW_CLOSE) && !sim_has(sim, MEMORY_SHORT))
            return false;
    return book->acknowledged == book->seen_count;
}

bool books_content(const struct sim *sim)
{
    if (sim->service.state != SERVICE_UP)
        return false;
    for (unsigned i = 0; i < sim->plan.members; i++)
        if (!member_content(sim, &sim->members[i]))
            return false;
    return true;
}

bool books_heard_last(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.members; i++) {
        const struct member *member = &sim->members[i];
        if (!member->open || !has_heard(sim, &sim->books[member->port], sim->last_worker, sim->last_topic))
            return false;
    }
    return books_content(sim);
}

/* A seat whose member has left, which it has not noticed yet, may be full for long. */
static bool nobody_full(const struct sim *sim)
{
    const struct swale__list *seats = &sim->service.seats;
    for (const struct swale__list *node = seats->next; node != seats; node = node->next) {
        const struct seat *seat = SWALE__LIST_OWNER(node, struct seat, node);
        if (seat->full && !sim->books[seat->port].client_closed)
            return false;
    }
    return true;
}

/* Nobody waits for anything any more, and what has been said has come through. */
void books_judge_calm(struct sim *sim)
{
    claim(sim, "drains", nobody_full(sim));
    for (unsigned i = 0; i < sim->plan.members; i++) {
        const struct member *member = &sim->members[i];
        claim(sim, "lost", member->open && member_content(sim, member));
        if (sim->broken)
            return;
        claim(sim, "pending", swale_client_pending(member->client) == 0);
        claim(sim, "queue", swale_conn_queued(swale_client_conn(member->client)) <= CONTROLS);
    }
}

/* ---- In the end ------------------------------------------------------------------------------------------- */

/* The service has answered the member's own close frame, by its code. Its own codes are others. */
static bool was_answered(const struct book *book)
{
    return book->client_closed && book->clean && book->reason == SWALE_ERR_LOCAL_CLOSED && book->code == CLOSE_CODE;
}

/* What counts as written is read, in the end. */
static void judge_message(struct sim *sim, const struct message *message)
{
    const struct book *book = &sim->books[message->port];
    switch (message->orphan ? SWALE_FATE_FORGOTTEN : (enum swale_fate)message->fate) {
    case SWALE_FATE_QUEUED:
        claim(sim, "fates", message->fate != SWALE_FATE_QUEUED);
        break;
    case SWALE_FATE_REFUSED:
        claim(sim, "fates", !message->seen);
        break;
    case SWALE_FATE_UNKNOWN:
        claim(sim, "fates", book->client_closed && !was_answered(book));
        break;
    case SWALE_FATE_WRITTEN:
        claim(sim, "fates", was_answered(book));
        claim(sim, "lost", message->seen);
        break;
    case SWALE_FATE_FORGOTTEN:
        break;
    }
}

void books_judge_end(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.members; i++)
        for (uint32_t n = 0; n < sim->members[i].count; n++)
            judge_message(sim, &sim->members[i].messages[n]);
    for (size_t i = 0; i < sim->book_count; i++) {
        const struct book *book = &sim->books[i];
        if (book->client_open)
            claim(sim, "pairing", book->client_closed);
        if (book->finished && was_answered(book))
            claim(sim, "lost", book->acknowledged == book->seen_count);
    }
}

void books_free(struct sim *sim)
{
    for (size_t i = 0; i < sim->book_count; i++)
        free(sim->books[i].seen);
    free(sim->books);
}
