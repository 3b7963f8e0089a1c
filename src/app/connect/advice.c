/* advice.c - tables from symptoms to causes, from what is seen most on the internet. */
#include "app/connect/advice.h"

#include "app/connect/escape.h"

#include <string.h>

#define NGINX                                                                                                        \
    "nginx passes upgrades on only with: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "           \
    "proxy_set_header Connection \"upgrade\";\n"

struct by_number {
    int number;
    const char *text;
};

static const struct by_number statuses[] = {
    { 200, "This is an ordinary page: the path is no WebSocket, or something in front does not pass upgrades on.\n"
           "Apache needs mod_proxy_wstunnel, or ProxyPass with upgrade=websocket.\n" NGINX },
    { 301, "The WebSocket is elsewhere: use the URL above, or --follow-redirects.\n" },
    { 302, "The WebSocket is elsewhere, or a login page is in the way: --follow-redirects, or credentials.\n" },
    { 307, "The WebSocket is elsewhere: use the URL above, or --follow-redirects.\n" },
    { 308, "The WebSocket is elsewhere: use the URL above, or --follow-redirects.\n" },
    { 400, "The server finds the request malformed. Behind a proxy: it may not pass on Upgrade and Connection.\n"
           "The application may want a subprotocol (--subprotocol), a parameter or a field (-H).\n" NGINX },
    { 401, "It wants credentials: --user NAME:PASSWORD, or -H 'Authorization: Bearer ...'.\n" },
    { 403, "It refuses: credentials, an address that is not allowed, or the Origin (try --origin with its own).\n" },
    { 404, "Nothing is at this path. Many servers have their WebSocket at /ws or the like.\n" },
    { 405, "A WebSocket is opened with GET, which this path does not allow: it is probably none.\n" },
    { 407, "A proxy on the way wants credentials: --proxy http://NAME:PASSWORD@HOST:PORT.\n" },
    { 421, "The host name does not belong to this server: look at --connect-to and the certificate's names.\n" },
    { 426, "It wants an upgrade and did not see one: something in front removes the Upgrade field.\n" NGINX },
    { 429, "Too many connections or requests from here: wait.\n" },
    { 500, "The application failed: its log knows more.\n" },
    { 501, "The server, or something in front, does not know about upgrades.\n" },
    { 502, "What stands in front does not reach the application: is that running?\n" },
    { 503, "It is overloaded, shutting down, or what stands in front has no application to give it to.\n" },
    { 504, "What stands in front waits for an answer of the application in vain.\n"
           "If that is a WebSocket server: it may get a request without Upgrade, and take it for something else.\n" },
    { 505, "It does not speak HTTP/1.1.\n" },
};

static const struct by_number reasons[] = {
    { SWALE_ERR_RESOLVE,
      "Is the name spelt right? Does this machine's resolver work? --dns-servers asks another.\n" },
    { SWALE_ERR_ANSWER_FIELDS,
      "A 101 must say \"Upgrade: websocket\" and \"Connection: Upgrade\" (RFC 6455 section 4.2.2); browsers refuse "
      "this one.\n" },
    { SWALE_ERR_ANSWER_ACCEPT,
      "Sec-WebSocket-Accept must be made of the key that was sent (RFC 6455 section 4.2.2): a cache may have "
      "answered, or the server computes it wrong.\n" },
    { SWALE_ERR_ANSWER_EXTENSIONS,
      "It chose an extension, or parameters, that were not offered (RFC 6455 section 9.1); browsers refuse this.\n" },
    { SWALE_ERR_ANSWER_SUBPROTOCOL,
      "It chose a subprotocol that was not offered (RFC 6455 section 4.1); browsers refuse this. --subprotocol "
      "offers one.\n" },
    { SWALE_ERR_HTTP_VERSION, "It answers in HTTP/1.0: something in front speaks no HTTP/1.1 to it.\n" NGINX },
    { SWALE_ERR_HANDSHAKE_TIMEOUT,
      "It takes the connection but does not answer: it may be overloaded, or a firewall drops what is sent.\n" },
};

static const char *find(const struct by_number *table, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].number == number)
            return table[i].text;
    return NULL;
}

#define FIND(table, number) find(table, sizeof(table) / sizeof(table)[0], number)

/* ---- TLS -------------------------------------------------------------------------------------------- */

/* Words of the library's, and what they mean. */
static const struct {
    const char *words, *text;
} verification[] = {
    { "expired", "The certificate is no longer valid: it must be renewed (or this machine's clock is wrong).\n" },
    { "not yet valid", "The certificate is not valid yet: is this machine's clock right?\n" },
    { "self-signed certificate in certificate chain",
      "Its chain ends in an authority that this machine does not know: --cacert FILE, if it is yours.\n" },
    { "self-signed certificate",
      "Nobody vouches for the certificate but itself: --cacert FILE with it, if it is yours.\n" },
    { "local issuer",
      "The authority is not known here, or the server does not send the whole chain (browsers may fill in "
      "what is missing, programs do not).\n" },
    { "mismatch", "The certificate is for another name: is the URL's host right?\n" },
    { "revoked", "The certificate was revoked.\n" },
    { "wrong version number", "This port speaks no TLS: try ws:// instead of wss://.\n" },
    { "handshake failure",
      "No common TLS version or cipher (1.2 and 1.3 are spoken here), or it wants a certificate: "
      "--cert and --key.\n" },
    { "certificate required", "It wants a certificate of the client: --cert and --key.\n" },
    { "protocol version",
      "It speaks only versions of TLS that are not safe any more (1.2 and 1.3 are spoken here).\n" },
    { "unrecognized name", "It has nothing under this host name.\n" },
};

static bool contains(const char *text, const char *words)
{
    return text && strcasestr(text, words) != NULL;
}

static const char *about_tls(const struct swale_client_failure *failure)
{
    for (size_t i = 0; i < sizeof verification / sizeof verification[0]; i++)
        if (contains(failure->text, verification[i].words))
            return verification[i].text;
    return failure->reason == SWALE_ERR_TLS_PIN ? "The server has another key than --pin says: do not go on.\n"
                                                : NULL;
}

/* ---- Connections ------------------------------------------------------------------------------------ */

static const char *about_connecting(const struct swale_client_failure *failure)
{
    if (contains(failure->text, "refused"))
        return "The machine is there, but nothing listens on this port: is the server running? Is the port right?\n";
    if (contains(failure->text, "unreachable"))
        return "There is no way to this address from here.\n";
    if (contains(failure->text, "timed out") || failure->reason == SWALE_ERR_HANDSHAKE_TIMEOUT)
        return "Nothing answers: a wrong address, or a firewall that drops packets.\n";
    return NULL;
}

/* A head that is none, or an end instead of one. */
static const char *about_answering(const struct swale_client_failure *failure, bool secure)
{
    bool strange = failure->reason <= SWALE_ERR_HTTP_SYNTAX && failure->reason >= SWALE_ERR_HTTP_TRANSFER_CODING;
    bool silent = failure->reason == SWALE_ERR_PEER_GONE || failure->reason == SWALE_ERR_RESET;
    if ((strange || silent) && !secure)
        return "Is it HTTP at all? If the port speaks TLS, it is wss:// instead of ws://.\n";
    return strange ? "What answers is no HTTP/1.1 server.\n" : NULL;
}

/* ---- Who answers ------------------------------------------------------------------------------------ */

static void put_answerer(const struct swale_response *response, struct buffer *out)
{
    static const char *const telling[] = { "Server", "Via", "X-Powered-By", "X-Cache", "CF-RAY" };
    for (size_t i = 0; i < sizeof telling / sizeof telling[0]; i++) {
        const struct swale_field *field = swale_field_find(response->fields, response->field_count, telling[i], NULL);
        if (!field)
            continue;
        buffer_putf(out, "It says of itself \"%s: ", telling[i]);
        escape_line(field->value, out);
        buffer_puts(out, "\".\n");
    }
}

/* What a TLS port says to plain HTTP, in the words of nginx, Apache and Go. */
static bool says_tls(struct swale_span body)
{
    static const char *const words[] = { "HTTP request was sent to HTTPS port", "plain HTTP to an SSL-enabled",
                                         "HTTP request to an HTTPS server" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (body.size > 0 && memmem(body.data, body.size, words[i], strlen(words[i])))
            return true;
    return false;
}

static void put_refusal(const struct swale_client_failure *failure, struct buffer *out)
{
    const struct swale_response *response = failure->response;
    const char *text = FIND(statuses, response->status);
    if (says_tls(failure->body))
        text = "The port speaks TLS: it is wss:// instead of ws://.\n";
    if (text)
        buffer_puts(out, text);
    put_answerer(response, out);
}

static const char *about(const struct swale_client_failure *failure, bool secure)
{
    const char *text = FIND(reasons, failure->reason);
    if (text && !(failure->reason == SWALE_ERR_HANDSHAKE_TIMEOUT && failure->phase == SWALE_PHASE_CONNECT))
        return text;
    switch (failure->phase) {
    case SWALE_PHASE_CONNECT:
        return about_connecting(failure);
    case SWALE_PHASE_PROXY:
        return "This is between here and the proxy: --proxy, or the variables http_proxy and so on; --proxy none "
               "goes without.\n";
    case SWALE_PHASE_TLS:
        return about_tls(failure);
    case SWALE_PHASE_HANDSHAKE:
        return about_answering(failure, secure);
    case SWALE_PHASE_RESOLVE:
    case SWALE_PHASE_OPEN:
        break;
    }
    return NULL;
}

void advice_put(const struct swale_client_failure *failure, bool secure, struct buffer *out)
{
    bool refused = failure->reason == SWALE_ERR_ANSWER_STATUS || failure->reason == SWALE_ERR_REDIRECT;
    const char *text = refused ? NULL : about(failure, secure);
    if (refused && failure->response)
        put_refusal(failure, out);
    else if (failure->response)
        put_answerer(failure->response, out);
    if (text)
        buffer_puts(out, text);
}
