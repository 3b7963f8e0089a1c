/* worker.c - one loop's part of the server: its doors, whom it lets in, and how it drains.
 *
 * A worker is done when it drains and `live` has come down to nothing. A descriptor that is given away counts for
 * the worker that it goes to before it is posted. The giver counts and then looks whether the receiver has `drained`;
 * the receiver says so and then looks at the count again: one of the two notices, and nothing arrives at a loop that
 * has ended.
 */
#include "base/memory.h"
#include "server/exchange.h"

#include <errno.h>

/* How many sessions at once may be spent on telling a peer that there is no room for it. */
enum { TURNED_AWAY_MAX = 64 };

/* How many more connections than the least busy worker one may have before it gives new ones away: a few, and a
 * sixteenth. The kernel spreads connections over the listeners by a hash, evenly on the whole; this mends the rest,
 * and lets most connections stay where they came, because a gift costs a wake of the other loop. */
enum { SLACK = 8, SLACK_SHARE = 16 };

/* ---- Coming and going ------------------------------------------------------------------------------- */

void swale__worker_leave(struct swale__worker *worker, struct swale__guest *guest)
{
    swale__guard_leave(&worker->server->guard, guest);
    atomic_fetch_sub(&worker->live, 1);
    swale__worker_check(worker);
}

/* No room, for `reason`. In clear text the peer is told; a TLS handshake would be too dear. */
static void turn_away(struct swale__worker *worker, struct swale__stream *stream, bool tls, int reason)
{
    struct swale__session *session;
    bool told =
        !tls && worker->turned_away < TURNED_AWAY_MAX && swale__session_new(&session, worker, stream, NULL) == 0;
    if (told) {
        worker->turned_away++;
        swale__session_refuse(session, NULL, reason);
        return;
    }
    swale__refused(worker, reason, 0, (struct swale__about){ .stream = stream });
    swale__stream_close(stream, true);
    swale__worker_leave(worker, NULL);
}

/* `live` counts the stream already. */
static void admit(struct swale__worker *worker, struct swale__stream *stream, bool tls)
{
    struct swale__session *session;
    struct swale__guest *guest;
    unsigned char address[16];
    swale__count(&worker->tally.accepted, 1);
    if (worker->draining) {
        swale__stream_close(stream, false);
        swale__worker_leave(worker, NULL);
        return;
    }
    bool known = swale__stream_address(stream, address);
    int error = swale__guard_enter(&worker->server->guard, known ? address : NULL, &guest);
    if (!error && swale__session_new(&session, worker, stream, guest) != 0) {
        swale__guard_leave(&worker->server->guard, guest);
        error = SWALE_ERR_NO_MEMORY;
    }
    if (error)
        turn_away(worker, stream, tls, error);
}

void swale__worker_arrive(struct swale__worker *worker, struct swale__stream *stream, bool tls)
{
    atomic_fetch_add(&worker->live, 1);
    admit(worker, stream, tls);
}

static void on_gone(void *context, struct swale_conn *conn, const struct swale_close *close)
{
    struct swale__worker *worker = context;
    struct swale_peer peer;
    char text[SWALE__PEER_TEXT];
    if (!worker->server->options.log) /* nobody to put the address into words for */
        return;
    swale__conn_glance(conn, &peer, text);
    struct swale_record record = {
        .kind = SWALE_RECORD_CLOSE,
        .reason = close->reason,
        .code = close->code,
        .id = swale_conn_id(conn),
        .duration_ms = swale_loop_now(worker->loop) - swale__conn_opened_ms(conn),
        .address = peer.address,
        .port = peer.port,
        .text = close->text,
    };
    swale__log(worker, &record, (struct swale__about){ .stream = NULL });
}

static void on_released(void *context, void *owner)
{
    swale__worker_leave(context, owner);
}

/* ---- Doors ------------------------------------------------------------------------------------------ */

static void on_stream(void *context, struct swale__stream *stream)
{
    const struct swale__door *door = context;
    swale__worker_arrive(door->worker, stream, door->tls != NULL);
}

static void on_error(void *context, int error)
{
    const struct swale__door *door = context;
    struct swale_record record = { .kind = SWALE_RECORD_ACCEPT, .reason = error };
    swale__count(&door->worker->tally.accept_errors, 1);
    swale__log(door->worker, &record, (struct swale__about){ .stream = NULL });
}

/* A descriptor on its way to another worker. */
struct gift {
    struct swale__door *door; /* the receiver's */
    int fd;
};

static void receive_gift(void *argument)
{
    struct gift gift = *(struct gift *)argument;
    struct swale__worker *worker = gift.door->worker;
    swale__free(worker->server->options.allocator, argument, sizeof gift);
    struct swale__open_options open = { .fd = gift.fd, .tls = gift.door->tls, .side = SWALE__ACCEPTED };
    struct swale__stream *stream;
    int error = swale__stream_open(&stream, worker->loop, &open);
    if (!error) {
        admit(worker, stream, gift.door->tls != NULL);
        return;
    }
    on_error(gift.door, error);
    swale__worker_leave(worker, NULL);
}

static struct swale__door *least_busy(const struct swale__door *door)
{
    struct swale_server *server = door->worker->server;
    struct swale__entrance *entrance = server->entrances;
    size_t mine = door->worker->index;
    while (entrance && &entrance->doors[mine] != door)
        entrance = entrance->next;
    struct swale__door *best = NULL;
    uint64_t fewest = UINT64_MAX;
    for (size_t i = 0; entrance && i < server->worker_count; i++) {
        uint64_t live = atomic_load_explicit(&server->workers[i]->live, memory_order_relaxed);
        if (live < fewest) {
            fewest = live;
            best = &entrance->doors[i];
        }
    }
    return best;
}

static bool give_away(void *context, int fd)
{
    const struct swale__door *door = context;
    const struct swale_allocator *allocator = door->worker->server->options.allocator;
    struct swale__door *to = least_busy(door);
    if (!to || to == door)
        return false;
    uint64_t mine = atomic_load_explicit(&door->worker->live, memory_order_relaxed);
    uint64_t theirs = atomic_load_explicit(&to->worker->live, memory_order_relaxed);
    if (mine <= theirs + SLACK + theirs / SLACK_SHARE)
        return false;
    struct gift *gift = swale__alloc(allocator, sizeof *gift);
    if (!gift)
        return false;
    *gift = (struct gift){ .door = to, .fd = fd };
    atomic_fetch_add(&to->worker->live, 1);
    if (!atomic_load(&to->worker->drained) && swale_loop_post(to->worker->loop, receive_gift, gift) == 0)
        return true;
    atomic_fetch_sub(&to->worker->live, 1);
    swale__loop_ring(to->worker->loop, &to->worker->bell); /* it may have been waiting for this one */
    swale__free(allocator, gift, sizeof *gift);
    return false;
}

static struct swale__listener_options door_options(struct swale__door *door)
{
    return (struct swale__listener_options){
        .tls = door->tls,
        .give_away = door->worker->server->worker_count > 1 ? give_away : NULL,
        .on_stream = on_stream,
        .on_error = on_error,
        .context = door,
    };
}

int swale__door_open(struct swale__door *door, const char *address, int backlog, bool share)
{
    struct swale__listener_options options = door_options(door);
    options.address = address;
    options.backlog = backlog;
    options.share = share;
    return swale__listen(&door->listener, door->worker->loop, &options);
}

int swale__door_copy(struct swale__door *door, const struct swale__door *original)
{
    struct swale__listener_options options = door_options(door);
    return swale__listen_copy(&door->listener, door->worker->loop, original->listener, &options);
}

void swale__door_close(struct swale__door *door)
{
    if (door->listener)
        swale__listener_close(door->listener);
    door->listener = NULL;
}

/* ---- Draining --------------------------------------------------------------------------------------- */

static void log_drain(struct swale__worker *worker, const char *text)
{
    struct swale_record record = { .kind = SWALE_RECORD_DRAIN, .text = swale_text(text) };
    const struct swale_server *server = worker->server;
    for (size_t i = 0; i < server->worker_count; i++)
        record.connections += atomic_load_explicit(&server->workers[i]->live, memory_order_relaxed);
    swale__log(worker, &record, (struct swale__about){ .stream = NULL });
}

void swale__worker_check(struct swale__worker *worker)
{
    struct swale_server *server = worker->server;
    bool waits = !worker->dropping && !swale__list_empty(&worker->exchanges);
    if (!worker->draining || waits || atomic_load(&worker->live) > 0 || atomic_load(&worker->drained))
        return;
    atomic_store(&worker->drained, true);
    if (atomic_load(&worker->live) > 0) { /* a gift, just now */
        atomic_store(&worker->drained, false);
        return;
    }
    swale_timer_stop(worker->loop, &worker->drain_timer);
    if (atomic_fetch_add(&server->drained, 1) + 1 == server->worker_count)
        log_drain(worker, "ended");
    if (!server->attached)
        swale_loop_stop(worker->loop);
}

/* The peers had their time. */
static void drop_all(struct swale__worker *worker)
{
    if (worker->dropping)
        return;
    worker->dropping = true;
    struct swale__list sessions;
    struct swale__list *link;
    swale__list_init(&sessions);
    swale__list_move(&sessions, &worker->sessions);
    while ((link = swale__list_pop(&sessions)))
        swale__session_end(SWALE__LIST_OWNER(link, struct swale__session, link), true);
    for (size_t i = 0; worker->groups && i < worker->server->group_count; i++)
        swale__conn_group_abort_all(worker->groups[i]);
    swale__worker_check(worker);
}

static void on_drain_timer(struct swale_timer *timer)
{
    drop_all(timer->context);
}

static void drain(struct swale__worker *worker)
{
    struct swale_server *server = worker->server;
    worker->draining = true;
    if (worker->index == 0)
        log_drain(worker, "began");
    for (struct swale__entrance *entrance = server->entrances; entrance; entrance = entrance->next)
        swale__door_close(&entrance->doors[worker->index]);
    struct swale__list sessions;
    struct swale__list *link;
    swale__list_init(&sessions);
    swale__list_move(&sessions, &worker->sessions);
    while ((link = swale__list_pop(&sessions))) {
        swale__list_append(&worker->sessions, link);
        swale__session_drain(SWALE__LIST_OWNER(link, struct swale__session, link));
    }
    for (size_t i = 0; worker->groups && i < server->group_count; i++)
        swale__conn_group_close_all(worker->groups[i], SWALE_ERR_DRAINING);
    if (server->options.drain_ms != SWALE_OFF)
        swale_timer_start(worker->loop, &worker->drain_timer,
                          swale_loop_now(worker->loop) + server->options.drain_ms);
    swale__worker_check(worker);
}

static void on_bell(struct swale__bell *bell)
{
    struct swale__worker *worker = SWALE__LIST_OWNER(bell, struct swale__worker, bell);
    uint32_t stops = atomic_load(&worker->server->stops);
    if (stops > 0 && !worker->draining)
        drain(worker);
    if (stops > 1)
        drop_all(worker);
    swale__worker_check(worker);
}

/* ---- Life ------------------------------------------------------------------------------------------- */

int swale__worker_new(struct swale__worker **worker, struct swale_server *server, size_t index,
                      struct swale_loop *loop)
{
    const struct swale_server_options *options = &server->options;
    struct swale__worker *made = swale__alloc_zeroed(options->allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    struct swale_loop_options loop_options = {
        .allocator = options->allocator,
        .backend = options->backend,
        .receive_buffer = options->receive_buffer,
        .clock = options->clock,
        .clock_context = options->clock_context,
    };
    made->server = server;
    made->index = index;
    made->loop = loop;
    made->owns_loop = loop == NULL;
    made->fields = swale__alloc(options->allocator, options->max_fields * sizeof *made->fields);
    int error = made->fields ? 0 : -ENOMEM;
    if (!error && !loop)
        error = swale_loop_new(&made->loop, &loop_options);
    if (error) {
        swale__free(options->allocator, made->fields, options->max_fields * sizeof *made->fields);
        swale__free(options->allocator, made, sizeof *made);
        return error;
    }
    swale__list_init(&made->sessions);
    swale__list_init(&made->exchanges);
    made->drain_timer.fire = on_drain_timer;
    made->drain_timer.context = made;
    made->bell.run = on_bell;
    swale__loop_add_bell(made->loop, &made->bell);
    *worker = made;
    return 0;
}

static int new_group(struct swale__worker *worker, size_t index, const struct swale_limits *limits)
{
    struct swale__conn_group_options options = {
        .loop = worker->loop,
        .allocator = worker->server->options.allocator,
        .limits = limits,
        .role = SWALE_SERVER,
        .counters = &worker->counters,
        .first_id =
            ((uint64_t)(worker->index * worker->server->group_count + index) << 48) + worker->server->first_id,
        .on_gone = on_gone,
        .on_released = on_released,
        .context = worker,
    };
    return swale__conn_group_new(&worker->groups[index], &options);
}

int swale__worker_prepare(struct swale__worker *worker)
{
    const struct swale_server *server = worker->server;
    worker->groups =
        swale__alloc_zeroed(server->options.allocator, server->group_count * sizeof(struct swale__conn_group *));
    if (!worker->groups)
        return -ENOMEM;
    int error = new_group(worker, 0, &server->options.limits);
    for (size_t i = 0; i < server->route_count && !error; i++)
        if (server->routes[i]->group)
            error = new_group(worker, server->routes[i]->group, &server->routes[i]->limits);
    if (error)
        swale__worker_unprepare(worker);
    return error;
}

void swale__worker_unprepare(struct swale__worker *worker)
{
    const struct swale_server *server = worker->server;
    for (size_t i = 0; worker->groups && i < server->group_count; i++)
        if (worker->groups[i])
            swale__conn_group_free(worker->groups[i]);
    swale__free(server->options.allocator, worker->groups, server->group_count * sizeof(struct swale__conn_group *));
    worker->groups = NULL;
}

/* Outside a turn, so what the sessions leave for its end can go at once. */
static void drop_sessions(struct swale__worker *worker)
{
    while (!swale__list_empty(&worker->sessions)) {
        struct swale__session *session = SWALE__LIST_OWNER(worker->sessions.next, struct swale__session, link);
        swale__session_end(session, true);
        swale__loop_forget(worker->loop, &session->end);
        session->end.run(&session->end);
    }
    while (!swale__list_empty(&worker->exchanges))
        swale__exchange_free(SWALE__LIST_OWNER(worker->exchanges.next, struct swale_exchange, link));
}

void swale__worker_free(struct swale__worker *worker)
{
    const struct swale_server_options *options = &worker->server->options;
    atomic_store(&worker->drained, true); /* nobody is to hear of an end that comes by force */
    drop_sessions(worker);
    swale__worker_unprepare(worker);
    swale_timer_stop(worker->loop, &worker->drain_timer);
    swale__loop_remove_bell(worker->loop, &worker->bell);
    if (worker->owns_loop)
        swale_loop_free(worker->loop);
    swale__free(options->allocator, worker->fields, options->max_fields * sizeof *worker->fields);
    swale__free(options->allocator, worker, sizeof *worker);
}
