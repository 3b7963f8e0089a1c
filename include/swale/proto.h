/* swale/proto.h - the protocol with no I/O: HTTP/1.1 heads, the opening handshake, frames, deadlines,
 * permessage-deflate (RFC 6455, RFC 7692, RFC 9112).
 *
 * Nothing here opens a socket, asks the time or keeps a thread. Time and randomness are arguments, buffers
 * are the caller's, and every object except the deflate codecs is a complete type without interior
 * pointers: put it where you like and move it when you like. Different objects may be used on different
 * threads; one object may not be used on two at once.
 *
 * The life of a connection, as the server sees it (examples/engine.c is the whole of it in code):
 *
 *     bytes -> swale_request_parse -> swale_upgrade_check -> swale_upgrade_answer -> bytes
 *     bytes -> swale_engine_receive -> event (part of a message, ping, close ...) and perhaps a reply
 *     swale_engine_send -> frame header, to be followed by the payload -> bytes
 *     swale_engine_due -> when to call swale_engine_tick -> perhaps a ping, or the end
 */
#ifndef SWALE_PROTO_H
#define SWALE_PROTO_H

#include <swale/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Bytes ========================================================================================== */

/* UTF-8 as it arrives (RFC 3629: no over-long form, no surrogate, nothing above U+10FFFF). Start with a
 * zeroed checker. A byte that no continuation can repair fails at once. */
struct swale_utf8 {
    uint32_t state;
};

/* Goes on checking with `size` more bytes. False when the text is invalid; the checker then stays so. */
SWALE_API bool swale_utf8_feed(struct swale_utf8 *utf8, const char *data, size_t size);

/* True when what was fed so far is valid and does not end inside a character. */
SWALE_API bool swale_utf8_complete(const struct swale_utf8 *utf8);

/* The whole text at once. */
SWALE_API bool swale_utf8_valid(const char *data, size_t size);

/* Masks or unmasks in place (RFC 6455 section 5.3). `offset` is the position of data[0] in the payload, so
 * that a payload can be handled in pieces. */
SWALE_API void swale_mask(char *data, size_t size, const unsigned char key[4], size_t offset);

/* The same from one buffer into another; they must not overlap. */
SWALE_API void swale_mask_copy(char *to, const char *from, size_t size, const unsigned char key[4], size_t offset);

/* ==== HTTP heads (RFC 9112) ========================================================================== */

struct swale_field {
    struct swale_span name;  /* as sent; compare with swale_name_equal */
    struct swale_span value; /* without surrounding white space */
};

/* Progress through one head. Zero it before the first byte of each head. */
struct swale_head_parser {
    uint32_t scanned;  /* bytes already judged: none is judged twice */
    uint32_t mark;     /* where the part under way begins */
    uint32_t first;    /* where the start line begins */
    uint32_t split;    /* where its first part ends: the method, or the status */
    uint32_t line_end; /* where it ends */
    uint32_t count;    /* fields found so far */
    uint32_t state;    /* which part is under way */
};

/* Where the parser may put its findings, and how much it accepts. `fields` has room for `max_fields`; it
 * must be the same array for the whole of a head. */
struct swale_head_room {
    struct swale_field *fields;
    uint32_t max_fields;
    uint32_t max_size; /* of the whole head, its last CRLF included */
};

/* Body framing of a request or answer (RFC 9112 section 6). */
struct swale_body_framing {
    bool chunked;
    bool has_length;
    uint64_t length;
};

struct swale_request {
    struct swale_span method;
    struct swale_span target; /* origin-form, or the path and query of an absolute-form target */
    struct swale_span path;   /* target up to '?', still percent-encoded */
    struct swale_span query;  /* behind '?', still percent-encoded */
    struct swale_span host;   /* value of the one Host field, or the authority of an absolute-form target,
                               * which takes its place (RFC 9112 section 3.2.2) */
    const struct swale_field *fields;
    uint32_t field_count;
    struct swale_body_framing body;
    bool keep_alive; /* no "Connection: close" */
};

struct swale_response {
    int status;
    struct swale_span reason; /* may be empty */
    const struct swale_field *fields;
    uint32_t field_count;
    struct swale_body_framing body;
    bool keep_alive;
};

/* Parses a request head that lies in data[0..size), of which more may arrive: call again with the same
 * beginning and more behind it. The bytes may move between calls (the spans in room->fields are relocated).
 * Returns the length of the head when it is complete, and fills *request with spans into `data`; 0 when
 * more bytes are needed; or SWALE_ERR_HTTP_*, as soon as the fault is visible.
 * Strict: CRLF only, no obs-fold, no NUL or other control byte, no white space before the colon, one Host,
 * no repeated or conflicting Content-Length or Transfer-Encoding, HTTP/1.1 only; one empty line before the
 * request line is borne (RFC 9112 section 2.2). */
SWALE_API ptrdiff_t swale_request_parse(struct swale_head_parser *parser, const struct swale_head_room *room,
                                        const char *data, size_t size, struct swale_request *request);

/* The same for an answer. An empty reason phrase is accepted, with or without the space before it. HTTP/1.0
 * is accepted too, except with status 101: old proxies and small servers refuse in it. `body` tells what
 * follows this head: nothing behind 1xx, 204 and 304; everything up to the end of the connection when it is
 * neither chunked nor has a length. */
SWALE_API ptrdiff_t swale_response_parse(struct swale_head_parser *parser, const struct swale_head_room *room,
                                         const char *data, size_t size, struct swale_response *response);

/* ASCII comparison without case, for field names and tokens. */
SWALE_API bool swale_name_equal(struct swale_span a, const char *b);

/* The first field of that name, or NULL; `index`, when not NULL, is where to begin and receives where the
 * search may go on, so that repeated fields can be walked. */
SWALE_API const struct swale_field *swale_field_find(const struct swale_field *fields, uint32_t count,
                                                     const char *name, uint32_t *index);

/* Walks the elements of a comma list over all fields of one name (RFC 9110 section 5.6.1; quoted strings
 * are respected, empty elements skipped). Start with a zeroed cursor. False at the end. */
struct swale_list_cursor {
    uint32_t field;
    uint32_t offset;
};
SWALE_API bool swale_list_next(const struct swale_field *fields, uint32_t count, const char *name,
                               struct swale_list_cursor *cursor, struct swale_span *element);

/* The value of a cookie in the request's Cookie fields; the first one of that name wins. False when there
 * is none. The span points into the request (RFC 6265 section 5.4). */
SWALE_API bool swale_cookie_find(const struct swale_request *request, const char *name, struct swale_span *value);

/* Decodes %XX once into `out` (never more bytes than the input). `plus` turns '+' into a space, as in
 * queries. Returns the length, or SWALE_ERR_HTTP_TARGET on a bad escape or an encoded NUL, or
 * SWALE_ERR_TOO_SMALL. */
SWALE_API ptrdiff_t swale_percent_decode(struct swale_span in, bool plus, char *out, size_t capacity);

/* The value of a parameter in a query string, still encoded. False when it is not there. */
SWALE_API bool swale_query_find(struct swale_span query, const char *name, struct swale_span *value);

/* ==== URLs (RFC 6455 section 3, RFC 3986) ============================================================ */

struct swale_url {
    bool secure;                /* wss or https */
    bool unix_socket;           /* ws+unix:PATH[:TARGET]; `host` is then the path of the socket */
    struct swale_span userinfo; /* before '@', still encoded; empty when absent */
    struct swale_span host;     /* without brackets for an IPv6 literal */
    bool ipv6;
    uint16_t port;            /* the scheme's default when none is given */
    struct swale_span target; /* path and query; "/" when both are empty. It begins with '?' when only the
                               * path is: swale_upgrade_write puts the '/' in front */
};

/* Takes a URL apart; the spans point into `text` or to static storage. SWALE_ERR_URL, with the position of
 * the fault in *at (when not NULL), when it is none: other scheme, empty host, bad port, a fragment, a
 * space or control byte. */
SWALE_API int swale_url_parse(struct swale_span text, struct swale_url *url, size_t *at);

/* ==== permessage-deflate negotiation (RFC 7692 section 7.1) ========================================== */

/* What was agreed. Window bits are 8 to 15. */
struct swale_deflate_params {
    bool server_no_context_takeover;
    bool client_no_context_takeover;
    uint8_t server_max_window_bits;
    uint8_t client_max_window_bits;
};

/* What one side is willing to do. Zeroed: no permessage-deflate. Window bits out of their range count as the
 * nearest in it. zlib cannot compress with a window of 8 bits: a server declines an offer that asks it to, a
 * client offers no less than 9, and refuses an answer that asks for 8. */
struct swale_deflate_policy {
    bool enabled;
    bool server_context_takeover;   /* allow the server's compressor to keep its window: costs memory there */
    bool client_context_takeover;   /* allow the client's: costs the server a window for each connection */
    uint8_t server_max_window_bits; /* 9 to 15; 0 means 15. A server announces it when under 15 */
    uint8_t client_max_window_bits; /* 8 to 15; 0 means 15. A client offers it; a server asks for it when
                                     * under 15 and the offer allows it */
};

/* ==== The opening handshake (RFC 6455 section 4) ===================================================== */

enum {
    SWALE_KEY_SIZE = 24,   /* Sec-WebSocket-Key, base64 of 16 bytes */
    SWALE_ACCEPT_SIZE = 28 /* Sec-WebSocket-Accept */
};

/* What a request asks for. Spans point into the request. */
struct swale_upgrade {
    struct swale_span key;
    struct swale_span origin; /* empty when there is none */
    bool has_origin;
    bool deflate; /* permessage-deflate was agreed on, with these parameters */
    struct swale_deflate_params deflate_params;
    bool server_bits_asked; /* the answer must name server_max_window_bits (RFC 7692 section 7.1.2.1) */
};

/* True when the request carries an Upgrade field that names websocket, well-formed or not: it belongs to a
 * WebSocket route and swale_upgrade_check has the last word. */
SWALE_API bool swale_upgrade_wanted(const struct swale_request *request);

/* Checks an upgrade request against RFC 6455 section 4.2.1 and negotiates permessage-deflate. 0 and
 * *upgrade, or the SWALE_ERR_HTTP_* or SWALE_ERR_UPGRADE_* that refuses it, or SWALE_ERR_ORIGIN for a repeated
 * Origin. Whether one may connect is for the caller to say. */
SWALE_API int swale_upgrade_check(const struct swale_request *request, const struct swale_deflate_policy *policy,
                                  struct swale_upgrade *upgrade);

/* The first of `supported` (in the server's order of preference, `count` C strings) that the request
 * offers, or NULL. */
SWALE_API const char *swale_subprotocol_select(const struct swale_request *request, const char *const *supported,
                                               size_t count);

/* True when the request offers this subprotocol. */
SWALE_API bool swale_subprotocol_offered(const struct swale_request *request, struct swale_span name);

/* Writes the 101 answer. `subprotocol` may be empty; `extra` are further fields. Returns its length, or
 * SWALE_ERR_TOO_SMALL, or SWALE_ERR_INVALID when an extra field or the subprotocol is not well-formed (a
 * control byte can never reach the wire), or is one that is written here or has no place in a 101. */
SWALE_API ptrdiff_t swale_upgrade_answer(const struct swale_upgrade *upgrade, struct swale_span subprotocol,
                                         const struct swale_field *extra, size_t extra_count, char *out,
                                         size_t capacity);

/* Writes a complete HTTP/1.1 answer head for `status`, ending in the empty line. Content-Length is
 * `body_size`, except for 1xx, 204 and 304, which have none. Adds Connection: close unless `keep_alive`. A 426 gets
 * Upgrade and Sec-WebSocket-Version, a 405 gets Allow: GET, unless in `fields`, which may not hold Connection,
 * Content-Length or Transfer-Encoding. `status` is 100 to 599. Returns as above. */
SWALE_API ptrdiff_t swale_answer_head(int status, const struct swale_field *fields, size_t field_count,
                                      uint64_t body_size, bool keep_alive, char *out, size_t capacity);

/* The standard reason phrase of a status, "Unknown" for one without. */
SWALE_API const char *swale_status_text(int status);

/* The same-host rule: true when the Origin's host and port are those of the Host field, whichever of http
 * and https it names (behind a TLS proxy the server cannot know). "null" is never the same host. */
SWALE_API bool swale_origin_same_host(struct swale_span origin, struct swale_span host);

/* What a client asks for. */
struct swale_upgrade_request {
    struct swale_span host;   /* Host value, with the port when it is not the default */
    struct swale_span target; /* path and query */
    const char *const *subprotocols;
    size_t subprotocol_count;
    struct swale_deflate_policy deflate;
    const struct swale_field *extra; /* Origin, Cookie, Authorization ... */
    size_t extra_count;
};

/* The key for 16 random bytes, not terminated. */
SWALE_API void swale_upgrade_key(const unsigned char random[16], char key[SWALE_KEY_SIZE]);

/* The accept value for a key, not terminated. */
SWALE_API void swale_upgrade_accept(const char key[SWALE_KEY_SIZE], char accept[SWALE_ACCEPT_SIZE]);

/* Writes the client's request (RFC 6455 section 4.1). Returns its length, SWALE_ERR_TOO_SMALL, or SWALE_ERR_INVALID
 * for a host, target, subprotocol or extra field that is not well-formed, or is repeated or written here. */
SWALE_API ptrdiff_t swale_upgrade_write(const struct swale_upgrade_request *request, const char key[SWALE_KEY_SIZE],
                                        char *out, size_t capacity);

/* What the server chose. The span points into the answer. */
struct swale_upgrade_result {
    struct swale_span subprotocol; /* empty when none was chosen */
    bool deflate;
    struct swale_deflate_params deflate_params;
};

/* Checks the answer against the request (RFC 6455 section 4.1, RFC 7692 section 7.1). 0 and *result, or
 * SWALE_ERR_ANSWER_*. */
SWALE_API int swale_upgrade_verify(const struct swale_response *response, const struct swale_upgrade_request *request,
                                   const char key[SWALE_KEY_SIZE], struct swale_upgrade_result *result);

/* ==== The engine: frames, messages, closing, deadlines =============================================== */

enum swale_role { SWALE_SERVER, SWALE_CLIENT };

/* The values are the opcodes of RFC 6455 section 5.2. */
enum swale_kind { SWALE_TEXT = 1, SWALE_BINARY = 2 };

/* Rules and deadlines, shared by any number of engines, for whose life it must stay unchanged. Everything
 * is a plain value here: 0 milliseconds switches a deadline off, and a limit of 0 allows nothing. */
struct swale_engine_config {
    enum swale_role role;
    uint64_t max_message;   /* bytes of payload in one message, as they are on the wire */
    uint32_t max_fragments; /* frames in one message */
    uint32_t handshake_ms;  /* from swale_engine_init to swale_engine_open, absolute */
    uint32_t ping_after_ms; /* silence before a ping is sent */
    uint32_t gone_after_ms; /* further silence before the peer counts as gone */
    uint32_t idle_ms;       /* longest time without a message beginning or ending in either direction */
    uint32_t close_wait_ms; /* from the first close frame until the transport must have ended */
    /* Unpredictable bytes for the masks of a client (RFC 6455 section 10.3); unused by a server. */
    void (*random)(void *context, void *out, size_t size);
    void *random_context;
};

enum swale_phase {
    SWALE_HANDSHAKING,
    SWALE_OPEN,
    SWALE_CLOSING, /* a close frame was sent; the peer's is awaited */
    SWALE_CLOSED   /* both close frames passed, or the connection failed: only the transport is left to end */
};

/* Its fields are private; it is complete so that you choose where it lives. */
struct swale_engine {
    const struct swale_engine_config *config;
    uint64_t frame_left;   /* payload of the current frame still to come */
    uint64_t message_size; /* payload of the current message so far, announced frames included */
    uint64_t heard_ms;     /* when a byte last came, or the handshake began */
    uint64_t active_ms;    /* when a message last began or ended, or a frame of one was sent */
    uint64_t deadline_ms;  /* of the handshake, of the pong or of the closing, by phase */
    uint32_t fragments;
    struct swale_utf8 utf8;
    uint32_t mask_offset;
    unsigned char mask[4];
    uint8_t phase;
    uint8_t opcode;  /* of the message being received, 0 between messages */
    uint8_t sending; /* opcode of the message being sent in fragments, 0 between messages */
    uint8_t flags;
};

enum swale_event_type {
    SWALE_EVENT_NONE,  /* nothing more in these bytes: keep what was not consumed and bring more */
    SWALE_EVENT_PART,  /* a run of message payload */
    SWALE_EVENT_PING,  /* payload is the ping's; reply holds the pong */
    SWALE_EVENT_PONG,  /* payload is the pong's */
    SWALE_EVENT_CLOSE, /* the peer's close frame: close_code (1005 when it had none) and payload, its reason */
    SWALE_EVENT_FAIL   /* error says why; reply may hold a close frame: send it, then end the transport */
};

/* The longest frame that an engine makes by itself: header, mask, 125 bytes. */
enum { SWALE_CONTROL_MAX = 131, SWALE_HEADER_MAX = 14, SWALE_REASON_MAX = 123 };

/* One event. Spans point into the bytes that were given to swale_engine_receive. `reply`, when reply_size
 * is not 0, is a complete frame to be sent as soon as possible. A pong that could not be sent yet may be
 * replaced by a newer one (RFC 6455 section 5.5.3): this bounds what a ping flood can queue. */
struct swale_event {
    enum swale_event_type type;
    enum swale_kind kind; /* PART: of the message */
    bool first;           /* PART: the message begins here */
    bool last;            /* PART: the message ends here */
    bool compressed;      /* PART: the message is compressed; inflate it, then check with swale_engine_text */
    struct swale_span payload;
    uint64_t frame_left; /* PART: bytes of this frame still to come */
    int error;           /* FAIL, CLOSE */
    uint16_t close_code;
    uint8_t reply_size;
    char reply[SWALE_CONTROL_MAX];
};

/* Begins in SWALE_HANDSHAKING. `config` must outlive the engine. */
SWALE_API void swale_engine_init(struct swale_engine *engine, const struct swale_engine_config *config,
                                 uint64_t now_ms);

/* The handshake is done, once: frames from now on. `deflate` tells whether RSV1 has its RFC 7692 meaning. */
SWALE_API void swale_engine_open(struct swale_engine *engine, bool deflate, uint64_t now_ms);

/* Reads at most one event from data[0..size), unmasking payload in place. Returns the number of bytes
 * consumed, and the event. Unconsumed bytes must be given again, followed by more; at NONE fewer than
 * SWALE_CONTROL_MAX + SWALE_HEADER_MAX bytes are left unconsumed (an incomplete header or control frame).
 * It never fails as a call: what the peer did wrong is a FAIL event, after which (as after CLOSE) every
 * further byte is consumed and ignored.
 * An empty PART is given for an empty message and for the end of a message whose last frame is empty.
 * The events do not depend on how the bytes are cut, but for the places where a message is cut into parts: in text,
 * what stands before the byte that breaks it is given before the FAIL. */
SWALE_API size_t swale_engine_receive(struct swale_engine *engine, char *data, size_t size, uint64_t now_ms,
                                      struct swale_event *event);

/* For the text of a compressed message, after inflation, in order. `last` with the final run. 0, or
 * SWALE_ERR_UTF8: then call swale_engine_fail. */
SWALE_API int swale_engine_text(struct swale_engine *engine, const char *data, size_t size, bool last);

/* Ends the connection for a reason that the engine cannot see by itself (inflation, memory, rate, the
 * application): fills *event as a FAIL whose reply is a close frame with the error's close code and, as its
 * reason, the error's short name. There is no reply when a close frame was sent before. */
SWALE_API void swale_engine_fail(struct swale_engine *engine, int error, uint64_t now_ms, struct swale_event *event);

/* Makes the header of the next frame of a message with `size` bytes of payload, which must follow it. The
 * first call of a message fixes kind and compression; `last` ends the message. For a client *mask receives
 * the key with which to mask the payload, for a server it is untouched (and may be NULL).
 * Returns the header's length, SWALE_ERR_CLOSED, SWALE_ERR_INVALID for a size over 63 bits or a kind that there is
 * not, or SWALE_ERR_STATE when `kind` is not that of the message being sent, compression is asked for that was not
 * negotiated, or the handshake is not done. */
SWALE_API int swale_engine_send(struct swale_engine *engine, enum swale_kind kind, bool compressed, bool last,
                                uint64_t size, uint64_t now_ms, char header[SWALE_HEADER_MAX], unsigned char mask[4]);

/* A complete unmasked frame header for a whole message, apart from any connection: what a message shared by
 * many is encoded with. Returns its length, or SWALE_ERR_INVALID as above. A connection that sends one must be a
 * server's, and between messages: swale_engine_sent_whole answers 0 and notes the activity, or SWALE_ERR_CLOSED, or
 * SWALE_ERR_STATE. */
SWALE_API int swale_frame_header(enum swale_kind kind, bool compressed, uint64_t size, char header[SWALE_HEADER_MAX]);
SWALE_API int swale_engine_sent_whole(struct swale_engine *engine, uint64_t now_ms);

/* Makes a ping (RFC 6455 section 5.5.2). Returns its length, SWALE_ERR_CLOSED, SWALE_ERR_INVALID for a payload over
 * 125 bytes, or SWALE_ERR_STATE during the handshake. */
SWALE_API int swale_engine_ping(struct swale_engine *engine, struct swale_span payload,
                                char frame[SWALE_CONTROL_MAX]);

/* Begins the closing handshake: makes a close frame. `code` 0 sends an empty one. After this no data can be
 * sent. Returns its length, SWALE_ERR_CLOSED when one was sent already, SWALE_ERR_STATE during the
 * handshake, or SWALE_ERR_INVALID for a code that may not be sent, or a reason that has no code, is over
 * SWALE_REASON_MAX bytes or not UTF-8. */
SWALE_API int swale_engine_close(struct swale_engine *engine, int code, struct swale_span reason, uint64_t now_ms,
                                 char frame[SWALE_CONTROL_MAX]);

/* The transport ended. Returns the reason: SWALE_ERR_PEER_CLOSED when both close frames had passed,
 * SWALE_ERR_PEER_GONE otherwise (close code 1006). */
SWALE_API int swale_engine_end(struct swale_engine *engine);

/* Notes a sign of life other than received bytes: progress of a write while reading is paused. */
SWALE_API void swale_engine_alive(struct swale_engine *engine, uint64_t now_ms);

/* Between our close frame and the peer's: the close wait begins anew. */
SWALE_API void swale_engine_wait_on(struct swale_engine *engine, uint64_t now_ms);

/* When swale_engine_tick must next be called; UINT64_MAX for never. It may move later with every byte, so
 * a timer that fires early just asks again; and earlier when the answer to a ping comes, to ping_after_ms from then,
 * and when a message sent in fragments ends. */
SWALE_API uint64_t swale_engine_due(const struct swale_engine *engine);

/* What is due now: NONE, with a ping in `reply` when it is time for one, or FAIL with
 * SWALE_ERR_HANDSHAKE_TIMEOUT, _HEARTBEAT, _IDLE or _CLOSE_TIMEOUT.
 * HEARTBEAT comes only when a ping was sent and gone_after_ms have passed since, so that a clock that jumped costs
 * a ping and no more. While a message is being sent in fragments the ping waits for its end (some peers fail on
 * control frames between fragments), but at most for another ping_after_ms. */
SWALE_API void swale_engine_tick(struct swale_engine *engine, uint64_t now_ms, struct swale_event *event);

static inline enum swale_phase swale_engine_phase(const struct swale_engine *engine)
{
    return (enum swale_phase)engine->phase;
}

/* May this code stand in a close frame (RFC 6455 section 7.4, IANA registry)? */
SWALE_API bool swale_close_code_valid(int code);

/* ==== permessage-deflate: the codecs (RFC 7692 section 7.2) ========================================== */

/* Both run in bounded steps, from the front of *in into the caller's buffer, so that no announced or actual
 * size makes them allocate: each step writes at most `capacity` bytes. A codec without context takeover
 * may serve any number of connections in turn, one message at a time. */
struct swale_inflater;
struct swale_deflater;

/* `window_bits` 8 to 15. -ENOMEM, or SWALE_ERR_INVALID. */
SWALE_API int swale_inflater_new(struct swale_inflater **inflater, const struct swale_allocator *allocator,
                                 int window_bits, bool context_takeover);
SWALE_API void swale_inflater_free(struct swale_inflater *inflater);

/* One step: consumes from *in, which is a run of one message's compressed payload; `last` when the message
 * ends with it. Returns the bytes written. When *in is empty and the result is less than `capacity`, all
 * that can be had has been given, and with `last` the message is complete. SWALE_ERR_DEFLATE_DATA or
 * -ENOMEM otherwise; the inflater must then be reset or freed. */
SWALE_API ptrdiff_t swale_inflater_step(struct swale_inflater *inflater, struct swale_span *in, bool last, char *out,
                                        size_t capacity);

/* A whole message at once, for an inflater without context takeover: the fast path. Returns its size,
 * SWALE_ERR_TOO_SMALL when it does not fit or is over 64 KiB compressed (use steps then; nothing is lost),
 * SWALE_ERR_STATE in the middle of another message or where a context is kept, or as above. */
SWALE_API ptrdiff_t swale_inflater_whole(struct swale_inflater *inflater, struct swale_span in, char *out,
                                         size_t capacity);

/* Forgets a message that is not finished, and the window. */
SWALE_API void swale_inflater_reset(struct swale_inflater *inflater);

/* `level` 1 to 9 are zlib's. 0, the default, is what was measured to be best for messages that are wanted at once:
 * level 4 where a context is kept, else level 2, and for whole messages level 5 up to 2 KiB and libdeflate above.
 * `window_bits` 9 to 15. -ENOMEM, or SWALE_ERR_INVALID. A step is as above, in the other direction. */
SWALE_API int swale_deflater_new(struct swale_deflater **deflater, const struct swale_allocator *allocator,
                                 int window_bits, bool context_takeover, int level);
SWALE_API void swale_deflater_free(struct swale_deflater *deflater);
SWALE_API ptrdiff_t swale_deflater_step(struct swale_deflater *deflater, struct swale_span *in, bool last, char *out,
                                        size_t capacity);

/* A whole message at once, for a deflater without context takeover: the fast path. SWALE_ERR_TOO_SMALL when the
 * result would exceed `capacity`, or come within 16 bytes of it; swale_deflater_bound(size) always suffices.
 * SWALE_ERR_STATE as above. */
SWALE_API ptrdiff_t swale_deflater_whole(struct swale_deflater *deflater, struct swale_span in, char *out,
                                         size_t capacity);
SWALE_API size_t swale_deflater_bound(size_t size);
SWALE_API void swale_deflater_reset(struct swale_deflater *deflater);

#ifdef __cplusplus
}
#endif

#endif
