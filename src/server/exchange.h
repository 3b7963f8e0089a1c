/* exchange.h - one request and its answer.
 *
 * An exchange has its own copy of the request head, because whoever is asked may answer later, and spans that were
 * handed out must not move then. Its owner is the dispatcher while a hook runs (`calling`), and after that the
 * application, until it answers: also when the peer has gone, or the server has answered in its stead.
 */
#ifndef SWALE_SERVER_EXCHANGE_H
#define SWALE_SERVER_EXCHANGE_H

#include "server/session.h"

struct swale_exchange {
    struct swale__session *session; /* NULL once the peer has gone, or was answered otherwise */
    struct swale__worker *worker;
    const struct swale__route *route;
    struct swale__list link; /* among the worker's, when it was put off */
    struct swale__arena arena;
    struct swale_request request;
    struct swale_span path;        /* decoded */
    struct swale_span *params;     /* in the order of the pattern */
    struct swale_span rest;        /* behind the wildcard, decoded */
    struct swale_upgrade upgrade;  /* when `upgrading` */
    struct swale_span subprotocol; /* that the hook chose */
    struct swale_field *fields;    /* that the hook added */
    size_t field_count, field_capacity;
    struct swale_peer peer;
    uint64_t since_ms;
    void *user;
    bool user_set;   /* by the hook, and no connection has it yet */
    bool described;  /* `peer` is filled */
    bool upgrading;  /* the request is for a WebSocket */
    bool keep_alive; /* as far as the request is concerned */
    bool calling;    /* inside a hook */
    bool accepted;   /* inside the hook, by swale_exchange_accept */
    bool answered;
};

/* Handles one request, whose spans lie in `head`; `early` is what came behind it. */
void swale__dispatch(struct swale__session *session, const struct swale_request *request, struct swale_span head,
                     struct swale_span early);

/* A copy of the request. NULL when memory is out. */
struct swale_exchange *swale__exchange_new(struct swale__session *session, const struct swale_request *request,
                                           struct swale_span head);
void swale__exchange_free(struct swale_exchange *exchange);

/* Answers with `answer`, to which the exchange adds its own fields, `keep_alive` and `head_only`; logs it, and marks
 * the exchange as answered. `reason` 0 for an answer that is not a refusal. When memory is out the connection ends;
 * with SWALE_ERR_INVALID or _TOO_SMALL nothing has happened. */
int swale__exchange_answer(struct swale_exchange *exchange, const struct swale__answer *answer, int reason);

/* The answer that belongs to a reason of the table. */
void swale__exchange_refuse(struct swale_exchange *exchange, int reason);

/* Makes the WebSocket connection. 0, or the reason for which it was refused instead. */
int swale__exchange_open(struct swale_exchange *exchange, struct swale_span early);

#endif
