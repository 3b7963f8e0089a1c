/* Connecting by name: the name's two answers go into one race, as they come (RFC 8305 section 3). */
#include "base/memory.h"
#include "io/race.h"
#include "io/resolve.h"
#include "io/turn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* What fits into one line: "resolve ", a name, and why it failed. */
enum { TEXT_MAX = 512, WHY_MAX = 128 };

/* Of one family. */
struct query {
    struct swale__connecting *connecting;
    struct swale__lookup *lookup; /* while it is under way */
    int error;
    bool no_data;
    char why[WHY_MAX];
};

enum { V6, V4, QUERIES };

struct swale__connecting {
    struct swale__connect_options options; /* the host is in text[] */
    struct swale__address local;
    struct swale__race race;
    struct query queries[QUERIES];
    struct swale_timer patience; /* of an A answer with its AAAA */
    struct swale__work begin, end;
    bool racing;
    size_t size;
    char text[];
};

/* ---- Ending ------------------------------------------------------------------------------------------ */

static void release(struct swale__work *work)
{
    struct swale__connecting *connecting = SWALE__LIST_OWNER(work, struct swale__connecting, end);
    swale__free(swale__loop_allocator(connecting->options.loop), connecting, connecting->size);
}

/* Its memory goes at the end of the turn, since all this may happen deep within a race. */
static void finish(struct swale__connecting *connecting)
{
    struct swale_loop *loop = connecting->options.loop;
    swale__loop_forget(loop, &connecting->begin);
    swale_timer_stop(loop, &connecting->patience);
    for (int i = 0; i < QUERIES; i++)
        if (connecting->queries[i].lookup)
            swale__lookup_cancel(connecting->queries[i].lookup);
    swale__race_stop(&connecting->race);
    swale__loop_at_end(loop, &connecting->end);
}

void swale__connect_cancel(struct swale__connecting *connecting)
{
    finish(connecting);
}

static void failed(struct swale__connecting *connecting, int error, bool resolving, const char *text)
{
    finish(connecting);
    connecting->options.on_failed(connecting->options.context, error, resolving, text);
}

static void on_won(struct swale__race *race, struct swale__stream *stream)
{
    struct swale__connecting *connecting = SWALE__LIST_OWNER(race, struct swale__connecting, race);
    finish(connecting);
    connecting->options.on_connected(connecting->options.context, stream);
}

static void on_lost(struct swale__race *race, int error, const char *text)
{
    failed(SWALE__LIST_OWNER(race, struct swale__connecting, race), error, false, text);
}

static void on_note(struct swale__race *race, const char *text)
{
    struct swale__connecting *connecting = SWALE__LIST_OWNER(race, struct swale__connecting, race);
    if (connecting->options.on_note)
        connecting->options.on_note(connecting->options.context, text);
}

/* ---- Racing ------------------------------------------------------------------------------------------ */

/* Everything but the local address has been looked at: there is none of its family. */
static void fail_for_family(struct swale__connecting *connecting)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "connect to %s: no address of the local address's family",
             connecting->options.host.data);
    failed(connecting, -EAFNOSUPPORT, false, text);
}

static void run_race(struct swale__connecting *connecting)
{
    bool complete = !connecting->queries[V6].lookup && !connecting->queries[V4].lookup;
    if (complete && connecting->race.count == 0) {
        fail_for_family(connecting);
        return;
    }
    if (!connecting->racing && connecting->options.on_resolved)
        connecting->options.on_resolved(connecting->options.context);
    connecting->racing = true;
    swale_timer_stop(connecting->options.loop, &connecting->patience);
    swale__race_run(&connecting->race, complete);
}

/* ---- Resolving --------------------------------------------------------------------------------------- */

static void failed_to_resolve(struct swale__connecting *connecting, int error, const char *why)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "resolve %s: %s", connecting->options.host.data, why);
    failed(connecting, error, true, text);
}

/* Both answers are there, and neither has an address. A real failure says more than that there is none of a kind, and
 * the A answer more than the AAAA answer. */
static void conclude(struct swale__connecting *connecting)
{
    const struct query *v6 = &connecting->queries[V6], *v4 = &connecting->queries[V4];
    const struct query *telling = v4->error && (!v4->no_data || !v6->error || v6->no_data) ? v4 : v6;
    failed_to_resolve(connecting, telling->error, telling->why);
}

static void on_impatience(struct swale_timer *timer)
{
    run_race(timer->context);
}

/* RFC 8305 section 3: AAAA starts the race, or the last answer, whatever they say; A after a while. */
static void on_answer(void *context, const struct swale__answer *answer)
{
    struct query *query = context;
    struct swale__connecting *connecting = query->connecting;
    struct swale_loop *loop = connecting->options.loop;
    query->lookup = NULL;
    query->error = answer->error;
    query->no_data = answer->no_data;
    snprintf(query->why, sizeof query->why, "%s", answer->error ? answer->text : "");
    for (size_t i = 0; i < answer->count; i++)
        swale__race_add(&connecting->race, &answer->addresses[i]);
    bool last = !connecting->queries[V6].lookup && !connecting->queries[V4].lookup;
    if (last && connecting->race.count == 0)
        conclude(connecting);
    else if (connecting->racing || last || (query == &connecting->queries[V6] && answer->count > 0))
        run_race(connecting);
    else if (answer->count > 0)
        swale_timer_start(loop, &connecting->patience, swale_loop_now(loop) + SWALE__RESOLUTION_DELAY_MS);
}

/* -ENOMEM. */
static int ask(struct swale__connecting *connecting, int which)
{
    int family = which == V6 ? AF_INET6 : AF_INET;
    if (connecting->local.size > 0 && connecting->local.any.sa_family != family)
        return 0; /* no such address could be used */
    struct query *query = &connecting->queries[which];
    query->connecting = connecting;
    return swale__lookup(&query->lookup, connecting->options.resolver, connecting->options.host.data, family,
                         connecting->options.port, on_answer, query);
}

static void resolve(struct swale__connecting *connecting)
{
    assert(connecting->options.resolver);
    if (!swale__is_host_name(connecting->options.host)) {
        failed(connecting, SWALE_ERR_RESOLVE, true, "resolve: not a host name"); /* nor to be shown */
        return;
    }
    int error = ask(connecting, V6);
    if (!error)
        error = ask(connecting, V4);
    if (error)
        failed_to_resolve(connecting, error, swale_strerror(error));
}

/* ---- Beginning --------------------------------------------------------------------------------------- */

static bool parse_ip(struct swale__address *address, const char *host, uint16_t port)
{
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        address->size = sizeof address->v4;
    } else if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        address->size = sizeof address->v6;
    }
    return address->size > 0;
}

static bool parse_path(struct swale__address *address, struct swale_span path)
{
    if (path.size == 0 || path.size >= sizeof address->path.sun_path || memchr(path.data, '\0', path.size))
        return false;
    address->path.sun_family = AF_UNIX;
    memcpy(address->path.sun_path, path.data, path.size + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.size + 1);
    return true;
}

static void begin(struct swale__work *work)
{
    struct swale__connecting *connecting = SWALE__LIST_OWNER(work, struct swale__connecting, begin);
    const struct swale__connect_options *options = &connecting->options;
    struct swale__address address = { .size = 0 };
    if (options->unix_socket && !parse_path(&address, options->host)) {
        failed(connecting, SWALE_ERR_ADDRESS, false, "connect: not the path of a socket");
        return;
    }
    bool whole = strlen(options->host.data) == options->host.size; /* no NUL within */
    if (address.size == 0 && !(whole && parse_ip(&address, options->host.data, options->port))) {
        resolve(connecting);
        return;
    }
    swale__race_add(&connecting->race, &address);
    run_race(connecting);
}

static void set_up_race(struct swale__connecting *connecting)
{
    struct swale__race *race = &connecting->race;
    race->loop = connecting->options.loop;
    race->socket.user_timeout_ms = connecting->options.user_timeout_ms;
    if (connecting->options.local) {
        connecting->local = *connecting->options.local;
        race->socket.local = &connecting->local;
    }
    race->on_won = on_won;
    race->on_lost = on_lost;
    race->on_note = on_note;
}

int swale__connect(struct swale__connecting **out, const struct swale__connect_options *options)
{
    size_t size = sizeof(struct swale__connecting) + options->host.size + 1;
    struct swale__connecting *connecting = swale__alloc_zeroed(swale__loop_allocator(options->loop), size);
    if (!connecting)
        return -ENOMEM;
    connecting->size = size;
    connecting->options = *options;
    if (options->host.size > 0)
        memcpy(connecting->text, options->host.data, options->host.size);
    connecting->options.host.data = connecting->text;
    set_up_race(connecting);
    connecting->patience.fire = on_impatience;
    connecting->patience.context = connecting;
    connecting->end.run = release;
    connecting->begin.run = begin;
    swale__loop_at_next(options->loop, &connecting->begin);
    *out = connecting;
    return 0;
}
