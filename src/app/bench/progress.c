#include "app/bench/progress.h"

#include <stdio.h>
#include <unistd.h>

typedef unsigned long long wide; /* what %llu takes */

struct sums {
    uint64_t opened, failed, lost, arrived;
    int stage; /* the earliest that any worker is in */
};

static struct sums add_up(struct board *board)
{
    struct sums sums = { .stage = BOARD_DONE };
    for (uint32_t i = 0; i < board->workers; i++) {
        struct board_seat *seat = &board->seats[i];
        int stage = atomic_load(&seat->stage);
        sums.opened += atomic_load_explicit(&seat->opened, memory_order_relaxed);
        sums.failed += atomic_load_explicit(&seat->failed, memory_order_relaxed);
        sums.lost += atomic_load_explicit(&seat->lost, memory_order_relaxed);
        sums.arrived += atomic_load_explicit(&seat->arrived, memory_order_relaxed);
        if (stage < sums.stage)
            sums.stage = stage;
    }
    return sums;
}

void progress_init(struct progress *progress, const struct plan *plan, struct board *board)
{
    *progress = (struct progress){ .plan = plan, .board = board, .shown = isatty(STDERR_FILENO) };
}

static int put_running(struct progress *progress, const struct sums *sums, uint64_t now, char *out)
{
    const struct bench_options *options = progress->plan->options;
    double elapsed = (double)(now - progress->started) / 1e9;
    double warm_up = options->warm_up_ms / 1e3;
    double since = (double)(now - progress->last) / 1e9;
    double rate = since > 0 ? (double)(sums->arrived - progress->arrived) / since : 0;
    if (options->count)
        return snprintf(out, PROGRESS_MAX, "%llu of %llu done", (wide)sums->arrived, (wide)options->count);
    if (elapsed < warm_up)
        return snprintf(out, PROGRESS_MAX, "warming up: %.1f of %.3g s", elapsed, warm_up);
    int length = snprintf(out, PROGRESS_MAX, "%.1f of %.3g s", elapsed - warm_up, options->duration_ms / 1e3);
    if (options->mode == BENCH_STORM)
        length += snprintf(out + length, PROGRESS_MAX - (size_t)length, ": %.0f handshakes/s, %llu failed", rate,
                           (wide)sums->failed);
    else if (options->mode != BENCH_IDLE)
        length += snprintf(out + length, PROGRESS_MAX - (size_t)length, ": %.0f messages/s", rate);
    return length;
}

static int put_stage(struct progress *progress, const struct sums *sums, uint64_t now, char *out)
{
    if (sums->stage >= BOARD_SENT)
        return snprintf(out, PROGRESS_MAX, "waiting for what is still to come");
    if (sums->stage >= BOARD_RUNNING && now >= progress->started)
        return put_running(progress, sums, now, out);
    return snprintf(out, PROGRESS_MAX, "opening: %llu of %u, %llu failed", (wide)sums->opened,
                    progress->plan->options->connections, (wide)sums->failed);
}

size_t progress_text(struct progress *progress, uint64_t now, char *out)
{
    struct sums sums = add_up(progress->board);
    int length = put_stage(progress, &sums, now, out);
    if (progress->plan->options->mode != BENCH_STORM)
        length += snprintf(out + length, PROGRESS_MAX - (size_t)length, "; %llu open, %llu lost",
                           (wide)(sums.opened - sums.lost), (wide)sums.lost);
    progress->last = now;
    progress->arrived = sums.arrived;
    return (size_t)length;
}

/* Return to the line's beginning, and erase the rest of the longer one that was there. */
void progress_show(struct progress *progress, uint64_t now)
{
    char text[PROGRESS_MAX];
    if (!progress->shown)
        return;
    progress_text(progress, now, text);
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
}

void progress_clear(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
}
