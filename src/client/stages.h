/* stages.h - an attempt from the inside: what its files share.
 *
 *     attempt.c    from stage to stage, the deadline, the end          request.c   the request
 *     answer.c     heads, refusals and their bodies                    redirect.c  where a redirect leads
 *
 * At any time an attempt holds one of `connecting`, `tunnel` and `stream`, or is done. Its callbacks stand in theirs;
 * so whatever ends it leaves the memory for the end of the turn, and `done` is looked at behind each step that may
 * have been the last.
 */
#ifndef SWALE_CLIENT_STAGES_H
#define SWALE_CLIENT_STAGES_H

#include "client/attempt.h"
#include "client/buffer.h"
#include "client/tunnel.h"
#include "io/turn.h"
#include "proto/body.h"

enum {
    SWALE__INTERIM_MAX = 8, /* answers of 1xx before the one that counts (RFC 9110 section 15.2) */
    SWALE__ATTEMPT_TEXT_MAX = 512
};

struct swale__attempt {
    struct swale__attempt_options options;
    const struct swale__client_config *config;
    const struct swale_allocator *allocator; /* the loop's */
    enum swale_client_phase phase;
    bool done;
    struct swale_timer deadline;
    struct swale__work destroy;

    /* Where to. */
    struct swale_url url;          /* spans into the config's, or into `location` */
    struct swale__buffer location; /* the URL that a redirect led to */
    struct swale__buffer tls_name; /* whom the TLS handshake under way expects; terminated */
    uint32_t redirects;
    bool foreign; /* a redirect has left the caller's origin: what was meant for it stays here from then on */

    struct swale__connecting *connecting;
    struct swale__tunnel *tunnel;
    struct swale__stream *stream;

    /* The request. In flight until all of it has been counted off. */
    char key[SWALE_KEY_SIZE];
    struct swale__buffer request;
    size_t request_sent;
    bool request_in_flight;

    /* The answer. A head lies where it came, or in `head` when it came in pieces. */
    struct swale_field *fields; /* field_room of them */
    size_t field_room;
    struct swale_head_parser parser;
    struct swale__buffer head;
    unsigned interim;

    /* One that is kept: spans into `head`. */
    bool refused;
    bool early;  /* a 101 that came before all of the request had left; what came behind it is in `content` */
    int refusal; /* why */
    char refusal_text[SWALE__ATTEMPT_TEXT_MAX];
    struct swale_response response;
    struct swale__body body;
    bool until_end; /* the body goes up to the end of the connection */
    struct swale__buffer content;
};

/* ---- attempt.c ---- */

/* Begins to connect to `url`. -ENOMEM. */
int swale__attempt_connect(struct swale__attempt *attempt);

/* The end, one way or the other. on_fail gets `text` after formatting. */
void swale__attempt_fail(struct swale__attempt *attempt, int reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void swale__attempt_fail_with(struct swale__attempt *attempt, struct swale_client_failure *failure,
                              int64_t retry_after_ms);
void swale__attempt_fail_tls(struct swale__attempt *attempt, int error); /* with what TLS has to say */
void swale__attempt_succeed(struct swale__attempt *attempt, const struct swale__attempt_success *success);

void swale__attempt_trace(struct swale__attempt *attempt, enum swale_trace_kind kind, struct swale_span text);
void swale__attempt_note(struct swale__attempt *attempt, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The arguments of "%.*s" for the host, which may be long. */
#define SWALE__HOST(url) (int)((url).host.size < 255 ? (url).host.size : 255), (url).host.data

/* ---- request.c ---- */

/* Makes `key` and `request`. SWALE_ERR_URL for credentials in the URL that are badly escaped, SWALE_ERR_INVALID,
 * -ENOMEM. */
int swale__request_make(struct swale__attempt *attempt);

/* What was offered, for swale_upgrade_verify. */
struct swale_upgrade_request swale__request_offer(const struct swale__attempt *attempt);

/* ---- answer.c ---- */

/* Sends the request over `stream`, which is paused, and goes on from there. */
void swale__answer_await(struct swale__attempt *attempt);

/* Ends a refusal with as much of its body as has come. */
void swale__answer_refused(struct swale__attempt *attempt, bool cut);

/* ---- redirect.c ---- */

/* Is this a redirect that is to be followed? 1: yes, and `url` is where to; 0: it is an answer like another;
 * SWALE_ERR_REDIRECT, with the reason in `why`; -ENOMEM. */
int swale__redirect_take(struct swale__attempt *attempt, const struct swale_response *response, const char **why);

#endif
