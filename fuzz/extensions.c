/* extensions.c - the negotiation of permessage-deflate, as a server and as a client.
 *
 * Input: three bytes of policy, one that is an offer, then the value of a Sec-WebSocket-Extensions field. The offer
 * must be answered as RFC 7692 section 7.1 says, parameter by parameter. The field as an offer: whatever the server
 * answers must be acceptable to a client that has made the widest of offers, with the same parameters; cutting the
 * list into two fields must change nothing; and a plain offer behind a list that was declined must be taken. As an
 * answer: whatever the client accepts must keep within its policy. */
#include "fuzz.h"

#include <stdio.h>
#include <swale/proto.h>

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

static uint8_t bits_or_max(uint8_t bits)
{
    return bits == 0 || bits > 15 ? 15 : bits < 9 ? 9 : bits;
}

/* What swale_upgrade_check makes of offers that lie in two fields. */
static int offer(struct swale_span first, struct swale_span second, const struct swale_deflate_policy *policy,
                 struct swale_upgrade *upgrade)
{
    const struct swale_field fields[] = {
        { swale_text("Upgrade"), swale_text("websocket") },
        { swale_text("Connection"), swale_text("Upgrade") },
        { swale_text("Sec-WebSocket-Key"), swale_text(key) },
        { swale_text("Sec-WebSocket-Version"), swale_text("13") },
        { swale_text("Sec-WebSocket-Extensions"), first },
        { swale_text("sec-websocket-extensions"), second },
    };
    const struct swale_request request = { .method = swale_text("GET"),
                                           .fields = fields,
                                           .field_count = sizeof fields / sizeof fields[0] };
    int error = swale_upgrade_check(&request, policy, upgrade);
    require(error == 0 || error == SWALE_ERR_UPGRADE_EXTENSIONS);
    require(!upgrade->deflate || (error == 0 && policy->enabled));
    return error;
}

static bool same_params(const struct swale_deflate_params *a, const struct swale_deflate_params *b)
{
    return a->server_no_context_takeover == b->server_no_context_takeover &&
           a->client_no_context_takeover == b->client_no_context_takeover &&
           a->server_max_window_bits == b->server_max_window_bits &&
           a->client_max_window_bits == b->client_max_window_bits;
}

static int answer(const char *head, size_t size, const struct swale_deflate_policy *policy,
                  struct swale_upgrade_result *result)
{
    struct swale_field fields[8];
    struct swale_head_parser parser = { 0 };
    const struct swale_head_room room = { fields, 8, 64 * 1024 };
    struct swale_response response;
    const struct swale_upgrade_request request = { .host = swale_text("a"),
                                                   .target = swale_text("/"),
                                                   .deflate = *policy };
    require(swale_response_parse(&parser, &room, head, size, &response) == (ptrdiff_t)size);
    return swale_upgrade_verify(&response, &request, key, result);
}

/* The client that has offered everything and demanded nothing. Only a window of 8 bits is beyond it. */
static void require_acceptable(const struct swale_upgrade *upgrade)
{
    const struct swale_deflate_policy widest = { .enabled = true,
                                                 .server_context_takeover = true,
                                                 .client_context_takeover = true };
    char head[1024];
    struct swale_upgrade_result result;
    struct swale_upgrade with_key = *upgrade;
    with_key.key = swale_text(key);
    ptrdiff_t size = swale_upgrade_answer(&with_key, swale_text(NULL), NULL, 0, head, sizeof head);
    require(size > 0);
    int error = answer(head, (size_t)size, &widest, &result);
    if (upgrade->deflate_params.client_max_window_bits == 8) {
        require(error == SWALE_ERR_ANSWER_EXTENSIONS);
        return;
    }
    require(error == 0 && result.deflate == upgrade->deflate);
    require(!result.deflate || same_params(&result.deflate_params, &upgrade->deflate_params));
}

static void try_offers(struct swale_span list, const struct swale_deflate_policy *policy)
{
    struct swale_upgrade whole, parts;
    int error = offer(list, swale_text(NULL), policy, &whole);
    if (error == 0)
        require_acceptable(&whole);

    /* Cut behind an element, wherever the list has one. */
    const struct swale_field field = { swale_text("list"), list };
    struct swale_list_cursor cursor = { 0 };
    struct swale_span element;
    if (swale_list_next(&field, 1, "list", &cursor, &element)) {
        struct swale_span first = swale_span(list.data, cursor.offset);
        struct swale_span rest = swale_span(list.data + cursor.offset, list.size - cursor.offset);
        require(offer(first, rest, policy, &parts) == error && parts.deflate == whole.deflate);
        require(!whole.deflate || same_params(&whole.deflate_params, &parts.deflate_params));
    }
    require(offer(list, swale_text("permessage-deflate"), policy, &parts) == error);
    require(error != 0 || parts.deflate == policy->enabled);
}

/* ---- One offer, parameter by parameter ---- */

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

static void try_offer(uint8_t terms, const struct swale_deflate_policy *policy)
{
    char text[200] = "permessage-deflate";
    uint8_t bits = 8 + terms % 8, wanted = bits_or_max(policy->client_max_window_bits);
    bool server_bits = terms & 8, client_named = terms & 16, client_bits = terms & 128;
    struct swale_upgrade upgrade;
    if (policy->client_max_window_bits > 0 && policy->client_max_window_bits < 9)
        wanted = 8; /* a server may ask for that, as it only inflates */
    if (server_bits)
        sprintf(text + strlen(text), "; server_max_window_bits=%u", bits);
    if (client_named)
        sprintf(text + strlen(text), client_bits ? "; client_max_window_bits=%u" : "; client_max_window_bits", bits);
    strcat(text, terms & 32 ? "; server_no_context_takeover" : "");
    strcat(text, terms & 64 ? "; client_no_context_takeover" : "");
    require(offer(swale_text(text), swale_text(NULL), policy, &upgrade) == 0);
    require(upgrade.deflate == (policy->enabled && !(server_bits && bits == 8)));
    if (!upgrade.deflate)
        return;
    const struct swale_deflate_params expected = {
        .server_no_context_takeover = (terms & 32) || !policy->server_context_takeover,
        .client_no_context_takeover = (terms & 64) || !policy->client_context_takeover,
        .server_max_window_bits = smaller(bits_or_max(policy->server_max_window_bits), server_bits ? bits : 15),
        /* Only who names it may be asked, and who need not be is not. */
        .client_max_window_bits = client_named && wanted < 15 ? smaller(wanted, client_bits ? bits : 15) : 15,
    };
    require(same_params(&upgrade.deflate_params, &expected) && upgrade.server_bits_asked == server_bits);
}

static void try_answer(struct swale_span list, const struct swale_deflate_policy *policy)
{
    char *head = malloc(list.size + 256);
    require(head != NULL);
    int begin = snprintf(head, 256,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions:");
    memcpy(head + begin, list.data, list.size);
    memcpy(head + begin + list.size, "\r\n\r\n", 4);
    struct swale_upgrade_result result;
    int error = answer(head, (size_t)begin + list.size + 4, policy, &result);
    require(error == 0 || error == SWALE_ERR_ANSWER_EXTENSIONS);
    if (error == 0 && result.deflate) {
        const struct swale_deflate_params *params = &result.deflate_params;
        require(policy->enabled);
        require(params->server_no_context_takeover || policy->server_context_takeover);
        require(params->client_no_context_takeover || policy->client_context_takeover);
        require(params->server_max_window_bits >= 8);
        require(params->server_max_window_bits <= bits_or_max(policy->server_max_window_bits));
        require(params->client_max_window_bits >= 9);
        require(params->client_max_window_bits <= bits_or_max(policy->client_max_window_bits));
    }
    free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    const struct swale_deflate_policy policy = {
        .enabled = (data[0] & 7) != 0,
        .server_context_takeover = data[0] & 8,
        .client_context_takeover = data[0] & 16,
        .server_max_window_bits = data[1] % 18,
        .client_max_window_bits = data[2] % 18,
    };
    /* A parsed field value has no control bytes. */
    for (size_t i = 4; i < size; i++)
        if ((data[i] < 0x20 && data[i] != '\t') || data[i] == 0x7f)
            return 0;
    try_offer(data[3], &policy);
    char *list = malloc(size - 3);
    require(list != NULL);
    memcpy(list, data + 4, size - 4);
    try_offers(swale_span(list, size - 4), &policy);
    try_answer(swale_span(list, size - 4), &policy);
    free(list);
    return 0;
}
