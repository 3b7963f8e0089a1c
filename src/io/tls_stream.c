/* tls_stream.c - TLS as a filter over any stream: its events, its operations, its life.
 *
 *     lower stream --data, written, end, fail--> this file --> tls_read.c --data--> user
 *     lower stream <------------- tls_write.c <-- this file <-- user
 *
 * Everything that happens comes in by one of few doors: a callback of the lower stream, `later` (a turn of the loop
 * of our own), or an operation of the user. The first two end in settle(), which tells the user everything but data;
 * operations never call back, and leave what there is to tell to `later`.
 * A user may do anything from within a callback, closing included: `closed` is looked at behind each, and memory
 * goes at the end of the turn.
 *
 * During the handshake the lower is read whether or not the user has paused. Behind it, a pause takes effect between
 * two runs of data; ciphertext that is left over then is kept until `later`.
 */
#include "io/tls.h"

#include "base/memory.h"

#include <errno.h>
#include <openssl/err.h>

static struct swale__tls_stream *tls_of(struct swale__stream *stream)
{
    return (struct swale__tls_stream *)stream;
}

static bool owes_room(const struct swale__tls_stream *tls)
{
    return tls->wants_room && tls->open && tls->out.size <= SWALE__TLS_BACKLOG_MAX / 2;
}

static bool owes_end(const struct swale__tls_stream *tls)
{
    return tls->ended && !tls->end_told && !tls->paused;
}

bool swale__tls_has_news(const struct swale__tls_stream *tls)
{
    if (tls->error)
        return !tls->error_told;
    return owes_room(tls) || owes_end(tls) ||
           (swale__tls_may_read(tls) && (swale__tls_holds_input(tls) || tls->lower_ended));
}

static void tell_room(struct swale__tls_stream *tls)
{
    if (!swale__tls_alive(tls) || !owes_room(tls))
        return;
    tls->wants_room = false;
    tls->base.user->on_written(tls->base.context, 0);
}

/* Uses up the input as far as may be. The handshake's last flight (a server's ticket, say) waits for the end of the
 * turn, and its place is behind the user's own work there: it goes in one write with what data that came along are
 * answered with. */
static void receive(struct swale__tls_stream *tls, bool borrowed)
{
    bool shaking = !tls->open && swale__tls_alive(tls);
    if (shaking)
        swale__tls_shake_hands(tls);
    tell_room(tls); /* a client is connected before it gets data */
    swale__tls_read(tls, borrowed);
    if (shaking && tls->open && swale__tls_alive(tls))
        swale__loop_at_flush(tls->base.loop, &tls->last_flight);
}

static void run_last_flight(struct swale__work *work)
{
    struct swale__tls_stream *tls = SWALE__LIST_OWNER(work, struct swale__tls_stream, last_flight);
    swale__tls_flush(tls);
    if (swale__tls_has_news(tls))
        swale__loop_at_next(tls->base.loop, &tls->later);
}

/* ---- Behind every event ----------------------------------------------------------------------------- */

static void steer_lower(struct swale__tls_stream *tls)
{
    bool wanted = swale__tls_may_read(tls) && !swale__tls_holds_input(tls) && !tls->lower_ended;
    if (tls->lower_dead || wanted == tls->lower_reading)
        return;
    tls->lower_reading = wanted;
    if (wanted)
        swale__stream_resume(tls->lower);
    else
        swale__stream_pause(tls->lower);
}

static void shut_lower_when_drained(struct swale__tls_stream *tls)
{
    bool drained = tls->out.size == 0 && (tls->shut_down || tls->error);
    if (drained && !tls->lower_shut && !tls->lower_dead) {
        tls->lower_shut = true;
        swale__stream_shutdown(tls->lower);
    }
}

/* Sends what there is to send and tells the user what there is to tell. */
static void settle(struct swale__tls_stream *tls)
{
    if (tls->closed)
        return; /* the lower may have been closed too */
    if (tls->lower_ended && !tls->ended && !swale__tls_holds_input(tls))
        swale__tls_fail(tls, SWALE_ERR_TLS_TRUNCATED, "unexpected end");
    if (!swale__work_waits(&tls->last_flight))
        swale__tls_flush(tls);
    shut_lower_when_drained(tls);
    tell_room(tls);
    if (swale__tls_alive(tls) && owes_end(tls)) {
        tls->end_told = true;
        tls->base.user->on_end(tls->base.context);
    }
    if (tls->closed)
        return;
    steer_lower(tls);
    if (tls->error && !tls->error_told) {
        tls->error_told = true;
        tls->base.user->on_fail(tls->base.context, tls->error);
    } else if (swale__tls_alive(tls) && swale__tls_has_news(tls)) {
        swale__loop_at_next(tls->base.loop, &tls->later);
    }
}

static void run_later(struct swale__work *work)
{
    struct swale__tls_stream *tls =
        (struct swale__tls_stream *)((char *)work - offsetof(struct swale__tls_stream, later));
    receive(tls, false);
    settle(tls);
}

/* ---- Closing ---------------------------------------------------------------------------------------- */

static void destroy(struct swale__tls_stream *tls)
{
    const struct swale_allocator *allocator = swale__loop_allocator(tls->base.loop);
    /* OpenSSL would forget the session of a connection that was merely cut (RFC 5246 section 7.2.1 lets it live). */
    if (tls->ssl && tls->open && tls->error != SWALE_ERR_TLS)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    swale__tls_out_consume(&tls->out, tls->base.loop, tls->out.size);
    swale__tls_forget_input(tls);
    swale__tls_identity_free(tls);
    swale__free(allocator, tls->reason_block, tls->reason_size);
    if (tls->server_name)
        swale__free(allocator, tls->server_name, strlen(tls->server_name) + 1);
    swale__tls_generation_unref(tls->generation);
    swale_tls_unref(tls->tls);
    swale__free(allocator, tls, sizeof *tls);
}

static void run_destroy(struct swale__work *work)
{
    destroy((struct swale__tls_stream *)((char *)work - offsetof(struct swale__tls_stream, destroy)));
}

/* The lower goes now, the memory at the end of the turn. */
static void finish(struct swale__tls_stream *tls, bool abort)
{
    swale_timer_stop(tls->base.loop, &tls->linger);
    swale__loop_take_back(tls->base.loop, &tls->leftover);
    swale__loop_forget(tls->base.loop, &tls->later);
    swale__stream_close(tls->lower, abort);
    swale__loop_at_end(tls->base.loop, &tls->destroy);
}

static void give_up_lingering(struct swale_timer *timer)
{
    finish(timer->context, true);
}

static void drop_lingering(struct swale__leftover *leftover)
{
    finish((struct swale__tls_stream *)((char *)leftover - offsetof(struct swale__tls_stream, leftover)), true);
}

static void linger(struct swale__tls_stream *tls)
{
    struct swale_loop *loop = tls->base.loop;
    steer_lower(tls);
    swale__loop_leave(loop, &tls->leftover);
    swale_timer_start(loop, &tls->linger, swale_loop_now(loop) + SWALE__TLS_LINGER_MS);
}

/* A closed stream goes as soon as what was written has left, or cannot leave any more. */
static void finish_when_drained(struct swale__tls_stream *tls)
{
    swale__tls_flush(tls);
    if (tls->lower_dead || tls->out.size == 0)
        finish(tls, tls->lower_dead);
}

/* ---- What the lower stream tells -------------------------------------------------------------------- */

static void on_lower_data(void *context, char *data, size_t size)
{
    struct swale__tls_stream *tls = context;
    if (!swale__tls_alive(tls) || tls->ended)
        return; /* RFC 8446 section 6.1: what comes behind a close_notify is ignored */
    tls->in = swale_span(data, size);
    receive(tls, true);
    settle(tls);
}

static void on_lower_written(void *context, size_t size)
{
    struct swale__tls_stream *tls = context;
    tls->lower_full = false;
    tls->in_flight -= size;
    swale__tls_out_consume(&tls->out, tls->base.loop, size);
    if (tls->closed)
        finish_when_drained(tls);
    else
        settle(tls);
}

static void on_lower_end(void *context)
{
    struct swale__tls_stream *tls = context;
    tls->lower_ended = true;
    settle(tls);
}

static void on_lower_fail(void *context, int error)
{
    struct swale__tls_stream *tls = context;
    tls->lower_dead = true;
    swale__tls_fail(tls, error, NULL);
    if (tls->closed)
        finish_when_drained(tls);
    else
        settle(tls);
}

static const struct swale__stream_user lower_user = {
    .on_data = on_lower_data,
    .on_written = on_lower_written,
    .on_end = on_lower_end,
    .on_fail = on_lower_fail,
};

/* ---- Operations ------------------------------------------------------------------------------------- */

static void resume_tls(struct swale__stream *stream)
{
    struct swale__tls_stream *tls = tls_of(stream);
    tls->paused = false;
    if (swale__tls_has_news(tls))
        swale__loop_at_next(tls->base.loop, &tls->later);
    else
        steer_lower(tls);
}

static void pause_tls(struct swale__stream *stream)
{
    tls_of(stream)->paused = true;
    steer_lower(tls_of(stream));
}

static void queue_close_notify(struct swale__tls_stream *tls)
{
    if (tls->open && !tls->shut_down && !tls->error) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
    tls->shut_down = true;
}

static void shutdown_tls(struct swale__stream *stream)
{
    struct swale__tls_stream *tls = tls_of(stream);
    queue_close_notify(tls);
    swale__tls_flush(tls);
    shut_lower_when_drained(tls);
    if (swale__tls_has_news(tls))
        swale__loop_at_next(tls->base.loop, &tls->later);
}

static void close_tls(struct swale__stream *stream, bool abort)
{
    struct swale__tls_stream *tls = tls_of(stream);
    tls->closed = true;
    swale__loop_forget(stream->loop, &tls->later);
    swale__loop_forget(stream->loop, &tls->last_flight);
    if (!abort) {
        queue_close_notify(tls);
        swale__tls_flush(tls);
    }
    if (abort || tls->lower_dead || tls->out.size == 0)
        finish(tls, abort);
    else
        linger(tls);
}

static void describe_tls(struct swale__stream *stream, struct swale_peer *peer, char *text)
{
    struct swale__tls_stream *tls = tls_of(stream);
    tls->lower->ops->describe(tls->lower, peer, text);
    peer->tls = true;
    peer->tls_error = swale_text(tls->reason);
    if (tls->open)
        swale__tls_identify(tls, peer);
}

static bool address_of_tls(const struct swale__stream *stream, unsigned char ip[16])
{
    return swale__stream_address(((const struct swale__tls_stream *)stream)->lower, ip);
}

static const struct swale__stream_ops tls_ops = {
    .resume = resume_tls,
    .pause = pause_tls,
    .write = swale__tls_write,
    .shutdown = shutdown_tls,
    .close = close_tls,
    .describe = describe_tls,
    .address = address_of_tls,
    .prompt = true, /* a write has been encrypted when it returns */
};

/* ---- Making one ------------------------------------------------------------------------------------- */

static int set_client(struct swale__tls_stream *tls, const char *server_name)
{
    if (!server_name)
        return tls->tls->settings.verify ? SWALE_ERR_INVALID : 0; /* whom should it be? */
    size_t size = strlen(server_name);
    if (size > 0 && server_name[size - 1] == '.') /* RFC 6066 section 3: no trailing dot */
        size--;
    tls->server_name = swale__alloc(swale__loop_allocator(tls->base.loop), size + 1);
    if (!tls->server_name)
        return -ENOMEM;
    memcpy(tls->server_name, server_name, size);
    tls->server_name[size] = '\0';
    int error = swale__tls_expect(tls->ssl, tls->server_name);
    if (error)
        return error;
    SSL_SESSION *session = swale__tls_cache_take(&tls->tls->cache, tls->server_name, tls->generation->number);
    if (session)
        SSL_set_session(tls->ssl, session);
    SSL_SESSION_free(session);
    return 0;
}

static int set_up(struct swale__tls_stream *tls, enum swale__side side, const char *server_name)
{
    tls->ssl = SSL_new(tls->generation->contexts[0]);
    BIO *bio = BIO_new(tls->tls->bio);
    if (!tls->ssl || !bio) {
        BIO_free(bio);
        return -ENOMEM;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    if (side == SWALE__ACCEPTED) {
        SSL_set_accept_state(tls->ssl);
        return 0;
    }
    SSL_set_connect_state(tls->ssl);
    tls->wants_room = true; /* on_written(0) tells that it is connected */
    return set_client(tls, server_name);
}

int swale__tls_wrap(struct swale__stream **stream, struct swale__stream *lower, struct swale_tls *context,
                    enum swale__side side, const char *server_name)
{
    unsigned level = lower->ops == &tls_ops ? ((struct swale__tls_stream *)lower)->level + 1 : 0;
    bool fits = context->settings.server == (side == SWALE__ACCEPTED) && level < SWALE__TLS_LEVELS;
    struct swale__tls_stream *tls = NULL;
    if (fits)
        tls = swale__alloc_zeroed(swale__loop_allocator(lower->loop), sizeof *tls);
    if (!tls) {
        swale__stream_close(lower, true);
        return fits ? -ENOMEM : SWALE_ERR_INVALID;
    }
    tls->base = (struct swale__stream){ .ops = &tls_ops, .loop = lower->loop };
    tls->lower = lower;
    tls->level = level;
    tls->tls = swale_tls_ref(context);
    tls->generation = swale__tls_generation_now(context);
    tls->later.run = run_later;
    tls->last_flight.run = run_last_flight;
    tls->destroy.run = run_destroy;
    tls->linger.fire = give_up_lingering;
    tls->linger.context = tls;
    tls->leftover.drop = drop_lingering;
    swale__list_init(&tls->leftover.node);
    tls->paused = true;
    ERR_clear_error();
    int error = set_up(tls, side, server_name);
    ERR_clear_error();
    if (error) {
        swale__stream_close(lower, true);
        destroy(tls);
        return error;
    }
    swale__stream_use(lower, &lower_user, tls);
    steer_lower(tls);
    if (side == SWALE__DIALLED)
        swale__loop_at_next(lower->loop, &tls->later); /* the ClientHello */
    *stream = &tls->base;
    return 0;
}
