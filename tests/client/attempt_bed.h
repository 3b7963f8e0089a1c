/* attempt_bed.h - an attempt in virtual time, against servers that follow a script.
 *
 *     struct bed bed;
 *     bed_begin(&bed, "ws://example.com/chat");
 *     bed.scripts[0] = "HTTP/1.1 101 Switching Protocols\r\n...Sec-WebSocket-Accept: $accept\r\n\r\n";
 *     bed_run(&bed);                       the attempt, from its beginning to its end
 *     ... bed.opened, bed.reason, bed.text, bed.servers[0].heard ...
 *     bed_end(&bed);
 *
 * swale__connect is the bed's own: it hands out one end of a pair in memory, and a server has the other. The nth
 * connection is answered with the nth script, once a request has come whole. In it "$accept" is the right one,
 * "$lower" and
 * "$short" are wrong in their ways, and "$key" is the request's.
 */
#ifndef SWALE_TEST_ATTEMPT_BED_H
#define SWALE_TEST_ATTEMPT_BED_H

#include "test.h"

#include "client/attempt.h"
#include "vloop.h"

enum { BED_SERVERS = 8, BED_TEXT = 4096 };

/* Behind a script, its server's end: */
enum bed_ending { BED_STAYS, BED_SHUTS, BED_RESETS };

struct bed_server {
    struct bed *bed;
    struct swale__stream *stream; /* NULL when it was never reached */
    char host[256];               /* that the attempt went to */
    unsigned port;
    uint32_t user_timeout_ms;
    char heard[BED_TEXT]; /* terminated */
    size_t heard_size;
    char *script; /* with the accept in its place; NULL until the request has come */
    size_t size, sent, in_flight;
    bool full, finished;
    bool ended; /* the attempt has closed */
    int failed;
};

struct bed {
    struct test_loop loop;
    struct swale__client_config config;
    struct swale__attempt_options options;
    struct swale__attempt *attempt; /* NULL when it is over */
    struct swale__pair_options pair;
    struct swale_tls *server_tls; /* of all servers */

    const char *scripts[BED_SERVERS];
    size_t script_size[BED_SERVERS]; /* 0: up to its terminator */
    enum bed_ending endings[BED_SERVERS];
    bool at_once;      /* do not wait for a request */
    bool hasty;        /* answer at the key, and read no further */
    size_t cut;        /* the first so many bytes of a script go out alone */
    int connect_error; /* what connecting ends with */
    bool connect_never;

    struct bed_server servers[BED_SERVERS];
    unsigned connections;
    struct swale__connecting *connecting;

    /* What came of it. */
    bool opened, failed;
    bool reading; /* how its stream was handed over */
    int reason, status;
    enum swale_client_phase phase;
    char text[1024], body[BED_TEXT], early[256], subprotocol[64], first_field[256];
    bool body_cut;
    int64_t retry_after_ms;
    bool deflate;
    struct swale__stream *stream; /* of an attempt that succeeded */
    char trace[4 * BED_TEXT];     /* a line for each: "note: ...", "request: ...", "response: ..." */
};

/* The URL must last. */
void bed_begin(struct bed *bed, const char *url);
void bed_end(struct bed *bed);

/* Forgets what came of the last attempt, so that another can be made. */
void bed_again(struct bed *bed);

/* What swale__attempt_new says; then as far as it goes without time passing. */
int bed_run(struct bed *bed);
/* The same, up to `turns` of the loop. */
int bed_run_turns(struct bed *bed, unsigned turns);

bool bed_heard(const struct bed *bed, unsigned server, const char *text);
bool bed_traced(const struct bed *bed, const char *text);

/* A good answer, with further fields ("A: b\r\n"). Static storage, for the next four calls. */
const char *bed_good(const char *fields);

#endif
