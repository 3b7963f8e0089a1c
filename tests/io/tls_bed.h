/* tls_bed.h - two TLS streams on a pair in memory, with users that record what they hear and check the contract.
 *
 *     struct bed bed;
 *     bed_begin(&bed);                    a loop in virtual time, certificates ("server", "client"), no contexts yet
 *     bed_contexts(&bed, NULL, NULL);     a server's and a client's context
 *     bed_connect(&bed, NULL);            a pair, wrapped on both sides; nothing has moved yet
 *     bed_run(&bed);                      turns, until nothing happens any more
 *     ... bed.client.got, bed.server.error ...
 *     bed_disconnect(&bed); bed_end(&bed);
 */
#ifndef SWALE_TEST_TLS_BED_H
#define SWALE_TEST_TLS_BED_H

#include "certs.h"
#include "io/tls.h"
#include "memory.h"

/* One end's user. What is asked of it is set before bed_run. */
struct party {
    struct swale__stream *stream;
    /* heard */
    char *got;
    size_t got_size, got_room, runs;
    unsigned room_told; /* on_written(0) */
    bool ended;
    int error;       /* of on_fail, or of a write */
    bool peer_known; /* `peer` was taken at the first sign of an open handshake */
    /* asked */
    bool echo;
    bool pause_always; /* in each on_data; unpause with party_resume */
    bool close_on_data, abort_on_data, close_on_room;
    struct party *answer_to;
    /* sending */
    char *out;
    size_t out_begin, out_size, out_room, in_flight, piece; /* most bytes per part; 0: all in one */
    bool full, paused, closed;
};

struct bed {
    struct test_memory memory;
    struct swale_allocator allocator;
    uint64_t now;
    struct swale_loop *loop;
    struct test_certs certs;
    struct swale_tls *server_tls, *client_tls;
    const char *server_name; /* "localhost" */
    struct swale__pair_options pair;
    struct swale__stream *lower[2]; /* the server's, the client's */
    struct party server, client;
    uint64_t fail_at; /* the nth allocation from bed_connect on fails */
};

void bed_begin(struct bed *bed);
void bed_end(struct bed *bed);

/* Zeroed fields (or NULL) mean: the server has "server" and the client trusts "ca". Replaces former contexts. */
void bed_contexts(struct bed *bed, const struct swale_tls_options *server, const struct swale_tls_options *client);
void bed_server_only(struct bed *bed, const struct swale_tls_options *server);

/* 0, or the first error. Both ends are reading. */
int bed_connect(struct bed *bed);
/* The server's end is TLS, the client's is the bare lower stream. */
int bed_connect_raw(struct bed *bed);
void bed_disconnect(struct bed *bed);
void bed_abandon(struct bed *bed); /* closes both ends, and takes no turn */
void bed_run(struct bed *bed);
void bed_turns(struct bed *bed, int count);

/* Connects, runs, and says whether both sides are open. */
bool bed_shake(struct bed *bed);

void bed_only_version(struct swale_tls *tls, int version);
/* Becomes the user of a stream, and reads. */
void party_begin(struct party *party, struct swale__stream *stream);
struct swale__tls_stream *party_tls(struct party *party);
void party_send(struct party *party, const void *data, size_t size);
void party_resume(struct party *party);
void party_close(struct party *party, bool abort);
void bed_pattern(char *out, size_t size, unsigned seed);

struct swale_peer party_peer(struct party *party);
void bed_assert_span(struct swale_span span, const char *text);

/* A test with a bed as its state. */
int bed_set_up(void **state);
int bed_tear_down(void **state);
#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

/* Files of the bed's directory as certificate options: "server" is server.crt and server.key. */
struct swale_tls_certificate bed_certificate(struct bed *bed, const char *name);

#endif
