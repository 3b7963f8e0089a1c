/* session_out.c - what leaves a session: answers, files, and the goodbye. */
#include "base/memory.h"
#include "server/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Files are read in runs of the loop's scratch buffer, at most so many in one turn. */
enum { RUNS_PER_TURN = 16 };

/* An answer head that is larger is refused: it would not fit a client's limits either. */
enum { ANSWER_HEAD_MAX = 65536 };

static const struct swale_allocator *allocator_of(const struct swale__session *session)
{
    return session->worker->server->options.allocator;
}

/* ---- Files and flushing ------------------------------------------------------------------------------ */

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

void swale__session_close_file(struct swale__session *session)
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
        swale__session_close_file(session);
        session->phase = session->last ? SWALE__CLOSING : SWALE__READING;
        swale__session_deadline(session);
    }
    if (session->phase != SWALE__CLOSING)
        return;
    if (session->ended) {
        swale__session_end(session, false);
        return;
    }
    session->phase = SWALE__LINGERING;
    swale__stream_shutdown(session->stream);
    swale__session_timer(session, SWALE__LINGER_MS);
}

/* Sends what can be sent; goes on with requests that had to wait for that. */
void swale__session_push(struct swale__session *session)
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
            swale__session_deadline(session);
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
        swale__session_go_on(session);
    swale__session_steer(session);
}

void swale__session_flush(struct swale__work *work)
{
    struct swale__session *session = SWALE__LIST_OWNER(work, struct swale__session, flush);
    if (session->phase != SWALE__GONE)
        swale__session_push(session);
}

void swale__session_written(void *context, size_t size)
{
    struct swale__session *session = context;
    if (session->phase == SWALE__GONE)
        return;
    swale__outq_written(&session->out, session->worker->loop, size);
    if (size && session->phase != SWALE__ANSWERING && session->phase != SWALE__LINGERING)
        swale__session_deadline(session);
    swale__session_push(session);
}

/* ---- Answers ---------------------------------------------------------------------------------------- */

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
    swale__session_deadline(session);
    swale__loop_at_flush(session->worker->loop, &session->flush);
    return 0;
}

void swale__refusal_init(struct swale__refusal *refusal, int reason)
{
    int size =
        snprintf(refusal->body, sizeof refusal->body, "%s: %s\n", swale_error_name(reason), swale_strerror(reason));
    refusal->fields[0] = (struct swale_field){ swale_text("Content-Type"), swale_text("text/plain") };
    refusal->answer = (struct swale__answer){
        .status = swale_error_http_status(reason),
        .fields = refusal->fields,
        .field_count = 1,
        .body = swale_span(refusal->body, (size_t)size),
        .body_size = (uint64_t)size,
        .file = -1,
    };
}

void swale__session_refuse(struct swale__session *session, const struct swale_request *request, int reason)
{
    struct swale__refusal refusal;
    swale__refusal_init(&refusal, reason);
    refusal.answer.head_only = request && swale_span_equal(request->method, swale_text("HEAD"));
    swale__refused(session->worker, reason, refusal.answer.status, (struct swale__about){ request, session->stream });
    if (session->exchange)
        session->exchange->session = NULL;
    if (swale__session_answer(session, &refusal.answer) != 0)
        swale__session_end(session, true);
    else
        swale__session_timer(session, SWALE__LINGER_MS);
}
