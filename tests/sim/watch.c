/* watch.c - bounds and deadlines. What is looked at is what an onlooker can know: the network tells when an end has
 * heard or written something last. */
#include "sim.h"

enum { CONNECTION = 16384, CODEC = 400 << 10, POOLS = 3 << 20, IDLE_CONNECTION = 4096, SERVER_LINGER_MS = 1000 };

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A message of any size is taken by a queue below high water. */
static size_t queue_bound(const struct sim *sim, const struct swale_limits *limits)
{
    uint64_t one_more = limits->high_water + sim->plan.size_max;
    return (size_t)latest(limits->max_queue, one_more) + 1024;
}

/* A server that has so much to write reads no more; beside that there is what the hub may keep for one. */
static size_t server_bound(const struct sim *sim)
{
    uint64_t answers = sim->plan.server.high_water + sim->plan.size_max;
    size_t whole = queue_bound(sim, &sim->plan.server);
    size_t parts = (size_t)(answers + sim->plan.backlog + (TOPICS + 1) * PUBLICATION_MAX) + 1024;
    return parts < whole ? parts : whole;
}

/* Since when nothing is known to have happened there, that would have put a deadline off. */
static uint64_t quiet_since(const struct host *host, const struct network_view *view, uint64_t resumed_ms)
{
    uint64_t since = latest(latest(view->met_ms, view->heard_ms), latest(host->jumped_ms, resumed_ms));
    return view->pressed ? latest(since, view->wrote_ms) : since;
}

static void watch_heartbeat(struct sim *sim, const struct host *host, uint64_t since,
                            const struct swale_limits *limits)
{
    claim(sim, "heartbeat", host_now(host) <= since + limits->ping_after_ms + limits->gone_after_ms + LATE_MS);
}

/* The peer's close frame comes as late as it may, and then there is still something to be written; but `finishing`,
 * the peer has time for as long as it says something. */
static void watch_close(struct sim *sim, const struct host *host, const struct network_view *view,
                        uint64_t closing_ms, uint32_t wait_ms, bool finishing)
{
    uint64_t since = latest(closing_ms, host->jumped_ms);
    uint64_t moved = latest(since, latest(view->heard_ms, view->wrote_ms));
    claim(sim, "close wait", host_now(host) <= moved + wait_ms + LATE_MS);
    claim(sim, "close wait", finishing || host_now(host) <= since + 2 * wait_ms + LATE_MS);
}

/* ---- The server's side -------------------------------------------------------------------------------------- */

static void watch_seat(struct sim *sim, const struct host *host, const struct seat *seat)
{
    const struct swale_limits *limits = &sim->plan.server;
    const struct network_link *link = network_find(&sim->network, seat->port);
    claim(sim, "pairing", link != NULL);
    claim(sim, "queue", swale_conn_queued(seat->conn) <= server_bound(sim));
    if (!link || seat->paused)
        return;
    struct network_view view = network_look(link, NETWORK_SERVER);
    uint64_t closing = seat->closing_ms;
    if (closing == 0 && sim->service.state == SERVICE_DRAINING)
        closing = sim->service.stopped_ms[seat->worker];
    if (closing > 0)
        watch_close(sim, host, &view, closing, limits->close_wait_ms, false);
    else
        watch_heartbeat(sim, host, quiet_since(host, &view, seat->resumed_ms), limits);
}

/* Those that are not, or no more, a connection of the service's. */
static void watch_link(struct sim *sim, const struct host *host, const struct network_link *link)
{
    struct network_view view = network_look(link, NETWORK_SERVER);
    uint16_t port = network_port(link);
    const struct book *book = port < sim->book_count ? &sim->books[port] : NULL;
    if (!view.met || view.closed || view.loop != host->loop.loop)
        return;
    uint64_t since = latest(latest(view.met_ms, host->jumped_ms), view.wrote_ms);
    if (!book || book->life == 0)
        claim(sim, "handshake", host_now(host) <= since + sim->plan.server.handshake_ms + SERVER_LINGER_MS + LATE_MS);
    else if (book->server_closed_ms > 0)
        claim(sim, "linger",
              host_now(host) <=
                  latest(book->server_closed_ms, host->jumped_ms) + sim->plan.server.close_wait_ms + LATE_MS);
}

/* ---- The clients' side -------------------------------------------------------------------------------------- */

static void watch_open(struct sim *sim, const struct host *host, const struct member *member)
{
    const struct swale_limits *limits = &sim->plan.client;
    const struct network_link *link = network_find(&sim->network, member->port);
    claim(sim, "pairing", link != NULL);
    claim(sim, "queue", swale_conn_queued(swale_client_conn(member->client)) <= queue_bound(sim, limits));
    if (!link || member->resumed_ms == UINT64_MAX)
        return;
    struct network_view view = network_look(link, NETWORK_CLIENT);
    if (!member->closing)
        watch_heartbeat(sim, host, quiet_since(host, &view, member->resumed_ms), limits);
    else if (!member->behind)
        watch_close(sim, host, &view, member->closing_ms, limits->close_wait_ms, member->finishing);
}

static void watch_member(struct sim *sim, const struct host *host, const struct member *member)
{
    uint64_t now = host_now(host);
    if (member->open)
        watch_open(sim, host, member);
    else if (member->state == SWALE_CLIENT_CONNECTING)
        claim(sim, "handshake",
              now <= latest(member->trying_ms, host->jumped_ms) + sim->plan.client.handshake_ms + LATE_MS);
    else if (member->state == SWALE_CLIENT_WAITING)
        claim(sim, "retry", now <= latest(member->waiting_ms, host->jumped_ms) + member->waited_ms + LATE_MS);
    else if (member->state == SWALE_CLIENT_CLOSING)
        claim(sim, "close wait", now <= latest(member->closing_ms, host->jumped_ms) + LATE_MS);
}

/* ---- Memory --------------------------------------------------------------------------------------------------- */

static size_t ends_on(const struct sim *sim, const struct host *host)
{
    const struct network_link *link;
    size_t count = 0;
    for (size_t i = 0; (link = network_nth(&sim->network, i)); i++)
        for (int side = 0; side < 2; side++)
            count += network_look(link, (enum network_side)side).loop == host->loop.loop;
    return count;
}

static void watch_memory(struct sim *sim, const struct host *host)
{
    const struct plan *plan = &sim->plan;
    const struct swale_limits *limits = (size_t)(host - sim->hosts) < plan->workers ? &plan->server : &plan->client;
    size_t each = queue_bound(sim, limits) + 4 * plan->size_max + CONNECTION + (plan->deflate ? CODEC : 0);
    size_t clients = limits == &plan->client ? plan->members : 0;
    size_t most = host->at_rest + POOLS + ends_on(sim, host) * each +
                  clients * (2 * (plan->max_pending + queue_bound(sim, limits)) + CONNECTION);
    claim(sim, "memory", host->loop.memory.bytes <= most);
}

/* Connections that do nothing have no buffers, whatever they have been through. */
void watch_rest(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.workers; i++) {
        const struct host *host = &sim->hosts[i];
        size_t each = IDLE_CONNECTION + (sim->plan.deflate ? CODEC : 0);
        claim(sim, "memory", host->loop.memory.bytes <= host->at_rest + POOLS + ends_on(sim, host) * each);
    }
}

void watch_host(struct sim *sim, struct host *host)
{
    const struct network_link *link;
    const struct service *service = &sim->service;
    for (size_t i = 0; (link = network_nth(&sim->network, i)); i++)
        watch_link(sim, host, link);
    for (struct swale__list *node = service->seats.next; node != &service->seats; node = node->next) {
        const struct seat *seat = SWALE__LIST_OWNER(node, struct seat, node);
        if (seat->conn && seat->host == host)
            watch_seat(sim, host, seat);
    }
    for (unsigned i = 0; i < sim->plan.members; i++)
        if (sim->members[i].host == host)
            watch_member(sim, host, &sim->members[i]);
    watch_memory(sim, host);
}
