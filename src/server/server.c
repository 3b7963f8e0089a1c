/* server.c - making a server, setting it up, and its life from start to end. */
#include "server/server.h"

#include "base/memory.h"
#include "server/exchange.h"
#include "server/files.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- Options ---------------------------------------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static uint64_t or_default_64(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

/* One for each core that this process may use. */
static uint32_t count_cores(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 0;
    if (count > 0)
        return (uint32_t)count;
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more cores than a cpu_set_t holds */
    return online > 0 ? (uint32_t)online : 1;
}

static struct swale_server_options resolve(const struct swale_server_options *given)
{
    struct swale_server_options options = { 0 };
    if (given)
        options = *given;
    options.limits = swale_limits_resolve(&options.limits);
    options.max_head = or_default(options.max_head, 16 * 1024);
    options.max_fields = or_default(options.max_fields, 100);
    options.max_connections = or_default_64(options.max_connections, 100000);
    options.max_connections_per_address = or_default_64(options.max_connections_per_address, 1000);
    options.drain_ms = or_default(options.drain_ms, 10000);
    options.threads = or_default(options.threads, count_cores());
    return options;
}

/* Threads, heads and fields that no machine could bear are a mistake of the caller's. */
static bool valid(const struct swale_server_options *options)
{
    enum { THREADS_MAX = 4096, HEAD_MAX = 1 << 30, FIELDS_MAX = 1 << 20 };
    for (size_t i = 0; i < options->origin_count; i++)
        if (!options->origins || !options->origins[i])
            return false;
    return options->threads <= THREADS_MAX && options->max_head <= HEAD_MAX && options->max_fields <= FIELDS_MAX;
}

static int copy_origins(struct swale__arena *arena, const char *const **origins, size_t count)
{
    if (!*origins)
        return 0;
    *origins = swale__arena_strings(arena, *origins, count);
    return *origins ? 0 : -ENOMEM;
}

/* ---- Making ----------------------------------------------------------------------------------------- */

static int add_workers(struct swale_server *server, size_t count)
{
    const struct swale_allocator *allocator = server->options.allocator;
    server->workers = swale__alloc_zeroed(allocator, count * sizeof(struct swale__worker *));
    if (!server->workers)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int error = swale__worker_new(&server->workers[i], server, i, NULL);
        if (error)
            return error;
        server->worker_count++;
    }
    return 0;
}

static void remove_workers(struct swale_server *server, size_t capacity)
{
    for (size_t i = 0; i < server->worker_count; i++)
        swale__worker_free(server->workers[i]);
    swale__free(server->options.allocator, server->workers, capacity * sizeof(struct swale__worker *));
    server->workers = NULL;
    server->worker_count = 0;
}

static int init(struct swale_server *server, const struct swale_server_options *options, const unsigned char seed[24])
{
    server->options = *options;
    server->arena.allocator = options->allocator;
    server->router.arena = &server->arena;
    server->mounts.arena = &server->arena;
    server->group_count = 1;
    memcpy(&server->first_id, seed + 16, sizeof server->first_id);
    server->first_id = server->first_id % ((uint64_t)1 << 47) + 1; /* half a group's range is left to count in */
    swale__guard_init(&server->guard, options->allocator, seed);
    server->guard.max_connections = options->max_connections;
    server->guard.max_per_address = options->max_connections_per_address;
    int error = copy_origins(&server->arena, &server->options.origins, options->origin_count);
    return error ? error : add_workers(server, options->threads);
}

/* One of them is enough: most reasons hold for all. */
static void log_backend(struct swale_server *server)
{
    struct swale_record record = { .kind = SWALE_RECORD_BACKEND, .text = swale_text("epoll") };
    for (size_t i = 0; i < server->worker_count && !record.reason; i++)
        swale_loop_backend(server->workers[i]->loop, &record.reason);
    if (record.reason)
        swale__log(server->workers[0], &record, (struct swale__about){ .stream = NULL });
}

int swale_server_new(struct swale_server **server, const struct swale_server_options *options)
{
    struct swale_server_options resolved = resolve(options);
    unsigned char seed[24];
    if (!server || !valid(&resolved))
        return SWALE_ERR_INVALID;
    if (getrandom(seed, sizeof seed, 0) != sizeof seed) /* whole, by its contract, but for the lack of a system */
        return -ENOSYS;
    struct swale_server *made = swale__alloc_zeroed(resolved.allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    int error = init(made, &resolved, seed);
    if (error) {
        swale_server_free(made);
        return error;
    }
    log_backend(made);
    *server = made;
    return 0;
}

static void close_entrances(struct swale_server *server)
{
    for (struct swale__entrance *entrance = server->entrances; entrance; entrance = entrance->next) {
        for (size_t i = 0; i < server->worker_count; i++)
            swale__door_close(&entrance->doors[i]);
        if (entrance->tls)
            swale_tls_unref(entrance->tls);
    }
    server->entrances = NULL;
}

void swale_server_free(struct swale_server *server)
{
    if (!server)
        return;
    if (server->life == SWALE__RUNNING && !server->attached) { /* not drained by the caller: then now */
        swale_server_stop(server);
        swale_server_stop(server);
        swale_server_wait(server);
    }
    const struct swale_allocator *allocator = server->options.allocator;
    close_entrances(server);
    remove_workers(server, server->attached ? 1 : server->options.threads);
    for (size_t i = 0; i < server->route_count; i++)
        if (server->routes[i]->directory >= 0)
            close(server->routes[i]->directory);
    swale__free(allocator, server->routes, server->route_count * sizeof(struct swale__route *));
    swale__guard_done(&server->guard);
    swale__arena_done(&server->arena);
    swale__free(allocator, server, sizeof *server);
}

/* ---- Routes ----------------------------------------------------------------------------------------- */

/* The methods of plain requests, as they stand in Allow: GET and HEAD where something answers them, GET alone for a
 * WebSocket endpoint, where it means the handshake (RFC 6455 section 4.1 (2)). */
static const char *allowed_methods(struct swale__arena *arena, const struct swale_route *route, bool answers)
{
    const char *own = answers ? "GET, HEAD" : "GET";
    const char *more = route->methods ? route->methods : "";
    size_t size = strlen(own) + strlen(more) + 3;
    char *methods = swale__arena_alloc(arena, size);
    if (methods)
        snprintf(methods, size, "%s%s%s", own, *more ? ", " : "", more);
    return methods;
}

/* Copies everything that the route points to. */
static int fill_route(struct swale_server *server, struct swale__route *made, const char *pattern,
                      const struct swale_route *route, int directory)
{
    struct swale__arena *arena = &server->arena;
    *made = (struct swale__route){ .options = *route, .directory = directory };
    made->deflate = route->deflate ? *route->deflate : server->options.deflate;
    made->limits = route->limits ? swale_limits_resolve(route->limits) : server->options.limits;
    made->pattern = swale__arena_copy(arena, swale_text(pattern));
    made->allow = allowed_methods(arena, route, route->on_request || directory >= 0);
    made->options.subprotocols = swale__arena_strings(arena, route->subprotocols, route->subprotocol_count);
    if (!made->pattern || !made->allow || !made->options.subprotocols)
        return -ENOMEM;
    if (!route->origins) {
        made->options.origins = server->options.origins;
        made->options.origin_count = server->options.origin_count;
        return 0;
    }
    return copy_origins(arena, &made->options.origins, route->origin_count);
}

static int add_route(struct swale_server *server, struct swale__router *router, const char *pattern,
                     const struct swale_route *route, int directory)
{
    const struct swale_allocator *allocator = server->options.allocator;
    size_t size = server->route_count * sizeof(struct swale__route *);
    struct swale__route *made = swale__arena_alloc(&server->arena, sizeof *made);
    int error = made ? fill_route(server, made, pattern, route, directory) : -ENOMEM;
    if (!error)
        error = swale__router_add(router, pattern, server->route_count);
    if (error)
        return error;
    struct swale__route **routes = swale__resize(allocator, server->routes, size, size + sizeof *routes);
    if (!routes)
        return -ENOMEM;
    server->routes = routes;
    server->routes[server->route_count++] = made;
    if (route->limits)
        made->group = server->group_count++;
    return 0;
}

/* "POST, DELETE": tokens of letters, which is what methods are. */
static bool methods_valid(const char *methods)
{
    return !methods || methods[strspn(methods, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-, ")] == '\0';
}

static bool strings_valid(const char *const *strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strings || !strings[i])
            return false;
    return true;
}

int swale_server_route(struct swale_server *server, const char *pattern, const struct swale_route *route)
{
    if (!server || !pattern || !route || (!route->handler && !route->on_request) || !methods_valid(route->methods) ||
        !strings_valid(route->subprotocols, route->subprotocol_count) ||
        !strings_valid(route->origins, route->origin_count))
        return SWALE_ERR_INVALID;
    if (server->life != SWALE__SETUP)
        return SWALE_ERR_STATE;
    return add_route(server, &server->router, pattern, route, -1);
}

int swale_server_files(struct swale_server *server, const char *prefix, const char *directory)
{
    if (!server || !prefix || !directory || prefix[0] != '/')
        return SWALE_ERR_INVALID;
    if (server->life != SWALE__SETUP)
        return SWALE_ERR_STATE;
    size_t size = strlen(prefix);
    char *pattern = swale__arena_alloc(&server->arena, size + 3);
    if (!pattern)
        return -ENOMEM;
    snprintf(pattern, size + 3, "%s%s*", prefix, prefix[size - 1] == '/' ? "" : "/");
    int opened = swale__files_open(directory);
    if (opened < 0)
        return opened;
    int error = add_route(server, &server->mounts, pattern, &(struct swale_route){ 0 }, opened);
    if (error)
        close(opened);
    return error;
}

/* ---- Listening -------------------------------------------------------------------------------------- */

static bool is_unix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

/* SO_REUSEPORT lets another server of the same user take the same port, silently. So a port that was asked for is
 * first opened without it: if that works, nobody else has it. (Whoever is quick enough to take it in between is let
 * in; that would be another Swale starting in the same microsecond.) */
static int probe(const struct swale_listen *listen)
{
    const char *colon = strrchr(listen->address, ':');
    if (colon && strcmp(colon, ":0") == 0)
        return 0;
    return swale__listen_probe(listen->address);
}

/* What the other workers open: the address as it came to be, with its port; for ":0" the port alone, because "[::]"
 * would be IPv6 only. */
static const char *resolved(const struct swale__entrance *entrance, const struct swale_listen *listen)
{
    const char *address = swale__listener_address(entrance->doors[0].listener);
    return listen->address[0] == ':' ? strrchr(address, ':') : address;
}

static int open_shared(struct swale_server *server, struct swale__entrance *entrance,
                       const struct swale_listen *listen)
{
    int error = probe(listen);
    if (!error)
        error = swale__door_open(&entrance->doors[0], listen->address, listen->backlog, true);
    for (size_t i = 1; i < server->worker_count && !error; i++)
        error = swale__door_open(&entrance->doors[i], resolved(entrance, listen), listen->backlog, true);
    return error;
}

static int open_copied(struct swale_server *server, struct swale__entrance *entrance,
                       const struct swale_listen *listen)
{
    int error = swale__door_open(&entrance->doors[0], listen->address, listen->backlog, false);
    for (size_t i = 1; i < server->worker_count && !error; i++)
        error = swale__door_copy(&entrance->doors[i], &entrance->doors[0]);
    return error;
}

static struct swale__entrance *new_entrance(struct swale_server *server, const struct swale_listen *listen)
{
    struct swale__entrance *entrance = swale__arena_alloc(&server->arena, sizeof *entrance);
    struct swale__door *doors = swale__arena_alloc(&server->arena, server->worker_count * sizeof *doors);
    if (!entrance || !doors)
        return NULL;
    *entrance = (struct swale__entrance){ .doors = doors, .tls = listen->tls };
    for (size_t i = 0; i < server->worker_count; i++)
        doors[i] = (struct swale__door){ .worker = server->workers[i], .tls = listen->tls };
    return entrance;
}

static void log_listen(struct swale_server *server, const char *address)
{
    struct swale_record record = { .kind = SWALE_RECORD_LISTEN, .address = swale_text(address) };
    swale__log(server->workers[0], &record, (struct swale__about){ .stream = NULL });
}

int swale_server_listen(struct swale_server *server, const struct swale_listen *listen)
{
    if (!server || !listen || !listen->address || listen->backlog < 0)
        return SWALE_ERR_INVALID;
    int error = server->attached ? swale_server_start(server) : 0;
    if (error || (server->life != SWALE__SETUP && (!server->attached || server->workers[0]->draining)))
        return error ? error : SWALE_ERR_STATE;
    struct swale__entrance *entrance = new_entrance(server, listen);
    if (!entrance)
        return -ENOMEM;
    bool shared = server->worker_count > 1 && !is_unix(listen->address);
    error = shared ? open_shared(server, entrance, listen) : open_copied(server, entrance, listen);
    if (!error) {
        entrance->address =
            swale__arena_copy(&server->arena, swale_text(swale__listener_address(entrance->doors[0].listener)));
        error = entrance->address ? 0 : -ENOMEM;
    }
    if (error) {
        for (size_t i = 0; i < server->worker_count; i++)
            swale__door_close(&entrance->doors[i]);
        return error;
    }
    if (entrance->tls)
        swale_tls_ref(entrance->tls);
    struct swale__entrance **last = &server->entrances;
    while (*last)
        last = &(*last)->next;
    *last = entrance;
    log_listen(server, entrance->address);
    return 0;
}

const char *swale_server_address(const struct swale_server *server, size_t n)
{
    const struct swale__entrance *entrance = server->entrances;
    while (entrance && n-- > 0)
        entrance = entrance->next;
    return entrance ? entrance->address : NULL;
}

/* ---- Running ---------------------------------------------------------------------------------------- */

static int prepare(struct swale_server *server)
{
    int error = 0;
    for (size_t i = 0; i < server->worker_count && !error; i++)
        error = swale__worker_prepare(server->workers[i]);
    for (size_t i = 0; i < server->worker_count && error; i++)
        swale__worker_unprepare(server->workers[i]);
    return error;
}

static void *run_worker(void *argument)
{
    struct swale__worker *worker = argument;
    worker->result = swale_loop_run(worker->loop);
    return NULL;
}

/* The first error with which a loop has ended, or 0. */
static int join(struct swale_server *server)
{
    int error = 0;
    for (size_t i = 0; i < server->worker_count; i++) {
        struct swale__worker *worker = server->workers[i];
        if (!worker->threaded)
            continue;
        pthread_join(worker->thread, NULL);
        worker->threaded = false;
        error = error ? error : worker->result;
    }
    return error;
}

/* A server runs whole or not at all: when one thread cannot be had, those that run already are stopped again. */
static int start_threads(struct swale_server *server)
{
    int error = 0;
    for (size_t i = 0; i < server->worker_count && !error; i++) {
        struct swale__worker *worker = server->workers[i];
        error = -pthread_create(&worker->thread, NULL, run_worker, worker);
        worker->threaded = error == 0;
    }
    if (error) {
        swale_server_stop(server);
        swale_server_stop(server);
        join(server);
        server->life = SWALE__JOINED;
    }
    return error;
}

int swale_server_start(struct swale_server *server)
{
    if (server->attached && server->life == SWALE__RUNNING)
        return 0;
    if (server->life != SWALE__SETUP)
        return SWALE_ERR_STATE;
    int error = prepare(server);
    if (error)
        return error;
    server->life = SWALE__RUNNING;
    return server->attached ? 0 : start_threads(server);
}

int swale_server_attach(struct swale_server *server, struct swale_loop *loop)
{
    if (!server || !loop)
        return SWALE_ERR_INVALID;
    if (server->life != SWALE__SETUP || server->entrances || server->attached)
        return SWALE_ERR_STATE;
    struct swale__worker **workers = swale__alloc(server->options.allocator, sizeof *workers);
    if (!workers)
        return -ENOMEM;
    int error = swale__worker_new(&workers[0], server, 0, loop);
    if (error) {
        swale__free(server->options.allocator, workers, sizeof *workers);
        return error;
    }
    remove_workers(server, server->options.threads);
    server->workers = workers;
    server->worker_count = 1;
    server->attached = true;
    return 0;
}

void swale_server_stop(struct swale_server *server)
{
    atomic_fetch_add(&server->stops, 1);
    for (size_t i = 0; i < server->worker_count; i++)
        swale__loop_ring(server->workers[i]->loop, &server->workers[i]->bell);
}

int swale_server_wait(struct swale_server *server)
{
    if (server->life == SWALE__SETUP && !server->attached)
        return SWALE_ERR_STATE;
    if (server->attached)
        return atomic_load(&server->workers[0]->drained) ? 0 : SWALE_ERR_STATE;
    server->life = SWALE__JOINED;
    return join(server);
}

int swale_server_run(struct swale_server *server)
{
    int error = swale_server_start(server);
    return error ? error : swale_server_wait(server);
}

size_t swale_server_loop_count(const struct swale_server *server)
{
    return server->worker_count;
}

struct swale_loop *swale_server_loop(const struct swale_server *server, size_t n)
{
    return n < server->worker_count ? server->workers[n]->loop : NULL;
}
