/* tally.h - what one process of a load has counted, and how the counts of several become one.
 *
 * It lies in memory that the processes share: a worker writes its own, and who started it reads it when the worker
 * has ended. Flat, so that it means the same in both.
 */
#ifndef SWALE_APP_TALLY_H
#define SWALE_APP_TALLY_H

#include "app/bench/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <swale/client.h>

/* One way in which connections failed to open (phase below SWALE_PHASE_OPEN), or were lost. */
struct tally_error {
    enum swale_client_phase phase;
    int reason; /* of the table, or -errno */
    int code;   /* the HTTP status that refused, or the code of the close frame; 0 for none */
    uint64_t count;
};

enum { TALLY_ERRORS_MAX = 48 };

/* Zeroed: nothing has happened. Messages are counted when they were meant to leave within the time that is measured.
 */
struct tally {
    uint64_t opened, failed, lost; /* connections, in the whole run */
    uint64_t open;                 /* of them, at the end */
    uint64_t subscribers;          /* open when the load began */
    uint64_t asked;                /* meant to be sent; a closed loop sends all of them */
    uint64_t sent;
    uint64_t received;                    /* answers to them, or deliveries of them, whenever they came */
    uint64_t arrived;                     /* whatever came within the time that is measured: the throughput */
    uint64_t verified;                    /* of all that came: compared, and as they should be */
    uint64_t differed;                    /* ... and not */
    uint64_t unexpected;                  /* nobody had asked for them */
    uint64_t bytes_sent, bytes_received;  /* of payload, within the time that is measured */
    uint64_t measured_ns;                 /* how long it measured: the longest of all, not the sum */
    uint64_t user_us, system_us, wall_us; /* the process's use of its core meanwhile */
    uint64_t memory;                      /* bytes that its connections cost it, user memory only */
    struct tally_error errors[TALLY_ERRORS_MAX];
    uint32_t error_count;
    uint64_t other_errors;                /* those that found no place in the list */
    char fault[SWALE_CLIENT_MESSAGE_MAX]; /* the first failure, in words */
    struct histogram
        latency; /* ns, from the intended moment to the answer or delivery; of a storm, to the open one */
    struct histogram lateness; /* from the intended moment to the call that sent it: the generator's own share */
    struct histogram opening;  /* from the beginning of a connection until it was open */
};

/* Counts one more of this kind. */
void tally_error(struct tally *tally, enum swale_client_phase phase, int reason, int code);

/* Adds up. Errors are kept by frequency. */
void tally_merge(struct tally *into, const struct tally *from);

/* "connect ECONNREFUSED", "handshake answer-status 503", "open peer-closed 1001". */
enum { TALLY_NAME_MAX = 96 };
void tally_error_name(const struct tally_error *error, char *out);

#endif
