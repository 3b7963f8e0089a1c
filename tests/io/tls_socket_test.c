/* TLS over real sockets: listeners and dials with a context. */
#include "test.h"

#include "tls_bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 3 << 20 };

static void on_stream(void *context, struct swale__stream *stream)
{
    struct bed *bed = context;
    party_begin(&bed->server, stream);
}

static struct swale__listener *begin_listening(struct bed *bed, const char *address)
{
    struct swale__listener *listener;
    struct swale__listener_options options = {
        .address = address, .tls = bed->server_tls, .on_stream = on_stream, .context = bed
    };
    assert_int_equal(swale__listen(&listener, bed->loop, &options), 0);
    return listener;
}

static void dial(struct bed *bed, const char *address, struct swale_tls *tls)
{
    struct swale__stream *stream;
    assert_int_equal(swale__dial(&stream, bed->loop, address, tls, tls ? "localhost" : NULL), 0);
    party_begin(&bed->client, stream);
    bed->client.full = true;
}

/* In virtual time the loop does not wait for the kernel, so it turns idly now and then. */
enum { TURNS_MAX = 10000000 };

static void turn_until(struct bed *bed, const size_t *size, size_t wanted)
{
    for (int i = 0; i < TURNS_MAX && *size < wanted && !bed->client.error; i++)
        bed_turns(bed, 1);
    assert_int_equal(*size, wanted);
}

static void turn_until_set(struct bed *bed, const bool *flag)
{
    for (int i = 0; i < TURNS_MAX && !*flag; i++)
        bed_turns(bed, 1);
    assert_true(*flag);
}

static void exchange(struct bed *bed, const char *address)
{
    struct swale__listener *listener = begin_listening(bed, address);
    char *data = malloc(SIZE);
    bed_pattern(data, SIZE, 5);
    dial(bed, swale__listener_address(listener), bed->client_tls);
    party_send(&bed->client, data, SIZE);
    turn_until(bed, &bed->server.got_size, SIZE);
    assert_memory_equal(bed->server.got, data, SIZE);
    party_send(&bed->server, data, SIZE);
    turn_until(bed, &bed->client.got_size, SIZE);
    assert_memory_equal(bed->client.got, data, SIZE);
    swale__stream_shutdown(bed->client.stream);
    turn_until_set(bed, &bed->server.ended);
    swale__stream_shutdown(bed->server.stream);
    turn_until_set(bed, &bed->client.ended);
    swale__listener_close(listener);
    bed_disconnect(bed);
    free(data);
}

static void test_tcp(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    exchange(bed, "127.0.0.1:0");
    exchange(bed, "127.0.0.1:0"); /* resumed */
}

static void test_unix(void **state)
{
    struct bed *bed = *state;
    char address[400];
    snprintf(address, sizeof address, "unix:%s", test_certs_path(&bed->certs, "socket"));
    bed_contexts(bed, NULL, NULL);
    exchange(bed, address);
}

/* The error of the connect comes through TLS as it is. */
static void test_refused(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    struct swale__listener *listener = begin_listening(bed, "127.0.0.1:0");
    char address[64];
    snprintf(address, sizeof address, "%s", swale__listener_address(listener));
    swale__listener_close(listener);
    bed_turns(bed, 1);
    dial(bed, address, bed->client_tls);
    for (int i = 0; i < TURNS_MAX && !bed->client.error; i++)
        bed_turns(bed, 1);
    assert_int_equal(bed->client.error, -ECONNREFUSED);
    assert_int_equal(bed->client.room_told, 0);
    bed_disconnect(bed);
}

/* A plain client of a TLS port is told the end in order (OpenSSL sends no alert: it would not be understood). */
static void test_plain_client(void **state)
{
    struct bed *bed = *state;
    bed_contexts(bed, NULL, NULL);
    struct swale__listener *listener = begin_listening(bed, "127.0.0.1:0");
    dial(bed, swale__listener_address(listener), NULL);
    party_send(&bed->client, "GET / HTTP/1.1\r\n\r\n", 18);
    turn_until_set(bed, &bed->client.ended);
    assert_int_equal(bed->server.error, SWALE_ERR_TLS);
    assert_int_equal(bed->client.error, 0);
    bed_assert_span(party_peer(&bed->server).address, "127.0.0.1");
    bed_assert_span(party_peer(&bed->server).tls_error, "http request");
    swale__listener_close(listener);
    bed_disconnect(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(test_tcp),
        BED_TEST(test_unix),
        BED_TEST(test_refused),
        BED_TEST(test_plain_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
