/* state.h - what a client is made of, for the files of this layer.
 *
 *     client.c   its life: made, tries, waits, ends, freed       retry.c    whether and when to come back
 *     link.c     its connection: opened, what it brings, closed  outbox.c   messages of which something is to be
 * known send.c     messages, and what becomes of them              ledger.c   what has become of those with numbers
 *     config.c   its options                                     commons.c  what the clients of a loop share
 *     attempt.c  one try, with all that is below it
 *
 * Callbacks of the application are made from the loop only: from an attempt's result, from the connection's
 * callbacks, from a timer, or from `work`, which is how calls of the application have their consequences told. Behind
 * each callback anything may have happened: look at `freed` first (the memory lasts until the end of the turn), and
 * then at `state`.
 */
#ifndef SWALE_CLIENT_STATE_H
#define SWALE_CLIENT_STATE_H

#include "base/list.h"
#include "base/memory.h"
#include "client/attempt.h"
#include "client/commons.h"
#include "client/ledger.h"
#include "client/outbox.h"
#include "io/turn.h"

#include <errno.h>

/* Before the first state has been told. */
enum { SWALE__NOTHING_TOLD = 255 };

/* What a try goes by: the options, and what they name that is shared. */
struct swale__client_plan {
    struct swale__client_config *config;
    struct swale__conn_group *group;
    struct swale__resolver *resolver;
    struct swale_tls *tls, *proxy_tls; /* the configuration's or the commons' */
};

/* What every message needs comes first, to lie in one cache line. */
struct swale_client {
    struct swale_loop *loop;
    const struct swale_allocator *allocator;
    const struct swale_client_handler *handler;
    void *user;
    uint8_t state; /* enum swale_client_state */
    uint8_t told;  /* the last one that on_state has been given */
    bool plain;    /* messages without a number need nothing but the connection */
    bool freed;
    bool was_open;
    bool deciding;    /* within on_retry: the connection has ended, though the state is still OPEN */
    bool hurry;       /* the next decision is: at once */
    bool tracing;     /* within on_trace */
    bool heard;       /* something came since the probe */
    bool want_drain;  /* on_drain is due when there is room */
    bool close_waits; /* swale_client_close was called with messages pending */
    bool finishing;   /* it was swale_client_finish */

    struct swale__commons *commons;
    struct swale__client_plan plan;
    struct swale__client_plan next_plan; /* from the next try on; its config is NULL for none */
    struct swale__jar *jar;              /* NULL for none */

    struct swale__attempt *attempt; /* the try under way */
    struct swale_conn *conn;        /* from before on_open until on_close has returned */
    struct swale__stream *tap;      /* of the connection, while it is traced */
    struct swale_timer retry;       /* the next try */
    struct swale_timer probe;       /* of swale_client_network_changed, or of a close that waits */
    uint64_t probed_ms;
    uint64_t close_position; /* how far the transport had got when such a close was looked at last */
    struct swale__work work; /* step; once freed, release */

    uint64_t opened_ms; /* the connection */
    uint64_t gap_ms;    /* instant since when there has been none */
    uint32_t tries;     /* since then */
    uint32_t failures;  /* in a row */

    struct swale__outbox box;
    struct swale__ledger ledger;
    uint64_t first_given, last_written; /* numbers, of this connection; 0 for none */

    int close_code; /* of swale_client_close; it may wait for what is pending */
    char close_text[SWALE_REASON_MAX + 1];
};

static inline uint64_t swale__client_now(const struct swale_client *client)
{
    return swale_loop_now(client->loop);
}

/* ---- client.c --------------------------------------------------------------------------------------- */

/* Tells the state if it is not what was told last. */
void swale__client_announce(struct swale_client *client);

/* The closing handshake, of the kind that was asked for. */
void swale__client_close_conn(struct swale_client *client, int code, const char *text);

/* Fills in what is known and asks whoever decides: milliseconds, or SWALE_CLIENT_STOP. The client may be freed then,
 * though it must not be. */
int64_t swale__client_decide(struct swale_client *client, struct swale_client_retry *retry);

/* WAITING for so long, or ENDED. */
void swale__client_move_on(struct swale_client *client, int64_t delay_ms);

/* A try has failed: failure->retry_ms is filled in here. */
void swale__client_failed(struct swale_client *client, struct swale_client_failure *failure, int64_t retry_after_ms);

/* The last words of one that has ended, unless it has been brought back meanwhile. */
void swale__client_end(struct swale_client *client, int reason);

/* The application's on_trace. The context is the client. */
void swale__client_trace(void *context, const struct swale_trace *trace);

/* ---- link.c ----------------------------------------------------------------------------------------- */

/* The attempt's on_open. The context is the client. */
void swale__client_opened(void *context, const struct swale__attempt_success *success);

/* Drops the connection, of which nothing more will be heard. */
void swale__client_unlink(struct swale_client *client);
void swale__client_probe_fired(struct swale_timer *timer);

/* A close waits for what is pending: as long as that moves. */
void swale__client_watch_close(struct swale_client *client);

/* The group's on_progress and first_behind. */
void swale__client_progress(void *commons, struct swale_conn *conn);
uint64_t swale__client_first_behind(void *commons, struct swale_conn *conn, uint64_t handed);

/* ---- send.c ----------------------------------------------------------------------------------------- */

/* Numbers of which the application is still to be told this fate; 0 for none. */
struct swale__news {
    uint64_t first, last;
    enum swale_fate fate;
};
void swale__client_tell(struct swale_client *client, const struct swale__news *news);

/* Gives the connection what waits for it, as far as there is room; then closes it, if that has waited. */
void swale__client_feed(struct swale_client *client);

/* on_drain, if it is due. */
void swale__client_drain(struct swale_client *client);

/* Notes, and tells, what has been handed to the transport. */
void swale__client_note_handed(struct swale_client *client);

/* The connection has ended: what becomes of all that it was given, of which the peer has heard everything, or
 * maybe not. The first news are of what was begun, the others of what was not, and is not kept. */
void swale__client_settle(struct swale_client *client, bool heard, struct swale__news news[2]);

/* Nothing that waits will leave. */
void swale__client_refuse(struct swale_client *client, struct swale__news *news);

#endif
