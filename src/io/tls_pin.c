/* tls_pin.c - the keys that a client insists on (RFC 7469 section 2.4, without the header that carries them there).
 *
 * They are looked for while the certificates are verified, so that a server without one gets an alert and never our
 * Finished. A resumed session shows no certificates, and needs none: it comes from the cache of the same context,
 * whose pins never change, and only from a handshake in which they were found. */
#include "io/tls.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

bool swale__tls_pin_parse(unsigned char pin[SWALE__TLS_PIN_SIZE], const char *text)
{
    enum { BASE64_SIZE = 44, DECODED_SIZE = 33 };
    static const char prefix[] = "sha256/";
    if (!text || strncmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    text += sizeof prefix - 1;
    unsigned char decoded[DECODED_SIZE], encoded[BASE64_SIZE + 1];
    if (strlen(text) != BASE64_SIZE ||
        EVP_DecodeBlock(decoded, (const unsigned char *)text, BASE64_SIZE) != DECODED_SIZE)
        return false;
    /* OpenSSL overlooks blanks, missing padding and stray bits: only what it would write itself is a pin. */
    EVP_EncodeBlock(encoded, decoded, SWALE__TLS_PIN_SIZE);
    if (memcmp(encoded, text, BASE64_SIZE) != 0)
        return false;
    memcpy(pin, decoded, SWALE__TLS_PIN_SIZE);
    return true;
}

static bool is_pinned(const struct swale__tls_settings *settings, const X509 *certificate)
{
    unsigned char *key = NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    bool good = size > 0 && EVP_Digest(key, (size_t)size, digest, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(key);
    bool found = false;
    for (size_t i = 0; good && i < settings->pin_count; i++)
        found = found || memcmp(settings->pins[i], digest, SWALE__TLS_PIN_SIZE) == 0;
    return found;
}

/* In the verified chain, which a server cannot lengthen with a certificate of somebody else's. Without a verified
 * chain only the leaf counts, whose key the handshake proves. */
static bool has_pinned_key(const struct swale__tls_settings *settings, X509_STORE_CTX *store)
{
    if (!settings->verify)
        return is_pinned(settings, X509_STORE_CTX_get0_cert(store));
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (is_pinned(settings, sk_X509_value(chain, i)))
            return true;
    return false;
}

static int verify(X509_STORE_CTX *store, void *argument)
{
    const struct swale__tls_settings *settings = argument;
    if (settings->verify) {
        int outcome = X509_verify_cert(store);
        if (outcome <= 0)
            return outcome;
    }
    if (has_pinned_key(settings, store))
        return 1;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct swale__tls_stream *stream = swale__tls_stream_of(ssl);
    stream->unpinned = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

void swale__tls_pins_install(SSL_CTX *context, struct swale__tls_settings *settings)
{
    /* Without verification, too: else OpenSSL would not heed what is found. */
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, verify, settings);
}
