#include "test.h"

#include "heads.h"

#include <time.h>

static const struct swale_deflate_policy deflating = {
    .enabled = true,
    .server_context_takeover = true,
    .client_context_takeover = true,
};

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define GET     "GET /chat HTTP/1.1\r\nHost: example.com\r\n"

static int check(const char *head, struct swale_upgrade *upgrade)
{
    struct heads_held *held = heads_hold(head, true);
    int error = swale_upgrade_check(&held->request, &deflating, upgrade);
    heads_done(held);
    return error;
}

/* The opening handshakes of clients in the field, header for header (subprotocols and the rest shortened). */
static const struct {
    const char *name;
    const char *head;
    bool deflate;
    const char *subprotocol; /* what {"superchat", "chat"} gives */
} clients[] = {
    { "ws",
      "GET /chat HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
      "Connection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
      "Sec-WebSocket-Protocol: chat,superchat\r\nHost: localhost:8080\r\n\r\n",
      true, "superchat" },
    { "faye",
      "GET /chat HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" KEY VERSION
      "Sec-WebSocket-Protocol: chat, other\r\n\r\n",
      false, "chat" },
    { "websocket gem",
      "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: localhost:8080\r\n" VERSION KEY "\r\n",
      false, NULL },
    { "websockets for Python",
      "GET / HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" KEY VERSION
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
      "User-Agent: Python/3.11 websockets/10.4\r\n\r\n",
      true, NULL },
    { "Tornado",
      "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-Websocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-Websocket-Version: 13\r\n"
      "Sec-Websocket-Extensions: permessage-deflate; client_max_window_bits\r\nHost: localhost:8080\r\n"
      "Accept-Encoding: gzip\r\n\r\n",
      true, NULL },
    { "pywebsocket3",
      "GET /chat HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Origin: http://localhost\r\n" KEY VERSION
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
      true, NULL },
    { "JDK HttpClient",
      "GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nContent-Length: 0\r\nHost: localhost:8080\r\n"
      "Upgrade: websocket\r\nUser-Agent: Java-http-client/17\r\n" KEY VERSION "\r\n",
      false, NULL },
    { "Tomcat",
      "GET /chat HTTP/1.1\r\n" KEY "Connection: upgrade\r\nSec-WebSocket-Version: 13\r\nHost: localhost:8080\r\n"
      "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
      true, NULL },
    { "Jetty",
      "GET /chat HTTP/1.1\r\nAccept-Encoding: gzip\r\nUser-Agent: Jetty/9.4\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\n" KEY VERSION "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: other\r\n"
      "Sec-WebSocket-Protocol: chat\r\nHost: localhost:8080\r\n\r\n",
      true, "chat" },
    { "Chromium",
      "GET /chat HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
      "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nUpgrade: websocket\r\n"
      "Origin: http://localhost:8080\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
      "Accept-Language: en-US,en;q=0.9\r\n" KEY
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
      true, NULL },
    { "Firefox",
      "GET /chat HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:153.0)\r\n"
      "Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" VERSION
      "Origin: http://localhost:8080\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" KEY
      "Connection: keep-alive, Upgrade\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\n"
      "Sec-Fetch-Site: same-site\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n",
      true, NULL },
    { "any case",
      "GET /chat HTTP/1.1\r\nHOST: a\r\nUPGRADE: WebSocket\r\ncOnNeCtIoN: keep-alive , uPgRaDe\r\n"
      "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
      false, NULL },
};

static void test_clients_of_the_field(void **state)
{
    (void)state;
    static const char *const supported[] = { "superchat", "chat" };
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        struct heads_outcome outcome = heads_everyway(heads_request, clients[i].head, strlen(clients[i].head));
        assert_int_equal(outcome.result, strlen(clients[i].head));
        struct heads_held *held = heads_hold(clients[i].head, true);
        struct swale_upgrade upgrade;
        assert_true(swale_upgrade_wanted(&held->request));
        assert_int_equal(swale_upgrade_check(&held->request, &deflating, &upgrade), 0);
        assert_int_equal(upgrade.key.size, SWALE_KEY_SIZE);
        assert_int_equal(upgrade.deflate, clients[i].deflate);
        const char *chosen = swale_subprotocol_select(&held->request, supported, COUNT_OF(supported));
        assert_string_equal(chosen ? chosen : "-", clients[i].subprotocol ? clients[i].subprotocol : "-");
        heads_done(held);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int error;
    } cases[] = {
        { "POST /chat HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n", SWALE_ERR_HTTP_METHOD },
        { "PUT /chat HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n", SWALE_ERR_HTTP_METHOD },
        { "HEAD /chat HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n", SWALE_ERR_HTTP_METHOD },
        { "get /chat HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n", SWALE_ERR_HTTP_METHOD },
        { GET UPGRADE KEY VERSION "Content-Length: 1\r\n\r\n", SWALE_ERR_HTTP_BODY },
        { GET UPGRADE KEY VERSION "Transfer-Encoding: chunked\r\n\r\n", SWALE_ERR_HTTP_BODY },
        { GET "Connection: Upgrade\r\n" KEY VERSION "\r\n", SWALE_ERR_UPGRADE_REQUIRED },
        { GET "\r\n", SWALE_ERR_UPGRADE_REQUIRED },
        { GET "Connection: Upgrade\r\nUpgrade: h2c\r\n" KEY VERSION "\r\n", SWALE_ERR_UPGRADE_FIELDS },
        { GET "Connection: Upgrade\r\nUpgrade: websocketx\r\n" KEY VERSION "\r\n", SWALE_ERR_UPGRADE_FIELDS },
        { GET "Connection: Upgrade\r\nUpgrade:\r\n" KEY VERSION "\r\n", SWALE_ERR_UPGRADE_FIELDS },
        { GET "Upgrade: websocket\r\n" KEY VERSION "\r\n", SWALE_ERR_UPGRADE_FIELDS },
        { GET "Connection: keep-alive\r\nUpgrade: websocket\r\n" KEY VERSION "\r\n", SWALE_ERR_UPGRADE_FIELDS },
        { GET "Connection: Upgraded\r\nUpgrade: websocket\r\n" KEY VERSION "\r\n", SWALE_ERR_UPGRADE_FIELDS },
        { GET UPGRADE VERSION "\r\n", SWALE_ERR_UPGRADE_KEY },
        { GET UPGRADE KEY KEY VERSION "\r\n", SWALE_ERR_UPGRADE_KEY },
        { GET UPGRADE "Sec-WebSocket-Key:\r\n" VERSION "\r\n", SWALE_ERR_UPGRADE_KEY },
        { GET UPGRADE "Sec-WebSocket-Key: AAAA\r\n" VERSION "\r\n", SWALE_ERR_UPGRADE_KEY },
        { GET UPGRADE KEY "\r\n", SWALE_ERR_UPGRADE_VERSION },
        { GET UPGRADE KEY VERSION VERSION "\r\n", SWALE_ERR_UPGRADE_VERSION },
        { GET UPGRADE KEY "Sec-WebSocket-Version: 12\r\n\r\n", SWALE_ERR_UPGRADE_VERSION },
        { GET UPGRADE KEY "Sec-WebSocket-Version: 0\r\n\r\n", SWALE_ERR_UPGRADE_VERSION },
        { GET UPGRADE KEY "Sec-WebSocket-Version: 013\r\n\r\n", SWALE_ERR_UPGRADE_VERSION },
        { GET UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n", SWALE_ERR_UPGRADE_VERSION },
        { GET UPGRADE KEY "Sec-WebSocket-Version: 99999999999999999999\r\n\r\n", SWALE_ERR_UPGRADE_VERSION },
        { GET UPGRADE KEY VERSION "Origin: http://a\r\nOrigin: http://b\r\n\r\n", SWALE_ERR_ORIGIN },
        { GET UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a b\r\n\r\n", SWALE_ERR_UPGRADE_SUBPROTOCOL },
        { GET UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a, \"b\"\r\n\r\n", SWALE_ERR_UPGRADE_SUBPROTOCOL },
        { GET UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: /\r\n\r\n",
          SWALE_ERR_UPGRADE_SUBPROTOCOL },
        { GET UPGRADE KEY VERSION "Sec-WebSocket-Extensions: a; b=\"\r\n\r\n", SWALE_ERR_UPGRADE_EXTENSIONS },
        { GET UPGRADE KEY VERSION "Sec-WebSocket-Extensions: permessage-deflate,\r\n"
                                  "Sec-WebSocket-Extensions: /\r\n\r\n",
          SWALE_ERR_UPGRADE_EXTENSIONS },
        { GET UPGRADE KEY VERSION "\r\n", 0 },
        { GET UPGRADE KEY VERSION "Content-Length: 0\r\n\r\n", 0 },
        { GET "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n" KEY VERSION "\r\n", 0 },
        { GET UPGRADE KEY VERSION "Sec-WebSocket-Extensions: permessage-deflate; x\r\n\r\n", 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_upgrade upgrade;
        if (check(cases[i].head, &upgrade) != cases[i].error)
            print_error("%s\n", cases[i].head);
        assert_int_equal(check(cases[i].head, &upgrade), cases[i].error);
        assert_false(upgrade.deflate);
    }
}

static void test_origin(void **state)
{
    (void)state;
    struct heads_held *held = heads_hold(GET UPGRADE KEY VERSION "Origin: https://a.example\r\n\r\n", true);
    struct swale_upgrade upgrade;
    assert_int_equal(swale_upgrade_check(&held->request, &deflating, &upgrade), 0);
    assert_true(upgrade.has_origin);
    assert_span_equal(upgrade.origin, "https://a.example");
    heads_done(held);
    assert_int_equal(check(GET UPGRADE KEY VERSION "\r\n", &upgrade), 0);
    assert_false(upgrade.has_origin);
    assert_int_equal(check(GET UPGRADE KEY VERSION "Origin:\r\n\r\n", &upgrade), 0);
    assert_true(upgrade.has_origin);
    assert_int_equal(upgrade.origin.size, 0);
}

static void test_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool wanted;
    } cases[] = {
        { GET "\r\n", false },
        { GET "Connection: Upgrade\r\n\r\n", false },
        { GET "Upgrade: h2c\r\n\r\n", false },
        { GET "Upgrade: WEBSOCKET\r\n\r\n", true }, /* however little else is right */
        { "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n\r\n", true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct heads_held *held = heads_hold(cases[i].head, true);
        assert_int_equal(swale_upgrade_wanted(&held->request), cases[i].wanted);
        heads_done(held);
    }
}

static void test_subprotocols(void **state)
{
    (void)state;
    struct heads_held *held =
        heads_hold(GET "Sec-WebSocket-Protocol: a,b , c\r\nsec-websocket-protocol: d\r\n\r\n", true);
    assert_true(swale_subprotocol_offered(&held->request, swale_text("d")));
    assert_false(swale_subprotocol_offered(&held->request, swale_text("A")));
    assert_false(swale_subprotocol_offered(&held->request, swale_text("")));
    static const char *const order[] = { "x", "D", "d", "a" };
    assert_string_equal(swale_subprotocol_select(&held->request, order, 4), "d");
    assert_null(swale_subprotocol_select(&held->request, order, 2));
    assert_null(swale_subprotocol_select(&held->request, NULL, 0));
    heads_done(held);
}

/* CVE-2021-32640: what a run of white space costs must not grow with its square. */
static void test_white_space_runs(void **state)
{
    (void)state;
    size_t size = 1 << 20;
    char *value = malloc(size);
    memset(value, ' ', size);
    value[0] = 'a';
    value[size - 1] = 'b';
    struct swale_field field = { swale_text("Sec-WebSocket-Protocol"), swale_span(value, size) };
    struct swale_request request = { .fields = &field, .field_count = 1 };
    clock_t begin = clock();
    assert_false(swale_subprotocol_offered(&request, swale_text("c")));
    for (size_t i = 1; i < size; i += 2)
        value[i] = ',';
    assert_false(swale_subprotocol_offered(&request, swale_text("c")));
    assert_true(clock() - begin < CLOCKS_PER_SEC);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_of_the_field),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_subprotocols),
        cmocka_unit_test(test_white_space_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
