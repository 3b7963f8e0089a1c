/* Options that change during a client's life, and finishing, which hears the last answers. */
#include "client_bed.h"

#include <errno.h>

static const char *path_of(const struct client_bed *bed)
{
    return bed->attempt->options.config->options.url;
}

static int configure(struct client_bed *bed, const char *url)
{
    struct swale_client_options options = { .url = url, .reconnect = { .first_ms = 10 }, .no_cookies = true };
    return swale_client_configure(bed->client, &options, bed->message);
}

static void configure_within(struct client_bed *bed)
{
    assert_int_equal(configure(bed, "ws://host/fresh"), 0);
}

static int64_t at_once(struct client_bed *bed)
{
    configure_within(bed);
    return 0;
}

/* ---- Options ----------------------------------------------------------------------------------------- */

/* A token has expired: the policy takes a fresh one and tries again. */
static void test_configure_within_on_retry(void **state)
{
    struct client_bed bed = { .policy = at_once };
    struct swale_client_options options = { .url = "ws://host/stale" };
    (void)state;
    client_bed_begin(&bed, &options);
    assert_string_equal(path_of(&bed), "ws://host/stale");
    assert_non_null(bed.attempt->options.jar);
    client_bed_refuse(&bed, 401, -1);
    test_loop_advance(&bed.loop, 1);
    assert_string_equal(path_of(&bed), "ws://host/fresh");
    assert_null(bed.attempt->options.jar);
    client_bed_end(&bed);
}

static void test_configure_within_on_fail(void **state)
{
    struct client_bed bed = { .act[AT_FAIL] = configure_within };
    (void)state;
    client_bed_begin(&bed, NULL);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    test_loop_advance(&bed.loop, 500);
    assert_string_equal(path_of(&bed), "ws://host/fresh");
    client_bed_end(&bed);
}

/* A try that is under way, and a connection, go on by what they began with; of several only the last counts. */
static void test_configure_leaves_what_is_under_way(void **state)
{
    struct client_bed bed = { 0 };
    struct swale_client_options options = { .url = "ws://host/first" };
    (void)state;
    client_bed_begin(&bed, &options);
    assert_int_equal(configure(&bed, "ws://host/second"), 0);
    assert_string_equal(path_of(&bed), "ws://host/first");
    client_bed_open(&bed);
    assert_int_equal(configure(&bed, "ws://host/third"), 0);
    assert_int_equal(client_bed_send(&bed, "still", NULL), 0);
    test_loop_settle(&bed.loop);
    assert_heard(&bed, "still ");
    assert_int_equal(client_bed_reconnect(&bed), 0);
    test_loop_advance(&bed.loop, 1);
    assert_string_equal(path_of(&bed), "ws://host/third");
    client_bed_end(&bed);
}

static void test_configure_refuses(void **state)
{
    struct client_bed bed = { 0 };
    struct swale_client_options options = { .url = "ws://host/first" };
    (void)state;
    client_bed_begin(&bed, &options);
    assert_int_equal(configure(&bed, "gopher://host/"), SWALE_ERR_URL);
    assert_non_null(strstr(bed.message, "url: "));
    assert_int_equal(swale_client_configure(bed.client, NULL, bed.message), SWALE_ERR_URL);
    bed.loop.memory.fail_at = bed.loop.memory.allocations + 1;
    assert_int_equal(configure(&bed, "ws://host/second"), -ENOMEM);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    test_loop_advance(&bed.loop, 500);
    assert_string_equal(path_of(&bed), "ws://host/first");
    client_bed_end(&bed);
}

/* Whether messages wait was settled when the client was made. */
static void test_configure_keeps_what_waits(void **state)
{
    struct client_bed bed = { 0 };
    struct swale_client_options options = { .max_pending = 100 };
    (void)state;
    client_bed_begin(&bed, &options);
    assert_int_equal(client_bed_send(&bed, "early", NULL), 0);
    assert_int_equal(configure(&bed, "ws://host/second"), 0);
    client_bed_fail(&bed, SWALE_ERR_RESOLVE);
    test_loop_advance(&bed.loop, 500);
    assert_int_equal(client_bed_send(&bed, "late", NULL), 0);
    client_bed_open(&bed);
    assert_heard(&bed, "early late ");
    client_bed_end(&bed);
}

/* ---- Finishing --------------------------------------------------------------------------------------- */

static void answer(struct swale_conn *peer, const struct swale_message *message)
{
    (void)message;
    swale_conn_send_text(peer, "answer");
}

/* Messages that wait go first; what the server says to them is heard, unless it was swale_client_close. */
static void test_finish(void **state)
{
    (void)state;
    for (int finish = 0; finish < 2; finish++) {
        struct client_bed bed = { .on_received = answer };
        client_bed_begin(&bed, NULL);
        client_bed_open(&bed);
        bed.log[0] = '\0';
        assert_int_equal(client_bed_send(&bed, "question", NULL), 0);
        assert_int_equal((finish ? swale_client_finish : swale_client_close)(bed.client, 1000, NULL), 0);
        assert_int_equal(swale_client_finish(bed.client, 1000, NULL), SWALE_ERR_CLOSED);
        test_loop_settle(&bed.loop);
        assert_log(&bed, finish ? "closing message:answer ended close:local-closed:1000:clean end:local-closed "
                                : "closing ended close:local-closed:1000:clean end:local-closed ");
        client_bed_end(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configure_within_on_retry),          cmocka_unit_test(test_configure_within_on_fail),
        cmocka_unit_test(test_configure_leaves_what_is_under_way), cmocka_unit_test(test_configure_refuses),
        cmocka_unit_test(test_configure_keeps_what_waits),         cmocka_unit_test(test_finish),
    };
    return cmocka_run_group_tests_name("client.configure", tests, NULL, NULL);
}
