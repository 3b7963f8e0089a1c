/* answer.c - the request on its way, and the answer to it: interim ones, the 101, and refusals with their bodies.
 *
 *     head in pieces --> `head` --+--> 1xx: the next head
 *     head at once ---------------+--> 101: verified, on_open
 *                                 +--> a redirect that is followed
 *                                 +--> any other: kept in `head`, then its body in `content`, on_fail
 *
 * Everything is bounded: a head by max_head and max_fields, their number by SWALE__INTERIM_MAX, a body by
 * max_refusal, and all of it by the attempt's deadline.
 */
#include "client/date.h"
#include "client/stages.h"

#include <stdio.h>
#include <time.h>

/* ---- Refusals --------------------------------------------------------------------------------------- */

void swale__answer_refused(struct swale__attempt *attempt, bool cut)
{
    const struct swale_response *response = &attempt->response;
    struct swale_client_failure failure = {
        .reason = attempt->refusal,
        .text = attempt->refusal_text,
        .response = response,
        .body = swale__buffer_span(&attempt->content),
        .body_cut = cut,
    };
    swale__attempt_fail_with(attempt, &failure,
                             swale__retry_after(response->fields, response->field_count, time(NULL)));
}

/* Keeps as much of the body as is wanted. False when there is more than that, or no memory for it. */
static bool keep_content(struct swale__attempt *attempt, struct swale_span payload)
{
    size_t room = attempt->config->options.max_refusal - attempt->content.size;
    bool fits = payload.size <= room;
    if (!fits)
        payload.size = room;
    return swale__buffer_put(&attempt->content, attempt->allocator, payload) == 0 && fits;
}

static void take_body(struct swale__attempt *attempt, struct swale_span data)
{
    for (;;) {
        size_t used;
        struct swale_span payload;
        int state = swale__body_read(&attempt->body, data, &used, &payload);
        data = swale_span(data.data + used, data.size - used);
        if (state < 0)
            attempt->refusal = state;
        bool kept = state >= 0 && keep_content(attempt, payload);
        if (!kept || state == 1) {
            swale__answer_refused(attempt, !kept);
            return;
        }
        if (data.size == 0)
            return;
    }
}

static void move_span(struct swale_span *span, const char *from, const char *to)
{
    if (span->data)
        span->data = to + (span->data - from);
}

/* Makes the answer last: its head lies in `head` from now on. */
static int keep_answer(struct swale__attempt *attempt, const struct swale_response *response, struct swale_span head)
{
    attempt->response = *response;
    if (head.data == attempt->head.data)
        return 0;
    int error = swale__buffer_put(&attempt->head, attempt->allocator, head);
    if (error)
        return error;
    move_span(&attempt->response.reason, head.data, attempt->head.data);
    for (uint32_t i = 0; i < response->field_count; i++) {
        move_span(&attempt->fields[i].name, head.data, attempt->head.data);
        move_span(&attempt->fields[i].value, head.data, attempt->head.data);
    }
    return 0;
}

static void fail_for_memory(struct swale__attempt *attempt, int error)
{
    swale__attempt_fail(attempt, error, "the answer of %.*s: %s", SWALE__HOST(attempt->url), swale_strerror(error));
}

static void describe_refusal(struct swale__attempt *attempt, const char *why)
{
    int status = attempt->response.status;
    const char *name = swale_status_text(status);
    const char *shown = strcmp(name, "Unknown") == 0 ? "" : name;
    snprintf(attempt->refusal_text, sizeof attempt->refusal_text, "%.*s answered %d%s%s%s%s",
             SWALE__HOST(attempt->url), status, *shown ? " " : "", shown, why ? ": a redirect " : "", why ? why : "");
}

/* Any answer but 101, that is not followed either. */
static void refuse(struct swale__attempt *attempt, const struct swale_response *response, struct swale_span head,
                   struct swale_span rest, int reason, const char *why)
{
    int error = keep_answer(attempt, response, head);
    if (error) {
        fail_for_memory(attempt, error);
        return;
    }
    attempt->refused = true;
    attempt->refusal = reason;
    describe_refusal(attempt, why);
    attempt->until_end = !response->body.chunked && !response->body.has_length;
    swale__body_init(&attempt->body, response->body, attempt->until_end);
    take_body(attempt, rest);
}

static void answered(struct swale__attempt *attempt, const struct swale_response *response, struct swale_span head,
                     struct swale_span rest)
{
    const char *why = NULL;
    int error = swale__redirect_take(attempt, response, &why);
    if (error <= 0) {
        refuse(attempt, response, head, rest, error == 0 ? SWALE_ERR_ANSWER_STATUS : error, why);
        return;
    }
    swale__stream_close(attempt->stream, false);
    attempt->stream = NULL;
    error = swale__attempt_connect(attempt);
    if (error)
        swale__attempt_fail(attempt, error, "connecting to %.*s: %s", SWALE__HOST(attempt->url),
                            swale_strerror(error));
}

/* ---- The 101 ---------------------------------------------------------------------------------------- */

static int verify(const struct swale__attempt *attempt, const struct swale_response *response,
                  struct swale_upgrade_result *result)
{
    struct swale_upgrade_request offer = swale__request_offer(attempt);
    int error = swale_upgrade_verify(response, &offer, attempt->key, result);
    bool missing = !error && attempt->config->options.require_subprotocol && result->subprotocol.size == 0;
    return missing ? SWALE_ERR_ANSWER_SUBPROTOCOL : error;
}

/* `reading` tells how the stream is now. */
static void upgraded(struct swale__attempt *attempt, const struct swale_response *response, struct swale_span early,
                     bool reading)
{
    struct swale__attempt_success success = {
        .stream = attempt->stream,
        .reading = reading,
        .response = response,
        .early = early,
    };
    int error = verify(attempt, response, &success.result);
    if (!error) {
        swale__attempt_succeed(attempt, &success);
        return;
    }
    bool missing = error == SWALE_ERR_ANSWER_SUBPROTOCOL && success.result.subprotocol.size == 0;
    char text[SWALE__ATTEMPT_TEXT_MAX];
    snprintf(text, sizeof text, "the handshake with %.*s: %s", SWALE__HOST(attempt->url),
             missing ? "the server chose no subprotocol" : swale_strerror(error));
    struct swale_client_failure failure = { .reason = error, .text = text, .response = response };
    swale__attempt_fail_with(attempt, &failure, -1);
}

static bool is_sent(const struct swale__attempt *attempt)
{
    return attempt->request_sent == attempt->request.size;
}

/* Nothing else may be written behind half a request, so the answer waits for the rest of it to leave. A backend that
 * completes writes late may bring this about, and so may a server that does not read on. */
static void hold(struct swale__attempt *attempt, const struct swale_response *response, struct swale_span head,
                 struct swale_span rest)
{
    swale__stream_pause(attempt->stream);
    attempt->early = true;
    int error = keep_answer(attempt, response, head);
    if (!error)
        error = swale__buffer_put(&attempt->content, attempt->allocator, rest);
    if (error)
        fail_for_memory(attempt, error);
}

/* ---- Heads ------------------------------------------------------------------------------------------ */

/* A whole head has come, and `rest` behind it. Whether another head is to come. */
static bool take_head(struct swale__attempt *attempt, const struct swale_response *response, struct swale_span head,
                      struct swale_span rest)
{
    struct swale__jar *jar = attempt->options.jar;
    swale__attempt_trace(attempt, SWALE_TRACE_RESPONSE, head);
    bool interim = response->status < 200 && response->status != 101;
    if (interim && ++attempt->interim <= SWALE__INTERIM_MAX) {
        attempt->head.size = 0;
        return true;
    }
    if (interim) {
        swale__attempt_fail(attempt, SWALE_ERR_ANSWER_INTERIM, "%.*s sent more than %d interim answers",
                            SWALE__HOST(attempt->url), SWALE__INTERIM_MAX);
        return false;
    }
    if (jar)
        swale__jar_take(jar, &attempt->url, response->fields, response->field_count, time(NULL));
    if (response->status == 101 && is_sent(attempt))
        upgraded(attempt, response, rest, true);
    else if (response->status == 101)
        hold(attempt, response, head, rest);
    else
        answered(attempt, response, head, rest);
    return false;
}

static void fail_head(struct swale__attempt *attempt, int error, struct swale_span data)
{
    /* An alert or a handshake record (RFC 8446 section 5.1) where an answer should begin. */
    bool tls = !attempt->url.secure && data.size > 0 && (data.data[0] == 0x15 || data.data[0] == 0x16);
    swale__attempt_fail(attempt, error, "the answer of %.*s: %s%s", SWALE__HOST(attempt->url), swale_strerror(error),
                        tls ? " (the server speaks TLS on this port: wss?)" : "");
}

/* Reads on in the head under way, which begins at *text when it is whole: its length, 0, or an error. */
static ptrdiff_t read_head(struct swale__attempt *attempt, struct swale_span data, struct swale_span *text,
                           struct swale_response *response)
{
    const struct swale_client_options *options = &attempt->config->options;
    struct swale_head_room room = { attempt->fields, options->max_fields, options->max_head };
    *text = data;
    if (attempt->head.size > 0) {
        size_t wanted = room.max_size - attempt->head.size;
        int error = swale__buffer_put(&attempt->head, attempt->allocator,
                                      swale_span(data.data, data.size < wanted ? data.size : wanted));
        if (error)
            return error;
        *text = swale__buffer_span(&attempt->head);
    }
    ptrdiff_t length = swale_response_parse(&attempt->parser, &room, text->data, text->size, response);
    if (length == 0 && attempt->head.size == 0)
        return swale__buffer_put(&attempt->head, attempt->allocator, data);
    return length;
}

/* Reads heads until one of them is the last, or more bytes are needed. All that stands behind a head has come with
 * its last byte, for it would have been complete before: so the rest lies in one piece. */
static void take_heads(struct swale__attempt *attempt, struct swale_span data)
{
    bool more = true;
    while (more && data.size > 0) {
        struct swale_span text;
        struct swale_response response = { .status = 0 };
        size_t before = attempt->head.size;
        ptrdiff_t length = read_head(attempt, data, &text, &response);
        if (length < 0)
            fail_head(attempt, (int)length, text);
        if (length <= 0)
            return;
        size_t used = (size_t)length - before;
        data = swale_span(data.data + used, data.size - used);
        attempt->parser = (struct swale_head_parser){ 0 };
        more = take_head(attempt, &response, swale_span(text.data, (size_t)length), data);
    }
}

/* ---- What the stream tells -------------------------------------------------------------------------- */

static void on_data(void *context, char *data, size_t size)
{
    struct swale__attempt *attempt = context;
    if (attempt->refused)
        take_body(attempt, swale_span(data, size));
    else
        take_heads(attempt, swale_span(data, size));
}

static void on_end(void *context)
{
    struct swale__attempt *attempt = context;
    if (attempt->refused)
        swale__answer_refused(attempt, !attempt->until_end);
    else
        swale__attempt_fail(attempt, SWALE_ERR_PEER_GONE, "%.*s closed the connection %s", SWALE__HOST(attempt->url),
                            attempt->head.size > 0 ? "inside its answer" : "without an answer");
}

static void on_fail(void *context, int error)
{
    struct swale__attempt *attempt = context;
    if (attempt->refused)
        swale__answer_refused(attempt, true);
    else if (error == SWALE_ERR_TLS)
        swale__attempt_fail_tls(attempt, error);
    else
        swale__attempt_fail(attempt, error, "waiting for the answer of %.*s: %s", SWALE__HOST(attempt->url),
                            swale_strerror(error));
}

/* Sends what is left of the request, unless it has been refused already. */
static void send_on(struct swale__attempt *attempt)
{
    struct iovec part = {
        .iov_base = attempt->request.data + attempt->request_sent,
        .iov_len = attempt->request.size - attempt->request_sent,
    };
    if (part.iov_len == 0 || attempt->request_in_flight || attempt->refused)
        return;
    ptrdiff_t written = swale__stream_write(attempt->stream, &part, 1);
    if (written == SWALE__IN_FLIGHT)
        attempt->request_in_flight = true;
    else if (written >= 0)
        attempt->request_sent += (size_t)written;
    else
        on_fail(attempt, (int)written);
}

static void on_written(void *context, size_t size)
{
    struct swale__attempt *attempt = context;
    attempt->request_sent += size;
    if (is_sent(attempt))
        attempt->request_in_flight = false;
    send_on(attempt);
    if (!attempt->done && attempt->early && is_sent(attempt))
        upgraded(attempt, &attempt->response, swale__buffer_span(&attempt->content), false);
}

static const struct swale__stream_user answering = {
    .on_data = on_data,
    .on_written = on_written,
    .on_end = on_end,
    .on_fail = on_fail,
};

void swale__answer_await(struct swale__attempt *attempt)
{
    int error = swale__request_make(attempt);
    if (error) {
        swale__attempt_fail(attempt, error, "the request to %.*s: %s", SWALE__HOST(attempt->url),
                            error == SWALE_ERR_URL ? "the credentials in the URL are badly escaped"
                                                   : swale_strerror(error));
        return;
    }
    attempt->parser = (struct swale_head_parser){ 0 };
    attempt->head.size = 0;
    attempt->interim = 0;
    attempt->request_sent = 0;
    attempt->request_in_flight = false;
    swale__attempt_trace(attempt, SWALE_TRACE_REQUEST, swale__buffer_span(&attempt->request));
    swale__stream_use(attempt->stream, &answering, attempt);
    swale__stream_resume(attempt->stream);
    send_on(attempt);
}
