#include "io/race.h"

#include <errno.h>
#include <stdio.h>

/* "connect to ", an address, what the system says, and how many there were. */
enum { TEXT_MAX = SWALE__ADDRESS_TEXT_MAX + 160 };

/* ---- Which comes next -------------------------------------------------------------------------------- */

static unsigned count_family(const struct swale__race *race, int family)
{
    unsigned count = 0;
    for (unsigned i = 0; i < race->count; i++)
        count += race->racers[i].address.any.sa_family == family;
    return count;
}

void swale__race_add(struct swale__race *race, const struct swale__address *address)
{
    const struct swale__address *local = race->socket.local;
    int family = address->any.sa_family;
    if (local && family != AF_UNIX && family != local->any.sa_family)
        return;
    /* Half for each family, so that neither crowds out the other. */
    if (race->count == SWALE__ADDRESSES_MAX || count_family(race, family) == SWALE__ADDRESSES_MAX / 2)
        return;
    race->racers[race->count++] = (struct swale__racer){ .race = race, .address = *address };
}

/* RFC 8305 section 4: the families take turns, and IPv6 begins. */
static struct swale__racer *next_racer(struct swale__race *race)
{
    struct swale__racer *other = NULL;
    int wanted = race->family == AF_INET6 ? AF_INET : AF_INET6;
    for (unsigned i = 0; i < race->count; i++) {
        struct swale__racer *racer = &race->racers[i];
        if (racer->tried)
            continue;
        if (racer->address.any.sa_family == wanted)
            return racer;
        if (!other)
            other = racer;
    }
    return other;
}

/* ---- How it goes ------------------------------------------------------------------------------------- */

static bool is_lost(struct swale__race *race)
{
    return race->complete && race->under_way == 0 && !next_racer(race);
}

static int describe(char text[TEXT_MAX], const struct swale__racer *racer, int error)
{
    char address[SWALE__ADDRESS_TEXT_MAX];
    swale__address_format(&racer->address, address);
    return snprintf(text, TEXT_MAX, "connect to %s: %s", address, swale_strerror(error));
}

/* The last failure of a race is told as its outcome, the others are remarks. */
static void note_failure(struct swale__race *race, const struct swale__racer *racer, int error)
{
    char text[TEXT_MAX];
    race->last = racer;
    race->last_error = error;
    if (!race->on_note || is_lost(race))
        return;
    describe(text, racer, error);
    race->on_note(race, text);
}

static void lose(struct swale__race *race)
{
    char text[TEXT_MAX];
    int size = describe(text, race->last, race->last_error);
    if (race->count > 1)
        snprintf(text + size, sizeof text - (size_t)size, " (the last of %u addresses)", race->count);
    race->on_lost(race, race->last_error, text);
}

static void on_connected(void *context, size_t size)
{
    (void)size; /* nothing has been written: it is connected */
    struct swale__racer *racer = context;
    struct swale__race *race = racer->race;
    struct swale__stream *stream = racer->stream;
    racer->stream = NULL;
    race->under_way--;
    swale__race_stop(race);
    race->on_won(race, stream);
}

static void on_failed(void *context, int error)
{
    struct swale__racer *racer = context;
    struct swale__race *race = racer->race;
    swale__stream_close(racer->stream, true);
    racer->stream = NULL;
    race->under_way--;
    note_failure(race, racer, error);
    swale_timer_stop(race->loop, &race->next); /* RFC 8305 section 5: the next one need not wait */
    swale__race_run(race, race->complete);
}

/* No others: the stream is paused. */
static const struct swale__stream_user racer_user = { .on_written = on_connected, .on_fail = on_failed };

static int begin(struct swale__race *race, struct swale__racer *racer)
{
    char address[SWALE__ADDRESS_TEXT_MAX], text[TEXT_MAX];
    swale__address_format(&racer->address, address);
    snprintf(text, sizeof text, "trying %s", address);
    if (race->on_note)
        race->on_note(race, text);
    racer->tried = true;
    race->family = racer->address.any.sa_family;
    int error = swale__socket_connect(&racer->stream, race->loop, &racer->address, &race->socket);
    if (error) {
        racer->stream = NULL;
        return error;
    }
    race->under_way++;
    swale__stream_use(racer->stream, &racer_user, racer);
    swale_timer_start(race->loop, &race->next, swale_loop_now(race->loop) + SWALE__RACE_DELAY_MS);
    return 0;
}

static void on_time(struct swale_timer *timer)
{
    struct swale__race *race = timer->context;
    swale__race_run(race, race->complete);
}

void swale__race_run(struct swale__race *race, bool complete)
{
    race->complete = complete;
    race->next.fire = on_time;
    race->next.context = race;
    while (!swale_timer_running(&race->next)) {
        struct swale__racer *racer = next_racer(race);
        if (!racer) {
            if (is_lost(race))
                lose(race);
            return;
        }
        int error = begin(race, racer);
        if (error)
            note_failure(race, racer, error);
    }
}

void swale__race_stop(struct swale__race *race)
{
    swale_timer_stop(race->loop, &race->next);
    for (unsigned i = 0; i < race->count; i++) {
        struct swale__racer *racer = &race->racers[i];
        racer->tried = true;
        if (racer->stream)
            swale__stream_close(racer->stream, true); /* resets: nobody has said anything yet */
        racer->stream = NULL;
    }
    race->under_way = 0;
}
