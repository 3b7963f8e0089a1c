/* tls.h - what the TLS files share; the only private header with OpenSSL's types in it.
 *
 *     swale_tls (any thread) ---- generation (certificates and trust, as last read; swapped by a reload)
 *        |        |                    \
 *     tickets   cache                  SSL_CTX, one per certificate
 *
 *     tls_stream (one loop):  lower stream --ciphertext--> in | SSL | plaintext --> user
 *                             lower stream <--ciphertext-- out | SSL | <-- user
 *
 * A stream holds a reference to its context and to the generation that it began with. Every call into
 * OpenSSL is made with the thread's error queue empty, and leaves it empty; but callbacks of users may not, so that
 * it is emptied wherever we come from outside.
 */
#ifndef SWALE_IO_TLS_H
#define SWALE_IO_TLS_H

#include "io/stream.h"
#include "io/turn.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- Ticket keys (tls_ticket.c) --------------------------------------------------------------------- */

/* What seals the session tickets of a server (RFC 5077, RFC 8446 section 4.6.1): the key in use, and the one
 * before it, so that a ticket lives as long as the session in it. Shared by all generations: a reload ends
 * no session. */
struct swale__tls_ticket_key {
    unsigned char name[16];
    unsigned char seal[32];
    unsigned char mac[32];
    int64_t made_at; /* seconds of CLOCK_MONOTONIC; 0 while there is none */
};
struct swale__tls_tickets {
    pthread_mutex_t mutex;
    struct swale__tls_ticket_key current, previous;
};

/* A key is used for so long, and then accepted for as long again. It is also the life of a session. */
enum { SWALE__TLS_TICKET_SECONDS = 7200 };

void swale__tls_tickets_install(SSL_CTX *context);

/* ---- Sessions of clients (tls_cache.c) -------------------------------------------------------------- */

/* The latest session with each of the last so many servers, for resumption. */
enum { SWALE__TLS_CACHE_SIZE = 64 };
struct swale__tls_cache {
    pthread_mutex_t mutex;
    struct swale__tls_cached {
        char *server_name;
        SSL_SESSION *session;
        uint64_t generation; /* whose trust the server was judged by */
    } entries[SWALE__TLS_CACHE_SIZE];
    unsigned oldest;
};

/* Takes over the session. */
void swale__tls_cache_put(struct swale__tls_cache *cache, const char *server_name, uint64_t generation,
                          SSL_SESSION *session);

/* A session to resume, or NULL; the caller owns it. One of TLS 1.3 is handed out once (RFC 8446 appendix C.4). */
SSL_SESSION *swale__tls_cache_take(struct swale__tls_cache *cache, const char *server_name, uint64_t generation);
void swale__tls_cache_clear(struct swale__tls_cache *cache);

/* ---- Contexts (tls_context.c, tls_load.c) ----------------------------------------------------------- */

enum { SWALE__TLS_PIN_SIZE = 32 }; /* SHA-256 */

/* A private copy of the options, all of it in memory of its own. */
struct swale__tls_settings {
    struct swale_tls_certificate *certificates;
    size_t certificate_count;
    char *ca_file, *ca_directory;
    unsigned char *alpn; /* as on the wire: length, name, length, name ... (RFC 7301 section 3.1) */
    size_t alpn_size;
    unsigned char (*pins)[SWALE__TLS_PIN_SIZE];
    size_t pin_count;
    enum swale_tls_client_auth client_auth;
    bool server;
    bool verify; /* the peer's certificate, when there is one */
    bool resumption;
};

/* One reading of the files. Immutable. */
struct swale__tls_generation {
    atomic_uint references;
    uint64_t number; /* from 1 */
    struct swale_tls *tls;
    size_t count;
    SSL_CTX *contexts[]; /* the first is the default */
};

struct swale_tls {
    atomic_uint references;
    struct swale__tls_settings settings;
    BIO_METHOD *bio;
    pthread_mutex_t reloading; /* held while files are read: one reload at a time */
    pthread_mutex_t mutex;     /* guards `generation`, for the moment of taking a reference or swapping */
    struct swale__tls_generation *generation;
    struct swale__tls_tickets tickets;
    struct swale__tls_cache cache;
};

/* Reads everything that the settings name. The result has one reference. On failure *made is untouched and `message`
 * (may be NULL) says what is wrong. */
int swale__tls_load(struct swale__tls_generation **made, struct swale_tls *tls, uint64_t number, char *message);

/* The generation in use, with a reference for the caller. Any thread. */
struct swale__tls_generation *swale__tls_generation_now(struct swale_tls *tls);
void swale__tls_generation_unref(struct swale__tls_generation *generation);

/* The generation that an SSL was made from. */
static inline struct swale__tls_generation *swale__tls_generation_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* ---- Pins (tls_pin.c) ------------------------------------------------------------------------------- */

/* "sha256/" and 44 characters of base64; false for anything else. */
bool swale__tls_pin_parse(unsigned char pin[SWALE__TLS_PIN_SIZE], const char *text);

/* Makes the handshakes of a client's context insist on one of the pins. */
void swale__tls_pins_install(SSL_CTX *context, struct swale__tls_settings *settings);

/* ---- Faults ----------------------------------------------------------------------------------------- */

/* Empties the thread's error queue. Looking first, on every read and write, costs a quarter of emptying it. */
static inline void swale__tls_clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Fills `message` with "FILE: FAULT" and returns `error`. Without a fault, the reason on OpenSSL's queue. Drains it.
 */
int swale__tls_fault(char *message, int error, const char *file, const char *fault);

/* ---- A stream (tls_stream.c, tls_read.c, tls_write.c, tls_bio.c, tls_verify.c) ----------------------------------
 */

enum {
    /* Ciphertext that waits for the lower stream: a write is not taken beyond this. */
    SWALE__TLS_BACKLOG_MAX = 65536,
    /* Reading stops beyond this, because reading too makes us send (answers to key updates, alerts). Higher, so
     * that a full write side alone does not stop reading. */
    SWALE__TLS_ANSWERS_MAX = 2 * SWALE__TLS_BACKLOG_MAX,
    /* Records without application data (key updates, tickets, alerts) that a peer may send behind the handshake,
     * with one more for each so many bytes of data. A server may send tickets, anyone may change keys from time
     * to time; a flood of either costs us more than the peer. */
    SWALE__TLS_EXTRA_RECORDS_MAX = 64,
    SWALE__TLS_EXTRA_RECORD_BYTES = 65536,
    /* How long what was written still gets to leave behind an orderly close. */
    SWALE__TLS_LINGER_MS = 5000
};

/* Ciphertext on its way out, in chunks of the loop's pool. What is in flight is not moved; new bytes are put behind
 * it, in the same chunk too. */
struct swale__tls_chunk;
struct swale__tls_out {
    struct swale__tls_chunk *head, *tail;
    size_t size;
    bool failed; /* a chunk could not be had */
};

struct swale__tls_identity;

struct swale__tls_stream {
    struct swale__stream base;
    struct swale__stream *lower;
    unsigned level; /* 1 when the lower stream is TLS, too */
    struct swale_tls *tls;
    struct swale__tls_generation *generation;
    SSL *ssl;
    char *server_name; /* clients: whom we mean to talk to */

    /* Ciphertext not yet read: in the lower's buffer during its on_data, else in `kept`, which is NULL but for a
     * stream that was paused, or had too much to answer, in the middle. */
    struct swale_span in;
    char *kept;
    size_t kept_size;     /* of the block, not of what is left in it */
    uint8_t header_read;  /* bytes of the header of the record under way that OpenSSL has */
    uint16_t record_left; /* bytes of its body that OpenSSL has not, once the header is read */
    uint64_t extra_bytes; /* data since a record without data was last forgiven */
    unsigned extra_records;

    struct swale__tls_out out;
    size_t in_flight; /* bytes at the head of `out` that the lower is writing */
    uint64_t handed;  /* bytes of ciphertext that the lower has taken */

    struct swale__work later; /* begins a client's handshake; goes on behind a pause */
    struct swale__work last_flight;
    struct swale__work destroy;
    struct swale_timer linger;
    struct swale__leftover leftover;

    struct swale__tls_identity *identity; /* NULL until it is asked for */
    const char *reason;                   /* why TLS failed: static, or `reason_block` */
    char *reason_block;
    size_t reason_size;
    int error; /* why the stream is dead, or 0 */

    bool open;    /* the handshake is done */
    bool pending; /* OpenSSL holds plaintext: the rest of a record */
    bool paused;  /* by the user */
    bool lower_reading;
    bool lower_full; /* its on_written(0) will come */
    bool lower_ended;
    bool lower_shut;
    bool lower_dead; /* nothing more can be sent */
    bool wants_room; /* the user waits for on_written(0) */
    bool ended;      /* the peer's close_notify came */
    bool end_told;
    bool error_told;
    bool flooded;
    bool unpinned;  /* a certificate of the server's was good, but none has a pinned key */
    bool shut_down; /* our close_notify is queued */
    bool closed;    /* by the user; only lingers, or waits for the end of the turn */
};

/* The BIO between an SSL and a stream: reads from `in`, writes to `out`, never blocks. NULL when memory is out. */
BIO_METHOD *swale__tls_bio_method(void);

/* The stream of an SSL, known to its BIO; OpenSSL would allocate a place for application data. */
static inline struct swale__tls_stream *swale__tls_stream_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

/* Up to SWALE__IOV_MAX pieces of what waits; their number. */
int swale__tls_out_parts(const struct swale__tls_out *out, struct iovec *parts);
void swale__tls_out_consume(struct swale__tls_out *out, struct swale_loop *loop, size_t size);

/* The stream's own write operation, and the sending of what waits. Neither calls back; a failure of the lower is
 * noted in `error`. */
ptrdiff_t swale__tls_write(struct swale__stream *stream, const struct iovec *parts, int count);
void swale__tls_flush(struct swale__tls_stream *tls);

/* Is there something to tell, or to read, that no event of the lower will bring about? Then `later` must run. */
bool swale__tls_has_news(const struct swale__tls_stream *tls);

/* Is it neither closed nor dead? */
static inline bool swale__tls_alive(const struct swale__tls_stream *tls)
{
    return !tls->closed && !tls->error;
}

/* May plaintext be made now? And is there input, encrypted or not, that has not been handed up? */
bool swale__tls_may_read(const struct swale__tls_stream *tls);
bool swale__tls_holds_input(const struct swale__tls_stream *tls);

/* Takes the handshake as far as the input goes; it is done when `open` is set. */
void swale__tls_shake_hands(struct swale__tls_stream *tls);

/* Hands the input up as far as may be, and keeps the rest; `borrowed` input is in the lower's buffer. */
void swale__tls_read(struct swale__tls_stream *tls, bool borrowed);
void swale__tls_forget_input(struct swale__tls_stream *tls);

/* Notes why the stream is dead, unless it is already: `reason` (static, or NULL), or what OpenSSL says (whose queue
 * is emptied). */
void swale__tls_fail(struct swale__tls_stream *tls, int error, const char *reason);
void swale__tls_failed(struct swale__tls_stream *tls);

/* Fills in the tls_ fields that are known only behind the handshake. */
void swale__tls_identify(struct swale__tls_stream *tls, struct swale_peer *peer);
void swale__tls_identity_free(struct swale__tls_stream *tls);

/* Sets whom a client's SSL expects. SWALE_ERR_INVALID for what is neither a host name nor an address, -ENOMEM. */
int swale__tls_expect(SSL *ssl, const char *server_name);

#endif
