/* client_bed.h - a client in virtual time, whose attempts are the test's to decide, and a server's connection at the
 * other end of a pair in memory.
 *
 *     struct client_bed bed;
 *     client_bed_begin(&bed, NULL);          or with options; the handler and the user are the bed's
 *     client_bed_open(&bed);                 the try under way succeeds
 *     client_bed_fail(&bed, SWALE_ERR_RESOLVE);   or does not
 *     assert_log(&bed, "connecting open opened:1 ");
 *     client_bed_end(&bed);                  fails the test when memory is left
 *
 * swale__attempt_new is the bed's own. Every callback is written to a log, and then `act` may do anything. A callback
 * that comes from within a call, or behind swale_client_free, fails the test. */
#ifndef SWALE_TEST_CLIENT_BED_H
#define SWALE_TEST_CLIENT_BED_H

#include "test.h"
#include "vloop.h"

#include "client/attempt.h"
#include "conn/conn.h"
#include "io/turn.h"

enum client_callback {
    AT_OPEN,
    AT_MESSAGE,
    AT_PART,
    AT_DRAIN,
    AT_PING,
    AT_PONG,
    AT_CLOSE,
    AT_FAIL,
    AT_END,
    AT_STATE,
    AT_FATE,
    AT_RETRY,
    AT_TRACE,
    CLIENT_CALLBACKS
};

struct client_bed {
    struct test_loop loop;
    struct swale_client *client; /* NULL when it has been freed */
    struct swale__attempt *attempt;
    struct swale_client_handler handler;
    unsigned attempts, cancelled;
    bool open_all;     /* attempts succeed by themselves */
    int attempt_error; /* what swale__attempt_new returns */
    struct swale__pair_options pair;
    bool early_end;          /* the stream's on_end has come with the answer */
    struct swale_span early; /* what has come behind it */

    struct swale__conn_group *group; /* the server's */
    struct swale__conn_counters counters;
    struct swale_conn *peer;   /* the server's end; NULL when there is none */
    struct swale__stream *raw; /* the server's stream when there is to be no connection on it */
    bool raw_peer;
    int peer_reason, peer_code; /* how the last one ended */
    char heard[4096];           /* messages that the server got, a word each */

    /* Instead of the bed's own. */
    void (*on_received)(struct swale_conn *conn, const struct swale_message *message);
    void (*on_fate)(struct swale_client *client, uint64_t number, enum swale_fate fate);

    unsigned calls[CLIENT_CALLBACKS];
    void (*act[CLIENT_CALLBACKS])(struct client_bed *bed);
    char message[SWALE_CLIENT_MESSAGE_MAX]; /* of swale_client_new */
    bool inside;                            /* a call of the test's */
    char log[4096];
    struct swale_client_retry retry; /* what on_retry was given last */
    int64_t (*policy)(struct client_bed *bed);
    int64_t retry_ms; /* of the last on_fail or on_close */
    struct swale_client_opening opening;
    struct swale_client_closing closing;
};

/* One try; defined here, so that a test can see what it was asked for. */
struct swale__attempt {
    struct swale__attempt_options options;
    struct swale__work work;
};

/* Options may be NULL; what is missing is filled in. */
void client_bed_begin(struct client_bed *bed, const struct swale_client_options *options);

/* The same in two steps, for clients that cannot be made. */
void client_bed_prepare(struct client_bed *bed);
int client_bed_new(struct client_bed *bed, const struct swale_client_options *options);
void client_bed_end(struct client_bed *bed);

/* Frees the client, inside a callback too. */
void client_bed_free(struct client_bed *bed);

/* What becomes of the attempt under way, which there must be; settles. */
void client_bed_open(struct client_bed *bed);
void client_bed_fail(struct client_bed *bed, int reason);
void client_bed_at_once(struct client_bed *bed, bool opens); /* outside any turn, before anything else happens */
void client_bed_refuse(struct client_bed *bed, int status, int64_t retry_after_ms);

/* Calls, made so that a callback from within them is noticed. Without settling. */
int client_bed_send(struct client_bed *bed, const char *text, uint64_t *number);
int client_bed_close(struct client_bed *bed, int code, const char *text);
int client_bed_reconnect(struct client_bed *bed);

/* The log so far is this; it is empty then. */
#define assert_log(bed, wanted)   (assert_string_equal((bed)->log, wanted), (void)((bed)->log[0] = '\0'))
#define assert_heard(bed, wanted) (assert_string_equal((bed)->heard, wanted), (void)((bed)->heard[0] = '\0'))

#endif
