#include "test.h"

#include "app/connect/advice.h"

#include <errno.h>
#include <string.h>

static const char *advice(const struct swale_client_failure *failure, bool secure)
{
    static char out[2048];
    struct buffer buffer = { 0 };
    advice_put(failure, secure, &buffer);
    buffer_put(&buffer, swale_span("", 1));
    assert_true(buffer.size <= sizeof out);
    memcpy(out, buffer.data, buffer.size);
    buffer_done(&buffer);
    return out;
}

static void says(const struct swale_client_failure *failure, bool secure, const char *words)
{
    const char *text = advice(failure, secure);
    if (!strstr(text, words))
        fail_msg("no \"%s\" in: %s", words, text);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void knows_statuses(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *words;
    } cases[] = {
        { 200, "proxy_set_header Upgrade" },
        { 301, "--follow-redirects" },
        { 400, "Upgrade and Connection" },
        { 401, "--user" },
        { 403, "Origin" },
        { 404, "path" },
        { 426, "removes the Upgrade field" },
        { 502, "is that running" },
        { 429, "Too many" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_response response = { .status = cases[i].status };
        struct swale_client_failure failure = { .reason = SWALE_ERR_ANSWER_STATUS,
                                                .phase = SWALE_PHASE_HANDSHAKE,
                                                .response = &response };
        says(&failure, false, cases[i].words);
    }
}

static void tells_who_answers(void **state)
{
    (void)state;
    struct swale_field fields[] = { { { "server", 6 }, { "nginx\033", 6 } }, { { "Via", 3 }, { "1.1 x", 5 } } };
    struct swale_response response = { .status = 299, .fields = fields, .field_count = 2 };
    struct swale_client_failure failure = { .reason = SWALE_ERR_ANSWER_STATUS, .response = &response };
    assert_string_equal(advice(&failure, false),
                        "It says of itself \"Server: nginx\\x1b\".\nIt says of itself \"Via: 1.1 x\".\n");
}

static void knows_a_tls_port(void **state)
{
    (void)state;
    struct swale_response response = { .status = 400 };
    struct swale_client_failure failure = {
        .reason = SWALE_ERR_ANSWER_STATUS,
        .response = &response,
        .body = swale_text("<center>The plain HTTP request was sent to HTTPS port</center>"),
    };
    says(&failure, false, "wss://");
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_HTTP_SYNTAX, .phase = SWALE_PHASE_HANDSHAKE }, false,
         "wss://");
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_PEER_GONE, .phase = SWALE_PHASE_HANDSHAKE }, false,
         "wss://");
}

static void knows_tls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        { "TLS with a: certificate has expired", "renewed" },
        { "TLS with a: self-signed certificate in certificate chain", "Its chain ends" },
        { "TLS with a: self-signed certificate", "Nobody vouches" },
        { "TLS with a: unable to get local issuer certificate", "whole chain" },
        { "TLS with a: hostname mismatch", "another name" },
        { "TLS with a: IP address mismatch", "another name" },
        { "TLS with a: wrong version number", "ws://" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        says(&(struct swale_client_failure){ .reason = SWALE_ERR_TLS_UNTRUSTED,
                                             .phase = SWALE_PHASE_TLS,
                                             .text = cases[i].text },
             true, cases[i].words);
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_TLS_PIN, .phase = SWALE_PHASE_TLS, .text = "" }, true,
         "another key");
}

static void knows_the_rest(void **state)
{
    (void)state;
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_RESOLVE, .phase = SWALE_PHASE_RESOLVE }, false,
         "spelt right");
    says(&(struct swale_client_failure){ .reason = -ECONNREFUSED,
                                         .phase = SWALE_PHASE_CONNECT,
                                         .text = "connect to a: Connection refused" },
         false, "nothing listens");
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_HANDSHAKE_TIMEOUT, .phase = SWALE_PHASE_CONNECT }, false,
         "firewall that drops");
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_HANDSHAKE_TIMEOUT, .phase = SWALE_PHASE_HANDSHAKE },
         false, "does not answer");
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_PROXY_REFUSED, .phase = SWALE_PHASE_PROXY }, false,
         "--proxy");
    says(&(struct swale_client_failure){ .reason = SWALE_ERR_ANSWER_ACCEPT, .phase = SWALE_PHASE_HANDSHAKE }, false,
         "Sec-WebSocket-Accept");
}

/* Whatever failed: nothing breaks, and nothing is said twice. */
static void bears_every_failure(void **state)
{
    (void)state;
    for (int slot = 1; slot < SWALE_ERROR_SLOTS; slot++)
        for (int phase = SWALE_PHASE_RESOLVE; phase <= SWALE_PHASE_OPEN; phase++) {
            struct swale_client_failure failure = { .reason = swale_error_at(slot),
                                                    .phase = (enum swale_client_phase)phase };
            advice(&failure, true);
            advice(&failure, false);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_statuses), cmocka_unit_test(tells_who_answers), cmocka_unit_test(knows_a_tls_port),
        cmocka_unit_test(knows_tls),      cmocka_unit_test(knows_the_rest),    cmocka_unit_test(bears_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
