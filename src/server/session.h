/* session.h - a stream that speaks HTTP/1.1: heads in, answers out, until it ends or becomes a WebSocket.
 *
 *                 +------------- answered, kept alive ------------+
 *                 v                                               |
 *     accept -> READING --put off--> ANSWERING --reply--> (SENDING a file)
 *                 |                       |                       |
 *                 +------- the last answer was queued ------------+--> CLOSING -> LINGERING -> GONE
 *                 +------- accepted as a WebSocket: the stream goes to a connection -----------> GONE
 *
 * A session keeps bytes only when it must: the beginning of a head that is not complete, and what was sent behind a
 * request that is not answered yet. In the second case, and while answers wait above the high-water mark, it does not
 * read; so it never keeps more than a head and one receive buffer.
 */
#ifndef SWALE_SERVER_SESSION_H
#define SWALE_SERVER_SESSION_H

#include "conn/outq.h"
#include "server/server.h"

enum swale__session_phase {
    SWALE__READING,   /* a request is awaited, or arriving */
    SWALE__ANSWERING, /* its answer was put off; what comes behind it is kept */
    SWALE__SENDING,   /* a file is on its way; likewise */
    SWALE__CLOSING,   /* the last answer is on its way; input is discarded */
    SWALE__LINGERING, /* it has left and our direction is shut; input is discarded until the peer ends too */
    SWALE__GONE       /* the stream is closed or handed over; memory goes at the end of the turn */
};

struct swale__session {
    struct swale__stream *stream;
    struct swale__worker *worker;
    struct swale__guest *guest; /* NULL when it was turned away */
    struct swale__list link;    /* among the worker's sessions */
    struct swale__work flush, end;
    struct swale_timer timer; /* the deadline */
    struct swale__outq out;
    struct swale_head_parser parser;
    struct swale_field *fields; /* of a head that is not complete: max_fields */
    char *kept;
    size_t kept_size, kept_capacity;
    struct swale_exchange *exchange; /* whose answer was put off */
    uint64_t file_left;
    size_t discarded;
    int file; /* being sent, or -1 */
    enum swale__session_phase phase;
    bool reading;
    bool served;     /* at least one request was answered */
    bool ended;      /* the peer's direction */
    bool last;       /* close behind the file */
    bool wait_empty; /* an upgrade waits for the answers before it to leave */
};

struct swale__answer {
    int status;
    const struct swale_field *fields;
    size_t field_count;
    struct swale_span body;
    uint64_t body_size; /* of the body, or of the file */
    int file;           /* instead of a body; -1 for none. The session's, unless the call fails */
    bool head_only;     /* HEAD */
    bool keep_alive;
};

/* Begins to read. On failure (-ENOMEM) the stream is still the caller's. `guest` is the session's on success. */
int swale__session_new(struct swale__session **session, struct swale__worker *worker, struct swale__stream *stream,
                       struct swale__guest *guest);

/* Queues an answer. -ENOMEM, SWALE_ERR_INVALID for a field that is not well-formed, SWALE_ERR_TOO_SMALL for more
 * fields than a head may have: then nothing was queued. */
int swale__session_answer(struct swale__session *session, const struct swale__answer *answer);

/* Answers with the status of `reason`, counts and logs it, and closes behind it. `request` may be NULL. */
void swale__session_refuse(struct swale__session *session, const struct swale_request *request, int reason);

/* Ends it without a further byte. */
void swale__session_end(struct swale__session *session, bool abort);

/* Gives stream and guest to whoever asked; the session ends without touching them. */
struct swale__stream *swale__session_hand_over(struct swale__session *session, struct swale__guest **guest);

/* Waits for the answer of an exchange. */
void swale__session_put_off(struct swale__session *session, struct swale_exchange *exchange);

/* The server is shutting down: ends what is idle, lets the rest finish. */
void swale__session_drain(struct swale__session *session);

#endif
