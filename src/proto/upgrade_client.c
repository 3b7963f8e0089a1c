/* upgrade_client.c - the client's side of the opening handshake (RFC 6455 section 4.1). */
#include "proto/authority.h"
#include "proto/head.h"
#include "proto/key.h"
#include "proto/negotiate.h"
#include "proto/token.h"

static bool repeated(const struct swale_upgrade_request *request, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(request->subprotocols[i], request->subprotocols[index]) == 0)
            return true;
    return false;
}

/* "The elements that comprise this value MUST be non-empty strings with characters in the range U+0021 to
 * U+007E not including separator characters [...] and MUST all be unique strings." (section 4.1, 10) */
static bool subprotocols_valid(const struct swale_upgrade_request *request)
{
    for (size_t i = 0; i < request->subprotocol_count; i++)
        if (!swale__all(swale_text(request->subprotocols[i]), SWALE__TOKEN) || repeated(request, i))
            return false;
    return true;
}

static bool target_valid(struct swale_span target)
{
    return swale__all(target, SWALE__TARGET) && (target.data[0] == '/' || target.data[0] == '?');
}

static bool request_valid(const struct swale_upgrade_request *request)
{
    static const char *const reserved[] = { "host",
                                            "connection",
                                            "upgrade",
                                            "content-length",
                                            "transfer-encoding",
                                            "sec-websocket-key",
                                            "sec-websocket-version",
                                            "sec-websocket-protocol",
                                            "sec-websocket-extensions",
                                            NULL };
    struct swale__authority parts;
    size_t at;
    return swale__authority_parse(request->host, &parts, &at) && target_valid(request->target) &&
           subprotocols_valid(request) && swale__fields_writable(request->extra, request->extra_count, reserved);
}

static void put_subprotocols(struct swale__writer *writer, const struct swale_upgrade_request *request)
{
    for (size_t i = 0; i < request->subprotocol_count; i++) {
        swale__put_text(writer, i == 0 ? "Sec-WebSocket-Protocol: " : ", ");
        swale__put_text(writer, request->subprotocols[i]);
    }
    if (request->subprotocol_count > 0)
        swale__put_text(writer, "\r\n");
}

ptrdiff_t swale_upgrade_write(const struct swale_upgrade_request *request, const char key[SWALE_KEY_SIZE], char *out,
                              size_t capacity)
{
    if (!request_valid(request) || !swale__key_valid(swale_span(key, SWALE_KEY_SIZE)))
        return SWALE_ERR_INVALID;
    struct swale__writer writer = { .out = out, .capacity = capacity };
    swale__put_text(&writer, request->target.data[0] == '?' ? "GET /" : "GET ");
    swale__put(&writer, request->target);
    swale__put_text(&writer, " HTTP/1.1\r\n");
    swale__put_field(&writer, "Host", request->host);
    swale__put_text(&writer, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    swale__put_field(&writer, "Sec-WebSocket-Key", swale_span(key, SWALE_KEY_SIZE));
    swale__put_text(&writer, "Sec-WebSocket-Version: 13\r\n");
    put_subprotocols(&writer, request);
    if (request->deflate.enabled)
        swale__put_deflate_offer(&writer, &request->deflate);
    swale__put_fields(&writer, request->extra, request->extra_count);
    swale__put_text(&writer, "\r\n");
    return swale__writer_end(&writer);
}

/* Section 4.1, 2 and 3 of what a client has to validate. */
static bool fields_good(const struct swale_response *response)
{
    struct swale_span upgrade;
    int found = swale__field_single(response->fields, response->field_count, "upgrade", &upgrade);
    return found == 1 && swale_name_equal(upgrade, "websocket") &&
           swale__list_has(response->fields, response->field_count, "connection", "upgrade");
}

static bool accept_good(const struct swale_response *response, const char key[SWALE_KEY_SIZE])
{
    char wanted[SWALE_ACCEPT_SIZE];
    struct swale_span accept;
    swale_upgrade_accept(key, wanted);
    int found = swale__field_single(response->fields, response->field_count, "sec-websocket-accept", &accept);
    return found == 1 && swale_span_equal(accept, swale_span(wanted, sizeof wanted));
}

/* At most one field with one name, and one that was offered. Choosing none is allowed: some servers never do. */
static int verify_subprotocol(const struct swale_response *response, const struct swale_upgrade_request *request,
                              struct swale_span *chosen)
{
    int found = swale__field_single(response->fields, response->field_count, "sec-websocket-protocol", chosen);
    if (found == 0)
        return 0;
    for (size_t i = 0; found > 0 && i < request->subprotocol_count; i++)
        if (swale_span_equal(*chosen, swale_text(request->subprotocols[i])))
            return 0;
    return SWALE_ERR_ANSWER_SUBPROTOCOL;
}

int swale_upgrade_verify(const struct swale_response *response, const struct swale_upgrade_request *request,
                         const char key[SWALE_KEY_SIZE], struct swale_upgrade_result *result)
{
    *result = (struct swale_upgrade_result){ 0 };
    if (response->status != 101)
        return SWALE_ERR_ANSWER_STATUS;
    if (!fields_good(response))
        return SWALE_ERR_ANSWER_FIELDS;
    if (!accept_good(response, key))
        return SWALE_ERR_ANSWER_ACCEPT;
    int error = swale__deflate_verify(response, &request->deflate, result);
    return error ? error : verify_subprotocol(response, request, &result->subprotocol);
}
