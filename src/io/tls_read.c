/* tls_read.c - the receiving side: the handshake, from ciphertext to the user's data, and what can go wrong.
 *
 *     in (the lower's buffer, or `kept`) --> SSL --> the loop's plaintext buffer --> user on_data
 *
 * Ciphertext is read where it lies. Only when the user pauses in the middle of it is the rest copied.
 */
#include "io/tls.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

bool swale__tls_may_read(const struct swale__tls_stream *tls)
{
    bool wanted = !tls->open || (!tls->paused && tls->out.size < SWALE__TLS_ANSWERS_MAX);
    return swale__tls_alive(tls) && wanted && !tls->ended;
}

bool swale__tls_holds_input(const struct swale__tls_stream *tls)
{
    return tls->in.size > 0 || tls->pending;
}

/* ---- Failure ---------------------------------------------------------------------------------------- */

void swale__tls_forget_input(struct swale__tls_stream *tls)
{
    tls->in = swale_span(NULL, 0);
    swale__free(swale__loop_allocator(tls->base.loop), tls->kept, tls->kept_size);
    tls->kept = NULL;
}

/* "certificate verify failed" alone helps nobody: says what was wrong with it too. */
static void explain(struct swale__tls_stream *tls, const char *reason, const char *detail)
{
    tls->reason = reason;
    size_t size = strlen(reason) + 2 + strlen(detail) + 1;
    tls->reason_block = swale__alloc(swale__loop_allocator(tls->base.loop), size);
    if (!tls->reason_block)
        return;
    tls->reason_size = size;
    snprintf(tls->reason_block, size, "%s: %s", reason, detail);
    tls->reason = tls->reason_block;
}

void swale__tls_failed(struct swale__tls_stream *tls)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    bool memory = tls->out.failed || (code && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE);
    bool untrusted = code && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    ERR_clear_error();
    if (tls->error)
        return;
    long verdict = SSL_get_verify_result(tls->ssl);
    if (memory || (untrusted && verdict == X509_V_ERR_OUT_OF_MEM)) {
        swale__tls_fail(tls, -ENOMEM, reason);
    } else if (untrusted && tls->unpinned) {
        swale__tls_fail(tls, SWALE_ERR_TLS_PIN, "no certificate has a pinned key");
    } else if (untrusted) {
        tls->error = SWALE_ERR_TLS_UNTRUSTED;
        explain(tls, reason, X509_verify_cert_error_string(verdict));
    } else {
        swale__tls_fail(tls, SWALE_ERR_TLS, reason ? reason : "TLS failed for no reason given");
    }
}

void swale__tls_fail(struct swale__tls_stream *tls, int error, const char *reason)
{
    if (tls->error)
        return;
    tls->error = error;
    tls->reason = reason;
}

/* ---- The handshake ---------------------------------------------------------------------------------- */

/* RFC 7301 section 3.1: the server's choice must be one of our offers. OpenSSL 3.0 leaves that to us. */
static bool protocol_is_ours(const struct swale__tls_stream *tls)
{
    const struct swale__tls_settings *settings = &tls->tls->settings;
    const unsigned char *chosen;
    unsigned size;
    SSL_get0_alpn_selected(tls->ssl, &chosen, &size);
    for (size_t i = 0; i < settings->alpn_size; i += 1u + settings->alpn[i])
        if (settings->alpn[i] == size && memcmp(settings->alpn + i + 1, chosen, size) == 0)
            return true;
    return size == 0;
}

void swale__tls_shake_hands(struct swale__tls_stream *tls)
{
    ERR_clear_error();
    int outcome = SSL_do_handshake(tls->ssl);
    if (outcome == 1) {
        tls->open = true;
        if (!protocol_is_ours(tls))
            swale__tls_fail(tls, SWALE_ERR_TLS, "the server chose a protocol that was not offered");
    } else if (SSL_get_error(tls->ssl, outcome) != SSL_ERROR_WANT_READ) {
        swale__tls_failed(tls);
    }
}

/* ---- Reading ---------------------------------------------------------------------------------------- */

/* Data forgives records without data. */
static void count_data(struct swale__tls_stream *tls, size_t size)
{
    tls->extra_bytes += size;
    while (tls->extra_bytes >= SWALE__TLS_EXTRA_RECORD_BYTES) {
        tls->extra_bytes -= SWALE__TLS_EXTRA_RECORD_BYTES;
        tls->extra_records -= tls->extra_records > 0;
    }
}

/* Why SSL_read gave nothing. */
static void stop_reading(struct swale__tls_stream *tls)
{
    int reason = SSL_get_error(tls->ssl, 0);
    if (reason == SSL_ERROR_ZERO_RETURN)
        tls->ended = true;
    else if (tls->flooded)
        swale__tls_fail(tls, SWALE_ERR_TLS, "too many records without data");
    else if (reason != SSL_ERROR_WANT_READ)
        swale__tls_failed(tls);
}

/* Decrypts as many records as there are, or as the buffer takes: few large runs, not many small ones. How many
 * bytes. A read that would find no input is not made: it costs almost as much as one that does. */
static size_t fill(struct swale__tls_stream *tls, char *plaintext)
{
    size_t size = 0;
    swale__tls_clear_errors();
    while (swale__tls_holds_input(tls) && size < SWALE__PLAINTEXT_SIZE) {
        size_t part = 0;
        tls->pending = false;
        if (SSL_read_ex(tls->ssl, plaintext + size, SWALE__PLAINTEXT_SIZE - size, &part) != 1) {
            stop_reading(tls);
            break;
        }
        size += part;
    }
    /* Only a record that did not fit is given in parts. */
    tls->pending = size == SWALE__PLAINTEXT_SIZE && SSL_pending(tls->ssl) > 0;
    count_data(tls, size);
    return size;
}

static void read_on(struct swale__tls_stream *tls)
{
    while (swale__tls_holds_input(tls) && swale__tls_may_read(tls)) {
        char *plaintext = swale__loop_plaintext(tls->base.loop, tls->level);
        if (!plaintext) {
            swale__tls_fail(tls, -ENOMEM, NULL);
            return;
        }
        size_t size = fill(tls, plaintext);
        if (size > 0)
            tls->base.user->on_data(tls->base.context, plaintext, size);
    }
}

/* What could not be read now, because of a pause, goes into memory of our own: the lower's buffer is the loop's. At
 * most one receive buffer, since the lower is paused until it has been read. */
static void keep_rest(struct swale__tls_stream *tls, bool borrowed)
{
    if (tls->in.size == 0 || !swale__tls_alive(tls) || tls->ended) {
        swale__tls_forget_input(tls);
        return;
    }
    if (!borrowed)
        return;
    assert(!tls->kept);
    tls->kept = swale__alloc(swale__loop_allocator(tls->base.loop), tls->in.size);
    if (!tls->kept) {
        swale__tls_forget_input(tls);
        swale__tls_fail(tls, -ENOMEM, NULL);
        return;
    }
    tls->kept_size = tls->in.size;
    memcpy(tls->kept, tls->in.data, tls->in.size);
    tls->in.data = tls->kept;
}

void swale__tls_read(struct swale__tls_stream *tls, bool borrowed)
{
    if (tls->open)
        read_on(tls);
    keep_rest(tls, borrowed);
}
