/* negotiate_test.c - every parameter of permessage-deflate, in offers and in answers. */
#include "test.h"

#include "heads.h"
#include "proto/negotiate.h"

#include <time.h>

#define NAME    "permessage-deflate"
#define S_NCT   "; server_no_context_takeover"
#define C_NCT   "; client_no_context_takeover"
#define S_BITS  "; server_max_window_bits"
#define C_BITS  "; client_max_window_bits"
#define BROKEN  "broken" /* not well-formed: the handshake is refused */
#define DECLINE "decline"

static const struct swale_deflate_policy frugal = { .enabled = true };
static const struct swale_deflate_policy generous = {
    .enabled = true,
    .server_context_takeover = true,
    .client_context_takeover = true,
};

/* What the server answers to field lines of offers: the element, DECLINE or BROKEN. */
static const char *answer_to(const char *lines, const struct swale_deflate_policy *policy)
{
    static char text[512];
    char head[4096];
    snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    struct heads_held *held = heads_hold(head, true);
    struct swale_upgrade upgrade = { 0 };
    int error = swale__deflate_accept(&held->request, policy, &upgrade);
    heads_done(held);
    if (error) {
        assert_int_equal(error, SWALE_ERR_UPGRADE_EXTENSIONS);
        return BROKEN;
    }
    if (!upgrade.deflate)
        return DECLINE;
    struct swale__writer writer = { .out = text, .capacity = sizeof text - 1 };
    swale__put_deflate_answer(&writer, &upgrade);
    text[swale__writer_end(&writer) - 2] = '\0';
    return text + strlen("Sec-WebSocket-Extensions: ");
}

static void check_offer(const char *offer, const struct swale_deflate_policy *policy, const char *expected)
{
    char lines[2048];
    snprintf(lines, sizeof lines, "Sec-WebSocket-Extensions: %s\r\n", offer);
    const char *answer = answer_to(lines, policy);
    if (strcmp(answer, expected) != 0)
        print_error("offer: %s\n", offer);
    assert_string_equal(answer, expected);
}

struct offer {
    const char *offer;
    const char *answer;
};

static void check_offers(const struct offer *offers, size_t count, const struct swale_deflate_policy *policy)
{
    for (size_t i = 0; i < count; i++)
        check_offer(offers[i].offer, policy, offers[i].answer);
}

static void test_server_keeps_nothing_by_default(void **state)
{
    (void)state;
    static const struct offer offers[] = {
        { NAME, NAME S_NCT C_NCT },
        { NAME C_BITS, NAME S_NCT C_NCT }, /* Chromium, ws, Python, Tornado, pywebsocket */
        { NAME S_NCT, NAME S_NCT C_NCT },
        { NAME S_BITS "=10", NAME S_NCT C_NCT S_BITS "=10" },
        { "x-webkit-deflate-frame", DECLINE },
        { "", DECLINE },
    };
    check_offers(offers, COUNT_OF(offers), &frugal);
    assert_string_equal(answer_to("", &frugal), DECLINE);
}

static void test_server_that_allows_contexts(void **state)
{
    (void)state;
    static const struct offer offers[] = {
        { NAME, NAME },
        { NAME C_BITS, NAME },
        { NAME C_BITS "=10", NAME },
        { NAME C_BITS "=8", NAME },
        { NAME S_NCT, NAME S_NCT },
        { NAME C_NCT, NAME C_NCT },
        { NAME C_NCT S_NCT, NAME S_NCT C_NCT },
        { NAME S_BITS "=15", NAME S_BITS "=15" }, /* named because it was asked */
        { NAME S_BITS "=9", NAME S_BITS "=9" },
        { NAME S_BITS "=8", DECLINE }, /* zlib cannot */
        { NAME S_BITS "=8, " NAME, NAME },
        { NAME S_BITS "=10, " NAME, NAME S_BITS "=10" },
        { NAME C_NCT S_NCT S_BITS "=12" C_BITS "=11", NAME S_NCT C_NCT S_BITS "=12" },
    };
    check_offers(offers, COUNT_OF(offers), &generous);
    struct swale_deflate_policy off = { 0 };
    check_offer(NAME, &off, DECLINE);
}

static void test_server_with_small_windows(void **state)
{
    (void)state;
    struct swale_deflate_policy small = generous;
    small.server_max_window_bits = 11;
    small.client_max_window_bits = 12;
    static const struct offer offers[] = {
        { NAME, NAME S_BITS "=11" }, /* the client's window may not be asked for */
        { NAME C_BITS, NAME S_BITS "=11" C_BITS "=12" },
        { NAME C_BITS "=15", NAME S_BITS "=11" C_BITS "=12" },
        { NAME C_BITS "=10", NAME S_BITS "=11" C_BITS "=10" },
        { NAME C_BITS "=8", NAME S_BITS "=11" C_BITS "=8" },
        { NAME S_BITS "=15", NAME S_BITS "=11" },
        { NAME S_BITS "=9", NAME S_BITS "=9" },
    };
    check_offers(offers, COUNT_OF(offers), &small);
    /* Out of range: the nearest. */
    small.server_max_window_bits = 8;
    small.client_max_window_bits = 3;
    check_offer(NAME C_BITS, &small, NAME S_BITS "=9" C_BITS "=8");
    small.server_max_window_bits = 16;
    small.client_max_window_bits = 200;
    check_offer(NAME C_BITS, &small, NAME);
}

static void test_every_window_bits_value(void **state)
{
    (void)state;
    static const char *const parameters[] = { S_BITS, C_BITS };
    for (size_t p = 0; p < COUNT_OF(parameters); p++)
        for (int bits = 0; bits <= 20; bits++)
            for (int quoted = 0; quoted <= 1; quoted++) {
                char offer[128];
                char expected[128] = DECLINE;
                snprintf(offer, sizeof offer, quoted ? NAME "%s=\"%d\"" : NAME "%s=%d", parameters[p], bits);
                if (p == 0 && bits >= 9 && bits <= 15)
                    snprintf(expected, sizeof expected, NAME S_BITS "=%d", bits);
                if (p == 1 && bits >= 8 && bits <= 15)
                    snprintf(expected, sizeof expected, NAME);
                check_offer(offer, &generous, expected);
            }
}

static void test_offers_that_are_declined(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "; unknown",
        "; unknown=1",
        "; unknown" S_NCT,
        S_NCT S_NCT,
        C_NCT C_NCT,
        C_BITS C_BITS,
        C_BITS "=10" C_BITS "=10",
        S_BITS "=10" S_BITS "=10",
        S_NCT "=1",
        C_NCT "=true",
        S_BITS,
        S_BITS "=08",
        S_BITS "=09",
        S_BITS "=010",
        S_BITS "=1",
        S_BITS "=1x",
        S_BITS "=1-",
        S_BITS "=100",
        S_BITS "=+10",
        S_BITS "=-9",
        C_BITS "=09",
        C_BITS "=16",
        C_BITS "=7",
        C_BITS "=x",
        C_BITS "=\"010\"",
        C_BITS "=\"100000000000000000000\"",
        "; Server_No_Context_Takeover",
    };
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        char offer[256];
        snprintf(offer, sizeof offer, NAME "%s", tails[i]);
        check_offer(offer, &generous, DECLINE);
        /* The next offer, in the same field, has its chance. */
        snprintf(offer, sizeof offer, NAME "%s, " NAME C_BITS, tails[i]);
        check_offer(offer, &generous, NAME);
    }
}

static void test_the_grammar(void **state)
{
    (void)state;
    static const struct offer offers[] = {
        { NAME " ;\tserver_no_context_takeover", NAME S_NCT },
        { NAME ";server_max_window_bits=10", NAME S_BITS "=10" },
        { NAME "; server_max_window_bits = \"1\\0\"", NAME S_BITS "=10" },
        { ",, " NAME " ,", NAME },
        { "constructor, __proto__; toString, " NAME, NAME },
        { "other; a=\"b\", " NAME, NAME },
        { NAME ", " NAME S_NCT, NAME },
        { NAME ";", BROKEN },
        { NAME ";;", BROKEN },
        { NAME "; =1", BROKEN },
        { NAME S_BITS "=", BROKEN },
        { NAME S_BITS "=\"", BROKEN },
        { NAME S_BITS "=\"10", BROKEN },
        { NAME S_BITS "=\"10\\", BROKEN },
        { NAME S_BITS "=\"10\\\"", BROKEN },
        { NAME S_BITS "=\"\"", BROKEN },
        { NAME S_BITS "=\"1 0\"", BROKEN },
        { NAME S_BITS "=\"1,0\"", BROKEN },
        { NAME S_BITS "=\"10\"x", BROKEN },
        { NAME S_BITS "=10 11", BROKEN },
        { NAME " x", BROKEN },
        { "\"" NAME "\"", BROKEN },
        { "other; a=\", " NAME, BROKEN },
        { NAME ", /", BROKEN }, /* what is broken behind the accepted offer is broken too */
        { "=", BROKEN },
        { "\xc3\xa9", BROKEN },
    };
    check_offers(offers, COUNT_OF(offers), &generous);
    /* Broken is broken, even for a server that would not have accepted anything. */
    struct swale_deflate_policy off = { 0 };
    check_offer("/", &off, BROKEN);
    check_offer("other", &off, DECLINE);
}

static void test_several_fields(void **state)
{
    (void)state;
    assert_string_equal(answer_to("Sec-WebSocket-Extensions: other\r\nSec-Websocket-Extensions: " NAME S_BITS "\r\n"
                                  "sec-websocket-extensions: " NAME S_BITS "=12, " NAME "\r\n",
                                  &generous),
                        NAME S_BITS "=12");
}

/* Thousands of offers, and one of thousands of parameters: the time must be that of reading them. */
static void test_many_offers(void **state)
{
    (void)state;
    static const char *const units[] = { NAME S_BITS ", ", NAME "; a; b=c; ", "\"\\\"", "x;", ", ," };
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t unit = strlen(units[i]);
        size_t size = unit * 40000;
        char *value = malloc(size);
        for (size_t k = 0; k < size; k++)
            value[k] = units[i][k % unit];
        struct swale_field field = { swale_text("Sec-WebSocket-Extensions"), swale_span(value, size) };
        struct swale_request request = { .fields = &field, .field_count = 1 };
        struct swale_upgrade upgrade = { 0 };
        clock_t begin = clock();
        swale__deflate_accept(&request, &generous, &upgrade);
        assert_true(clock() - begin < CLOCKS_PER_SEC);
        assert_false(upgrade.deflate);
        free(value);
    }
}

/* ---- The client ---- */

static void check_client_offer(const struct swale_deflate_policy *policy, const char *expected)
{
    char text[512];
    struct swale__writer writer = { .out = text, .capacity = sizeof text };
    swale__put_deflate_offer(&writer, policy);
    assert_span_equal(swale_span(text, (size_t)swale__writer_end(&writer)), expected);
}

static void test_client_offers(void **state)
{
    (void)state;
    check_client_offer(&frugal, "Sec-WebSocket-Extensions: " NAME S_NCT C_NCT C_BITS "\r\n");
    check_client_offer(&generous, "Sec-WebSocket-Extensions: " NAME C_BITS "\r\n");
    struct swale_deflate_policy small = generous;
    small.server_max_window_bits = 10;
    small.client_max_window_bits = 11;
    check_client_offer(&small, "Sec-WebSocket-Extensions: " NAME S_BITS "=10" C_BITS "=11\r\n");
    small.client_max_window_bits = 8;
    check_client_offer(&small, "Sec-WebSocket-Extensions: " NAME S_BITS "=10" C_BITS "=9\r\n");
}

/* What the client makes of field lines of an answer: NULL when it refuses, else the parameters as text. */
static const char *verdict(const char *lines, const struct swale_deflate_policy *policy)
{
    static char text[128];
    char head[1024];
    snprintf(head, sizeof head, "HTTP/1.1 101 Switching Protocols\r\n%s\r\n", lines);
    struct heads_held *held = heads_hold(head, false);
    struct swale_upgrade_result result = { 0 };
    int error = swale__deflate_verify(&held->response, policy, &result);
    heads_done(held);
    if (error) {
        assert_int_equal(error, SWALE_ERR_ANSWER_EXTENSIONS);
        return "refused";
    }
    const struct swale_deflate_params *params = &result.deflate_params;
    snprintf(text, sizeof text, result.deflate ? "%s%ss%d c%d" : "none",
             params->server_no_context_takeover ? "S " : "", params->client_no_context_takeover ? "C " : "",
             params->server_max_window_bits, params->client_max_window_bits);
    return text;
}

static void check_verdict(const char *answer, const struct swale_deflate_policy *policy, const char *expected)
{
    char lines[512];
    snprintf(lines, sizeof lines, "Sec-WebSocket-Extensions: %s\r\n", answer);
    const char *got = verdict(lines, policy);
    if (strcmp(got, expected) != 0)
        print_error("answer: %s\n", answer);
    assert_string_equal(got, expected);
}

static void test_client_takes(void **state)
{
    (void)state;
    static const struct offer answers[] = {
        { NAME, "s15 c15" },
        { NAME S_NCT, "S s15 c15" },
        { NAME C_NCT, "C s15 c15" },
        { NAME S_BITS "=10", "s10 c15" },
        { NAME S_BITS "=8", "s8 c15" },
        { NAME C_BITS "=15", "s15 c15" },
        { NAME C_BITS "=12", "s15 c12" },
        { NAME S_BITS "=12" C_BITS "=12", "s12 c12" }, /* websockets for Python */
        { NAME S_BITS "=\"9\"", "s9 c15" },
        { "", "none" },
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        check_verdict(answers[i].offer, &generous, answers[i].answer);
    assert_string_equal(verdict("", &generous), "none");
    struct swale_deflate_policy off = { 0 };
    assert_string_equal(verdict("", &off), "none");
    /* Our own compressor forgets, whether or not the server asks it to. */
    check_verdict(NAME S_NCT, &frugal, "S C s15 c15");
    struct swale_deflate_policy small = generous;
    small.server_max_window_bits = 10;
    small.client_max_window_bits = 11;
    check_verdict(NAME S_BITS "=10", &small, "s10 c11");
    check_verdict(NAME S_BITS "=9" C_BITS "=9", &small, "s9 c9");
}

static void test_client_refuses(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "x-webkit-deflate-frame", NAME ", " NAME,
        NAME ", other",           NAME ";",
        NAME "; unknown",         NAME S_NCT S_NCT,
        NAME S_NCT "=1",          NAME S_BITS,
        NAME S_BITS "=16",        NAME S_BITS "=7",
        NAME S_BITS "=09",        NAME C_BITS, /* in an answer it has a value */
        NAME C_BITS "=8",                      /* our compressor cannot */
        NAME C_BITS "=16",        NAME C_BITS "=12" C_BITS "=12",
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        check_verdict(answers[i], &generous, "refused");
    struct swale_deflate_policy off = { 0 };
    check_verdict(NAME, &off, "refused");    /* not offered */
    check_verdict(NAME, &frugal, "refused"); /* server_no_context_takeover was demanded */
    struct swale_deflate_policy small = generous;
    small.server_max_window_bits = 10;
    small.client_max_window_bits = 11;
    check_verdict(NAME, &small, "refused");
    check_verdict(NAME S_BITS "=11", &small, "refused");
    check_verdict(NAME S_BITS "=10" C_BITS "=12", &small, "refused");
    assert_string_equal(
        verdict("Sec-WebSocket-Extensions: " NAME "\r\nSec-WebSocket-Extensions: " NAME "\r\n", &generous),
        "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_keeps_nothing_by_default),
        cmocka_unit_test(test_server_that_allows_contexts),
        cmocka_unit_test(test_server_with_small_windows),
        cmocka_unit_test(test_every_window_bits_value),
        cmocka_unit_test(test_offers_that_are_declined),
        cmocka_unit_test(test_the_grammar),
        cmocka_unit_test(test_several_fields),
        cmocka_unit_test(test_many_offers),
        cmocka_unit_test(test_client_offers),
        cmocka_unit_test(test_client_takes),
        cmocka_unit_test(test_client_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
