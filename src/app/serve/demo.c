/* demo.c - the demo's endpoints. Its topics: "topic/NAME" for /topic/NAME, which anyone may publish on, and
 * "live/metrics", on which only the program does. */
#include "app/serve/demo.h"

#include "app/serve/pages.h"

#include <stdlib.h>

static const char topic_prefix[] = "topic/";
static const char live_topic[] = "live/metrics";

/* Cursors and scores are worth nothing when they are late: rather than a slow viewer, the oldest go. */
static const uint64_t lively_backlog = 16 * 1024;

/* ---- /echo ------------------------------------------------------------------------------------------ */

/* Accepts the first subprotocol offered. */
static enum swale_verdict echo_accept(struct swale_exchange *exchange)
{
    const struct swale_request *request = swale_exchange_request(exchange);
    struct swale_list_cursor cursor = { 0 };
    struct swale_span first;
    if (swale_list_next(request->fields, request->field_count, "Sec-WebSocket-Protocol", &cursor, &first) &&
        swale_exchange_subprotocol(exchange, first) < 0)
        return SWALE_REFUSE;
    return SWALE_ACCEPT;
}

/* No more is delivered while the answers wait, so a send can only fail for want of memory. */
static void echo_message(struct swale_conn *conn, const struct swale_message *message)
{
    int result = swale_conn_send(conn, message->kind, message->data.data, message->data.size);
    if (result < 0 && result != SWALE_ERR_CLOSED)
        swale_conn_fail(conn, SWALE_ERR_NO_MEMORY);
}

static const struct swale_handler echo_handler = { .on_message = echo_message };

/* ---- /topic/{name} ---------------------------------------------------------------------------------- */

/* How long a publisher is not read when a loop cannot keep up with what is published. */
enum { SLOW_DOWN_MS = 10 };

struct visitor {
    struct demo *demo;
    struct swale_conn *conn;
    struct swale_timer pause; /* runs while this publisher is held back */
    bool hears_itself;
    size_t topic_size;
    char topic[];
};

static struct swale_span visitor_topic(const struct visitor *visitor)
{
    return swale_span(visitor->topic, visitor->topic_size);
}

static struct visitor *visitor_new(struct demo *demo, struct swale_span name)
{
    size_t prefix = sizeof topic_prefix - 1;
    struct visitor *visitor = calloc(1, sizeof *visitor + prefix + name.size);
    if (!visitor)
        return NULL;
    visitor->demo = demo;
    visitor->topic_size = prefix + name.size;
    memcpy(visitor->topic, topic_prefix, prefix);
    memcpy(visitor->topic + prefix, name.data, name.size);
    return visitor;
}

static enum swale_verdict refuse(struct swale_exchange *exchange, int status, const char *text)
{
    swale_exchange_reply(exchange, status, NULL, swale_text(text));
    return SWALE_REFUSE;
}

static enum swale_verdict topic_accept(struct swale_exchange *exchange)
{
    struct demo *demo = swale_exchange_route_user(exchange);
    struct swale_span name = swale_exchange_param(exchange, "name");
    if (name.size == 0 || swale_hub_check(demo->hub, name) < 0)
        return refuse(exchange, 400, "That is not a topic name.\n");
    struct visitor *visitor = visitor_new(demo, name);
    if (!visitor)
        return refuse(exchange, 503, "Out of memory.\n");
    if (swale_hub_check(demo->hub, visitor_topic(visitor)) < 0) {
        free(visitor);
        return refuse(exchange, 400, "That topic name is too long.\n");
    }
    visitor->hears_itself = swale_span_equal(swale_exchange_query(exchange, "self"), swale_text("1"));
    swale_exchange_set_user(exchange, visitor);
    return SWALE_ACCEPT;
}

static void read_again(struct swale_timer *timer)
{
    struct visitor *visitor = timer->context;
    swale_conn_resume(visitor->conn);
}

static void topic_open(struct swale_conn *conn)
{
    struct visitor *visitor = swale_conn_user(conn);
    visitor->conn = conn;
    visitor->pause = (struct swale_timer){ .fire = read_again, .context = visitor };
    if (swale_hub_join(visitor->demo->hub, visitor_topic(visitor), swale_conn_subscriber(conn)) < 0)
        swale_conn_fail(conn, SWALE_ERR_NO_MEMORY);
}

static void slow_down(struct visitor *visitor)
{
    struct swale_loop *loop = swale_conn_loop(visitor->conn);
    swale_conn_pause(visitor->conn);
    swale_timer_start(loop, &visitor->pause, swale_loop_now(loop) + SLOW_DOWN_MS);
}

static void topic_message(struct swale_conn *conn, const struct swale_message *message)
{
    struct visitor *visitor = swale_conn_user(conn);
    struct swale_publish publish = {
        .topic = visitor_topic(visitor),
        .kind = message->kind,
        .data = message->data,
        .except = visitor->hears_itself ? 0 : swale_conn_subscriber(conn)->id,
    };
    int result = swale_hub_publish(visitor->demo->hub, &publish);
    if (result == SWALE_FULL)
        slow_down(visitor);
    else if (result < 0)
        swale_conn_close(conn, 1013, "too much is being published"); /* 1013: try again later */
}

static void topic_close(struct swale_conn *conn, const struct swale_close *close)
{
    struct visitor *visitor = swale_conn_user(conn);
    (void)close;
    swale_timer_stop(swale_conn_loop(conn), &visitor->pause);
    free(visitor);
}

static const struct swale_handler topic_handler = {
    .on_open = topic_open,
    .on_message = topic_message,
    .on_close = topic_close,
};

/* ---- /live/metrics ---------------------------------------------------------------------------------- */

enum { SNAPSHOT_MAX = 8192 };

/* The first snapshot comes at once, the others with everyone's. What such a viewer sends is ignored. */
static void live_open(struct swale_conn *conn)
{
    struct demo *demo = swale_conn_user(conn);
    char buffer[SNAPSHOT_MAX];
    struct text text;
    uint64_t lag_max_us = UINT64_MAX;
    text_init(&text, buffer, sizeof buffer);
    metrics_snapshot(demo->metrics, &lag_max_us, &text);
    if (swale_conn_send_text(conn, text.data) < 0 ||
        swale_hub_join(demo->hub, swale_text(live_topic), swale_conn_subscriber(conn)) < 0)
        swale_conn_fail(conn, SWALE_ERR_NO_MEMORY);
}

static const struct swale_handler live_handler = { .on_open = live_open };

/* ---- What happens every second ---------------------------------------------------------------------- */

/* Nobody would know what to do about a failure; the hub counts it. */
static void tell(struct demo *demo, const char *topic, const struct text *text)
{
    swale_hub_publish(demo->hub, &(struct swale_publish){ .topic = swale_text(topic),
                                                          .kind = SWALE_TEXT,
                                                          .data = swale_span(text->data, text->size) });
}

static void tell_metrics(struct demo *demo)
{
    char buffer[SNAPSHOT_MAX];
    struct text text;
    if (swale_hub_subscribers(demo->hub, swale_text(live_topic)) == 0)
        return;
    text_init(&text, buffer, sizeof buffer);
    metrics_snapshot(demo->metrics, &demo->lag_max_us, &text);
    tell(demo, live_topic, &text);
}

static void tell_scores(struct demo *demo)
{
    for (unsigned n = 0; n < SCORES_MATCHES; n++) {
        char buffer[512];
        struct text text;
        text_init(&text, buffer, sizeof buffer);
        scores_play(&demo->scores, n, &text);
        tell(demo, "topic/scores", &text);
    }
}

static void on_second(struct swale_timer *timer)
{
    struct demo *demo = timer->context;
    swale_timer_start(demo->loop, timer, swale_loop_now(demo->loop) + 1000);
    tell_metrics(demo);
    tell_scores(demo);
}

/* ---- Pages ------------------------------------------------------------------------------------------ */

static bool has_it(const struct swale_exchange *exchange, const struct page *page)
{
    struct swale_span known = swale_exchange_header(exchange, "If-None-Match");
    return known.size > 0 && memmem(known.data, known.size, page->etag, strlen(page->etag)) != NULL;
}

static void serve_page(struct swale_exchange *exchange)
{
    const struct page *page = swale_exchange_route_user(exchange);
    swale_exchange_add_field(exchange, "ETag", page->etag);
    swale_exchange_add_field(exchange, "Cache-Control", "no-cache");
    swale_exchange_add_field(exchange, "X-Content-Type-Options", "nosniff");
    swale_exchange_add_field(exchange, "Content-Security-Policy",
                             "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'");
    if (has_it(exchange, page))
        swale_exchange_reply(exchange, 304, page->type, swale_span(NULL, 0));
    else
        swale_exchange_reply(exchange, 200, page->type, swale_span(page->data, page->size));
}

static int add_page(struct swale_server *server, const char *path, const struct page *page)
{
    struct swale_route route = { .on_request = serve_page, .user = (void *)page };
    return swale_server_route(server, path, &route);
}

static int add_pages(struct swale_server *server)
{
    int error = 0;
    for (size_t n = 0; error == 0 && n < page_count; n++) {
        error = add_page(server, pages[n].path, &pages[n]);
        if (error == 0 && strcmp(pages[n].path, "/index.html") == 0)
            error = add_page(server, "/", &pages[n]);
    }
    return error;
}

/* ---- All of it -------------------------------------------------------------------------------------- */

static int add_endpoints(struct demo *demo, struct swale_server *server)
{
    const struct swale_route echo = { .handler = &echo_handler, .on_upgrade = echo_accept };
    const struct swale_route topic = {
        .handler = &topic_handler, .on_upgrade = topic_accept, .user = demo, .free_user = free
    };
    const struct swale_route live = { .handler = &live_handler, .user = demo };
    int error = swale_server_route(server, "/echo", &echo);
    if (error == 0)
        error = swale_server_route(server, "/topic/{name}", &topic);
    if (error == 0)
        error = swale_server_route(server, "/live/metrics", &live);
    return error;
}

static int configure_topics(struct swale_hub *hub)
{
    int error = swale_hub_configure(hub, swale_text("topic/cursors"), SWALE_SLOW_DROP_OLDEST, lively_backlog);
    if (error == 0)
        error = swale_hub_configure(hub, swale_text("topic/scores"), SWALE_SLOW_DROP_OLDEST, lively_backlog);
    if (error == 0)
        error = swale_hub_configure(hub, swale_text(live_topic), SWALE_SLOW_LATEST, 0);
    return error;
}

int demo_add(struct demo *demo, struct swale_server *server, struct swale_hub *hub, const struct metrics *metrics)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *demo = (struct demo){ .hub = hub, .metrics = metrics, .loop = swale_server_loop(server, 0) };
    demo->every_second = (struct swale_timer){ .fire = on_second, .context = demo };
    scores_init(&demo->scores, (uint64_t)now.tv_nsec);
    int error = add_endpoints(demo, server);
    if (error == 0)
        error = configure_topics(hub);
    if (error == 0)
        error = add_pages(server);
    if (error == 0)
        swale_timer_start(demo->loop, &demo->every_second, swale_loop_now(demo->loop) + 1000);
    return error;
}
