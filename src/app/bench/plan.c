#include "app/bench/plan.h"

#include <stdio.h>
#include <string.h>

typedef unsigned long long wide; /* what %llu takes */

/* 127.0.0.1 to 127.255.0.254: the last number is never 0 or 255, for the sake of those who look for networks. */
enum { LAST_NUMBERS = 254, LOOPBACK_ADDRESSES = 256 * 256 * LAST_NUMBERS };

static int refuse_descriptors(const struct bench_options *options, const struct plan_means *means, char *fault)
{
    snprintf(fault, OPTIONS_FAULT_MAX,
             "%u connections do not fit: a process may have %llu descriptors (ulimit -Hn), and there are at most %d "
             "processes",
             options->connections, (wide)means->descriptors, PLAN_WORKERS_MAX);
    return -1;
}

static int refuse_ports(const struct bench_options *options, const struct plan_means *means, char *fault)
{
    snprintf(fault, OPTIONS_FAULT_MAX,
             "%u connections do not fit: there are %llu ports (net.ipv4.ip_local_port_range) for each local address; "
             "give more of these with --local-address",
             options->connections, (wide)means->ports);
    return -1;
}

static bool ports_suffice(const struct plan *plan, const struct plan_means *means)
{
    uint64_t addresses = plan->options->local_addresses.count;
    if (!means->tcp || plan->spread)
        return true;
    return plan->options->connections <= means->ports * (addresses > 0 ? addresses : 1);
}

/* Every worker needs something to do: of fan-out, a subscriber to tell when a message has arrived. */
static uint32_t most_workers(const struct bench_options *options)
{
    uint32_t most = options->mode == BENCH_FAN_OUT ? options->subscribers : options->connections;
    return most < PLAN_WORKERS_MAX ? most : PLAN_WORKERS_MAX;
}

static uint64_t divided(uint64_t whole, uint32_t parts)
{
    return (whole + parts - 1) / parts;
}

static uint64_t largest_share(const struct bench_options *options, uint32_t workers)
{
    if (options->mode == BENCH_FAN_OUT)
        return divided(options->subscribers, workers) + divided(options->publishers, workers);
    return divided(options->connections, workers);
}

int plan_make(struct plan *plan, const struct bench_options *options, const struct plan_means *means, char *fault)
{
    uint64_t room = means->descriptors > PLAN_DESCRIPTORS ? means->descriptors - PLAN_DESCRIPTORS : 0;
    uint32_t most = most_workers(options);
    plan->options = options;
    plan->spread = means->loopback && options->local_addresses.count == 0 && options->connections > PLAN_PER_LOOPBACK;
    plan->workers = options->threads < most ? options->threads : most;
    while (plan->workers < most && largest_share(options, plan->workers) > room)
        plan->workers++;
    if (largest_share(options, plan->workers) > room)
        return refuse_descriptors(options, means, fault);
    bool fewer = options->mode == BENCH_FAN_OUT && options->publishers < plan->workers;
    plan->senders = fewer ? options->publishers : plan->workers;
    return ports_suffice(plan, means) ? 0 : refuse_ports(options, means, fault);
}

struct plan_share plan_share(uint64_t whole, uint32_t part, uint32_t parts)
{
    uint64_t rest = whole % parts;
    uint64_t each = whole / parts;
    struct plan_share share = { .first = part * each + (part < rest ? part : rest), .count = each + (part < rest) };
    return share;
}

const char *plan_local_address(const struct plan *plan, uint64_t connection, char *out)
{
    const struct option_list *given = &plan->options->local_addresses;
    if (given->count > 0)
        return given->items[connection % given->count];
    if (!plan->spread)
        return NULL;
    uint64_t number = connection / PLAN_PER_LOOPBACK % LOOPBACK_ADDRESSES;
    snprintf(out, PLAN_ADDRESS_MAX, "127.%u.%u.%u", (unsigned)(number / LAST_NUMBERS / 256),
             (unsigned)(number / LAST_NUMBERS % 256), (unsigned)(number % LAST_NUMBERS + 1));
    return out;
}
