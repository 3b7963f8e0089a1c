/* A client's connection: what it hands on, how it is found dead, and that no failing allocation upsets it. */
#include "client_bed.h"

#include "client/state.h"

#include <errno.h>
#include <stdio.h>

static void begin_open(struct client_bed *bed, const struct swale_client_options *options)
{
    client_bed_begin(bed, options);
    client_bed_open(bed);
    bed->log[0] = '\0';
}

/* ---- What it hands on -------------------------------------------------------------------------------- */

static void nothing(struct client_bed *bed)
{
    (void)bed;
}

static void test_parts(void **state)
{
    struct client_bed bed = { .act = { [AT_PART] = nothing } };
    (void)state;
    begin_open(&bed, NULL);
    swale_conn_send_part(bed.peer, SWALE_TEXT, "one", 3, false);
    swale_conn_send_part(bed.peer, SWALE_TEXT, "two", 3, true);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "part:one part:two ");
    client_bed_end(&bed);
}

static void test_ping_and_pong(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    begin_open(&bed, NULL);
    swale_conn_ping(bed.peer, swale_span("x", 1));
    swale_conn_ping(swale_client_conn(bed.client), swale_span("y", 1));
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.calls[AT_PING], 1);
    assert_int_equal(bed.calls[AT_PONG], 1);
    client_bed_end(&bed);
}

static void test_user_and_ids(void **state)
{
    struct client_bed bed = { 0 };
    int other;
    (void)state;
    begin_open(&bed, NULL);
    uint64_t id = swale_conn_id(swale_client_conn(bed.client));
    assert_true(id >> 63 == 1); /* apart from every server's */
    assert_ptr_equal(swale_conn_user(swale_client_conn(bed.client)), &bed);
    assert_ptr_equal(swale_client_loop(bed.client), bed.loop.loop);
    swale_client_set_user(bed.client, &other);
    assert_ptr_equal(swale_conn_user(swale_client_conn(bed.client)), &other);
    swale_client_set_user(bed.client, &bed);
    client_bed_reconnect(&bed);
    client_bed_open(&bed);
    assert_true(swale_conn_id(swale_client_conn(bed.client)) == id + 1);
    client_bed_end(&bed);
}

static void send_raw(struct client_bed *bed, const char *bytes, size_t size)
{
    struct iovec part = { .iov_base = (char *)bytes, .iov_len = size };
    assert_int_equal(swale__stream_write(bed->raw, &part, 1), (ptrdiff_t)size);
    test_loop_settle(&bed->loop);
}

/* What answers the last words is delivered to a client that finishes, and to none that closes; also when the close
 * had to wait for what was pending. */
static void test_finish(void **state)
{
    (void)state;
    for (int finish = 0; finish < 2; finish++) {
        struct client_bed bed = { .raw_peer = true };
        client_bed_begin(&bed, &(struct swale_client_options){ .max_pending = 100 });
        client_bed_send(&bed, "pending", NULL);
        client_bed_open(&bed);
        bed.log[0] = '\0';
        int (*call)(struct swale_client *, int, const char *) = finish ? swale_client_finish : swale_client_close;
        assert_int_equal(call(bed.client, 1000, NULL), 0);
        assert_int_equal(call(bed.client, 1000, NULL), SWALE_ERR_CLOSED);
        test_loop_settle(&bed.loop);
        send_raw(&bed, "\x81\x02ok\x88\x02\x03\xe8", 8);
        assert_log(&bed, finish ? "closing message:ok ended close:local-closed:1000:clean end:local-closed "
                                : "closing ended close:local-closed:1000:clean end:local-closed ");
        client_bed_end(&bed);
    }
}

/* The stream ended with the answer: it is a connection, and then none. */
static void test_ended_with_the_answer(void **state)
{
    struct client_bed bed = { .early_end = true };
    (void)state;
    begin_open(&bed, NULL);
    assert_int_equal(bed.calls[AT_OPEN], 1);
    assert_int_equal(bed.closing.close.reason, SWALE_ERR_PEER_GONE);
    client_bed_end(&bed);
}

/* ---- Traces ----------------------------------------------------------------------------------------- */

static void try_everything(struct client_bed *bed)
{
    assert_int_equal(swale_client_send(bed->client, SWALE_TEXT, "x", 1, NULL), SWALE_ERR_STATE);
    assert_int_equal(swale_client_close(bed->client, 1000, NULL), SWALE_ERR_STATE);
    assert_int_equal(swale_client_reconnect(bed->client), SWALE_ERR_STATE);
    swale_client_network_changed(bed->client, 1);
}

static void test_trace_looks_only(void **state)
{
    struct client_bed bed = { .act = { [AT_TRACE] = try_everything } };
    (void)state;
    begin_open(&bed, NULL);
    assert_int_equal(client_bed_send(&bed, "hello", NULL), 0);
    swale_conn_send_text(bed.peer, "there");
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.calls[AT_TRACE], 2);
    assert_heard(&bed, "hello ");
    assert_log(&bed, "message:there ");
    client_bed_end(&bed);
}

/* Freed from on_trace within a send, outside any turn; and the frames behind that are seen by nobody. */
static void test_free_within_a_traced_send(void **state)
{
    static char block[100000];
    struct client_bed bed = { .act = { [AT_TRACE] = client_bed_free } };
    (void)state;
    begin_open(&bed, NULL);
    swale_client_send(bed.client, SWALE_BINARY, block, sizeof block, NULL);
    assert_null(bed.client);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.calls[AT_TRACE], 1);
    client_bed_end(&bed);
}

/* Freed from on_trace by a frame that came with the answer: it never is a connection, and nobody hears of it. */
static void test_free_by_the_first_frame(void **state)
{
    struct client_bed bed = { .early = { .data = "\x81\x02hi", .size = 4 }, .act = { [AT_TRACE] = client_bed_free } };
    (void)state;
    begin_open(&bed, NULL);
    assert_null(bed.client);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.calls[AT_TRACE], 1);
    assert_int_equal(bed.calls[AT_OPEN], 0);
    assert_int_equal(bed.peer_reason, SWALE_ERR_RESET);
    client_bed_end(&bed);
}

/* A client that is freed right behind its close leaves the last words to the connection, and no trace of them. */
static void test_free_in_on_close_with_a_trace(void **state)
{
    struct client_bed bed = { .act = { [AT_TRACE] = nothing, [AT_CLOSE] = client_bed_free } };
    (void)state;
    begin_open(&bed, NULL);
    client_bed_close(&bed, 1000, NULL);
    test_loop_settle(&bed.loop);
    assert_null(bed.client);
    assert_int_equal(bed.peer_reason, SWALE_ERR_PEER_CLOSED);
    assert_int_equal(bed.peer_code, 1000);
    client_bed_end(&bed);
}

/* ---- Pings without end ------------------------------------------------------------------------------- */

static void hear(void *context, char *data, size_t size)
{
    *(size_t *)context += size;
    (void)data;
}

static void have_room(void *context, size_t size)
{
    (void)context, (void)size;
}

static void hear_end(void *context)
{
    (void)context;
}

static void hear_failure(void *context, int error)
{
    (void)context, (void)error;
}

/* The queue is full of pongs, of which the application knows nothing, when it sends: it was refused, told to wait for
 * on_drain, and never heard of it. */
static void test_drain_behind_pongs(void **state)
{
    static const struct swale__stream_user reader = { hear, have_room, hear_end, hear_failure };
    struct swale_limits limits = { .high_water = 1000, .max_queue = 4000 };
    struct client_bed bed = { .raw_peer = true, .pair = { .capacity = 200 } };
    char ping[2 + 125] = "\x89\x7d", message[4000] = "";
    size_t heard = 0;
    (void)state;
    begin_open(&bed, &(struct swale_client_options){ .limits = &limits });
    swale__stream_use(bed.raw, &reader, &heard);
    for (int i = 0; i < 100; i++) {
        struct iovec part = { .iov_base = ping, .iov_len = sizeof ping };
        assert_int_equal(swale__stream_write(bed.raw, &part, 1), sizeof ping);
        test_loop_settle(&bed.loop);
    }
    assert_in_range(swale_conn_queued(swale_client_conn(bed.client)), 4000, 5000);
    assert_int_equal(swale_client_send(bed.client, SWALE_BINARY, message, sizeof message, NULL),
                     SWALE_ERR_QUEUE_FULL);
    swale__stream_resume(bed.raw);
    test_loop_settle(&bed.loop);
    assert_true(heard > 4000);
    assert_int_equal(bed.calls[AT_DRAIN], 1);
    client_bed_end(&bed);
}

/* ---- Life signs -------------------------------------------------------------------------------------- */

/* The peer stops answering: silence, a ping, more silence. */
static void test_half_open(void **state)
{
    struct client_bed bed = { .raw_peer = true };
    struct swale_limits limits = { .ping_after_ms = 1000, .gone_after_ms = 500 };
    (void)state;
    begin_open(&bed, &(struct swale_client_options){ .limits = &limits });
    test_loop_advance(&bed.loop, 1499);
    assert_log(&bed, "");
    test_loop_advance(&bed.loop, 1);
    assert_log(&bed, "waiting close:heartbeat:1006 ");
    client_bed_end(&bed);
}

static void network_changed(struct client_bed *bed, uint32_t probe_ms)
{
    bed->inside = true;
    swale_client_network_changed(bed->client, probe_ms);
    bed->inside = false;
}

static int64_t wait_an_hour(struct client_bed *bed)
{
    (void)bed;
    return 3600000;
}

static void test_network_changed_while_waiting(void **state)
{
    struct client_bed bed = { .policy = wait_an_hour };
    struct swale_client_options options = { .reconnect = { .first_ms = 300 } };
    (void)state;
    client_bed_begin(&bed, &options);
    network_changed(&bed, 0); /* while it tries: nothing to do */
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(swale_client_retry_in(bed.client), 3600000);
    network_changed(&bed, 0);
    int64_t shorter = swale_client_retry_in(bed.client);
    assert_in_range(shorter, 0, 300);
    for (int i = 0; i < 50; i++) { /* never longer again */
        network_changed(&bed, 0);
        assert_true(swale_client_retry_in(bed.client) <= shorter);
    }
    test_loop_advance(&bed.loop, 300);
    assert_int_equal(bed.attempts, 2);
    client_bed_end(&bed);
}

static void test_probe_that_is_answered(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    begin_open(&bed, NULL);
    network_changed(&bed, 700);
    test_loop_advance(&bed.loop, 10000);
    assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_OPEN);
    assert_log(&bed, "pong ");
    client_bed_end(&bed);
}

/* Whatever comes is life, half of a message, too; and also in the millisecond of the question. */
static void test_probe_and_other_signs(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        unsigned after_ms;
    } signs[] = { { "\x81\x05hello", 7, 0 }, { "\x81\x05he", 4, 300 }, { "\x89\x00", 2, 699 }, { "\x8a\x00", 2, 1 } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        struct client_bed bed = { .raw_peer = true };
        begin_open(&bed, NULL);
        network_changed(&bed, 700);
        test_loop_advance(&bed.loop, signs[i].after_ms);
        send_raw(&bed, signs[i].bytes, signs[i].size);
        test_loop_advance(&bed.loop, 5000);
        assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_OPEN);
        client_bed_end(&bed);
    }
}

static void test_probe_that_is_not_answered(void **state)
{
    (void)state;
    for (uint32_t probe_ms = 0; probe_ms <= 700; probe_ms += 700) {
        struct client_bed bed = { .raw_peer = true };
        unsigned wait = probe_ms ? probe_ms : 5000;
        begin_open(&bed, NULL);
        test_loop_advance(&bed.loop, 100);
        send_raw(&bed, "\x81\x00", 2); /* before the question: does not count */
        test_loop_advance(&bed.loop, 1);
        network_changed(&bed, probe_ms);
        test_loop_advance(&bed.loop, wait / 2);
        network_changed(&bed, probe_ms); /* another hint does not put it off */
        test_loop_advance(&bed.loop, wait - wait / 2 - 1);
        assert_log(&bed, "message: ");
        test_loop_advance(&bed.loop, 1);
        assert_log(&bed, "waiting close:heartbeat:1006 ");
        client_bed_end(&bed);
    }
}

/* Who does not listen cannot complain of silence. */
static void test_probe_while_paused(void **state)
{
    struct client_bed bed = { .raw_peer = true };
    (void)state;
    begin_open(&bed, NULL);
    swale_conn_pause(swale_client_conn(bed.client));
    network_changed(&bed, 700);
    test_loop_advance(&bed.loop, 700);
    assert_log(&bed, "");
    client_bed_end(&bed);
}

static void test_probe_of_a_connection_that_goes(void **state)
{
    struct client_bed bed = { 0 };
    (void)state;
    begin_open(&bed, NULL);
    network_changed(&bed, 0);
    swale_conn_abort(bed.peer);
    test_loop_settle(&bed.loop);
    network_changed(&bed, 0);
    client_bed_close(&bed, 1000, NULL);
    network_changed(&bed, 0);
    test_loop_advance(&bed.loop, 6000);
    network_changed(&bed, 0);
    assert_log(&bed, "waiting close:reset:1006 closing ended end:local-closed ");
    client_bed_end(&bed);
}

/* Asked of a connection that has just ended, from within on_retry: nothing may be left running. */
static void look_and_close(struct client_bed *bed)
{
    network_changed(bed, 100);
    if (bed->calls[AT_RETRY] == 2)
        assert_int_equal(client_bed_close(bed, 1000, NULL), 0);
}

static void test_probe_within_on_retry(void **state)
{
    struct client_bed bed = { .act = { [AT_RETRY] = look_and_close }, .pair = { .capacity = 50 } };
    struct swale_client_options options = { .max_pending = 1000 };
    uint64_t number;
    (void)state;
    begin_open(&bed, &options);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++)
            client_bed_send(&bed, "to be sent, or refused", &number);
        swale_conn_abort(swale_client_conn(bed.client));
        test_loop_settle(&bed.loop);
        test_loop_advance(&bed.loop, 6000);
        if (round == 0)
            client_bed_open(&bed);
    }
    assert_int_equal(bed.calls[AT_END], 1);
    client_bed_end(&bed);
}

/* ---- Memory ----------------------------------------------------------------------------------------- */

/* Two connections with messages of every kind, a drop in between, and a close; whatever fails, nothing is lost
 * without a word, and nothing is left. True when no allocation failed. */
static bool scenario(uint64_t fail_at)
{
    struct client_bed bed = { .open_all = true, .pair = { .capacity = 50 } };
    struct swale_client_options options = { .max_pending = 1000, .reconnect = { .first_ms = 10, .max_ms = 10 } };
    char text[61];
    uint64_t numbers[10] = { 0 };
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    client_bed_prepare(&bed);
    bed.loop.memory.fail_at = bed.loop.memory.allocations + fail_at;
    if (client_bed_new(&bed, &options) == 0) {
        for (int i = 0; i < 10; i++) {
            int result = client_bed_send(&bed, text, &numbers[i]);
            assert_true(result >= 0 || result == -ENOMEM || result == SWALE_ERR_QUEUE_FULL);
            assert_int_equal(numbers[i] != 0, result >= 0);
            test_loop_advance(&bed.loop, i % 3 ? 5 : 0);
            if (i == 5 && bed.peer)
                swale_conn_abort(bed.peer);
        }
        test_loop_advance(&bed.loop, 1000);
        client_bed_close(&bed, 1000, NULL);
        test_loop_advance(&bed.loop, 10000);
        assert_int_equal(bed.calls[AT_END], 1);
        assert_int_equal(bed.calls[AT_OPEN], bed.calls[AT_CLOSE]);
        for (int i = 0; i < 10; i++)
            assert_int_not_equal(swale_client_fate(bed.client, numbers[i]), SWALE_FATE_QUEUED);
    } else {
        assert_true(strlen(bed.message) > 0);
        bed.client = NULL;
    }
    bool failed = bed.loop.memory.allocations >= bed.loop.memory.fail_at;
    client_bed_end(&bed);
    return !failed;
}

static void test_out_of_memory(void **state)
{
    uint64_t n = 1;
    (void)state;
    while (!scenario(n))
        n++;
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_ping_and_pong),
        cmocka_unit_test(test_user_and_ids),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_ended_with_the_answer),
        cmocka_unit_test(test_trace_looks_only),
        cmocka_unit_test(test_free_within_a_traced_send),
        cmocka_unit_test(test_free_by_the_first_frame),
        cmocka_unit_test(test_drain_behind_pongs),
        cmocka_unit_test(test_free_in_on_close_with_a_trace),
        cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_network_changed_while_waiting),
        cmocka_unit_test(test_probe_that_is_answered),
        cmocka_unit_test(test_probe_and_other_signs),
        cmocka_unit_test(test_probe_that_is_not_answered),
        cmocka_unit_test(test_probe_while_paused),
        cmocka_unit_test(test_probe_of_a_connection_that_goes),
        cmocka_unit_test(test_probe_within_on_retry),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("client.link", tests, NULL, NULL);
}
