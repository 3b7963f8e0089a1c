/* session.c - the life of a session: its deadlines, its peer's end, its own. */
#include "base/memory.h"
#include "server/exchange.h"

#include <errno.h>

/* ---- Deadlines -------------------------------------------------------------------------------------- */

void swale__session_timer(struct swale__session *session, uint32_t ms)
{
    struct swale_loop *loop = session->worker->loop;
    if (ms == SWALE_OFF)
        swale_timer_stop(loop, &session->timer);
    else
        swale_timer_start(loop, &session->timer, swale_loop_now(loop) + ms);
}

/* The time that a peer has for a whole head, and for taking some of an answer. */
void swale__session_deadline(struct swale__session *session)
{
    swale__session_timer(session, session->worker->server->options.limits.handshake_ms);
}

/* A peer that lets its time pass while a request is under way is told so. One that never began, or does not read,
 * is not worth a word. */
static void expire_reading(struct swale__session *session)
{
    struct swale__about about = { .stream = session->stream };
    if (session->out.size) {
        swale__refused(session->worker, SWALE_ERR_SLOW_READER, 0, about);
        swale__session_end(session, true);
    } else if (session->kept_size) {
        swale__session_refuse(session, NULL, SWALE_ERR_HANDSHAKE_TIMEOUT);
    } else {
        if (!session->served)
            swale__refused(session->worker, SWALE_ERR_HANDSHAKE_TIMEOUT, 0, about);
        swale__session_end(session, false);
    }
}

static void expire(struct swale_timer *timer)
{
    struct swale__session *session = timer->context;
    switch (session->phase) {
    case SWALE__READING:
        expire_reading(session);
        break;
    case SWALE__ANSWERING:
        swale__session_refuse(session, &session->exchange->request, SWALE_ERR_HANDSHAKE_TIMEOUT);
        break;
    case SWALE__SENDING:
    case SWALE__CLOSING:
        swale__refused(session->worker, SWALE_ERR_SLOW_READER, 0, (struct swale__about){ .stream = session->stream });
        swale__session_end(session, true);
        break;
    case SWALE__LINGERING:
    case SWALE__GONE:
        swale__session_end(session, false);
        break;
    }
}

/* ---- The peer's end --------------------------------------------------------------------------------- */

static void on_end(void *context)
{
    struct swale__session *session = context;
    session->ended = true;
    switch (session->phase) {
    case SWALE__READING:
        if (session->out.size) {
            session->phase = SWALE__CLOSING;
            break;
        }
        if (session->kept_size)
            swale__refused(session->worker, SWALE_ERR_PEER_GONE, 0,
                           (struct swale__about){ .stream = session->stream });
        swale__session_end(session, false);
        break;
    case SWALE__ANSWERING:
        if (session->exchange->upgrading) /* half a WebSocket is none */
            swale__session_end(session, false);
        break;
    case SWALE__SENDING:
        session->last = true;
        break;
    case SWALE__LINGERING:
        swale__session_end(session, false);
        break;
    case SWALE__CLOSING:
    case SWALE__GONE:
        break;
    }
}

static void on_fail(void *context, int error)
{
    struct swale__session *session = context;
    struct swale__about about = { .stream = session->stream };
    if (swale__is_tls_failure(error))
        swale__refused(session->worker, error, 0, about);
    else if (session->phase == SWALE__READING && session->kept_size)
        swale__refused(session->worker, SWALE_ERR_RESET, 0, about);
    swale__session_end(session, true);
}

/* ---- Life ------------------------------------------------------------------------------------------- */

static void free_session(struct swale__work *work)
{
    struct swale__session *session = SWALE__LIST_OWNER(work, struct swale__session, end);
    swale__session_forget_input(session);
    swale__free(session->worker->server->options.allocator, session, sizeof *session);
}

int swale__session_new(struct swale__session **session, struct swale__worker *worker, struct swale__stream *stream,
                       struct swale__guest *guest)
{
    static const struct swale__stream_user user = {
        .on_data = swale__session_data,
        .on_written = swale__session_written,
        .on_end = on_end,
        .on_fail = on_fail,
    };
    struct swale__session *made = swale__alloc_zeroed(worker->server->options.allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->stream = stream;
    made->worker = worker;
    made->guest = guest;
    made->file = -1;
    made->flush.run = swale__session_flush;
    made->end.run = free_session;
    made->timer.fire = expire;
    made->timer.context = made;
    swale__list_append(&worker->sessions, &made->link);
    swale__count(&worker->tally.handshaking, 1);
    swale__stream_use(stream, &user, made);
    swale__session_deadline(made);
    swale__session_steer(made);
    *session = made;
    return 0;
}

/* Takes the session out of everything but memory, which the caller of the caller may still be using. */
static void retire(struct swale__session *session)
{
    struct swale__worker *worker = session->worker;
    session->phase = SWALE__GONE;
    session->stream = NULL;
    session->guest = NULL;
    if (session->exchange)
        session->exchange->session = NULL;
    session->exchange = NULL;
    swale_timer_stop(worker->loop, &session->timer);
    swale__loop_forget(worker->loop, &session->flush);
    swale__outq_clear(&session->out, worker->loop);
    swale__session_close_file(session);
    swale__list_remove(&session->link);
    swale__count(&worker->tally.handshaking, UINT64_MAX); /* one less */
    swale__loop_at_end(worker->loop, &session->end);
}

void swale__session_end(struct swale__session *session, bool abort)
{
    if (session->phase == SWALE__GONE)
        return;
    struct swale__worker *worker = session->worker;
    struct swale__guest *guest = session->guest;
    struct swale__stream *stream = session->stream;
    if (!guest)
        worker->turned_away--;
    swale__stream_close(stream, abort); /* before what it may be writing is freed */
    retire(session);
    swale__worker_leave(worker, guest);
}

struct swale__stream *swale__session_hand_over(struct swale__session *session, struct swale__guest **guest)
{
    struct swale__stream *stream = session->stream;
    *guest = session->guest;
    retire(session);
    return stream;
}

void swale__session_put_off(struct swale__session *session, struct swale_exchange *exchange)
{
    session->phase = SWALE__ANSWERING;
    session->exchange = exchange;
    if (!exchange->upgrading) /* the application takes the time that it needs */
        swale__session_timer(session, SWALE_OFF);
}

void swale__session_drain(struct swale__session *session)
{
    switch (session->phase) {
    case SWALE__READING:
        if (session->out.size)
            session->phase = SWALE__CLOSING;
        else if (session->kept_size == 0)
            swale__session_end(session, false);
        break;
    case SWALE__ANSWERING:
        if (session->exchange->upgrading)
            swale__session_refuse(session, &session->exchange->request, SWALE_ERR_DRAINING);
        break;
    case SWALE__SENDING:
        session->last = true;
        break;
    case SWALE__CLOSING:
    case SWALE__LINGERING:
    case SWALE__GONE:
        break;
    }
    swale__session_steer(session);
}
