#include "test.h"

#include "heads.h"

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char *const subprotocols[] = { "chat", "superchat" };

static struct swale_upgrade_request base_request(void)
{
    return (struct swale_upgrade_request){ .host = swale_text("example.com:8080"),
                                           .target = swale_text("/chat?x=1") };
}

#define UPGRADE                                                                                                      \
    "Host: example.com:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                                        \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static void check_written(const struct swale_upgrade_request *request, const char *expected)
{
    size_t size = strlen(expected);
    for (size_t capacity = 0; capacity <= size; capacity++) {
        char *out = guard_copy(expected, capacity);
        ptrdiff_t result = swale_upgrade_write(request, key, out, capacity);
        assert_int_equal(result, capacity < size ? SWALE_ERR_TOO_SMALL : (ptrdiff_t)size);
        if (result > 0)
            assert_memory_equal(out, expected, size);
        guard_free(out, capacity);
    }
    /* A server of ours takes it. */
    struct heads_held *held = heads_hold(expected, true);
    struct swale_deflate_policy policy = { .enabled = true };
    struct swale_upgrade upgrade;
    assert_int_equal(swale_upgrade_check(&held->request, &policy, &upgrade), 0);
    assert_int_equal(upgrade.deflate, request->deflate.enabled);
    heads_done(held);
}

static void test_write(void **state)
{
    (void)state;
    struct swale_upgrade_request request = base_request();
    check_written(&request, "GET /chat?x=1 HTTP/1.1\r\n" UPGRADE "\r\n");
    request.target = swale_text("?token=1");
    check_written(&request, "GET /?token=1 HTTP/1.1\r\n" UPGRADE "\r\n");
    static const struct swale_field extra[] = { { { "Origin", 6 }, { "http://a", 8 } },
                                                { { "Cookie", 6 }, { "b=c", 3 } } };
    request.target = swale_text("/");
    request.subprotocols = subprotocols;
    request.subprotocol_count = 2;
    request.deflate.enabled = true;
    request.deflate.server_context_takeover = true;
    request.deflate.client_context_takeover = true;
    request.extra = extra;
    request.extra_count = 2;
    check_written(&request, "GET / HTTP/1.1\r\n" UPGRADE "Sec-WebSocket-Protocol: chat, superchat\r\n"
                            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                            "Origin: http://a\r\nCookie: b=c\r\n\r\n");
}

static void check_invalid(const struct swale_upgrade_request *request)
{
    char out[1024];
    assert_int_equal(swale_upgrade_write(request, key, out, sizeof out), SWALE_ERR_INVALID);
}

static void test_write_refuses(void **state)
{
    (void)state;
    static const char *const hosts[] = { "", "a b", "a\r\nX: y", "a/b", "user@a", "a:", "a:99999" };
    static const char *const targets[] = { "", "x", "/a b", "/a#b", "/\r\nX: y", "/\xc3\xa9", "http://a/" };
    static const char *const names[] = { "Host",
                                         "Upgrade",
                                         "connection",
                                         "Content-Length",
                                         "Transfer-Encoding",
                                         "Sec-WebSocket-Key",
                                         "Sec-WebSocket-Version",
                                         "Sec-WebSocket-Protocol",
                                         "sec-websocket-extensions",
                                         "X:" };
    static const char *const bad_subprotocols[][2] = {
        { "chat", "chat" }, { "a b", "c" }, { "", "c" }, { "a", "b,c" }
    };
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        struct swale_upgrade_request request = base_request();
        request.host = swale_text(hosts[i]);
        check_invalid(&request);
    }
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct swale_upgrade_request request = base_request();
        request.target = swale_text(targets[i]);
        check_invalid(&request);
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct swale_upgrade_request request = base_request();
        struct swale_field field = { swale_text(names[i]), swale_text("1") };
        request.extra = &field;
        request.extra_count = 1;
        check_invalid(&request);
    }
    for (size_t i = 0; i < COUNT_OF(bad_subprotocols); i++) {
        struct swale_upgrade_request request = base_request();
        request.subprotocols = bad_subprotocols[i];
        request.subprotocol_count = 2;
        check_invalid(&request);
    }
    struct swale_upgrade_request request = base_request();
    char out[1024];
    assert_int_equal(swale_upgrade_write(&request, "not a key, twenty four b", out, sizeof out), SWALE_ERR_INVALID);
}

#define ANSWER  "HTTP/1.1 101 Switching Protocols\r\n"
#define FIELDS  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define ACCEPT  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"

/* Verifies an answer to a request for both subprotocols and compression. */
static int verify(const char *head, struct swale_upgrade_result *result, char subprotocol[32])
{
    struct swale_upgrade_request request = base_request();
    request.subprotocols = subprotocols;
    request.subprotocol_count = 2;
    request.deflate = (struct swale_deflate_policy){ true, true, true, 0, 0 };
    struct heads_held *held = heads_hold(head, false);
    int error = swale_upgrade_verify(&held->response, &request, key, result);
    snprintf(subprotocol, 32, "%.*s", (int)result->subprotocol.size,
             result->subprotocol.size ? result->subprotocol.data : "");
    heads_done(held);
    return error;
}

static void test_verify(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool deflate;
        const char *subprotocol;
    } cases[] = {
        { ANSWER FIELDS ACCEPT "\r\n", false, "" },
        { ANSWER FIELDS ACCEPT DEFLATE "Sec-WebSocket-Protocol: chat\r\n\r\n", true, "chat" },
        { "HTTP/1.1 101 \r\n" FIELDS ACCEPT "sec-websocket-protocol:superchat\r\n\r\n", false, "superchat" },
        { ANSWER "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n"
                 "sec-websocket-accept: \ts3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n\r\n",
          false, "" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_upgrade_result result;
        char subprotocol[32];
        assert_int_equal(verify(cases[i].head, &result, subprotocol), 0);
        assert_int_equal(result.deflate, cases[i].deflate);
        assert_string_equal(subprotocol, cases[i].subprotocol);
    }
}

static void test_verify_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int error;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\n" FIELDS ACCEPT "\r\n", SWALE_ERR_ANSWER_STATUS },
        { "HTTP/1.1 403 Forbidden\r\n\r\n", SWALE_ERR_ANSWER_STATUS },
        { "HTTP/1.0 404 Not Found\r\n\r\n", SWALE_ERR_ANSWER_STATUS },
        { ANSWER "Connection: Upgrade\r\n" ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
        { ANSWER "Upgrade: websocket\r\n" ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
        { ANSWER "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
        { ANSWER FIELDS "Upgrade: websocket\r\n" ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
        { ANSWER "Upgrade: websocket\r\nConnection: close\r\n" ACCEPT "\r\n", SWALE_ERR_ANSWER_FIELDS },
        { ANSWER FIELDS "\r\n", SWALE_ERR_ANSWER_ACCEPT },
        { ANSWER FIELDS ACCEPT ACCEPT "\r\n", SWALE_ERR_ANSWER_ACCEPT },
        { ANSWER FIELDS "Sec-WebSocket-Accept:\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
        { ANSWER FIELDS "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
        { ANSWER FIELDS "Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n\r\n", SWALE_ERR_ANSWER_ACCEPT },
        { ANSWER FIELDS ACCEPT "Sec-WebSocket-Extensions: other\r\n\r\n", SWALE_ERR_ANSWER_EXTENSIONS },
        { ANSWER FIELDS ACCEPT DEFLATE DEFLATE "\r\n", SWALE_ERR_ANSWER_EXTENSIONS },
        { ANSWER FIELDS ACCEPT "Sec-WebSocket-Protocol: Chat\r\n\r\n", SWALE_ERR_ANSWER_SUBPROTOCOL },
        { ANSWER FIELDS ACCEPT "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n", SWALE_ERR_ANSWER_SUBPROTOCOL },
        { ANSWER FIELDS ACCEPT "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
          SWALE_ERR_ANSWER_SUBPROTOCOL },
        { ANSWER FIELDS ACCEPT "Sec-WebSocket-Protocol:\r\n\r\n", SWALE_ERR_ANSWER_SUBPROTOCOL },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_upgrade_result result;
        char subprotocol[32];
        int error = verify(cases[i].head, &result, subprotocol);
        if (error != cases[i].error)
            print_error("%s\n", cases[i].head);
        assert_int_equal(error, cases[i].error);
    }
}

/* What was not asked for must not come (RFC 6455 section 4.1). */
static void test_nothing_unasked(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int error;
    } cases[] = {
        { ANSWER FIELDS ACCEPT "\r\n", 0 },
        { ANSWER FIELDS ACCEPT DEFLATE "\r\n", SWALE_ERR_ANSWER_EXTENSIONS },
        { ANSWER FIELDS ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n", SWALE_ERR_ANSWER_SUBPROTOCOL },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_upgrade_request request = base_request();
        struct swale_upgrade_result result;
        struct heads_held *held = heads_hold(cases[i].head, false);
        assert_int_equal(swale_upgrade_verify(&held->response, &request, key, &result), cases[i].error);
        heads_done(held);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),          cmocka_unit_test(test_write_refuses),   cmocka_unit_test(test_verify),
        cmocka_unit_test(test_verify_refuses), cmocka_unit_test(test_nothing_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
