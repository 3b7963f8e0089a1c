#include "test.h"

#include "directory.h"
#include "recorder.h"
#include "vloop.h"

#include "io/address.h"
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The loop runs in virtual time, so that rests are as long as the test says. What loopback connects is there
 * at once. */
static struct test_loop loop;

/* ---- What a listener reports --------------------------------------------------------------------------- */

enum { HEARD_MAX = 200 };

struct ear {
    struct recorder streams[HEARD_MAX];
    struct swale_peer peers[HEARD_MAX];
    int count;
    int errors, last_error;
    int given_away; /* descriptors that were, and are closed at once */
    int delaying;   /* of those, with Nagle's algorithm */
    bool give_away;
    struct swale__listener *close; /* on the first stream or error */
};

static struct ear ear;

static void close_as_told(struct ear *listening)
{
    if (listening->close)
        swale__listener_close(listening->close);
    listening->close = NULL;
}

static void on_stream(void *context, struct swale__stream *stream)
{
    struct ear *listening = context;
    assert_true(listening->count < HEARD_MAX);
    swale__stream_describe(stream, &listening->peers[listening->count]);
    recorder_begin(&listening->streams[listening->count++], stream);
    close_as_told(listening);
}

static void on_error(void *context, int error)
{
    struct ear *listening = context;
    listening->errors++;
    listening->last_error = error;
    close_as_told(listening);
}

static bool give_away(void *context, int fd)
{
    struct ear *listening = context;
    if (!listening->give_away)
        return false;
    int undelayed = 0;
    socklen_t size = sizeof undelayed;
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &undelayed, &size);
    listening->delaying += !undelayed;
    listening->given_away++;
    close(fd);
    return true;
}

static struct swale__listener_options options_for(const char *address)
{
    return (struct swale__listener_options){
        .address = address,
        .on_stream = on_stream,
        .on_error = on_error,
        .give_away = give_away,
        .context = &ear,
    };
}

static struct swale__listener *listen_at(const char *address)
{
    struct swale__listener *listener;
    struct swale__listener_options options = options_for(address);
    assert_int_equal(swale__listen(&listener, loop.loop, &options), 0);
    return listener;
}

static int try_to_listen_at(const char *address)
{
    struct swale__listener *listener;
    struct swale__listener_options options = options_for(address);
    int error = swale__listen(&listener, loop.loop, &options);
    if (!error)
        swale__listener_close(listener);
    return error;
}

/* A blocking client, connected; or -errno. */
static int dial(const char *text)
{
    struct swale__address address;
    assert_int_equal(swale__address_parse(&address, text, false), 0);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, &address.any, address.size) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void begin(void)
{
    test_loop_init(&loop);
    memset(&ear, 0, sizeof ear);
}

static void finish(void)
{
    for (int i = 0; i < ear.count; i++)
        recorder_end(&ear.streams[i]);
    test_loop_done(&loop);
}

/* ---- Addresses ----------------------------------------------------------------------------------------- */

static bool has_ipv6(void)
{
    struct swale__address address;
    swale__address_parse(&address, "[::1]:0", true);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool works = fd >= 0 && bind(fd, &address.any, address.size) == 0;
    close(fd);
    return works;
}

static void a_listener_tells_the_port_that_the_kernel_chose(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at("localhost:0");
    const char *address = swale__listener_address(listener);
    assert_memory_equal(address, "127.0.0.1:", 10);
    assert_true(atoi(address + 10) > 0);
    int fd = dial(address);
    assert_true(fd >= 0);
    TEST_LOOP_UNTIL(&loop, ear.count == 1);
    assert_true(swale_span_equal(ear.peers[0].address, swale_text("127.0.0.1")));
    assert_true(ear.peers[0].port > 0);
    close(fd);
    swale__listener_close(listener);
    finish();
}

static void everywhere_means_both_families(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at(":0");
    const char *port = strrchr(swale__listener_address(listener), ':');
    char address[50];
    snprintf(address, sizeof address, "127.0.0.1%s", port);
    int fds[2] = { dial(address), -1 };
    TEST_LOOP_UNTIL(&loop, ear.count == 1);
    assert_true(swale_span_equal(ear.peers[0].address, swale_text("127.0.0.1"))); /* not "::ffff:127.0.0.1" */
    if (has_ipv6()) {
        snprintf(address, sizeof address, "[::1]%s", port);
        fds[1] = dial(address);
        TEST_LOOP_UNTIL(&loop, ear.count == 2);
        assert_true(swale_span_equal(ear.peers[1].address, swale_text("::1")));
    }
    close(fds[0]);
    close(fds[1]);
    swale__listener_close(listener);
    finish();
}

static void an_ipv6_address_is_not_an_ipv4_address(void **state)
{
    (void)state;
    if (!has_ipv6())
        skip();
    begin();
    struct swale__listener *listener = listen_at("[::]:0");
    const char *port = strrchr(swale__listener_address(listener), ':');
    char address[50];
    snprintf(address, sizeof address, "127.0.0.1%s", port);
    assert_int_equal(dial(address), -ECONNREFUSED);
    swale__listener_close(listener);
    finish();
}

static void what_cannot_be_listened_on_is_an_error(void **state)
{
    (void)state;
    begin();
    assert_int_equal(try_to_listen_at("nonsense"), SWALE_ERR_ADDRESS);
    assert_int_equal(try_to_listen_at(NULL), SWALE_ERR_ADDRESS);
    assert_int_equal(try_to_listen_at("192.0.2.1:0"), -EADDRNOTAVAIL);
    assert_int_equal(try_to_listen_at("unix:/nonexistent/directory/socket"), -ENOENT);
    struct swale__listener *listener = listen_at("127.0.0.1:0");
    assert_int_equal(try_to_listen_at(swale__listener_address(listener)), -EADDRINUSE);
    swale__listener_close(listener);
    finish();
}

static void sharing_listeners_have_the_same_port(void **state)
{
    (void)state;
    begin();
    struct swale__listener_options options = options_for("127.0.0.1:0");
    options.share = true;
    struct swale__listener *listeners[2];
    assert_int_equal(swale__listen(&listeners[0], loop.loop, &options), 0);
    options.address = swale__listener_address(listeners[0]);
    assert_int_equal(swale__listen(&listeners[1], loop.loop, &options), 0);
    int fd = dial(options.address);
    TEST_LOOP_UNTIL(&loop, ear.count == 1);
    close(fd);
    swale__listener_close(listeners[0]);
    swale__listener_close(listeners[1]);
    finish();
}

/* ---- Unix sockets -------------------------------------------------------------------------------------- */

static char directory[64], path[72], unix_address[80];

static int make_directory(void **state)
{
    (void)state;
    test_directory(directory, sizeof directory);
    snprintf(path, sizeof path, "%s/socket", directory);
    snprintf(unix_address, sizeof unix_address, "unix:%s", path);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static bool path_exists(void)
{
    struct stat file;
    return lstat(path, &file) == 0;
}

static void a_unix_listener_removes_its_file(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at(unix_address);
    assert_string_equal(swale__listener_address(listener), unix_address);
    int fd = dial(unix_address);
    TEST_LOOP_UNTIL(&loop, ear.count == 1);
    assert_true(swale_span_equal(ear.peers[0].address, swale_text("unix")));
    assert_int_equal(try_to_listen_at(unix_address), -EADDRINUSE); /* somebody answers there */
    test_loop_settle(&loop);
    assert_true(path_exists());
    swale__listener_close(listener);
    assert_false(path_exists());
    close(fd);
    finish();
}

static void a_stale_unix_socket_is_replaced(void **state)
{
    (void)state;
    begin();
    struct swale__address address;
    assert_int_equal(swale__address_parse(&address, unix_address, true), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &address.any, address.size), 0);
    close(fd); /* as a server does that is killed */
    assert_true(path_exists());
    swale__listener_close(listen_at(unix_address));
    assert_false(path_exists());
    finish();
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    begin();
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(try_to_listen_at(unix_address), -EADDRINUSE);
    assert_true(path_exists());
    unlink(path);
    finish();
}

static void the_file_of_a_successor_is_left_alone(void **state)
{
    (void)state;
    begin();
    struct swale__listener *old = listen_at(unix_address);
    unlink(path);
    struct swale__listener *successor = listen_at(unix_address);
    swale__listener_close(old);
    assert_true(path_exists());
    swale__listener_close(successor);
    assert_false(path_exists());
    finish();
}

static void a_copy_listens_on_another_loop(void **state)
{
    (void)state;
    begin();
    struct test_loop other;
    test_loop_init(&other);
    struct swale__listener_options options = options_for(NULL);
    struct swale__listener *original = listen_at(unix_address);
    struct swale__listener *copy;
    assert_int_equal(swale__listen_copy(&copy, other.loop, original, &options), 0);
    assert_string_equal(swale__listener_address(copy), unix_address);
    int fd = dial(unix_address);
    TEST_LOOP_UNTIL(&other, ear.count == 1); /* only this one looks */
    close(fd);
    recorder_end(&ear.streams[0]);
    ear.count = 0;
    /* A copy that is closed takes neither the file nor the other's place in the kernel along. */
    swale__listener_close(copy);
    assert_true(path_exists());
    test_loop_done(&other);
    fd = dial(unix_address);
    TEST_LOOP_UNTIL(&loop, ear.count == 1);
    close(fd);
    swale__listener_close(original);
    finish();
}

/* ---- Accepting ----------------------------------------------------------------------------------------- */

static void a_burst_is_accepted_in_portions(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at("127.0.0.1:0");
    int fds[150];
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = dial(swale__listener_address(listener));
    swale_loop_step(loop.loop, 0);
    assert_true(ear.count <= 64);
    TEST_LOOP_UNTIL(&loop, ear.count == COUNT_OF(fds));
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    swale__listener_close(listener);
    finish();
}

static void a_descriptor_may_be_given_away(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at("127.0.0.1:0");
    ear.give_away = true;
    int fd = dial(swale__listener_address(listener));
    TEST_LOOP_UNTIL(&loop, ear.given_away == 1);
    assert_int_equal(ear.delaying, 0);
    assert_int_equal(ear.count, 0);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    swale__listener_close(listener);
    finish();
}

static void closing_from_within_ends_a_burst(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at("127.0.0.1:0");
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = dial(swale__listener_address(listener));
    ear.close = listener;
    TEST_LOOP_UNTIL(&loop, ear.count == 1);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    finish();
}

static int count_connected(const int *fds, int count)
{
    int connected = 0;
    for (int i = 0; i < count; i++) {
        char byte;
        connected += recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
    }
    return connected;
}

/* Those of the other listener, who came behind them, are served. */
static void closing_between_portions_turns_away_who_waits(void **state)
{
    (void)state;
    enum { FIRST = 100, SECOND = 40 };
    begin();
    struct swale__listener *first = listen_at("127.0.0.1:0"), *second = listen_at("127.0.0.1:0");
    int fds[FIRST + SECOND];
    for (int i = 0; i < FIRST + SECOND; i++)
        fds[i] = dial(swale__listener_address(i < FIRST ? first : second));
    swale_loop_step(loop.loop, 0);
    assert_int_not_equal(ear.count, 0);
    swale__listener_close(first);
    TEST_LOOP_UNTIL(&loop, ear.count == count_connected(fds, FIRST) + SECOND);
    for (int i = 0; i < 10; i++)
        swale_loop_step(loop.loop, 0);
    int connected = count_connected(fds, FIRST);
    assert_true(connected < FIRST);
    assert_int_equal(ear.count, connected + SECOND);
    assert_int_equal(count_connected(fds + FIRST, SECOND), SECOND);
    for (int i = 0; i < FIRST + SECOND; i++)
        close(fds[i]);
    swale__listener_close(second);
    finish();
}

static void a_connection_reset_before_it_is_accepted_is_nobodys_error(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at("127.0.0.1:0");
    int fd = dial(swale__listener_address(listener));
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
    fd = dial(swale__listener_address(listener));
    TEST_LOOP_UNTIL(&loop, ear.errors == 0);
    assert_int_equal(ear.count, 1);
    close(fd);
    swale__listener_close(listener);
    finish();
}

/* ---- When descriptors or memory run out ----------------------------------------------------------------- */

static struct rlimit usual_limit;

/* No further descriptor can be had; those that are open stay. */
static void forbid_descriptors(void)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual_limit), 0);
    struct rlimit none = { .rlim_cur = 0, .rlim_max = usual_limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static int allow_descriptors(void **state)
{
    (void)state;
    return setrlimit(RLIMIT_NOFILE, &usual_limit);
}

static void without_descriptors_accepting_rests(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at("127.0.0.1:0");
    int fd = dial(swale__listener_address(listener));
    forbid_descriptors();
    TEST_LOOP_UNTIL(&loop, ear.errors == 1); /* it would abort if it never came to rest */
    assert_int_equal(ear.last_error, -EMFILE);
    test_loop_advance(&loop, 99);
    assert_int_equal(ear.errors, 1);
    test_loop_advance(&loop, 1);
    assert_int_equal(ear.errors, 2);
    allow_descriptors(NULL);
    test_loop_advance(&loop, 99);
    assert_int_equal(ear.count, 0);
    test_loop_advance(&loop, 1);
    assert_int_equal(ear.count, 1);
    close(fd);
    swale__listener_close(listener);
    finish();
}

static void closing_on_an_error_is_allowed(void **state)
{
    (void)state;
    begin();
    ear.close = listen_at("127.0.0.1:0");
    int fd = dial(swale__listener_address(ear.close));
    forbid_descriptors();
    TEST_LOOP_UNTIL(&loop, ear.errors == 1);
    test_loop_advance(&loop, 1000);
    allow_descriptors(NULL);
    assert_int_equal(ear.errors, 1);
    assert_int_equal(ear.count, 0);
    close(fd);
    finish();
}

static void without_memory_one_connection_is_lost(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener = listen_at("127.0.0.1:0");
    int fds[2] = { dial(swale__listener_address(listener)), dial(swale__listener_address(listener)) };
    loop.memory.fail_at = loop.memory.allocations + 1;
    TEST_LOOP_UNTIL(&loop, ear.errors == 1);
    assert_int_equal(ear.last_error, -ENOMEM);
    test_loop_advance(&loop, 100);
    assert_int_equal(ear.count, 1);
    close(fds[0]);
    close(fds[1]);
    swale__listener_close(listener);
    finish();
}

static void want_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    begin();
    struct swale__listener *listener;
    struct swale__listener_options options = options_for(unix_address);
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale__listen(&listener, loop.loop, &options), -ENOMEM);
    assert_false(path_exists());
    struct swale__listener *original = listen_at(unix_address);
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale__listen_copy(&listener, loop.loop, original, &options), -ENOMEM);
    swale__listener_close(original);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_tells_the_port_that_the_kernel_chose),
        cmocka_unit_test(everywhere_means_both_families),
        cmocka_unit_test(an_ipv6_address_is_not_an_ipv4_address),
        cmocka_unit_test(what_cannot_be_listened_on_is_an_error),
        cmocka_unit_test(sharing_listeners_have_the_same_port),
        cmocka_unit_test(a_unix_listener_removes_its_file),
        cmocka_unit_test(a_stale_unix_socket_is_replaced),
        cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
        cmocka_unit_test(the_file_of_a_successor_is_left_alone),
        cmocka_unit_test(a_copy_listens_on_another_loop),
        cmocka_unit_test(a_burst_is_accepted_in_portions),
        cmocka_unit_test(a_descriptor_may_be_given_away),
        cmocka_unit_test(closing_from_within_ends_a_burst),
        cmocka_unit_test(closing_between_portions_turns_away_who_waits),
        cmocka_unit_test(a_connection_reset_before_it_is_accepted_is_nobodys_error),
        cmocka_unit_test_teardown(without_descriptors_accepting_rests, allow_descriptors),
        cmocka_unit_test_teardown(closing_on_an_error_is_allowed, allow_descriptors),
        cmocka_unit_test(without_memory_one_connection_is_lost),
        cmocka_unit_test(want_of_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
