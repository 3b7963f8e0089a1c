#include "app/connect/show.h"

#include "app/connect/escape.h"
#include "app/connect/json.h"
#include "app/connect/say.h"
#include "app/connect/status.h"

#include <string.h>

/* ---- Messages --------------------------------------------------------------------------------------- */

static void put_for_eyes(const struct show *show, const struct swale_message *message, struct swale_span text,
                         struct buffer *out)
{
    const char *indent = show->prompt ? "  " : "";
    if (show->raw)
        buffer_put(out, text);
    else if (message->kind == SWALE_BINARY)
        escape_hexdump(text, indent, out);
    else
        escape_message(text, indent, out);
}

static bool put_message(const struct show *show, const struct swale_message *message, struct swale_span text,
                        struct buffer *out)
{
    if (!show->terminal)
        return framing_put(show->framing, text, out);
    if (show->prompt)
        buffer_putf(out, "%s<%s ", colour_begin(show->colours, COLOUR_CYAN), colour_end(show->colours, COLOUR_CYAN));
    struct buffer visible = { 0 };
    put_for_eyes(show, message, text, &visible);
    bool good = framing_put(show->framing, buffer_span(&visible), out) && !visible.failed;
    buffer_done(&visible);
    return good;
}

bool show_message(const struct show *show, const struct swale_message *message, struct buffer *out)
{
    struct buffer pretty = { 0 };
    bool laid_out = show->json && message->kind == SWALE_TEXT && json_pretty(message->data, &pretty);
    bool good = put_message(show, message, laid_out && !pretty.failed ? buffer_span(&pretty) : message->data, out);
    buffer_done(&pretty);
    return good;
}

void show_control(const char *name, struct swale_span payload, struct buffer *out)
{
    buffer_puts(out, name);
    if (payload.size == 0)
        return;
    buffer_puts(out, " \"");
    escape_line(payload, out);
    buffer_puts(out, "\"");
}

/* ---- Ends ------------------------------------------------------------------------------------------- */

static void put_header(const char *before, const struct swale_response *response, const char *name,
                       struct buffer *out)
{
    const struct swale_field *field = swale_field_find(response->fields, response->field_count, name, NULL);
    if (!field || field->value.size == 0)
        return;
    buffer_puts(out, before);
    escape_line(field->value, out);
}

static bool is_plain_text(const struct swale_response *response)
{
    const struct swale_field *type = swale_field_find(response->fields, response->field_count, "Content-Type", NULL);
    return type && type->value.size >= 10 && swale_name_equal(swale_span(type->value.data, 10), "text/plain");
}

/* The first line of what the server says about it, when that is a short plain text. */
static void put_body(const struct swale_client_failure *failure, struct buffer *out)
{
    enum { SHORT = 200 };
    struct swale_span body = failure->body;
    const char *end = body.size > 0 ? memchr(body.data, '\n', body.size) : NULL;
    if (end)
        body.size = (size_t)(end - body.data);
    if (body.size > 0 && body.data[body.size - 1] == '\r')
        body.size--;
    if (body.size == 0 || body.size > SHORT || !is_plain_text(failure->response))
        return;
    buffer_puts(out, ": ");
    escape_line(body, out);
}

static void put_refusal(const struct swale_client_failure *failure, struct buffer *out)
{
    const struct swale_response *response = failure->response;
    buffer_putf(out, "refused with %d ", response->status);
    if (response->reason.size > 0)
        escape_line(response->reason, out);
    else
        buffer_puts(out, swale_status_text(response->status));
    if (response->status >= 300 && response->status < 400)
        put_header(", which leads to ", response, "Location", out);
    else
        put_body(failure, out);
    if (failure->reason == SWALE_ERR_REDIRECT)
        buffer_putf(out, ": %s", swale_strerror(failure->reason));
}

void show_failure(const struct swale_client_failure *failure, struct buffer *out)
{
    bool refused = failure->reason == SWALE_ERR_ANSWER_STATUS || failure->reason == SWALE_ERR_REDIRECT;
    if (refused && failure->response)
        put_refusal(failure, out);
    else
        escape_line(swale_text(failure->text), out);
}

static void put_code(const struct swale_close *close, struct buffer *out)
{
    if (close->code == 1005)
        buffer_puts(out, " without a code");
    else
        buffer_putf(out, " with %d", close->code);
    if (close->text.size == 0)
        return;
    buffer_puts(out, ": ");
    escape_line(close->text, out);
}

void show_close(const struct swale_close *close, struct buffer *out)
{
    if (close->reason == SWALE_ERR_PEER_CLOSED) {
        buffer_puts(out, "closed by the server");
        put_code(close, out);
        return;
    }
    if (close->reason == SWALE_ERR_LOCAL_CLOSED) {
        buffer_puts(out, close->clean ? "closed; the server answered" : "closed, but the server did not answer");
        if (close->clean)
            put_code(close, out);
        return;
    }
    const char *text = fault_text(close->reason);
    if (status_of_close(close) == CONNECT_PROTOCOL)
        buffer_putf(out, "the server broke the protocol or a limit: %s", text);
    else
        buffer_putf(out, "the connection was lost: %s", text);
}
