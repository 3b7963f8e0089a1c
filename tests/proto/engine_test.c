/* What an engine sends, and how it ends. What it receives is in receive_test.c, when in deadline_test.c. */
#include "wire.h"

static struct swale_engine open_engine(const struct swale_engine_config *config, bool deflate)
{
    struct swale_engine engine;
    swale_engine_init(&engine, config, 0);
    swale_engine_open(&engine, deflate, 0);
    return engine;
}

static void assert_bytes(const char *bytes, int size, const char *hex)
{
    assert_int_equal(size * 2, strlen(hex));
    for (int i = 0; i < size; i++)
        assert_int_equal((unsigned char)bytes[i], wire_hex(hex + 2 * i));
}

/* ---- Sending messages ------------------------------------------------------------------------------- */

static void a_server_sends_bare_headers(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, true);
    char header[SWALE_HEADER_MAX];
    int size = swale_engine_send(&engine, SWALE_TEXT, false, true, 5, 0, header, NULL);
    assert_bytes(header, size, "8105");
    size = swale_engine_send(&engine, SWALE_BINARY, true, true, 256, 0, header, NULL);
    assert_bytes(header, size, "c27e0100");
    size = swale_engine_send(&engine, SWALE_BINARY, false, true, 65536, 0, header, NULL);
    assert_bytes(header, size, "827f0000000000010000");
}

static void a_client_sends_a_key(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_CLIENT);
    struct swale_engine engine = open_engine(&config, false);
    char header[SWALE_HEADER_MAX];
    unsigned char mask[4] = { 0 };
    int size = swale_engine_send(&engine, SWALE_TEXT, false, true, 5, 0, header, mask);
    assert_bytes(header, size, "81855a5a5a5a");
    assert_memory_equal(mask, "\x5a\x5a\x5a\x5a", 4);
    size = swale_engine_send(&engine, SWALE_BINARY, false, true, 65536, 0, header, mask);
    assert_bytes(header, size, "82ff00000000000100005a5a5a5a");
}

/* RFC 6455 section 5.4, RFC 7692 section 6.1 */
static void fragments_continue(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, true);
    char header[SWALE_HEADER_MAX];
    int size = swale_engine_send(&engine, SWALE_TEXT, true, false, 3, 0, header, NULL);
    assert_bytes(header, size, "4103");
    size = swale_engine_send(&engine, SWALE_TEXT, true, false, 0, 0, header, NULL);
    assert_bytes(header, size, "0000");
    size = swale_engine_send(&engine, SWALE_TEXT, true, true, 2, 0, header, NULL);
    assert_bytes(header, size, "8002");
    size = swale_engine_send(&engine, SWALE_BINARY, false, true, 1, 0, header, NULL);
    assert_bytes(header, size, "8201");
}

static void a_message_keeps_its_kind(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    char header[SWALE_HEADER_MAX];
    assert_int_equal(swale_engine_send(&engine, SWALE_TEXT, false, false, 3, 0, header, NULL), 2);
    assert_int_equal(swale_engine_send(&engine, SWALE_BINARY, false, true, 3, 0, header, NULL), SWALE_ERR_STATE);
    assert_int_equal(swale_engine_sent_whole(&engine, 0), SWALE_ERR_STATE);
    /* Nothing changed. */
    int size = swale_engine_send(&engine, SWALE_TEXT, false, true, 3, 0, header, NULL);
    assert_bytes(header, size, "8003");
    assert_int_equal(swale_engine_sent_whole(&engine, 0), 0);
}

static void send_arguments_are_checked(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    char header[SWALE_HEADER_MAX];
    uint64_t most = INT64_MAX;
    assert_int_equal(swale_engine_send(&engine, SWALE_TEXT, true, true, 3, 0, header, NULL), SWALE_ERR_STATE);
    assert_int_equal(swale_engine_send(&engine, (enum swale_kind)3, false, true, 3, 0, header, NULL),
                     SWALE_ERR_INVALID);
    assert_int_equal(swale_engine_send(&engine, SWALE_TEXT, false, true, most + 1, 0, header, NULL),
                     SWALE_ERR_INVALID);
    assert_int_equal(swale_engine_send(&engine, SWALE_TEXT, false, true, most, 0, header, NULL), 10);
}

/* What is shared by many is not masked: a client cannot send it. */
static void a_client_sends_nothing_shared(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_CLIENT);
    struct swale_engine engine = open_engine(&config, false);
    assert_int_equal(swale_engine_sent_whole(&engine, 0), SWALE_ERR_STATE);
}

static void pings(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    char frame[SWALE_CONTROL_MAX], payload[126] = { 0 };
    int size = swale_engine_ping(&engine, swale_text("hi"), frame);
    assert_bytes(frame, size, "89026869");
    assert_int_equal(swale_engine_ping(&engine, swale_span(payload, 125), frame), 127);
    assert_int_equal(swale_engine_ping(&engine, swale_span(payload, 126), frame), SWALE_ERR_INVALID);
}

/* ---- Closing ---------------------------------------------------------------------------------------- */

static void assert_nothing_can_be_sent(struct swale_engine *engine, int error)
{
    char header[SWALE_HEADER_MAX], frame[SWALE_CONTROL_MAX];
    assert_int_equal(swale_engine_send(engine, SWALE_TEXT, false, true, 1, 0, header, NULL), error);
    assert_int_equal(swale_engine_sent_whole(engine, 0), error);
    assert_int_equal(swale_engine_ping(engine, swale_text(""), frame), error);
    assert_int_equal(swale_engine_close(engine, 1000, swale_text(""), 0, frame), error);
}

static void nothing_is_sent_before_the_handshake(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine;
    swale_engine_init(&engine, &config, 0);
    assert_int_equal(swale_engine_phase(&engine), SWALE_HANDSHAKING);
    assert_nothing_can_be_sent(&engine, SWALE_ERR_STATE);
}

/* Gives a script to the engine and returns the log of it, in static memory. */
static const char *receive(struct swale_engine *engine, const char *script)
{
    static struct wire wire;
    static struct wire_log log;
    wire.size = 0;
    wire_script(&wire, script, engine->config->role);
    struct wire_feed feed = { .engine = engine, .log = &log };
    memset(&log, 0, sizeof log);
    feed_bytes(&feed, wire.bytes, wire.size);
    log_shorten(&log);
    return log.text;
}

static void closing_from_here(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    char frame[SWALE_CONTROL_MAX];
    int size = swale_engine_close(&engine, 1001, swale_text("bye"), 0, frame);
    assert_bytes(frame, size, "880503e9627965");
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSING);
    assert_nothing_can_be_sent(&engine, SWALE_ERR_CLOSED);
    assert_string_equal(receive(&engine, "88:03e9"), "(close 1001)");
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);
    assert_nothing_can_be_sent(&engine, SWALE_ERR_CLOSED);
    assert_int_equal(swale_engine_end(&engine), SWALE_ERR_PEER_CLOSED);
}

static void closing_from_there(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    assert_string_equal(receive(&engine, "88:03e8'x'"), "(close 1000 x -> close 1000)");
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);
    assert_nothing_can_be_sent(&engine, SWALE_ERR_CLOSED);
    assert_int_equal(swale_engine_end(&engine), SWALE_ERR_PEER_CLOSED);
}

static void close_arguments_are_checked(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    char frame[SWALE_CONTROL_MAX];
    assert_int_equal(swale_engine_close(&engine, 1005, swale_text(""), 0, frame), SWALE_ERR_INVALID);
    assert_int_equal(swale_engine_close(&engine, 1000, swale_text("\xff"), 0, frame), SWALE_ERR_INVALID);
    assert_int_equal(swale_engine_close(&engine, 0, swale_text("x"), 0, frame), SWALE_ERR_INVALID);
    assert_int_equal(swale_engine_phase(&engine), SWALE_OPEN);
    int size = swale_engine_close(&engine, 0, swale_text(""), 0, frame);
    assert_bytes(frame, size, "8800");
}

static void the_transport_may_end_any_time(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    assert_int_equal(swale_engine_end(&engine), SWALE_ERR_PEER_GONE);
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);

    char frame[SWALE_CONTROL_MAX];
    engine = open_engine(&config, false);
    assert_true(swale_engine_close(&engine, 1000, swale_text(""), 0, frame) > 0);
    assert_int_equal(swale_engine_end(&engine), SWALE_ERR_PEER_GONE);

    engine = open_engine(&config, false);
    assert_string_equal(receive(&engine, "83:"), "(fail frame-opcode -> close 1002)");
    assert_int_equal(swale_engine_end(&engine), SWALE_ERR_PEER_GONE);
}

/* ---- Failing for reasons of the caller's ------------------------------------------------------------ */

static void failing_closes_with_the_errors_code(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    for (int slot = 1; slot < SWALE_ERROR_SLOTS; slot++) {
        int error = swale_error_at(slot), code = swale_error_close_code(error);
        struct swale_engine engine = open_engine(&config, false);
        struct swale_event event;
        swale_engine_fail(&engine, error, 0, &event);
        assert_int_equal(event.type, SWALE_EVENT_FAIL);
        assert_int_equal(event.error, error);
        assert_int_equal(event.close_code, code);
        assert_int_equal(event.reply_size > 0, code > 0);
        if (code > 0) {
            assert_int_equal((unsigned char)event.reply[2] << 8 | (unsigned char)event.reply[3], code);
            assert_memory_equal(event.reply + 4, swale_error_name(error), event.reply_size - 4u);
        }
        assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);
    }
}

static void a_second_close_frame_is_never_made(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_CLIENT);
    struct swale_engine engine = open_engine(&config, false);
    struct swale_event event;
    char frame[SWALE_CONTROL_MAX];
    assert_true(swale_engine_close(&engine, 1000, swale_text(""), 0, frame) > 0);
    swale_engine_fail(&engine, SWALE_ERR_MESSAGE_RATE, 0, &event);
    assert_int_equal(event.type, SWALE_EVENT_FAIL);
    assert_int_equal(event.reply_size, 0);
    swale_engine_fail(&engine, SWALE_ERR_MESSAGE_RATE, 0, &event);
    assert_int_equal(event.reply_size, 0);

    swale_engine_init(&engine, &config, 0);
    swale_engine_fail(&engine, SWALE_ERR_NO_MEMORY, 0, &event); /* no frame before the handshake */
    assert_int_equal(event.reply_size, 0);
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);
}

static void what_follows_a_failure_is_ignored(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false);
    struct swale_event event;
    char bytes[] = "\x83\xff anything";
    swale_engine_fail(&engine, SWALE_ERR_DEFLATE_DATA, 0, &event);
    assert_int_equal(swale_engine_receive(&engine, bytes, sizeof bytes, 0, &event), sizeof bytes);
    assert_int_equal(event.type, SWALE_EVENT_NONE);
    assert_int_equal(event.reply_size, 0);
}

/* ---- Text after inflation --------------------------------------------------------------------------- */

static void inflated_text_is_checked(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, true);
    assert_string_equal(receive(&engine, "c1:'a'"), "text*<a>");
    assert_int_equal(swale_engine_text(&engine, "\xf0\x9f", 2, false), 0);
    assert_int_equal(swale_engine_text(&engine, "\x98\x80", 2, false), 0);
    assert_int_equal(swale_engine_text(&engine, NULL, 0, true), 0);
    /* The next message begins anew, whatever the last one came to. */
    assert_string_equal(receive(&engine, "c1:'b'"), "text*<b>");
    assert_int_equal(swale_engine_text(&engine, "\xf0", 1, true), SWALE_ERR_UTF8);
    assert_string_equal(receive(&engine, "c1:'c'"), "text*<c>");
    assert_int_equal(swale_engine_text(&engine, "a\xff", 2, false), SWALE_ERR_UTF8);
    assert_string_equal(receive(&engine, "c1:'d'"), "text*<d>");
    assert_int_equal(swale_engine_text(&engine, "ok", 2, true), 0);
}

/* ---- Shape ------------------------------------------------------------------------------------------ */

/* An engine may move at any time: it has no pointer into itself. */
static void an_engine_may_move(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine = open_engine(&config, false), moved;
    assert_string_equal(receive(&engine, "01:'Hel'ce"), "text<Hel\\xce");
    moved = engine;
    memset(&engine, 0xff, sizeof engine);
    static struct wire wire;
    static struct wire_log log;
    wire_script(&wire, "80:ba'o'", SWALE_SERVER);
    log.inside = true;
    struct wire_feed feed = { .engine = &moved, .log = &log };
    feed_bytes(&feed, wire.bytes, wire.size);
    assert_string_equal(log.text, "\\xbao>");
}

/* A part tells how much of its frame is still to come, so that room can be made for it. */
static void a_part_tells_what_is_left(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_CLIENT);
    struct swale_engine engine = open_engine(&config, false);
    struct swale_event event;
    char bytes[] = { (char)0x82, 100, 'a', 'b', 'c' };
    assert_int_equal(swale_engine_receive(&engine, bytes, 5, 0, &event), 5);
    assert_int_equal(event.type, SWALE_EVENT_PART);
    assert_int_equal(event.payload.size, 3);
    assert_ptr_equal(event.payload.data, bytes + 2);
    assert_int_equal(event.frame_left, 97);
    assert_true(event.first);
    assert_false(event.last);
    assert_int_equal(swale_engine_receive(&engine, bytes + 2, 3, 0, &event), 3);
    assert_int_equal(event.frame_left, 94);
    assert_false(event.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_sends_bare_headers),
        cmocka_unit_test(a_client_sends_a_key),
        cmocka_unit_test(fragments_continue),
        cmocka_unit_test(a_message_keeps_its_kind),
        cmocka_unit_test(send_arguments_are_checked),
        cmocka_unit_test(a_client_sends_nothing_shared),
        cmocka_unit_test(pings),
        cmocka_unit_test(nothing_is_sent_before_the_handshake),
        cmocka_unit_test(closing_from_here),
        cmocka_unit_test(closing_from_there),
        cmocka_unit_test(close_arguments_are_checked),
        cmocka_unit_test(the_transport_may_end_any_time),
        cmocka_unit_test(failing_closes_with_the_errors_code),
        cmocka_unit_test(a_second_close_frame_is_never_made),
        cmocka_unit_test(what_follows_a_failure_is_ignored),
        cmocka_unit_test(inflated_text_is_checked),
        cmocka_unit_test(an_engine_may_move),
        cmocka_unit_test(a_part_tells_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
