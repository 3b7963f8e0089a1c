/* tls_ticket.c - the keys that seal session tickets, and their change. */
#include "io/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <time.h>

static int64_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec + 1; /* never 0 */
}

static bool make_key(struct swale__tls_ticket_key *key, int64_t now)
{
    struct swale__tls_ticket_key made = { .made_at = now };
    if (RAND_bytes(made.name, sizeof made.name) != 1 || RAND_priv_bytes(made.seal, sizeof made.seal) != 1 ||
        RAND_priv_bytes(made.mac, sizeof made.mac) != 1)
        return false;
    *key = made;
    OPENSSL_cleanse(&made, sizeof made);
    return true;
}

/* Copies out the key to seal with, after a change when one is due. 1, or -1 without randomness. */
static int sealing_key(struct swale__tls_tickets *tickets, struct swale__tls_ticket_key *key)
{
    int64_t now = seconds_now();
    bool good = true;
    pthread_mutex_lock(&tickets->mutex);
    struct swale__tls_ticket_key *current = &tickets->current;
    if (current->made_at == 0 || now - current->made_at >= SWALE__TLS_TICKET_SECONDS) {
        struct swale__tls_ticket_key before = *current;
        good = make_key(current, now);
        if (good)
            tickets->previous = before;
        OPENSSL_cleanse(&before, sizeof before);
    }
    *key = *current;
    pthread_mutex_unlock(&tickets->mutex);
    return good ? 1 : -1;
}

static bool key_fits(const struct swale__tls_ticket_key *key, const unsigned char *name, int64_t now)
{
    return key->made_at != 0 && now - key->made_at < 2 * SWALE__TLS_TICKET_SECONDS &&
           memcmp(key->name, name, sizeof key->name) == 0;
}

/* Copies out the key of that name. 1, or 0 for none that is good any more. */
static int opening_key(struct swale__tls_tickets *tickets, const unsigned char *name,
                       struct swale__tls_ticket_key *key)
{
    int64_t now = seconds_now();
    pthread_mutex_lock(&tickets->mutex);
    bool current = key_fits(&tickets->current, name, now);
    bool previous = key_fits(&tickets->previous, name, now);
    if (current || previous)
        *key = current ? tickets->current : tickets->previous;
    pthread_mutex_unlock(&tickets->mutex);
    return current || previous;
}

static bool set_mac(EVP_MAC_CTX *mac, struct swale__tls_ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
                                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                OSSL_PARAM_construct_end() };
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/* OpenSSL's contract: below 0 an error, 0 no such key (a full handshake follows), 1 good, 2 good and make a new
 * ticket. That is for TLS 1.3, where a client shows each ticket once (RFC 8446 appendix C.4); in TLS 1.2 it keeps
 * the one it has, whose key outlives the session. */
static int seal(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                int sealing)
{
    struct swale__tls_tickets *tickets = &swale__tls_generation_of(ssl)->tls->tickets;
    struct swale__tls_ticket_key key = { .made_at = 0 };
    int result = sealing ? sealing_key(tickets, &key) : opening_key(tickets, name, &key);
    if (result > 0) {
        bool good = set_mac(mac, &key);
        if (sealing) {
            memcpy(name, key.name, sizeof key.name);
            good = good && RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1;
        }
        good = good && EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.seal, iv, sealing) == 1;
        result = good ? result : -1;
        if (result == 1 && !sealing && SSL_version(ssl) >= TLS1_3_VERSION)
            result = 2;
    }
    OPENSSL_cleanse(&key, sizeof key);
    return result;
}

void swale__tls_tickets_install(SSL_CTX *context)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, seal);
    SSL_CTX_set_timeout(context, SWALE__TLS_TICKET_SECONDS);
    /* One ticket, not OpenSSL's two: a client of ours opens one connection, and each brings it a new one. */
    SSL_CTX_set_num_tickets(context, 1);
}
