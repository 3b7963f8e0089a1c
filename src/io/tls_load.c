/* tls_load.c - from PEM files to SSL_CTX: certificates, keys, trust, and the rules of every handshake.
 *
 * Each fault is told as one line that names the file: somebody reads it at three in the morning.
 */
#include "io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- Faults ----------------------------------------------------------------------------------------- */

int swale__tls_fault(char *message, int error, const char *file, const char *fault)
{
    if (!fault)
        fault = ERR_reason_error_string(ERR_peek_error());
    if (message)
        snprintf(message, SWALE_TLS_MESSAGE_MAX, "%s: %s", file, fault ? fault : "cannot be used");
    ERR_clear_error();
    return error;
}

static int system_fault(char *message, int error, const char *file, int number)
{
    char text[128];
    return swale__tls_fault(message, error, file, strerror_r(number, text, sizeof text));
}

static int out_of_memory(char *message)
{
    return swale__tls_fault(message, -ENOMEM, "TLS", "out of memory");
}

/* An encrypted key is refused; OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    (void)buffer, (void)size, (void)writing, (void)argument;
    return -1;
}

/* *bio reads the file. */
static int open_pem(BIO **bio, const char *file, int error, char *message)
{
    FILE *stream = fopen(file, "re");
    if (!stream)
        return system_fault(message, error, file, errno);
    *bio = BIO_new_fp(stream, BIO_CLOSE);
    if (*bio)
        return 0;
    fclose(stream);
    return out_of_memory(message);
}

/* ---- Certificates and keys -------------------------------------------------------------------------- */

/* What stands behind the leaf. The end of the file is OpenSSL's "no start line". */
static int use_chain(SSL_CTX *context, BIO *bio, const char *file, char *message)
{
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return swale__tls_fault(message, SWALE_ERR_TLS_CERTIFICATE, file, NULL);
        }
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return swale__tls_fault(message, SWALE_ERR_TLS_CERTIFICATE, file,
                                "the chain behind the certificate is broken");
    ERR_clear_error();
    return 0;
}

static int use_certificate(SSL_CTX *context, const char *file, char *message)
{
    BIO *bio = NULL;
    int error = open_pem(&bio, file, SWALE_ERR_TLS_CERTIFICATE, message);
    if (error)
        return error;
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    if (!leaf)
        error = swale__tls_fault(message, SWALE_ERR_TLS_CERTIFICATE, file, "holds no PEM certificate");
    else if (SSL_CTX_use_certificate(context, leaf) != 1)
        error = swale__tls_fault(message, SWALE_ERR_TLS_CERTIFICATE, file, NULL);
    else
        error = use_chain(context, bio, file, message);
    X509_free(leaf);
    BIO_free(bio);
    return error;
}

static int read_key(EVP_PKEY **key, const char *file, char *message)
{
    BIO *bio = NULL;
    int error = open_pem(&bio, file, SWALE_ERR_TLS_KEY, message);
    if (error)
        return error;
    *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (*key)
        return 0;
    for (unsigned long code = ERR_peek_error(); code; ERR_get_error(), code = ERR_peek_error())
        if (ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ || ERR_GET_REASON(code) == ERR_R_INTERRUPTED_OR_CANCELLED)
            return swale__tls_fault(message, SWALE_ERR_TLS_KEY, file, "the private key is encrypted");
    return swale__tls_fault(message, SWALE_ERR_TLS_KEY, file, "holds no PEM private key");
}

static int use_key(SSL_CTX *context, const struct swale_tls_certificate *files, char *message)
{
    EVP_PKEY *key = NULL;
    int error = read_key(&key, files->key_file, message);
    if (error)
        return error;
    if (X509_check_private_key(SSL_CTX_get0_certificate(context), key) != 1) {
        char fault[SWALE_TLS_MESSAGE_MAX];
        snprintf(fault, sizeof fault, "private key does not match %s", files->certificate_file);
        error = swale__tls_fault(message, SWALE_ERR_TLS_KEY, files->key_file, fault);
    } else if (SSL_CTX_use_PrivateKey(context, key) != 1) {
        error = swale__tls_fault(message, SWALE_ERR_TLS_KEY, files->key_file, NULL);
    }
    EVP_PKEY_free(key);
    return error;
}

/* ---- Trust ------------------------------------------------------------------------------------------ */

static int check_directory(const char *directory, char *message)
{
    struct stat status;
    if (stat(directory, &status) != 0)
        return system_fault(message, SWALE_ERR_TLS_CA, directory, errno);
    if (!S_ISDIR(status.st_mode))
        return system_fault(message, SWALE_ERR_TLS_CA, directory, ENOTDIR);
    return 0;
}

static int use_ca_file(SSL_CTX *context, const struct swale__tls_settings *settings, char *message)
{
    BIO *bio = NULL;
    int error = open_pem(&bio, settings->ca_file, SWALE_ERR_TLS_CA, message);
    if (error)
        return error;
    BIO_free(bio);
    if (SSL_CTX_load_verify_file(context, settings->ca_file) != 1)
        return swale__tls_fault(message, SWALE_ERR_TLS_CA, settings->ca_file, "holds no PEM certificate");
    if (!settings->server)
        return 0;
    /* The names by which a client picks the certificate to show (RFC 8446 section 4.2.4). */
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(settings->ca_file);
    if (!names)
        return swale__tls_fault(message, SWALE_ERR_TLS_CA, settings->ca_file, NULL);
    SSL_CTX_set_client_CA_list(context, names);
    return 0;
}

static int use_trust(SSL_CTX *context, const struct swale__tls_settings *settings, char *message)
{
    int error = settings->ca_file ? use_ca_file(context, settings, message) : 0;
    if (error)
        return error;
    if (settings->ca_directory) {
        error = check_directory(settings->ca_directory, message);
        if (error)
            return error;
        if (SSL_CTX_load_verify_dir(context, settings->ca_directory) != 1)
            return swale__tls_fault(message, SWALE_ERR_TLS_CA, settings->ca_directory, NULL);
    }
    if (!settings->server && !settings->ca_file && !settings->ca_directory &&
        SSL_CTX_set_default_verify_paths(context) != 1)
        return swale__tls_fault(message, SWALE_ERR_TLS_CA, "the system's certificates", NULL);
    return 0;
}

/* ---- Choices made during a handshake ---------------------------------------------------------------- */

/* RFC 6066 section 3: the certificate that has the name in it; for an unknown name the default, since a client that
 * does not like it will say so itself. A common name is not a host name (RFC 9525 section 2). */
static int choose_certificate(SSL *ssl, int *alert, void *argument)
{
    (void)alert;
    const struct swale__tls_generation *generation = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (size_t i = 0; name && i < generation->count; i++) {
        X509 *leaf = SSL_CTX_get0_certificate(generation->contexts[i]);
        if (X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1)
            return SSL_set_SSL_CTX(ssl, generation->contexts[i]) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 section 3.2: ours in order of preference; without an overlap the alert no_application_protocol, since
 * a client that offers only h2 would not understand our answer. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size, const unsigned char *offered,
                           unsigned offered_size, void *argument)
{
    (void)ssl;
    const struct swale__tls_settings *settings = argument;
    unsigned char *selected;
    int outcome =
        SSL_select_next_proto(&selected, size, settings->alpn, (unsigned)settings->alpn_size, offered, offered_size);
    *chosen = selected;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int remember_session(SSL *ssl, SSL_SESSION *session)
{
    struct swale__tls_stream *stream = swale__tls_stream_of(ssl);
    if (!stream->server_name || !SSL_SESSION_is_resumable(session))
        return 0;
    swale__tls_cache_put(&stream->tls->cache, stream->server_name, stream->generation->number, session);
    return 1; /* the reference is the cache's */
}

/* Counts the records that carry no data, behind the handshake: TLS 1.2 shows the type in the header, TLS 1.3
 * inside. At the limit the BIO runs dry, so that OpenSSL comes back to us. */
static void watch_records(int writing, int version, int type, const void *data, size_t size, SSL *ssl, void *argument)
{
    (void)version, (void)argument;
    if (writing || size == 0 || (type != SSL3_RT_INNER_CONTENT_TYPE && type != SSL3_RT_HEADER))
        return;
    unsigned char kind = *(const unsigned char *)data;
    if (kind != SSL3_RT_HANDSHAKE && kind != SSL3_RT_ALERT)
        return;
    struct swale__tls_stream *stream = swale__tls_stream_of(ssl);
    bool shown = type == SSL3_RT_INNER_CONTENT_TYPE || SSL_version(ssl) < TLS1_3_VERSION;
    if (stream->open && shown && ++stream->extra_records > SWALE__TLS_EXTRA_RECORDS_MAX) {
        stream->flooded = true;
        stream->in.size = 0;
    }
}

/* ---- Rules ------------------------------------------------------------------------------------------ */

/* Mozilla's intermediate profile, without finite-field Diffie-Hellman: forward secrecy and authenticated encryption
 * only. AES-128 comes first, as browsers have it and OpenSSL's programs do not: 256 bits of key take a third more
 * time (16 KiB: 5.7 µs against 4.2), and no attack needs them. But ChaCha20 for a client that puts it first, because
 * a phone without AES hardware knows best. */
static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";

/* A certificate chain of a peer; OpenSSL allows 100 KiB. */
enum { CHAIN_MAX = 65536 };

static bool set_common_rules(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_max_cert_list(context, CHAIN_MAX);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_recv_max_early_data(context, 0);
    SSL_CTX_set_msg_callback(context, watch_records);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context, suites) == 1 && SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
           SSL_CTX_set1_groups_list(context, groups) == 1;
}

static bool set_session_rules(SSL_CTX *context, const struct swale__tls_generation *generation)
{
    const struct swale__tls_settings *settings = &generation->tls->settings;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (!settings->resumption) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(context, 0) == 1;
    }
    if (settings->server) {
        swale__tls_tickets_install(context);
        /* A session vouches for the client's certificate: with mutual TLS it must not outlive the trust that
         * this was judged by. Without, sessions go on across a reload. */
        uint64_t scope = settings->client_auth == SWALE_TLS_CLIENT_NONE ? 0 : generation->number;
        return SSL_CTX_set_session_id_context(context, (const unsigned char *)&scope, sizeof scope) == 1;
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, remember_session);
    return true;
}

static bool set_side_rules(SSL_CTX *context, struct swale__tls_generation *generation)
{
    struct swale__tls_settings *settings = &generation->tls->settings;
    int verify = settings->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    if (settings->client_auth == SWALE_TLS_CLIENT_REQUIRED)
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, verify, NULL);
    if (settings->pin_count > 0)
        swale__tls_pins_install(context, settings);
    if (!settings->server) /* 0 is good here */
        return SSL_CTX_set_alpn_protos(context, settings->alpn, (unsigned)settings->alpn_size) == 0;
    if (settings->alpn_size > 0)
        SSL_CTX_set_alpn_select_cb(context, choose_protocol, settings);
    SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(context, generation);
    return true;
}

static int make_context(SSL_CTX **made, struct swale__tls_generation *generation,
                        const struct swale_tls_certificate *files, char *message)
{
    const struct swale__tls_settings *settings = &generation->tls->settings;
    SSL_CTX *context = SSL_CTX_new(settings->server ? TLS_server_method() : TLS_client_method());
    if (!context)
        return out_of_memory(message);
    *made = context;
    if (SSL_CTX_set_app_data(context, generation) != 1)
        return out_of_memory(message);
    if (!set_common_rules(context) || !set_session_rules(context, generation) || !set_side_rules(context, generation))
        return swale__tls_fault(message, SWALE_ERR_TLS, "OpenSSL", NULL);
    int error = files ? use_certificate(context, files->certificate_file, message) : 0;
    if (!error && files)
        error = use_key(context, files, message);
    return error ? error : use_trust(context, settings, message);
}

int swale__tls_load(struct swale__tls_generation **made, struct swale_tls *tls, uint64_t number, char *message)
{
    const struct swale__tls_settings *settings = &tls->settings;
    size_t count = settings->certificate_count > 0 ? settings->certificate_count : 1;
    struct swale__tls_generation *generation = calloc(1, sizeof *generation + count * sizeof(SSL_CTX *));
    if (!generation)
        return out_of_memory(message);
    atomic_init(&generation->references, 1);
    generation->number = number;
    generation->tls = tls;
    generation->count = count;
    ERR_clear_error();
    for (size_t i = 0; i < count; i++) {
        const struct swale_tls_certificate *files =
            settings->certificate_count > 0 ? &settings->certificates[i] : NULL;
        int error = make_context(&generation->contexts[i], generation, files, message);
        if (error) {
            swale__tls_generation_unref(generation);
            return error;
        }
    }
    ERR_clear_error();
    *made = generation;
    return 0;
}
