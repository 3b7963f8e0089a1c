#include "test.h"

#include "app/connect/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tells_failures_apart(void **state)
{
    (void)state;
    static const struct {
        int reason;
        enum swale_client_phase phase;
        int status;
    } cases[] = {
        { SWALE_ERR_RESOLVE, SWALE_PHASE_RESOLVE, 3 },
        { -ECONNREFUSED, SWALE_PHASE_CONNECT, 4 },
        { -ENETUNREACH, SWALE_PHASE_CONNECT, 4 },
        { SWALE_ERR_PROXY, SWALE_PHASE_PROXY, 5 },
        { SWALE_ERR_PROXY_REFUSED, SWALE_PHASE_PROXY, 5 },
        { SWALE_ERR_PROXY_LOGIN, SWALE_PHASE_PROXY, 5 },
        { SWALE_ERR_PEER_GONE, SWALE_PHASE_PROXY, 5 },
        { SWALE_ERR_TLS_UNTRUSTED, SWALE_PHASE_PROXY, 5 },
        { SWALE_ERR_TLS, SWALE_PHASE_TLS, 6 },
        { SWALE_ERR_TLS_UNTRUSTED, SWALE_PHASE_TLS, 6 },
        { SWALE_ERR_TLS_PIN, SWALE_PHASE_TLS, 6 },
        { SWALE_ERR_PEER_GONE, SWALE_PHASE_TLS, 6 },
        { SWALE_ERR_TLS, SWALE_PHASE_HANDSHAKE, 6 },
        { SWALE_ERR_ANSWER_STATUS, SWALE_PHASE_HANDSHAKE, 7 },
        { SWALE_ERR_REDIRECT, SWALE_PHASE_HANDSHAKE, 7 },
        { SWALE_ERR_ANSWER_FIELDS, SWALE_PHASE_HANDSHAKE, 8 },
        { SWALE_ERR_ANSWER_ACCEPT, SWALE_PHASE_HANDSHAKE, 8 },
        { SWALE_ERR_ANSWER_EXTENSIONS, SWALE_PHASE_HANDSHAKE, 8 },
        { SWALE_ERR_ANSWER_SUBPROTOCOL, SWALE_PHASE_HANDSHAKE, 8 },
        { SWALE_ERR_HTTP_SYNTAX, SWALE_PHASE_HANDSHAKE, 8 },
        { SWALE_ERR_PEER_GONE, SWALE_PHASE_HANDSHAKE, 8 },
        { SWALE_ERR_RESET, SWALE_PHASE_HANDSHAKE, 8 },
        { SWALE_ERR_HANDSHAKE_TIMEOUT, SWALE_PHASE_RESOLVE, 9 },
        { SWALE_ERR_HANDSHAKE_TIMEOUT, SWALE_PHASE_HANDSHAKE, 9 },
        { -ENOMEM, SWALE_PHASE_CONNECT, 1 },
        { SWALE_ERR_NO_MEMORY, SWALE_PHASE_HANDSHAKE, 1 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_client_failure failure = { .reason = cases[i].reason, .phase = cases[i].phase };
        if (status_of_failure(&failure) != cases[i].status)
            fail_msg("%s in phase %d: %d, not %d", swale_error_name(cases[i].reason), (int)cases[i].phase,
                     status_of_failure(&failure), cases[i].status);
    }
}

static void tells_closes_apart(void **state)
{
    (void)state;
    static const struct {
        int reason, code;
        bool clean;
        int status;
    } cases[] = {
        { SWALE_ERR_PEER_CLOSED, 1000, true, 0 },     { SWALE_ERR_PEER_CLOSED, 1001, true, 0 },
        { SWALE_ERR_PEER_CLOSED, 1005, true, 10 },    { SWALE_ERR_PEER_CLOSED, 1008, true, 10 },
        { SWALE_ERR_PEER_CLOSED, 4000, true, 10 },    { SWALE_ERR_PEER_CLOSED, 1000, false, 10 },
        { SWALE_ERR_LOCAL_CLOSED, 1000, true, 0 },    { SWALE_ERR_LOCAL_CLOSED, 1005, true, 0 },
        { SWALE_ERR_LOCAL_CLOSED, 1011, true, 10 },   { SWALE_ERR_LOCAL_CLOSED, 1006, false, 11 },
        { SWALE_ERR_CLOSE_TIMEOUT, 1006, false, 11 }, { SWALE_ERR_PEER_GONE, 1006, false, 11 },
        { SWALE_ERR_RESET, 1006, false, 11 },         { SWALE_ERR_TLS_TRUNCATED, 1006, false, 11 },
        { SWALE_ERR_HEARTBEAT, 1006, false, 11 },     { SWALE_ERR_FRAME_MASK, 1006, false, 12 },
        { SWALE_ERR_FRAME_OPCODE, 1006, false, 12 },  { SWALE_ERR_CLOSE_CODE, 1006, false, 12 },
        { SWALE_ERR_UTF8, 1006, false, 12 },          { SWALE_ERR_DEFLATE_DATA, 1006, false, 12 },
        { SWALE_ERR_MESSAGE_SIZE, 1006, false, 12 },  { SWALE_ERR_DEFLATE_RATIO, 1006, false, 12 },
        { SWALE_ERR_NO_MEMORY, 1006, false, 1 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_close close = { .reason = cases[i].reason, .code = cases[i].code, .clean = cases[i].clean };
        if (status_of_close(&close) != cases[i].status)
            fail_msg("%s with %d: %d, not %d", swale_error_name(cases[i].reason), cases[i].code,
                     status_of_close(&close), cases[i].status);
    }
}

/* Whatever the library reports: it is never taken for a success. */
static void takes_no_failure_for_a_success(void **state)
{
    (void)state;
    for (int slot = 1; slot < SWALE_ERROR_SLOTS; slot++) {
        int reason = swale_error_at(slot);
        for (int phase = SWALE_PHASE_RESOLVE; phase <= SWALE_PHASE_OPEN; phase++) {
            struct swale_client_failure failure = { .reason = reason, .phase = (enum swale_client_phase)phase };
            assert_in_range(status_of_failure(&failure), 1, 14);
        }
        struct swale_close close = { .reason = reason, .code = 1006 };
        assert_in_range(status_of_close(&close), 1, 14);
    }
}

static void lists_them(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    status_help(out);
    fclose(out);
    assert_non_null(strstr(text, "\n   0  closed cleanly"));
    assert_non_null(strstr(text, "\n  14  standard input holds"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_failures_apart),
        cmocka_unit_test(tells_closes_apart),
        cmocka_unit_test(takes_no_failure_for_a_success),
        cmocka_unit_test(lists_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
