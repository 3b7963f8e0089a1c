/* session_in.c - what comes on a session: heads, parsed where they lie, and the bytes that must be kept. */
#include "base/memory.h"
#include "server/exchange.h"

/* How many bytes are discarded behind the last answer: see SWALE__LINGER_MS. */
enum { LINGER_BYTES = 1 << 20 };

static const struct swale_allocator *allocator_of(const struct swale__session *session)
{
    return session->worker->server->options.allocator;
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
void swale__session_steer(struct swale__session *session)
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

void swale__session_go_on(struct swale__session *session)
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
        swale__session_go_on(session);
    } else {
        no_memory(session);
    }
}

void swale__session_data(void *context, char *data, size_t size)
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
    swale__session_steer(session);
}

void swale__session_forget_input(struct swale__session *session)
{
    free_fields(session);
    swale__free(allocator_of(session), session->kept, session->kept_capacity);
}
