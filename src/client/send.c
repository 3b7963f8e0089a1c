/* send.c - messages, and what becomes of them.
 *
 *     swale_client_send --+--> connection                          without a number, where nothing may wait
 *                         +--> connection, and a note in the box   QUEUED until its bytes are with the transport
 *                         +--> the box, to wait                    QUEUED until there is a connection, with room
 *
 * While anything waits, nothing overtakes it. */
#include "client/state.h"

#include "base/apart.h"

/* ---- Telling ---------------------------------------------------------------------------------------- */

void swale__client_tell(struct swale_client *client, const struct swale__news *news)
{
    if (news->first == 0 || !client->handler->on_fate)
        return;
    for (uint64_t number = news->first; number <= news->last && !client->freed; number++)
        client->handler->on_fate(client, number, news->fate);
}

static void add_news(struct swale__news *news, uint64_t number)
{
    if (number == 0)
        return;
    if (news->first == 0)
        news->first = number;
    news->last = number;
}

static void record(struct swale_client *client, const struct swale__news *news)
{
    if (news->first != 0)
        swale__ledger_set(&client->ledger, news->first, news->last, news->fate);
}

/* ---- What the connection has done with it ------------------------------------------------------------ */

void swale__client_note_handed(struct swale_client *client)
{
    uint64_t position = swale__conn_handed(client->conn);
    struct swale__letter *letter;
    while (!client->freed && (letter = swale__outbox_handed(&client->box, position))) {
        struct swale__news news = { .fate = SWALE_FATE_WRITTEN };
        add_news(&news, letter->number);
        swale__letter_free(&client->box, letter);
        record(client, &news);
        if (news.last != 0)
            client->last_written = news.last;
        swale__client_tell(client, &news);
    }
}

static void take_lost(struct swale_client *client, uint64_t position, struct swale__news *news)
{
    struct swale__letter *letter;
    while ((letter = swale__outbox_lost(&client->box, position))) {
        add_news(&news[letter->begin < position ? 0 : 1], letter->number);
        swale__letter_free(&client->box, letter);
    }
}

/* Where nobody knows how far the bytes got, all that the transport was given is UNKNOWN, what was written long ago
 * too. */
void swale__client_settle(struct swale_client *client, bool heard, struct swale__news news[2])
{
    news[0] = (struct swale__news){ .fate = heard ? SWALE_FATE_WRITTEN : SWALE_FATE_UNKNOWN };
    news[1] = (struct swale__news){ .fate = SWALE_FATE_REFUSED };
    if (!heard && client->last_written != 0) {
        news[0].first = client->first_given;
        news[0].last = client->last_written;
    }
    take_lost(client, swale__conn_handed(client->conn), news);
    swale__outbox_return(&client->box);
    client->first_given = client->last_written = 0;
    client->close_waits = false;
    record(client, &news[0]);
    record(client, &news[1]);
}

void swale__client_refuse(struct swale_client *client, struct swale__news *news)
{
    struct swale__letter *letter;
    *news = (struct swale__news){ .fate = SWALE_FATE_REFUSED };
    while ((letter = swale__outbox_pop(&client->box))) {
        add_news(news, letter->number);
        swale__letter_free(&client->box, letter);
    }
    record(client, news);
}

/* ---- Giving ----------------------------------------------------------------------------------------- */

/* Where a message lies in what the connection has to send. */
struct place {
    uint64_t begin, end;
};

/* As swale_conn_send. The place is where it was put, if it was. */
static int give(struct swale_client *client, enum swale_kind kind, struct swale_span data, struct place *place)
{
    struct swale_conn *conn = client->conn; /* on_trace may free the client meanwhile; the memory lasts */
    place->begin = swale__conn_position(conn);
    int result = swale_conn_send(conn, kind, data.data, data.size);
    place->end = swale__conn_position(conn);
    return result;
}

static void note_given(struct swale_client *client, uint64_t number)
{
    if (client->first_given == 0)
        client->first_given = number;
}

void swale__client_feed(struct swale_client *client)
{
    struct swale__letter *letter;
    int result = 0;
    while (client->conn && result >= 0 && (letter = client->box.waiting) &&
           swale_conn_queued(client->conn) <= client->plan.config->limits.high_water) {
        struct place place;
        result = give(client, letter->kind, swale_span(letter->data, letter->size), &place);
        if (result >= 0) {
            note_given(client, letter->number);
            swale__outbox_give(&client->box, place.begin, place.end);
        }
    }
    if (client->freed)
        return;
    if (result == -ENOMEM) /* nothing would try again; a new connection does, with a fresh turn of backoff */
        swale_conn_fail(client->conn, SWALE_ERR_NO_MEMORY);
    if (client->close_waits && !client->box.waiting) {
        client->close_waits = false;
        swale__client_close_conn(client, client->close_code, client->close_text);
    }
}

void swale__client_drain(struct swale_client *client)
{
    if (!client->want_drain || client->state != SWALE_CLIENT_OPEN || !client->conn || client->box.waiting ||
        swale_conn_queued(client->conn) > client->plan.config->limits.high_water / 2)
        return;
    client->want_drain = false;
    if (client->handler->on_drain)
        client->handler->on_drain(client);
}

/* ---- Sending ---------------------------------------------------------------------------------------- */

static int want_room(struct swale_client *client, int result)
{
    if (result == SWALE_FULL || result == SWALE_ERR_QUEUE_FULL)
        client->want_drain = true;
    return result;
}

/* Refused as a whole: what does not even reach the box. */
static int check(const struct swale_client *client, enum swale_kind kind, struct swale_span data)
{
    if ((kind != SWALE_TEXT && kind != SWALE_BINARY) || (!data.data && data.size > 0))
        return SWALE_ERR_INVALID;
    if (client->tracing)
        return SWALE_ERR_STATE;
    if (client->state == SWALE_CLIENT_CLOSING)
        return SWALE_ERR_CLOSED;
    bool keep = client->plan.config->options.max_pending > 0 && client->state != SWALE_CLIENT_ENDED;
    return keep || client->state == SWALE_CLIENT_OPEN ? 0 : SWALE_ERR_NOT_CONNECTED;
}

/* What came back from a connection may have brought the box above its bound. */
static bool fits(const struct swale_client *client, size_t size)
{
    const struct swale_client_options *options = &client->plan.config->options;
    uint64_t most = options->max_pending;
    return client->box.waiting_count < options->max_pending_messages && client->box.pending <= most &&
           size <= most - client->box.pending;
}

/* Whether this goes to the box rather than to the connection. */
static bool must_wait(const struct swale_client *client)
{
    return client->state != SWALE_CLIENT_OPEN || client->box.waiting;
}

static int wait(struct swale_client *client, struct swale__letter *letter)
{
    if (!letter->kept)
        return SWALE_ERR_CLOSED; /* the connection is ending */
    if (!fits(client, letter->size))
        return SWALE_ERR_QUEUE_FULL;
    swale__outbox_wait(&client->box, letter);
    return client->state == SWALE_CLIENT_OPEN ? SWALE_FULL : 0;
}

/* The letter is in the box then, or an error is returned. */
static int post(struct swale_client *client, struct swale__letter *letter, struct swale_span data)
{
    struct place place;
    if (must_wait(client))
        return wait(client, letter);
    swale__conn_track(client->conn);
    int result = give(client, letter->kind, data, &place);
    if (result >= 0) {
        swale__outbox_given(&client->box, letter, place.begin, place.end);
        return result;
    }
    return result == SWALE_ERR_CLOSED ? wait(client, letter) : result;
}

SWALE__APART static int send_noted(struct swale_client *client, enum swale_kind kind, struct swale_span data,
                                   uint64_t *number)
{
    bool keep = client->plan.config->options.max_pending > 0;
    int error = check(client, kind, data);
    if (number)
        *number = 0;
    if (error)
        return error;
    if (!keep && !number) /* it is traced */
        return swale_conn_send(client->conn, kind, data.data, data.size);
    if (keep && must_wait(client) && !fits(client, data.size))
        return SWALE_ERR_QUEUE_FULL;
    if (number && swale__ledger_prepare(&client->ledger))
        return -ENOMEM;
    struct swale__letter *letter = swale__letter_new(&client->box, kind, data, keep);
    if (!letter)
        return -ENOMEM;
    int result = post(client, letter, data);
    if (result < 0) {
        swale__letter_free(&client->box, letter);
        return result;
    }
    if (number)
        *number = letter->number = swale__ledger_add(&client->ledger);
    if (letter->end > 0) /* it does not wait */
        note_given(client, letter->number);
    return result;
}

int swale_client_send(struct swale_client *client, enum swale_kind kind, const void *data, size_t size,
                      uint64_t *number)
{
    if (!number && client->plain && client->conn)
        return want_room(client, swale_conn_send(client->conn, kind, data, size));
    return want_room(client, send_noted(client, kind, swale_span(data, size), number));
}

enum swale_fate swale_client_fate(const struct swale_client *client, uint64_t number)
{
    return swale__ledger_get(&client->ledger, number);
}

size_t swale_client_pending(const struct swale_client *client)
{
    return (size_t)client->box.pending;
}
