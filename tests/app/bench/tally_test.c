#include "test.h"

#include "app/bench/tally.h"

#include <errno.h>
#include <string.h>

static struct tally one, two;

static int empty(void **state)
{
    (void)state;
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    return 0;
}

static const char *name_of(enum swale_client_phase phase, int reason, int code)
{
    static char name[TALLY_NAME_MAX];
    tally_error_name(&(struct tally_error){ .phase = phase, .reason = reason, .code = code }, name);
    return name;
}

static void names_what_went_wrong(void **state)
{
    (void)state;
    assert_string_equal(name_of(SWALE_PHASE_CONNECT, -ECONNREFUSED, 0), "connect ECONNREFUSED");
    assert_string_equal(name_of(SWALE_PHASE_HANDSHAKE, SWALE_ERR_ANSWER_STATUS, 503), "handshake answer-status 503");
    assert_string_equal(name_of(SWALE_PHASE_OPEN, SWALE_ERR_PEER_CLOSED, 1001), "open peer-closed 1001");
    assert_string_equal(name_of(SWALE_PHASE_TLS, SWALE_ERR_TLS_UNTRUSTED, 0), "tls tls-untrusted");
    assert_string_equal(name_of(SWALE_PHASE_OPEN, -999, 0), "open system"); /* no such errno */
}

static void counts_by_name(void **state)
{
    (void)state;
    tally_error(&one, SWALE_PHASE_CONNECT, -ECONNREFUSED, 0);
    tally_error(&one, SWALE_PHASE_CONNECT, -ECONNREFUSED, 0);
    tally_error(&one, SWALE_PHASE_CONNECT, -ETIMEDOUT, 0);
    tally_error(&one, SWALE_PHASE_OPEN, -ETIMEDOUT, 0);
    tally_error(&one, SWALE_PHASE_HANDSHAKE, SWALE_ERR_ANSWER_STATUS, 500);
    tally_error(&one, SWALE_PHASE_HANDSHAKE, SWALE_ERR_ANSWER_STATUS, 503);
    assert_int_equal(one.error_count, 5);
    assert_int_equal(one.errors[0].count, 2);
    assert_int_equal(one.errors[4].count, 1);
    assert_int_equal(one.other_errors, 0);
}

static void counts_on_when_the_list_is_full(void **state)
{
    (void)state;
    for (int i = 0; i < TALLY_ERRORS_MAX + 10; i++)
        tally_error(&one, SWALE_PHASE_HANDSHAKE, SWALE_ERR_ANSWER_STATUS, 400 + i);
    tally_error(&one, SWALE_PHASE_HANDSHAKE, SWALE_ERR_ANSWER_STATUS, 400);
    assert_int_equal(one.error_count, TALLY_ERRORS_MAX);
    assert_int_equal(one.other_errors, 10);
    assert_int_equal(one.errors[0].count, 2);
}

/* Every number of a tally is either a sum or a maximum; one that merging forgot would show here. */
static void merges_every_number(void **state)
{
    (void)state;
    uint64_t *numbers = &one.opened;
    size_t count = offsetof(struct tally, errors) / sizeof *numbers;
    for (size_t i = 0; i < count; i++)
        numbers[i] = i + 1;
    tally_merge(&two, &one);
    tally_merge(&two, &one);
    numbers = &two.opened;
    for (size_t i = 0; i < count; i++)
        if (&numbers[i] == &two.measured_ns)
            assert_int_equal(numbers[i], i + 1);
        else
            assert_int_equal(numbers[i], 2 * (i + 1));
}

static void merges_errors_by_frequency(void **state)
{
    (void)state;
    tally_error(&one, SWALE_PHASE_CONNECT, -ECONNREFUSED, 0);
    tally_error(&two, SWALE_PHASE_CONNECT, -ETIMEDOUT, 0);
    tally_error(&two, SWALE_PHASE_CONNECT, -ETIMEDOUT, 0);
    tally_error(&two, SWALE_PHASE_CONNECT, -ECONNREFUSED, 0);
    tally_error(&two, SWALE_PHASE_CONNECT, -ECONNREFUSED, 0);
    two.other_errors = 3;
    strcpy(two.fault, "the second's");
    tally_merge(&one, &two);
    assert_int_equal(one.error_count, 2);
    assert_int_equal(one.errors[0].reason, -ECONNREFUSED);
    assert_int_equal(one.errors[0].count, 3);
    assert_int_equal(one.errors[1].count, 2);
    assert_int_equal(one.other_errors, 3);
    assert_string_equal(one.fault, "the second's");
    strcpy(two.fault, "another");
    tally_merge(&one, &two);
    assert_string_equal(one.fault, "the second's");
}

static void merges_histograms(void **state)
{
    (void)state;
    histogram_record(&one.latency, 10);
    histogram_record(&two.latency, 20);
    histogram_record(&two.lateness, 30);
    histogram_record(&two.opening, 40);
    tally_merge(&one, &two);
    assert_int_equal(one.latency.count, 2);
    assert_int_equal(one.lateness.max, 30);
    assert_int_equal(one.opening.max, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(names_what_went_wrong, empty),
        cmocka_unit_test_setup(counts_by_name, empty),
        cmocka_unit_test_setup(counts_on_when_the_list_is_full, empty),
        cmocka_unit_test_setup(merges_every_number, empty),
        cmocka_unit_test_setup(merges_errors_by_frequency, empty),
        cmocka_unit_test_setup(merges_histograms, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
