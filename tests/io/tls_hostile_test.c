/* Peers that do not play by the rules, against a server: each ends with an error, bounded memory, and no answer
 * but alerts. */
#include "test.h"

#include "tls_bed.h"

#include <stdlib.h>

static void expect_failure(struct bed *bed, int error, const char *text)
{
    assert_int_equal(bed->server.error, error);
    bed_assert_span(party_peer(&bed->server).tls_error, text);
    assert_int_equal(bed->server.got_size, 0);
}

/* ---- Before the handshake --------------------------------------------------------------------------- */

static void test_not_tls(void **state)
{
    struct bed *bed = *state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, "http request" },
        { "CONNECT a.example:443 HTTP/1.1\r\n\r\n", 0, "https proxy request" },
        { "SSH-2.0-OpenSSH_9.2\r\n", 0, "wrong version number" },
        { "\x16\x03\x01\x00\x05hello", 10, "unexpected message" },
        { "\x17\x03\x03\x00\x05hello", 10, "unexpected message" },
        { "\x16\x03\x01\xff\xff\x01\x00\x00\x00", 9, "packet length too long" },
        { "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80", 14, NULL }, /* an SSLv2 hello, cut */
    };
    bed_server_only(bed, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(bed_connect_raw(bed), 0);
        party_send(&bed->client, cases[i].bytes, cases[i].size ? cases[i].size : strlen(cases[i].bytes));
        bed_run(bed);
        if (cases[i].text) {
            expect_failure(bed, SWALE_ERR_TLS, cases[i].text);
            assert_true(bed->client.ended); /* and so knows it at once */
        } else {
            swale__stream_shutdown(bed->client.stream);
            bed_run(bed);
            expect_failure(bed, SWALE_ERR_TLS_TRUNCATED, "unexpected end");
        }
        bed_disconnect(bed);
    }
}

static void test_garbage(void **state)
{
    struct bed *bed = *state;
    char garbage[5000];
    bed_server_only(bed, NULL);
    for (unsigned seed = 0; seed < 100; seed++) {
        bed_pattern(garbage, sizeof garbage, seed);
        if (seed % 2)
            memcpy(garbage, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11); /* looks like a ClientHello */
        assert_int_equal(bed_connect_raw(bed), 0);
        party_send(&bed->client, garbage, sizeof garbage);
        bed_run(bed);
        assert_int_equal(bed->server.error, SWALE_ERR_TLS);
        assert_true(party_peer(&bed->server).tls_error.size > 0);
        assert_true(bed->client.got_size < 100);
        bed_disconnect(bed);
    }
}

/* A ClientHello that announces 16 MiB in records of one byte. */
static void test_huge_hello(void **state)
{
    struct bed *bed = *state;
    bed_server_only(bed, NULL);
    assert_int_equal(bed_connect_raw(bed), 0);
    static const char announced[] = "\x01\xff\xff\xff\x03\x03";
    for (size_t i = 0; i < 5000 && !bed->server.error; i++) {
        char record[6] = "\x16\x03\x01\x00\x01";
        record[5] = i < 6 ? announced[i] : 'a';
        party_send(&bed->client, record, sizeof record);
        bed_run(bed);
    }
    expect_failure(bed, SWALE_ERR_TLS, "excessive message size");
    bed_disconnect(bed);
}

/* ---- Behind it -------------------------------------------------------------------------------------- */

static void test_broken_record(void **state)
{
    struct bed *bed = *state;
    static const char records[][30] = {
        "\x17\x03\x03\x00\x18 this cannot be decrypted", /* a record that nobody sealed */
        "\x17\x03\x03\x48\x01",                          /* one too large (RFC 8446 section 5.2) */
        "GET / HTTP/1.1\r\n\r\n        ",
    };
    bed_contexts(bed, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        assert_true(bed_shake(bed));
        struct iovec part = { (void *)(uintptr_t)records[i], 29 };
        assert_int_equal(swale__stream_write(bed->lower[1], &part, 1), 29);
        bed_run(bed);
        assert_int_equal(bed->server.error, SWALE_ERR_TLS);
        assert_int_equal(bed->server.got_size, 0);
        assert_true(bed->client.error != 0); /* it heard our alert */
        bed_disconnect(bed);
    }
}

/* What came before the broken record was good, and is handed up. */
static void test_data_before_a_broken_record(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    party_send(&bed->client, "good", 4);
    struct iovec part = { (char[]){ "\x17\x03\x03\x00\x18 this cannot be decrypted" }, 29 };
    assert_int_equal(swale__stream_write(bed->lower[1], &part, 1), 29);
    bed_run(bed);
    assert_int_equal(bed->server.got_size, 4);
    assert_int_equal(bed->server.error, SWALE_ERR_TLS);
    bed_disconnect(bed);
}

/* RFC 8446 section 6.1: what comes behind a close_notify is ignored, whatever it is. */
static void test_bytes_behind_the_end(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    struct swale__tls_stream *tls = party_tls(&bed->client);
    SSL_shutdown(tls->ssl);
    swale__tls_flush(tls);
    struct iovec part = { (char[]){ "GET / HTTP/1.1\r\n\r\n" }, 18 };
    assert_int_equal(swale__stream_write(bed->lower[1], &part, 1), 18);
    bed_run(bed);
    assert_true(bed->server.ended);
    assert_int_equal(bed->server.error, 0);
    assert_int_equal(bed->server.got_size, 0);
    bed_disconnect(bed);
}

/* RFC 8446 section 4.6.3: a peer may change keys and ask us to. It may not do so all the time. */
static unsigned change_keys(struct bed *bed, unsigned count, size_t data_between)
{
    char *data = calloc(1, data_between + 1);
    struct swale__tls_stream *client = party_tls(&bed->client);
    unsigned done = 0;
    for (; done < count && !bed->server.error && !bed->client.error; done++) {
        assert_int_equal(SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(client->ssl), 1);
        swale__tls_flush(client);
        client->extra_records = 0; /* it has asked for those that it gets */
        if (data_between > 0)
            party_send(&bed->client, data, data_between);
        bed_run(bed);
    }
    free(data);
    return done;
}

static void test_key_updates(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    assert_int_equal(change_keys(bed, 20, 1), 20);
    assert_int_equal(bed->server.error, 0);
    bed_disconnect(bed);
    assert_true(bed_shake(bed)); /* now and then, for ever */
    assert_int_equal(change_keys(bed, 200, 66000), 200);
    assert_int_equal(bed->server.error, 0);
    assert_int_equal(bed->server.got_size, 200 * 66000);
    bed_disconnect(bed);
    assert_true(bed_shake(bed)); /* a flood, alone or with a little data */
    assert_true(change_keys(bed, 1000, 0) <= SWALE__TLS_EXTRA_RECORDS_MAX + 1);
    expect_failure(bed, SWALE_ERR_TLS, "too many records without data");
    bed_disconnect(bed);
    assert_true(bed_shake(bed));
    assert_true(change_keys(bed, 1000, 100) <= SWALE__TLS_EXTRA_RECORDS_MAX + 1);
    assert_int_equal(bed->server.error, SWALE_ERR_TLS);
    bed_disconnect(bed);
}

/* All in one run: the limit strikes in the middle of it, and the answers are few. */
static void test_key_update_burst(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    struct swale__tls_stream *client = party_tls(&bed->client);
    size_t before = bed->client.got_size;
    for (int i = 0; i < 1500; i++) {
        assert_int_equal(SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(client->ssl), 1);
    }
    size_t sent = client->out.size;
    assert_true(sent > 30000);
    swale__tls_flush(client);
    bed_run(bed);
    expect_failure(bed, SWALE_ERR_TLS, "too many records without data");
    assert_int_equal(bed->client.got_size, before);
    bed_disconnect(bed);
}

/* A peer that asks for answers and does not read them: reading stops before they pile up. */
static void test_unread_answers_stop_reading(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = 300000 };
    char *data = calloc(1, SIZE);
    bed->pair = (struct swale__pair_options){ .capacity = 1000 };
    bed_contexts(bed, NULL, NULL);
    assert_true(bed_shake(bed));
    bed->client.paused = true;
    swale__stream_pause(bed->client.stream);
    party_send(&bed->server, data, SIZE); /* as much as is taken */
    bed_run(bed);
    struct swale__tls_stream *server = party_tls(&bed->server);
    assert_true(server->out.size >= SWALE__TLS_BACKLOG_MAX);
    while (server->out.size < SWALE__TLS_ANSWERS_MAX)
        assert_int_equal(SSL_write(server->ssl, data, 16384), 16384); /* stands for answers */
    swale__stream_pause(bed->server.stream);                          /* any event: reading is steered anew */
    party_resume(&bed->server);
    party_send(&bed->client, data, 5000);
    bed_run(bed);
    assert_int_equal(bed->server.got_size, 0);
    assert_false(server->lower_reading);
    party_resume(&bed->client);
    bed_run(bed);
    assert_int_equal(bed->server.got_size, 5000); /* and goes on when they have been read */
    bed_disconnect(bed);
    free(data);
}

/* CVE-2011-1473: renegotiation costs us more than the peer, so there is none. */
static void test_renegotiation_is_refused(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    bed_only_version(bed->client_tls, TLS1_2_VERSION);
    assert_true(bed_shake(bed));
    struct swale__tls_stream *client = party_tls(&bed->client);
    SSL_clear_options(client->ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(client->ssl), 1);
    SSL_do_handshake(client->ssl);
    swale__tls_flush(client);
    bed_run(bed);
    bed_assert_span(party_peer(&bed->client).tls_error, "no renegotiation");              /* our alert */
    bed_assert_span(party_peer(&bed->server).tls_error, "sslv3 alert handshake failure"); /* its answer */
    bed_disconnect(bed);
}

/* The same from a server to us: TLS 1.2's HelloRequest is a record of 5 + 28 bytes that costs an alert. */
static void test_hello_request_burst(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    bed_only_version(bed->client_tls, TLS1_2_VERSION);
    assert_true(bed_shake(bed));
    struct swale__tls_stream *server = party_tls(&bed->server);
    SSL_clear_options(server->ssl, SSL_OP_NO_RENEGOTIATION);
    for (int i = 0; i < 200; i++) {
        SSL_renegotiate(server->ssl);
        SSL_do_handshake(server->ssl);
    }
    assert_true(server->out.size > 200 * 20);
    swale__tls_flush(server);
    bed_run(bed);
    assert_int_equal(bed->client.error, SWALE_ERR_TLS);
    bed_assert_span(party_peer(&bed->client).tls_error, "too many records without data");
    bed_disconnect(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_not_tls),
        BED_TEST(test_garbage),
        BED_TEST(test_huge_hello),
        BED_TEST(test_broken_record),
        BED_TEST(test_data_before_a_broken_record),
        BED_TEST(test_bytes_behind_the_end),
        BED_TEST(test_key_updates),
        BED_TEST(test_key_update_burst),
        BED_TEST(test_unread_answers_stop_reading),
        BED_TEST(test_renegotiation_is_refused),
        BED_TEST(test_hello_request_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
