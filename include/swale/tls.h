/* swale/tls.h - TLS contexts (certificates, trust) and what is known about a peer.
 *
 * A context is made once and shared by any number of listeners, clients and threads; it is the only object
 * here that may be. TLS 1.2 and 1.3 only. Errors name the file that is at fault: in `message`. No OpenSSL type
 * appears in this interface.
 */
#ifndef SWALE_TLS_H
#define SWALE_TLS_H

#include <swale/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swale_tls;

/* One certificate of a server. */
struct swale_tls_certificate {
    const char *certificate_file; /* PEM, the chain behind the leaf */
    const char *key_file;         /* PEM */
};

enum swale_tls_client_auth {
    SWALE_TLS_CLIENT_NONE,
    SWALE_TLS_CLIENT_OPTIONAL, /* a certificate is asked for; a bad one ends the handshake, none does not */
    SWALE_TLS_CLIENT_REQUIRED
};

/* Strings are copied. Zeroed fields mean what their comments say. */
struct swale_tls_options {
    /* Server: the first is the default; the others are chosen by the names in them (SNI, RFC 6066).
     * Client: at most one, shown to servers that ask. */
    const struct swale_tls_certificate *certificates;
    size_t certificate_count;
    const char *ca_file; /* whom to trust: of clients for a server (mutual TLS); of servers for a client, NULL meaning
                          * the system's store */
    const char *ca_directory;
    enum swale_tls_client_auth client_auth; /* server */
    /* Protocols in order of preference; NULL means "http/1.1", an empty list none. A client that offers others only
     * is refused (RFC 7301); one that offers none is not. */
    const char *const *alpn;
    size_t alpn_count;
    bool insecure_skip_verification; /* client: accept any certificate. Never on the open internet */
    /* Client: public keys of which the server's verified chain must hold one, as "sha256/" and the base64 of the
     * SHA-256 of a SubjectPublicKeyInfo (RFC 7469 section 2.4). With insecure_skip_verification only the server's own
     * certificate counts. NULL: any key. */
    const char *const *pins;
    size_t pin_count;
    bool no_session_resumption;
};

enum { SWALE_TLS_MESSAGE_MAX = 256 };

/* A context for listeners, or for clients, with the one reference that the caller has. The files are read now.
 * SWALE_ERR_TLS_CERTIFICATE, _KEY, _CA, SWALE_ERR_INVALID for options that do not fit together or a pin that is none,
 * -ENOMEM. `message`
 * (SWALE_TLS_MESSAGE_MAX bytes, may be NULL) receives one line that names the file and the fault. */
SWALE_API int swale_tls_server(struct swale_tls **tls, const struct swale_tls_options *options, char *message);
SWALE_API int swale_tls_client(struct swale_tls **tls, const struct swale_tls_options *options, char *message);

/* Reads the files again. New handshakes use the new certificates; connections that exist are not disturbed.
 * When anything is wrong the old ones stay in use, and the error, as above, says so. Any thread. */
SWALE_API int swale_tls_reload(struct swale_tls *tls, char *message);

/* Made with one reference, gone with the last. Listeners and connections keep their own. Any thread; unref takes NULL
 * too. */
SWALE_API struct swale_tls *swale_tls_ref(struct swale_tls *tls);
SWALE_API void swale_tls_unref(struct swale_tls *tls);

/* Who is at the other end of a connection. Spans last as long as the connection. */
struct swale_peer {
    struct swale_span address; /* "192.0.2.1", "2001:db8::1"; "unix" or "memory" for peers without one */
    uint16_t port;             /* 0 where there is none */
    bool tls;
    bool tls_resumed;
    struct swale_span tls_version;     /* "TLSv1.3" */
    struct swale_span tls_cipher;      /* "TLS_AES_128_GCM_SHA256" */
    struct swale_span tls_alpn;        /* "http/1.1", or empty */
    struct swale_span tls_server_name; /* SNI as the peer sent it, or empty */
    /* The verified certificate of the peer (mutual TLS); empty when there is none. A name with a control
     * byte or NUL in it is given as empty. */
    struct swale_span tls_subject;     /* RFC 2253: "CN=alice,O=Example" */
    struct swale_span tls_common_name; /* "alice"; empty when there are several */
    struct swale_span tls_fingerprint; /* SHA-256 of the certificate, 64 hexadecimal digits */
    struct swale_span tls_error;       /* why TLS failed, for logs: "http request"; empty while it did not */
};

#ifdef __cplusplus
}
#endif

#endif
