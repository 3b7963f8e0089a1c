/* Who is at the other end: what clients refuse, mutual TLS, and the names that handlers read. */
#include "test.h"

#include "tls_bed.h"

#include <stdlib.h>

/* ---- Servers, as clients see them ------------------------------------------------------------------- */

static void test_client_refuses(void **state)
{
    struct bed *bed = *state;
    struct test_certs *certs = &bed->certs;
    static const struct test_cert bad[] = {
        { .name = "self", .issuer = "self", .names = "DNS:localhost" },
        { .name = "wrong", .names = "DNS:evil.example" },
        { .name = "expired", .names = "DNS:localhost", .expired = true },
        { .name = "cn-only", .common_name = "localhost" },
        { .name = "cn", .common_name = "localhost", .names = "DNS:evil.example" },
        { .name = "purpose", .names = "DNS:localhost", .client = true },
        { .name = "foreign", .issuer = "other-ca", .names = "DNS:localhost" },
        { .name = "partial", .names = "DNS:local*" },
        { .name = "longer", .names = "DNS:localhost.evil.example" },
    };
    static const char *const reasons[] = {
        "self-signed certificate",
        "hostname mismatch",
        "certificate has expired",
        "hostname mismatch",
        "hostname mismatch",
        "unsuitable certificate purpose",
        "unable to get local issuer certificate",
        "hostname mismatch",
        "hostname mismatch",
    };
    test_certs_make(certs,
                    &(struct test_cert){ .name = "other-ca", .issuer = "other-ca", .common_name = "?", .ca = true });
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        test_certs_make(certs, &bad[i]);
        struct swale_tls_certificate certificate = bed_certificate(bed, bad[i].name);
        bed_contexts(bed, &(struct swale_tls_options){ .certificates = &certificate, .certificate_count = 1 }, NULL);
        assert_false(bed_shake(bed));
        assert_int_equal(bed->client.error, SWALE_ERR_TLS_UNTRUSTED);
        assert_int_equal(bed->client.room_told, 0); /* so that nothing was sent */
        assert_int_equal(bed->server.error, SWALE_ERR_TLS);
        char expected[200] = "certificate verify failed: ";
        strcat(expected, reasons[i]);
        bed_assert_span(party_peer(&bed->client).tls_error, expected);
        bed_disconnect(bed);

        bed_contexts(bed, &(struct swale_tls_options){ .certificates = &certificate, .certificate_count = 1 },
                     &(struct swale_tls_options){ .insecure_skip_verification = true });
        assert_true(bed_shake(bed)); /* as asked for by name */
        bed_disconnect(bed);
    }
}

static void test_addresses(void **state)
{
    struct bed *bed = *state;
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "text", .names = "DNS:127.0.0.1" });
    struct swale_tls_certificate text = bed_certificate(bed, "text");
    bed_contexts(bed, NULL, NULL);
    static const struct {
        const char *name;
        bool good;
    } cases[] = {
        { "127.0.0.1", true }, { "127.0.0.2", false }, { "::1", true }, { "0:0::1", true }, { "::2", false }
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bed->server_name = cases[i].name;
        assert_int_equal(bed_shake(bed), cases[i].good);
        bed_assert_span(party_peer(&bed->client).tls_error,
                        cases[i].good ? "" : "certificate verify failed: IP address mismatch");
        bed_disconnect(bed);
    }
    /* RFC 9525 section 6.4: an address is not a name, even if it is written like one. */
    bed_contexts(bed, &(struct swale_tls_options){ .certificates = &text, .certificate_count = 1 }, NULL);
    bed->server_name = "127.0.0.1";
    assert_false(bed_shake(bed));
    bed_disconnect(bed);
}

/* As IANA calls them, on both sides. */
static void test_cipher(void **state)
{
    struct bed *bed = *state;
    static const struct {
        int version;
        const char *begin;
    } cases[] = { { TLS1_2_VERSION, "TLS_ECDHE_ECDSA_WITH_" }, { TLS1_3_VERSION, "TLS_AES_" } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bed_contexts(bed, NULL, NULL);
        bed_only_version(bed->client_tls, cases[i].version);
        assert_true(bed_shake(bed));
        struct swale_span cipher = party_peer(&bed->client).tls_cipher;
        assert_memory_equal(cipher.data, cases[i].begin, strlen(cases[i].begin));
        assert_true(swale_span_equal(cipher, party_peer(&bed->server).tls_cipher));
        bed_disconnect(bed);
    }
}

/* The chain in the file is sent; trust may also come from a directory's absence of files: nobody is trusted. */
static void test_chain_and_empty_trust(void **state)
{
    struct bed *bed = *state;
    struct test_certs *certs = &bed->certs;
    test_certs_make(certs, &(struct test_cert){ .name = "middle", .common_name = "Middle CA", .ca = true });
    test_certs_make(certs, &(struct test_cert){ .name = "leaf", .issuer = "middle", .names = "DNS:localhost" });
    struct swale_tls_certificate leaf = bed_certificate(bed, "leaf");
    bed_contexts(bed, &(struct swale_tls_options){ .certificates = &leaf, .certificate_count = 1 }, NULL);
    assert_false(bed_shake(bed)); /* without what stands between */
    bed_disconnect(bed);

    FILE *out = fopen(test_certs_path(certs, "leaf.crt"), "a");
    FILE *in = fopen(test_certs_path(certs, "middle.crt"), "r");
    for (int byte = getc(in); byte != EOF; byte = getc(in))
        putc(byte, out);
    fclose(in);
    fclose(out);
    bed_contexts(bed, &(struct swale_tls_options){ .certificates = &leaf, .certificate_count = 1 }, NULL);
    assert_true(bed_shake(bed));
    bed_disconnect(bed);

    bed_contexts(bed, NULL, &(struct swale_tls_options){ .ca_directory = certs->directory });
    assert_false(bed_shake(bed));
    bed_disconnect(bed);
}

/* ---- Clients, as servers see them ------------------------------------------------------------------- */

/* Shakes hands with that client certificate (NULL: none) and lets both sides hear of the outcome. */
static bool mutual(struct bed *bed, enum swale_tls_client_auth auth, const char *name, int version)
{
    struct swale_tls_certificate certificate = { 0 };
    if (name)
        certificate = bed_certificate(bed, name);
    struct swale_tls_options server = { .client_auth = auth, .ca_file = test_certs_path(&bed->certs, "ca.crt") };
    struct swale_tls_options client = { .certificates = &certificate, .certificate_count = name ? 1 : 0 };
    bed_contexts(bed, &server, &client);
    bed_only_version(bed->client_tls, version);
    bed_shake(bed);
    assert_int_equal(bed->client.error != 0, bed->server.error != 0);
    return bed->server.error == 0;
}

static void test_mutual(void **state)
{
    struct bed *bed = *state;
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "stranger", .issuer = "stranger", .client = true });
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "late", .expired = true, .client = true });
    static const struct {
        enum swale_tls_client_auth auth;
        const char *name;
        bool good;
        const char *subject;
    } cases[] = {
        { SWALE_TLS_CLIENT_NONE, NULL, true, "" },
        { SWALE_TLS_CLIENT_NONE, "client", true, "" },
        { SWALE_TLS_CLIENT_NONE, "stranger", true, "" },
        { SWALE_TLS_CLIENT_OPTIONAL, NULL, true, "" },
        { SWALE_TLS_CLIENT_OPTIONAL, "client", true, "CN=alice,O=Example" },
        { SWALE_TLS_CLIENT_OPTIONAL, "stranger", false, "" },
        { SWALE_TLS_CLIENT_REQUIRED, NULL, false, "" },
        { SWALE_TLS_CLIENT_REQUIRED, "client", true, "CN=alice,O=Example" },
        { SWALE_TLS_CLIENT_REQUIRED, "stranger", false, "" },
        { SWALE_TLS_CLIENT_REQUIRED, "late", false, "" },
        { SWALE_TLS_CLIENT_REQUIRED, "server", false, "" }, /* extended key usage: servers only */
    };
    for (size_t v = 0; v < COUNT_OF(versions); v++)
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            assert_int_equal(mutual(bed, cases[i].auth, cases[i].name, versions[v]), cases[i].good);
            struct swale_peer peer = party_peer(&bed->server);
            bed_assert_span(peer.tls_subject, cases[i].subject);
            bed_assert_span(peer.tls_common_name, *cases[i].subject ? "alice" : "");
            assert_int_equal(peer.tls_fingerprint.size, *cases[i].subject ? 64 : 0);
            assert_int_equal(peer.tls_error.size > 0, !cases[i].good);
            int error = cases[i].name ? SWALE_ERR_TLS_UNTRUSTED : SWALE_ERR_TLS;
            assert_int_equal(bed->server.error, cases[i].good ? 0 : error);
            bed_disconnect(bed);
        }
}

/* A client with AES hardware gets AES-128 whatever order it offers; one that puts ChaCha20 first has a reason. */
static void test_cipher_preference(void **state)
{
    struct bed *bed = *state;
    static const struct {
        const char *offer, *chosen;
    } cases[] = {
        { "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" },
        { "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
          "TLS_CHACHA20_POLY1305_SHA256" },
        { "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bed_contexts(bed, NULL, NULL);
        assert_int_equal(SSL_CTX_set_ciphersuites(bed->client_tls->generation->contexts[0], cases[i].offer), 1);
        assert_true(bed_shake(bed));
        assert_true(swale_span_equal(party_peer(&bed->server).tls_cipher, swale_text(cases[i].chosen)));
        bed_disconnect(bed);
    }
}

static void test_fingerprint(void **state)
{
    struct bed *bed = *state;
    assert_true(mutual(bed, SWALE_TLS_CLIENT_REQUIRED, "client", TLS1_3_VERSION));
    X509 *own = SSL_get_certificate(party_tls(&bed->client)->ssl);
    unsigned char digest[32];
    unsigned size;
    char expected[65];
    assert_int_equal(X509_digest(own, EVP_sha256(), digest, &size), 1);
    for (size_t i = 0; i < 32; i++)
        snprintf(expected + 2 * i, 3, "%02x", digest[i]);
    struct swale_peer first = party_peer(&bed->server), second = party_peer(&bed->server);
    bed_assert_span(first.tls_fingerprint, expected);
    assert_ptr_equal(first.tls_subject.data, second.tls_subject.data); /* made once */
    bed_disconnect(bed);
}

/* CVE-2009-2408 and its kin: a name that could be read as another is no name; the fingerprint stays. */
static void test_unclean_names(void **state)
{
    struct bed *bed = *state;
    static const struct {
        const char *text;
        size_t size;
        const char *shown;
    } cases[] = {
        { "admin\0.evil", 11, "" },
        { "admin\n", 6, "" },
        { "\x1b[2Jadmin", 0, "" },
        { "ad\x7fmin", 0, "" },
        { "J\xc3\xbcrgen", 0, "J\xc3\xbcrgen" },
        { "a,b=c", 0, "a,b=c" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        test_certs_make(&bed->certs, &(struct test_cert){ .name = "odd",
                                                          .common_name = cases[i].text,
                                                          .common_name_size = cases[i].size,
                                                          .client = true });
        assert_true(mutual(bed, SWALE_TLS_CLIENT_REQUIRED, "odd", TLS1_3_VERSION));
        struct swale_peer peer = party_peer(&bed->server);
        bed_assert_span(peer.tls_common_name, cases[i].shown);
        assert_int_equal(peer.tls_subject.size > 0, *cases[i].shown != '\0');
        assert_int_equal(peer.tls_fingerprint.size, 64);
        bed_disconnect(bed);
    }
}

/* Which of two is meant, nobody knows; so neither decides anything. */
static void test_two_common_names(void **state)
{
    struct bed *bed = *state;
    test_certs_make(
        &bed->certs,
        &(struct test_cert){ .name = "two", .common_name = "guest", .second_common_name = "admin", .client = true });
    assert_true(mutual(bed, SWALE_TLS_CLIENT_REQUIRED, "two", TLS1_3_VERSION));
    bed_assert_span(party_peer(&bed->server).tls_common_name, "");
    bed_assert_span(party_peer(&bed->server).tls_subject, "CN=admin,CN=guest");
    bed_disconnect(bed);
}

static void test_subject_is_escaped(void **state)
{
    struct bed *bed = *state;
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "odd",
                                                      .common_name = "a,CN=admin",
                                                      .organization = "Caf\xc3\xa9 + Co",
                                                      .client = true });
    assert_true(mutual(bed, SWALE_TLS_CLIENT_REQUIRED, "odd", TLS1_3_VERSION));
    bed_assert_span(party_peer(&bed->server).tls_subject, "CN=a\\,CN=admin,O=Caf\xc3\xa9 \\+ Co");
    bed_disconnect(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_client_refuses),
        BED_TEST(test_addresses),
        BED_TEST(test_chain_and_empty_trust),
        BED_TEST(test_mutual),
        BED_TEST(test_cipher),
        BED_TEST(test_cipher_preference),
        BED_TEST(test_fingerprint),
        BED_TEST(test_unclean_names),
        BED_TEST(test_two_common_names),
        BED_TEST(test_subject_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
