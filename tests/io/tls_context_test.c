/* TLS contexts: what is said about bad files, reloading, and what a server chooses by (SNI, ALPN, version). */
#include "test.h"

#include "tls_bed.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Faults ----------------------------------------------------------------------------------------- */

static void make_odd_files(struct test_certs *certs)
{
    test_certs_make(certs, &(struct test_cert){ .name = "other", .names = "DNS:other.example" });
    test_certs_make(certs, &(struct test_cert){ .name = "weak", .names = "DNS:weak.example", .weak_key = true });
    test_certs_write(certs, "empty", "");
    test_certs_write(certs, "text", "-----BEGIN NOTHING-----\nmoon\n");
    FILE *locked = fopen(test_certs_path(certs, "locked.key"), "w");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_int_equal(PEM_write_PrivateKey(locked, key, EVP_aes_128_cbc(), (const unsigned char *)"pw", 2, NULL, NULL),
                     1);
    EVP_PKEY_free(key);
    fclose(locked);

    FILE *leaf = fopen(test_certs_path(certs, "server.crt"), "r");
    FILE *chain = fopen(test_certs_path(certs, "chain.crt"), "w");
    for (int byte = getc(leaf); byte != EOF; byte = getc(leaf))
        putc(byte, chain);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", chain);
    fclose(leaf);
    fclose(chain);
}

struct fault {
    const char *certificate, *key, *ca_file, *ca_directory;
    int error;
    const char *file, *text; /* both in the message */
};

static void expect_fault(struct bed *bed, const struct fault *fault)
{
    struct test_certs *certs = &bed->certs;
    struct swale_tls_certificate certificate = { test_certs_path(certs, fault->certificate),
                                                 test_certs_path(certs, fault->key) };
    struct swale_tls_options options = { .certificates = &certificate, .certificate_count = 1 };
    options.ca_file = fault->ca_file ? test_certs_path(certs, fault->ca_file) : NULL;
    options.ca_directory = fault->ca_directory ? test_certs_path(certs, fault->ca_directory) : NULL;
    struct swale_tls *tls = NULL;
    char message[SWALE_TLS_MESSAGE_MAX] = "";
    assert_int_equal(swale_tls_server(&tls, &options, message), fault->error);
    assert_null(tls);
    size_t length = strlen(test_certs_path(certs, fault->file));
    assert_memory_equal(message, test_certs_path(certs, fault->file), length);
    assert_memory_equal(message + length, ": ", 2);
    if (!strstr(message + length, fault->text))
        fail_msg("\"%s\" does not say \"%s\"", message, fault->text);
    assert_null(strchr(message, '\n'));
    assert_int_equal(swale_tls_server(&tls, &options, NULL), fault->error);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_faults_name_the_file(void **state)
{
    struct bed *bed = *state;
    make_odd_files(&bed->certs);
    static const struct fault faults[] = {
        { "missing", "server.key", NULL, NULL, SWALE_ERR_TLS_CERTIFICATE, "missing", "No such file or directory" },
        { "empty", "server.key", NULL, NULL, SWALE_ERR_TLS_CERTIFICATE, "empty", "holds no PEM certificate" },
        { "text", "server.key", NULL, NULL, SWALE_ERR_TLS_CERTIFICATE, "text", "holds no PEM certificate" },
        { "server.key", "server.key", NULL, NULL, SWALE_ERR_TLS_CERTIFICATE, "server.key",
          "holds no PEM certificate" },
        { "chain.crt", "server.key", NULL, NULL, SWALE_ERR_TLS_CERTIFICATE, "chain.crt", "chain" },
        { "weak.crt", "weak.key", NULL, NULL, SWALE_ERR_TLS_CERTIFICATE, "weak.crt", "key too small" },
        { "server.crt", "missing", NULL, NULL, SWALE_ERR_TLS_KEY, "missing", "No such file or directory" },
        { "server.crt", "empty", NULL, NULL, SWALE_ERR_TLS_KEY, "empty", "holds no PEM private key" },
        { "server.crt", "server.crt", NULL, NULL, SWALE_ERR_TLS_KEY, "server.crt", "holds no PEM private key" },
        { "server.crt", "locked.key", NULL, NULL, SWALE_ERR_TLS_KEY, "locked.key", "encrypted" },
        { "server.crt", "other.key", NULL, NULL, SWALE_ERR_TLS_KEY, "other.key", "private key does not match" },
        { "server.crt", "weak.key", NULL, NULL, SWALE_ERR_TLS_KEY, "weak.key", "server.crt" },
        { "server.crt", "server.key", "missing", NULL, SWALE_ERR_TLS_CA, "missing", "No such file or directory" },
        { "server.crt", "server.key", "empty", NULL, SWALE_ERR_TLS_CA, "empty", "holds no PEM certificate" },
        { "server.crt", "server.key", "ca.key", NULL, SWALE_ERR_TLS_CA, "ca.key", "holds no PEM certificate" },
        { "server.crt", "server.key", NULL, "missing", SWALE_ERR_TLS_CA, "missing", "No such file or directory" },
        { "server.crt", "server.key", NULL, "ca.crt", SWALE_ERR_TLS_CA, "ca.crt", "Not a directory" },
    };
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        expect_fault(bed, &faults[i]);
}

static void test_bad_options(void **state)
{
    struct bed *bed = *state;
    struct swale_tls_certificate good[2] = { bed_certificate(bed, "server"), bed_certificate(bed, "client") };
    struct swale_tls_certificate half = { good[0].certificate_file, NULL };
    char long_name[257];
    memset(long_name, 'a', 256);
    long_name[256] = '\0';
    const char *too_long = long_name, *empty = "";
    const struct swale_tls_options servers[] = {
        { .certificates = NULL },
        { .certificates = &half, .certificate_count = 1 },
        { .certificates = good, .certificate_count = 1, .client_auth = SWALE_TLS_CLIENT_OPTIONAL },
        { .certificates = good, .certificate_count = 1, .alpn = &too_long, .alpn_count = 1 },
        { .certificates = good, .certificate_count = 1, .alpn = &empty, .alpn_count = 1 },
    };
    const struct swale_tls_options two = { .certificates = good, .certificate_count = 2 };
    struct swale_tls *tls = NULL;
    char message[SWALE_TLS_MESSAGE_MAX];
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        message[0] = '\0';
        assert_int_equal(swale_tls_server(&tls, &servers[i], message), SWALE_ERR_INVALID);
        assert_true(strlen(message) > 10);
    }
    assert_int_equal(swale_tls_client(&tls, &two, message), SWALE_ERR_INVALID);
    assert_null(tls);
}

/* A context for the wrong side, or a client that does not know whom it calls, is the caller's mistake. */
static void test_bad_wraps(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    static const char *const names[] = { NULL, "", ".", ".example" };
    struct swale__stream *stream = NULL;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(swale__pair(bed->lower, bed->loop, NULL), 0);
        assert_int_equal(swale__tls_wrap(&stream, bed->lower[0], bed->client_tls, SWALE__DIALLED, names[i]),
                         SWALE_ERR_INVALID);
        assert_int_equal(swale__tls_wrap(&stream, bed->lower[1], bed->client_tls, SWALE__ACCEPTED, NULL),
                         SWALE_ERR_INVALID);
        bed_run(bed);
    }
    assert_null(stream);
}

/* ---- Reload ----------------------------------------------------------------------------------------- */

static void test_reload(void **state)
{
    struct bed *bed = *state;
    char message[SWALE_TLS_MESSAGE_MAX];
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    bed_assert_span(party_peer(&bed->client).tls_common_name, "the server");

    test_certs_make(&bed->certs,
                    &(struct test_cert){ .name = "server", .names = "DNS:localhost", .common_name = "renewed" });
    assert_int_equal(swale_tls_reload(bed->server_tls, message), 0);
    bed->server.echo = true; /* the connection that exists is not disturbed */
    party_send(&bed->client, "still here", 10);
    bed_run(bed);
    assert_int_equal(bed->client.got_size, 10);
    bed_assert_span(party_peer(&bed->client).tls_common_name, "the server");
    bed_disconnect(bed);

    bed_contexts(bed, NULL, NULL); /* a client without a session */
    assert_true(bed_shake(bed));
    bed_assert_span(party_peer(&bed->client).tls_common_name, "renewed");
    bed_disconnect(bed);
}

static void test_bad_reload_keeps_the_old(void **state)
{
    struct bed *bed = *state;
    char message[SWALE_TLS_MESSAGE_MAX], expected[2 * SWALE_TLS_MESSAGE_MAX];
    bed_contexts(bed, NULL, &(struct swale_tls_options){ .no_session_resumption = true });
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "stray", .names = "DNS:localhost" });
    assert_int_equal(rename(test_certs_path(&bed->certs, "stray.key"), test_certs_path(&bed->certs, "server.key")),
                     0);
    assert_int_equal(swale_tls_reload(bed->server_tls, message), SWALE_ERR_TLS_KEY);
    snprintf(expected, sizeof expected, "%s: private key does not match %s",
             test_certs_path(&bed->certs, "server.key"), test_certs_path(&bed->certs, "server.crt"));
    assert_string_equal(message, expected);
    assert_true(bed_shake(bed));
    bed_assert_span(party_peer(&bed->client).tls_common_name, "the server");
    bed_disconnect(bed);

    remove(test_certs_path(&bed->certs, "server.crt"));
    assert_int_equal(swale_tls_reload(bed->server_tls, message), SWALE_ERR_TLS_CERTIFICATE);
    assert_true(bed_shake(bed));
    bed_disconnect(bed);
}

/* ---- SNI -------------------------------------------------------------------------------------------- */

static void test_server_name_chooses_certificate(void **state)
{
    struct bed *bed = *state;
    test_certs_make(&bed->certs,
                    &(struct test_cert){ .name = "b", .names = "DNS:b.example,DNS:*.b.example", .common_name = "b" });
    test_certs_make(&bed->certs,
                    &(struct test_cert){ .name = "c", .names = "DNS:c.example", .common_name = "d.example" });
    struct swale_tls_certificate certificates[] = { bed_certificate(bed, "server"), bed_certificate(bed, "b"),
                                                    bed_certificate(bed, "c") };
    bed_contexts(bed, &(struct swale_tls_options){ .certificates = certificates, .certificate_count = 3 }, NULL);
    static const struct {
        const char *asked, *shown, *seen;
        bool good;
    } cases[] = {
        { "localhost", "the server", "localhost", true },
        { "b.example", "b", "b.example", true },
        { "B.EXAMPLE", "b", "B.EXAMPLE", true },
        { "x.b.example.", "b", "x.b.example", true },
        { "c.example", "d.example", "c.example", true },
        { "d.example", "", "d.example", false },
        { "x.y.b.example", "", "x.y.b.example", false },
        { "127.0.0.1", "the server", "", true },
        { "::1", "the server", "", true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bed->server_name = cases[i].asked;
        assert_int_equal(bed_shake(bed), cases[i].good);
        if (cases[i].good) {
            bed_assert_span(party_peer(&bed->client).tls_common_name, cases[i].shown);
            bed_assert_span(party_peer(&bed->server).tls_server_name, cases[i].seen);
        }
        bed_disconnect(bed);
    }
}

/* A name that nobody has gets the default certificate, not an alert. */
static void test_unknown_name_gets_default(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, &(struct swale_tls_options){ .insecure_skip_verification = true });
    bed->server_name = "nobody.example";
    assert_true(bed_shake(bed));
    bed_assert_span(party_peer(&bed->server).tls_server_name, "nobody.example");
    X509 *shown = SSL_get0_peer_certificate(party_tls(&bed->client)->ssl);
    assert_int_equal(X509_check_host(shown, "localhost", 0, 0, NULL), 1);
    bed_assert_span(party_peer(&bed->client).tls_subject, ""); /* nobody has verified it */
    bed_disconnect(bed);
    bed->server_name = NULL;
    assert_true(bed_shake(bed));
    bed_assert_span(party_peer(&bed->server).tls_server_name, "");
    bed_disconnect(bed);
}

/* ---- ALPN ------------------------------------------------------------------------------------------- */

static void expect_protocol(struct bed *bed, const char *const *server, size_t server_count,
                            const char *const *client, size_t client_count, const char *chosen)
{
    bed_contexts(bed, &(struct swale_tls_options){ .alpn = server, .alpn_count = server_count },
                 &(struct swale_tls_options){ .alpn = client, .alpn_count = client_count });
    bool good = bed_shake(bed);
    assert_int_equal(good, chosen != NULL);
    if (good) {
        bed_assert_span(party_peer(&bed->server).tls_alpn, chosen);
        bed_assert_span(party_peer(&bed->client).tls_alpn, chosen);
    } else {
        assert_int_equal(bed->server.error, SWALE_ERR_TLS);
        assert_int_equal(bed->client.error, SWALE_ERR_TLS);
        bed_assert_span(party_peer(&bed->client).tls_error, "tlsv1 alert no application protocol");
    }
    bed_disconnect(bed);
}

static void test_protocols(void **state)
{
    struct bed *bed = *state;
    static const char *const both[] = { "h2", "http/1.1" }, *const reversed[] = { "http/1.1", "h2" };
    static const char *const none[] = { NULL };
    expect_protocol(bed, NULL, 0, NULL, 0, "http/1.1");
    expect_protocol(bed, NULL, 0, both, 2, "http/1.1");
    expect_protocol(bed, both, 2, reversed, 2, "h2");
    expect_protocol(bed, reversed, 2, both, 2, "http/1.1");
    expect_protocol(bed, NULL, 0, both, 1, NULL); /* h2 only on a server without it */
    expect_protocol(bed, NULL, 0, none, 0, "");   /* no offer is fine */
    expect_protocol(bed, none, 0, both, 2, "");   /* and so is no opinion */
}

/* ---- Versions --------------------------------------------------------------------------------------- */

static void test_versions(void **state)
{
    struct bed *bed = *state;
    static const struct {
        int version;
        const char *name;
    } cases[] = { { TLS1_2_VERSION, "TLSv1.2" }, { TLS1_3_VERSION, "TLSv1.3" }, { TLS1_1_VERSION, NULL } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bed_contexts(bed, NULL, NULL);
        SSL_CTX *context = bed->client_tls->generation->contexts[0];
        if (!cases[i].name) /* RFC 8996: not even for a client that would */
            assert_int_equal(SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0"), 1);
        bed_only_version(bed->client_tls, cases[i].version);
        assert_int_equal(bed_shake(bed), cases[i].name != NULL);
        if (cases[i].name) {
            bed_assert_span(party_peer(&bed->server).tls_version, cases[i].name);
            bed_assert_span(party_peer(&bed->server).address, "memory");
            assert_true(party_peer(&bed->server).tls);
        } else {
            assert_int_equal(bed->server.error, SWALE_ERR_TLS);
            bed_assert_span(party_peer(&bed->server).tls_error, "unsupported protocol");
        }
        bed_disconnect(bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_faults_name_the_file),
        BED_TEST(test_bad_options),
        BED_TEST(test_bad_wraps),
        BED_TEST(test_reload),
        BED_TEST(test_bad_reload_keeps_the_old),
        BED_TEST(test_server_name_chooses_certificate),
        BED_TEST(test_unknown_name_gets_default),
        BED_TEST(test_protocols),
        BED_TEST(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
