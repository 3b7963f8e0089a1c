/* world.c - hosts, time, and what is wrong. */
#include "sim.h"

#include <stdio.h>

enum { STEPS_MAX = 300000, SKEW_MAX = 100000 };

void sim_broken(struct sim *sim, const char *name, const char *what, const char *file, int line)
{
    const char *base = strrchr(file, '/');
    if (sim->broken)
        return;
    sim->broken = name;
    snprintf(sim->what, sizeof sim->what, "%s:%d at %.3f s: %s", base ? base + 1 : file, line,
             (double)(sim->now_ms - 1000000) / 1000, what);
}

/* FNV-1a, of all that happens. */
void sim_note(struct sim *sim, const char *what, uint64_t a, uint64_t b)
{
    uint64_t values[] = { sim->now_ms, a, b };
    uint64_t hash = sim->digest ^ (unsigned char)what[0] ^ (uint64_t)(unsigned char)what[1] << 8;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        hash = (hash ^ values[i]) * 0x100000001b3;
    sim->digest = hash;
    if (sim->verbose)
        printf("%10.3f %-12s %llu %llu\n", (double)(sim->now_ms - 1000000) / 1000, what, (unsigned long long)a,
               (unsigned long long)b);
}

uint32_t sim_roll(struct sim *sim, uint32_t below)
{
    return dice_roll(&sim->dice, below);
}

/* ---- Hosts ------------------------------------------------------------------------------------------------ */

static void set_clock(struct sim *sim, struct host *host)
{
    host->loop.now_ms = sim->now_ms + host->ahead_ms;
}

void host_begin(struct sim *sim, struct host *host)
{
    uint64_t ahead = sim_roll(sim, SKEW_MAX);
    *host = (struct host){ .ahead_ms = ahead };
    test_loop_init(&host->loop);
    set_clock(sim, host);
    host->up = true;
}

void host_end(struct sim *sim, struct host *host)
{
    swale_loop_free(host->loop.loop);
    sim->shortages += host->loop.memory.failed;
    claim(sim, "leak", host->loop.memory.blocks == 0);
    host->up = false;
}

uint64_t host_now(const struct host *host)
{
    return host->loop.now_ms;
}

bool host_awake(const struct sim *sim, const struct host *host)
{
    return host->up && host->asleep_until_ms <= sim->now_ms;
}

void host_jump(struct sim *sim, struct host *host, uint64_t ms)
{
    host->ahead_ms += ms;
    set_clock(sim, host);
    host->jumped_ms = (host_awake(sim, host) ? sim->now_ms : host->asleep_until_ms) + host->ahead_ms;
    sim_note(sim, "jump", (uint64_t)(host - sim->hosts), ms);
}

void host_sleep(struct sim *sim, struct host *host, uint64_t ms)
{
    host->asleep_until_ms = sim->now_ms + ms;
    host->jumped_ms = sim->now_ms + ms + host->ahead_ms;
    sim_note(sim, "sleep", (uint64_t)(host - sim->hosts), ms);
}

/* ---- Time ------------------------------------------------------------------------------------------------- */

static void set_clocks(struct sim *sim, uint64_t now_ms)
{
    sim->now_ms = sim->ether.now_ms = now_ms;
    for (unsigned i = 0; i < HOSTS; i++)
        if (sim->hosts[i].up)
            set_clock(sim, &sim->hosts[i]);
}

/* The one to be turned: of those that have something to do, by chance. SIZE_MAX: nobody has. HOSTS stands for the
 * ether. */
static size_t choose(struct sim *sim)
{
    size_t chosen = SIZE_MAX;
    uint32_t count = 0;
    for (size_t i = 0; i <= HOSTS; i++) {
        struct swale_loop *loop = i == HOSTS ? sim->ether.loop : sim->hosts[i].loop.loop;
        if (i < HOSTS && !host_awake(sim, &sim->hosts[i]))
            continue;
        if (swale_loop_wait_ms(loop) == 0 && (count++ == 0 || sim_roll(sim, count) == 0))
            chosen = i;
    }
    return chosen;
}

void sim_settle(struct sim *sim)
{
    size_t chosen;
    unsigned turns = 0;
    while ((chosen = choose(sim)) != SIZE_MAX) {
        struct host *host = chosen < HOSTS ? &sim->hosts[chosen] : NULL;
        claim(sim, "errors", swale_loop_step(host ? host->loop.loop : sim->ether.loop, 0) >= 0);
        claim(sim, "rest", ++turns < STEPS_MAX);
        sim->steps++;
        if (sim->broken)
            return;
    }
}

/* When something is to happen next. */
static uint64_t next_instant(const struct sim *sim, uint64_t until)
{
    uint64_t next = until;
    for (size_t i = 0; i <= HOSTS; i++) {
        const struct host *host = i < HOSTS ? &sim->hosts[i] : NULL;
        if (host && !host->up)
            continue;
        if (host && !host_awake(sim, host)) {
            if (host->asleep_until_ms < next)
                next = host->asleep_until_ms;
            continue;
        }
        int wait = swale_loop_wait_ms(host ? host->loop.loop : sim->ether.loop);
        if (wait >= 0 && sim->now_ms + (uint64_t)wait < next)
            next = sim->now_ms + (uint64_t)wait;
    }
    return next;
}

static void look(struct sim *sim)
{
    if (sim->now_ms < sim->watch_at_ms)
        return;
    sim->watch_at_ms = sim->now_ms + 20 + 10 * sim->plan.members;
    for (unsigned i = 0; i < HOSTS; i++)
        if (host_awake(sim, &sim->hosts[i]))
            watch_host(sim, &sim->hosts[i]);
}

void sim_pass(struct sim *sim, uint64_t ms)
{
    uint64_t until = sim->now_ms + ms;
    while (!sim->broken) {
        sim_settle(sim);
        if (sim->broken)
            return;
        look(sim);
        service_tick(sim);
        if (sim->now_ms >= until)
            return;
        set_clocks(sim, next_instant(sim, until));
    }
}
