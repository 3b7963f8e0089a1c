/* Pinned keys: whose count, and that nothing is said to a server without one. */
#include "test.h"

#include "guard.h"
#include "tls_bed.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

enum { PIN_TEXT = sizeof "sha256/" + 44 };

/* Of the key in that certificate. */
static void pin_of(struct bed *bed, const char *name, char pin[PIN_TEXT])
{
    char file[32];
    snprintf(file, sizeof file, "%s.crt", name);
    FILE *stream = fopen(test_certs_path(&bed->certs, file), "r");
    X509 *certificate = PEM_read_X509(stream, NULL, NULL, NULL);
    fclose(stream);
    unsigned char *key = NULL, digest[32];
    int size = i2d_PUBKEY(X509_get0_pubkey(certificate), &key);
    assert_int_equal(EVP_Digest(key, (size_t)size, digest, NULL, EVP_sha256(), NULL), 1);
    memcpy(pin, "sha256/", 7);
    assert_int_equal(EVP_EncodeBlock((unsigned char *)pin + 7, digest, sizeof digest), 44);
    OPENSSL_free(key);
    X509_free(certificate);
}

static const char stranger[] = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/* Contexts: a server with that certificate, a client with these pins. */
static void contexts(struct bed *bed, const char *certificate, const char *const *pins, size_t count, bool insecure,
                     int version)
{
    struct swale_tls_certificate files = bed_certificate(bed, certificate);
    bed_contexts(
        bed, &(struct swale_tls_options){ .certificates = &files, .certificate_count = 1 },
        &(struct swale_tls_options){ .pins = pins, .pin_count = count, .insecure_skip_verification = insecure });
    bed_only_version(bed->client_tls, version);
}

static void expect_refusal(struct bed *bed, int error, const char *text)
{
    assert_false(bed_shake(bed));
    assert_int_equal(bed->client.error, error);
    assert_int_equal(bed->client.room_told, 0); /* so that nothing was sent */
    bed_assert_span(party_peer(&bed->client).tls_error, text);
    assert_int_equal(bed->server.error, SWALE_ERR_TLS); /* it has heard an alert */
    assert_non_null(strstr(party_peer(&bed->server).tls_error.data, "alert"));
    bed_disconnect(bed);
}

static void test_keys_that_count(void **state)
{
    struct bed *bed = *state;
    char leaf[PIN_TEXT], ca[PIN_TEXT], client[PIN_TEXT];
    pin_of(bed, "server", leaf);
    pin_of(bed, "ca", ca);
    pin_of(bed, "client", client);
    const struct {
        const char *pins[2];
        bool insecure, good;
    } cases[] = {
        { { leaf, leaf }, false, true },       { { ca, ca }, false, true },
        { { stranger, leaf }, false, true },   { { ca, stranger }, false, true },
        { { client, client }, false, false },  { { stranger, client }, false, false },
        { { leaf, leaf }, true, true },        { { stranger, leaf }, true, true },
        { { ca, ca }, true, false }, /* unverified: only the leaf's key is proven */
        { { stranger, client }, true, false },
    };
    for (size_t v = 0; v < COUNT_OF(versions); v++)
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            contexts(bed, "server", cases[i].pins, 2, cases[i].insecure, versions[v]);
            if (!cases[i].good) {
                expect_refusal(bed, SWALE_ERR_TLS_PIN, "no certificate has a pinned key");
                continue;
            }
            assert_true(bed_shake(bed));
            bed_disconnect(bed);
        }
}

/* A pin is one condition more, and replaces none. */
static void test_pins_do_not_replace_trust(void **state)
{
    struct bed *bed = *state;
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "self", .issuer = "self", .names = "DNS:localhost" });
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "wrong", .names = "DNS:evil.example" });
    char pin[PIN_TEXT];
    const char *const pins[] = { pin };
    pin_of(bed, "self", pin);
    contexts(bed, "self", pins, 1, false, TLS1_3_VERSION);
    expect_refusal(bed, SWALE_ERR_TLS_UNTRUSTED, "certificate verify failed: self-signed certificate");
    pin_of(bed, "wrong", pin);
    contexts(bed, "wrong", pins, 1, false, TLS1_3_VERSION);
    expect_refusal(bed, SWALE_ERR_TLS_UNTRUSTED, "certificate verify failed: hostname mismatch");
    pin_of(bed, "self", pin);
    contexts(bed, "self", pins, 1, true, TLS1_3_VERSION); /* as asked for by name */
    assert_true(bed_shake(bed));
    bed_disconnect(bed);
}

/* Whoever has a certificate of their own may send others' along; these are not in the verified chain. */
static void test_certificates_sent_along_do_not_count(void **state)
{
    struct bed *bed = *state;
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "mallory", .names = "DNS:localhost" });
    FILE *out = fopen(test_certs_path(&bed->certs, "mallory.crt"), "a");
    FILE *in = fopen(test_certs_path(&bed->certs, "server.crt"), "r");
    for (int byte = getc(in); byte != EOF; byte = getc(in))
        putc(byte, out);
    fclose(in);
    fclose(out);
    char pin[PIN_TEXT];
    const char *const pins[] = { pin };
    pin_of(bed, "server", pin);
    for (int insecure = 0; insecure < 2; insecure++)
        for (size_t v = 0; v < COUNT_OF(versions); v++) {
            contexts(bed, "mallory", pins, 1, insecure, versions[v]);
            expect_refusal(bed, SWALE_ERR_TLS_PIN, "no certificate has a pinned key");
        }
}

static void test_resumption_under_pins(void **state)
{
    struct bed *bed = *state;
    char pin[PIN_TEXT];
    const char *const pins[] = { pin };
    pin_of(bed, "server", pin);
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        contexts(bed, "server", pins, 1, false, versions[v]);
        for (int i = 0; i < 3; i++) {
            assert_true(bed_shake(bed));
            assert_int_equal(party_peer(&bed->client).tls_resumed, i > 0);
            bed_disconnect(bed);
        }
        /* Another server of that name, which cannot take up the session, is looked at as closely as the first. */
        test_certs_make(&bed->certs, &(struct test_cert){ .name = "other", .names = "DNS:localhost" });
        struct swale_tls_certificate other = bed_certificate(bed, "other");
        bed_server_only(bed, &(struct swale_tls_options){ .certificates = &other, .certificate_count = 1 });
        expect_refusal(bed, SWALE_ERR_TLS_PIN, "no certificate has a pinned key");
        /* And a handshake that failed leaves no session behind. */
        expect_refusal(bed, SWALE_ERR_TLS_PIN, "no certificate has a pinned key");
    }
}

static void test_what_is_a_pin(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true },
        { "sha256/abcdefghijklmnopqrstuvwxyz0123456789+/ABCDE=", true },
        { "", false },
        { "sha256/", false },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false },
        { "sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false },
        { "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true }, /* a digit like another */
        { "SHA256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", false }, /* a stray bit */
        { "sha256/ AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", false },
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_=", false }, /* base64url */
        { "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=A", false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned char pin[SWALE__TLS_PIN_SIZE];
        size_t size = strlen(cases[i].text) + 1;
        char *text = guard_copy(cases[i].text, size);
        assert_int_equal(swale__tls_pin_parse(pin, text), cases[i].good);
        guard_free(text, size);
        struct swale_tls *tls = NULL;
        struct swale_tls_options options = { .pins = &cases[i].text,
                                             .pin_count = 1,
                                             .insecure_skip_verification = true };
        assert_int_equal(swale_tls_client(&tls, &options, NULL), cases[i].good ? 0 : SWALE_ERR_INVALID);
        swale_tls_unref(tls);
    }
}

static void test_options_that_do_not_fit(void **state)
{
    struct bed *bed = *state;
    const char *const pins[] = { stranger, NULL };
    struct swale_tls_certificate certificate = bed_certificate(bed, "server");
    struct swale_tls *tls;
    char message[SWALE_TLS_MESSAGE_MAX];
    struct swale_tls_options options = {
        .certificates = &certificate, .certificate_count = 1, .pins = pins, .pin_count = 1
    };
    assert_int_equal(swale_tls_server(&tls, &options, message), SWALE_ERR_INVALID);
    assert_string_equal(message, "TLS options: pins are for clients");
    options = (struct swale_tls_options){ .pins = pins, .pin_count = 2 };
    assert_int_equal(swale_tls_client(&tls, &options, message), SWALE_ERR_INVALID);
    assert_string_equal(message, "TLS options: a pin is \"sha256/\" and 44 characters of base64");
    options = (struct swale_tls_options){ .pin_count = 1 };
    assert_int_equal(swale_tls_client(&tls, &options, message), SWALE_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_keys_that_count),
        BED_TEST(test_pins_do_not_replace_trust),
        BED_TEST(test_certificates_sent_along_do_not_count),
        BED_TEST(test_resumption_under_pins),
        BED_TEST(test_what_is_a_pin),
        BED_TEST(test_options_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
