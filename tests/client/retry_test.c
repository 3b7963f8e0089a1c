/* The default policy, row by row, and how delays are spread. */
#include "test.h"

#include "client/retry.h"

#include <errno.h>

static struct swale_reconnect defaults(void)
{
    return (struct swale_reconnect){ .first_ms = 500,
                                     .max_ms = 30000,
                                     .healthy_ms = 60000,
                                     .max_retry_after_ms = 600000,
                                     .max_failures = SWALE_OFF,
                                     .max_gap_ms = SWALE_OFF };
}

static bool stops(const struct swale_reconnect *policy, struct swale_client_retry retry)
{
    if (retry.failures == 0)
        retry.failures = 1;
    return swale__retry_delay(policy, &retry, 0, 12345) == SWALE_CLIENT_STOP;
}

/* ---- Whether ---------------------------------------------------------------------------------------- */

static bool listed(const int *list, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

static void test_close_codes(void **state)
{
    static const int final[] = { 1000, 1002, 1003, 1007, 1008, 1009, 1010, 3333, 4444 };
    static const uint16_t further[] = { 3333, 4444 };
    struct swale_reconnect policy = defaults();
    (void)state;
    policy.final_codes = further;
    policy.final_code_count = COUNT_OF(further);
    for (int code = 1000; code < 5000; code++) {
        struct swale_client_retry retry = { .phase = SWALE_PHASE_OPEN,
                                            .reason = SWALE_ERR_PEER_CLOSED,
                                            .code = code };
        assert_int_equal(stops(&policy, retry), listed(final, COUNT_OF(final), code));
    }
}

/* Close frames of ours count as well: what we could not bear we could not bear again. */
static void test_reasons_of_an_open_connection(void **state)
{
    struct swale_reconnect policy = defaults();
    (void)state;
    for (int slot = 1; slot < SWALE_ERROR_SLOTS; slot++) {
        int reason = swale_error_at(slot), code = swale_error_close_code(reason);
        struct swale_client_retry retry = { .phase = SWALE_PHASE_OPEN, .reason = reason, .code = 1006 };
        bool wanted = code == 1002 || code == 1007 || code == 1008 || code == 1009;
        assert_int_equal(stops(&policy, retry), wanted);
    }
}

static void test_the_connection_closed_by_hand(void **state)
{
    struct swale_reconnect policy = defaults();
    (void)state;
    assert_false(stops(&policy, (struct swale_client_retry){
                                    .phase = SWALE_PHASE_OPEN, .reason = SWALE_ERR_LOCAL_CLOSED, .code = 1000 }));
}

static void test_statuses(void **state)
{
    static const int weather[] = { 408, 425, 429 };
    struct swale_reconnect policy = defaults();
    (void)state;
    for (int status = 200; status < 600; status++) {
        struct swale_client_retry retry = { .phase = SWALE_PHASE_HANDSHAKE,
                                            .reason = SWALE_ERR_ANSWER_STATUS,
                                            .status = status };
        bool wanted = (status >= 300 && status < 500 && !listed(weather, COUNT_OF(weather), status)) ||
                      status == 501 || status == 505;
        assert_int_equal(stops(&policy, retry), wanted);
    }
}

static void test_reasons_of_a_try(void **state)
{
    struct swale_reconnect policy = defaults();
    static const int weather[] = {
        SWALE_ERR_RESOLVE,
        SWALE_ERR_PROXY,
        SWALE_ERR_PROXY_REFUSED,
        SWALE_ERR_HANDSHAKE_TIMEOUT,
        SWALE_ERR_TLS,
        SWALE_ERR_TLS_UNTRUSTED,
        SWALE_ERR_PEER_GONE,
        SWALE_ERR_RESET,
        -ECONNREFUSED,
        -ENETUNREACH,
        -ETIMEDOUT,
        -ENOMEM,
        -EMFILE,
        SWALE_ERR_ANSWER_STATUS, /* by its status */
    };
    static const int final[] = {
        SWALE_ERR_ANSWER_FIELDS, SWALE_ERR_ANSWER_ACCEPT,  SWALE_ERR_ANSWER_EXTENSIONS, SWALE_ERR_ANSWER_SUBPROTOCOL,
        SWALE_ERR_ANSWER_BODY,   SWALE_ERR_ANSWER_INTERIM, SWALE_ERR_REDIRECT,          SWALE_ERR_PROXY_LOGIN,
        SWALE_ERR_URL,           SWALE_ERR_ADDRESS,        SWALE_ERR_INVALID,           SWALE_ERR_PROXY_URL,
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(weather); i++)
        assert_false(
            stops(&policy, (struct swale_client_retry){ .phase = SWALE_PHASE_CONNECT, .reason = weather[i] }));
    for (size_t i = 0; i < COUNT_OF(final); i++)
        assert_true(
            stops(&policy, (struct swale_client_retry){ .phase = SWALE_PHASE_HANDSHAKE, .reason = final[i] }));
}

static void test_bounds(void **state)
{
    struct swale_client_retry retry = { .reason = SWALE_ERR_RESOLVE, .failures = 3 };
    struct swale_reconnect policy = defaults();
    (void)state;
    policy.max_failures = 4;
    assert_false(stops(&policy, retry));
    policy.max_failures = 3;
    assert_true(stops(&policy, retry));
    policy = defaults();
    policy.off = true;
    assert_true(stops(&policy, retry));
    policy = defaults();
    policy.max_gap_ms = 1000;
    assert_int_equal(swale__retry_delay(&policy, &retry, 1000, 0), SWALE_CLIENT_STOP);
    assert_int_equal(swale__retry_delay(&policy, &retry, 999, 2000), 1); /* the last try, when the gap is full */
    retry.retry_after_ms = 500;
    assert_int_equal(swale__retry_delay(&policy, &retry, 501, 0), SWALE_CLIENT_STOP); /* longer than that */
    assert_int_equal(swale__retry_delay(&policy, &retry, 500, 77), 500);
}

/* ---- When ------------------------------------------------------------------------------------------- */

/* Enough of a generator, always the same (splitmix64). */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

enum { DRAWS = 10000, TENTHS = 10 };

static void test_full_jitter(void **state)
{
    static const uint32_t caps[] = { 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
    struct swale_reconnect policy = defaults();
    uint64_t seed = 3;
    (void)state;
    for (uint32_t n = 1; n <= COUNT_OF(caps); n++) {
        struct swale_client_retry retry = { .reason = SWALE_ERR_RESOLVE, .failures = n, .retry_after_ms = -1 };
        unsigned tenths[TENTHS + 1] = { 0 };
        assert_int_equal(swale__retry_cap(&policy, n), caps[n - 1]);
        for (int i = 0; i < DRAWS; i++) {
            int64_t delay = swale__retry_delay(&policy, &retry, 0, next_random(&seed));
            assert_in_range(delay, 0, caps[n - 1]);
            tenths[delay * TENTHS / caps[n - 1]]++;
        }
        for (int i = 0; i < TENTHS; i++) /* 1000 expected, with a deviation of 30 */
            assert_in_range(tenths[i], 850, 1150);
    }
    assert_int_equal(swale__retry_cap(&policy, UINT32_MAX), 30000);
    policy.first_ms = UINT32_MAX;
    policy.max_ms = UINT32_MAX;
    assert_true(swale__retry_cap(&policy, 40) == UINT32_MAX);
    policy.max_ms = 200; /* less than the first: the smaller of the two */
    assert_int_equal(swale__retry_cap(&policy, 1), 200);
}

/* The most of a storm of a thousand that one tenth of a second gets. */
static unsigned largest_window(uint32_t failures, uint64_t seed)
{
    unsigned windows[310] = { 0 };
    struct swale_reconnect policy = defaults();
    struct swale_client_retry retry = { .reason = SWALE_ERR_RESOLVE, .failures = failures, .retry_after_ms = -1 };
    unsigned most = 0;
    for (int i = 0; i < 1000; i++)
        windows[swale__retry_delay(&policy, &retry, 0, next_random(&seed)) / 100]++;
    for (size_t i = 0; i < COUNT_OF(windows); i++)
        most = windows[i] > most ? windows[i] : most;
    return most;
}

/* Once the ceiling has passed 5 s, no tenth of a second gets more than 3% of a storm, even if all are as far as each
 * other. */
static void test_a_storm_is_spread(void **state)
{
    enum { SEEDS = 100 };
    struct swale_reconnect policy = defaults();
    (void)state;
    assert_true(swale__retry_cap(&policy, 4) <= 5000 && swale__retry_cap(&policy, 5) > 5000);
    for (uint32_t failures = 5; failures <= 8; failures++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            assert_true(largest_window(failures, seed) <= 30);
}

static void test_retry_after(void **state)
{
    struct swale_reconnect policy = defaults();
    struct swale_client_retry retry = { .reason = SWALE_ERR_ANSWER_STATUS,
                                        .phase = SWALE_PHASE_HANDSHAKE,
                                        .status = 503,
                                        .failures = 2,
                                        .retry_after_ms = 20000 };
    uint64_t seed = 5;
    unsigned late = 0;
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        int64_t delay = swale__retry_delay(&policy, &retry, 0, next_random(&seed));
        assert_in_range(delay, 20000, 40000);
        late += delay > 30000;
    }
    assert_in_range(late, DRAWS * 45 / 100,
                    DRAWS * 55 / 100); /* the crowd is spread behind that instant, as widely as it had to wait */
    retry.retry_after_ms = INT64_MAX;
    assert_in_range(swale__retry_delay(&policy, &retry, 0, UINT64_MAX), 600000, 630000);
    retry.retry_after_ms = 0;
    assert_in_range(swale__retry_delay(&policy, &retry, 0, 999), 0, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_reasons_of_an_open_connection),
        cmocka_unit_test(test_the_connection_closed_by_hand),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_reasons_of_a_try),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_full_jitter),
        cmocka_unit_test(test_a_storm_is_spread),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests_name("client.retry", tests, NULL, NULL);
}
