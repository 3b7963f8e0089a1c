/* service.c - the server, and what it does with messages: it acknowledges them, and publishes. It is one process with
 * a worker or two, each on a host of its own, which share a hub. */
#include "sim.h"

#include "conn/state.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const topic_names[TOPICS] = { "close", "oldest", "latest" }; /* by enum swale_slow_policy */

static bool happens(struct sim *sim, enum mishap mishap, uint32_t one_in)
{
    return sim_has(sim, mishap) && sim->talking && sim_roll(sim, one_in) == 0;
}

/* ---- Publishing -------------------------------------------------------------------------------------------- */

static uint64_t someone(const struct sim *sim)
{
    const struct service *service = &sim->service;
    struct swale__list *first = service->seats.next;
    if (sim->sabotage != SABOTAGE_SKIP || first == &service->seats)
        return 0;
    const struct seat *seat = SWALE__LIST_OWNER(first, struct seat, node);
    return seat->conn ? swale_conn_id(seat->conn) : 0;
}

void service_publish(struct sim *sim, unsigned worker, unsigned topic)
{
    char bytes[PUBLICATION_MAX];
    struct service *service = &sim->service;
    uint32_t room = sim->plan.size_max < sizeof bytes ? sim->plan.size_max : (uint32_t)sizeof bytes;
    struct letter letter = { .what = 't',
                             .worker = (uint8_t)worker,
                             .topic = (uint8_t)topic,
                             .number = ++service->published[worker][topic],
                             .size = LETTER_SIZE + sim_roll(sim, room - LETTER_SIZE),
                             .life = service->life };
    letter_write(bytes, &letter);
    struct swale_publish publish = { .topic = swale_text(topic_names[topic]),
                                     .kind = SWALE_BINARY,
                                     .data = swale_span(bytes, letter.size),
                                     .except = someone(sim) };
    int result = swale_hub_publish(service->hub, &publish);
    claim(sim, "errors", result >= 0 || sim_lacks_memory(sim, result));
    sim->published++;
}

static void on_timer(struct swale_timer *timer)
{
    struct sim *sim = timer->context;
    struct service *service = &sim->service;
    unsigned worker = timer == &service->timers[0] ? 0 : 1;
    struct host *host = service->hosts[worker];
    if (sim->talking)
        for (uint32_t i = sim_roll(sim, 3); i > 0; i--)
            service_publish(sim, worker, sim_roll(sim, TOPICS));
    for (struct swale__list *node = service->seats.next; node != &service->seats; node = node->next) {
        struct seat *seat = SWALE__LIST_OWNER(node, struct seat, node);
        if (seat->worker == worker && seat->conn && seat->paused && (!sim->talking || sim_roll(sim, 4) == 0)) {
            seat->paused = false;
            seat->resumed_ms = host_now(host);
            swale_conn_resume(seat->conn);
        }
    }
    swale_timer_start(host->loop.loop, timer, host_now(host) + 1 + sim_roll(sim, 2 * sim->plan.publish_ms));
}

/* ---- What it is told --------------------------------------------------------------------------------------- */

static enum swale_verdict on_upgrade(struct swale_exchange *exchange)
{
    struct sim *sim = swale_exchange_route_user(exchange);
    struct service *service = &sim->service;
    struct swale_peer peer;
    char digits[16] = "";
    struct swale_span id = swale_exchange_param(exchange, "id");
    memcpy(digits, id.data, id.size < sizeof digits ? id.size : sizeof digits - 1);
    swale_exchange_peer(exchange, &peer);
    claim(sim, "errors", peer.port > 0 || sim_has(sim, MEMORY_SHORT)); /* without memory it stays unknown */
    if (service->unavailable || peer.port == 0 || happens(sim, REFUSALS, 8)) {
        swale_exchange_add_field(exchange, "Retry-After", "1");
        swale_exchange_reply(exchange, 503, NULL, swale_text("not now"));
        return SWALE_REFUSE;
    }
    struct seat *seat = calloc(1, sizeof *seat);
    if (!seat)
        abort();
    seat->sim = sim;
    seat->worker = swale_exchange_loop(exchange) == service->hosts[0]->loop.loop ? 0 : 1;
    seat->host = service->hosts[seat->worker];
    seat->member = (unsigned)atoi(digits);
    seat->port = peer.port;
    swale__list_append(&service->seats, &seat->node);
    swale_exchange_set_user(exchange, seat);
    return SWALE_ACCEPT;
}

static void free_seat(void *user)
{
    struct seat *seat = user;
    swale__list_remove(&seat->node);
    free(seat);
}

static void join(struct sim *sim, struct seat *seat, struct book *book)
{
    struct service *service = &sim->service;
    for (unsigned topic = 0; topic < TOPICS; topic++) {
        int result = swale_hub_join(service->hub, swale_text(topic_names[topic]), swale_conn_subscriber(seat->conn));
        if (sim_lacks_memory(sim, result)) {
            seat->closing_ms = host_now(seat->host);
            swale_conn_fail(seat->conn, SWALE_ERR_NO_MEMORY);
            return;
        }
        claim(sim, "errors", result == 0);
        book->joined[topic] = true;
        for (unsigned worker = 0; worker < WORKERS; worker++)
            book->joined_at[worker][topic] = service->published[worker][topic];
    }
}

static void on_open(struct swale_conn *conn)
{
    struct seat *seat = swale_conn_user(conn);
    struct sim *sim = seat->sim;
    struct book *book = book_of(sim, seat->port);
    claim(sim, "pairing", !seat->conn && book->server_closed_ms == 0);
    sim_note(sim, "seat", seat->port, seat->member);
    seat->conn = conn;
    seat->resumed_ms = host_now(seat->host);
    book->member = (uint16_t)seat->member;
    book->worker = seat->worker;
    book->life = sim->service.life;
    sim->service.opened++;
    join(sim, seat, book);
}

static void acknowledge(struct sim *sim, struct seat *seat, const struct letter *letter)
{
    char bytes[PAYLOAD_MAX];
    struct letter answer = *letter;
    answer.what = 'a';
    answer.size = sim_roll(sim, 4) == 0 ? letter->size : LETTER_SIZE;
    letter_write(bytes, &answer);
    int times = sim->sabotage == SABOTAGE_ECHO && sim_roll(sim, 10) == 0 ? 2 : 1;
    for (int i = 0; i < times; i++) {
        int result = swale_conn_send(seat->conn, SWALE_BINARY, bytes, answer.size);
        if (result < 0) { /* topics have filled the queue: nothing may be left out */
            claim(sim, "errors", result == SWALE_ERR_QUEUE_FULL || sim_lacks_memory(sim, result));
            seat->closing_ms = host_now(seat->host);
            swale_conn_fail(seat->conn, SWALE_ERR_SLOW_READER);
            return;
        }
        seat->full |= result == SWALE_FULL;
    }
}

void service_hang_up(struct seat *seat)
{
    struct sim *sim = seat->sim;
    if (!seat->conn || seat->closing_ms > 0)
        return;
    seat->closing_ms = host_now(seat->host);
    if (sim_roll(sim, 4) == 0)
        swale_conn_abort(seat->conn);
    else
        claim(sim, "errors",
              swale_conn_close(seat->conn, 1012, "elsewhere") == 0 || sim->service.state != SERVICE_UP);
}

static void be_busy(void *argument)
{
    struct host *host = argument;
    swale_loop_post(host->loop.loop, be_busy, host);
}

static void misbehave(struct sim *sim, struct seat *seat)
{
    static char bytes[4 * PAYLOAD_MAX];
    struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
    struct service *service = &sim->service;
    if (sim->said)
        return;
    if (sim->sabotage == SABOTAGE_HOARD || sim->sabotage == SABOTAGE_LEAK) {
        service->leak_host = seat->worker;
        service->leak_size = sim->sabotage == SABOTAGE_HOARD ? 64 << 20 : 10;
        service->leak = swale__alloc(&seat->host->loop.allocator, service->leak_size);
        sim->said = true;
    } else if (sim->sabotage == SABOTAGE_BUSY) {
        be_busy(seat->host);
        sim->said = true;
    } else if (sim->sabotage == SABOTAGE_RUDE && swale_conn_queued(seat->conn) == 0)
        for (int i = 0; i < 2; i++)
            swale__stream_write(seat->conn->stream, &part, 1);
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    struct seat *seat = swale_conn_user(conn);
    struct sim *sim = seat->sim;
    struct letter letter = { 0 };
    claim(sim, "pairing", seat->conn == conn && !seat->lost && (seat->closing_ms == 0 || seat->finishing));
    claim(sim, "content", letter_read(&letter, message->data) && letter.what == 'm');
    sim_note(sim, "seen", seat->port, letter.number);
    if (sim->broken || (sim->sabotage == SABOTAGE_DEAF && sim_roll(sim, 20) == 0))
        return;
    sim->messages++;
    books_seen(sim, seat, &letter);
    if (seat->closing_ms == 0 && (sim->sabotage != SABOTAGE_SILENT || sim_roll(sim, 20) != 0))
        acknowledge(sim, seat, &letter);
    misbehave(sim, seat);
    if (seat->closing_ms == 0 && happens(sim, HANG_UPS, 15))
        service_hang_up(seat);
    else if (!seat->paused && happens(sim, PAUSES, 50)) {
        seat->paused = true;
        swale_conn_pause(conn);
    }
}

static void on_drain(struct swale_conn *conn)
{
    struct seat *seat = swale_conn_user(conn);
    claim(seat->sim, "pairing", seat->conn == conn && seat->closing_ms == 0 && seat->full);
    seat->full = seat->sim->sabotage == SABOTAGE_UNDRAINED;
}

static bool is_weather(const struct sim *sim, int reason)
{
    return sim_is_weather(sim, reason) || reason == SWALE_ERR_SLOW_READER || reason == SWALE_ERR_DRAINING;
}

/* Nothing has come for long enough, and nothing lies there. */
static void judge_heartbeat(struct sim *sim, const struct seat *seat)
{
    const struct network_link *link = network_find(&sim->network, seat->port);
    const struct swale_limits *limits = &sim->plan.server;
    claim(sim, "valid", link != NULL);
    if (!link)
        return;
    struct network_view view = network_look(link, NETWORK_SERVER);
    claim(sim, "heartbeat",
          sim->plan.tls || host_now(seat->host) >= view.heard_ms + limits->ping_after_ms + limits->gone_after_ms);
    claim(sim, "heartbeat", view.unread == 0);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    struct seat *seat = swale_conn_user(conn);
    struct sim *sim = seat->sim;
    struct book *book = book_of(sim, seat->port);
    sim_note(sim, "left", seat->port, (uint64_t)-close->reason);
    if (sim->sabotage == SABOTAGE_UNCLOSED && !sim->said) {
        sim->said = true;
        seat->conn = NULL;
        return;
    }
    claim(sim, "pairing", seat->conn == conn);
    claim(sim, "valid", seat->lost || is_weather(sim, close->reason));
    if (close->reason == SWALE_ERR_HEARTBEAT && !seat->lost)
        judge_heartbeat(sim, seat);
    book->server_closed_ms = host_now(seat->host);
    sim->service.closed++;
    free_seat(seat);
}

/* ---- Its life ---------------------------------------------------------------------------------------------- */

static struct swale_limits real_limits(const struct sim *sim)
{
    struct swale_limits limits = sim->plan.server;
    switch (sim->sabotage) {
    case SABOTAGE_QUEUE:
        limits.high_water *= 16;
        limits.max_queue *= 16;
        break;
    case SABOTAGE_HANDSHAKE:
        limits.handshake_ms *= 4;
        break;
    case SABOTAGE_HEARTBEAT:
        limits.gone_after_ms *= 4;
        break;
    case SABOTAGE_HASTE:
        limits.gone_after_ms /= 2;
        break;
    case SABOTAGE_CLOSE_WAIT:
        limits.close_wait_ms *= 4;
        break;
    default:
        break;
    }
    return limits;
}

static void begin_worker(struct sim *sim, unsigned n)
{
    static const struct swale_handler handler = {
        .on_open = on_open, .on_message = on_message, .on_drain = on_drain, .on_close = on_close
    };
    struct service *service = &sim->service;
    struct host *host = service->hosts[n] = &sim->hosts[n];
    host_begin(sim, host);
    struct swale_server_options options = {
        .allocator = &host->loop.allocator,
        .threads = 1,
        .receive_buffer = 4096,
        .limits = real_limits(sim),
        .drain_ms = sim->sabotage == SABOTAGE_DRAIN ? 10 * sim->plan.drain_ms : sim->plan.drain_ms,
        .deflate = { .enabled = sim->plan.deflate },
    };
    struct swale_route route = { .handler = &handler, .on_upgrade = on_upgrade, .user = sim, .free_user = free_seat };
    bool good = swale_server_new(&service->servers[n], &options) == 0 &&
                swale_server_attach(service->servers[n], host->loop.loop) == 0 &&
                swale_server_route(service->servers[n], "/c/{id}", &route) == 0 &&
                swale_hub_attach(service->hub, host->loop.loop) == 0 &&
                swale_server_listen(service->servers[n],
                                    &(struct swale_listen){ .address = "server:80", .tls = sim->server_tls }) == 0;
    claim(sim, "errors", good);
    service->timers[n] = (struct swale_timer){ .fire = on_timer, .context = sim };
    on_timer(&service->timers[n]);
    host->at_rest = host->loop.memory.bytes;
}

void service_begin(struct sim *sim)
{
    struct service *service = &sim->service;
    swale__list_init(&service->seats);
    service->workers = sim->plan.workers;
    service->state = SERVICE_UP;
    service->life++;
    memset(service->published, 0, sizeof service->published);
    service->hub_memory = (struct test_memory){ 0 };
    service->hub_allocator = test_allocator(&service->hub_memory);
    struct swale_hub_options options = { .allocator = &service->hub_allocator,
                                         .backlog = sim->plan.backlog,
                                         .max_inbox = sim->sabotage == SABOTAGE_INBOX ? 1 : 0 };
    claim(sim, "errors", swale_hub_new(&service->hub, &options) == 0);
    for (unsigned topic = 0; topic < TOPICS; topic++)
        claim(sim, "errors",
              swale_hub_configure(service->hub, swale_text(topic_names[topic]), (enum swale_slow_policy)topic, 0) ==
                  0);
    bool talking = sim->talking;
    sim->talking = false; /* nobody is there to hear it */
    for (unsigned n = 0; n < service->workers; n++)
        begin_worker(sim, n);
    sim->talking = talking;
    sim_note(sim, "up", service->life, 0);
}

void service_stop(struct sim *sim)
{
    struct service *service = &sim->service;
    if (service->state != SERVICE_UP)
        return;
    service->state = SERVICE_DRAINING;
    sim_note(sim, "drain", service->life, 0);
    for (unsigned n = 0; n < service->workers; n++) {
        service->stopped_ms[n] = host_now(service->hosts[n]);
        swale_server_stop(service->servers[n]);
    }
}

/* What a process leaves to nobody: all of its memory has to be accounted for. */
static void take_down(struct sim *sim)
{
    struct service *service = &sim->service;
    for (unsigned n = 0; n < service->workers; n++) {
        swale_timer_stop(service->hosts[n]->loop.loop, &service->timers[n]);
        swale_server_free(service->servers[n]);
    }
    claim(sim, "pairing", swale__list_empty(&service->seats) && service->opened == service->closed);
    swale_hub_free(service->hub);
    sim->shortages += service->hub_memory.failed;
    for (unsigned n = 0; n < service->workers; n++)
        host_end(sim, service->hosts[n]);
    claim(sim, "leak", service->hub_memory.blocks == 0);
    service->state = SERVICE_DOWN;
    sim_note(sim, "down", service->life, 0);
}

void service_kill(struct sim *sim, bool told)
{
    struct service *service = &sim->service;
    if (service->state == SERVICE_DOWN)
        return;
    for (struct swale__list *node = service->seats.next; node != &service->seats; node = node->next)
        SWALE__LIST_OWNER(node, struct seat, node)->lost = true;
    for (unsigned n = 0; n < service->workers; n++)
        network_kill(&sim->network, service->hosts[n]->loop.loop, told);
    for (unsigned n = 0; n < service->workers; n++) {
        swale_server_stop(service->servers[n]);
        swale_server_stop(service->servers[n]);
    }
    for (int turns = 0; turns < 10; turns++)
        for (unsigned n = 0; n < service->workers; n++)
            swale_loop_step(service->hosts[n]->loop.loop, 0);
    for (unsigned n = 0; n < service->workers; n++)
        claim(sim, "drain", swale_server_wait(service->servers[n]) == 0);
    take_down(sim);
}

static bool drained(const struct service *service)
{
    for (unsigned n = 0; n < service->workers; n++)
        if (swale_server_wait(service->servers[n]) != 0)
            return false;
    return true;
}

void service_tick(struct sim *sim)
{
    struct service *service = &sim->service;
    for (unsigned n = 0; n < service->workers && service->state == SERVICE_DRAINING; n++) {
        const struct host *host = service->hosts[n];
        uint64_t since = host->jumped_ms > service->stopped_ms[n] ? host->jumped_ms : service->stopped_ms[n];
        if (host_awake(sim, host) && swale_server_wait(service->servers[n]) != 0)
            claim(sim, "drain", host_now(host) <= since + sim->plan.drain_ms + LATE_MS);
    }
    if (service->state == SERVICE_DRAINING && drained(service)) {
        take_down(sim);
        service->back_ms = service->last ? UINT64_MAX : sim->now_ms + sim_roll(sim, 3000);
    } else if (service->state == SERVICE_DOWN && sim->now_ms >= service->back_ms) {
        service_begin(sim);
    }
}

void service_end(struct sim *sim)
{
    struct service *service = &sim->service;
    service->last = true;
    service->back_ms = UINT64_MAX;
    service_stop(sim);
    if (!sim->broken)
        sim_pass(sim, sim->plan.drain_ms + 10);
    claim(sim, "drain", service->state == SERVICE_DOWN);
    service_kill(sim, true);
    while (!swale__list_empty(&service->seats))
        free_seat(SWALE__LIST_OWNER(service->seats.next, struct seat, node));
    if (service->leak)
        swale__free(&sim->hosts[service->leak_host].loop.allocator, service->leak, service->leak_size);
}
