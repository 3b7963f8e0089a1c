/* Messages and what becomes of them: by hand, and against a model that knows nothing of the client but what it was
 * told. */
#include "client_bed.h"

#include <stdio.h>
#include <stdlib.h>

static void begin_open(struct client_bed *bed, const struct swale_client_options *options)
{
    client_bed_begin(bed, options);
    client_bed_open(bed);
    bed->log[0] = '\0';
}

/* ---- Without a connection ---------------------------------------------------------------------------- */

static void test_refused_by_default(void **state)
{
    struct client_bed bed = { 0 };
    uint64_t number = 77;
    (void)state;
    client_bed_begin(&bed, NULL);
    assert_int_equal(client_bed_send(&bed, "x", &number), SWALE_ERR_NOT_CONNECTED);
    assert_int_equal(number, 0);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    assert_int_equal(client_bed_send(&bed, "x", NULL), SWALE_ERR_NOT_CONNECTED);
    assert_int_equal(swale_client_fate(bed.client, 0), SWALE_FATE_FORGOTTEN);
    assert_int_equal(swale_client_fate(bed.client, 1), SWALE_FATE_FORGOTTEN);
    client_bed_end(&bed);
}

static void say_hello(struct client_bed *bed)
{
    swale_conn_send_text(swale_client_conn(bed->client), "hello");
    client_bed_send(bed, "third", NULL);
}

static void test_waiting_in_order(void **state)
{
    struct client_bed bed = { .act = { [AT_OPEN] = say_hello } };
    struct swale_client_options options = { .max_pending = 11 };
    uint64_t number;
    (void)state;
    client_bed_begin(&bed, &options);
    assert_int_equal(client_bed_send(&bed, "first", &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(swale_client_fate(bed.client, 1), SWALE_FATE_QUEUED);
    assert_int_equal(swale_client_pending(bed.client), 5);
    assert_int_equal(client_bed_send(&bed, "seconds", &number), SWALE_ERR_QUEUE_FULL); /* 12 */
    assert_int_equal(number, 0);
    assert_int_equal(client_bed_send(&bed, "second", NULL), 0); /* 11 */
    assert_int_equal(client_bed_send(&bed, "", &number), 0);
    assert_int_equal(number, 2);
    assert_int_equal(swale_client_pending(bed.client), 11);
    client_bed_open(&bed); /* "third" does not fit, so it is refused */
    assert_heard(&bed, "hello first second  ");
    assert_log(&bed, "connecting open opened:1 drain 1=written 2=written ");
    assert_int_equal(swale_client_pending(bed.client), 0);
    client_bed_end(&bed);
}

static void test_too_many_to_wait(void **state)
{
    struct client_bed bed = { 0 };
    struct swale_client_options options = { .max_pending = 100, .max_pending_messages = 3 };
    (void)state;
    client_bed_begin(&bed, &options);
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_bed_send(&bed, "", NULL), 0);
    assert_int_equal(client_bed_send(&bed, "", NULL), SWALE_ERR_QUEUE_FULL);
    client_bed_open(&bed);
    swale_conn_abort(bed.peer);
    test_loop_settle(&bed.loop);
    for (int i = 0; i < 3; i++) /* those before count no more */
        assert_int_equal(client_bed_send(&bed, "", NULL), 0);
    assert_int_equal(client_bed_send(&bed, "", NULL), SWALE_ERR_QUEUE_FULL);
    client_bed_end(&bed);
}

static void test_refused_at_the_end(void **state)
{
    struct client_bed bed = { 0 };
    struct swale_client_options options = { .max_pending = 100 };
    uint64_t number;
    (void)state;
    client_bed_begin(&bed, &options);
    client_bed_send(&bed, "a", &number);
    client_bed_send(&bed, "b", NULL);
    client_bed_send(&bed, "c", &number);
    client_bed_close(&bed, 1000, NULL);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "connecting closing ended 1=refused 2=refused end:local-closed ");
    assert_int_equal(swale_client_pending(bed.client), 0);
    assert_int_equal(client_bed_send(&bed, "d", &number), SWALE_ERR_NOT_CONNECTED);
    client_bed_end(&bed);
}

static void test_misuse(void **state)
{
    struct client_bed bed = { 0 };
    struct swale_client_options options = { .max_pending = 100 };
    uint64_t number;
    (void)state;
    begin_open(&bed, &options);
    assert_int_equal(swale_client_send(bed.client, (enum swale_kind)3, "x", 1, &number), SWALE_ERR_INVALID);
    assert_int_equal(swale_client_send(bed.client, SWALE_TEXT, NULL, 1, &number), SWALE_ERR_INVALID);
    swale_conn_send_part(swale_client_conn(bed.client), SWALE_TEXT, "part", 4, false);
    assert_int_equal(client_bed_send(&bed, "x", &number), SWALE_ERR_STATE);
    assert_int_equal(number, 0);
    swale_conn_send_part(swale_client_conn(bed.client), SWALE_TEXT, "", 0, true);
    assert_int_equal(client_bed_send(&bed, "x", &number), 0);
    assert_int_equal(number, 1);
    client_bed_end(&bed);
}

/* ---- With one --------------------------------------------------------------------------------------- */

static void test_written_then_unknown(void **state)
{
    struct client_bed bed = { 0 };
    uint64_t number;
    (void)state;
    begin_open(&bed, NULL);
    client_bed_send(&bed, "a", &number);
    client_bed_send(&bed, "b", NULL);
    client_bed_send(&bed, "c", &number);
    assert_int_equal(swale_client_fate(bed.client, 2), SWALE_FATE_QUEUED);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "1=written 2=written ");
    swale_conn_abort(bed.peer);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "waiting close:reset:1006 1=unknown 2=unknown ");
    test_loop_advance(&bed.loop, 1000);
    client_bed_open(&bed);
    client_bed_send(&bed, "d", &number);
    client_bed_close(&bed, 1000, NULL);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "connecting open opened:1 closing 3=written ended close:local-closed:1000:clean "
                     "end:local-closed ");
    assert_int_equal(swale_client_fate(bed.client, 1), SWALE_FATE_UNKNOWN);
    assert_int_equal(swale_client_fate(bed.client, 3), SWALE_FATE_WRITTEN);
    assert_int_equal(swale_client_fate(bed.client, 4), SWALE_FATE_FORGOTTEN);
    client_bed_end(&bed);
}

/* The peer does not read: what fits has been handed over, one message in part, and the rest has not begun. */
static void fill(struct client_bed *bed)
{
    uint64_t number;
    for (int i = 0; i < 5; i++) {
        char text[41];
        snprintf(text, sizeof text, "%040d", i + 1);
        assert_true(client_bed_send(bed, text, &number) >= 0);
    }
    test_loop_settle(&bed->loop);
}

static void test_partly_written(void **state)
{
    /* 46 bytes a message: two whole, and 8 bytes of the third. */
    struct client_bed bed = { .raw_peer = true, .pair = { .capacity = 100 } };
    (void)state;
    begin_open(&bed, NULL);
    fill(&bed);
    assert_log(&bed, "1=written 2=written ");
    swale_conn_abort(swale_client_conn(bed.client));
    test_loop_settle(&bed.loop);
    assert_log(&bed, "waiting close:aborted:1006 1=unknown 2=unknown 3=unknown 4=refused 5=refused ");
    client_bed_end(&bed);
}

static void test_not_begun_waits(void **state)
{
    struct client_bed bed = { .raw_peer = true, .pair = { .capacity = 100 } };
    struct swale_client_options options = { .max_pending = 60 };
    uint64_t number;
    (void)state;
    begin_open(&bed, &options);
    fill(&bed);
    assert_int_equal(swale_client_pending(bed.client), 0); /* the connection has them */
    swale__stream_close(bed.raw, true);
    bed.raw = NULL;
    test_loop_settle(&bed.loop);
    assert_log(&bed, "1=written 2=written waiting close:reset:1006 1=unknown 2=unknown 3=unknown ");
    assert_int_equal(swale_client_fate(bed.client, 4), SWALE_FATE_QUEUED);
    assert_int_equal(swale_client_pending(bed.client), 80); /* what came back may exceed the bound */
    assert_int_equal(client_bed_send(&bed, "", &number), SWALE_ERR_QUEUE_FULL);
    bed.raw_peer = false;
    test_loop_advance(&bed.loop, 1000);
    client_bed_open(&bed);
    assert_heard(&bed, "0000000000000000000000000000000000000004 0000000000000000000000000000000000000005 ");
    assert_log(&bed, "connecting open opened:1 drain 4=written 5=written ");
    client_bed_end(&bed);
}

/* Short messages lie in one run with the one that is under way; they are told apart all the same. The peer ends its
 * direction, or closes, but still reads. */
static void test_taken_back_when_the_peer_ends(void **state)
{
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        struct client_bed bed = { .raw_peer = true, .pair = { .capacity = 100 } };
        struct swale_client_options options = { .max_pending = 1000 };
        begin_open(&bed, &options);
        fill(&bed);
        struct iovec frame = { .iov_base = (char[]){ (char)0x88, 2, 0x03, (char)0xe9 }, .iov_len = 4 };
        if (closes)
            assert_int_equal(swale__stream_write(bed.raw, &frame, 1), 4);
        else
            swale__stream_shutdown(bed.raw);
        test_loop_settle(&bed.loop);
        test_loop_advance(&bed.loop, 5000); /* the close wait */
        assert_int_equal(swale_client_fate(bed.client, 3), SWALE_FATE_UNKNOWN);
        assert_int_equal(swale_client_fate(bed.client, 4), SWALE_FATE_QUEUED);
        assert_int_equal(swale_client_pending(bed.client), 80);
        client_bed_end(&bed);
    }
}

/* A peer that closes by itself may not have read what was under way; nor one whose close frame crosses ours, which
 * shows in its code. */
static void test_written_and_then_closed(void **state)
{
    static const struct {
        bool first, ours;
        enum swale_fate fate;
    } cases[] = {
        { true, false, SWALE_FATE_UNKNOWN },
        { true, true, SWALE_FATE_UNKNOWN },
        { false, true, SWALE_FATE_WRITTEN },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client_bed bed = { 0 };
        uint64_t number;
        begin_open(&bed, NULL);
        client_bed_send(&bed, "a", &number);
        test_loop_settle(&bed.loop);
        assert_int_equal(swale_client_fate(bed.client, number), SWALE_FATE_WRITTEN);
        if (cases[i].first)
            swale_conn_close(bed.peer, 1012, NULL);
        if (cases[i].ours)
            client_bed_close(&bed, 1000, NULL);
        test_loop_settle(&bed.loop);
        assert_int_equal(swale_client_fate(bed.client, number), cases[i].fate);
        client_bed_end(&bed);
    }
}

/* A clean close by the peer: what was begun is finished, the rest waits. */
static void test_peer_closes_while_much_is_queued(void **state)
{
    struct client_bed bed = { .pair = { .capacity = 100 } };
    struct swale_client_options options = { .max_pending = 1000 };
    uint64_t number;
    (void)state;
    begin_open(&bed, &options);
    swale_conn_close(bed.peer, 1012, NULL);
    test_loop_settle(&bed.loop);
    assert_log(&bed, "waiting close:peer-closed:1012:clean ");
    client_bed_send(&bed, "later", &number);
    test_loop_advance(&bed.loop, 1000);
    client_bed_open(&bed);
    assert_heard(&bed, "later ");
    client_bed_end(&bed);
}

/* Everything that waits leaves before the close frame does. */
static void test_close_behind_what_waits(void **state)
{
    static char block[50000];
    struct client_bed bed = { .pair = { .capacity = 1000 } };
    struct swale_client_options options = { .max_pending = 1 << 20 };
    uint64_t number;
    (void)state;
    memset(block, 'x', sizeof block);
    client_bed_begin(&bed, &options);
    for (int i = 0; i < 10; i++)
        assert_int_equal(swale_client_send(bed.client, SWALE_TEXT, block, sizeof block, &number), 0);
    bed.act[AT_OPEN] = NULL;
    client_bed_at_once(&bed, true);
    assert_true(swale_client_pending(bed.client) > 0);
    assert_int_equal(client_bed_close(&bed, 1000, "done"), 0);
    assert_int_equal(client_bed_send(&bed, "x", &number), SWALE_ERR_CLOSED);
    test_loop_settle(&bed.loop);
    assert_int_equal(bed.calls[AT_FATE], 10);
    assert_int_equal(swale_client_fate(bed.client, 1), SWALE_FATE_WRITTEN);
    assert_int_equal(swale_client_fate(bed.client, 10), SWALE_FATE_WRITTEN);
    assert_int_equal(bed.peer_reason, SWALE_ERR_PEER_CLOSED);
    assert_int_equal(bed.calls[AT_END], 1);
    client_bed_end(&bed);
}

/* But not for ever: a peer that does not read is closed without, and what waits is refused. */
static void test_close_of_a_peer_that_does_not_read(void **state)
{
    static char block[200000];
    struct client_bed bed = { .raw_peer = true, .pair = { .capacity = 1000 } };
    struct swale_limits limits = { .ping_after_ms = SWALE_OFF };
    struct swale_client_options options = { .max_pending = 1 << 20, .limits = &limits };
    uint64_t number;
    (void)state;
    client_bed_begin(&bed, &options);
    for (int i = 0; i < 3; i++)
        assert_int_equal(swale_client_send(bed.client, SWALE_TEXT, block, sizeof block, &number), 0);
    client_bed_open(&bed);
    bed.log[0] = '\0';
    assert_int_equal(client_bed_close(&bed, 1000, NULL), 0);
    test_loop_advance(&bed.loop, 9999);
    assert_log(&bed, "closing ");
    test_loop_advance(&bed.loop, 1);
    assert_log(&bed, "ended close:close-timeout:1006 1=unknown 2=refused 3=refused end:close-timeout ");
    client_bed_end(&bed);
}

/* ---- Backpressure ------------------------------------------------------------------------------------ */

static void test_drain(void **state)
{
    static char block[30000];
    (void)state;
    for (int noted = 0; noted < 3; noted++) {
        struct client_bed bed = { .raw_peer = true, .pair = { .capacity = 1000 } };
        struct swale_client_options options = { .max_pending = noted == 2 ? 1 << 20 : 0 };
        struct swale_limits limits = { .high_water = 50000, .max_queue = 100000 };
        uint64_t number;
        options.limits = &limits;
        begin_open(&bed, &options);
        int result = 0;
        unsigned sent = 0;
        while ((result = swale_client_send(bed.client, SWALE_BINARY, block, sizeof block,
                                           noted > 0 ? &number : NULL)) >= 0)
            assert_int_equal(result, ++sent >= 2 ? SWALE_FULL : 0);
        assert_int_equal(result, SWALE_ERR_QUEUE_FULL);
        test_loop_settle(&bed.loop);
        assert_int_equal(bed.calls[AT_DRAIN], 0);
        swale__stream_close(bed.raw, true);
        bed.raw = NULL;
        bed.raw_peer = false;
        test_loop_advance(&bed.loop, 1000);
        bed.pair.capacity = 0;
        client_bed_open(&bed);
        assert_int_equal(bed.calls[AT_DRAIN], 1); /* also on the next connection, once there is room */
        client_bed_end(&bed);
    }
}

/* ---- The model --------------------------------------------------------------------------------------- */

enum { MESSAGES = 400 };

struct told {
    bool taken, numbered;
    int fate; /* as on_fate said last; -1 for nothing */
    unsigned fates;
    unsigned connection; /* when it said so */
    unsigned received;
};

static struct told told[MESSAGES];
static int by_number[MESSAGES + 1]; /* which message has the number */
static int last_received[MESSAGES]; /* on each connection: an old one may still be read beside the new */
static unsigned taken_count;
static unsigned all_counts[SWALE_FATE_FORGOTTEN]; /* over all runs: none is left out */

static uint32_t random_state;
static unsigned chance(unsigned n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % n;
}

static void model_fate(struct swale_client *client, uint64_t number, enum swale_fate fate)
{
    struct told *message = &told[by_number[number]];
    assert_int_equal(swale_client_fate(client, number), fate);
    assert_true(number >= 1 && number <= MESSAGES);
    /* WRITTEN, and from there perhaps UNKNOWN; or REFUSED, UNKNOWN. */
    assert_true(fate != SWALE_FATE_QUEUED && fate != SWALE_FATE_FORGOTTEN);
    if (message->fates > 0)
        assert_true(message->fates == 1 && message->fate == SWALE_FATE_WRITTEN && fate == SWALE_FATE_UNKNOWN);
    message->fate = (int)fate;
    message->connection = ((const struct client_bed *)swale_client_user(client))->calls[AT_OPEN];
    message->fates++;
}

static void model_received(struct swale_conn *conn, const struct swale_message *message)
{
    int index;
    int *last = &last_received[swale_conn_id(conn) % MESSAGES];
    assert_true(message->data.size >= sizeof index);
    memcpy(&index, message->data.data, sizeof index);
    assert_in_range(index, 0, MESSAGES - 1);
    for (size_t i = sizeof index; i < message->data.size; i++)
        assert_int_equal((unsigned char)message->data.data[i], (unsigned char)(index + (int)i));
    assert_true(index >= *last); /* order kept, nothing twice */
    *last = index + 1;
    assert_true(told[index].taken);
    told[index].received++;
}

static void send_one(struct client_bed *bed, int index)
{
    static char data[3000];
    size_t size = sizeof index + (chance(4) == 0 ? chance(2900) : chance(60));
    uint64_t number = 0;
    memcpy(data, &index, sizeof index);
    for (size_t i = sizeof index; i < size; i++)
        data[i] = (char)(index + (int)i);
    bool numbered = chance(5) > 0;
    told[index] = (struct told){ .fate = -1, .numbered = numbered };
    bed->inside = true;
    int result = swale_client_send(bed->client, SWALE_BINARY, data, size, numbered ? &number : NULL);
    bed->inside = false;
    told[index].taken = result >= 0;
    if (result < 0)
        assert_int_equal(number, 0);
    if (result >= 0 && numbered)
        by_number[number] = index;
    taken_count += told[index].taken;
}

/* Something goes wrong with the connection, in one of many ways. */
static void disturb(struct client_bed *bed)
{
    struct swale_conn *conn = bed->client ? swale_client_conn(bed->client) : NULL;
    switch (chance(9)) {
    case 0:
        if (bed->peer)
            swale_conn_abort(bed->peer);
        break;
    case 1:
        if (conn)
            swale_conn_abort(conn);
        break;
    case 2:
        if (bed->peer)
            swale_conn_close(bed->peer, 1012, NULL);
        break;
    case 3:
        if (conn)
            swale_conn_fail(conn, SWALE_ERR_INTERNAL);
        break;
    case 4:
        client_bed_reconnect(bed);
        break;
    case 5:
        if (conn)
            swale_conn_close(conn, 4000, NULL);
        break;
    case 6:
        if (bed->peer)
            swale_conn_fail(bed->peer, SWALE_ERR_INTERNAL);
        break;
    default: /* the peer stops reading, or goes on */
        if (bed->peer && chance(2))
            swale_conn_pause(bed->peer);
        else if (bed->peer)
            swale_conn_resume(bed->peer);
    }
}

/* At the end: accepted = written + unknown + refused + queued, and what was received fits the fates. */
static void judge(const struct client_bed *bed, uint64_t pending, bool keeps)
{
    unsigned counts[SWALE_FATE_FORGOTTEN] = { 0 }, unnumbered = 0;
    uint64_t number = 0;
    for (int i = 0; i < MESSAGES; i++) {
        const struct told *message = &told[i];
        assert_true(message->received <= 1);
        if (!message->taken)
            assert_int_equal(message->received, 0);
        if (!message->taken || !message->numbered) {
            unnumbered += message->taken;
            continue;
        }
        enum swale_fate fate = swale_client_fate(bed->client, ++number);
        assert_int_equal(by_number[number], i); /* numbers count up with the calls */
        assert_true(fate != SWALE_FATE_FORGOTTEN);
        counts[fate]++;
        all_counts[fate]++;
        assert_int_equal(fate == SWALE_FATE_QUEUED ? -1 : (int)fate, message->fate);
        if (fate == SWALE_FATE_QUEUED || fate == SWALE_FATE_REFUSED)
            assert_int_equal(message->received, 0);
        if (fate == SWALE_FATE_WRITTEN && message->connection == bed->calls[AT_OPEN])
            assert_int_equal(message->received, 1); /* this connection is open, and all has been read */
        if (fate == SWALE_FATE_REFUSED)
            assert_false(keeps); /* it would have waited */
    }
    assert_int_equal(counts[SWALE_FATE_WRITTEN] + counts[SWALE_FATE_UNKNOWN] + counts[SWALE_FATE_REFUSED] +
                         counts[SWALE_FATE_QUEUED] + unnumbered,
                     taken_count);
    if (pending == 0)
        assert_int_equal(counts[SWALE_FATE_QUEUED], 0);
}

static void run_model(uint32_t seed, uint64_t max_pending, bool in_flight)
{
    struct client_bed bed = { .open_all = true, .on_received = model_received };
    struct swale_limits limits = { .high_water = 4000, .max_queue = 10000 };
    struct swale_client_options options = { .max_pending = max_pending,
                                            .limits = &limits,
                                            .reconnect = { .first_ms = 20, .max_ms = 40 } };
    random_state = seed;
    memset(last_received, 0, sizeof last_received);
    taken_count = 0;
    bed.pair = (struct swale__pair_options){ .capacity = 1 + chance(300), .in_flight = in_flight };
    bed.on_fate = model_fate;
    client_bed_begin(&bed, &options);
    for (int i = 0; i < MESSAGES; i++) {
        send_one(&bed, i);
        if (chance(3) == 0)
            swale_loop_step(bed.loop.loop, 0);
        if (chance(20) == 0)
            test_loop_settle(&bed.loop);
        if (chance(12) == 0)
            disturb(&bed);
        if (chance(10) == 0)
            test_loop_advance(&bed.loop, chance(60));
        assert_true(swale_client_pending(bed.client) <= max_pending + limits.max_queue + 4000);
    }
    if (bed.peer)
        swale_conn_resume(bed.peer);
    for (int i = 0; i < 200; i++) { /* attempts and close waits pass, peers that pause are woken */
        test_loop_advance(&bed.loop, 100);
        if (bed.peer)
            swale_conn_resume(bed.peer);
    }
    assert_int_equal(swale_client_state(bed.client), SWALE_CLIENT_OPEN);
    judge(&bed, swale_client_pending(bed.client), max_pending > 0);
    assert_int_equal(swale_client_pending(bed.client), 0); /* it is open again, and all has left */
    client_bed_end(&bed);
}

static void test_against_a_model(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 120; seed++)
        run_model(seed, seed % 3 ? 20000 : 0, seed % 2);
    assert_true(all_counts[SWALE_FATE_WRITTEN] > 1000);
    assert_true(all_counts[SWALE_FATE_UNKNOWN] > 1000);
    assert_true(all_counts[SWALE_FATE_REFUSED] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_by_default),
        cmocka_unit_test(test_waiting_in_order),
        cmocka_unit_test(test_too_many_to_wait),
        cmocka_unit_test(test_refused_at_the_end),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_written_then_unknown),
        cmocka_unit_test(test_partly_written),
        cmocka_unit_test(test_not_begun_waits),
        cmocka_unit_test(test_taken_back_when_the_peer_ends),
        cmocka_unit_test(test_written_and_then_closed),
        cmocka_unit_test(test_peer_closes_while_much_is_queued),
        cmocka_unit_test(test_close_behind_what_waits),
        cmocka_unit_test(test_close_of_a_peer_that_does_not_read),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests_name("client.fates", tests, NULL, NULL);
}
