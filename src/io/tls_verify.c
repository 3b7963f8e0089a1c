/* tls_verify.c - who is at the other end: whom a client expects, and what is known of a peer.
 *
 * What a peer calls itself ends in logs and in decisions of users. A name with a control byte or NUL in it is
 * therefore given as none at all (CVE-2009-2408 is what becomes of "alice\0.evil"), and so is a common name of which
 * there are several.
 */
#include "io/tls.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

/* ---- Whom a client expects -------------------------------------------------------------------------- */

static bool is_address(const char *text)
{
    unsigned char address[16];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* RFC 9525 section 2: names are looked for in subjectAltName only. RFC 6066 section 3: no SNI for an address. */
int swale__tls_expect(SSL *ssl, const char *server_name)
{
    size_t size = strlen(server_name);
    if (size == 0 || size > 253 || server_name[0] == '.') /* OpenSSL takes ".a" for any name below a */
        return SWALE_ERR_INVALID;
    if (is_address(server_name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name) == 1 ? 0 : -ENOMEM;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, server_name) == 1 && SSL_set_tlsext_host_name(ssl, server_name) == 1 ? 0 : -ENOMEM;
}

/* ---- What is known of a peer ------------------------------------------------------------------------ */

/* One block: the texts stand behind each other in text[]. Made when first asked for. */
struct swale__tls_identity {
    size_t size; /* of the block */
    struct swale_span server_name, subject, common_name, fingerprint;
    char text[];
};

/* The parts, before they are brought together. Zeroed: nothing is known. */
struct draft {
    const char *server_name;
    BIO *subject;
    unsigned char *common_name;
    size_t common_name_size;
    char fingerprint[64];
    size_t fingerprint_size;
};

static bool is_clean(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

/* Looks at the values themselves: in the printed form control bytes are escaped already. */
static bool name_is_clean(const X509_NAME *name)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        unsigned char *text = NULL;
        int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
        bool clean = size >= 0 && is_clean(text, (size_t)size);
        OPENSSL_free(text);
        if (!clean)
            return false;
    }
    return true;
}

static void read_common_name(struct draft *draft, const X509_NAME *name)
{
    int first = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, first) >= 0)
        return;
    int size = ASN1_STRING_to_UTF8(&draft->common_name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, first)));
    draft->common_name_size = size > 0 ? (size_t)size : 0;
}

static void read_fingerprint(struct draft *draft, const X509 *certificate)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1 || size * 2 != sizeof draft->fingerprint)
        return;
    for (size_t i = 0; i < size; i++) {
        draft->fingerprint[2 * i] = digits[digest[i] >> 4];
        draft->fingerprint[2 * i + 1] = digits[digest[i] & 15];
    }
    draft->fingerprint_size = sizeof draft->fingerprint;
}

static void read_certificate(struct draft *draft, const X509 *certificate)
{
    read_fingerprint(draft, certificate);
    const X509_NAME *name = X509_get_subject_name(certificate);
    if (!name_is_clean(name))
        return;
    read_common_name(draft, name);
    draft->subject = BIO_new(BIO_s_mem());
    unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB; /* UTF-8 stays UTF-8 */
    if (draft->subject && X509_NAME_print_ex(draft->subject, name, 0, flags) < 0) {
        BIO_free(draft->subject);
        draft->subject = NULL;
    }
}

static void read_peer(struct draft *draft, const struct swale__tls_stream *tls)
{
    const struct swale__tls_settings *settings = &tls->tls->settings;
    const char *server_name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    if (settings->server && server_name && is_clean((const unsigned char *)server_name, strlen(server_name)))
        draft->server_name = server_name;
    const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate && settings->verify && SSL_get_verify_result(tls->ssl) == X509_V_OK)
        read_certificate(draft, certificate);
}

static struct swale_span place(char **end, const void *text, size_t size)
{
    struct swale_span placed = swale_span(*end, size);
    if (size > 0)
        memcpy(*end, text, size);
    *end += size;
    return placed;
}

static struct swale__tls_identity *compose(const struct draft *draft, const struct swale_allocator *allocator)
{
    char *subject = NULL;
    size_t subject_size = draft->subject ? (size_t)BIO_get_mem_data(draft->subject, &subject) : 0;
    size_t name_size = draft->server_name ? strlen(draft->server_name) : 0;
    size_t size = sizeof(struct swale__tls_identity) + name_size + subject_size + draft->common_name_size +
                  draft->fingerprint_size;
    struct swale__tls_identity *identity = swale__alloc_zeroed(allocator, size);
    if (!identity)
        return NULL;
    char *end = identity->text;
    identity->size = size;
    identity->server_name = place(&end, draft->server_name, name_size);
    identity->subject = place(&end, subject, subject_size);
    identity->common_name = place(&end, draft->common_name, draft->common_name_size);
    identity->fingerprint = place(&end, draft->fingerprint, draft->fingerprint_size);
    return identity;
}

void swale__tls_identify(struct swale__tls_stream *tls, struct swale_peer *peer)
{
    const unsigned char *protocol;
    unsigned protocol_size;
    SSL_get0_alpn_selected(tls->ssl, &protocol, &protocol_size);
    peer->tls_alpn = swale_span(protocol, protocol_size);
    peer->tls_version = swale_text(SSL_get_version(tls->ssl));
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    peer->tls_cipher = swale_text(cipher ? SSL_CIPHER_standard_name(cipher) : NULL);
    peer->tls_resumed = SSL_session_reused(tls->ssl);
    if (!tls->identity) {
        struct draft draft = { .server_name = NULL };
        ERR_clear_error();
        read_peer(&draft, tls);
        tls->identity = compose(&draft, swale__loop_allocator(tls->base.loop));
        BIO_free(draft.subject);
        OPENSSL_free(draft.common_name);
        ERR_clear_error();
    }
    if (!tls->identity)
        return; /* out of memory: a peer without a name is safe */
    peer->tls_server_name = tls->identity->server_name;
    peer->tls_subject = tls->identity->subject;
    peer->tls_common_name = tls->identity->common_name;
    peer->tls_fingerprint = tls->identity->fingerprint;
}

void swale__tls_identity_free(struct swale__tls_stream *tls)
{
    if (tls->identity)
        swale__free(swale__loop_allocator(tls->base.loop), tls->identity, tls->identity->size);
}
