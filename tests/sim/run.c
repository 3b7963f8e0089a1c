/* run.c - a run: everybody talks while everything goes wrong; then nothing goes wrong any more, and all must come
 * right; then everybody goes, and nothing may be left. */
#include "sim.h"

#include "seeded.h"

#include <stdio.h>
#include <stdlib.h>

/* How long it may take until all is well again: silence is noticed, a try runs out, a wait, a Retry-After. */
enum { RECOVERY_MS = 120000 };

static void on_breach(void *context, const char *text)
{
    sim_broken(context, "contract", text, "network", 0);
}

static void begin_tls(struct sim *sim)
{
    const struct swale_tls_certificate own = { .certificate_file = SIM_CERTIFICATE, .key_file = SIM_CERTIFICATE };
    const struct swale_tls_options server = { .certificates = &own, .certificate_count = 1 };
    const struct swale_tls_options client = { .ca_file = SIM_CERTIFICATE };
    claim(sim, "errors", swale_tls_server(&sim->server_tls, &server, NULL) == 0);
    claim(sim, "errors", swale_tls_client(&sim->client_tls, &client, NULL) == 0);
}

static void begin(struct sim *sim)
{
    static const enum network_trick tricks[] = {
        [SABOTAGE_DOUBLE] = TRICK_DOUBLE, [SABOTAGE_SWAP] = TRICK_SWAP,     [SABOTAGE_LOSE] = TRICK_LOSE,
        [SABOTAGE_FLIP] = TRICK_FLIP,     [SABOTAGE_FORGET] = TRICK_FORGET, [SABOTAGE_BREAK] = TRICK_BREAK,
        [SABOTAGE_TAMPER] = TRICK_TAMPER
    };
    test_loop_init(&sim->ether);
    sim->now_ms = sim->ether.now_ms;
    sim->network = (struct network){ .ether = sim->ether.loop,
                                     .dice = { sim_roll(sim, UINT32_MAX) },
                                     .shape = weather_shape,
                                     .breach = on_breach,
                                     .context = sim };
    if (sim->sabotage < sizeof tricks / sizeof *tricks)
        sim->network.trick = tricks[sim->sabotage];
    network_begin(&sim->network);
    if (sim->plan.tls)
        begin_tls(sim);
    sim->talking = true;
    sim->words = sim->plan.words;
    service_begin(sim);
    for (unsigned i = 0; i < sim->plan.hosts; i++)
        host_begin(sim, &sim->hosts[sim->plan.workers + i]);
    members_begin(sim);
    for (unsigned i = 0; i < sim->plan.hosts; i++)
        sim->hosts[sim->plan.workers + i].at_rest = sim->hosts[sim->plan.workers + i].loop.memory.bytes;
}

static void storm(struct sim *sim)
{
    uint64_t until = sim->now_ms + sim->plan.ms;
    while (sim->now_ms < until && !sim->broken) {
        uint64_t wait = until - sim->now_ms;
        if (sim->plan.mishap_ms > 0) {
            uint64_t next = 1 + sim_roll(sim, 2 * sim->plan.mishap_ms);
            wait = next < wait ? next : wait;
        }
        sim_pass(sim, wait);
        if (sim->plan.mishap_ms > 0 && !sim->broken)
            weather_mishap(sim);
    }
}

static void pass_until(struct sim *sim, bool (*condition)(const struct sim *sim), uint64_t ms)
{
    uint64_t until = sim->now_ms + ms;
    while (!sim->broken && sim->now_ms < until && !condition(sim))
        sim_pass(sim, 100);
}

/* ---- All comes right ----------------------------------------------------------------------------------------------
 */

/* A task: in a turn of that loop. */
static void say_last_word(void *argument)
{
    struct sim *sim = argument;
    service_publish(sim, sim->last_worker, sim->last_topic);
}

/* One after the other, so that nobody is slow to hear them. */
static void say_last_words(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.workers * TOPICS && sim->service.state == SERVICE_UP && !sim->broken; i++) {
        sim->last_worker = i / TOPICS;
        sim->last_topic = i % TOPICS;
        swale_loop_post(sim->service.hosts[sim->last_worker]->loop.loop, say_last_word, sim);
        sim_pass(sim, 1);
        pass_until(sim, books_heard_last, RECOVERY_MS);
        claim(sim, "topics", books_heard_last(sim));
    }
}

static void come_right(struct sim *sim)
{
    weather_calm(sim);
    pass_until(sim, books_content, RECOVERY_MS);
    if (!sim->broken)
        books_judge_calm(sim);
    say_last_words(sim);
    if (!sim->broken)
        watch_rest(sim);
}

/* ---- Everybody goes
 * ------------------------------------------------------------------------------------------------ */

/* Nobody is cut off: all are told, and have answered. */
static void judge_farewell(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.members; i++) {
        const struct book *book = &sim->books[sim->members[i].port];
        claim(sim, "drain", book->client_closed && book->clean && book->code == 1001);
    }
}

static bool nobody_open(const struct sim *sim)
{
    return sim->service.opened == sim->service.closed;
}

static void part(struct sim *sim, bool calm)
{
    if (calm && sim_roll(sim, 3) == 0 && sim->plan.shape.options.capacity == 0) {
        sim->service.last = true;
        service_stop(sim);
        pass_until(sim, nobody_open, sim->plan.drain_ms);
        sim_pass(sim, 2000);
        judge_farewell(sim);
    }
    if (sim->broken)
        return;
    members_close(sim);
    weather_calm(sim);
    pass_until(sim, members_over, 3 * (sim->plan.client.close_wait_ms + 1000));
    claim(sim, "close wait", members_over(sim));
}

static void end(struct sim *sim)
{
    if (!sim->broken)
        sim_pass(sim, 2 * sim->plan.server.close_wait_ms + 45000); /* heartbeats of those who were left alone */
    service_end(sim);
    if (!sim->broken)
        books_judge_end(sim);
    members_end(sim);
    for (unsigned i = 0; i < sim->plan.hosts; i++)
        host_end(sim, &sim->hosts[sim->plan.workers + i]);
    swale_loop_step(sim->ether.loop, 0);
    network_end(&sim->network);
    swale_tls_unref(sim->server_tls);
    swale_tls_unref(sim->client_tls);
    swale_loop_free(sim->ether.loop);
    claim(sim, "leak", sim->ether.memory.blocks == 0);
    books_free(sim);
}

/* Something that does not come from the seed. */
static uint64_t foreign(const struct sim *sim)
{
    static uint64_t count;
    return sim->sabotage == SABOTAGE_DICE ? ++count : 0;
}

bool sim_run(struct sim *sim, uint64_t seed, enum sabotage sabotage)
{
    bool verbose = sim->verbose;
    *sim = (struct sim){ .seed = seed, .sabotage = sabotage, .dice = { seed }, .verbose = verbose };
    sim->digest = 0xcbf29ce484222325;
    seeded_begin(seed + foreign(sim));
    weather_plan(sim);
    begin(sim);
    storm(sim);
    bool calm = sim_roll(sim, 5) > 0;
    if (calm)
        come_right(sim);
    if (!sim->broken)
        part(sim, calm);
    end(sim);
    return !sim->broken;
}

void sim_describe(const struct sim *sim, char *out, size_t size)
{
    const struct plan *plan = &sim->plan;
    snprintf(out, size,
             "%u clients on %u hosts, %u workers, %.1f s, mishaps %#x every %u ms, delay %u ms, window %zu, runs "
             "%zu%s%s%s",
             plan->members, plan->hosts, plan->workers, (double)plan->ms / 1000, plan->mishaps, plan->mishap_ms,
             plan->shape.delay_ms, plan->shape.options.capacity, plan->shape.options.chunk,
             plan->in_flight ? ", in flight" : "", plan->deflate ? ", compressed" : "", plan->tls ? ", TLS" : "");
}
