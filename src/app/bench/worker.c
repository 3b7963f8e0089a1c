#include "app/bench/worker.h"

#include "app/fault.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MILLISECOND = 1000000 };
enum { TICK_MS = 50, SETTLING_TICK_MS = 5 };

/* ---- What the system knows about this process ------------------------------------------------------- */

static uint64_t microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static void read_cpu(uint64_t cpu[2])
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    cpu[0] = microseconds(&usage.ru_utime);
    cpu[1] = microseconds(&usage.ru_stime);
}

static uint64_t heap_in_use(void)
{
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

/* ---- Telling the parent ----------------------------------------------------------------------------- */

static void enter_stage(struct worker *worker, enum board_stage stage)
{
    uint64_t one = 1;
    atomic_store(&worker->seat->stage, (int)stage);
    if (write(worker->news, &one, sizeof one) < 0)
        return; /* the parent looks by itself, too, only later */
}

static void show_progress(struct worker *worker)
{
    struct board_seat *seat = worker->seat;
    const struct tally *tally = worker->tally;
    atomic_store_explicit(&seat->opened, tally->opened, memory_order_relaxed);
    atomic_store_explicit(&seat->failed, tally->failed, memory_order_relaxed);
    atomic_store_explicit(&seat->lost, tally->lost, memory_order_relaxed);
    atomic_store_explicit(&seat->arrived, tally->arrived, memory_order_relaxed);
}

/* ---- Stages ----------------------------------------------------------------------------------------- */

static void start_timer(struct worker *worker, struct swale_timer *timer, uint64_t instant,
                        void (*fire)(struct swale_timer *timer))
{
    timer->fire = fire;
    timer->context = worker;
    swale_timer_start(worker->loop, timer, (instant + MILLISECOND - 1) / MILLISECOND);
}

uint64_t worker_deadline(const struct worker *worker)
{
    return ticker_now() + (uint64_t)worker->plan->options->timeout_ms * MILLISECOND;
}

void worker_ready(struct worker *worker)
{
    uint64_t heap = heap_in_use();
    worker->tally->memory = heap > worker->heap ? heap - worker->heap : 0;
    show_progress(worker);
    enter_stage(worker, BOARD_READY);
}

static void on_start(struct swale_timer *timer)
{
    struct worker *worker = timer->context;
    worker->sending = true;
    worker->mode->start(worker);
}

static void on_from(struct swale_timer *timer)
{
    struct worker *worker = timer->context;
    read_cpu(worker->cpu_from);
}

static void end_measuring(struct worker *worker, uint64_t now)
{
    uint64_t cpu[2];
    read_cpu(cpu);
    worker->tally->user_us = cpu[0] - worker->cpu_from[0];
    worker->tally->system_us = cpu[1] - worker->cpu_from[1];
    worker->tally->wall_us = (now - worker->from) / 1000;
    worker->tally->measured_ns = now - worker->from;
}

/* An end by count is none by time: what was sent counts whenever it comes, and is measured until it has. */
void worker_stop(struct worker *worker)
{
    if (worker->stopped)
        return;
    uint64_t now = ticker_now();
    bool by_count = worker->plan->options->count > 0;
    if (worker->from > now) { /* it ends before it has measured anything */
        worker->from = now;
        read_cpu(worker->cpu_from);
    }
    if (worker->to > now && !by_count)
        worker->to = now;
    swale_timer_stop(worker->loop, &worker->start_timer);
    worker->stopped = true;
    worker->deadline = worker_deadline(worker);
    if (!by_count)
        end_measuring(worker, worker->to);
    worker->mode->stop(worker);
    worker->sending = false;
    enter_stage(worker, BOARD_SENT);
    swale_timer_start(worker->loop, &worker->tick, swale_loop_now(worker->loop));
}

void worker_fail(struct worker *worker, int error)
{
    worker->error = error;
    worker->finished = true;
}

static void on_to(struct swale_timer *timer)
{
    worker_stop(timer->context);
}

static void on_tick(struct swale_timer *timer)
{
    struct worker *worker = timer->context;
    uint64_t wait = worker->stopped ? SETTLING_TICK_MS : TICK_MS;
    show_progress(worker);
    swale_timer_start(worker->loop, timer, swale_loop_now(worker->loop) + wait);
}

void worker_learn_start(struct worker *worker)
{
    const struct bench_options *options = worker->plan->options;
    uint64_t start = atomic_load(&worker->board->start);
    if (start == 0)
        return;
    worker->start = start;
    worker->from = start + (uint64_t)options->warm_up_ms * MILLISECOND;
    worker->to = options->count ? UINT64_MAX : worker->from + (uint64_t)options->duration_ms * MILLISECOND;
}

static void begin(struct worker *worker)
{
    worker_learn_start(worker);
    start_timer(worker, &worker->from_timer, worker->from, on_from);
    start_timer(worker, &worker->start_timer, worker->start, on_start);
    if (worker->to != UINT64_MAX)
        start_timer(worker, &worker->to_timer, worker->to, on_to);
    enter_stage(worker, BOARD_RUNNING);
}

static void on_command(struct swale_watch *watch, unsigned events)
{
    struct worker *worker = watch->context;
    unsigned char order = 0;
    (void)events;
    if (read(watch->fd, &order, 1) != 1) {
        swale_watch_stop(worker->loop, watch);
        worker_fail(worker, -EPIPE);
    } else if (order == WORKER_STOP) {
        worker_stop(worker);
    } else if (!worker->stopped) {
        begin(worker);
    }
}

/* ---- The pace --------------------------------------------------------------------------------------- */

struct plan_share worker_share(const struct worker *worker, uint64_t whole)
{
    return plan_share(whole, worker->index, worker->plan->workers);
}

uint64_t worker_count(const struct worker *worker)
{
    const struct plan *plan = worker->plan;
    if (plan->options->count == 0)
        return UINT64_MAX;
    return worker->index < plan->senders ? plan_share(plan->options->count, worker->index, plan->senders).count : 0;
}

struct pace worker_pace(const struct worker *worker, uint64_t start)
{
    return (struct pace){
        .start = start, .rate = worker->plan->options->rate, .first = worker->index, .step = worker->plan->senders
    };
}

/* ---- The whole -------------------------------------------------------------------------------------- */

static const struct worker_mode *mode_of(enum bench_mode mode)
{
    static const struct worker_mode *const modes[] = { [BENCH_ECHO] = &worker_echo,
                                                       [BENCH_FAN_OUT] = &worker_fan_out,
                                                       [BENCH_STORM] = &worker_storm,
                                                       [BENCH_IDLE] = &worker_idle };
    return modes[mode];
}

static int set_up(struct worker *worker)
{
    int error = swale_loop_new(&worker->loop, NULL);
    if (error == 0)
        error = swale_watch_start(worker->loop, &worker->commands, SWALE_READABLE);
    if (error == 0)
        error = dial_init(&worker->dial, worker->plan, worker->tally->fault);
    if (error < 0)
        return error;
    start_timer(worker, &worker->tick, 0, on_tick);
    worker->heap = heap_in_use();
    return worker->mode->open(worker);
}

static int run(struct worker *worker)
{
    while (!worker->finished) {
        int events = swale_loop_step(worker->loop, -1);
        if (events < 0)
            return events;
        worker->turn++;
        if (worker->mode->turned)
            worker->mode->turned(worker);
        if (worker->stopped && (worker->mode->settled(worker) || ticker_now() >= worker->deadline))
            worker->finished = true;
    }
    return worker->error;
}

static void finish(struct worker *worker)
{
    if (worker->plan->options->count > 0)
        end_measuring(worker, ticker_now());
    if (worker->plan->options->count > 0 && worker->last > worker->from)
        worker->tally->measured_ns = worker->last - worker->from;
    if (worker->plan->options->mode != BENCH_STORM)
        worker->tally->bytes_sent = worker->tally->sent * worker->plan->options->size;
    show_progress(worker);
    enter_stage(worker, BOARD_DONE);
}

int worker_run(const struct plan *plan, struct board *board, uint32_t index, int commands, int news)
{
    static struct worker worker; /* one in a process */
    struct board_seat *seat = &board->seats[index];
    worker = (struct worker){ .plan = plan, .index = index, .board = board, .seat = seat, .tally = &seat->tally };
    worker.mode = mode_of(plan->options->mode);
    worker.commands = (struct swale_watch){ .ready = on_command, .context = &worker, .fd = commands };
    worker.from = UINT64_MAX;
    worker.to = UINT64_MAX;
    worker.turn = 1;
    worker.news = news;
    int error = set_up(&worker);
    if (error == 0)
        error = run(&worker);
    if (error == 0)
        finish(&worker);
    else if (!seat->tally.fault[0])
        snprintf(seat->tally.fault, sizeof seat->tally.fault, "%s", fault_text(error));
    worker.mode->done(&worker);
    dial_done(&worker.dial);
    swale_loop_free(worker.loop);
    return error == 0 ? STATUS_OK : STATUS_FAILED;
}
