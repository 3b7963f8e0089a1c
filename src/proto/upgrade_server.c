/* upgrade_server.c - the server's side of the opening handshake (RFC 6455 section 4.2). */
#include "proto/head.h"
#include "proto/key.h"
#include "proto/negotiate.h"
#include "proto/token.h"

static const char protocol_field[] = "Sec-WebSocket-Protocol";

bool swale_upgrade_wanted(const struct swale_request *request)
{
    return swale__list_has(request->fields, request->field_count, "upgrade", "websocket");
}

/* "The method of the request MUST be GET" (section 4.1). A body is refused: what follows the head must be frames
 * and nothing that two parties could take for something else. */
static int check_method(const struct swale_request *request, struct swale_upgrade *upgrade)
{
    (void)upgrade;
    if (!swale_span_equal(request->method, swale_text("GET")))
        return SWALE_ERR_HTTP_METHOD;
    return request->body.chunked || request->body.length > 0 ? SWALE_ERR_HTTP_BODY : 0;
}

/* Section 4.2.1, 3 and 4. Both are comma lists, without regard to case: Firefox sent "keep-alive, Upgrade". */
static int check_fields(const struct swale_request *request, struct swale_upgrade *upgrade)
{
    (void)upgrade;
    if (!swale_field_find(request->fields, request->field_count, "upgrade", NULL))
        return SWALE_ERR_UPGRADE_REQUIRED;
    bool connection = swale__list_has(request->fields, request->field_count, "connection", "upgrade");
    return connection && swale_upgrade_wanted(request) ? 0 : SWALE_ERR_UPGRADE_FIELDS;
}

/* Section 4.2.1, 5; once only (section 11.3.1). */
static int check_key(const struct swale_request *request, struct swale_upgrade *upgrade)
{
    int found = swale__field_single(request->fields, request->field_count, "sec-websocket-key", &upgrade->key);
    return found == 1 && swale__key_valid(upgrade->key) ? 0 : SWALE_ERR_UPGRADE_KEY;
}

/* Section 4.2.1, 6. A missing version is answered like a wrong one, with the version that is right. */
static int check_version(const struct swale_request *request, struct swale_upgrade *upgrade)
{
    (void)upgrade;
    struct swale_span value;
    int found = swale__field_single(request->fields, request->field_count, "sec-websocket-version", &value);
    return found == 1 && swale_span_equal(value, swale_text("13")) ? 0 : SWALE_ERR_UPGRADE_VERSION;
}

/* Section 4.2.1, 7. Whether it may connect is for the server's rules; two of them can please no rule. */
static int check_origin(const struct swale_request *request, struct swale_upgrade *upgrade)
{
    int found = swale__field_single(request->fields, request->field_count, "origin", &upgrade->origin);
    upgrade->has_origin = found != 0;
    return found < 0 ? SWALE_ERR_ORIGIN : 0;
}

/* 1#token (section 11.3.4), over one field or several. */
static int check_subprotocols(const struct swale_request *request, struct swale_upgrade *upgrade)
{
    (void)upgrade;
    struct swale_list_cursor cursor = { 0 };
    struct swale_span name;
    while (swale_list_next(request->fields, request->field_count, protocol_field, &cursor, &name))
        if (!swale__all(name, SWALE__TOKEN))
            return SWALE_ERR_UPGRADE_SUBPROTOCOL;
    return 0;
}

int swale_upgrade_check(const struct swale_request *request, const struct swale_deflate_policy *policy,
                        struct swale_upgrade *upgrade)
{
    static int (*const checks[])(const struct swale_request *, struct swale_upgrade *) = {
        check_method, check_fields, check_key, check_version, check_origin, check_subprotocols,
    };
    *upgrade = (struct swale_upgrade){ 0 };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int error = checks[i](request, upgrade);
        if (error)
            return error;
    }
    return swale__deflate_accept(request, policy, upgrade);
}

bool swale_subprotocol_offered(const struct swale_request *request, struct swale_span name)
{
    struct swale_list_cursor cursor = { 0 };
    struct swale_span offered;
    while (swale_list_next(request->fields, request->field_count, protocol_field, &cursor, &offered))
        if (swale_span_equal(offered, name))
            return true;
    return false;
}

const char *swale_subprotocol_select(const struct swale_request *request, const char *const *supported, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (swale_subprotocol_offered(request, swale_text(supported[i])))
            return supported[i];
    return NULL;
}
