/* Resumption: that it happens, that it survives what it should, and nothing else. */
#include "test.h"

#include "tls_bed.h"

#include <stdio.h>

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* Connects, and says whether an earlier session was taken up again. */
static bool resumed(struct bed *bed)
{
    assert_true(bed_shake(bed));
    bool server = party_peer(&bed->server).tls_resumed;
    assert_int_equal(party_peer(&bed->client).tls_resumed, server);
    party_send(&bed->client, "x", 1);
    bed_run(bed);
    assert_int_equal(bed->server.got_size, 1);
    bed_disconnect(bed);
    return server;
}

static void fresh_contexts(struct bed *bed, int version, const struct swale_tls_options *server,
                           const struct swale_tls_options *client)
{
    bed_contexts(bed, server, client);
    bed_only_version(bed->client_tls, version);
}

static void test_resumption(void **state)
{
    struct bed *bed = *state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        fresh_contexts(bed, versions[v], NULL, NULL);
        assert_false(resumed(bed));
        for (int i = 0; i < 3; i++)
            assert_true(resumed(bed));
        bed_server_only(bed, NULL); /* another server, with keys of its own, just shakes hands anew */
        assert_false(resumed(bed));
        assert_true(resumed(bed));
    }
}

static void test_resumption_can_be_off(void **state)
{
    struct bed *bed = *state;
    const struct swale_tls_options off = { .no_session_resumption = true };
    for (size_t v = 0; v < COUNT_OF(versions); v++)
        for (int side = 0; side < 2; side++) {
            fresh_contexts(bed, versions[v], side ? NULL : &off, side ? &off : NULL);
            assert_false(resumed(bed));
            assert_false(resumed(bed));
        }
}

static void test_resumption_survives_reload(void **state)
{
    struct bed *bed = *state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        fresh_contexts(bed, versions[v], NULL, NULL);
        assert_false(resumed(bed));
        test_certs_make(&bed->certs, &(struct test_cert){ .name = "server", .names = "DNS:localhost" });
        assert_int_equal(swale_tls_reload(bed->server_tls, NULL), 0);
        assert_true(resumed(bed));
    }
}

/* A session vouches for a certificate; when the trust it was judged by is read anew, it is judged anew. */
static void test_new_trust_ends_sessions(void **state)
{
    struct bed *bed = *state;
    struct swale_tls_certificate certificate = bed_certificate(bed, "client");
    const struct swale_tls_options server = { .client_auth = SWALE_TLS_CLIENT_REQUIRED,
                                              .ca_file = test_certs_path(&bed->certs, "ca.crt") };
    const struct swale_tls_options client = { .certificates = &certificate, .certificate_count = 1 };
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        fresh_contexts(bed, versions[v], &server, &client);
        assert_false(resumed(bed));
        assert_true(resumed(bed));
        assert_int_equal(swale_tls_reload(bed->server_tls, NULL), 0);
        assert_false(resumed(bed));
        assert_true(resumed(bed));
        assert_int_equal(swale_tls_reload(bed->client_tls, NULL), 0);
        bed_only_version(bed->client_tls, versions[v]);
        assert_false(resumed(bed));
    }
}

static void test_identity_survives_resumption(void **state)
{
    struct bed *bed = *state;
    struct swale_tls_certificate certificate = bed_certificate(bed, "client");
    const struct swale_tls_options server = { .client_auth = SWALE_TLS_CLIENT_REQUIRED,
                                              .ca_file = test_certs_path(&bed->certs, "ca.crt") };
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        fresh_contexts(bed, versions[v], &server,
                       &(struct swale_tls_options){ .certificates = &certificate, .certificate_count = 1 });
        assert_false(resumed(bed));
        assert_true(bed_shake(bed));
        struct swale_peer peer = party_peer(&bed->server);
        assert_true(peer.tls_resumed);
        bed_assert_span(peer.tls_subject, "CN=alice,O=Example");
        bed_assert_span(peer.tls_server_name, "localhost");
        bed_assert_span(peer.tls_alpn, "http/1.1");
        bed_disconnect(bed);
    }
}

/* A session belongs to the name that was verified. */
static void test_sessions_are_per_name(void **state)
{
    struct bed *bed = *state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        fresh_contexts(bed, versions[v], NULL, NULL);
        bed->server_name = "localhost";
        assert_false(resumed(bed));
        bed->server_name = "127.0.0.1";
        test_certs_make(&bed->certs, &(struct test_cert){ .name = "server", .names = "DNS:localhost,IP:127.0.0.1" });
        assert_int_equal(swale_tls_reload(bed->server_tls, NULL), 0);
        assert_false(resumed(bed));
        assert_true(resumed(bed));
        bed->server_name = "localhost";
        assert_true(resumed(bed));
        bed->server_name = "127.0.0.2";
        assert_false(bed_shake(bed));
        bed_disconnect(bed);
    }
}

static void age(struct bed *bed, int64_t seconds)
{
    bed->server_tls->tickets.current.made_at -= seconds;
    if (bed->server_tls->tickets.previous.made_at != 0)
        bed->server_tls->tickets.previous.made_at -= seconds;
}

/* A key seals for a while, and opens for as long again. */
static void test_ticket_keys_change(void **state)
{
    struct bed *bed = *state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        fresh_contexts(bed, versions[v], NULL, NULL);
        struct swale__tls_tickets *tickets = &bed->server_tls->tickets;
        assert_false(resumed(bed));
        struct swale__tls_ticket_key first = tickets->current;
        age(bed, SWALE__TLS_TICKET_SECONDS - 10);
        assert_true(resumed(bed));
        assert_memory_equal(tickets->current.name, first.name, sizeof first.name);
        age(bed, 10);
        bed->server_name = "127.0.0.1"; /* without a session: its ticket comes from a new key */
        assert_false(resumed(bed));
        bed->server_name = "localhost";
        assert_memory_not_equal(tickets->current.name, first.name, sizeof first.name);
        assert_memory_equal(tickets->previous.name, first.name, sizeof first.name);
        assert_true(resumed(bed)); /* by the key before */
        age(bed, 3 * SWALE__TLS_TICKET_SECONDS);
        assert_false(resumed(bed)); /* nobody came for long: neither is good any more */
        assert_true(resumed(bed));
    }
}

static void put_named(struct swale__tls_cache *cache, int number)
{
    char name[32];
    snprintf(name, sizeof name, "%d.example", number);
    SSL_SESSION *session = SSL_SESSION_new();
    assert_int_equal(SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION), 1);
    swale__tls_cache_put(cache, name, 1, session);
}

static bool take_named(struct swale__tls_cache *cache, int number, uint64_t generation)
{
    char name[32];
    snprintf(name, sizeof name, "%d.example", number);
    SSL_SESSION *session = swale__tls_cache_take(cache, name, generation);
    SSL_SESSION_free(session);
    return session != NULL;
}

static void test_cache_is_bounded(void **state)
{
    (void)state;
    static struct swale__tls_cache cache = { .mutex = PTHREAD_MUTEX_INITIALIZER };
    for (int i = 0; i < SWALE__TLS_CACHE_SIZE + 3; i++) {
        put_named(&cache, i);
        put_named(&cache, i); /* replaces its own */
    }
    for (int i = 0; i < SWALE__TLS_CACHE_SIZE + 3; i++)
        assert_int_equal(take_named(&cache, i, 1), i >= 3); /* the oldest have gone */
    assert_false(take_named(&cache, 10, 1));                /* RFC 8446 appendix C.4: once */
    put_named(&cache, 10);
    assert_false(take_named(&cache, 10, 2)); /* judged by another generation's trust */
    assert_false(take_named(&cache, 10, 1)); /* and thereby gone */
    swale__tls_cache_clear(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_resumption),
        BED_TEST(test_resumption_can_be_off),
        BED_TEST(test_resumption_survives_reload),
        BED_TEST(test_new_trust_ends_sessions),
        BED_TEST(test_identity_survives_resumption),
        BED_TEST(test_sessions_are_per_name),
        BED_TEST(test_ticket_keys_change),
        cmocka_unit_test(test_cache_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
