/* weather.c - what a seed means, and what goes wrong in its run. */
#include "sim.h"

#include <errno.h>

/* One of so many, in a row that grows. */
static uint32_t pick(struct sim *sim, const uint32_t *values, size_t count)
{
    return values[sim_roll(sim, (uint32_t)count)];
}
#define PICK(sim, ...)                                                                                               \
    pick(sim, (const uint32_t[]){ __VA_ARGS__ }, sizeof(uint32_t[]){ __VA_ARGS__ } / sizeof(uint32_t))

/* ---- Plans ------------------------------------------------------------------------------------------------------
 */

static struct swale_limits plan_limits(struct sim *sim)
{
    uint32_t ping = PICK(sim, 1000, 5000, 25000);
    uint32_t high = PICK(sim, 2000, 8000, 65536);
    return swale_limits_resolve(&(struct swale_limits){
        .handshake_ms = PICK(sim, 3000, 10000),
        .ping_after_ms = ping,
        .gone_after_ms = PICK(sim, 4000, 10000),
        .close_wait_ms = PICK(sim, 1000, 5000),
        .high_water = high,
        .max_queue = high * PICK(sim, 2, 16),
        .compress_threshold = 100,
    });
}

static void plan_size(struct sim *sim, struct plan *plan)
{
    uint32_t kind = sim_roll(sim, 500);
    if (kind == 0) {
        plan->members = 150 + sim_roll(sim, 250);
        plan->words = 3 * plan->members;
        plan->ms = 3000 + sim_roll(sim, 12000);
    } else if (kind < 20) {
        plan->members = 10 + sim_roll(sim, 40);
        plan->words = 200 + sim_roll(sim, 400);
        plan->ms = 3000 + sim_roll(sim, 20000);
    } else {
        plan->members = 1 + sim_roll(sim, 6);
        plan->words = 10 + sim_roll(sim, 150);
        plan->ms = 1000 + sim_roll(sim, 30000);
    }
    plan->talk_ms = (uint32_t)(plan->ms * plan->members / plan->words) + 1;
    plan->publish_ms = PICK(sim, 200, 1000, 4000);
}

static void plan_network(struct sim *sim, struct plan *plan)
{
    plan->shape.delay_ms = PICK(sim, 0, 0, 1, 20, 150);
    plan->shape.jitter_ms = sim_roll(sim, 2) ? plan->shape.delay_ms : 0;
    plan->shape.options.capacity = PICK(sim, 0, 0, 1, 60, 1500, 9000);
    plan->shape.options.chunk = PICK(sim, 0, 0, 0, 1, 100);
    plan->in_flight = sim_roll(sim, 3) == 0;
    if (plan->shape.options.capacity > 0 && plan->shape.options.capacity < 100) /* or a byte would take ages */
        plan->shape.delay_ms = plan->shape.jitter_ms = 0;
    bool tiny =
        (plan->shape.options.capacity > 0 && plan->shape.options.capacity < 100) || plan->shape.options.chunk == 1;
    plan->size_max = tiny ? 300 : PICK(sim, 300, 3000, 20000, PAYLOAD_MAX);
    plan->tls = sim_roll(sim, tiny ? 40 : 12) == 0; /* a handshake has thousands of bytes */
    if (tiny) {
        plan->words = plan->words / 3 + 1;
        plan->publish_ms *= 4;
    }
}

void weather_plan(struct sim *sim)
{
    struct plan *plan = &sim->plan;
    plan_size(sim, plan);
    plan_network(sim, plan);
    plan->workers = 1 + sim_roll(sim, WORKERS);
    plan->hosts = 1 + sim_roll(sim, 2);
    plan->server = plan_limits(sim);
    plan->client = plan_limits(sim);
    plan->deflate = sim_roll(sim, 10) == 0;
    plan->drain_ms = PICK(sim, 500, 2000, 10000);
    plan->max_pending = PICK(sim, 1000, 10000, 100000);
    plan->backlog = PICK(sim, 2000, 20000, 262144);
    plan->mishap_ms = PICK(sim, 0, 300, 1000, 3000);
    for (uint32_t i = 0; i < ALL_MISHAPS; i++)
        plan->mishaps |= plan->mishap_ms > 0 && sim_roll(sim, 3) == 0 ? 1u << i : 0;
}

void weather_shape(void *context, struct network_shape shapes[2])
{
    struct sim *sim = context;
    for (int i = 0; i < 2; i++) {
        shapes[i] = sim->plan.shape;
        shapes[i].options.in_flight = sim->plan.in_flight && sim_roll(sim, 2);
    }
}

/* ---- What goes wrong ----------------------------------------------------------------------------------------------
 */

static struct host *some_host(struct sim *sim)
{
    return &sim->hosts[sim_roll(sim, sim->plan.workers + sim->plan.hosts)];
}

static void act_on_members(struct sim *sim)
{
    struct member *member = &sim->members[sim_roll(sim, sim->plan.members)];
    if (sim_roll(sim, 3) == 0)
        member_crash(member);
    else
        member_hurry(member);
}

static void harm_links(struct sim *sim, enum fault fault)
{
    sim_note(sim, "harm", fault, 0);
    network_harm(&sim->network, fault, PICK(sim, 50, 300, 1000));
}

/* Some of the next allocations there fail, or one. */
static void run_short(struct sim *sim)
{
    struct test_memory *memory = sim_roll(sim, 4) == 0 ? &sim->service.hub_memory : &some_host(sim)->loop.memory;
    memory->fail_at = memory->allocations + 1 + sim_roll(sim, PICK(sim, 1, 10, 100));
    memory->fail_more = PICK(sim, 0, 0, 3, 20);
    sim_note(sim, "short", memory->fail_at, memory->fail_more);
}

static void recover_memory(struct sim *sim)
{
    sim->service.hub_memory.fail_at = 0;
    for (unsigned i = 0; i < HOSTS; i++)
        sim->hosts[i].loop.memory.fail_at = 0;
}

static void befall(struct sim *sim, enum mishap mishap)
{
    static const enum fault faults[] = { FAULT_RESET,   FAULT_END,  FAULT_HALF_OPEN,
                                         FAULT_SILENCE, FAULT_SLOW, FAULT_STALL };
    struct host *host = some_host(sim);
    switch (mishap) {
    case CLOCK_JUMPS:
        if (host->up)
            host_jump(sim, host, PICK(sim, 100, 3000, 60000, 3600000));
        break;
    case HOST_SLEEPS:
        if (host_awake(sim, host))
            host_sleep(sim, host, 1 + sim_roll(sim, PICK(sim, 100, 3000, 20000)));
        break;
    case SERVER_KILLED:
        if (sim->service.state == SERVICE_DOWN)
            break;
        service_kill(sim, sim_roll(sim, 4) > 0);
        sim->service.back_ms = sim->now_ms + sim_roll(sim, 3000);
        break;
    case SERVER_DRAINED:
        service_stop(sim);
        break;
    case DIALS_FAIL:
        sim->network.refusing = sim_roll(sim, 3) == 0;
        sim->network.silent = sim_roll(sim, 4) == 0;
        sim->network.mute = sim_roll(sim, 4) == 0;
        sim->service.unavailable = sim_roll(sim, 3) == 0;
        break;
    case MEMBERS_ACT:
        act_on_members(sim);
        break;
    case MEMORY_SHORT:
        run_short(sim);
        break;
    default:
        harm_links(sim, faults[mishap]);
        break;
    }
}

static void clear_dials(struct sim *sim)
{
    sim->network.refusing = sim->network.silent = sim->network.mute = sim->service.unavailable = false;
}

bool sim_has(const struct sim *sim, enum mishap mishap)
{
    return sim->plan.mishaps & 1u << mishap;
}

bool sim_is_weather(const struct sim *sim, int reason)
{
    return (reason <= SWALE_ERR_PEER_CLOSED && reason >= SWALE_ERR_ABORTED) || reason == SWALE_ERR_HEARTBEAT ||
           reason == SWALE_ERR_CLOSE_TIMEOUT || (reason == SWALE_ERR_TLS_TRUNCATED && sim->plan.tls) ||
           sim_lacks_memory(sim, reason);
}

bool sim_lacks_memory(const struct sim *sim, int error)
{
    return (error == -ENOMEM || error == SWALE_ERR_NO_MEMORY) && sim_has(sim, MEMORY_SHORT);
}

void weather_mishap(struct sim *sim)
{
    uint32_t mishap = sim_roll(sim, MISHAPS);
    if (sim_roll(sim, 3) == 0) /* the sun comes out */
        network_harm(&sim->network, FAULT_HEAL, 700);
    if (sim_has(sim, (enum mishap)mishap))
        befall(sim, (enum mishap)mishap);
    if (sim_has(sim, DIALS_FAIL) && sim_roll(sim, 2))
        clear_dials(sim);
}

void weather_calm(struct sim *sim)
{
    sim_note(sim, "calm", 0, 0);
    sim->talking = false;
    clear_dials(sim);
    recover_memory(sim);
    network_harm(&sim->network, FAULT_HEAL, 1000);
    for (unsigned i = 0; i < HOSTS; i++)
        if (sim->hosts[i].up && !host_awake(sim, &sim->hosts[i])) {
            sim->hosts[i].asleep_until_ms = 0;
            sim->hosts[i].jumped_ms = host_now(&sim->hosts[i]);
        }
}
