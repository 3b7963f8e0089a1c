/* negotiate.c - Sec-WebSocket-Extensions (RFC 6455 section 9.1) and the parameters of permessage-deflate
 * (RFC 7692 section 7.1).
 *
 *     permessage-deflate; server_no_context_takeover; client_max_window_bits="12", permessage-deflate
 *     '----- name ----'  '------ parameter --------'  '- parameter with a value -'
 *     '------------------------------ first offer ------------------------------'  '- second offer -'
 *
 * Each byte of the fields is looked at a fixed number of times, however many offers there are. */
#include "proto/negotiate.h"

#include "proto/token.h"

static const char extension_name[] = "permessage-deflate";
static const char field_name[] = "Sec-WebSocket-Extensions";

enum {
    WINDOW_MAX = 15,
    COMPRESSOR_MIN = 9 /* zlib has no raw deflate with a window of 8 bits */
};

/* What one list element says about permessage-deflate. Window bits are 0 where they are not given. */
struct terms {
    struct swale_span name;
    bool acceptable; /* every parameter is known, given once, and has a value that it may have */
    bool server_no_context_takeover;
    bool client_no_context_takeover;
    bool client_bits_named; /* perhaps without a value */
    uint8_t server_bits;
    uint8_t client_bits;
};

/* ---- The grammar ---- */

struct parameter {
    struct swale_span name;
    bool has_value;
    uint8_t size;  /* of the unquoted value, at most 3 */
    char value[3]; /* its beginning: enough for every value that has a meaning */
};

static void skip_blanks(struct swale_span *rest)
{
    while (rest->size > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        *rest = swale__slice(*rest, 1, rest->size);
}

static bool take_char(struct swale_span *rest, char c)
{
    skip_blanks(rest);
    if (rest->size == 0 || rest->data[0] != c)
        return false;
    *rest = swale__slice(*rest, 1, rest->size);
    skip_blanks(rest);
    return true;
}

static bool take_token(struct swale_span *rest, struct swale_span *token)
{
    size_t size = swale__run(rest->data, rest->size, SWALE__TOKEN);
    *token = swale__slice(*rest, 0, size);
    *rest = swale__slice(*rest, size, rest->size);
    return size > 0;
}

/* Adds a character of the value; false when it is none of a token: "When using the quoted-string syntax
 * variant, the value after quoted-string unescaping MUST conform to the 'token' ABNF" (RFC 6455 section 9.1). */
static bool add_char(struct parameter *parameter, char c)
{
    if (parameter->size < sizeof parameter->value)
        parameter->value[parameter->size++] = c;
    return swale__is(c, SWALE__TOKEN);
}

static bool take_quoted(struct swale_span *rest, struct parameter *parameter)
{
    size_t i = 1;
    for (; i < rest->size && rest->data[i] != '"'; i++) {
        if (rest->data[i] == '\\' && ++i == rest->size)
            return false;
        if (!add_char(parameter, rest->data[i]))
            return false;
    }
    if (i == rest->size)
        return false;
    *rest = swale__slice(*rest, i + 1, rest->size);
    return parameter->size > 0;
}

static bool take_value(struct swale_span *rest, struct parameter *parameter)
{
    struct swale_span token;
    if (rest->size > 0 && rest->data[0] == '"')
        return take_quoted(rest, parameter);
    if (!take_token(rest, &token))
        return false;
    for (size_t i = 0; i < token.size && i < sizeof parameter->value; i++)
        add_char(parameter, token.data[i]);
    return true;
}

/* token [ "=" ( token | quoted-string ) ]. White space may stand between the parts: RFC 6455 takes its grammar
 * from RFC 2616, where it is implied. */
static bool take_parameter(struct swale_span *rest, struct parameter *parameter)
{
    *parameter = (struct parameter){ 0 };
    if (!take_token(rest, &parameter->name))
        return false;
    parameter->has_value = take_char(rest, '=');
    return !parameter->has_value || take_value(rest, parameter);
}

/* ---- The parameters ---- */

static bool once(bool *flag, const struct parameter *parameter)
{
    bool good = !*flag && !parameter->has_value;
    *flag = true;
    return good;
}

/* 8 to 15, "without leading zeros" (RFC 7692 section 7.1.2); 0 for anything else. */
static uint8_t window_bits(const struct parameter *parameter)
{
    const char *value = parameter->value;
    if (parameter->size == 1 && (value[0] == '8' || value[0] == '9'))
        return (uint8_t)(value[0] - '0');
    if (parameter->size == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5')
        return (uint8_t)(10 + value[1] - '0');
    return 0;
}

static bool named(const struct parameter *parameter, const char *name)
{
    return swale_span_equal(parameter->name, swale_text(name));
}

/* False when the parameter may not stand here. */
static bool note_parameter(struct terms *terms, const struct parameter *parameter)
{
    if (named(parameter, "server_no_context_takeover"))
        return once(&terms->server_no_context_takeover, parameter);
    if (named(parameter, "client_no_context_takeover"))
        return once(&terms->client_no_context_takeover, parameter);
    if (named(parameter, "server_max_window_bits")) {
        bool first = terms->server_bits == 0;
        terms->server_bits = window_bits(parameter);
        return first && terms->server_bits != 0;
    }
    if (named(parameter, "client_max_window_bits")) {
        bool first = !terms->client_bits_named;
        terms->client_bits_named = true;
        terms->client_bits = window_bits(parameter);
        return first && (terms->client_bits != 0 || !parameter->has_value);
    }
    return false;
}

/* Reads one list element, whichever extension it names. False when it is not well-formed. */
static bool read_terms(struct swale_span element, struct terms *terms)
{
    *terms = (struct terms){ .acceptable = true };
    if (!take_token(&element, &terms->name))
        return false;
    while (take_char(&element, ';')) {
        struct parameter parameter;
        if (!take_parameter(&element, &parameter))
            return false;
        terms->acceptable = note_parameter(terms, &parameter) && terms->acceptable;
    }
    return element.size == 0;
}

static bool is_deflate(const struct terms *terms)
{
    return swale_span_equal(terms->name, swale_text(extension_name));
}

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* Bits of a policy: 0 means the largest, and what is out of range the nearest in it. */
static uint8_t bits_or_max(uint8_t bits, uint8_t least)
{
    if (bits == 0 || bits > WINDOW_MAX)
        return WINDOW_MAX;
    return bits < least ? least : bits;
}

/* ---- The server ---- */

/* Answers one offer; false when it has to be declined. A context is kept only where both sides allow it: the
 * server may add either *_no_context_takeover unasked (RFC 7692 section 7.1.1). */
static bool accept_offer(const struct terms *offer, const struct swale_deflate_policy *policy,
                         struct swale_upgrade *upgrade)
{
    if (!offer->acceptable || (offer->server_bits != 0 && offer->server_bits < COMPRESSOR_MIN))
        return false;
    uint8_t server = bits_or_max(policy->server_max_window_bits, COMPRESSOR_MIN);
    uint8_t client = bits_or_max(policy->client_max_window_bits, 8);
    upgrade->deflate = true;
    upgrade->server_bits_asked = offer->server_bits != 0;
    upgrade->deflate_params = (struct swale_deflate_params){
        .server_no_context_takeover = offer->server_no_context_takeover || !policy->server_context_takeover,
        .client_no_context_takeover = offer->client_no_context_takeover || !policy->client_context_takeover,
        .server_max_window_bits = smaller(server, bits_or_max(offer->server_bits, COMPRESSOR_MIN)),
        .client_max_window_bits = WINDOW_MAX,
    };
    /* A limit on the client's window may be asked for only when the offer names it (section 7.1.2.2), and then
     * is asked for only when we want one ourselves: Tomcat's client refuses every value under 15. */
    if (offer->client_bits_named && client < WINDOW_MAX)
        upgrade->deflate_params.client_max_window_bits = smaller(client, bits_or_max(offer->client_bits, 8));
    return true;
}

int swale__deflate_accept(const struct swale_request *request, const struct swale_deflate_policy *policy,
                          struct swale_upgrade *upgrade)
{
    struct swale_list_cursor cursor = { 0 };
    struct swale_span element;
    struct terms offer;
    while (swale_list_next(request->fields, request->field_count, field_name, &cursor, &element)) {
        if (!read_terms(element, &offer)) {
            upgrade->deflate = false;
            return SWALE_ERR_UPGRADE_EXTENSIONS;
        }
        if (policy->enabled && !upgrade->deflate && is_deflate(&offer))
            accept_offer(&offer, policy, upgrade);
    }
    return 0;
}

static void put_flag(struct swale__writer *writer, bool flag, const char *name)
{
    if (!flag)
        return;
    swale__put_text(writer, "; ");
    swale__put_text(writer, name);
}

static void put_bits(struct swale__writer *writer, const char *name, uint8_t bits)
{
    put_flag(writer, true, name);
    swale__put_text(writer, "=");
    swale__put_number(writer, bits);
}

static void put_name(struct swale__writer *writer)
{
    swale__put_text(writer, field_name);
    swale__put_text(writer, ": ");
    swale__put_text(writer, extension_name);
}

void swale__put_deflate_answer(struct swale__writer *writer, const struct swale_upgrade *upgrade)
{
    const struct swale_deflate_params *params = &upgrade->deflate_params;
    put_name(writer);
    put_flag(writer, params->server_no_context_takeover, "server_no_context_takeover");
    put_flag(writer, params->client_no_context_takeover, "client_no_context_takeover");
    if (upgrade->server_bits_asked || params->server_max_window_bits < WINDOW_MAX)
        put_bits(writer, "server_max_window_bits", params->server_max_window_bits);
    if (params->client_max_window_bits < WINDOW_MAX)
        put_bits(writer, "client_max_window_bits", params->client_max_window_bits);
    swale__put_text(writer, "\r\n");
}

/* ---- The client ---- */

void swale__put_deflate_offer(struct swale__writer *writer, const struct swale_deflate_policy *policy)
{
    uint8_t server = bits_or_max(policy->server_max_window_bits, COMPRESSOR_MIN);
    uint8_t client = bits_or_max(policy->client_max_window_bits, COMPRESSOR_MIN);
    put_name(writer);
    put_flag(writer, !policy->server_context_takeover, "server_no_context_takeover");
    put_flag(writer, !policy->client_context_takeover, "client_no_context_takeover");
    if (server < WINDOW_MAX)
        put_bits(writer, "server_max_window_bits", server);
    if (client < WINDOW_MAX)
        put_bits(writer, "client_max_window_bits", client);
    else
        put_flag(writer, true, "client_max_window_bits");
    swale__put_text(writer, "\r\n");
}

/* Does the answer keep to the offer, and can we keep to the answer? What the offer demanded of the server must
 * be confirmed: a server that is silent about it has not agreed to it (RFC 7692 sections 7.1.1.1, 7.1.2.1). */
static bool fits_offer(const struct terms *answer, const struct swale_deflate_policy *policy)
{
    uint8_t server = bits_or_max(policy->server_max_window_bits, COMPRESSOR_MIN);
    uint8_t client = bits_or_max(policy->client_max_window_bits, COMPRESSOR_MIN);
    if (!answer->acceptable || (!policy->server_context_takeover && !answer->server_no_context_takeover))
        return false;
    if (server < WINDOW_MAX && (answer->server_bits == 0 || answer->server_bits > server))
        return false;
    if (!answer->client_bits_named)
        return true;
    return answer->client_bits >= COMPRESSOR_MIN && answer->client_bits <= client;
}

int swale__deflate_verify(const struct swale_response *response, const struct swale_deflate_policy *policy,
                          struct swale_upgrade_result *result)
{
    struct swale_list_cursor cursor = { 0 };
    struct swale_span element;
    struct terms answer;
    while (swale_list_next(response->fields, response->field_count, field_name, &cursor, &element)) {
        /* One element at most: we offer one extension. */
        if (result->deflate || !policy->enabled || !read_terms(element, &answer) || !is_deflate(&answer))
            return SWALE_ERR_ANSWER_EXTENSIONS;
        if (!fits_offer(&answer, policy))
            return SWALE_ERR_ANSWER_EXTENSIONS;
        uint8_t own = bits_or_max(policy->client_max_window_bits, COMPRESSOR_MIN);
        result->deflate = true;
        result->deflate_params = (struct swale_deflate_params){
            .server_no_context_takeover = answer.server_no_context_takeover,
            .client_no_context_takeover = answer.client_no_context_takeover || !policy->client_context_takeover,
            .server_max_window_bits = answer.server_bits ? answer.server_bits : WINDOW_MAX,
            .client_max_window_bits = answer.client_bits ? answer.client_bits : own,
        };
    }
    return 0;
}
