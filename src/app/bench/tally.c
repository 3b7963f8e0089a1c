#include "app/bench/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_error(struct tally *tally, const struct tally_error *error)
{
    for (uint32_t i = 0; i < tally->error_count; i++) {
        struct tally_error *known = &tally->errors[i];
        if (known->phase != error->phase || known->reason != error->reason || known->code != error->code)
            continue;
        known->count += error->count;
        return;
    }
    if (tally->error_count < TALLY_ERRORS_MAX)
        tally->errors[tally->error_count++] = *error;
    else
        tally->other_errors += error->count;
}

void tally_error(struct tally *tally, enum swale_client_phase phase, int reason, int code)
{
    add_error(tally, &(struct tally_error){ .phase = phase, .reason = reason, .code = code, .count = 1 });
}

static int more_frequent(const void *a, const void *b)
{
    uint64_t one = ((const struct tally_error *)a)->count;
    uint64_t other = ((const struct tally_error *)b)->count;
    return (one < other) - (one > other);
}

static void merge_errors(struct tally *into, const struct tally *from)
{
    for (uint32_t i = 0; i < from->error_count; i++)
        add_error(into, &from->errors[i]);
    into->other_errors += from->other_errors;
    qsort(into->errors, into->error_count, sizeof into->errors[0], more_frequent);
    if (!into->fault[0])
        memcpy(into->fault, from->fault, sizeof into->fault);
}

static void merge_connections(struct tally *into, const struct tally *from)
{
    into->opened += from->opened;
    into->failed += from->failed;
    into->lost += from->lost;
    into->open += from->open;
    into->subscribers += from->subscribers;
    into->memory += from->memory;
}

static void merge_messages(struct tally *into, const struct tally *from)
{
    into->asked += from->asked;
    into->sent += from->sent;
    into->received += from->received;
    into->arrived += from->arrived;
    into->verified += from->verified;
    into->differed += from->differed;
    into->unexpected += from->unexpected;
    into->bytes_sent += from->bytes_sent;
    into->bytes_received += from->bytes_received;
}

void tally_merge(struct tally *into, const struct tally *from)
{
    merge_connections(into, from);
    merge_messages(into, from);
    merge_errors(into, from);
    into->user_us += from->user_us;
    into->system_us += from->system_us;
    into->wall_us += from->wall_us;
    if (from->measured_ns > into->measured_ns)
        into->measured_ns = from->measured_ns;
    histogram_merge(&into->latency, &from->latency);
    histogram_merge(&into->lateness, &from->lateness);
    histogram_merge(&into->opening, &from->opening);
}

void tally_error_name(const struct tally_error *error, char *out)
{
    const char *system = error->reason < 0 && error->reason > -1000 ? strerrorname_np(-error->reason) : NULL;
    const char *name = system ? system : swale_error_name(error->reason);
    int length = snprintf(out, TALLY_NAME_MAX, "%s %s", swale_client_phase_name(error->phase), name);
    if (error->code != 0)
        snprintf(out + length, TALLY_NAME_MAX - (size_t)length, " %d", error->code);
}
