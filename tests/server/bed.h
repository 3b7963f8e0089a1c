/* bed.h - a server on a loop in virtual time, and peers that talk to it through pairs in memory.
 *
 *     struct bed bed;
 *     bed_init(&bed, NULL);
 *     swale_server_route(bed.server, ...);
 *     bed_start(&bed);
 *     struct peer *peer = bed_connect(&bed);
 *     peer_say(peer, "GET / HTTP/1.1\r\n...");          sends, and settles the loop
 *     assert_true(peer_heard(peer, "HTTP/1.1 200 "));   what has come begins so
 *     bed_done(&bed);                                   frees all; fails when a block of memory is left
 */
#ifndef SWALE_TEST_SERVER_BED_H
#define SWALE_TEST_SERVER_BED_H

#include "test.h"

#include "io/stream.h"
#include "server/server.h"
#include "vloop.h"

/* Pairs complete their writes in turns to come, as io_uring does. */
extern bool bed_in_flight;

/* Runs the tests on pairs of either kind. */
#define bed_run(tests, setup, teardown)                                                                              \
    (cmocka_run_group_tests_name("writes at once", tests, setup, teardown) +                                         \
     (bed_in_flight = true, cmocka_run_group_tests_name("writes in flight", tests, setup, teardown)))

struct bed_record {
    enum swale_record_kind kind;
    int reason, status, code;
    char text[64];
};

enum { BED_RECORDS = 512 };

struct bed {
    struct test_loop loop;
    struct swale_server *server;
    struct bed_record records[BED_RECORDS];
    size_t record_count; /* ever; the newest BED_RECORDS are kept, in a ring */
    struct peer *peers;
    size_t chunk, capacity; /* of pairs to come; 0: the pair's defaults */
};

struct peer {
    struct peer *next;
    struct bed *bed;
    struct swale__stream *stream;
    char *data; /* what has come, terminated */
    size_t size;
    size_t room;
    char *writing; /* a copy of what is in flight */
    size_t in_flight;
    bool ended; /* the server has ended its direction */
    int failed; /* or has reset */
    bool closed;
};

/* `options` may be NULL; allocator, clock and log are the bed's. */
void bed_init(struct bed *bed, const struct swale_server_options *options);
void bed_start(struct bed *bed);
void bed_done(struct bed *bed);

uint64_t bed_refused(struct bed *bed, int reason);
uint64_t bed_closed(struct bed *bed, int reason);
/* The newest record of this kind, NULL for none. */
const struct bed_record *bed_last(const struct bed *bed, enum swale_record_kind kind);

struct peer *bed_connect(struct bed *bed);
/* The same without turning the loop. */
struct peer *bed_connect_quietly(struct bed *bed);
/* Sends all of it, turning the loop while there is no room; gives up when that does not help. peer_say settles
 * afterwards. */
void peer_send(struct peer *peer, const void *data, size_t size);
void peer_say(struct peer *peer, const char *text);
void peer_pause(struct peer *peer);
void peer_resume(struct peer *peer);
void peer_shutdown(struct peer *peer);
void peer_close(struct peer *peer, bool abort);
/* Whether what has come begins with, or contains, this text. */
bool peer_heard(const struct peer *peer, const char *start);
bool peer_has(const struct peer *peer, const char *text);
/* How often it occurs. */
size_t peer_count(const struct peer *peer, const char *text);
void peer_forget(struct peer *peer);
/* The server has ended the connection, in one way or the other. */
bool peer_over(const struct peer *peer);

/* A request of one's own, "GET PATH HTTP/1.1" with Host and the fields given ("A: b\r\n"). Static storage. */
const char *request(const char *method, const char *path, const char *fields);
/* A good upgrade request. */
const char *upgrade_request(const char *path, const char *fields);

/* A short client frame, masked with zeros. Returns its size. */
size_t frame(char *out, unsigned first_byte, const void *payload, size_t size);

#endif
