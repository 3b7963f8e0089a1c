#include "test.h"

#include "app/connect/show.h"

#include <string.h>

static const char *shown(const struct show *show, enum swale_kind kind, const char *text)
{
    static char out[512];
    struct buffer buffer = { 0 };
    struct swale_message message = { .kind = kind, .data = swale_text(text) };
    assert_true(show_message(show, &message, &buffer));
    buffer_put(&buffer, swale_span("", 1));
    assert_true(buffer.size <= sizeof out);
    memcpy(out, buffer.data, buffer.size);
    buffer_done(&buffer);
    return out;
}

static void leaves_messages_whole_for_programs(void **state)
{
    (void)state;
    struct show pipe = { 0 };
    assert_string_equal(shown(&pipe, SWALE_TEXT, "\033[2J\n"), "\033[2J\n\n");
    assert_string_equal(shown(&pipe, SWALE_BINARY, "\033"), "\033\n");
    pipe.json = true;
    assert_string_equal(shown(&pipe, SWALE_TEXT, "[1]"), "[\n  1\n]\n");
    assert_string_equal(shown(&pipe, SWALE_TEXT, "[1"), "[1\n");
    assert_string_equal(shown(&pipe, SWALE_BINARY, "[1]"), "[1]\n");
}

static void escapes_for_people(void **state)
{
    (void)state;
    struct show eyes = { .terminal = true };
    assert_string_equal(shown(&eyes, SWALE_TEXT, "\033[2J\nx"), "\\x1b[2J\nx\n");
    assert_string_equal(shown(&eyes, SWALE_BINARY, "\033"),
                        "0000  1b                                                .\n");
    eyes.json = true;
    assert_string_equal(shown(&eyes, SWALE_TEXT, "[\"\\u001b\"]"), "[\n  \"\\u001b\"\n]\n");
    eyes.raw = true;
    assert_string_equal(shown(&eyes, SWALE_BINARY, "\033"), "\033\n");
}

static void marks_at_a_prompt(void **state)
{
    (void)state;
    struct show prompt = { .terminal = true, .prompt = true };
    assert_string_equal(shown(&prompt, SWALE_TEXT, "a\n< b"), "< a\n  < b\n");
    prompt.json = true;
    assert_string_equal(shown(&prompt, SWALE_TEXT, "[1]"), "< [\n    1\n  ]\n");
    prompt.colours = true;
    assert_string_equal(shown(&prompt, SWALE_TEXT, "a"), "\033[36m<\033[0m a\n");
}

static void shows_control_frames(void **state)
{
    (void)state;
    struct buffer out = { 0 };
    show_control("ping", swale_span(NULL, 0), &out);
    buffer_puts(&out, "|");
    show_control("pong", swale_text("a\033"), &out);
    buffer_put(&out, swale_span("", 1));
    assert_string_equal(out.data, "ping|pong \"a\\x1b\"");
    buffer_done(&out);
}

static void check_failure(const struct swale_client_failure *failure, const char *expected)
{
    struct buffer out = { 0 };
    show_failure(failure, &out);
    buffer_put(&out, swale_span("", 1));
    assert_string_equal(out.data, expected);
    buffer_done(&out);
}

static void names_what_failed(void **state)
{
    (void)state;
    check_failure(&(struct swale_client_failure){ .reason = SWALE_ERR_RESOLVE, .text = "resolve x\033: no" },
                  "resolve x\\x1b: no");
    struct swale_field fields[] = { { { "Content-Type", 12 }, { "text/plain; charset=utf-8", 25 } },
                                    { { "Location", 8 }, { "/x\x1b", 3 } } };
    struct swale_response response = {
        .status = 401, .reason = { "No\x1bWay", 6 }, .fields = fields, .field_count = 2
    };
    struct swale_client_failure failure = {
        .reason = SWALE_ERR_ANSWER_STATUS,
        .text = "unused",
        .response = &response,
        .body = swale_text("Who are\x1b you?\r\nmore"),
    };
    check_failure(&failure, "refused with 401 No\\x1bWay: Who are\\x1b you?");
    response.reason.size = 0;
    response.field_count = 0;
    check_failure(&failure, "refused with 401 Unauthorized");
    response.status = 302;
    response.field_count = 2;
    check_failure(&failure, "refused with 302 Found, which leads to /x\\x1b");
}

static void check_close(const struct swale_close *close, const char *expected)
{
    struct buffer out = { 0 };
    show_close(close, &out);
    buffer_put(&out, swale_span("", 1));
    assert_string_equal(out.data, expected);
    buffer_done(&out);
}

static void names_how_it_closed(void **state)
{
    (void)state;
    check_close(&(struct swale_close){ SWALE_ERR_PEER_CLOSED, 1008, { "no\033", 3 }, true },
                "closed by the server with 1008: no\\x1b");
    check_close(&(struct swale_close){ SWALE_ERR_PEER_CLOSED, 1005, { NULL, 0 }, true },
                "closed by the server without a code");
    check_close(&(struct swale_close){ SWALE_ERR_LOCAL_CLOSED, 1000, { NULL, 0 }, true },
                "closed; the server answered with 1000");
    check_close(&(struct swale_close){ SWALE_ERR_PEER_GONE, 1006, { NULL, 0 }, false },
                "the connection was lost: the transport ended without a closing handshake");
    check_close(&(struct swale_close){ SWALE_ERR_FRAME_MASK, 1006, { NULL, 0 }, false },
                "the server broke the protocol or a limit: a client's frame is not masked, or a server's is");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_messages_whole_for_programs),
        cmocka_unit_test(escapes_for_people),
        cmocka_unit_test(marks_at_a_prompt),
        cmocka_unit_test(shows_control_frames),
        cmocka_unit_test(names_what_failed),
        cmocka_unit_test(names_how_it_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
