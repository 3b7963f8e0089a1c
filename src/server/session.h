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

/* How long input is discarded behind the last answer, and how long a peer that is refused has to take it. Closing a
 * socket with unread input resets it, and the reset may destroy the answer before the peer has read it (RFC 9112
 * section 9.6). */
enum { SWALE__LINGER_MS = 1000 };

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

/* The answer that a reason of the table stands for: its status, and a line of text that names it. `answer` points
 * into the rest, so it must stay where it is. */
struct swale__refusal {
    struct swale__answer answer;
    struct swale_field fields[2]; /* room for one more */
    char body[128];
};
void swale__refusal_init(struct swale__refusal *refusal, int reason);

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

/* ---- Between session.c, session_in.c and session_out.c ---------------------------------------------- */

/* Sets the one timer; SWALE_OFF stops it. */
void swale__session_timer(struct swale__session *session, uint32_t ms);

/* The time that a peer has for a whole head, and for taking some of an answer. */
void swale__session_deadline(struct swale__session *session);

/* Pauses or resumes reading, as follows from the state: to be called wherever that may have changed. */
void swale__session_steer(struct swale__session *session);

/* Handles the requests among the bytes that were kept. */
void swale__session_go_on(struct swale__session *session);

/* Frees what was kept. */
void swale__session_forget_input(struct swale__session *session);

/* Sends what can be sent; goes on with requests that had to wait for that. */
void swale__session_push(struct swale__session *session);
void swale__session_close_file(struct swale__session *session);

/* What the stream and the loop call. */
void swale__session_data(void *context, char *data, size_t size);
void swale__session_written(void *context, size_t size);
void swale__session_flush(struct swale__work *work);

#endif
