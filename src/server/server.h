/* server.h - the server inside: what is shared by all threads, and what each worker has.
 *
 *     swale_server -- routes, options, guard                      set before the start, then only read
 *       |               (the guard alone is shared and written)
 *       +- worker 0 -- loop -- doors -- streams -- sessions -- exchanges
 *       |                                             `-> connections, in groups by their limits
 *       `- worker 1 ...
 *
 * An accepted stream becomes a session (HTTP), which hands it to a connection on upgrade and is gone. What is
 * counted for it (the guest) goes along.
 */
#ifndef SWALE_SERVER_SERVER_H
#define SWALE_SERVER_SERVER_H

#include "base/counter.h"
#include "base/list.h"
#include "conn/conn.h"
#include "io/stream.h"
#include "io/turn.h"
#include "server/arena.h"
#include "server/guard.h"
#include "server/router.h"

#include <swale/server.h>

#include <pthread.h>
#include <stdatomic.h>

struct swale__worker;

/* A route with everything that it points to copied, and everything that it left open filled in. */
struct swale__route {
    struct swale_route options;
    const char *pattern;
    int directory; /* for files: its descriptor; otherwise -1 */
    bool own_limits;
    struct swale_limits limits; /* resolved */
    struct swale_deflate_policy deflate;
    const char *allow; /* the methods of plain requests, for Allow: "GET, HEAD, POST" */
    size_t group;      /* of its connections, in each worker */
};

/* One listening socket of one worker. */
struct swale__door {
    struct swale__worker *worker;
    struct swale__listener *listener;
    struct swale_tls *tls;
};

/* The doors of one address: one for each worker. */
struct swale__entrance {
    struct swale__entrance *next;
    const char *address; /* with the port that the kernel chose */
    struct swale_tls *tls;
    struct swale__door *doors; /* as many as workers */
};

enum swale__life {
    SWALE__SETUP,
    SWALE__RUNNING,
    SWALE__JOINED /* its threads have ended */
};

struct swale_server {
    struct swale_server_options options; /* resolved; arrays and strings are in `arena` */
    struct swale__arena arena;
    struct swale__router router, mounts; /* routes, and directories of files */
    struct swale__route **routes;        /* of both routers */
    size_t route_count;
    size_t group_count;
    struct swale__guard guard;
    uint64_t first_id; /* of connections: random, so that two servers in one process do not give the same */
    struct swale__entrance *entrances;
    struct swale__worker **workers;
    size_t worker_count;
    enum swale__life life;
    bool attached;
    _Atomic uint32_t stops; /* calls of swale_server_stop */
    _Atomic size_t drained; /* workers that have */
};

/* Counters, written by their worker only (queues and gifts apart), read by any thread. */
struct swale__tally {
    _Atomic uint64_t accepted, accept_errors, requests;
    _Atomic uint64_t handshaking; /* sessions now */
    _Atomic uint64_t refused[SWALE_ERROR_SLOTS];
};

/* At most so many refusals and failing accepts are logged in one second: the log must not be what an attacker
 * fills the disk with. The next record tells how many were left out. */
enum { SWALE__LOG_BURST = 100 };

struct swale__worker {
    struct swale_server *server;
    struct swale_loop *loop;
    size_t index;
    bool owns_loop;
    bool threaded;
    pthread_t thread;
    int result;              /* of its loop, once the thread has ended */
    struct swale__bell bell; /* swale_server_stop rings it */
    struct swale_timer drain_timer;
    bool draining, dropping;
    _Atomic bool drained;
    struct swale__list sessions;
    struct swale__list exchanges;      /* put off */
    struct swale_field *fields;        /* where heads are parsed that come in one piece: max_fields */
    struct swale__conn_group **groups; /* NULL before the start */
    struct swale__conn_counters counters;
    struct swale__tally tally;
    _Atomic uint64_t live; /* sessions, connections, and descriptors on their way here */
    uint32_t turned_away;  /* sessions that only tell someone that there is no room */
    uint64_t log_second;
    uint32_t logged, suppressed; /* in that second; since the last record */
};

/* ---- worker.c --------------------------------------------------------------------------------------- */

/* `loop` NULL: the worker makes its own. */
int swale__worker_new(struct swale__worker **worker, struct swale_server *server, size_t index,
                      struct swale_loop *loop);
void swale__worker_free(struct swale__worker *worker);

/* Makes the groups, once all routes are known; and takes them back. */
int swale__worker_prepare(struct swale__worker *worker);
void swale__worker_unprepare(struct swale__worker *worker);

/* Opens a door, or another one to the same socket. */
int swale__door_open(struct swale__door *door, const char *address, int backlog, bool share);
int swale__door_copy(struct swale__door *door, const struct swale__door *original);
void swale__door_close(struct swale__door *door);

/* Takes an accepted stream in: where every connection begins. */
void swale__worker_arrive(struct swale__worker *worker, struct swale__stream *stream, bool tls);

/* One session or connection less; the guest goes. */
void swale__worker_leave(struct swale__worker *worker, struct swale__guest *guest);

/* Ends the worker's loop if it was draining and nothing is left. */
void swale__worker_check(struct swale__worker *worker);

/* ---- record.c --------------------------------------------------------------------------------------- */

/* What a record says about a request and the stream that it came on; both may be NULL. */
struct swale__about {
    const struct swale_request *request;
    struct swale__stream *stream;
};

/* Completes the record and hands it to the log, if there is one. */
void swale__log(struct swale__worker *worker, struct swale_record *record, struct swale__about about);

/* Counts a refusal and logs it. */
void swale__refused(struct swale__worker *worker, int reason, int status, struct swale__about about);

#endif
