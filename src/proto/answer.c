/* answer.c - what a server writes: the 101 answer, and every other answer's head. */
#include "proto/negotiate.h"
#include "proto/token.h"
#include "proto/writer.h"

static const struct {
    int status;
    const char *text;
} statuses[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 425, "Too Early" },
    { 426, "Upgrade Required" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 451, "Unavailable For Legal Reasons" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 511, "Network Authentication Required" },
};

const char *swale_status_text(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].status == status)
            return statuses[i].text;
    return "Unknown";
}

/* The reason phrase is never empty: the Ruby clients refuse an answer without one. */
static void put_status_line(struct swale__writer *writer, int status)
{
    swale__put_text(writer, "HTTP/1.1 ");
    swale__put_number(writer, (uint64_t)status);
    swale__put_text(writer, " ");
    swale__put_text(writer, swale_status_text(status));
    swale__put_text(writer, "\r\n");
}

ptrdiff_t swale_upgrade_answer(const struct swale_upgrade *upgrade, struct swale_span subprotocol,
                               const struct swale_field *extra, size_t extra_count, char *out, size_t capacity)
{
    /* No length and no transfer coding in a 101 (RFC 9110 section 8.6, RFC 9112 section 6.1); the others are
     * written here, or not at all. */
    static const char *const reserved[] = { "connection",
                                            "upgrade",
                                            "content-length",
                                            "transfer-encoding",
                                            "sec-websocket-accept",
                                            "sec-websocket-extensions",
                                            "sec-websocket-protocol",
                                            NULL };
    if (upgrade->key.size != SWALE_KEY_SIZE || !swale__fields_writable(extra, extra_count, reserved))
        return SWALE_ERR_INVALID;
    if (subprotocol.size > 0 && !swale__all(subprotocol, SWALE__TOKEN))
        return SWALE_ERR_INVALID;

    struct swale__writer writer = { .out = out, .capacity = capacity };
    char accept[SWALE_ACCEPT_SIZE];
    swale_upgrade_accept(upgrade->key.data, accept);
    put_status_line(&writer, 101);
    swale__put_text(&writer, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    swale__put_field(&writer, "Sec-WebSocket-Accept", swale_span(accept, sizeof accept));
    if (subprotocol.size > 0)
        swale__put_field(&writer, "Sec-WebSocket-Protocol", subprotocol);
    if (upgrade->deflate)
        swale__put_deflate_answer(&writer, upgrade);
    swale__put_fields(&writer, extra, extra_count);
    swale__put_text(&writer, "\r\n");
    return swale__writer_end(&writer);
}

struct answer {
    struct swale__writer writer;
    const struct swale_field *fields;
    size_t field_count;
};

/* Puts a field that is the rule for this status, unless the caller has one of its own. */
static void put_usual(struct answer *answer, const char *name, const char *value)
{
    for (size_t i = 0; i < answer->field_count; i++)
        if (swale_name_equal(answer->fields[i].name, name))
            return;
    swale__put_field(&answer->writer, name, swale_text(value));
}

/* What a status obliges to: RFC 9110 sections 15.5.22 and 15.5.6, RFC 6455 section 4.4. */
static void put_obligations(struct answer *answer, int status)
{
    if (status == 426) {
        put_usual(answer, "Upgrade", "websocket");
        put_usual(answer, "Sec-WebSocket-Version", "13");
    }
    if (status == 405)
        put_usual(answer, "Allow", "GET");
}

/* Whoever sends Upgrade names it in Connection (RFC 9110 section 7.8). */
static void put_connection(struct answer *answer, int status, bool keep_alive)
{
    if (status == 426)
        swale__put_field(&answer->writer, "Connection", swale_text(keep_alive ? "Upgrade" : "Upgrade, close"));
    else if (!keep_alive)
        swale__put_field(&answer->writer, "Connection", swale_text("close"));
}

ptrdiff_t swale_answer_head(int status, const struct swale_field *fields, size_t field_count, uint64_t body_size,
                            bool keep_alive, char *out, size_t capacity)
{
    static const char *const reserved[] = { "connection", "content-length", "transfer-encoding", NULL };
    if (status < 100 || status > 599 || !swale__fields_writable(fields, field_count, reserved))
        return SWALE_ERR_INVALID;
    struct answer answer = { .writer = { .out = out, .capacity = capacity },
                             .fields = fields,
                             .field_count = field_count };
    put_status_line(&answer.writer, status);
    swale__put_fields(&answer.writer, fields, field_count);
    put_obligations(&answer, status);
    put_connection(&answer, status, keep_alive);
    if (status >= 200 && status != 204 && status != 304) {
        swale__put_text(&answer.writer, "Content-Length: ");
        swale__put_number(&answer.writer, body_size);
        swale__put_text(&answer.writer, "\r\n");
    }
    swale__put_text(&answer.writer, "\r\n");
    return swale__writer_end(&answer.writer);
}
