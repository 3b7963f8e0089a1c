/* harness.h - a connection on one end of a pair in memory, in virtual time; on the other end bytes written by hand,
 * or a connection of the other role.
 *
 *     struct harness h;
 *     harness_init(&h, &(struct harness_options){ .raw_client = true });
 *     harness_send(&h, "\x81\x80....", n);  or  harness_frame(&h, 0x81, "Hello", 5);
 *     assert_string_equal(h.server.log, "open text:Hello ");
 *     assert_string_equal(harness_heard(&h), "text:Hello ");
 *     harness_done(&h);                     fails the test when memory is left, or on_close did not come once
 *
 * What a connection's callbacks are told is written to a log, a word each with a blank behind it; long payloads as
 * their size and a checksum. */
#ifndef SWALE_TEST_CONN_HARNESS_H
#define SWALE_TEST_CONN_HARNESS_H

#include "recorder.h"
#include "test.h"
#include "vloop.h"

#include "conn/conn.h"

enum callback { ON_OPEN, ON_MESSAGE, ON_PART, ON_DRAIN, ON_PING, ON_PONG, ON_CLOSE, CALLBACKS };

/* A connection with its application. */
struct observer {
    struct swale_conn *conn; /* NULL behind on_close */
    char *log;
    size_t log_size;
    unsigned calls[CALLBACKS];
    struct swale_close close;  /* as on_close gave it, but for the text */
    size_t received;           /* payload bytes */
    struct swale_span message; /* the last one, while on_message has it */
    bool echo;
    int sent; /* what the last echo's send returned */
    /* Done in the callback, once the log has it. */
    void (*act[CALLBACKS])(struct observer *observer);
    void *context;
};

struct harness_options {
    struct swale_limits limits;      /* of both sides */
    struct swale__pair_options pair; /* capacity, chunk, in_flight */
    const struct swale_deflate_params *deflate;
    bool raw_client;                                   /* the far end is bytes, and the connection is a server's */
    bool raw_server;                                   /* the other way round */
    bool parts;                                        /* the handlers stream */
    bool echo;                                         /* the server echoes */
    struct swale_span early, answer, subprotocol;      /* of the server */
    bool ended;                                        /* its stream's on_end has come already */
    void (*act[CALLBACKS])(struct observer *observer); /* of the server */
    uint64_t fail_at;                                  /* this allocation fails, counted from the opening on */
};

struct harness {
    struct test_loop loop;
    struct swale_limits limits;
    struct swale__pair_options pair;
    struct swale__conn_group *groups[2]; /* by role */
    struct swale__conn_counters counters[2];
    struct swale__stream *ends[2]; /* the server's, the client's */
    struct observer server, client;
    struct recorder raw; /* the far end, if it is bytes */
    int error;           /* of opening */
    unsigned gone, released;
    char *described;
    void *blocks[4096]; /* what the raw end has sent */
    unsigned block_count;
    unsigned char random;
};

/* Opens and settles. A raw end is read at once. */
void harness_init(struct harness *harness, const struct harness_options *options);
void harness_done(struct harness *harness);

/* One more connection of the server's group, on a pair of its own like the first, whose far end is returned. */
struct swale__stream *harness_another(struct harness *harness, struct observer *observer, bool parts,
                                      const struct swale_deflate_params *deflate);
void observer_done(struct observer *observer);

/* The raw end: sends bytes, or a frame (masked if it is a client), and settles. */
void harness_send(struct harness *harness, const void *data, size_t size);
void harness_frame(struct harness *harness, int byte0, const void *payload, size_t size);

/* Puts a frame into `out` with this mask (NULL: none); returns its length. */
size_t put_frame(char *out, int byte0, const void *payload, size_t size, const unsigned char *mask);

/* What the raw end has heard so far, as words; frames that are not complete as "...". Valid until the next call. */
const char *harness_heard(struct harness *harness);

uint64_t counter(_Atomic uint64_t *counter);

/* `size` bytes that look like nothing and are always the same; free them. */
char *noise(size_t size);
uint32_t checksum(const void *data, size_t size);

#endif
