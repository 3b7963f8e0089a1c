#include "test.h"

#include "certs.h"
#include "directory.h"
#include "recorder.h"
#include "vloop.h"

#include "io/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct test_loop loop;
static struct recorder near_end, far_end;

static void on_stream(void *context, struct swale__stream *stream)
{
    (void)context;
    recorder_begin(&far_end, stream);
}

static void on_error(void *context, int error)
{
    (void)context;
    (void)error;
    fail();
}

static struct swale__listener *listen_with(const char *address, struct swale_tls *tls)
{
    struct swale__listener *listener;
    struct swale__listener_options options = {
        .address = address, .tls = tls, .on_stream = on_stream, .on_error = on_error
    };
    int error = swale__listen(&listener, loop.loop, &options);
    return error ? NULL : listener;
}

static void both_ends_are_streams(const char *address)
{
    test_loop_init(&loop);
    struct swale__listener *listener = listen_with(address, NULL);
    if (!listener) {
        test_loop_done(&loop);
        skip(); /* no IPv6 here */
    }
    struct swale__stream *stream;
    assert_int_equal(swale__dial(&stream, loop.loop, swale__listener_address(listener), NULL, NULL), 0);
    recorder_begin(&near_end, stream);
    recorder_send(&near_end, "hello", 5);
    assert_true(near_end.full); /* not yet connected */
    TEST_LOOP_UNTIL(&loop, far_end.size == 5);
    recorder_send(&far_end, "world", 5);
    swale__stream_shutdown(far_end.stream);
    TEST_LOOP_UNTIL(&loop, near_end.ends == 1);
    assert_memory_equal(near_end.heard, "world", 5);
    recorder_end(&near_end);
    TEST_LOOP_UNTIL(&loop, far_end.ends == 1);
    recorder_end(&far_end);
    swale__listener_close(listener);
    test_loop_done(&loop);
}

static void dialling_ipv4(void **state)
{
    (void)state;
    both_ends_are_streams("127.0.0.1:0");
}

static void dialling_ipv6(void **state)
{
    (void)state;
    both_ends_are_streams("[::1]:0");
}

static void dialling_a_path(void **state)
{
    (void)state;
    char directory[64], address[80];
    test_directory(directory, sizeof directory);
    snprintf(address, sizeof address, "unix:%s/socket", directory);
    both_ends_are_streams(address);
    assert_int_equal(rmdir(directory), 0);
}

static struct swale_tls *server_tls(struct test_certs *certs)
{
    struct swale_tls_certificate certificate = { test_certs_path(certs, "server.crt"),
                                                 test_certs_path(certs, "server.key") };
    struct swale_tls_options options = { .certificates = &certificate, .certificate_count = 1 };
    struct swale_tls *tls;
    assert_int_equal(swale_tls_server(&tls, &options, NULL), 0);
    return tls;
}

static struct swale_tls *client_tls(struct test_certs *certs)
{
    struct swale_tls_options options = { .ca_file = test_certs_path(certs, "ca.crt") };
    struct swale_tls *tls;
    assert_int_equal(swale_tls_client(&tls, &options, NULL), 0);
    return tls;
}

static void dialling_with_tls(void **state)
{
    (void)state;
    struct test_certs certs;
    test_certs_begin(&certs);
    test_certs_make(&certs, &(struct test_cert){ .name = "server", .names = "DNS:server.example" });
    test_loop_init(&loop);
    struct swale_tls *tls = server_tls(&certs);
    struct swale__listener *listener = listen_with("127.0.0.1:0", tls);
    swale_tls_unref(tls); /* the listener keeps a reference of its own */
    tls = client_tls(&certs);
    struct swale__stream *stream;
    const char *address = swale__listener_address(listener);
    assert_int_equal(swale__dial(&stream, loop.loop, address, tls, "server.example"), 0);
    swale_tls_unref(tls);
    recorder_begin(&near_end, stream);
    recorder_send(&near_end, "hello", 5);
    TEST_LOOP_UNTIL(&loop, far_end.size == 5);
    struct swale_peer peer;
    swale__stream_describe(far_end.stream, &peer);
    assert_true(peer.tls);
    assert_true(swale_span_equal(peer.tls_server_name, swale_text("server.example")));
    assert_true(swale_span_equal(peer.address, swale_text("127.0.0.1")));
    recorder_end(&near_end);
    TEST_LOOP_UNTIL(&loop, far_end.ends == 1);
    recorder_end(&far_end);
    swale__listener_close(listener);
    test_loop_advance(&loop, 60000); /* whatever lingers has ended by then */
    test_loop_done(&loop);
    test_certs_end(&certs);
}

static void what_cannot_be_dialled_is_an_error(void **state)
{
    (void)state;
    test_loop_init(&loop);
    struct swale__stream *stream;
    loop.memory.fail_at = loop.memory.allocations + 1; /* the loop's first socket */
    assert_int_equal(swale__dial(&stream, loop.loop, "127.0.0.1:1", NULL, NULL), -ENOMEM);
    assert_int_equal(swale__dial(&stream, loop.loop, "example.com:80", NULL, NULL), SWALE_ERR_ADDRESS);
    assert_int_equal(swale__dial(&stream, loop.loop, ":80", NULL, NULL), SWALE_ERR_ADDRESS);
    assert_int_equal(swale__dial(&stream, loop.loop, "unix:/nonexistent/socket", NULL, NULL), -ENOENT);
    test_loop_done(&loop);
}

static void a_descriptor_becomes_a_stream(void **state)
{
    (void)state;
    test_loop_init(&loop);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct swale__stream *stream;
    struct swale__open_options options = { .fd = fds[0], .side = SWALE__ACCEPTED };
    assert_int_equal(swale__stream_open(&stream, loop.loop, &options), 0);
    recorder_begin(&near_end, stream);
    assert_int_equal(write(fds[1], "hello", 5), 5);
    TEST_LOOP_UNTIL(&loop, near_end.size == 5);
    recorder_end(&near_end);
    test_loop_settle(&loop);
    char byte;
    assert_int_equal(read(fds[1], &byte, 1), 0);
    close(fds[1]);
    test_loop_done(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialling_ipv4),
        cmocka_unit_test(dialling_ipv6),
        cmocka_unit_test(dialling_a_path),
        cmocka_unit_test(dialling_with_tls),
        cmocka_unit_test(what_cannot_be_dialled_is_an_error),
        cmocka_unit_test(a_descriptor_becomes_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
