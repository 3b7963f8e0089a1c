/* The whole server over real sockets: listening, threads, TLS, the life from start to end. */
#include "test.h"

#include "certs.h"
#include "directory.h"
#include "memory.h"

#include <swale/server.h>

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- A server that echoes --------------------------------------------------------------------------- */

enum { LOOPS_MAX = 4 };
static _Atomic int opened_on[LOOPS_MAX];
static _Atomic int closed;

static size_t loop_of(struct swale_conn *conn)
{
    const struct swale_server *server = swale_conn_user(conn);
    for (size_t i = 0; i < swale_server_loop_count(server); i++)
        if (swale_server_loop(server, i) == swale_conn_loop(conn))
            return i;
    return LOOPS_MAX - 1;
}

static void on_open(struct swale_conn *conn)
{
    opened_on[loop_of(conn)]++;
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    (void)conn;
    (void)close;
    closed++;
}

static const struct swale_handler echo = { .on_open = on_open, .on_message = on_message, .on_close = on_close };

/* Answers with what TLS has told about the client. */
static void who(struct swale_exchange *exchange)
{
    struct swale_peer peer;
    swale_exchange_peer(exchange, &peer);
    if (!peer.tls)
        swale_exchange_reply(exchange, 200, NULL, swale_text("plain"));
    else
        swale_exchange_reply(exchange, 200, NULL, peer.tls_common_name);
}

static struct swale_server *new_server(uint32_t threads)
{
    struct swale_server *server;
    memset((void *)opened_on, 0, sizeof opened_on);
    closed = 0;
    assert_int_equal(swale_server_new(&server, &(struct swale_server_options){ .threads = threads }), 0);
    assert_int_equal(swale_server_route(server, "/", &(struct swale_route){ .handler = &echo, .user = server }), 0);
    assert_int_equal(swale_server_route(server, "/who", &(struct swale_route){ .on_request = who }), 0);
    return server;
}

static int listen_on(struct swale_server *server, const char *address)
{
    return swale_server_listen(server, &(struct swale_listen){ .address = address });
}

static void stop_and_free(struct swale_server *server)
{
    swale_server_stop(server);
    swale_server_stop(server);
    assert_int_equal(swale_server_wait(server), 0);
    swale_server_free(server);
}

/* ---- A client --------------------------------------------------------------------------------------- */

static int dial_path(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int dial(const struct swale_server *server)
{
    const char *text = swale_server_address(server, 0);
    if (strncmp(text, "unix:", 5) == 0)
        return dial_path(text + 5);
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_port = htons((uint16_t)atoi(strrchr(text, ':') + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

/* Reads until what came ends so; the suite's time limit is the only one. */
static void expect_end(int fd, const char *end)
{
    char data[4096];
    size_t size = 0;
    while (size < strlen(end) || memcmp(data + size - strlen(end), end, strlen(end)) != 0) {
        ssize_t more = recv(fd, data + size, sizeof data - size, 0);
        if (more <= 0)
            fail_msg("the connection ended with: %.*s", (int)size, data);
        size += (size_t)more;
    }
}

static const char upgrade[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
static const char hi[] = "\x81\x82\0\0\0\0hi";
static const char hi_back[] = "\x81\x02hi";

static int open_websocket(const struct swale_server *server)
{
    int fd = dial(server);
    say(fd, upgrade, sizeof upgrade - 1);
    expect_end(fd, "\r\n\r\n");
    return fd;
}

/* ---- Listening -------------------------------------------------------------------------------------- */

static void test_listen_errors(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 2; threads++) {
        struct swale_server *server = new_server(threads);
        struct swale_server *other = new_server(threads);
        static const char *const bad[] = { "",   "nonsense",     "127.0.0.1", "127.0.0.1:",     "127.0.0.1:65536",
                                           ":x", "256.0.0.1:80", "[::1:80",   "example.com:80", "unix:" };
        for (size_t i = 0; i < COUNT_OF(bad); i++)
            assert_int_equal(listen_on(server, bad[i]), SWALE_ERR_ADDRESS);
        assert_int_equal(listen_on(server, NULL), SWALE_ERR_INVALID);
        assert_int_equal(swale_server_listen(server, NULL), SWALE_ERR_INVALID);
        assert_null(swale_server_address(server, 0));
        assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
        const char *taken = swale_server_address(server, 0);
        assert_memory_equal(taken, "127.0.0.1:", 10);
        assert_string_not_equal(taken, "127.0.0.1:0");
        assert_null(swale_server_address(server, 1));
        /* Also by another server of ours, which SO_REUSEPORT would let in; and by the same one. */
        assert_int_equal(listen_on(other, taken), -EADDRINUSE);
        assert_int_equal(listen_on(server, taken), -EADDRINUSE);
        assert_int_equal(listen_on(other, "192.0.2.1:0"), -EADDRNOTAVAIL);
        assert_int_equal(listen_on(other, "localhost:0"), 0);
        assert_int_equal(listen_on(other, ":0"), 0);
        assert_non_null(swale_server_address(other, 1));
        swale_server_free(other);
        other = new_server(threads);
        swale_server_free(server);
        swale_server_free(other);
    }
}

static void test_a_port_is_free_again(void **state)
{
    (void)state;
    char address[64];
    struct swale_server *server = new_server(2);
    assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
    snprintf(address, sizeof address, "%s", swale_server_address(server, 0));
    assert_int_equal(swale_server_start(server), 0);
    close(open_websocket(server));
    stop_and_free(server);
    server = new_server(2);
    assert_int_equal(listen_on(server, address), 0);
    assert_int_equal(swale_server_start(server), 0);
    close(open_websocket(server));
    stop_and_free(server);
}

static void test_states(void **state)
{
    (void)state;
    struct swale_server *server = new_server(1);
    struct swale_loop *loop;
    const struct swale_route route = { .handler = &echo };
    const char *one[] = { NULL };
    assert_int_equal(swale_server_route(server, "/", &route), SWALE_ERR_ROUTE);
    assert_int_equal(swale_server_route(server, "no", &route), SWALE_ERR_ROUTE);
    assert_int_equal(swale_server_route(server, "/x", &(struct swale_route){ 0 }), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_route(server, "/x", NULL), SWALE_ERR_INVALID);
    assert_int_equal(
        swale_server_route(server, "/x", &(struct swale_route){ .on_request = who, .methods = "PO\rST" }),
        SWALE_ERR_INVALID);
    struct swale_route bad = { .handler = &echo, .subprotocols = one, .subprotocol_count = 1 };
    assert_int_equal(swale_server_route(server, "/x", &bad), SWALE_ERR_INVALID);
    bad = (struct swale_route){ .handler = &echo, .origin_count = 1 };
    assert_int_equal(swale_server_route(server, "/x", &bad), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_route(server, NULL, &route), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_route(NULL, "/x", &route), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_files(NULL, "/x", "."), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_files(server, NULL, "."), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_files(server, "/x", NULL), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_files(server, "x", "."), SWALE_ERR_INVALID);
    struct swale_listen listen = { .address = "127.0.0.1:0", .backlog = -1 };
    assert_int_equal(swale_server_listen(server, &listen), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_listen(NULL, &listen), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_wait(server), SWALE_ERR_STATE);
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
    assert_int_equal(swale_server_attach(server, loop), SWALE_ERR_STATE); /* it has listeners */
    assert_int_equal(swale_server_attach(NULL, loop), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_attach(server, NULL), SWALE_ERR_INVALID);
    swale_loop_free(loop);
    assert_int_equal(swale_server_start(server), 0);
    assert_int_equal(swale_server_start(server), SWALE_ERR_STATE);
    assert_int_equal(swale_server_route(server, "/y", &route), SWALE_ERR_STATE);
    assert_int_equal(listen_on(server, "127.0.0.1:0"), SWALE_ERR_STATE);
    assert_null(swale_server_loop(server, 1));
    swale_server_free(server); /* which stops it */

    assert_int_equal(swale_server_new(&server, &(struct swale_server_options){ .threads = 100000 }),
                     SWALE_ERR_INVALID);
    assert_int_equal(swale_server_new(&server, &(struct swale_server_options){ .origin_count = 1 }),
                     SWALE_ERR_INVALID);
    assert_int_equal(swale_server_new(&server, &(struct swale_server_options){ .origins = one, .origin_count = 1 }),
                     SWALE_ERR_INVALID);
    assert_int_equal(swale_server_new(&server, &(struct swale_server_options){ .max_head = UINT32_MAX }),
                     SWALE_ERR_INVALID);
    assert_int_equal(swale_server_new(&server, &(struct swale_server_options){ .max_fields = UINT32_MAX }),
                     SWALE_ERR_INVALID);
    assert_int_equal(swale_server_new(NULL, NULL), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_new(&server, NULL), 0);
    assert_true(swale_server_loop_count(server) >= 1);
    swale_server_free(server);
    swale_server_free(NULL);
}

static void test_stopped_before_the_start(void **state)
{
    (void)state;
    struct swale_server *server = new_server(2);
    assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
    swale_server_stop(server);
    assert_int_equal(swale_server_run(server), 0);
    swale_server_free(server);
}

/* ---- Threads ---------------------------------------------------------------------------------------- */

static void spread(const char *address)
{
    enum { CONNECTIONS = 400 };
    struct swale_server *server = new_server(2);
    static int fds[CONNECTIONS];
    assert_int_equal(listen_on(server, address), 0);
    assert_int_equal(swale_server_start(server), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = open_websocket(server);
    for (int i = 0; i < CONNECTIONS; i++) {
        say(fds[i], hi, sizeof hi - 1);
        expect_end(fds[i], hi_back);
    }
    struct swale_server_stats stats;
    swale_server_stats(server, &stats);
    assert_int_equal(stats.connections_open, CONNECTIONS);
    assert_int_equal(stats.accepted, CONNECTIONS);
    assert_int_equal(stats.messages_in, CONNECTIONS);
    assert_in_range(opened_on[0], CONNECTIONS / 2 - 25, CONNECTIONS / 2 + 25);
    assert_int_equal(opened_on[0] + opened_on[1], CONNECTIONS);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    stop_and_free(server);
    assert_int_equal(closed, CONNECTIONS);
}

static void test_even_distribution(void **state)
{
    (void)state;
    spread("127.0.0.1:0");
}

static void test_even_distribution_over_a_path(void **state)
{
    (void)state;
    char directory[256];
    char address[320];
    test_directory(directory, sizeof directory);
    snprintf(address, sizeof address, "unix:%s/socket", directory);
    spread(address);
    struct stat status;
    assert_int_equal(stat(address + 5, &status), -1); /* removed at the end */
    assert_int_equal(rmdir(directory), 0);
}

static void count_task(void *argument)
{
    (*(_Atomic int *)argument)++;
}

static void *watch(void *argument)
{
    struct swale_server *server = argument;
    static _Atomic int tasks;
    for (int i = 0; i < 200; i++) {
        struct swale_server_stats stats;
        swale_server_stats(server, &stats);
        for (size_t n = 0; n < swale_server_loop_count(server); n++)
            swale_loop_post(swale_server_loop(server, n), count_task, &tasks);
    }
    return NULL;
}

/* Everything that may be called from any thread, while connections come and go. For the thread sanitizer. */
static void test_any_thread(void **state)
{
    (void)state;
    struct swale_server *server = new_server(2);
    pthread_t watcher;
    assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
    assert_int_equal(swale_server_start(server), 0);
    assert_int_equal(pthread_create(&watcher, NULL, watch, server), 0);
    for (int i = 0; i < 50; i++) {
        int fd = open_websocket(server);
        say(fd, hi, sizeof hi - 1);
        expect_end(fd, hi_back);
        close(fd);
    }
    pthread_join(watcher, NULL);
    int left = open_websocket(server);
    swale_server_stop(server);
    expect_end(left, "\x88\x02\x03\xe9");
    close(left);
    assert_int_equal(swale_server_wait(server), 0);
    assert_int_equal(closed, 51);
    swale_server_free(server);
}

static _Atomic bool dialling;

static void *keep_dialling(void *argument)
{
    const struct swale_server *server = argument;
    while (dialling) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        address.sin_port = htons((uint16_t)atoi(strrchr(swale_server_address(server, 0), ':') + 1));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        if (!good) /* it no longer listens */
            break;
    }
    return NULL;
}

/* Connections come, and are given away, while the workers drain one after the other. */
static void test_stop_under_load(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct swale_server *server = new_server(4);
        pthread_t dialler;
        int fd;
        assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
        assert_int_equal(swale_server_start(server), 0);
        dialling = true;
        assert_int_equal(pthread_create(&dialler, NULL, keep_dialling, server), 0);
        fd = open_websocket(server);
        swale_server_stop(server);
        swale_server_stop(server);
        assert_int_equal(swale_server_wait(server), 0);
        dialling = false;
        pthread_join(dialler, NULL);
        close(fd);
        swale_server_free(server);
    }
}

static struct swale_server *to_stop;

static void on_signal(int number)
{
    (void)number;
    swale_server_stop(to_stop);
}

static void test_stop_from_a_signal_handler(void **state)
{
    (void)state;
    struct sigaction action = { .sa_handler = on_signal };
    struct sigaction before;
    to_stop = new_server(2);
    assert_int_equal(listen_on(to_stop, "127.0.0.1:0"), 0);
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(swale_server_start(to_stop), 0);
    int fd = open_websocket(to_stop);
    raise(SIGUSR1);
    expect_end(fd, "\x88\x02\x03\xe9");
    raise(SIGUSR1);
    assert_int_equal(swale_server_wait(to_stop), 0);
    sigaction(SIGUSR1, &before, NULL);
    close(fd);
    swale_server_free(to_stop);
}

/* A loop of the caller's, polled. */
static void test_attached(void **state)
{
    (void)state;
    struct swale_server *server = new_server(1);
    struct swale_loop *loop;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    assert_int_equal(swale_server_attach(server, loop), 0);
    assert_int_equal(swale_server_attach(server, loop), SWALE_ERR_STATE);
    assert_int_equal(swale_server_route(server, "/more", &(struct swale_route){ .on_request = who }), 0);
    assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
    assert_int_equal(swale_server_route(server, "/late", &(struct swale_route){ .on_request = who }),
                     SWALE_ERR_STATE);
    assert_int_equal(swale_server_start(server), 0);
    assert_int_equal(listen_on(server, "127.0.0.1:0"), 0);
    assert_ptr_equal(swale_server_loop(server, 0), loop);
    int fd = dial(server);
    say(fd, upgrade, sizeof upgrade - 1);
    while (opened_on[0] == 0) {
        struct pollfd polled = { .fd = swale_loop_fd(loop), .events = POLLIN };
        poll(&polled, 1, swale_loop_wait_ms(loop));
        assert_true(swale_loop_step(loop, 0) >= 0);
    }
    expect_end(fd, "\r\n\r\n");
    assert_int_equal(swale_server_wait(server), SWALE_ERR_STATE);
    swale_server_stop(server);
    swale_server_stop(server);
    while (swale_server_wait(server) != 0)
        assert_true(swale_loop_step(loop, -1) >= 0);
    close(fd);
    swale_server_free(server);
    swale_loop_free(loop);
}

static void test_attached_and_never_started(void **state)
{
    (void)state;
    struct swale_server *server = new_server(1);
    struct swale_loop *loop;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    assert_int_equal(swale_server_attach(server, loop), 0);
    assert_int_equal(swale_server_wait(server), SWALE_ERR_STATE);
    swale_server_stop(server);
    while (swale_server_wait(server) != 0)
        assert_true(swale_loop_step(loop, -1) >= 0);
    assert_int_equal(listen_on(server, "127.0.0.1:0"), SWALE_ERR_STATE);
    swale_server_free(server);
    swale_loop_free(loop);
}

/* ---- TLS -------------------------------------------------------------------------------------------- */

struct tls_bed {
    struct test_certs certs;
    struct swale_tls *tls;
    struct swale_server *server;
    _Atomic int tls_refusals;
};

static void on_record(void *context, const struct swale_record *record)
{
    struct tls_bed *bed = context;
    if (record->kind == SWALE_RECORD_REFUSE && record->reason == SWALE_ERR_TLS)
        bed->tls_refusals++;
}

static void tls_begin(struct tls_bed *bed)
{
    memset(bed, 0, sizeof *bed);
    test_certs_begin(&bed->certs);
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "server", .names = "DNS:localhost" });
    test_certs_make(&bed->certs, &(struct test_cert){ .name = "alice", .common_name = "alice", .client = true });
    struct swale_tls_certificate certificate = { test_certs_path(&bed->certs, "server.crt"),
                                                 test_certs_path(&bed->certs, "server.key") };
    struct swale_tls_options options = {
        .certificates = &certificate,
        .certificate_count = 1,
        .ca_file = test_certs_path(&bed->certs, "ca.crt"),
        .client_auth = SWALE_TLS_CLIENT_OPTIONAL,
    };
    assert_int_equal(swale_tls_server(&bed->tls, &options, NULL), 0);
    struct swale_server_options server = { .threads = 2, .log = on_record, .log_context = bed };
    assert_int_equal(swale_server_new(&bed->server, &server), 0);
    assert_int_equal(
        swale_server_route(bed->server, "/", &(struct swale_route){ .handler = &echo, .user = bed->server }), 0);
    assert_int_equal(swale_server_route(bed->server, "/who", &(struct swale_route){ .on_request = who }), 0);
    struct swale_listen listen = { .address = "127.0.0.1:0", .tls = bed->tls };
    assert_int_equal(swale_server_listen(bed->server, &listen), 0);
    swale_tls_unref(bed->tls); /* the listener has its own reference */
    assert_int_equal(swale_server_start(bed->server), 0);
}

static void tls_end(struct tls_bed *bed)
{
    stop_and_free(bed->server);
    test_certs_end(&bed->certs);
}

static void tls_say(SSL *ssl, const void *data, size_t size)
{
    assert_int_equal(SSL_write(ssl, data, (int)size), size);
}

static void tls_expect_end(SSL *ssl, const char *end)
{
    char data[4096];
    size_t size = 0;
    while (size < strlen(end) || memcmp(data + size - strlen(end), end, strlen(end)) != 0) {
        int more = SSL_read(ssl, data + size, (int)(sizeof data - size));
        if (more <= 0)
            fail_msg("the connection ended with: %.*s", (int)size, data);
        size += (size_t)more;
    }
}

static void tls_talk(struct tls_bed *bed, bool with_certificate)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_file(context, test_certs_path(&bed->certs, "ca.crt")), 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (with_certificate) {
        const char *key = test_certs_path(&bed->certs, "alice.key");
        assert_int_equal(SSL_CTX_use_certificate_chain_file(context, test_certs_path(&bed->certs, "alice.crt")), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM), 1);
    }
    SSL *ssl = SSL_new(context);
    int fd = dial(bed->server);
    SSL_set_fd(ssl, fd);
    SSL_set1_host(ssl, "localhost");
    assert_int_equal(SSL_connect(ssl), 1);
    static const char ask[] = "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n";
    tls_say(ssl, ask, sizeof ask - 1);
    tls_expect_end(ssl, with_certificate ? "\r\n\r\nalice" : "\r\n\r\n");
    tls_say(ssl, upgrade, sizeof upgrade - 1);
    tls_expect_end(ssl, "\r\n\r\n");
    tls_say(ssl, hi, sizeof hi - 1);
    tls_expect_end(ssl, hi_back);
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(context);
}

static void test_tls(void **state)
{
    (void)state;
    struct tls_bed bed;
    tls_begin(&bed);
    tls_talk(&bed, false);
    tls_talk(&bed, true);
    tls_end(&bed);
}

static void test_clear_text_to_a_tls_port(void **state)
{
    (void)state;
    struct tls_bed bed;
    char byte;
    tls_begin(&bed);
    int fd = dial(bed.server);
    say(fd, upgrade, sizeof upgrade - 1);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
    close(fd);
    struct swale_server_stats stats;
    do { /* the alert may be here before the server has counted */
        sched_yield();
        swale_server_stats(bed.server, &stats);
    } while (stats.refused[swale_error_slot(SWALE_ERR_TLS)] == 0);
    tls_talk(&bed, false);
    tls_end(&bed);
    assert_int_equal(bed.tls_refusals, 1);
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

/* The allocator is not thread-safe: with two threads the server is set up and not started. */
static bool memory_run(uint64_t n, uint32_t threads)
{
    struct test_memory memory = { .fail_at = n };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_server *server;
    const char *origins[] = { "https://a.example", "https://b.example" };
    struct swale_server_options options = {
        .allocator = &allocator, .threads = threads, .origins = origins, .origin_count = 2
    };
    struct swale_limits limits = { .max_message = 5 };
    struct swale_route route = {
        .handler = &echo, .limits = &limits, .methods = "POST", .origins = origins, .origin_count = 2
    };
    int error = swale_server_new(&server, &options);
    if (error) {
        assert_int_equal(error, -ENOMEM);
        assert_int_equal(memory.blocks, 0);
        return true;
    }
    for (int i = 0; i < 8 && !error; i++) {
        char pattern[2000];
        snprintf(pattern, sizeof pattern, "/some/{where}/%0*d", i * 170 + 1, i); /* longer than one block in all */
        error = swale_server_route(server, pattern, &route);
        if (!error) {
            snprintf(pattern, sizeof pattern, "/files/%0*d", i * 170 + 1, i);
            error = swale_server_files(server, pattern, "/");
        }
    }
    if (!error)
        error = listen_on(server, "127.0.0.1:0");
    swale_server_stop(server); /* it ends as soon as it has begun */
    if (!error && threads == 1)
        error = swale_server_run(server);
    swale_server_free(server);
    assert_true(error == 0 || error == -ENOMEM);
    assert_int_equal(memory.blocks, 0);
    return error != 0;
}

static bool attached_memory_run(uint64_t n)
{
    struct test_memory memory = { .fail_at = n };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale_loop *loop;
    struct swale_server *server;
    assert_int_equal(swale_loop_new(&loop, NULL), 0);
    int error = swale_server_new(&server, &(struct swale_server_options){ .allocator = &allocator, .threads = 1 });
    if (!error) {
        error = swale_server_attach(server, loop);
        if (!error)
            error = listen_on(server, "127.0.0.1:0");
        swale_server_free(server);
    }
    swale_loop_free(loop);
    assert_true(error == 0 || error == -ENOMEM);
    assert_int_equal(memory.blocks, 0);
    return error != 0;
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1; attached_memory_run(n); n++)
        ;
    for (uint32_t threads = 1; threads <= 2; threads++)
        for (uint64_t n = 1; memory_run(n, threads); n++)
            ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_errors),
        cmocka_unit_test(test_a_port_is_free_again),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_stopped_before_the_start),
        cmocka_unit_test(test_even_distribution),
        cmocka_unit_test(test_even_distribution_over_a_path),
        cmocka_unit_test(test_any_thread),
        cmocka_unit_test(test_stop_under_load),
        cmocka_unit_test(test_stop_from_a_signal_handler),
        cmocka_unit_test(test_attached),
        cmocka_unit_test(test_attached_and_never_started),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_clear_text_to_a_tls_port),
        cmocka_unit_test(test_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
