/* swale/base.h - what every other header uses: spans, the allocator, errors.
 *
 * Conventions that hold for the whole library:
 *
 *  - Functions that can fail return an int (or a ptrdiff_t): 0 is good, a positive value is a count or a
 *    documented state, a negative value is an error. `-errno` values come from the system; codes below
 *    -1000 are Swale's own; codes below -2000 also end (or have ended) the connection they are about.
 *  - Sizes are in bytes, durations and instants in milliseconds of a monotonic clock, unless a name says
 *    otherwise.
 *  - Nothing is thread-safe unless its comment says so.
 *  - The library never aborts, prints, exits, installs signal handlers or keeps global mutable state.
 */
#ifndef SWALE_BASE_H
#define SWALE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define SWALE_API __attribute__((visibility("default")))
#else
#define SWALE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Spans ------------------------------------------------------------------------------------------ */

/* A borrowed run of bytes, not terminated. Who owns the bytes, and how long they last, stands in the
 * comment of whatever hands out the span. An empty span may have a null pointer. */
struct swale_span {
    const char *data;
    size_t size;
};

static inline struct swale_span swale_span(const void *data, size_t size)
{
    struct swale_span span;
    span.data = (const char *)data;
    span.size = size;
    return span;
}

/* The span of a C string, without its terminator. A null pointer gives the empty span. */
static inline struct swale_span swale_text(const char *text)
{
    return swale_span(text, text ? strlen(text) : 0);
}

static inline bool swale_span_equal(struct swale_span a, struct swale_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

/* Where memory comes from. One function does all three jobs, in the manner of Lua:
 *     resize(context, NULL, 0, n)      allocates n bytes, aligned for any type
 *     resize(context, p, old, n)       grows or shrinks; on failure returns NULL and p stays valid
 *     resize(context, p, old, 0)       frees; returns NULL
 * It is called from the thread of the loop that it was given to; one that is given to several loops, or
 * to a hub, must be thread-safe. Wherever an allocator is asked for, NULL means the C library's. */
struct swale_allocator {
    void *(*resize)(void *context, void *memory, size_t old_size, size_t new_size);
    void *context;
};

/* ---- Errors and reasons ----------------------------------------------------------------------------- */

/* One table holds every code: X(code, NAME, http, close, "name", "text").
 *     http   status of the answer while the connection is still HTTP, 0 where that cannot happen
 *     close  WebSocket close code once it is open (RFC 6455 section 7.4), 0 where no close frame is sent
 * The short name is what appears in logs and metrics; it does not change between releases. */
#define SWALE_ERRORS(X)                                                                                              \
    /* The call was refused and nothing changed: mend the call. */                                                   \
    X(-1001, INVALID, 0, 0, "invalid", "an argument is out of its range")                                            \
    X(-1002, CLOSED, 0, 0, "closed", "the connection is closing or closed")                                          \
    X(-1003, QUEUE_FULL, 0, 0, "queue-full", "the out-queue is full: wait for on_drain")                             \
    X(-1004, TOO_SMALL, 0, 0, "too-small", "the buffer is too small for the result")                                 \
    X(-1005, STATE, 0, 0, "state", "the call does not fit the object's state")                                       \
    X(-1006, URL, 0, 0, "bad-url", "not a ws, wss, http or https URL")                                               \
    X(-1007, ADDRESS, 0, 0, "bad-address", "not a listening or peer address")                                        \
    X(-1008, ROUTE, 0, 0, "bad-route", "not a route pattern, or one that is taken")                                  \
    X(-1009, TOPIC, 0, 0, "bad-topic", "not a topic name")                                                           \
    X(-1010, TLS_CERTIFICATE, 0, 0, "tls-certificate", "the certificate cannot be read or used")                     \
    X(-1011, TLS_KEY, 0, 0, "tls-key", "the private key cannot be read, or is not the certificate's")                \
    X(-1012, TLS_CA, 0, 0, "tls-ca", "the CA file cannot be read or holds no certificate")                           \
    X(-1013, TOO_MANY, 0, 0, "too-many", "a limit on the number of these is reached")                                \
    X(-1014, NOT_CONNECTED, 0, 0, "not-connected", "there is no connection now")                                     \
    X(-1015, PROXY_URL, 0, 0, "bad-proxy", "not the URL of an http, https or socks5 proxy")                          \
    X(-1016, TIMEOUT, 0, 0, "timeout", "nothing came in the time allowed")                                           \
    /* The HTTP head is not acceptable (RFC 9110, RFC 9112): answered with the status, then closed. */               \
    X(-2001, HTTP_SYNTAX, 400, 0, "http-syntax", "the HTTP head is malformed")                                       \
    X(-2002, HTTP_VERSION, 505, 0, "http-version", "not HTTP/1.1")                                                   \
    X(-2003, HTTP_HEAD_SIZE, 431, 0, "http-head-size", "the HTTP head is larger than allowed")                       \
    X(-2004, HTTP_FIELD_COUNT, 431, 0, "http-field-count", "the HTTP head has more fields than allowed")             \
    X(-2005, HTTP_TARGET, 400, 0, "http-target", "the request target is not a path")                                 \
    X(-2006, HTTP_HOST, 400, 0, "http-host", "the Host field is missing, repeated or malformed")                     \
    X(-2007, HTTP_FRAMING, 400, 0, "http-framing", "Content-Length or Transfer-Encoding is wrong or conflicts")      \
    X(-2008, HTTP_BODY, 413, 0, "http-body", "a request body is not accepted here")                                  \
    X(-2009, HTTP_METHOD, 405, 0, "http-method", "the method is not allowed here")                                   \
    X(-2010, HTTP_TRANSFER_CODING, 501, 0, "http-transfer-coding", "the transfer coding is not supported")           \
    X(-2011, HTTP_EXPECTATION, 417, 0, "http-expectation", "the expectation cannot be met")                          \
    /* The opening handshake is refused (RFC 6455 section 4.2.2). */                                                 \
    X(-2021, UPGRADE_REQUIRED, 426, 0, "upgrade-required", "a WebSocket endpoint, asked without an upgrade")         \
    X(-2022, UPGRADE_FIELDS, 400, 0, "upgrade-fields", "Upgrade or Connection does not ask for WebSocket")           \
    X(-2023, UPGRADE_KEY, 400, 0, "upgrade-key", "Sec-WebSocket-Key is missing, repeated or not 16 bytes")           \
    X(-2024, UPGRADE_VERSION, 426, 0, "upgrade-version", "Sec-WebSocket-Version is not 13")                          \
    X(-2025, UPGRADE_EXTENSIONS, 400, 0, "upgrade-extensions", "Sec-WebSocket-Extensions is malformed")              \
    X(-2026, UPGRADE_SUBPROTOCOL, 400, 0, "upgrade-subprotocol", "no acceptable subprotocol was offered")            \
    X(-2027, ORIGIN, 403, 0, "origin", "the Origin is not allowed")                                                  \
    X(-2028, NOT_FOUND, 404, 0, "not-found", "nothing is served at this path")                                       \
    X(-2029, REFUSED, 403, 0, "refused", "the application refused the connection")                                   \
    X(-2030, TOO_MANY_CONNECTIONS, 503, 0, "too-many-connections", "the server is full")                             \
    X(-2031, TOO_MANY_FROM_ADDRESS, 429, 0, "too-many-from-address", "too many connections from this address")       \
    X(-2032, DRAINING, 503, 1001, "draining", "the server is shutting down")                                         \
    X(-2033, HANDSHAKE_TIMEOUT, 408, 0, "handshake-timeout", "the handshake took too long")                          \
    X(-2034, NO_MEMORY, 503, 1011, "no-memory", "memory ran out while serving this connection")                      \
    X(-2035, INTERNAL, 500, 1011, "internal", "something failed inside the application")                             \
    /* The server's answer is not acceptable to a client (RFC 6455 section 4.1). */                                  \
    X(-2041, ANSWER_STATUS, 0, 0, "answer-status", "the server answered with a status other than 101")               \
    X(-2042, ANSWER_FIELDS, 0, 0, "answer-fields", "Upgrade or Connection is missing in the answer")                 \
    X(-2043, ANSWER_ACCEPT, 0, 0, "answer-accept", "Sec-WebSocket-Accept is missing or wrong")                       \
    X(-2044, ANSWER_EXTENSIONS, 0, 0, "answer-extensions", "the server chose an extension that was not offered")     \
    X(-2045, ANSWER_SUBPROTOCOL, 0, 0, "answer-subprotocol", "the server chose a subprotocol not offered")           \
    X(-2046, ANSWER_BODY, 0, 0, "answer-body", "the body of the server's answer is malformed")                       \
    X(-2047, ANSWER_INTERIM, 0, 0, "answer-interim", "more interim answers than allowed")                            \
    X(-2048, REDIRECT, 0, 0, "redirect", "a redirect that is not followed: too many, or to where none may lead")     \
    /* A client does not get as far as the server. */                                                                \
    X(-2051, RESOLVE, 0, 0, "resolve", "the host name cannot be resolved")                                           \
    X(-2052, PROXY, 0, 0, "proxy", "the proxy's answer is malformed")                                                \
    X(-2053, PROXY_REFUSED, 0, 0, "proxy-refused", "the proxy does not connect to the server")                       \
    X(-2054, PROXY_LOGIN, 0, 0, "proxy-login", "the proxy wants other credentials")                                  \
    /* The peer broke the framing rules (RFC 6455 sections 5 to 8, RFC 7692). */                                     \
    X(-2061, FRAME_MASK, 0, 1002, "frame-mask", "a client's frame is not masked, or a server's is")                  \
    X(-2062, FRAME_RESERVED, 0, 1002, "frame-reserved", "a reserved bit is set without an extension")                \
    X(-2063, FRAME_OPCODE, 0, 1002, "frame-opcode", "a reserved opcode")                                             \
    X(-2064, FRAME_LENGTH, 0, 1002, "frame-length", "the length is not minimally encoded or exceeds 63 bits")        \
    X(-2065, FRAME_CONTROL, 0, 1002, "frame-control", "a control frame is fragmented or over 125 bytes")             \
    X(-2066, FRAME_SEQUENCE, 0, 1002, "frame-sequence", "a continuation or a new message where none may be")         \
    X(-2067, CLOSE_PAYLOAD, 0, 1002, "close-payload", "a close frame with a one-byte payload")                       \
    X(-2068, CLOSE_CODE, 0, 1002, "close-code", "a close code that must not be sent")                                \
    X(-2069, UTF8, 0, 1007, "utf8", "text or a close reason is not UTF-8")                                           \
    X(-2070, DEFLATE_DATA, 0, 1007, "deflate-data", "compressed data cannot be inflated")                            \
    /* A limit struck, or a deadline passed. */                                                                      \
    X(-2081, MESSAGE_SIZE, 0, 1009, "message-size", "a message is larger than allowed")                              \
    X(-2082, FRAGMENT_COUNT, 0, 1008, "fragment-count", "a message has more fragments than allowed")                 \
    X(-2083, DEFLATE_RATIO, 0, 1009, "deflate-ratio", "a message inflates more than allowed")                        \
    X(-2084, MESSAGE_RATE, 0, 1008, "message-rate", "messages arrive faster than allowed")                           \
    X(-2085, SLOW_READER, 0, 1008, "slow-reader", "the peer does not read what is sent to it")                       \
    X(-2086, HEARTBEAT, 0, 1001, "heartbeat", "nothing was heard from the peer")                                     \
    X(-2087, IDLE, 0, 1001, "idle", "no message for longer than allowed")                                            \
    X(-2088, CLOSE_TIMEOUT, 0, 0, "close-timeout", "the peer did not finish the closing handshake")                  \
    /* How a connection ends without anyone's fault, or with the network's. */                                       \
    X(-2101, PEER_CLOSED, 0, 0, "peer-closed", "the peer closed the connection")                                     \
    X(-2102, LOCAL_CLOSED, 0, 0, "local-closed", "the application closed the connection")                            \
    X(-2103, PEER_GONE, 0, 0, "peer-gone", "the transport ended without a closing handshake")                        \
    X(-2104, RESET, 0, 0, "reset", "the transport failed or was reset")                                              \
    X(-2105, ABORTED, 0, 1001, "aborted", "the application dropped the connection")                                  \
    X(-2106, TLS, 0, 0, "tls", "TLS failed")                                                                         \
    X(-2107, TLS_TRUNCATED, 0, 0, "tls-truncated", "the transport ended without a TLS close_notify")                 \
    X(-2108, TLS_UNTRUSTED, 0, 0, "tls-untrusted", "the certificate is not trusted, or not for this name")           \
    X(-2109, TLS_PIN, 0, 0, "tls-pin", "none of the certificates has a pinned public key")

#define SWALE_ERROR_ENUM(code, name, http, close, label, text) SWALE_ERR_##name = (code),
enum swale_error { SWALE_ERRORS(SWALE_ERROR_ENUM) };
#undef SWALE_ERROR_ENUM

/* One sentence for people, of -errno values the system's, in English. Never NULL; static storage. Any thread, as all
 * of these. */
SWALE_API const char *swale_strerror(int error);

/* The short, stable name for logs and metrics ("message-size"); "ok" for 0, "system" for -errno values,
 * "unknown" for anything else. Static storage. */
SWALE_API const char *swale_error_name(int error);

/* HTTP status that answers this error, or 0. */
SWALE_API int swale_error_http_status(int error);

/* WebSocket close code that tells the peer about this error, or 0. */
SWALE_API int swale_error_close_code(int error);

/* The codes as a dense sequence, for tables of counters: the position of a code in SWALE_ERRORS (0 for one
 * that is not in the table), and back. SWALE_ERROR_SLOTS is the size of such a table. */
#define SWALE_ERROR_COUNT(code, name, http, close, label, text) +1
enum { SWALE_ERROR_SLOTS = 1 SWALE_ERRORS(SWALE_ERROR_COUNT) };
#undef SWALE_ERROR_COUNT
SWALE_API int swale_error_slot(int error);
SWALE_API int swale_error_at(int slot);

/* The version of the library, "0.1.0". */
SWALE_API const char *swale_version(void);

#ifdef __cplusplus
}
#endif

#endif
