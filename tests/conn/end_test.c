#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const unsigned char mask[4] = { 1, 5, 9, 2 };

static struct harness_options raw_client(int in_flight)
{
    return (struct harness_options){ .raw_client = true, .pair = { .in_flight = in_flight } };
}

static size_t count(struct harness *h)
{
    return swale__conn_group_count(h->groups[SWALE_SERVER]);
}

/* ---- The closing handshake -------------------------------------------------------------------------- */

/* The peer begins: its code is echoed, our side of TCP ends first, and the stream is gone once the peer's has. */
static void test_peer_closes(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t size;
        const char *log, *heard;
    } cases[] = {
        { "", 0, "open close:peer-closed:1005:clean: ", "close: " },
        { "\x03\xe8", 2, "open close:peer-closed:1000:clean: ", "close:1000: " },
        { "\x0f\xa0"
          "see you",
          9, "open close:peer-closed:4000:clean:see you ", "close:4000: " },
    };
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        struct harness h;
        struct harness_options options = raw_client(i & 1);
        harness_init(&h, &options);
        harness_frame(&h, 0x88, cases[i / 2].payload, cases[i / 2].size);
        assert_string_equal(h.server.log, cases[i / 2].log);
        assert_string_equal(harness_heard(&h), cases[i / 2].heard);
        assert_int_equal(h.raw.ends, 1);
        assert_int_equal(h.gone, 1);
        assert_int_equal(h.released, 0);
        assert_int_equal(count(&h), 1);
        recorder_close(&h.raw, false);
        test_loop_settle(&h.loop);
        assert_int_equal(count(&h), 0);
        assert_int_equal(h.released, 1);
        harness_done(&h);
    }
}

/* What answers our last words is still heard, until the peer's close frame: swale_conn_finish. */
static void test_we_finish(void **state)
{
    (void)state;
    for (int finish = 0; finish < 2; finish++) {
        struct harness h;
        struct harness_options options = raw_client(0);
        harness_init(&h, &options);
        harness_frame(&h, 0x01, "be", 2);
        assert_int_equal((finish ? swale_conn_finish : swale_conn_close)(h.server.conn, 1000, NULL), 0);
        assert_int_equal(swale_conn_finish(h.server.conn, 1000, NULL), SWALE_ERR_CLOSED);
        assert_int_equal(swale_conn_send_text(h.server.conn, "more"), SWALE_ERR_CLOSED);
        test_loop_settle(&h.loop);
        harness_frame(&h, 0x80, "fore", 4);
        harness_frame(&h, 0x8a, "p", 1);
        harness_frame(&h, 0x88, "\x03\xe8", 2);
        harness_frame(&h, 0x81, "behind", 6);
        assert_string_equal(h.server.log, finish ? "open text:before pong:p close:local-closed:1000:clean: "
                                                 : "open close:local-closed:1000:clean: ");
        assert_string_equal(harness_heard(&h), "close:1000: ");
        recorder_close(&h.raw, false);
        test_loop_settle(&h.loop);
        harness_done(&h);
    }
}

/* The wait for the peer's close begins anew with each message, and stands still while the application pauses. */
static void test_finishing_waits(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    harness_init(&h, &options);
    uint64_t wait = h.limits.close_wait_ms;
    assert_int_equal(swale_conn_finish(h.server.conn, 1000, NULL), 0);
    for (int i = 0; i < 3; i++) {
        test_loop_advance(&h.loop, wait - 1);
        harness_frame(&h, 0x81, "a", 1);
    }
    swale_conn_pause(h.server.conn);
    harness_frame(&h, 0x81, "b", 1);
    test_loop_advance(&h.loop, 10 * wait);
    assert_string_equal(h.server.log, "open text:a text:a text:a ");
    swale_conn_resume(h.server.conn);
    test_loop_advance(&h.loop, wait - 1);
    assert_string_equal(h.server.log, "open text:a text:a text:a text:b ");
    test_loop_advance(&h.loop, 1);
    assert_string_equal(h.server.log, "open text:a text:a text:a text:b close:close-timeout:1006: ");
    harness_done(&h);
}

/* Without memory for the answer the connection ends, and is not called clean. */
static void test_no_memory_for_the_close_frame(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct harness h;
        struct harness_options options = raw_client(0);
        harness_init(&h, &options);
        recorder_send(&h.raw, ours ? "\x8a\x80\x00\x00\x00\x00" : "\x88\x80\x00\x00\x00\x00", 6);
        h.loop.memory.fail_at = h.loop.memory.allocations + 1;
        if (ours)
            assert_int_equal(swale_conn_close(h.server.conn, 1000, NULL), 0);
        test_loop_settle(&h.loop);
        assert_string_equal(h.server.log, ours ? "open close:local-closed:1006: " : "open close:peer-closed:1005: ");
        assert_int_equal(h.raw.size, 0);
        assert_int_equal(h.raw.ends, 1);
        harness_done(&h);
    }
}

static void test_we_close(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        struct harness_options options = raw_client(in_flight);
        harness_init(&h, &options);
        assert_int_equal(swale_conn_close(h.server.conn, 4321, "done"), 0);
        assert_int_equal(swale_conn_close(h.server.conn, 1000, NULL), SWALE_ERR_CLOSED);
        assert_int_equal(swale_conn_send_text(h.server.conn, "late"), SWALE_ERR_CLOSED);
        assert_int_equal(swale_conn_send_part(h.server.conn, SWALE_TEXT, "late", 4, true), SWALE_ERR_CLOSED);
        assert_int_equal(swale_conn_ping(h.server.conn, swale_span(NULL, 0)), SWALE_ERR_CLOSED);
        test_loop_settle(&h.loop);
        assert_string_equal(harness_heard(&h), "close:4321:done ");
        assert_int_equal(h.raw.ends, 0);
        harness_frame(&h, 0x81, "thrown away", 11);
        harness_frame(&h, 0x89, "thrown away", 11);
        assert_string_equal(h.server.log, "open ");
        harness_frame(&h, 0x88, "\x10\xe1", 2);
        assert_string_equal(h.server.log, "open close:local-closed:4321:clean: ");
        assert_string_equal(harness_heard(&h), "close:4321:done ");
        assert_int_equal(h.raw.ends, 1);
        harness_done(&h);
    }
}

static void test_close_checks_its_arguments(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    char text[125];
    harness_init(&h, &options);
    memset(text, 'x', 124);
    text[124] = 0;
    static const int codes[] = { -1, 1, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000 };
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        assert_int_equal(swale_conn_close(h.server.conn, codes[i], NULL), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_close(h.server.conn, 1000, text), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_close(h.server.conn, 1000, "\xff"), SWALE_ERR_INVALID);
    assert_int_equal(swale_conn_close(h.server.conn, 0, "no code"), SWALE_ERR_INVALID);
    test_loop_settle(&h.loop);
    assert_int_equal(h.raw.size, 0);
    assert_int_equal(swale_conn_close(h.server.conn, 0, NULL), 0);
    test_loop_settle(&h.loop);
    assert_string_equal(harness_heard(&h), "close: ");
    harness_done(&h);
}

/* Close goes behind what is queued, however long that takes. */
static void test_close_behind_the_queue(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        struct harness_options options = raw_client(in_flight);
        options.pair.capacity = 1000;
        harness_init(&h, &options);
        char *data = noise(100000);
        assert_true(swale_conn_send(h.server.conn, SWALE_BINARY, data, 100000) >= 0);
        assert_int_equal(swale_conn_close(h.server.conn, 1000, NULL), 0);
        test_loop_settle(&h.loop);
        harness_frame(&h, 0x88, "\x03\xe8", 2);
        assert_non_null(strstr(harness_heard(&h), " close:1000: "));
        assert_true(h.server.close.clean);
        free(data);
        harness_done(&h);
    }
}

/* Both at once: each sees the other's frame, nobody answers twice. */
static void test_closes_cross(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .pair = { .in_flight = in_flight } });
        assert_int_equal(swale_conn_close(h.server.conn, 4001, "server"), 0);
        assert_int_equal(swale_conn_close(h.client.conn, 4002, "client"), 0);
        test_loop_settle(&h.loop);
        assert_string_equal(h.server.log, "open close:local-closed:4002:clean:client ");
        assert_string_equal(h.client.log, "open close:local-closed:4001:clean:server ");
        assert_int_equal(count(&h), 0);
        assert_int_equal(swale__conn_group_count(h.groups[SWALE_CLIENT]), 0);
        assert_int_equal(counter(&h.counters[SWALE_SERVER].wire_out), 2 + 2 + 6);
        harness_done(&h);
    }
}

/* A client begins; a client is begun with. It lets the server end TCP first. */
static void test_client_closes(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        struct harness h;
        harness_init(&h, &(struct harness_options){ .pair = { .in_flight = which & 1 } });
        bool client = which >> 1;
        swale_conn_send_text(h.server.conn, "last words");
        assert_int_equal(swale_conn_close(client ? h.client.conn : h.server.conn, 1000, NULL), 0);
        test_loop_settle(&h.loop);
        const char *server = client ? "open close:peer-closed:1000:clean: " : "open close:local-closed:1000:clean: ";
        /* A client that closes throws away what comes after. */
        const char *other =
            client ? "open close:local-closed:1000:clean: " : "open text:last words close:peer-closed:1000:clean: ";
        assert_string_equal(h.server.log, server);
        assert_string_equal(h.client.log, other);
        assert_int_equal(count(&h) + swale__conn_group_count(h.groups[SWALE_CLIENT]), 0);
        harness_done(&h);
    }
}

static void test_client_waits_for_the_servers_end(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, &(struct harness_options){ .raw_server = true });
    harness_frame(&h, 0x88, "\x03\xe8", 2);
    assert_string_equal(h.client.log, "open close:peer-closed:1000:clean: ");
    assert_string_equal(harness_heard(&h), "close:1000: ");
    assert_int_equal(h.raw.ends, 0);
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_CLIENT]), 1);
    test_loop_advance(&h.loop, 4999);
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_CLIENT]), 1);
    test_loop_advance(&h.loop, 1);
    assert_int_equal(swale__conn_group_count(h.groups[SWALE_CLIENT]), 0);
    harness_done(&h);
}

/* ---- Peers that do not do their part ---------------------------------------------------------------- */

static void test_close_is_not_answered(void **state)
{
    (void)state;
    for (int chatty = 0; chatty < 2; chatty++) {
        struct harness h;
        struct harness_options options = raw_client(0);
        harness_init(&h, &options);
        swale_conn_close(h.server.conn, 1000, NULL);
        for (int i = 0; i < 49; i++) {
            test_loop_advance(&h.loop, 100);
            if (chatty)
                harness_frame(&h, 0x81, "still here", 10);
        }
        assert_int_equal(h.server.calls[ON_CLOSE], 0);
        test_loop_advance(&h.loop, 100);
        assert_string_equal(h.server.log, "open close:close-timeout:1006: ");
        assert_int_equal(count(&h), 0);
        harness_done(&h);
    }
}

/* It has closed but does not read our answer. */
static void test_answer_is_not_read(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        struct harness_options options = raw_client(in_flight);
        options.pair.capacity = 100;
        harness_init(&h, &options);
        swale__stream_pause(h.raw.stream);
        char data[1000] = { 0 };
        swale_conn_send(h.server.conn, SWALE_BINARY, data, sizeof data);
        harness_frame(&h, 0x88, "\x03\xe8", 2);
        test_loop_advance(&h.loop, 4999);
        assert_string_equal(h.server.log, "open ");
        test_loop_advance(&h.loop, 1);
        assert_string_equal(h.server.log, "open close:close-timeout:1000: ");
        assert_int_equal(count(&h), 0);
        harness_done(&h);
    }
}

/* The handshake is done but the peer does not end TCP. */
static void test_peer_does_not_end(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    harness_init(&h, &options);
    harness_frame(&h, 0x88, "\x03\xe8", 2);
    assert_int_equal(h.server.calls[ON_CLOSE], 1);
    test_loop_advance(&h.loop, 4999);
    harness_frame(&h, 0x81, "ignored", 7);
    assert_int_equal(count(&h), 1);
    test_loop_advance(&h.loop, 1);
    assert_int_equal(count(&h), 0);
    harness_done(&h);
}

/* It goes on sending without end: that is read for a while, so that our close frame is not destroyed by a reset. */
static void test_peer_floods_after_close(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    harness_init(&h, &options);
    harness_frame(&h, 0x82, "x", 1);
    harness_frame(&h, 0x88, "\x03\xe8", 2);
    char *junk = calloc(1, 1 << 20);
    for (int i = 0; i < 6; i++) {
        if (count(&h) == 1)
            harness_send(&h, junk, 1 << 20);
    }
    assert_int_equal(count(&h), 0);
    assert_string_equal(harness_heard(&h), "close:1000: ");
    free(junk);
    harness_done(&h);
}

/* The same while our answer is still in the queue: it is not read beyond the bound, and the queue still goes. */
static void test_peer_floods_and_does_not_read(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    options.pair.capacity = 10000;
    harness_init(&h, &options);
    swale__stream_pause(h.raw.stream);
    char *junk = calloc(1, 1 << 20);
    swale_conn_send(h.server.conn, SWALE_BINARY, junk, 50000);
    harness_frame(&h, 0x88, "\x03\xe8", 2);
    for (int i = 0; i < 6 && h.raw.out_size == 0; i++)
        harness_send(&h, junk, 1 << 20);
    assert_true(h.raw.out_size > 0);
    assert_int_equal(h.server.calls[ON_CLOSE], 0);
    swale__stream_resume(h.raw.stream);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open close:peer-closed:1000:clean: ");
    assert_int_equal(count(&h), 0);
    free(junk);
    harness_done(&h);
}

/* ---- Faults ----------------------------------------------------------------------------------------- */

static void test_protocol_errors(void **state)
{
    (void)state;
    static const struct {
        int byte0;
        const char *payload;
        size_t size;
        const char *log, *heard;
    } cases[] = {
        { 0x83, "x", 1, "open close:frame-opcode:1006: ", "close:1002:frame-opcode " },
        { 0xc1, "x", 1, "open close:frame-reserved:1006: ", "close:1002:frame-reserved " },
        { 0x80, "x", 1, "open close:frame-sequence:1006: ", "close:1002:frame-sequence " },
        { 0x81, "\xff", 1, "open close:utf8:1006: ", "close:1007:utf8 " },
        { 0x88, "\x03", 1, "open close:close-payload:1006: ", "close:1002:close-payload " },
        { 0x88, "\x03\xee", 2, "open close:close-code:1006: ", "close:1002:close-code " },
    };
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        struct harness h;
        struct harness_options options = raw_client(i & 1);
        char script[200];
        harness_init(&h, &options);
        size_t size = put_frame(script, cases[i / 2].byte0, cases[i / 2].payload, cases[i / 2].size, mask);
        size += put_frame(script + size, 0x81, "behind", 6, mask);
        harness_send(&h, script, size);
        assert_string_equal(h.server.log, cases[i / 2].log);
        assert_string_equal(harness_heard(&h), cases[i / 2].heard);
        assert_int_equal(h.raw.ends, 1);
        harness_done(&h);
    }
}

/* The close frame goes at the next boundary: the large message under way is finished, those behind it dropped. */
static void test_fault_with_a_full_queue(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        struct harness_options options = raw_client(in_flight);
        options.pair.capacity = 1000;
        harness_init(&h, &options);
        swale__stream_pause(h.raw.stream);
        char *data = noise(100000);
        swale_conn_send(h.server.conn, SWALE_BINARY, data, 50000);
        test_loop_settle(&h.loop);
        swale_conn_send(h.server.conn, SWALE_BINARY, data, 100000);
        swale_conn_fail(h.server.conn, SWALE_ERR_INTERNAL);
        assert_int_equal(h.server.calls[ON_CLOSE], 0); /* never from inside */
        test_loop_settle(&h.loop);
        assert_string_equal(h.server.log, "open close:internal:1006: "); /* though nothing could leave yet */
        swale__stream_resume(h.raw.stream);
        test_loop_settle(&h.loop);
        assert_int_equal(h.raw.size, 50004 + 2 + 2 + 8);
        assert_int_equal(h.raw.ends, 1);
        free(data);
        harness_done(&h);
    }
}

static void test_fail_reasons(void **state)
{
    (void)state;
    static const struct {
        int reason;
        const char *log, *heard;
    } cases[] = {
        { SWALE_ERR_SLOW_READER, "open close:slow-reader:1006: ", "close:1008:slow-reader " },
        { SWALE_ERR_MESSAGE_SIZE, "open close:message-size:1006: ", "close:1009:message-size " },
        { SWALE_ERR_DRAINING, "open close:draining:1006: ", "close:1001:draining " },
        { SWALE_ERR_ABORTED, "open close:aborted:1006: ", "close:1001:aborted " },
        { SWALE_ERR_RESET, "open close:reset:1006: ", "" },
        { 0, "open close:internal:1006: ", "close:1011:internal " },
        { 12345, "open close:internal:1006: ", "close:1011:internal " },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct harness h;
        struct harness_options options = raw_client(0);
        harness_init(&h, &options);
        swale_conn_fail(h.server.conn, cases[i].reason);
        swale_conn_fail(h.server.conn, SWALE_ERR_IDLE);
        test_loop_settle(&h.loop);
        assert_string_equal(h.server.log, cases[i].log);
        assert_string_equal(harness_heard(&h), cases[i].heard);
        assert_int_equal(h.raw.ends, 1);
        harness_done(&h);
    }
}

/* What the stream says of TLS comes through unchanged; the system's errors are one reason. */
static void test_transport_reasons(void **state)
{
    (void)state;
    static const struct {
        int error;
        const char *log;
    } cases[] = {
        { -ECONNRESET, "open close:reset:1006: " },
        { -ENOMEM, "open close:reset:1006: " },
        { SWALE_ERR_TLS, "open close:tls:1006: " },
        { SWALE_ERR_TLS_TRUNCATED, "open close:tls-truncated:1006: " },
        { SWALE_ERR_TLS_UNTRUSTED, "open close:tls-untrusted:1006: " },
        { SWALE_ERR_TLS_PIN, "open close:tls-pin:1006: " },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct harness h;
        struct harness_options options = raw_client(0);
        harness_init(&h, &options);
        struct swale__stream *stream = h.ends[0];
        stream->user->on_fail(stream->context, cases[i].error);
        test_loop_settle(&h.loop);
        assert_string_equal(h.server.log, cases[i].log);
        harness_done(&h);
    }
}

/* A fault of the peer's while it should have been closing is the better reason. */
static void test_fault_while_closing(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    harness_init(&h, &options);
    swale_conn_close(h.server.conn, 1000, NULL);
    test_loop_settle(&h.loop);
    harness_frame(&h, 0x83, "x", 1);
    assert_string_equal(h.server.log, "open close:frame-opcode:1006: ");
    assert_string_equal(harness_heard(&h), "close:1000: ");
    harness_done(&h);
}

/* ---- The transport ---------------------------------------------------------------------------------- */

/* The end of the stream at any place in a conversation; what was queued still goes. */
static void test_end_of_stream(void **state)
{
    (void)state;
    char script[200];
    size_t size = put_frame(script, 0x81, "Hello", 5, mask);
    size += put_frame(script + size, 0x89, "ping", 4, mask);
    for (size_t split = 0; split <= size; split++) {
        struct harness h;
        struct harness_options options = raw_client(split & 1);
        options.echo = true;
        harness_init(&h, &options);
        harness_send(&h, script, split);
        swale__stream_shutdown(h.raw.stream); /* half: it still reads */
        test_loop_settle(&h.loop);
        assert_non_null(strstr(h.server.log, "close:peer-gone:1006: "));
        assert_int_equal(h.raw.ends, 1);
        assert_int_equal(count(&h), 0);
        assert_string_equal(harness_heard(&h), split == size ? "text:Hello pong:ping "
                                               : split >= 11 ? "text:Hello "
                                                             : "");
        harness_done(&h);
    }
}

static void test_end_without_an_answer_to_close(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    harness_init(&h, &options);
    swale_conn_close(h.server.conn, 1000, NULL);
    test_loop_settle(&h.loop);
    recorder_close(&h.raw, false);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open close:local-closed:1006: ");
    assert_int_equal(count(&h), 0);
    harness_done(&h);
}

/* Some peers send their close frame and end TCP in the same breath. */
static void test_end_right_behind_close(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct harness h;
        char script[20];
        struct harness_options options = raw_client(0);
        harness_init(&h, &options);
        size_t size = put_frame(script, 0x88, "", 0, mask);
        recorder_send(&h.raw, script, size);
        if (reset)
            test_loop_settle(&h.loop);
        recorder_close(&h.raw, reset);
        test_loop_settle(&h.loop);
        assert_string_equal(h.server.log, "open close:peer-closed:1005:clean: ");
        assert_int_equal(count(&h), 0);
        harness_done(&h);
    }
}

static void test_reset(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        for (int writing = 0; writing < 2; writing++) {
            struct harness h;
            struct harness_options options = raw_client(in_flight);
            options.pair.capacity = 1000;
            harness_init(&h, &options);
            if (writing) {
                swale__stream_pause(h.raw.stream);
                char data[50000] = { 0 };
                swale_conn_send(h.server.conn, SWALE_BINARY, data, sizeof data);
                test_loop_settle(&h.loop);
            }
            recorder_close(&h.raw, true);
            test_loop_settle(&h.loop);
            assert_string_equal(h.server.log, "open close:reset:1006: ");
            assert_int_equal(count(&h), 0);
            harness_done(&h);
        }
    }
}

/* The stream dies under a send, which has taken the message all the same: nobody knows how far it got, and who is
 * told that it was refused might send it again. The connection is closed from then on. */
static void test_write_fails(void **state)
{
    (void)state;
    struct harness h;
    struct harness_options options = raw_client(0);
    harness_init(&h, &options);
    recorder_close(&h.raw, true);
    char *data = noise(100000);
    assert_int_equal(swale_conn_send(h.server.conn, SWALE_BINARY, data, 100000), 0);
    assert_int_equal(swale_conn_send(h.server.conn, SWALE_BINARY, data, 1), SWALE_ERR_CLOSED);
    test_loop_settle(&h.loop);
    assert_string_equal(h.server.log, "open close:reset:1006: ");
    free(data);
    harness_done(&h);
}

static void test_abort(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct harness h;
        struct harness_options options = raw_client(in_flight);
        options.pair.capacity = 1000;
        harness_init(&h, &options);
        char data[5000] = { 0 };
        swale_conn_send(h.server.conn, SWALE_BINARY, data, sizeof data);
        test_loop_settle(&h.loop);
        swale_conn_send(h.server.conn, SWALE_BINARY, data, sizeof data);
        swale_conn_abort(h.server.conn);
        swale_conn_abort(h.server.conn);
        assert_int_equal(h.server.calls[ON_CLOSE], 0);
        assert_int_equal(swale_conn_send_text(h.server.conn, "no"), SWALE_ERR_CLOSED);
        test_loop_settle(&h.loop);
        assert_string_equal(h.server.log, "open close:aborted:1006: ");
        assert_int_equal(h.raw.failure, -ECONNRESET);
        assert_int_equal(count(&h), 0);
        harness_done(&h);
    }
}

/* ---- Inside callbacks ------------------------------------------------------------------------------- */

static void do_close(struct observer *observer)
{
    swale_conn_close(observer->conn, 1000, NULL);
}

static void do_abort(struct observer *observer)
{
    swale_conn_abort(observer->conn);
}

static void do_fail(struct observer *observer)
{
    swale_conn_fail(observer->conn, SWALE_ERR_INTERNAL);
}

static void do_pause(struct observer *observer)
{
    swale_conn_pause(observer->conn);
    swale_conn_resume(observer->conn);
}

static void do_all(struct observer *observer)
{
    swale_conn_send_text(observer->conn, "a");
    swale_conn_pause(observer->conn);
    swale_conn_close(observer->conn, 1000, "x");
    swale_conn_resume(observer->conn);
    swale_conn_fail(observer->conn, SWALE_ERR_IDLE);
    swale_conn_send_text(observer->conn, "b");
    swale_conn_ping(observer->conn, swale_text("c"));
    swale_conn_abort(observer->conn);
    swale_conn_close(observer->conn, 1000, "x");
    swale_conn_fail(observer->conn, SWALE_ERR_IDLE);
}

/* Whatever is called from whichever callback, on_close comes once, last, and nothing is left. */
static void test_calls_from_callbacks(void **state)
{
    (void)state;
    static void (*const acts[])(struct observer *) = { do_close, do_abort, do_fail, do_pause, do_all };
    for (int n = 0; n < 4; n++) {
        for (size_t a = 0; a < COUNT_OF(acts); a++) {
            for (int callback = 0; callback < CALLBACKS; callback++) {
                struct harness h;
                struct harness_options options = raw_client(n & 1);
                options.parts = n >> 1;
                options.act[callback] = acts[a];
                options.limits.high_water = 2000;
                options.pair.capacity = 3000;
                harness_init(&h, &options);
                if (h.server.conn)
                    swale_conn_send_text(h.server.conn, "hello");
                char script[500], data[6000] = { 0 };
                size_t size = put_frame(script, 0x01, "text", 4, mask);
                size += put_frame(script + size, 0x80, "more", 4, mask);
                size += put_frame(script + size, 0x89, "ping", 4, mask);
                size += put_frame(script + size, 0x8a, "pong", 4, mask);
                size += put_frame(script + size, 0x82, "end", 3, mask);
                harness_send(&h, script, size);
                if (h.server.conn)
                    swale_conn_send(h.server.conn, SWALE_BINARY, data, sizeof data);
                test_loop_settle(&h.loop);
                if (h.raw.failure == 0)
                    harness_frame(&h, 0x88, "\x03\xe8", 2);
                recorder_close(&h.raw, false);
                test_loop_advance(&h.loop, 6000);
                assert_int_equal(h.server.calls[ON_OPEN], 1);
                assert_int_equal(h.server.calls[ON_CLOSE], 1);
                assert_int_equal(h.server.calls[callback] > 0, callback != (options.parts ? ON_MESSAGE : ON_PART));
                assert_int_equal(count(&h), 0);
                harness_done(&h);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_closes),
        cmocka_unit_test(test_no_memory_for_the_close_frame),
        cmocka_unit_test(test_we_close),
        cmocka_unit_test(test_we_finish),
        cmocka_unit_test(test_finishing_waits),
        cmocka_unit_test(test_close_checks_its_arguments),
        cmocka_unit_test(test_close_behind_the_queue),
        cmocka_unit_test(test_closes_cross),
        cmocka_unit_test(test_client_closes),
        cmocka_unit_test(test_client_waits_for_the_servers_end),
        cmocka_unit_test(test_close_is_not_answered),
        cmocka_unit_test(test_answer_is_not_read),
        cmocka_unit_test(test_peer_does_not_end),
        cmocka_unit_test(test_peer_floods_after_close),
        cmocka_unit_test(test_peer_floods_and_does_not_read),
        cmocka_unit_test(test_protocol_errors),
        cmocka_unit_test(test_fault_with_a_full_queue),
        cmocka_unit_test(test_fail_reasons),
        cmocka_unit_test(test_transport_reasons),
        cmocka_unit_test(test_fault_while_closing),
        cmocka_unit_test(test_end_of_stream),
        cmocka_unit_test(test_end_without_an_answer_to_close),
        cmocka_unit_test(test_end_right_behind_close),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_calls_from_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
