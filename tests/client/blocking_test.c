/* The blocking connection against the server of this library, over real sockets: that nobody waits who should not,
 * and that everybody returns. What could hang is ended by the time that ctest allows. */
#include "test.h"

#include "client/blocking.h"
#include "directory.h"
#include "memory.h"

#include <swale/server.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- The server ------------------------------------------------------------------------------------- */

enum { FLOOD_MESSAGES = 4096, FLOOD_SIZE = 4096 };

static struct swale_server *server;
static char directory[128];

/* The latest connection, and what has become of it. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t news;
    struct swale_conn *conn; /* on the server's loop only */
    int heard, closed;       /* messages; connections */
    int open;                /* connections now */
    int code;                /* of the close frame that came last */
    char text[128];
} peer = { .mutex = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static void note(int *counter, int change)
{
    pthread_mutex_lock(&peer.mutex);
    *counter += change;
    pthread_cond_broadcast(&peer.news);
    pthread_mutex_unlock(&peer.mutex);
}

/* Until it has come up, or down, to the value. */
static void await(const int *counter, int value)
{
    pthread_mutex_lock(&peer.mutex);
    while (*counter < value || (counter == &peer.open && *counter > value))
        pthread_cond_wait(&peer.news, &peer.mutex);
    pthread_mutex_unlock(&peer.mutex);
}

static void closed(struct swale_conn *conn, const struct swale_close *close)
{
    (void)conn;
    peer.code = close->code;
    snprintf(peer.text, sizeof peer.text, "%.*s", (int)close->text.size, close->text.data);
    peer.conn = NULL;
    note(&peer.closed, 1);
    note(&peer.open, -1);
}

static void heard(struct swale_conn *conn, const struct swale_message *message)
{
    (void)conn;
    (void)message;
    note(&peer.heard, 1);
}

/* "close CODE TEXT" and "abort" are obeyed, the rest comes back. */
static void echo(struct swale_conn *conn, const struct swale_message *message)
{
    char line[64] = "";
    note(&peer.heard, 1);
    if (message->data.size > 0 && message->data.size < sizeof line)
        memcpy(line, message->data.data, message->data.size);
    if (strncmp(line, "close ", 6) == 0)
        swale_conn_close(conn, atoi(line + 6), line + 11);
    else if (strcmp(line, "abort") == 0)
        swale_conn_abort(conn);
    else
        swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static void opened(struct swale_conn *conn)
{
    peer.conn = conn;
    note(&peer.open, 1);
}

static void go_deaf(struct swale_conn *conn)
{
    opened(conn);
    swale_conn_pause(conn);
}

/* Says what it says although the peer does not listen, and listens all the same. */
static void flood(struct swale_conn *conn)
{
    char data[FLOOD_SIZE];
    opened(conn);
    memset(data, 'f', sizeof data);
    for (int i = 0; i < FLOOD_MESSAGES; i++) {
        memcpy(data, &i, sizeof i);
        swale_conn_send(conn, SWALE_BINARY, data, sizeof data);
    }
}

static enum swale_verdict never(struct swale_exchange *exchange)
{
    (void)exchange;
    return SWALE_LATER;
}

static const struct swale_handler echoes = { .on_open = opened, .on_message = echo, .on_close = closed };
static const struct swale_handler deaf = { .on_open = go_deaf, .on_message = heard, .on_close = closed };
static const struct swale_handler floods = { .on_open = flood, .on_message = heard, .on_close = closed };

static void serve_routes(void)
{
    static const char *const subprotocols[] = { "chat.v2", "chat.v1" };
    static const struct swale_limits endless = { .high_water = SWALE_UNLIMITED, .max_queue = SWALE_UNLIMITED };
    const struct {
        const char *path;
        struct swale_route route;
    } routes[] = {
        { "/echo", { .handler = &echoes, .subprotocols = subprotocols, .subprotocol_count = 2 } },
        { "/deaf", { .handler = &deaf } },
        { "/flood", { .handler = &floods, .limits = &endless } },
        { "/never", { .handler = &echoes, .on_upgrade = never } },
    };
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        assert_int_equal(swale_server_route(server, routes[i].path, &routes[i].route), 0);
}

/* Its threads inherit a mask that keeps the tests' signals away from them. */
static int begin(void **state)
{
    char address[sizeof directory + 16];
    sigset_t set;
    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    test_directory(directory, sizeof directory);
    snprintf(address, sizeof address, "unix:%s/socket", directory);
    assert_int_equal(swale_server_new(&server, &(struct swale_server_options){ .threads = 1 }), 0);
    serve_routes();
    assert_int_equal(swale_server_listen(server, &(struct swale_listen){ .address = "127.0.0.1:0" }), 0);
    assert_int_equal(swale_server_listen(server, &(struct swale_listen){ .address = address }), 0);
    assert_int_equal(swale_server_start(server), 0);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    swale_server_free(server);
    rmdir(directory);
    return 0;
}

static const char *url(const char *path)
{
    static char text[256];
    snprintf(text, sizeof text, "ws://%s%s", swale_server_address(server, 0), path);
    return text;
}

/* Over a socket whose buffers in the kernel do not grow. */
static const char *unix_url(const char *path)
{
    static char text[256];
    snprintf(text, sizeof text, "ws+unix:%s/socket:%s", directory, path);
    return text;
}

static void forget_the_others(void)
{
    await(&peer.open, 0);
    pthread_mutex_lock(&peer.mutex);
    peer.heard = peer.closed = 0;
    pthread_mutex_unlock(&peer.mutex);
}

static struct swale_blocking *connected(const char *where, const struct swale_limits *limits)
{
    struct swale_blocking *socket = NULL;
    char fault[SWALE_CLIENT_MESSAGE_MAX];
    struct swale_client_options options = { .limits = limits };
    forget_the_others();
    if (swale_blocking_connect(&socket, where, &options, fault) != 0)
        fail_msg("%s", fault);
    assert_string_equal(fault, "");
    return socket;
}

/* ---- Sending and receiving -------------------------------------------------------------------------- */

static void send_text(struct swale_blocking *socket, const char *text)
{
    assert_int_equal(swale_blocking_send(socket, SWALE_TEXT, text, strlen(text), -1), 0);
}

static void receive_exactly(struct swale_blocking *socket, enum swale_kind kind, const void *data, size_t size)
{
    struct swale_blocking_message *message = NULL;
    assert_int_equal(swale_blocking_receive(socket, &message, -1), 0);
    assert_int_equal(message->kind, kind);
    assert_int_equal(message->size, size);
    assert_memory_equal(message->data, data, size);
    assert_int_equal(message->data[size], '\0');
    swale_blocking_message_free(message);
}

static void test_messages_come_back_as_they_were(void **state)
{
    enum { BIG = 1024 * 1024 };
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    char *big = malloc(BIG);
    (void)state;
    assert_non_null(big);
    memset(big, 'x', BIG);
    assert_int_equal(swale_blocking_send(socket, SWALE_TEXT, "hello", 5, -1), 0);
    assert_int_equal(swale_blocking_send(socket, SWALE_BINARY, "\0\1\2", 3, -1), 0);
    assert_int_equal(swale_blocking_send(socket, SWALE_BINARY, NULL, 0, -1), 0);
    assert_int_equal(swale_blocking_send(socket, SWALE_TEXT, big, BIG, -1), 0);
    receive_exactly(socket, SWALE_TEXT, "hello", 5);
    receive_exactly(socket, SWALE_BINARY, "\0\1\2", 3);
    receive_exactly(socket, SWALE_BINARY, "", 0);
    receive_exactly(socket, SWALE_TEXT, big, BIG);
    assert_int_equal(swale_blocking_close_code(socket), 0);
    assert_string_equal(swale_blocking_subprotocol(socket), "");
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
    free(big);
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void test_a_receive_waits_as_long_as_it_is_told(void **state)
{
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    struct swale_blocking_message *message = NULL;
    (void)state;
    assert_int_equal(swale_blocking_receive(socket, &message, 0), SWALE_ERR_TIMEOUT);
    int64_t began = now_ms();
    assert_int_equal(swale_blocking_receive(socket, &message, 30), SWALE_ERR_TIMEOUT);
    assert_true(now_ms() - began >= 29); /* the clock's own rounding */
    assert_null(message);
    send_text(socket, "there you are");
    assert_int_equal(swale_blocking_receive(socket, &message, 60000), 0);
    swale_blocking_message_free(message);
    swale_blocking_message_free(NULL);
    assert_int_equal(swale_blocking_close(socket, 0, NULL), 0);
}

static void test_a_message_outlives_its_socket(void **state)
{
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    struct swale_blocking_message *message;
    (void)state;
    send_text(socket, "kept");
    assert_int_equal(swale_blocking_receive(socket, &message, -1), 0);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
    assert_string_equal(message->data, "kept");
    swale_blocking_message_free(message);
}

static void test_the_chosen_subprotocol(void **state)
{
    static const char *const offered[] = { "chat.v1", "chat.v2" };
    struct swale_client_options options = { .subprotocols = offered, .subprotocol_count = 2 };
    struct swale_blocking *socket;
    (void)state;
    assert_int_equal(swale_blocking_connect(&socket, url("/echo"), &options, NULL), 0);
    assert_string_equal(swale_blocking_subprotocol(socket), "chat.v2");
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
}

static void test_arguments_that_make_no_sense(void **state)
{
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    char long_text[SWALE_REASON_MAX + 2];
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(swale_blocking_send(socket, (enum swale_kind)7, "x", 1, 0), SWALE_ERR_INVALID);
    assert_int_equal(swale_blocking_send(socket, SWALE_TEXT, NULL, 1, 0), SWALE_ERR_INVALID);
    assert_int_equal(swale_blocking_send(socket, SWALE_TEXT, "x", SIZE_MAX, 0), -ENOMEM);
    assert_int_equal(swale_blocking_close(socket, 1005, NULL), SWALE_ERR_INVALID);
    assert_int_equal(swale_blocking_close(socket, 0, "no code"), SWALE_ERR_INVALID);
    assert_int_equal(swale_blocking_close(socket, 1000, long_text), SWALE_ERR_INVALID);
    assert_int_equal(swale_blocking_close(NULL, 1000, NULL), 0);
    send_text(socket, "still there"); /* after all that */
    receive_exactly(socket, SWALE_TEXT, "still there", 11);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
}

/* ---- Failing to connect ----------------------------------------------------------------------------- */

static void test_what_keeps_it_from_connecting_is_said(void **state)
{
    static const struct swale_limits hasty = { .handshake_ms = 50 };
    const struct {
        const char *url;
        int error;
        const char *said;
    } rows[] = {
        { "gopher://example.com/", SWALE_ERR_URL, "" },
        { "ws+unix:/nonexistent/socket:/", -ENOENT, "No such file" },
        { unix_url("/nowhere"), SWALE_ERR_ANSWER_STATUS, "404" },
    };
    struct swale_blocking *socket = NULL;
    char fault[SWALE_CLIENT_MESSAGE_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(swale_blocking_connect(&socket, rows[i].url, NULL, fault), rows[i].error);
        if (!fault[0] || !strstr(fault, rows[i].said))
            fail_msg("%s: %s", rows[i].url, fault);
        assert_int_equal(swale_blocking_connect(&socket, rows[i].url, NULL, NULL), rows[i].error);
    }
    struct swale_client_options options = { .limits = &hasty };
    assert_int_equal(swale_blocking_connect(&socket, url("/never"), &options, fault), SWALE_ERR_HANDSHAKE_TIMEOUT);
    assert_null(socket);
}

/* ---- Closing ---------------------------------------------------------------------------------------- */

/* These run on the server's loop. */
static void resume_peer(void *unused)
{
    (void)unused;
    swale_conn_resume(peer.conn);
}

static void abort_peer(void *unused)
{
    (void)unused;
    swale_conn_abort(peer.conn);
}

/* All queues are full when it closes, in this process and below it. */
static void test_what_is_queued_leaves_before_the_close_frame(void **state)
{
    static char block[10000];
    struct swale_blocking *socket = connected(unix_url("/deaf"), NULL);
    int sent = 0;
    (void)state;
    while (swale_blocking_send(socket, SWALE_BINARY, block, sizeof block, 20) == 0)
        sent++;
    swale_loop_post(swale_server_loop(server, 0), resume_peer, NULL);
    assert_int_equal(swale_blocking_close(socket, 4321, "that is all"), 0);
    await(&peer.closed, 1);
    assert_int_equal(peer.heard, sent);
    assert_int_equal(peer.code, 4321);
    assert_string_equal(peer.text, "that is all");
}

/* The server reads no more until its answers are read, which a close does. */
static void test_a_close_does_not_wait_for_one_that_waits_for_it(void **state)
{
    static char block[10000];
    struct swale_blocking *socket = connected(unix_url("/echo"), NULL);
    int sent = 0;
    (void)state;
    while (swale_blocking_send(socket, SWALE_BINARY, block, sizeof block, 20) == 0)
        sent++;
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
    await(&peer.closed, 1);
    assert_int_equal(peer.heard, sent);
}

/* A paused connection does not notice that its peer has gone. */
static void let_peer_go(void)
{
    swale_loop_post(swale_server_loop(server, 0), resume_peer, NULL);
    await(&peer.closed, 1);
}

static void test_a_close_gives_up_on_a_peer_that_does_not_read(void **state)
{
    static const struct swale_limits hasty = { .close_wait_ms = 30 };
    static char block[256 * 1024];
    struct swale_blocking *socket = connected(unix_url("/deaf"), &hasty);
    (void)state;
    while (swale_blocking_send(socket, SWALE_BINARY, block, sizeof block, 20) == 0)
        ;
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), SWALE_ERR_CLOSE_TIMEOUT);
    let_peer_go();
    socket = connected(unix_url("/deaf"), &hasty); /* nothing is queued, but no close frame comes */
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), SWALE_ERR_CLOSE_TIMEOUT);
    let_peer_go();
}

static void test_a_close_with_messages_that_nobody_received(void **state)
{
    struct swale_blocking *socket = connected(unix_url("/flood"), NULL);
    (void)state;
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
}

static void test_the_peer_closes(void **state)
{
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    struct swale_blocking_message *message;
    (void)state;
    send_text(socket, "last words");
    send_text(socket, "close 4000 bye");
    await(&peer.closed, 1);
    receive_exactly(socket, SWALE_TEXT, "last words", 10);
    assert_int_equal(swale_blocking_receive(socket, &message, -1), SWALE_ERR_PEER_CLOSED);
    assert_int_equal(swale_blocking_receive(socket, &message, 0), SWALE_ERR_PEER_CLOSED);
    assert_int_equal(swale_blocking_send(socket, SWALE_TEXT, "x", 1, -1), SWALE_ERR_CLOSED);
    assert_int_equal(swale_blocking_close_code(socket), 4000);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
}

static void close_peer(void *unused)
{
    (void)unused;
    swale_conn_close(peer.conn, 1000, NULL);
}

/* That the peer closed in order does not make up for what it has not let us say. */
static void test_the_peer_closes_before_everything_was_sent(void **state)
{
    static char block[10000];
    struct swale_blocking *socket = connected(unix_url("/deaf"), NULL);
    struct swale_blocking_message *message;
    (void)state;
    while (swale_blocking_send(socket, SWALE_BINARY, block, sizeof block, 200) == 0)
        ;
    swale_loop_post(swale_server_loop(server, 0), close_peer, NULL);
    assert_int_equal(swale_blocking_receive(socket, &message, -1), SWALE_ERR_PEER_CLOSED);
    assert_int_equal(swale_blocking_close_code(socket), 1000);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), SWALE_ERR_PEER_CLOSED);
}

static void test_the_peer_drops_it(void **state)
{
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    struct swale_blocking_message *message;
    (void)state;
    send_text(socket, "abort");
    int error = swale_blocking_receive(socket, &message, -1);
    assert_true(error == SWALE_ERR_RESET || error == SWALE_ERR_PEER_GONE);
    assert_int_equal(swale_blocking_close_code(socket), 1006);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), error);
}

/* ---- Threads ---------------------------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 500 };

struct worker {
    pthread_t thread;
    struct swale_blocking *socket; /* NULL: the worker's own affair */
    int number;
    int done;  /* messages */
    int error; /* that ended it */
};

static void start_workers(struct worker *workers, struct swale_blocking *socket, void *(*run)(void *))
{
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .socket = socket, .number = i };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
}

static int join_workers(struct worker *workers)
{
    int done = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        done += workers[i].done;
    }
    return done;
}

static void *send_numbers(void *argument)
{
    struct worker *worker = argument;
    for (int i = 0; i < EACH; i++) {
        const int message[] = { worker->number, i };
        if (swale_blocking_send(worker->socket, SWALE_BINARY, message, sizeof message, -1) != 0)
            break;
        worker->done++;
    }
    return NULL;
}

/* With the narrowest of queues: every message waits for the one before it. */
static void test_each_thread_s_messages_keep_their_order(void **state)
{
    static const struct swale_limits narrow = { .high_water = 1 };
    struct worker senders[THREADS];
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct swale_blocking *socket = connected(url("/echo"), round == 0 ? NULL : &narrow);
        int next[THREADS] = { 0 };
        start_workers(senders, socket, send_numbers);
        for (int i = 0; i < THREADS * EACH; i++) {
            struct swale_blocking_message *message;
            int pair[2];
            assert_int_equal(swale_blocking_receive(socket, &message, -1), 0);
            assert_int_equal(message->size, sizeof pair);
            memcpy(pair, message->data, sizeof pair);
            assert_int_equal(pair[1], next[pair[0]]++);
            swale_blocking_message_free(message);
        }
        assert_int_equal(join_workers(senders), THREADS * EACH);
        assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
    }
}

static void *receive_all(void *argument)
{
    struct worker *worker = argument;
    struct swale_blocking_message *message;
    while ((worker->error = swale_blocking_receive(worker->socket, &message, -1)) == 0) {
        swale_blocking_message_free(message);
        worker->done++;
    }
    return NULL;
}

static void test_each_message_goes_to_one_receiver(void **state)
{
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    struct worker senders[THREADS], receivers[THREADS];
    (void)state;
    start_workers(receivers, socket, receive_all);
    start_workers(senders, socket, send_numbers);
    assert_int_equal(join_workers(senders), THREADS * EACH);
    send_text(socket, "close 4000 enough");
    assert_int_equal(join_workers(receivers), THREADS * EACH);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(receivers[i].error, SWALE_ERR_PEER_CLOSED);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
}

static const char *echo_url;

/* Connects by itself, several times. */
static void *come_and_go(void *argument)
{
    struct worker *worker = argument;
    struct swale_blocking_message *message;
    for (int i = 0; i < 10 && worker->error == 0; i++) {
        struct swale_blocking *socket;
        worker->error = swale_blocking_connect(&socket, echo_url, NULL, NULL);
        if (worker->error)
            break;
        if (swale_blocking_send(socket, SWALE_TEXT, "hello", 5, -1) == 0 &&
            swale_blocking_receive(socket, &message, -1) == 0) {
            worker->done++;
            swale_blocking_message_free(message);
        }
        worker->error = swale_blocking_close(socket, 1000, NULL);
    }
    return NULL;
}

static void test_sockets_know_nothing_of_each_other(void **state)
{
    struct worker workers[THREADS];
    (void)state;
    echo_url = url("/echo");
    start_workers(workers, NULL, come_and_go);
    assert_int_equal(join_workers(workers), THREADS * 10);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].error, 0);
}

enum { BLOCK = 16 * 1024 };

static void *send_blocks(void *argument)
{
    static const char block[BLOCK];
    struct worker *worker = argument;
    while ((worker->error = swale_blocking_send(worker->socket, SWALE_BINARY, block, sizeof block, -1)) == 0)
        worker->done++;
    return NULL;
}

static void test_everybody_returns_when_the_connection_dies(void **state)
{
    struct swale_blocking *socket = connected(unix_url("/deaf"), NULL);
    struct worker senders[THREADS], receivers[THREADS];
    (void)state;
    start_workers(receivers, socket, receive_all);
    start_workers(senders, socket, send_blocks);
    while (swale_blocking_send(socket, SWALE_TEXT, "room?", 5, 20) == 0)
        ;
    swale_loop_post(swale_server_loop(server, 0), abort_peer, NULL);
    int blocks = join_workers(senders);
    assert_int_equal(join_workers(receivers), 0);
    assert_in_range(blocks, 1, 2 * 1024 * 1024 / BLOCK); /* two queues, two buffers of the kernel's */
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(senders[i].error, SWALE_ERR_CLOSED);
        assert_int_not_equal(receivers[i].error, SWALE_ERR_TIMEOUT);
    }
    assert_int_not_equal(swale_blocking_close(socket, 1000, NULL), 0); /* not all that was sent has left */
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t mutex;
    struct test_memory memory;
    struct swale_allocator counting;
} store = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    pthread_mutex_lock(&store.mutex);
    void *block = store.counting.resize(store.counting.context, memory, old_size, new_size);
    pthread_mutex_unlock(&store.mutex);
    return block;
}

static const struct swale_allocator allocator = { .resize = resize };

static void fill_store(uint64_t fail_at)
{
    store.memory = (struct test_memory){ .fail_at = fail_at };
    store.counting = test_allocator(&store.memory);
}

static size_t bytes_alive(void)
{
    pthread_mutex_lock(&store.mutex);
    size_t bytes = store.memory.bytes;
    pthread_mutex_unlock(&store.mutex);
    return bytes;
}

/* Each message that the server hears is a turn of the client's loop in which it could have read on. */
static void test_messages_that_nobody_receives_make_the_peer_wait(void **state)
{
    struct swale_blocking *socket;
    char expected[FLOOD_SIZE];
    (void)state;
    fill_store(0);
    forget_the_others();
    assert_int_equal(swale__blocking_connect(&socket, &allocator, unix_url("/flood"), NULL, NULL), 0);
    size_t at_first = bytes_alive();
    for (int i = 1; i <= 200; i++) {
        send_text(socket, "tick");
        await(&peer.heard, i);
    }
    assert_in_range(bytes_alive(), 64 * 1024, at_first + 1024 * 1024);
    memset(expected, 'f', sizeof expected);
    for (int i = 0; i < FLOOD_MESSAGES; i++) {
        memcpy(expected, &i, sizeof i);
        receive_exactly(socket, SWALE_BINARY, expected, sizeof expected);
    }
    assert_true(store.memory.peak < at_first + 1024 * 1024);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
    assert_int_equal(store.memory.blocks, 0);
}

/* 0 when all of it succeeds. */
static int use_it_all(void)
{
    struct swale_blocking *socket;
    struct swale_blocking_message *message;
    char fault[SWALE_CLIENT_MESSAGE_MAX];
    int error = swale__blocking_connect(&socket, &allocator, url("/echo"), NULL, fault);
    if (error) {
        assert_string_not_equal(fault, "");
        return error;
    }
    error = swale_blocking_send(socket, SWALE_TEXT, "hello", 5, -1);
    if (!error)
        error = swale_blocking_receive(socket, &message, -1);
    if (!error)
        swale_blocking_message_free(message);
    int closing = swale_blocking_close(socket, 1000, NULL);
    return error ? error : closing;
}

static void test_every_allocation_may_fail(void **state)
{
    int error = -1;
    (void)state;
    for (uint64_t n = 1; error != 0; n++) {
        fill_store(n);
        error = use_it_all();
        assert_int_equal(store.memory.blocks, 0);
        assert_true(n < 1000);
    }
    assert_true(store.memory.allocations > 10);
}

/* ---- Signals ---------------------------------------------------------------------------------------- */

static _Atomic int caught;

static void on_signal(int number)
{
    (void)number;
    caught++;
}

/* Every thread but the socket's has it blocked: it stays pending unless that one takes it. */
static void test_no_signal_lands_on_its_thread(void **state)
{
    struct sigaction action = { .sa_handler = on_signal }, before;
    struct swale_blocking *socket = connected(url("/echo"), NULL);
    sigset_t set, old, pending;
    (void)state;
    sigaction(SIGUSR1, &action, &before);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    assert_false(sigismember(&old, SIGUSR1)); /* connecting has put the caller's mask back */
    kill(getpid(), SIGUSR1);
    send_text(socket, "run");
    receive_exactly(socket, SWALE_TEXT, "run", 3);
    assert_int_equal(caught, 0);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGUSR1));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(caught, 1);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(swale_blocking_close(socket, 1000, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_come_back_as_they_were),
        cmocka_unit_test(test_a_receive_waits_as_long_as_it_is_told),
        cmocka_unit_test(test_a_message_outlives_its_socket),
        cmocka_unit_test(test_the_chosen_subprotocol),
        cmocka_unit_test(test_arguments_that_make_no_sense),
        cmocka_unit_test(test_what_keeps_it_from_connecting_is_said),
        cmocka_unit_test(test_what_is_queued_leaves_before_the_close_frame),
        cmocka_unit_test(test_a_close_does_not_wait_for_one_that_waits_for_it),
        cmocka_unit_test(test_a_close_gives_up_on_a_peer_that_does_not_read),
        cmocka_unit_test(test_a_close_with_messages_that_nobody_received),
        cmocka_unit_test(test_the_peer_closes),
        cmocka_unit_test(test_the_peer_closes_before_everything_was_sent),
        cmocka_unit_test(test_the_peer_drops_it),
        cmocka_unit_test(test_each_thread_s_messages_keep_their_order),
        cmocka_unit_test(test_each_message_goes_to_one_receiver),
        cmocka_unit_test(test_sockets_know_nothing_of_each_other),
        cmocka_unit_test(test_everybody_returns_when_the_connection_dies),
        cmocka_unit_test(test_messages_that_nobody_receives_make_the_peer_wait),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_no_signal_lands_on_its_thread),
    };
    return cmocka_run_group_tests(tests, begin, finish);
}
