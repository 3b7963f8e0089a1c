#include "server/session.h"

#include "base/memory.h"
#include "server/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* How long, and for how many bytes, input is discarded behind the last answer. Closing a socket with unread input
 * resets it, and the reset may destroy the answer before the peer has read it (RFC 9112 section 9.6). */
enum { LINGER_MS = 1000, LINGER_BYTES = 1 << 20 };

/* Files are read in runs of the loop's scratch buffer, at most so many in one turn. */
enum { RUNS_PER_TURN = 16 };

/* An answer head that is larger is refused: it would not fit a client's limits either. */
enum { ANSWER_HEAD_MAX = 65536 };

static const struct swale_allocator *allocator_of(const struct swale__session *session)
{
    return session->worker->server->options.allocator;
}

/* ---- Deadlines -------------------------------------------------------------------------------------- */

static void set_timer(struct swale__session *session, uint32_t ms)
{
    struct swale_loop *loop = session->worker->loop;
    if (ms == SWALE_OFF)
        swale_timer_stop(loop, &session->timer);
    else
        swale_timer_start(loop, &session->timer, swale_loop_now(loop) + ms);
}

/* The time that a peer has for a whole head, and for taking some of an answer. */
static void restart_deadline(struct swale__session *session)
{
    set_timer(session, session->worker->server->options.limits.handshake_ms);
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

/* ---- Bytes that must be kept ------------------------------------------------------------------------ */

static bool keep(struct swale__session *session, const char *data, size_t size)
{
    size_t need = session->kept_size + size;
    if (need > session->kept_capacity) {
        size_t capacity = session->kept_capacity * 2 > need ? session->kept_capacity * 2 : need;
        char *kept = swale__resize(allocator_of(session), session->kept, session->kept_capacity, capacity);
        if (!kept)
            return false;
        session->kept = kept;
        session->kept_capacity = capacity;
    }
    memcpy(session->kept + session->kept_size, data, size);
    session->kept_size = need;
    return true;
}

/* Forgets the first `used` bytes, and gives back the memory that the rest does not need. */
static void forget(struct swale__session *session, size_t used)
{
    size_t rest = session->kept_size - used;
    if (used == 0)
        return;
    if (rest)
        memmove(session->kept, session->kept + used, rest);
    char *kept = swale__resize(allocator_of(session), session->kept, session->kept_capacity, rest);
    session->kept_size = rest;
    if (kept || rest == 0) {
        session->kept = kept;
        session->kept_capacity = rest;
    }
}

static void free_fields(struct swale__session *session)
{
    size_t size = session->worker->server->options.max_fields * sizeof *session->fields;
    swale__free(allocator_of(session), session->fields, size);
    session->fields = NULL;
}

/* ---- Requests --------------------------------------------------------------------------------------- */

/* Parses on. The fields of a head that is not complete move from the worker's array to one of the session's own. */
static ptrdiff_t next_head(struct swale__session *session, const char *data, size_t size,
                           struct swale_request *request)
{
    struct swale__worker *worker = session->worker;
    const struct swale_server_options *options = &worker->server->options;
    struct swale_head_room room = {
        .fields = session->fields ? session->fields : worker->fields,
        .max_fields = options->max_fields,
        .max_size = options->max_head,
    };
    ptrdiff_t length = swale_request_parse(&session->parser, &room, data, size, request);
    if (length != 0) {
        session->parser = (struct swale_head_parser){ 0 };
        return length;
    }
    if (session->parser.line_end && !session->fields) {
        uint32_t begun = session->parser.count + 1; /* the name of one more may be there already */
        session->fields = swale__alloc(options->allocator, options->max_fields * sizeof *session->fields);
        if (!session->fields)
            return SWALE_ERR_NO_MEMORY;
        memcpy(session->fields, worker->fields,
               (begun < options->max_fields ? begun : options->max_fields) * sizeof *session->fields);
    }
    return 0;
}

/* While many answers wait, no more are made: whoever pipelines without reading stops being read. */
static bool throttled(const struct swale__session *session)
{
    return session->wait_empty || session->out.size > session->worker->server->options.limits.high_water;
}

/* Handles the requests in data[0..size); returns how many bytes are done with. What is left is the beginning of a
 * head, or has to wait. */
static size_t take(struct swale__session *session, char *data, size_t size)
{
    size_t used = 0;
    while (session->phase == SWALE__READING && used < size && !throttled(session)) {
        struct swale_request request;
        ptrdiff_t length = next_head(session, data + used, size - used, &request);
        if (length == 0)
            break;
        if (length < 0) {
            swale__session_refuse(session, NULL, (int)length);
            break;
        }
        /* The answers before a 101 must have left, because the connection has a queue of its own. */
        session->wait_empty = session->out.size > 0 && swale_upgrade_wanted(&request);
        if (!session->wait_empty) {
            struct swale_span head = swale_span(data + used, (size_t)length);
            used += head.size;
            swale__dispatch(session, &request, head, swale_span(data + used, size - used));
        }
        free_fields(session);
    }
    return used;
}

/* Reading follows from the state, and is set wherever that may have changed. */
static void update_reading(struct swale__session *session)
{
    bool reading = false;
    switch (session->phase) {
    case SWALE__READING:
        reading = !throttled(session);
        break;
    case SWALE__ANSWERING:
        reading = session->kept_size == 0; /* so that a peer that goes is noticed */
        break;
    case SWALE__CLOSING:
    case SWALE__LINGERING:
        reading = true;
        break;
    case SWALE__SENDING:
        break;
    case SWALE__GONE:
        return;
    }
    if (reading == session->reading)
        return;
    session->reading = reading;
    if (reading)
        swale__stream_resume(session->stream);
    else
        swale__stream_pause(session->stream);
}

static void take_kept(struct swale__session *session)
{
    size_t used = take(session, session->kept, session->kept_size);
    if (session->phase != SWALE__GONE)
        forget(session, session->phase >= SWALE__CLOSING ? session->kept_size : used);
}

static void discard(struct swale__session *session, size_t size)
{
    session->discarded += size;
    if (session->discarded > LINGER_BYTES)
        swale__session_end(session, false);
}

static void no_memory(struct swale__session *session)
{
    swale__refused(session->worker, SWALE_ERR_NO_MEMORY, 0, (struct swale__about){ .stream = session->stream });
    swale__session_end(session, true);
}

static void receive(struct swale__session *session, char *data, size_t size)
{
    if (session->kept_size == 0) {
        size_t used = take(session, data, size);
        if (session->phase < SWALE__CLOSING && used < size && !keep(session, data + used, size - used))
            no_memory(session);
    } else if (keep(session, data, size)) {
        take_kept(session);
    } else {
        no_memory(session);
    }
}

static void on_data(void *context, char *data, size_t size)
{
    struct swale__session *session = context;
    switch (session->phase) {
    case SWALE__READING:
        receive(session, data, size);
        break;
    case SWALE__ANSWERING:
    case SWALE__SENDING:
        if (!keep(session, data, size))
            no_memory(session);
        break;
    case SWALE__CLOSING:
    case SWALE__LINGERING:
        discard(session, size);
        break;
    case SWALE__GONE:
        return;
    }
    update_reading(session);
}

/* ---- Sending ---------------------------------------------------------------------------------------- */

/* One more run of the file into the out-queue. A file that has become shorter than was promised can only be
 * answered with the end of the connection. */
static bool refill(struct swale__session *session)
{
    char *run = swale__loop_scratch(session->worker->loop);
    size_t most = session->file_left < SWALE__SCRATCH_SIZE ? (size_t)session->file_left : SWALE__SCRATCH_SIZE;
    ssize_t size;
    do
        size = read(session->file, run, most);
    while (size < 0 && errno == EINTR);
    int error = size > 0 ? swale__outq_append(&session->out, session->worker->loop, swale_span(run, (size_t)size),
                                              swale_span(NULL, 0))
                         : SWALE_ERR_INTERNAL;
    if (error) {
        swale__refused(session->worker, error == -ENOMEM ? SWALE_ERR_NO_MEMORY : error, 0,
                       (struct swale__about){ .stream = session->stream });
        swale__session_end(session, true);
        return false;
    }
    session->file_left -= (uint64_t)size;
    return true;
}

static void close_file(struct swale__session *session)
{
    if (session->file >= 0)
        close(session->file);
    session->file = -1;
    session->file_left = 0;
}

/* Everything that was queued has left. */
static void sent(struct swale__session *session)
{
    session->wait_empty = false;
    if (session->phase == SWALE__SENDING) {
        close_file(session);
        session->phase = session->last ? SWALE__CLOSING : SWALE__READING;
        restart_deadline(session);
    }
    if (session->phase != SWALE__CLOSING)
        return;
    if (session->ended) {
        swale__session_end(session, false);
        return;
    }
    session->phase = SWALE__LINGERING;
    swale__stream_shutdown(session->stream);
    set_timer(session, LINGER_MS);
}

/* Sends what can be sent; goes on with requests that had to wait for that. */
static void push(struct swale__session *session)
{
    bool empty = false;
    for (int runs = 0; !empty; runs++) {
        size_t left = 0;
        int state = swale__outq_flush(&session->out, session->stream, &left);
        if (state < 0) {
            swale__session_end(session, true);
            return;
        }
        if (left && session->phase != SWALE__ANSWERING)
            restart_deadline(session);
        if (state > 0)
            break;
        empty = session->file_left == 0;
        if (!empty && runs == RUNS_PER_TURN) {
            swale__loop_at_next(session->worker->loop, &session->flush);
            return;
        }
        if (!empty && !refill(session))
            return;
    }
    if (empty)
        sent(session);
    if (session->phase == SWALE__READING && session->kept_size)
        take_kept(session);
    update_reading(session);
}

static void flush(struct swale__work *work)
{
    struct swale__session *session = SWALE__LIST_OWNER(work, struct swale__session, flush);
    if (session->phase != SWALE__GONE)
        push(session);
}

static void on_written(void *context, size_t size)
{
    struct swale__session *session = context;
    if (session->phase == SWALE__GONE)
        return;
    swale__outq_written(&session->out, session->worker->loop, size);
    if (size && session->phase != SWALE__ANSWERING && session->phase != SWALE__LINGERING)
        restart_deadline(session);
    push(session);
}

/* Queues head and body as one unit. Neither the loop's scratch buffer nor the exchange's arena is used for the head:
 * the first may hold the message from whose handler this is called. */
static int queue_answer(struct swale__session *session, const struct swale__answer *answer, bool keep_alive)
{
    char small[1024];
    char *head = small;
    size_t capacity = sizeof small;
    ptrdiff_t size = swale_answer_head(answer->status, answer->fields, answer->field_count, answer->body_size,
                                       keep_alive, head, capacity);
    if (size == SWALE_ERR_TOO_SMALL) {
        capacity = ANSWER_HEAD_MAX;
        head = swale__alloc(allocator_of(session), capacity);
        if (!head)
            return -ENOMEM;
        size = swale_answer_head(answer->status, answer->fields, answer->field_count, answer->body_size, keep_alive,
                                 head, capacity);
    }
    int error = size < 0 ? (int)size : 0;
    if (!error) {
        bool bodiless = answer->head_only || answer->status == 204 || answer->status == 304;
        error = swale__outq_append(&session->out, session->worker->loop, swale_span(head, (size_t)size),
                                   bodiless ? swale_span(NULL, 0) : answer->body);
    }
    if (head != small)
        swale__free(allocator_of(session), head, capacity);
    return error;
}

int swale__session_answer(struct swale__session *session, const struct swale__answer *answer)
{
    bool keep_alive = answer->keep_alive && !session->ended && !session->worker->draining;
    int error = queue_answer(session, answer, keep_alive);
    if (error)
        return error;
    session->served = true;
    session->exchange = NULL;
    if (answer->file >= 0) {
        session->phase = SWALE__SENDING;
        session->file = answer->file;
        session->file_left = answer->body_size;
        session->last = !keep_alive;
    } else {
        session->phase = keep_alive ? SWALE__READING : SWALE__CLOSING;
    }
    restart_deadline(session);
    swale__loop_at_flush(session->worker->loop, &session->flush);
    return 0;
}

void swale__session_refuse(struct swale__session *session, const struct swale_request *request, int reason)
{
    char body[128];
    int size = snprintf(body, sizeof body, "%s: %s\n", swale_error_name(reason), swale_strerror(reason));
    int status = swale_error_http_status(reason);
    struct swale_field type = { swale_text("Content-Type"), swale_text("text/plain") };
    struct swale__answer answer = {
        .status = status ? status : 400,
        .fields = &type,
        .field_count = 1,
        .body = swale_span(body, (size_t)size),
        .body_size = (uint64_t)size,
        .file = -1,
        .head_only = request && swale_span_equal(request->method, swale_text("HEAD")),
    };
    swale__refused(session->worker, reason, answer.status, (struct swale__about){ request, session->stream });
    if (session->exchange)
        session->exchange->session = NULL;
    if (swale__session_answer(session, &answer) != 0)
        swale__session_end(session, true);
    else
        set_timer(session, LINGER_MS);
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
    if (error == SWALE_ERR_TLS)
        swale__refused(session->worker, error, 0, about);
    else if (session->phase == SWALE__READING && session->kept_size)
        swale__refused(session->worker, SWALE_ERR_RESET, 0, about);
    swale__session_end(session, true);
}

/* ---- Life ------------------------------------------------------------------------------------------- */

static void free_session(struct swale__work *work)
{
    struct swale__session *session = SWALE__LIST_OWNER(work, struct swale__session, end);
    const struct swale_allocator *allocator = allocator_of(session);
    free_fields(session);
    swale__free(allocator, session->kept, session->kept_capacity);
    swale__free(allocator, session, sizeof *session);
}

int swale__session_new(struct swale__session **session, struct swale__worker *worker, struct swale__stream *stream,
                       struct swale__guest *guest)
{
    static const struct swale__stream_user user = {
        .on_data = on_data,
        .on_written = on_written,
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
    made->flush.run = flush;
    made->end.run = free_session;
    made->timer.fire = expire;
    made->timer.context = made;
    swale__list_append(&worker->sessions, &made->link);
    swale__count(&worker->tally.handshaking, 1);
    swale__stream_use(stream, &user, made);
    restart_deadline(made);
    update_reading(made);
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
    close_file(session);
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
    retire(session);
    swale__stream_close(stream, abort);
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
        set_timer(session, SWALE_OFF);
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
    update_reading(session);
}
