/* Static files: what is served, what never is, and how much memory a slow reader costs. */
#include "bed.h"
#include "directory.h"

#include "server/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { HUGE_SIZE = 9000000 };

/* home/secret.txt and home/outside/ must never be seen; home/www is what is served. */
static char home[256];
static char root[512];

static const char *at(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static void put(const char *name, const char *data, size_t size)
{
    FILE *file = fopen(at(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static void make_socket(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", at(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static int make_files(void **state)
{
    (void)state;
    test_directory(home, sizeof home);
    snprintf(root, sizeof root, "%s", at("www"));
    static const char *const directories[] = { "www", "www/docs", "www/empty", "www/.git", "outside" };
    for (size_t i = 0; i < COUNT_OF(directories); i++)
        assert_int_equal(mkdir(at(directories[i]), 0755), 0);
    put_text("secret.txt", "SECRET");
    put_text("outside/index.html", "SECRET");
    put_text("www/index.html", "<p>root");
    put_text("www/docs/index.html", "<p>docs");
    put_text("www/docs/a b.txt", "spaced");
    put_text("www/docs/none", "");
    put_text("www/.hidden", "SECRET");
    put_text("www/.git/config", "SECRET");
    put_text("www/locked", "SECRET");
    assert_int_equal(chmod(at("www/locked"), 0), 0);
    assert_int_equal(symlink("../secret.txt", at("www/link.txt")), 0);
    assert_int_equal(symlink("../outside", at("www/linked")), 0);
    assert_int_equal(symlink("index.html", at("www/inside.html")), 0);
    assert_int_equal(mkfifo(at("www/fifo"), 0644), 0);
    make_socket("www/socket");
    char *huge = malloc(HUGE_SIZE);
    assert_non_null(huge);
    for (size_t i = 0; i < HUGE_SIZE; i++)
        huge[i] = (char)('a' + i % 23);
    put("www/huge.bin", huge, HUGE_SIZE);
    free(huge);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int remove_files(void **state)
{
    (void)state;
    return nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void special(struct swale_exchange *exchange)
{
    swale_exchange_reply(exchange, 200, NULL, swale_text("a route"));
}

static void begin(struct bed *bed)
{
    bed_init(bed, NULL);
    assert_int_equal(swale_server_files(bed->server, "/", root), 0);
    assert_int_equal(swale_server_files(bed->server, "/other/place", at("www/docs")), 0);
    assert_int_equal(swale_server_route(bed->server, "/docs/route", &(struct swale_route){ .on_request = special }),
                     0);
    bed_start(bed);
}

static struct peer *get(struct bed *bed, const char *path, const char *fields)
{
    struct peer *peer = bed_connect(bed);
    peer_say(peer, request("GET", path, fields));
    return peer;
}

/* ---- What is served --------------------------------------------------------------------------------- */

static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *path, *type, *body;
    } cases[] = {
        { "/", "text/html; charset=utf-8", "<p>root" },
        { "/index.html", "text/html; charset=utf-8", "<p>root" },
        { "/index.html?v=1", "text/html; charset=utf-8", "<p>root" },
        { "/docs/", "text/html; charset=utf-8", "<p>docs" },
        { "/docs/a%20b.txt", "text/plain; charset=utf-8", "spaced" },
        { "/docs/none", "application/octet-stream", "" },
        { "/other/place/a%20b.txt", "text/plain; charset=utf-8", "spaced" },
        { "/docs/route", "text/plain", "a route" },
    };
    struct bed bed;
    begin(&bed);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char field[128];
        struct peer *peer = get(&bed, cases[i].path, "");
        assert_true(peer_heard(peer, "HTTP/1.1 200 OK\r\n"));
        snprintf(field, sizeof field, "\r\nContent-Type: %s\r\n", cases[i].type);
        assert_true(peer_has(peer, field));
        snprintf(field, sizeof field, "\r\nContent-Length: %zu\r\n", strlen(cases[i].body));
        assert_true(peer_has(peer, field));
        assert_string_equal(strstr(peer->data, "\r\n\r\n") + 4, cases[i].body);
        assert_false(peer_over(peer));
    }
    struct peer *peer = get(&bed, "/", "");
    assert_true(peer_has(peer, "\r\nCache-Control: no-cache\r\n"));
    assert_true(peer_has(peer, "\r\nX-Content-Type-Options: nosniff\r\n"));
    peer_forget(peer);
    peer_say(peer, request("HEAD", "/docs/", ""));
    assert_true(peer_has(peer, "\r\nContent-Length: 7\r\n"));
    assert_string_equal(peer->data + peer->size - 4, "\r\n\r\n");
    peer_forget(peer);
    peer_say(peer, request("POST", "/docs/", ""));
    assert_true(peer_heard(peer, "HTTP/1.1 405 "));
    assert_true(peer_has(peer, "\r\nAllow: GET, HEAD\r\n"));
    peer_say(peer, upgrade_request("/docs/", ""));
    assert_true(peer_has(peer, "<p>docs"));
    assert_true(peer->ended);
    bed_done(&bed);
}

static void test_directory_without_slash(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = get(&bed, "/docs?a=b", "");
    assert_true(peer_heard(peer, "HTTP/1.1 301 "));
    assert_true(peer_has(peer, "\r\nLocation: /docs/?a=b\r\n"));
    peer = get(&bed, "/empty", "");
    assert_true(peer_has(peer, "\r\nLocation: /empty/\r\n"));
    peer = get(&bed, "/empty/", "");
    assert_true(peer_heard(peer, "HTTP/1.1 404 "));
    bed_done(&bed);
}

static void test_conditions(void **state)
{
    (void)state;
    struct bed bed;
    char etag[128];
    char field[512];
    begin(&bed);
    struct peer *peer = get(&bed, "/docs/", "");
    const char *line = strstr(peer->data, "\r\nETag: ") + strlen("\r\nETag: ");
    snprintf(etag, sizeof etag, "%.*s", (int)strcspn(line, "\r"), line);
    static const struct {
        const char *format;
        int status;
    } cases[] = {
        { "If-None-Match: %s\r\n", 304 },
        { "If-None-Match: W/%s\r\n", 304 },
        { "If-None-Match: \"x\", \"a,b\" , %s\r\n", 304 },
        { "If-None-Match: \"x\"\r\nIf-None-Match: %s\r\n", 304 },
        { "If-None-Match: *\r\n", 304 },
        { "If-None-Match: \"x\"\r\n", 200 },
        { "If-None-Match: \"\"\r\n", 200 },
        { "If-None-Match:\r\n", 200 },
        { "If-None-Match: \"%s\r\n", 200 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        peer_forget(peer);
        snprintf(field, sizeof field, cases[i].format, etag);
        peer_say(peer, request("GET", "/docs/", field));
        assert_true(peer_heard(peer, cases[i].status == 304 ? "HTTP/1.1 304 " : "HTTP/1.1 200 "));
        if (cases[i].status != 304)
            continue;
        assert_true(peer_has(peer, etag));
        assert_false(peer_has(peer, "Content-"));
        assert_string_equal(peer->data + peer->size - 4, "\r\n\r\n");
    }
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000000000 } };
    assert_int_equal(utimensat(AT_FDCWD, at("www/docs/index.html"), times, 0), 0);
    peer_forget(peer);
    snprintf(field, sizeof field, "If-None-Match: %s\r\n", etag);
    peer_say(peer, request("GET", "/docs/", field));
    assert_true(peer_heard(peer, "HTTP/1.1 200 "));
    bed_done(&bed);
}

/* ---- What never is ---------------------------------------------------------------------------------- */

static void test_what_is_not_served(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/nothing",
        "/docs/nothing",
        "/index.html/",
        "/index.html/x",
        "/fifo",
        "/socket",
        "/link.txt",
        "/linked",
        "/linked/",
        "/linked/index.html",
        "/inside.html",
        "/.hidden",
        "/.git/config",
        "/docs/.",
        "/docs/..",
        /* Ways out, as many as people have found to spell them. */
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/..%2fsecret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/....//secret.txt",
        "/.%00./secret.txt",
        "/index.html%00.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/.%2e/secret.txt",
        "//secret.txt",
        "/docs//index.html",
        "/other/place/../index.html",
        "/other/place/..%2findex.html",
        "/docs%2findex.html",
        "/docs%2f..%2f..%2fsecret.txt",
        "/%2fetc/passwd",
        "/;/../secret.txt",
    };
    struct bed bed;
    begin(&bed);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct peer *peer = get(&bed, paths[i], "");
        if (!peer_heard(peer, "HTTP/1.1 404 ") && !peer_heard(peer, "HTTP/1.1 400 "))
            fail_msg("%s -> %.*s", paths[i], (int)peer->size, peer->data);
        assert_false(peer_has(peer, "SECRET"));
    }
    char path[1200] = "/";
    memset(path + 1, 'a', 300);
    assert_true(peer_heard(get(&bed, path, ""), "HTTP/1.1 404 "));
    for (size_t i = 0; i < 500; i++)
        memcpy(path + 2 * i, "/a", 3);
    assert_true(peer_heard(get(&bed, path, ""), "HTTP/1.1 404 "));
    if (geteuid() != 0)
        assert_true(peer_heard(get(&bed, "/locked", ""), "HTTP/1.1 404 "));
    bed_done(&bed);
}

static void test_mounting(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed, NULL);
    assert_int_equal(swale_server_files(bed.server, "/", at("nowhere")), -ENOENT);
    assert_int_equal(swale_server_files(bed.server, "/", at("secret.txt")), -ENOTDIR);
    assert_int_equal(swale_server_files(bed.server, "files", root), SWALE_ERR_INVALID);
    assert_int_equal(swale_server_files(bed.server, "/{a}b/", root), SWALE_ERR_ROUTE);
    assert_int_equal(swale_server_files(bed.server, "/a", root), 0);
    assert_int_equal(swale_server_files(bed.server, "/a/", root), SWALE_ERR_ROUTE);
    bed_start(&bed);
    assert_int_equal(swale_server_files(bed.server, "/b", root), SWALE_ERR_STATE);
    assert_true(peer_has(get(&bed, "/a/", ""), "<p>root"));
    assert_true(peer_heard(get(&bed, "/", ""), "HTTP/1.1 404 "));
    bed_done(&bed);
}

/* ---- Large files ------------------------------------------------------------------------------------ */

static void check_huge(const struct peer *peer)
{
    const char *body = memmem(peer->data, peer->size, "\r\n\r\n", 4);
    assert_non_null(body);
    body += 4;
    assert_int_equal(peer->data + peer->size - body, HUGE_SIZE);
    for (size_t i = 0; i < HUGE_SIZE; i += 997)
        assert_int_equal(body[i], 'a' + i % 23);
}

static void test_slow_reader_costs_little(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    size_t before = bed.loop.memory.bytes;
    struct peer *peer = bed_connect(&bed);
    peer_pause(peer);
    bed.loop.memory.peak = 0;
    char text[512];
    strcpy(text, request("GET", "/huge.bin", ""));
    strcat(text, request("GET", "/nothing", "Connection: close\r\n"));
    peer_say(peer, text);
    test_loop_advance(&bed.loop, 5000);
    assert_in_range(bed.loop.memory.bytes - before, 64 * 1024, 400 * 1024);
    peer_resume(peer);
    assert_true(bed.loop.memory.peak - before < 400 * 1024);
    assert_true(peer_has(peer, "HTTP/1.1 404 ")); /* the request behind it had its turn */
    assert_true(peer->ended);
    peer->size = (size_t)((char *)memmem(peer->data, peer->size, "HTTP/1.1 404 ", 13) - peer->data);
    check_huge(peer);
    bed_done(&bed);
}

static void test_reader_that_stops(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_pause(peer);
    peer_say(peer, request("GET", "/huge.bin", ""));
    test_loop_advance(&bed.loop, 10001);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_SLOW_READER), 1);
    peer_resume(peer);
    assert_true(peer_over(peer));
    bed_done(&bed);
}

/* What was promised cannot be kept: the connection ends rather than wait or lie. */
static void test_file_that_shrinks(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    char *copy = calloc(1, 1000000);
    put("www/shrinking", copy, 1000000);
    free(copy);
    struct peer *peer = bed_connect(&bed);
    peer_pause(peer);
    peer_say(peer, request("GET", "/shrinking", ""));
    assert_int_equal(truncate(at("www/shrinking"), 300000), 0);
    peer_resume(peer);
    assert_true(peer->failed);
    assert_true(peer->size < 400000);
    assert_int_equal(bed_refused(&bed, SWALE_ERR_INTERNAL), 1);
    bed_done(&bed);
}

/* The file that is on its way goes out whole; then the connection ends. */
static void test_drain_finishes_a_file(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    peer_pause(peer);
    peer_say(peer, request("GET", "/huge.bin", ""));
    swale_server_stop(bed.server);
    test_loop_settle(&bed.loop);
    assert_int_equal(swale_server_wait(bed.server), SWALE_ERR_STATE);
    peer_resume(peer);
    assert_true(peer->size > HUGE_SIZE);
    assert_true(peer->ended);
    peer_close(peer, false);
    assert_int_equal(swale_server_wait(bed.server), 0);
    bed_done(&bed);
}

/* That this process is out of descriptors says nothing about the file: not "not found". */
static void test_no_descriptor_is_left(void **state)
{
    (void)state;
    struct bed bed;
    struct rlimit before;
    begin(&bed);
    struct peer *peer = bed_connect(&bed);
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = { .rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    peer_say(peer, request("GET", "/docs/none", ""));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(peer_heard(peer, "HTTP/1.1 503 "));
    peer = bed_connect(&bed);
    peer_say(peer, request("GET", "/docs/none", ""));
    assert_true(peer_heard(peer, "HTTP/1.1 200 "));
    bed_done(&bed);
}

static bool memory_run(uint64_t n)
{
    struct bed bed;
    begin(&bed);
    bed.loop.memory.allocations = 0;
    bed.loop.memory.fail_at = n;
    struct peer *peer = bed_connect_quietly(&bed);
    if (peer) {
        test_loop_settle(&bed.loop);
        peer_say(peer, request("GET", "/docs/", ""));
        if (!peer_over(peer))
            assert_true(peer_has(peer, "<p>docs") || peer_heard(peer, "HTTP/1.1 503 "));
    }
    bool reached = bed.loop.memory.allocations >= n;
    bed_done(&bed);
    return reached;
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1; memory_run(n); n++)
        ;
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

static void test_descriptors_come_back(void **state)
{
    size_t before = count_descriptors();
    test_files(state);
    test_what_is_not_served(state);
    test_reader_that_stops(state);
    test_file_that_shrinks(state);
    test_memory_fails(state);
    test_mounting(state);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_directory_without_slash),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_what_is_not_served),
        cmocka_unit_test(test_mounting),
        cmocka_unit_test(test_slow_reader_costs_little),
        cmocka_unit_test(test_reader_that_stops),
        cmocka_unit_test(test_file_that_shrinks),
        cmocka_unit_test(test_drain_finishes_a_file),
        cmocka_unit_test(test_no_descriptor_is_left),
        cmocka_unit_test(test_memory_fails),
        cmocka_unit_test(test_descriptors_come_back),
    };
    return bed_run(tests, make_files, remove_files);
}
