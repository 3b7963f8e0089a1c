/* serve.c - wires options, server, hub, TLS, log and signals together. */
#include "app/serve/serve.h"

#include "app/fault.h"
#include "app/serve/demo.h"
#include "app/serve/log.h"
#include "app/serve/metrics.h"
#include "app/serve/serve_options.h"
#include "app/signals.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* How long the log may take to leave when the program ends. */
enum { LOG_GRACE_MS = 1000 };

struct serve {
    struct serve_options options;
    struct swale_server *server;
    struct swale_hub *hub;
    struct swale_tls *tls;
    struct log log;
    struct metrics metrics;
    struct demo demo;
    struct signals signals;
    _Atomic bool stopping;
};

/* ---- Faults ----------------------------------------------------------------------------------------- */

#define fail(status, ...) fault_print(status, "swale serve", __VA_ARGS__)

static int failed(int error)
{
    return error == 0 ? STATUS_OK : fail(STATUS_FAILED, "%s", fault_text(error));
}

/* ---- Plain HTTP ------------------------------------------------------------------------------------- */

static void serve_health(struct swale_exchange *exchange)
{
    struct serve *serve = swale_exchange_route_user(exchange);
    bool stopping = atomic_load(&serve->stopping);
    swale_exchange_add_field(exchange, "Cache-Control", "no-store");
    swale_exchange_reply(exchange, stopping ? 503 : 200, NULL, swale_text(stopping ? "draining\n" : "ok\n"));
}

static void serve_metrics(struct swale_exchange *exchange)
{
    struct serve *serve = swale_exchange_route_user(exchange);
    char *buffer = malloc(METRICS_MAX);
    if (!buffer) {
        swale_exchange_reply(exchange, 503, NULL, swale_text("Out of memory.\n"));
        return;
    }
    struct text text;
    text_init(&text, buffer, METRICS_MAX);
    metrics_prometheus(&serve->metrics, &text);
    swale_exchange_add_field(exchange, "Cache-Control", "no-store");
    swale_exchange_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", swale_span(text.data, text.size));
    free(buffer);
}

static int add_request(struct serve *serve, const char *path, void (*on_request)(struct swale_exchange *))
{
    struct swale_route route = { .on_request = on_request, .user = serve };
    return failed(swale_server_route(serve->server, path, &route));
}

/* ---- Making everything ------------------------------------------------------------------------------ */

static int open_log(struct serve *serve)
{
    serve->log.format = serve->options.log;
    if (serve->options.log == LOG_OFF)
        return STATUS_OK;
    serve->log.sink = sink_open(STDERR_FILENO);
    return serve->log.sink ? STATUS_OK : fail(STATUS_FAILED, "the log cannot be started");
}

static int open_tls(struct serve *serve)
{
    const struct serve_options *options = &serve->options;
    size_t count = options->certificates.count;
    if (count == 0)
        return STATUS_OK;
    struct swale_tls_certificate *certificates = calloc(count, sizeof *certificates);
    if (!certificates)
        return failed(-ENOMEM);
    for (size_t n = 0; n < count; n++)
        certificates[n] = (struct swale_tls_certificate){ options->certificates.items[n], options->keys.items[n] };
    struct swale_tls_options tls = {
        .certificates = certificates,
        .certificate_count = count,
        .ca_file = options->client_ca,
        .client_auth = !options->client_ca        ? SWALE_TLS_CLIENT_NONE
                       : options->client_optional ? SWALE_TLS_CLIENT_OPTIONAL
                                                  : SWALE_TLS_CLIENT_REQUIRED,
    };
    char message[SWALE_TLS_MESSAGE_MAX];
    int error = swale_tls_server(&serve->tls, &tls, message);
    free(certificates);
    return error < 0 ? fail(STATUS_FAILED, "%s", message) : STATUS_OK;
}

static int open_server(struct serve *serve)
{
    serve->options.server.log = serve->log.sink ? log_record : NULL;
    serve->options.server.log_context = &serve->log;
    int error = swale_server_new(&serve->server, &serve->options.server);
    if (error == SWALE_ERR_INVALID)
        return fail(STATUS_USAGE, "the environment's SWALE_BACKEND names no backend");
    return failed(error);
}

static int open_hub(struct serve *serve)
{
    struct swale_hub_options options = {
        .max_topic_name = DEMO_TOPIC_MAX,
        .backlog = swale_limits_resolve(&serve->options.server.limits).max_queue,
    };
    int error = swale_hub_new(&serve->hub, &options);
    for (size_t n = 0; error == 0 && n < swale_server_loop_count(serve->server); n++)
        error = swale_hub_attach(serve->hub, swale_server_loop(serve->server, n));
    return failed(error);
}

static int add_files(struct serve *serve)
{
    const char *root = serve->options.root;
    int error = swale_server_files(serve->server, "/", root);
    return error < 0 ? fail(STATUS_FAILED, "--root: %s: %s", root, fault_text(error)) : STATUS_OK;
}

static int add_routes(struct serve *serve)
{
    const struct serve_options *options = &serve->options;
    serve->metrics.server = serve->server;
    serve->metrics.hub = serve->hub;
    serve->metrics.log = serve->log.sink;
    clock_gettime(CLOCK_REALTIME, &serve->metrics.started);
    int status = add_request(serve, "/healthz", serve_health);
    if (status == STATUS_OK && options->metrics)
        status = add_request(serve, "/metrics", serve_metrics);
    if (status == STATUS_OK && options->demo)
        status = failed(demo_add(&serve->demo, serve->server, serve->hub, &serve->metrics));
    if (status == STATUS_OK && options->root)
        status = add_files(serve);
    return status;
}

static bool is_unix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

/* The kernel lets go of a killed process's io_uring, and with it of a socket that was accepting, a moment after the
 * process has gone; whoever restarts it at once is not to be turned away for that. */
static int listen_patiently(struct swale_server *server, const struct swale_listen *listen)
{
    enum { TRIES = 10, PAUSE_MS = 50 };
    int error = swale_server_listen(server, listen);
    for (int i = 1; i < TRIES && error == -EADDRINUSE; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
        error = swale_server_listen(server, listen);
    }
    return error;
}

static int listen_on(struct serve *serve, const char *address)
{
    struct swale_listen listen = {
        .address = address,
        .backlog = (int)serve->options.backlog,
        .tls = is_unix(address) ? NULL : serve->tls, /* who can open the socket's file sits on this machine */
    };
    int error = listen_patiently(serve->server, &listen);
    if (error == SWALE_ERR_ADDRESS) {
        char quoted[OPTIONS_FAULT_MAX];
        struct text text;
        text_init(&text, quoted, sizeof quoted);
        text_put_quoted(&text, swale_text(address));
        return fail(STATUS_USAGE, "--listen: %s: not HOST:PORT or unix:PATH", quoted);
    }
    return error < 0 ? fail(STATUS_FAILED, "%s: %s", address, fault_text(error)) : STATUS_OK;
}

static int listen_everywhere(struct serve *serve)
{
    int status = STATUS_OK;
    for (size_t n = 0; status == STATUS_OK && n < serve->options.listen.count; n++)
        status = listen_on(serve, serve->options.listen.items[n]);
    return status;
}

static int set_up(struct serve *serve)
{
    static int (*const steps[])(struct serve *) = { open_log, open_tls,   open_server,
                                                    open_hub, add_routes, listen_everywhere };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int status = steps[i](serve);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The hub before the loops, which are the server's. */
static void tear_down(struct serve *serve)
{
    swale_hub_free(serve->hub);
    swale_server_free(serve->server);
    swale_tls_unref(serve->tls);
    sink_close(serve->log.sink, LOG_GRACE_MS);
}

/* ---- Running ---------------------------------------------------------------------------------------- */

static void on_stop(void *context)
{
    struct serve *serve = context;
    atomic_store(&serve->stopping, true);
    swale_server_stop(serve->server);
}

static void on_reload(void *context)
{
    struct serve *serve = context;
    char message[SWALE_TLS_MESSAGE_MAX];
    if (!serve->tls) {
        log_event(&serve->log, SWALE_RECORD_TLS, 0, "no certificates to reload");
        return;
    }
    int error = swale_tls_reload(serve->tls, message);
    log_event(&serve->log, SWALE_RECORD_TLS, error, error < 0 ? message : "certificates reloaded");
}

static const char *scheme(const struct serve *serve)
{
    return serve->tls ? "https" : "http";
}

static void print_address(const struct serve *serve, const char *address)
{
    if (is_unix(address))
        printf("swale: listening on %s\n", address);
    else
        printf("swale: listening on %s://%s/\n", scheme(serve), address);
}

/* Who listens on all addresses is reached through this machine's own. */
static void print_invitation(const struct serve *serve, const char *address)
{
    bool everywhere = strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
    printf("swale: open %s://%s%s/ in a browser\n", scheme(serve), everywhere ? "localhost" : "",
           everywhere ? strrchr(address, ':') : address);
}

static const char *first_tcp(const struct serve *serve)
{
    const char *address;
    for (size_t n = 0; (address = swale_server_address(serve->server, n)) != NULL; n++)
        if (!is_unix(address))
            return address;
    return NULL;
}

static void announce(const struct serve *serve)
{
    const char *address;
    for (size_t n = 0; (address = swale_server_address(serve->server, n)) != NULL; n++)
        print_address(serve, address);
    address = first_tcp(serve);
    if (serve->options.demo && address)
        print_invitation(serve, address);
    fflush(stdout);
}

/* The soft limit is often 1024, for programs that use select; this one does not. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct serve *serve)
{
    serve->signals = (struct signals){ .on_stop = on_stop, .on_reload = on_reload, .context = serve };
    int error = signals_start(&serve->signals);
    if (error < 0)
        return failed(error);
    error = swale_server_start(serve->server);
    if (error == 0) {
        announce(serve);
        error = swale_server_wait(serve->server);
    }
    signals_end(&serve->signals);
    return failed(error);
}

static int serve_with(struct serve *serve)
{
    if (serve->options.help) {
        serve_options_help(stdout);
        return STATUS_OK;
    }
    if (serve->options.version) {
        printf("swale %s\n", swale_version());
        return STATUS_OK;
    }
    signals_block();
    raise_descriptor_limit();
    int status = set_up(serve);
    if (status == STATUS_OK)
        status = run(serve);
    tear_down(serve);
    return status;
}

int serve_run(int count, char **arguments)
{
    static struct serve serve; /* large, and there is one */
    char fault[OPTIONS_FAULT_MAX];
    int status = serve_options_parse(&serve.options, count, arguments, fault) < 0 ? fail(STATUS_USAGE, "%s", fault)
                                                                                  : serve_with(&serve);
    serve_options_done(&serve.options);
    return status;
}
