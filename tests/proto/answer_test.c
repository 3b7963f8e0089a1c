#include "test.h"

#include "guard.h"
#include "heads.h"

static const struct swale_upgrade plain = { .key = { "dGhlIHNhbXBsZSBub25jZQ==", 24 } };

#define ANSWER                                                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                              \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static void check_answer(const struct swale_upgrade *upgrade, const char *subprotocol,
                         const struct swale_field *extra, size_t extra_count, const char *expected)
{
    size_t size = strlen(expected);
    for (size_t capacity = 0; capacity <= size; capacity++) {
        char *out = guard_copy(expected, capacity);
        ptrdiff_t result = swale_upgrade_answer(upgrade, swale_text(subprotocol), extra, extra_count, out, capacity);
        assert_int_equal(result, capacity < size ? SWALE_ERR_TOO_SMALL : (ptrdiff_t)size);
        if (result > 0)
            assert_memory_equal(out, expected, size);
        guard_free(out, capacity);
    }
}

static void test_upgrade_answer(void **state)
{
    (void)state;
    check_answer(&plain, NULL, NULL, 0, ANSWER "\r\n");
    check_answer(&plain, "", NULL, 0, ANSWER "\r\n");
    static const struct swale_field extra[] = { { { "Server", 6 }, { "swale", 5 } }, { { "X", 1 }, { "", 0 } } };
    struct swale_upgrade deflating = plain;
    deflating.deflate = true;
    deflating.deflate_params = (struct swale_deflate_params){ true, false, 15, 15 };
    check_answer(&deflating, "chat", extra, 2,
                 ANSWER "Sec-WebSocket-Protocol: chat\r\n"
                        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
                        "Server: swale\r\nX: \r\n\r\n");
}

static void test_upgrade_answer_refuses(void **state)
{
    (void)state;
    char out[1024];
    static const char *const subprotocols[] = { "a b", "a,b", "a\r\nX: y", "\xc3\xa9" };
    for (size_t i = 0; i < COUNT_OF(subprotocols); i++)
        assert_int_equal(swale_upgrade_answer(&plain, swale_text(subprotocols[i]), NULL, 0, out, sizeof out),
                         SWALE_ERR_INVALID);
    static const char *const names[] = { "Upgrade",
                                         "connection",
                                         "Content-Length",
                                         "transfer-encoding",
                                         "Sec-WebSocket-Accept",
                                         "sec-websocket-extensions",
                                         "sec-websocket-protocol",
                                         "X\r\nY",
                                         "" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct swale_field extra = { swale_text(names[i]), swale_text("x") };
        assert_int_equal(swale_upgrade_answer(&plain, swale_text(NULL), &extra, 1, out, sizeof out),
                         SWALE_ERR_INVALID);
    }
    struct swale_field split = { swale_text("X"), swale_text("a\r\nSet-Cookie: b=c") };
    assert_int_equal(swale_upgrade_answer(&plain, swale_text(NULL), &split, 1, out, sizeof out), SWALE_ERR_INVALID);
    struct swale_upgrade unchecked = { 0 };
    assert_int_equal(swale_upgrade_answer(&unchecked, swale_text(NULL), NULL, 0, out, sizeof out), SWALE_ERR_INVALID);
}

static void check_head(int status, const struct swale_field *fields, size_t count, uint64_t body, bool keep_alive,
                       const char *expected)
{
    size_t size = strlen(expected);
    for (size_t capacity = 0; capacity <= size; capacity++) {
        char *out = guard_copy(expected, capacity);
        ptrdiff_t result = swale_answer_head(status, fields, count, body, keep_alive, out, capacity);
        assert_int_equal(result, capacity < size ? SWALE_ERR_TOO_SMALL : (ptrdiff_t)size);
        if (result > 0)
            assert_memory_equal(out, expected, size);
        guard_free(out, capacity);
    }
}

static void test_heads(void **state)
{
    (void)state;
    static const struct swale_field type = { { "Content-Type", 12 }, { "text/plain", 10 } };
    check_head(200, &type, 1, 5, true, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
    check_head(404, NULL, 0, 0, false, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    check_head(299, NULL, 0, 0, true, "HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\n\r\n");
    check_head(200, NULL, 0, UINT64_MAX, true, "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n");
    check_head(100, NULL, 0, 0, true, "HTTP/1.1 100 Continue\r\n\r\n");
    check_head(204, NULL, 0, 0, true, "HTTP/1.1 204 No Content\r\n\r\n");
    check_head(304, NULL, 0, 9, true, "HTTP/1.1 304 Not Modified\r\n\r\n");
}

static void test_obligations(void **state)
{
    (void)state;
    check_head(426, NULL, 0, 0, false,
               "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Connection: Upgrade, close\r\nContent-Length: 0\r\n\r\n");
    check_head(426, NULL, 0, 0, true,
               "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Connection: Upgrade\r\nContent-Length: 0\r\n\r\n");
    static const struct swale_field own[] = { { { "upgrade", 7 }, { "h2c", 3 } } };
    check_head(426, own, 1, 0, true,
               "HTTP/1.1 426 Upgrade Required\r\nupgrade: h2c\r\nSec-WebSocket-Version: 13\r\n"
               "Connection: Upgrade\r\nContent-Length: 0\r\n\r\n");
    check_head(405, NULL, 0, 0, true, "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n");
    static const struct swale_field allow[] = { { { "Allow", 5 }, { "GET, HEAD", 9 } } };
    check_head(405, allow, 1, 0, true,
               "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n\r\n");
}

static void test_heads_refuse(void **state)
{
    (void)state;
    char out[256];
    static const int statuses[] = { -1, 0, 99, 600, 1000 };
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        assert_int_equal(swale_answer_head(statuses[i], NULL, 0, 0, true, out, sizeof out), SWALE_ERR_INVALID);
    static const char *const names[] = { "Content-Length", "Transfer-Encoding", "Connection", "X Y" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct swale_field field = { swale_text(names[i]), swale_text("1") };
        assert_int_equal(swale_answer_head(200, &field, 1, 0, true, out, sizeof out), SWALE_ERR_INVALID);
    }
}

/* Every status that an error of ours leads to has its phrase. */
static void test_status_texts(void **state)
{
    (void)state;
    assert_string_equal(swale_status_text(101), "Switching Protocols");
    assert_string_equal(swale_status_text(700), "Unknown");
    for (int slot = 1; slot < SWALE_ERROR_SLOTS; slot++) {
        int status = swale_error_http_status(swale_error_at(slot));
        if (status != 0)
            assert_string_not_equal(swale_status_text(status), "Unknown");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upgrade_answer), cmocka_unit_test(test_upgrade_answer_refuses),
        cmocka_unit_test(test_heads),          cmocka_unit_test(test_obligations),
        cmocka_unit_test(test_heads_refuse),   cmocka_unit_test(test_status_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
