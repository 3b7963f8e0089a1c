/* Connecting to numeric hosts and paths. resolve_test.c has names, race_test.c several addresses. */
#include "test.h"

#include "directory.h"
#include "recorder.h"
#include "vloop.h"

#include "io/address.h"
#include "io/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct test_loop loop;
static struct swale__connecting *connecting;
static struct {
    struct swale__stream *stream;
    int error, calls, resolved;
    bool resolving, within;
    char text[512], notes[2048];
} outcome;

static void on_connected(void *context, struct swale__stream *stream)
{
    (void)context;
    assert_false(outcome.within);
    outcome.stream = stream;
    outcome.calls++;
}

static void on_failed(void *context, int error, bool resolving, const char *text)
{
    (void)context;
    assert_false(outcome.within);
    outcome.error = error;
    outcome.resolving = resolving;
    snprintf(outcome.text, sizeof outcome.text, "%s", text);
    outcome.calls++;
}

static void on_note(void *context, const char *text)
{
    (void)context;
    size_t size = strlen(outcome.notes);
    snprintf(outcome.notes + size, sizeof outcome.notes - size, "%s\n", text);
}

static void on_resolved(void *context)
{
    (void)context;
    outcome.resolved++;
}

static int begin(const char *host, uint16_t port, struct swale__connect_options *options)
{
    memset(&outcome, 0, sizeof outcome);
    options->loop = loop.loop;
    options->host = swale_text(host);
    options->port = port;
    options->on_connected = on_connected;
    options->on_failed = on_failed;
    options->on_note = on_note;
    options->on_resolved = on_resolved;
    outcome.within = true;
    int error = swale__connect(&connecting, options);
    outcome.within = false;
    return error;
}

static void until_over(const char *host, uint16_t port, struct swale__connect_options options)
{
    assert_int_equal(begin(host, port, &options), 0);
    TEST_LOOP_UNTIL(&loop, outcome.calls > 0);
    test_loop_advance(&loop, 1000); /* nothing more comes */
    assert_int_equal(outcome.calls, 1);
}

/* A descriptor that listens at a loopback address, or -1; *port is the kernel's choice. */
static int listen_at(const char *host, uint16_t *port)
{
    struct swale__address address;
    char text[80];
    snprintf(text, sizeof text, "%s:0", host);
    assert_int_equal(swale__address_parse(&address, text, true), 0);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &address.any, address.size) != 0 || listen(fd, 8) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    struct in6_addr ip;
    assert_int_equal(getsockname(fd, &address.any, &address.size), 0);
    assert_true(swale__address_ip(&address, &ip, port));
    return fd;
}

/* A port that nobody listens at, because it is bound to a socket that does not. */
static int take_dead_port(uint16_t *port)
{
    int fd = listen_at("127.0.0.1", port);
    int dead = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    assert_int_equal(bind(dead, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(dead, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    close(fd);
    return dead;
}

static int set_up(void **state)
{
    (void)state;
    test_loop_init(&loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_loop_done(&loop);
    return 0;
}

/* ---- What becomes of it ------------------------------------------------------------------------------- */

/* The connected stream carries bytes both ways. */
static void talk(int listener)
{
    static struct recorder user;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    recorder_begin(&user, outcome.stream);
    recorder_send(&user, "hello", 5);
    test_loop_settle(&loop);
    char heard[5];
    assert_int_equal(recv(fd, heard, 5, MSG_WAITALL), 5);
    assert_memory_equal(heard, "hello", 5);
    assert_int_equal(send(fd, "world", 5, 0), 5);
    TEST_LOOP_UNTIL(&loop, user.size == 5);
    recorder_end(&user);
    close(fd);
}

static void numeric_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *listen, *host, *shown;
    } cases[] = { { "127.0.0.1", "127.0.0.1", "127.0.0.1" }, { "[::1]", "::1", "[::1]" } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint16_t port;
        int listener = listen_at(cases[i].listen, &port);
        if (listener < 0)
            continue; /* no IPv6 here */
        until_over(cases[i].host, port, (struct swale__connect_options){ 0 });
        assert_non_null(outcome.stream);
        assert_int_equal(outcome.resolved, 1);
        char expected[100];
        snprintf(expected, sizeof expected, "trying %s:%u\n", cases[i].shown, port);
        assert_string_equal(outcome.notes, expected);
        talk(listener);
        close(listener);
    }
}

static void a_path(void **state)
{
    (void)state;
    char directory[64];
    test_directory(directory, sizeof directory);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    until_over(address.sun_path, 0, (struct swale__connect_options){ .unix_socket = true, .user_timeout_ms = 1000 });
    assert_non_null(outcome.stream);
    talk(listener);
    close(listener);

    until_over(address.sun_path, 0, (struct swale__connect_options){ .unix_socket = true });
    assert_int_equal(outcome.error, -ECONNREFUSED);
    unlink(address.sun_path);
    until_over(address.sun_path, 0, (struct swale__connect_options){ .unix_socket = true });
    assert_int_equal(outcome.error, -ENOENT);
    char expected[200];
    snprintf(expected, sizeof expected, "connect to unix:%s: No such file or directory", address.sun_path);
    assert_string_equal(outcome.text, expected);
    assert_false(outcome.resolving);
    assert_int_equal(rmdir(directory), 0);
}

static void paths_that_are_none(void **state)
{
    (void)state;
    char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    const struct swale_span paths[] = { swale_text(""), swale_text(longest), swale_span("/a\0b", 4) };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct swale__connect_options options = { .unix_socket = true };
        begin("", 0, &options);
        swale__connect_cancel(connecting);
        options.host = paths[i];
        assert_int_equal(swale__connect(&connecting, &options), 0);
        test_loop_settle(&loop);
        assert_int_equal(outcome.calls, 1);
        assert_int_equal(outcome.error, SWALE_ERR_ADDRESS);
    }
}

static void a_dead_port(void **state)
{
    (void)state;
    uint16_t port;
    int dead = take_dead_port(&port);
    until_over("127.0.0.1", port, (struct swale__connect_options){ 0 });
    assert_int_equal(outcome.error, -ECONNREFUSED);
    assert_false(outcome.resolving);
    char expected[100];
    snprintf(expected, sizeof expected, "connect to 127.0.0.1:%u: Connection refused", port);
    assert_string_equal(outcome.text, expected);
    close(dead);
}

/* ---- Options ------------------------------------------------------------------------------------------ */

static void a_local_address(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listen_at("127.0.0.1", &port);
    struct swale__address local = { .v4 = { .sin_family = AF_INET }, .size = sizeof local.v4 };
    local.v4.sin_addr.s_addr = htonl(0x7f000005);
    until_over("127.0.0.1", port, (struct swale__connect_options){ .local = &local, .user_timeout_ms = 5000 });
    assert_non_null(outcome.stream);
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
    assert_int_equal(peer.sin_addr.s_addr, local.v4.sin_addr.s_addr);
    close(fd);
    swale__stream_close(outcome.stream, false);

    until_over("::1", port, (struct swale__connect_options){ .local = &local });
    assert_int_equal(outcome.error, -EAFNOSUPPORT);
    assert_string_equal(outcome.text, "connect to ::1: no address of the local address's family");

    local.v4.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 is nobody's */
    until_over("127.0.0.1", port, (struct swale__connect_options){ .local = &local });
    assert_int_equal(outcome.error, -EADDRNOTAVAIL);
    close(listener);
}

/* Simultaneous open: nobody listens, and yet the kernel connects the socket, with itself. */
static void a_socket_does_not_connect_with_itself(void **state)
{
    (void)state;
    static const char *const hosts[] = { "127.0.0.1", "[::1]" };
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        uint16_t port;
        int listener = listen_at(hosts[i], &port);
        if (listener < 0)
            continue; /* no IPv6 here */
        struct swale__address local;
        char text[80];
        snprintf(text, sizeof text, "%s:%u", hosts[i], port);
        assert_int_equal(swale__address_parse(&local, text, true), 0);
        close(listener);
        until_over(i ? "::1" : hosts[i], port, (struct swale__connect_options){ .local = &local });
        assert_int_equal(outcome.error, -ECONNREFUSED);
        assert_non_null(strstr(outcome.text, ": Connection refused"));
        assert_non_null(strstr(outcome.notes, "trying "));
    }
}

static void the_user_timeout_is_set(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listen_at("127.0.0.1", &port);
    int lowest = dup(listener); /* what the stream's descriptor will be */
    close(lowest);
    until_over("127.0.0.1", port, (struct swale__connect_options){ .user_timeout_ms = 4321 });
    unsigned timeout = 0;
    socklen_t size = sizeof timeout;
    assert_int_equal(getsockopt(lowest, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &size), 0);
    assert_int_equal(timeout, 4321);
    swale__stream_close(outcome.stream, false);
    close(listener);
}

/* ---- Cancelling, memory ------------------------------------------------------------------------------- */

static void cancelled_at_once_and_under_way(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listen_at("127.0.0.1", &port);
    for (int turns = 0; turns < 2; turns++) {
        assert_int_equal(begin("127.0.0.1", port, &(struct swale__connect_options){ 0 }), 0);
        if (turns > 0)
            swale_loop_step(loop.loop, 0); /* it is connecting */
        assert_int_equal(strlen(outcome.notes) > 0, turns > 0);
        assert_int_equal(outcome.calls, 0);
        swale__connect_cancel(connecting);
        test_loop_advance(&loop, 1000);
        assert_int_equal(outcome.calls, 0);
    }
    close(listener);
}

static void out_of_memory(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listen_at("127.0.0.1", &port);
    bool connected = false;
    for (uint64_t n = 1; !connected; n++) {
        assert_true(n < 100);
        loop.memory.fail_at = loop.memory.allocations + n;
        int error = begin("127.0.0.1", port, &(struct swale__connect_options){ 0 });
        if (error) {
            assert_int_equal(error, -ENOMEM);
            continue;
        }
        TEST_LOOP_UNTIL(&loop, outcome.calls > 0);
        connected = outcome.stream != NULL;
        assert_int_equal(outcome.error, connected ? 0 : -ENOMEM);
    }
    loop.memory.fail_at = 0;
    swale__stream_close(outcome.stream, false);
    close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numeric_hosts),           TEST(a_path),
        TEST(paths_that_are_none),     TEST(a_dead_port),
        TEST(a_local_address),         TEST(a_socket_does_not_connect_with_itself),
        TEST(the_user_timeout_is_set), TEST(cancelled_at_once_and_under_way),
        TEST(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
