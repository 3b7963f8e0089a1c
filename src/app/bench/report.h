/* report.h - the results: a table for people, JSON for programs, and what to think of them. */
#ifndef SWALE_APP_REPORT_H
#define SWALE_APP_REPORT_H

#include "app/bench/plan.h"
#include "app/bench/tally.h"

#include <stdio.h>

struct report {
    const struct plan *plan;
    const struct tally *total;
    double seconds;   /* that were measured */
    double busiest;   /* the largest part of its time that a worker's thread was busy, 0 to 1 */
    bool interrupted; /* it ended earlier than it was meant to */
    uint32_t dead;    /* workers that ended without results */
};

/* Answers or deliveries that were to come, for what was sent. */
uint64_t report_expected(const struct report *report);

/* What a reader must know before believing the figures, one line each; how many. */
enum { REPORT_WARNINGS_MAX = 8, REPORT_WARNING_MAX = 200 };
struct report_warnings {
    char lines[REPORT_WARNINGS_MAX][REPORT_WARNING_MAX];
    size_t count;
};
void report_warnings(const struct report *report, struct report_warnings *warnings);

void report_table(const struct report *report, FILE *out);

/* One object and a newline. -ENOMEM, or -errno of writing. */
int report_json(const struct report *report, FILE *out);

/* The quantiles that both show. */
struct report_quantile {
    const char *name;
    uint32_t millionths;
};
extern const struct report_quantile report_quantiles[];
extern const size_t report_quantile_count;

/* Messages a second that came while it measured; of a storm, handshakes. */
double report_rate(const struct report *report, uint64_t count);

#endif
