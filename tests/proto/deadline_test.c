/* The deadlines, in virtual time. */
#include "wire.h"

#define NEVER UINT64_MAX

enum { HANDSHAKE = 1000, PING = 25000, GONE = 10000, CLOSE_WAIT = 5000 };

static struct swale_engine_config config_of(uint32_t idle_ms)
{
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    config.handshake_ms = HANDSHAKE;
    config.ping_after_ms = PING;
    config.gone_after_ms = GONE;
    config.idle_ms = idle_ms;
    config.close_wait_ms = CLOSE_WAIT;
    return config;
}

static struct swale_engine open_at(const struct swale_engine_config *config, uint64_t now)
{
    struct swale_engine engine;
    swale_engine_init(&engine, config, now);
    swale_engine_open(&engine, false, now);
    return engine;
}

/* What tick says: "" for nothing, "ping", or the error's name. */
static const char *tick(struct swale_engine *engine, uint64_t now)
{
    struct swale_event event;
    swale_engine_tick(engine, now, &event);
    if (event.type == SWALE_EVENT_FAIL)
        return swale_error_name(event.error);
    assert_int_equal(event.type, SWALE_EVENT_NONE);
    if (event.reply_size == 0)
        return "";
    assert_int_equal(event.reply_size, 2);
    assert_memory_equal(event.reply, "\x89\x00", 2);
    return "ping";
}

/* An empty pong, which is life but no message. */
static void hear(struct swale_engine *engine, uint64_t now)
{
    struct swale_event event;
    char pong[] = { (char)0x8a, (char)0x80, 0, 0, 0, 0 };
    assert_int_equal(swale_engine_receive(engine, pong, 6, now, &event), 6);
    assert_int_equal(event.type, SWALE_EVENT_PONG);
}

static void send_frame(struct swale_engine *engine, bool last, uint64_t now)
{
    char header[SWALE_HEADER_MAX];
    assert_int_equal(swale_engine_send(engine, SWALE_TEXT, false, last, 1, now, header, NULL), 2);
}

/* ---- Handshake -------------------------------------------------------------------------------------- */

static void handshake_deadline_is_absolute(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine;
    swale_engine_init(&engine, &config, 5000);
    assert_true(swale_engine_due(&engine) == 6000);
    swale_engine_alive(&engine, 5900); /* bytes do not move it */
    assert_true(swale_engine_due(&engine) == 6000);
    assert_string_equal(tick(&engine, 5999), "");
    assert_string_equal(tick(&engine, 6000), "handshake-timeout");
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);
    assert_true(swale_engine_due(&engine) == 6000 + CLOSE_WAIT);
}

static void opening_ends_the_handshake_deadline(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 5000);
    assert_true(swale_engine_due(&engine) == 5000 + PING);
    assert_string_equal(tick(&engine, 5000 + HANDSHAKE), "");
}

/* ---- Heartbeat -------------------------------------------------------------------------------------- */

static void silence_ping_gone(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    assert_string_equal(tick(&engine, PING - 1), "");
    assert_string_equal(tick(&engine, PING), "ping");
    assert_true(swale_engine_due(&engine) == PING + GONE);
    assert_string_equal(tick(&engine, PING + GONE - 1), "");
    struct swale_event event;
    swale_engine_tick(&engine, PING + GONE, &event);
    assert_int_equal(event.error, SWALE_ERR_HEARTBEAT);
    assert_int_equal(event.close_code, 1001);
    assert_true(event.reply_size > 0);
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);
}

static void any_byte_is_life(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    struct swale_event event;
    char half_header[] = { (char)0x82 };
    assert_string_equal(tick(&engine, PING), "ping");
    assert_int_equal(swale_engine_receive(&engine, half_header, 1, PING + 10, &event), 0);
    assert_true(swale_engine_due(&engine) == PING + 10 + PING);
    assert_string_equal(tick(&engine, PING + GONE), "");
    assert_string_equal(tick(&engine, PING + 10 + PING), "ping");
    swale_engine_alive(&engine, PING + 20 + PING); /* as is the progress of a write */
    assert_true(swale_engine_due(&engine) == PING + 20 + PING + PING);
    assert_int_equal(swale_engine_receive(&engine, half_header, 0, 99999, &event), 0); /* no byte is not */
    assert_true(swale_engine_due(&engine) == PING + 20 + PING + PING);
}

/* A process that slept for an hour asks before it judges. */
static void a_jump_costs_a_ping_only(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    assert_string_equal(tick(&engine, 3600000), "ping");
    assert_true(swale_engine_due(&engine) == 3600000 + GONE);
    hear(&engine, 3600100);
    assert_string_equal(tick(&engine, 3600000 + GONE), "");
}

static void a_clock_that_goes_back_does_no_harm(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(60000);
    struct swale_engine engine = open_at(&config, 100000);
    assert_string_equal(tick(&engine, 10), "");
    hear(&engine, 10);
    assert_true(swale_engine_due(&engine) == 10 + PING);
}

/* Without gone_after_ms the pings go on, to keep the path open. */
static void pings_without_judgement(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    config.gone_after_ms = 0;
    struct swale_engine engine = open_at(&config, 0);
    assert_string_equal(tick(&engine, PING), "ping");
    assert_string_equal(tick(&engine, PING + 1), "");
    assert_string_equal(tick(&engine, 2 * PING), "ping");
    assert_string_equal(tick(&engine, 3 * PING), "ping");
}

/* pywebsocket fails on control frames between fragments: PROTOCOLS, section 1.8. */
static void a_ping_waits_for_the_end_of_a_message(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    send_frame(&engine, false, 10);
    assert_true(swale_engine_due(&engine) == 2 * PING);
    assert_string_equal(tick(&engine, PING + 5), "");
    send_frame(&engine, true, PING + 6);
    assert_true(swale_engine_due(&engine) == PING);
    assert_string_equal(tick(&engine, PING + 6), "ping");
}

static void but_not_for_ever(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    send_frame(&engine, false, 10);
    assert_string_equal(tick(&engine, 2 * PING - 1), "");
    assert_string_equal(tick(&engine, 2 * PING), "ping");
    assert_string_equal(tick(&engine, 2 * PING + GONE), "heartbeat");
}

/* ---- Idle ------------------------------------------------------------------------------------------- */

static void only_messages_end_idleness(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(60000);
    struct swale_engine engine = open_at(&config, 0);
    struct swale_event event;
    for (uint64_t now = 10000; now < 60000; now += 10000)
        hear(&engine, now);
    assert_true(swale_engine_due(&engine) == 60000);
    send_frame(&engine, true, 50000);
    assert_string_equal(tick(&engine, 60000), "");
    char message[] = { (char)0x81, (char)0x80, 0, 0, 0, 0 };
    assert_int_equal(swale_engine_receive(&engine, message, 6, 70000, &event), 6);
    assert_int_equal(swale_engine_sent_whole(&engine, 80000), 0);
    for (uint64_t now = 90000; now < 140000; now += 10000) {
        hear(&engine, now);
        assert_string_equal(tick(&engine, now), "");
    }
    assert_string_equal(tick(&engine, 140000), "idle");
}

/* A message that comes in drops counts when it begins and when it ends, not with every drop. */
static void drops_of_a_message_do_not_count(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(60000);
    struct swale_engine engine = open_at(&config, 0);
    struct swale_event event;
    char message[] = { (char)0x81, (char)0x85, 0, 0, 0, 0, 'H', 'e', 'l', 'l', 'o' };
    assert_int_equal(swale_engine_receive(&engine, message, 7, 10000, &event), 7);
    for (size_t i = 7; i < 10; i++)
        assert_int_equal(swale_engine_receive(&engine, message + i, 1, i * 6000, &event), 1);
    assert_string_equal(tick(&engine, 69999), "");
    struct swale_engine slow = engine;
    assert_string_equal(tick(&slow, 70000), "idle");
    assert_int_equal(swale_engine_receive(&engine, message + 10, 1, 70000, &event), 1);
    assert_string_equal(tick(&engine, 70000), "");
}

static void everything_can_be_switched_off(void **state)
{
    (void)state;
    struct swale_engine_config config = wire_config(SWALE_SERVER);
    struct swale_engine engine;
    struct swale_event event;
    swale_engine_init(&engine, &config, 0);
    assert_true(swale_engine_due(&engine) == NEVER);
    swale_engine_open(&engine, false, 0);
    assert_true(swale_engine_due(&engine) == NEVER);
    assert_string_equal(tick(&engine, NEVER), "");
    swale_engine_fail(&engine, SWALE_ERR_INTERNAL, 0, &event);
    assert_true(swale_engine_due(&engine) == NEVER);
    assert_string_equal(tick(&engine, NEVER), "");
}

/* ---- Closing ---------------------------------------------------------------------------------------- */

static void the_peer_must_answer_a_close(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(1000);
    struct swale_engine engine = open_at(&config, 0);
    char frame[SWALE_CONTROL_MAX];
    assert_true(swale_engine_close(&engine, 1000, swale_text(""), 500, frame) > 0);
    assert_true(swale_engine_due(&engine) == 500 + CLOSE_WAIT);
    hear(&engine, 5000); /* life does not move it */
    assert_string_equal(tick(&engine, 499 + CLOSE_WAIT), "");
    assert_string_equal(tick(&engine, 500 + CLOSE_WAIT), "close-timeout");
    assert_int_equal(swale_engine_phase(&engine), SWALE_CLOSED);
    assert_true(swale_engine_due(&engine) == NEVER); /* said once */
    assert_string_equal(tick(&engine, 99999), "");
}

/* A transport that still takes what was queued before the close frame: the wait begins anew with each progress, and
 * with nothing else. */
static void the_wait_for_a_close_goes_on_while_we_write(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    char frame[SWALE_CONTROL_MAX];
    swale_engine_wait_on(&engine, 100); /* nothing is closing yet */
    assert_true(swale_engine_due(&engine) == PING);
    assert_true(swale_engine_close(&engine, 1000, swale_text(""), 500, frame) > 0);
    swale_engine_wait_on(&engine, 4000);
    assert_true(swale_engine_due(&engine) == 4000 + CLOSE_WAIT);
    assert_string_equal(tick(&engine, 500 + CLOSE_WAIT), "");
    assert_string_equal(tick(&engine, 4000 + CLOSE_WAIT), "close-timeout");
    swale_engine_wait_on(&engine, 99999); /* it is over */
    assert_true(swale_engine_due(&engine) == NEVER);
}

/* The wait runs from the first close frame, whoever sent it, to the end of the transport. */
static void the_transport_must_end(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    struct swale_event event;
    char close[] = { (char)0x88, (char)0x80, 0, 0, 0, 0 }, again[6], frame[SWALE_CONTROL_MAX];
    memcpy(again, close, 6);
    swale_engine_receive(&engine, close, 6, 100, &event);
    assert_int_equal(event.type, SWALE_EVENT_CLOSE);
    assert_true(swale_engine_due(&engine) == 100 + CLOSE_WAIT);

    engine = open_at(&config, 0);
    assert_true(swale_engine_close(&engine, 1000, swale_text(""), 200, frame) > 0);
    swale_engine_receive(&engine, again, 6, 300, &event);
    assert_int_equal(event.type, SWALE_EVENT_CLOSE);
    assert_true(swale_engine_due(&engine) == 200 + CLOSE_WAIT);
    assert_int_equal(swale_engine_end(&engine), SWALE_ERR_PEER_CLOSED);
    assert_true(swale_engine_due(&engine) == NEVER);
}

static void a_failure_leaves_time_to_say_so(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(0);
    struct swale_engine engine = open_at(&config, 0);
    struct swale_event event;
    swale_engine_fail(&engine, SWALE_ERR_MESSAGE_RATE, 700, &event);
    assert_true(swale_engine_due(&engine) == 700 + CLOSE_WAIT);
    swale_engine_fail(&engine, SWALE_ERR_INTERNAL, 900, &event);
    assert_true(swale_engine_due(&engine) == 700 + CLOSE_WAIT);
    assert_string_equal(tick(&engine, 700 + CLOSE_WAIT), "close-timeout");

    /* Failing while closing does not begin the wait anew. */
    char frame[SWALE_CONTROL_MAX];
    engine = open_at(&config, 0);
    assert_true(swale_engine_close(&engine, 1000, swale_text(""), 500, frame) > 0);
    swale_engine_fail(&engine, SWALE_ERR_MESSAGE_RATE, 900, &event);
    assert_true(swale_engine_due(&engine) == 500 + CLOSE_WAIT);
}

static void the_end_of_time_is_no_deadline(void **state)
{
    (void)state;
    struct swale_engine_config config = config_of(1000);
    struct swale_engine engine = open_at(&config, UINT64_MAX - 10);
    assert_true(swale_engine_due(&engine) == NEVER);
    assert_string_equal(tick(&engine, UINT64_MAX - 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_deadline_is_absolute),
        cmocka_unit_test(opening_ends_the_handshake_deadline),
        cmocka_unit_test(silence_ping_gone),
        cmocka_unit_test(any_byte_is_life),
        cmocka_unit_test(a_jump_costs_a_ping_only),
        cmocka_unit_test(a_clock_that_goes_back_does_no_harm),
        cmocka_unit_test(pings_without_judgement),
        cmocka_unit_test(a_ping_waits_for_the_end_of_a_message),
        cmocka_unit_test(but_not_for_ever),
        cmocka_unit_test(only_messages_end_idleness),
        cmocka_unit_test(drops_of_a_message_do_not_count),
        cmocka_unit_test(everything_can_be_switched_off),
        cmocka_unit_test(the_peer_must_answer_a_close),
        cmocka_unit_test(the_wait_for_a_close_goes_on_while_we_write),
        cmocka_unit_test(the_transport_must_end),
        cmocka_unit_test(a_failure_leaves_time_to_say_so),
        cmocka_unit_test(the_end_of_time_is_no_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
