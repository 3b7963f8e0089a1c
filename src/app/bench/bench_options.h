/* bench_options.h - the command line of `swale bench`. */
#ifndef SWALE_APP_BENCH_OPTIONS_H
#define SWALE_APP_BENCH_OPTIONS_H

#include "app/options.h"

#include <stdio.h>
#include <swale/client.h>

enum bench_mode {
    BENCH_ECHO,    /* every message comes back on the connection that sent it */
    BENCH_FAN_OUT, /* every message of a publisher goes to all subscribers */
    BENCH_STORM,   /* connections are opened, and dropped as soon as they are open */
    BENCH_IDLE     /* connections are opened and held */
};

struct bench_options {
    const char *url;
    enum bench_mode mode;
    uint32_t connections, subscribers, publishers;
    uint32_t threads;
    uint32_t duration_ms, warm_up_ms;
    uint64_t count; /* end after so many messages, or handshakes; 0: by time */
    uint64_t rate;  /* a second, in all; 0: a closed loop */
    uint32_t depth; /* in flight for each connection; UINT32_MAX: any number */
    uint32_t size;
    bool binary, verify;
    struct option_list headers, subprotocols, local_addresses;
    const char *origin, *ca, *certificate, *key;
    bool insecure, resume;
    struct swale_deflate_policy deflate;
    uint32_t timeout_ms, opening;
    bool json;
    bool help, version; /* then the rest is not checked */
};

/* Reads the arguments behind "bench", checks them against each other and fills in the defaults. 0, or -1 with one
 * line about what is wrong in `fault` (OPTIONS_FAULT_MAX bytes). */
int bench_options_parse(struct bench_options *options, int count, char **arguments, char *fault);

/* Frees the lists. Also right after a failed parse. */
void bench_options_done(struct bench_options *options);

/* Its table; what --help prints. */
extern const struct option_table bench_command_line;
void bench_options_help(FILE *out);

/* "echo", "fan-out" and so on. */
const char *bench_mode_name(enum bench_mode mode);

/* "name: value" as a field; false for what is none. The value begins behind blanks. */
bool bench_options_field(const char *header, struct swale_field *field);

/* A message of fan-out carries three stamps: when it was meant to leave, whose it is and its number, and which run's.
 */
enum { BENCH_FAN_OUT_SIZE_MIN = 33 };

#endif
