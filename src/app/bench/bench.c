/* bench.c - `swale bench` from the command line to the results. */
#include "app/bench/bench.h"

#include "app/bench/crew.h"
#include "app/bench/report.h"
#include "app/bench/target.h"
#include "app/bench/ticker.h"
#include "app/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STATUS_NOT_VERIFIED = 3 };

static const char command[] = "swale bench";

/* ---- What the system allows ------------------------------------------------------------------------- */

/* Raises the limit of descriptors as far as it goes: connections are what this program is made of. */
static uint64_t raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

static uint64_t count_ports(void)
{
    enum { USUAL = 28232 };
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    char line[64] = "", *end;
    if (!file)
        return USUAL;
    bool found = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    unsigned long first = strtoul(line, &end, 10), last = strtoul(end, NULL, 10);
    return found && first > 0 && last >= first ? last - first + 1 : USUAL;
}

static int make_plan(struct plan *plan, const struct bench_options *options)
{
    struct target target;
    char message[SWALE_CLIENT_MESSAGE_MAX];
    char fault[OPTIONS_FAULT_MAX];
    uint64_t descriptors = raise_descriptors();
    *plan = (struct plan){ .options = options, .run = ticker_now() ^ (uint64_t)getpid() << 40 };
    int status = target_find(&target, options, message);
    if (status != STATUS_OK)
        return fault_print(status, command, "%s", message);
    struct plan_means means = {
        .descriptors = descriptors, .ports = count_ports(), .tcp = target.tcp, .loopback = target.loopback
    };
    snprintf(plan->connect_to, sizeof plan->connect_to, "%s", target.connect_to);
    return plan_make(plan, options, &means, fault) < 0 ? fault_print(STATUS_USAGE, command, "%s", fault) : STATUS_OK;
}

/* ---- Results ---------------------------------------------------------------------------------------- */

static double busy(const struct tally *tally)
{
    return tally->wall_us > 0 ? (double)(tally->user_us + tally->system_us) / (double)tally->wall_us : 0;
}

static void sum_up(struct report *report, struct tally *total, const struct board *board)
{
    for (uint32_t i = 0; i < board->workers; i++) {
        const struct tally *one = &board->seats[i].tally;
        tally_merge(total, one);
        if (busy(one) > report->busiest)
            report->busiest = busy(one);
    }
    report->total = total;
    report->seconds = (double)total->measured_ns / 1e9;
}

static int refuse_empty(const struct report *report)
{
    const struct tally *total = report->total;
    const char *fault = total->fault[0] ? total->fault : "the processes ended without results";
    if (report->interrupted)
        return fault_print(STATUS_FAILED, command, "interrupted before any connection was open");
    if (report->dead == report->plan->workers)
        return fault_print(STATUS_FAILED, command, "%s", fault);
    return fault_print(STATUS_FAILED, command, "none of %llu connections opened: %s",
                       (unsigned long long)total->failed, fault);
}

static bool is_verified(const struct report *report)
{
    const struct tally *total = report->total;
    return total->differed == 0 && total->unexpected == 0 && total->received == report_expected(report);
}

static int print(const struct report *report)
{
    const struct bench_options *options = report->plan->options;
    int error = 0;
    if (report->total->opened == 0)
        return refuse_empty(report);
    if (options->json)
        error = report_json(report, stdout);
    else
        report_table(report, stdout);
    if (error == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        error = -EIO;
    if (error < 0)
        return fault_print(STATUS_FAILED, command, "standard output: %s", fault_text(error));
    return options->verify && !is_verified(report) ? STATUS_NOT_VERIFIED : STATUS_OK;
}

/* ---- The whole -------------------------------------------------------------------------------------- */

static int run_on(const struct plan *plan, struct board *board, struct tally *total)
{
    struct crew_end end = { 0 };
    struct report report = { .plan = plan };
    int error = crew_run(plan, board, &end);
    if (error < 0)
        return fault_print(STATUS_FAILED, command, "a process: %s", fault_text(error));
    report.interrupted = end.interrupted;
    report.dead = end.dead;
    sum_up(&report, total, board);
    return print(&report);
}

static int run(const struct bench_options *options)
{
    struct plan plan;
    int status = make_plan(&plan, options);
    if (status != STATUS_OK)
        return status;
    struct board *board = board_new(plan.workers);
    struct tally *total = calloc(1, sizeof *total);
    status =
        board && total ? run_on(&plan, board, total) : fault_print(STATUS_FAILED, command, "%s", fault_text(-ENOMEM));
    free(total);
    board_free(board);
    return status;
}

static int bench_with(const struct bench_options *options)
{
    if (options->help)
        bench_options_help(stdout);
    else if (options->version)
        printf("swale %s\n", swale_version());
    else
        return run(options);
    return STATUS_OK;
}

int bench_run(int count, char **arguments)
{
    struct bench_options options;
    char fault[OPTIONS_FAULT_MAX];
    int status = bench_options_parse(&options, count, arguments, fault) < 0
                     ? fault_print(STATUS_USAGE, command, "%s", fault)
                     : bench_with(&options);
    bench_options_done(&options);
    return status;
}
