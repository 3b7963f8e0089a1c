/* application.c - the routes, and what the application does with its connections. */
#include "crowd.h"

const char *const crowd_paths[ROUTES] = { "/echo", "/parts", "/context", "/wild", "/wild/parts", "/topic" };

/* What a send may say. True when it was queued. */
static bool check_sent(struct app *app, int result)
{
    if (result == SWALE_FULL)
        app->full = true;
    require(result == 0 || result == SWALE_FULL || result == SWALE_ERR_CLOSED || result == SWALE_ERR_QUEUE_FULL ||
            result == SWALE_ERR_STATE || (result == -ENOMEM && may_fail(app->world)));
    require(result != SWALE_ERR_STATE || app->part_size > 0);
    require(swale_conn_queued(app->conn) <= MAX_QUEUE + HIGH_WATER + MAX_MESSAGE);
    return result >= 0;
}

static void send_direct(struct app *app, size_t size, bool shared)
{
    int result;
    crowd_fill(crowd_payload, 'd', app->sequence, 0, size);
    if (shared) {
        struct swale_shared *message;
        if (swale_shared_new(&message, &app->world->allocator, SWALE_TEXT, crowd_payload, size) < 0)
            return;
        result = swale_conn_send_shared(app->conn, message);
        swale_shared_unref(message);
    } else {
        result = swale_conn_send(app->conn, SWALE_TEXT, crowd_payload, size);
    }
    require(result != SWALE_ERR_QUEUE_FULL || app->full);
    if (check_sent(app, result))
        app->sequence++;
}

static void send_part(struct app *app, size_t size, bool last)
{
    if (size > MAX_MESSAGE - app->part_size)
        size = MAX_MESSAGE - app->part_size;
    crowd_fill(crowd_payload, 'd', app->sequence, app->part_size, size);
    if (!check_sent(app, swale_conn_send_part(app->conn, SWALE_BINARY, crowd_payload, size, last)))
        return;
    app->part_size = last ? 0 : app->part_size + size;
    app->sequence += last;
}

struct swale_span crowd_topic(unsigned n)
{
    static const char *const names[TOPICS] = { "a", "b", "c" };
    return swale_text(names[n % TOPICS]);
}

static void publish(struct world *world, unsigned topic, size_t size)
{
    struct swale_span name = crowd_topic(topic);
    uint32_t sequence = ++world->published[topic % TOPICS];
    crowd_fill(crowd_payload, name.data[0], sequence, 0, size);
    size_t members = swale_hub_subscribers(world->hub, name);
    struct swale_publish message = { .topic = name, .kind = SWALE_BINARY, .data = swale_span(crowd_payload, size) };
    int result = swale_hub_publish(world->hub, &message);
    require(result == 0 || (result == -ENOMEM && may_fail(world)));
    if (result == 0)
        world->deliveries += members;
}

void crowd_publish(void *argument)
{
    struct world *world = argument;
    publish(world, crowd_take(world), crowd_take_size(world));
}

static void close_app(struct app *app, unsigned how)
{
    static const int reasons[] = { SWALE_ERR_MESSAGE_RATE, SWALE_ERR_SLOW_READER, SWALE_ERR_INTERNAL,
                                   SWALE_ERR_RESET,        SWALE_ERR_DRAINING,    -EPIPE };
    app->closing = true;
    if (how == 0)
        swale_conn_abort(app->conn);
    else if (how == 1)
        swale_conn_close(app->conn, 1000, "bye");
    else if (how == 2)
        swale_conn_close(app->conn, 0, NULL);
    else
        swale_conn_fail(app->conn, reasons[how % (sizeof reasons / sizeof *reasons)]);
}

static struct app *any_app(struct world *world, struct app *otherwise)
{
    struct app *app = world->apps[crowd_take(world) % APPS];
    return app && app->route >= WILD ? app : otherwise;
}

void crowd_act(struct app *app)
{
    struct world *world = app->world;
    unsigned what = crowd_take(world);
    if (what >= 128)
        app = any_app(world, app);
    switch (what % 16) {
    case 1:
        send_direct(app, crowd_take_size(world), false);
        break;
    case 2:
        send_direct(app, crowd_take_size(world), true);
        break;
    case 3:
        send_part(app, app->part_size > 0 ? crowd_take_size(world) : 5, false);
        break;
    case 4:
        send_part(app, crowd_take_size(world), true);
        break;
    case 5:
        if (swale__loop_here(world->loop))
            crowd_publish(world);
        break;
    case 6:
        swale_hub_join(world->hub, crowd_topic(crowd_take(world)), swale_conn_subscriber(app->conn));
        break;
    case 7:
        swale_hub_leave(world->hub, crowd_topic(crowd_take(world)), swale_conn_subscriber(app->conn));
        break;
    case 8:
        app->paused = true;
        swale_conn_pause(app->conn);
        break;
    case 9:
        app->paused = false;
        swale_conn_resume(app->conn);
        break;
    case 10:
        swale_conn_ping(app->conn, swale_text("ping"));
        break;
    case 11:
        close_app(app, crowd_take(world) % 8);
        break;
    case 12:
        for (int i = 0; i < 40; i++)
            send_direct(app, 500, false);
        break;
    default:
        break;
    }
}

static bool is_wild(const struct app *app)
{
    return app->route == WILD || app->route == WILD_PARTS;
}

static struct app *app_of(struct swale_conn *conn)
{
    struct app *app = swale_conn_user(conn);
    require(app->conn == conn);
    return app;
}

static void on_open(struct swale_conn *conn)
{
    struct app *app = swale_conn_user(conn);
    struct world *world = app->world;
    require(!app->conn);
    app->conn = conn;
    world->opened++;
    for (int i = 0; i < APPS; i++) {
        if (world->apps[i])
            continue;
        world->apps[i] = app;
        break;
    }
    if (is_wild(app))
        crowd_act(app);
    else if (app->route == TOPIC)
        for (unsigned i = 0; i < TOPICS; i++)
            swale_hub_join(world->hub, crowd_topic(i), swale_conn_subscriber(conn));
}

/* A good peer's echo can fail for want of memory only, and then it gets no other. */
static void echo_failed(struct app *app, int result)
{
    require(result == SWALE_ERR_CLOSED || (result == -ENOMEM && may_fail(app->world)));
    swale_conn_abort(app->conn);
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    struct app *app = app_of(conn);
    require(!app->paused && message->data.size <= MAX_MESSAGE);
    if (is_wild(app)) {
        crowd_act(app);
        return;
    }
    if (app->route == TOPIC) {
        publish(app->world, (unsigned)message->data.size, 5 + message->data.size % 3000);
        return;
    }
    int result = swale_conn_send(conn, message->kind, message->data.data, message->data.size);
    if (result < 0)
        echo_failed(app, result);
    app->full = result == SWALE_FULL;
}

static void on_part(struct swale_conn *conn, const struct swale_part *part)
{
    struct app *app = app_of(conn);
    require(!app->paused);
    if (is_wild(app)) {
        crowd_act(app);
        return;
    }
    int result = swale_conn_send_part(conn, part->kind, part->data.data, part->data.size, part->last);
    if (result < 0)
        echo_failed(app, result);
    app->full = result == SWALE_FULL;
}

static void on_drain(struct swale_conn *conn)
{
    struct app *app = app_of(conn);
    require(app->full && swale_conn_queued(conn) <= HIGH_WATER / 2);
    app->full = false;
    if (is_wild(app))
        crowd_act(app);
}

static void on_control(struct swale_conn *conn, struct swale_span data)
{
    require(data.size <= 125);
    if (is_wild(app_of(conn)))
        crowd_act(app_of(conn));
}

static void free_app(void *user)
{
    struct app *app = user;
    app->world->users--;
    free(app);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    struct app *app = app_of(conn);
    struct world *world = app->world;
    require(close->reason != 0 && (close->text.size == 0 || close->code != 1006));
    world->closed++;
    for (int i = 0; i < APPS; i++)
        if (world->apps[i] == app)
            world->apps[i] = NULL;
    app->closing = true;
    if (is_wild(app))
        crowd_act(app);
    swale_conn_set_user(conn, NULL); /* whoever calls back now is found out */
    free_app(app);
}

/* Every connection gets user data of its own. Those of /wild may have to wait for it. */
static enum swale_verdict on_upgrade(struct swale_exchange *exchange)
{
    const struct app *pattern = swale_exchange_route_user(exchange);
    struct world *world = pattern->world;
    struct app *app = crowd_copy(pattern, sizeof *app);
    world->users++;
    swale_exchange_set_user(exchange, app);
    unsigned how = is_wild(pattern) ? crowd_take(world) % 8 : 0;
    if (how == 1)
        return SWALE_REFUSE;
    for (int i = 0; how == 2 && i < HELD; i++) {
        if (world->held[i])
            continue;
        world->held[i] = exchange;
        return SWALE_LATER;
    }
    return SWALE_ACCEPT;
}

static void on_request(struct swale_exchange *exchange)
{
    struct world *world = ((struct app *)swale_exchange_route_user(exchange))->world;
    for (int i = 0; swale_exchange_query(exchange, "later").size > 0 && i < HELD; i++) {
        if (world->held[i])
            continue;
        world->held[i] = exchange;
        return;
    }
    memset(crowd_payload, 'x', sizeof crowd_payload);
    swale_exchange_reply(exchange, 200, NULL,
                         swale_span(crowd_payload, swale_exchange_query(exchange, "large").size * 9000));
}

void crowd_decide(struct world *world, unsigned n, unsigned how)
{
    struct swale_exchange *exchange = world->held[n % HELD];
    if (!exchange)
        return;
    world->held[n % HELD] = NULL;
    if (how % 3 == 0 || (how % 3 == 1 && swale_exchange_accept(exchange) == SWALE_ERR_STATE))
        swale_exchange_reply(exchange, 403, NULL, swale_text("late"));
    else if (how % 3 == 2 && swale_exchange_refuse(exchange, 0, swale_text("no")) == SWALE_ERR_STATE)
        swale_exchange_reply(exchange, 200, NULL, swale_text("late"));
}

/* ---- Routes ----------------------------------------------------------------------------------------- */

void crowd_add_routes(struct world *world, struct app patterns[ROUTES])
{
    static const struct swale_handler whole = { .on_open = on_open,
                                                .on_message = on_message,
                                                .on_drain = on_drain,
                                                .on_ping = on_control,
                                                .on_pong = on_control,
                                                .on_close = on_close };
    static const struct swale_handler parts = {
        .on_open = on_open, .on_part = on_part, .on_drain = on_drain, .on_pong = on_control, .on_close = on_close
    };
    static const struct swale_deflate_policy alone = { .enabled = true };
    static const struct swale_deflate_policy context = { .enabled = true,
                                                         .server_context_takeover = true,
                                                         .client_context_takeover = true };
    static const struct swale_deflate_policy *const policies[ROUTES] = {
        [PARTS] = &alone, [CONTEXT] = &context, [WILD] = &context, [WILD_PARTS] = &context, [TOPIC] = &alone
    };
    for (int i = 0; i < ROUTES; i++) {
        patterns[i] = (struct app){ .world = world, .route = (enum route)i };
        struct swale_route route = {
            .handler = i == PARTS || i == WILD_PARTS ? &parts : &whole,
            .on_upgrade = on_upgrade,
            .user = &patterns[i],
            .free_user = free_app,
            .deflate = policies[i],
        };
        require(swale_server_route(world->server, crowd_paths[i], &route) == 0);
    }
    struct swale_route plain = { .on_request = on_request, .user = &patterns[0] };
    require(swale_server_route(world->server, "/plain", &plain) == 0);
}
